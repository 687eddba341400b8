"""Augmentation: does adding synthetic profiles to n real ones make a better classifier?"""

from ...core.settings import integer, many, mapping, number
from ..description import Experiment, Figure
from ..shared.estimators import SMALLEST
from ..shared.plan import GENERATORS, LEVEL

_TASK = {
    "type": "object",
    "additionalProperties": False,
    "required": ["label"],
    "properties": {
        "label": {
            "type": "array",
            "minItems": 1,
            "items": {"enum": ["condition", "context", "level"]},
            "description": "Columns whose values make the label.",
        },
        "levels": {
            "type": "array",
            "items": LEVEL,
            "uniqueItems": True,
            "description": "Levels that the task is about; default the tissue levels.",
        },
        "where": {
            "type": "object",
            "additionalProperties": {"type": "array"},
            "description": "Column -> values: profiles outside are only used by the regime transfer.",
        },
        "title": {"type": "string", "description": "The task in words for the report."},
    },
}

EXPERIMENT = Experiment(
    name="augmentation",
    title="Augmentation",
    summary="A classifier trained on n real profiles, with and without synthetic ones, tested on held-out donors.",
    source="Lacan, Sebag & Hanczar 2023, Bioinformatics 39:i111",
    question="Do synthetic profiles improve prediction when few patients are at hand?",
    order=1,
    score="score:augmentation",
    headline=True,
    by_task=True,
    overview="verdict:overview",
    documentation="methods.md#evaluations",
    counted=("generators", "n_real", "curve", "regimes", "repeats"),
    sampled=("n_synthetic",),
    scored=("worthwhile", "classifiers"),
    settings={
        "generators": GENERATORS,
        "tasks": mapping({}, "Prediction tasks by name.", _TASK, propertyNames={"$ref": "#/$defs/name"}),
        "n_real": many(
            [0, 50], "Real profiles: 0 = one per class, -1 = all.", {"type": "integer", "minimum": -1}, minimum=1
        ),
        "curve": many(
            [10, 25, 50, 100, 200],
            "Further numbers of real profiles at which real profiles alone are scored: the learning curve that gains "
            "are read against.",
            {"type": "integer", "minimum": 1},
        ),
        "n_synthetic": many(
            [30, 100, 300, 1000], "Synthetic profiles added.", {"type": "integer", "minimum": 1}, minimum=1
        ),
        "regimes": many(
            ["same_n", "oracle"],
            "What the generator was allowed to see: the n profiles; all training profiles; the n and the others "
            "without labels; the n and other conditions and levels.",
            {"enum": ["same_n", "oracle", "unlabeled", "transfer"]},
            minimum=1,
        ),
        "repeats": integer(10, "Splits: held-out donors and real profiles are drawn anew in each.", minimum=1),
        "worthwhile": number(
            SMALLEST,
            "Smallest gain in balanced accuracy worth having; the answer is no where every generator is below it.",
            above=0,
            below=1,
        ),
        "classifiers": many(["logistic"], "Classifiers trained.", {"enum": ["logistic", "svm", "mlp"]}, minimum=1),
    },
    keys={
        "task": "Task", "n_real": "Real (0: one per class)", "regime": "Regime", "generator": "Generator",
        "n_synthetic": "Synthetic", "estimator": "Classifier",
    },
    columns={
        "balanced_accuracy": "Balanced accuracy", "balanced_accuracy_gain": "Gain",
        "balanced_accuracy_gain_patients": "Gain, other patients", "macro_f1": "Macro F1",
        "real_profiles_saved": "Real profiles saved", "doubled_accuracy_gain": "Gain of twice as many real",
        "profiles_for_ceiling": "Real profiles for the ceiling", "auprc": "AUPRC", "accuracy": "Accuracy",
        "calibration_error": "Calibration error", "brier": "Brier", "majority_rate": "Majority rate",
    },
    figures=(
        Figure(name="augmentation", draw="figures.augmentation:draw", caption=(
        "Gain in balanced accuracy over the real profiles alone, with 95 % intervals over paired repeats. Right of "
        "the solid line synthetic profiles help; the dashed line is what all real profiles reach. Hollow marks are "
        "an oracle: its generator has seen patients whom the user does not have. The baseline on real profiles alone "
        "is the best of five classifiers (nearest empirical-Bayes class means, nearest shrunken centroids, shrunken "
        "discriminant analysis, logistic regression, linear support vector machine), each with its default setting "
        "or one chosen by inner cross-validation; so even copies can do worse than it. Black: more real profiles, no "
        "generator. Every repeat holds out other patients."
    )),
        Figure(name="learning", draw="figures.learning:draw", caption=(
        "Synthetic profiles compared with more real profiles. Left: balanced accuracy on held-out donors against the "
        "number of real profiles, alone (black, with its interval) and with synthetic profiles of the generator "
        "that gained most in each regime. A point above the black line is a gain; its horizontal distance to the line "
        "is the number of real profiles that gain as much. Middle: gain against the number of synthetic profiles. "
        "Right: gain in the recall of each class; the class with the lowest recall without it is at the top. Grey "
        "squares: the Gaussian (``mvn``) of the same profiles. The best of several generators is shown, and "
        "its interval is not corrected for that; the answer above is."
    )),
    ),
)  # fmt: skip
