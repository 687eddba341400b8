"""Combination: are cell level and tissue level together better than either alone?"""

from ...core.settings import choice, integer, many, mapping, number
from ..description import Experiment, Figure
from ..shared.plan import LEVEL
from .names import QUESTION

COMPOSING = {"$ref": "#/$defs/composing"}

EXPERIMENT = Experiment(
    name="combination",
    title="Cell level and tissue level",
    summary="Classifiers of k tissue profiles per condition with the cell level, without it, or with permuted labels.",
    question=QUESTION,
    order=4,
    documentation="methods.md#evaluations",
    score="score:combination",
    crosses_levels=True,
    counted=("generators", "k", "draws", "generator_draws", "arms", "variants", "variant_k"),
    sampled=("n_synthetic",),
    scored=("synthetic_weight", "pool_sizes"),
    settings={
        "generators": many(
            ["mvn", "ddpm"], "Generators that can sample a condition at a level never seen together.", COMPOSING
        ),
        "tissue_level": choice("tumour", "Level generated.", LEVEL["enum"]),
        "cell_level": choice("pseudobulk", "Level combined with it.", LEVEL["enum"]),
        "map": mapping({}, "Merges conditions into those that both levels have.", {"type": "string"}),
        "conditions": many([], "Conditions compared; both levels have them.", {"$ref": "#/$defs/name"}),
        "k": many(
            [0, 1, 2, 5], "Real tissue profiles per condition.", {"type": "integer", "minimum": 0}, minimum=1,
            unique=False,
        ),
        "draws": integer(10, "Paired draws of the real profiles; baselines use all of them.", minimum=1),
        "generator_draws": integer(10, "Draws in which generators are trained.", minimum=0),
        "arms": many(
            ["tissue_only", "cell_only", "both", "permuted"], "Sources compared.",
            {"enum": ["tissue_only", "cell_only", "both", "permuted"]},
        ),
        "variants": many(
            [],
            "Variants of the arm both, for the ablation: unlabelled patients left without label (unnamed), bulk or "
            "single cells of lines added, or levels aligned in another way.",
            {"enum": ["unnamed", "line_bulk", "cells", "coral", "moments", "mnn", "unscaled", "offset"]},
        ),
        "variant_k": many(
            [1], "Real tissue profiles per condition in the variants.", {"type": "integer", "minimum": 0},
            unique=False,
        ),
        "n_synthetic": integer(100, "Generated tissue profiles per condition.", minimum=1),
        "synthetic_weight": number(
            0.0,
            "Real profiles that the generated profiles of a condition weigh together; 0 = each weighs as a real one.",
            minimum=0,
        ),
        "unlabeled": choice(
            "all",
            "Patients without label: all training patients of the level, or those of the conditions compared.",
            ["all", "conditions"],
        ),
        "pool_sizes": many(
            [],
            "Numbers of unlabelled patients at which the labels that the lines give them are scored, for the curve "
            "over the size of the pool.",
            {"type": "integer", "minimum": 10},
        ),
        "n_test": integer(300, "Held-out tissue profiles at most, in natural frequencies.", minimum=1),
    },
    keys={"n_real": "Real per condition", "generator": "Generator", "regime": "Arm"},
    columns={
        "balanced_accuracy": "Balanced accuracy", "gain_over_real_only": "Over real only",
        "gain_over_stacking": "Over stacking", "gain_over_level_shift": "Over level shift",
        "both_minus_permuted": "Over permuted",
        "gain_over_em_logistic": "Over mixture + logistic", "gain_over_best_without_pool": "Over best without pool",
        "gain_over_best_with_pool": "Over best with pool",
        "both_minus_tissue_only": "Over tissue only", "gain_over_both": "Over arm both",
        "real_profiles_saved": "Real profiles saved",
        "centroid_r": "Centroid r",
    },
    figures=(
        Figure(name="combination", draw="figures.combination:draw", caption=(
        "Balanced accuracy on held-out patients, who are drawn anew in each draw. What cell lines are worth: lines and "
        "unlabelled patients against the best methods without either, by number of labelled patients; the dashed "
        "grey curve is the negative control, in which the labels of the lines are permuted. Size of the pool: by "
        "number of unlabelled patients, with no labelled patient. Per condition: recall. Then one panel per generator. "
        "Lines: the profiles of combination.cell_level."
    )),
        Figure(name="levels", draw="figures.levels:figure", inputs="plan:level_files", caption=(
        "Tissue and cell lines of the conditions compared, on two principal components. As measured, the levels lie "
        "apart; scaled by level, lines should lie near tissue of their own condition. Last panel: tissue generated "
        "without any labelled tissue profile."
    )),
    ),
)  # fmt: skip
