"""Held-out level: a condition that was seen at one level only, generated at the other."""

from ...core.settings import integer, many, number
from ..description import Experiment, Figure

EXPERIMENT = Experiment(
    name="held_out_level",
    title="Conditions never seen at a level",
    summary="A condition hidden at one level and generated there, against its real profiles.",
    question="Can a condition be generated at a level where it was never seen?",
    order=5,
    documentation="methods.md#evaluations",
    score="score:held_out_level",
    crosses_levels=True,
    counted=("generators", "hidden", "repeats"),
    sampled=("n_synthetic",),
    reads=("combination",),
    settings={
        "generators": many(
            ["mvn", "flow"], "Generators that can sample a condition at a level never seen together.",
            {"$ref": "#/$defs/composing"},
        ),
        "hidden": many(
            ["tissue", "cell"], "Level at which a condition is hidden.", {"enum": ["tissue", "cell"]}, minimum=1
        ),
        "repeats": integer(3, "Training sets per condition, each leaving out a fifth of the donors.", minimum=1),
        "unlabeled_share": number(
            0.0,
            "Share of the other conditions' patients that are unlabelled in a further arm, with all of the hidden "
            "condition's among them; 0 = no such arm.",
            minimum=0, below=1,
        ),
        "n_synthetic": integer(500, "Profiles generated of the hidden condition.", minimum=1),
    },
    keys={"level": "Hidden at", "generator": "Generator", "regime": "Labels"},
    columns={
        "centroid_r": "Centroid r", "type_rank": "Rank of its type", "detection_auc": "Detection AUC", "mmd": "MMD",
        "coverage": "Coverage", "precision": "Precision", "recall": "Recall", "correlation_score": "γ within",
        "centroid_r_over_level_shift": "r over shift", "detection_auc_over_level_shift": "AUC over shift",
        "mmd_over_level_shift": "MMD below shift", "detection_auc_over_permuted": "AUC over permuted",
    },
    figures=(
        Figure(name="held_out_level", draw="figures.held_out_level:draw", caption=(
        "Each dot is a condition hidden at one level, averaged over repeats; bars are means over conditions with "
        "95 % intervals. Dashed line: real profiles of other donors. Grey: the same method when the other level "
        "has permuted labels."
    )),
    ),
)  # fmt: skip
