"""Lacan track: the metrics and the reverse validation of Lacan et al., in the spaces they use and in ours."""

from ...core.settings import many
from ..description import Experiment, Figure
from ..shared.folds import FOLD_SETTINGS
from ..shared.plan import GENERATORS, LEVEL

EXPERIMENT = Experiment(
    name="lacan",
    title="Lacan track",
    summary="Metrics and reverse validation of Lacan et al., in their spaces and in ours.",
    source="Lacan, Sebag & Hanczar 2023, Bioinformatics 39:i111",
    question="How do they do by the metrics of Lacan et al., and are those enough?",
    order=7,
    documentation="methods.md#evaluations",
    score="score:lacan",
    counted=("generators", "repeats"),
    scored=("neighbours",),
    settings={
        "generators": GENERATORS,
        "levels": many(
            ["tumour", "normal"], "Levels of the profiles; the classes are the conditions.", LEVEL, minimum=1
        ),
        **FOLD_SETTINGS,
    },
    keys={"estimator": "Space", "generator": "Generator"},
    columns={
        "reverse_accuracy": "Reverse accuracy", "reverse_balanced_accuracy": "balanced",
        "precision_train": "Precision (train)", "recall_train": "Recall (train)", "density_train": "Density (train)",
        "coverage_train": "Coverage (train)", "aa_train": "AA (train)", "correlation_score_train": "γ pooled (train)",
        "frechet_train": "Fréchet (train)",
        "precision": "Precision", "recall": "Recall", "density": "Density", "coverage": "Coverage", "aa": "AA",
        "aa_truth_half": "AA truth half", "aa_synthetic_half": "AA synthetic half", "correlation_score": "γ pooled",
        "correlation_score_within": "γ within", "frechet": "Fréchet",
    },
    figures=(Figure(name="lacan", draw="figures.lacan:draw", caption=(
        "Metrics of Lacan et al. in their spaces (linear expression) and in ours (logarithms). Left: accuracy on "
        "held-out donors of their network, trained on synthetic profiles. Dashed lines: real profiles. Hollow dots "
        "are against training profiles, as published, where copies of the training set have a coverage of 1. Filled "
        "dots are against donors whom no model has seen."
    )),),
)  # fmt: skip
