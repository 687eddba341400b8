"""CAMDA track: the protocol and the metrics of the CAMDA / ELSA Health Privacy Challenge."""

from ...core.settings import choice
from ..description import Experiment, Figure
from ..shared.folds import FOLD_SETTINGS
from ..shared.plan import GENERATORS, LEVEL

EXPERIMENT = Experiment(
    name="camda",
    title="CAMDA track",
    summary="Protocol and metrics of the CAMDA / ELSA Health Privacy Challenge, and ours beside them.",
    source="PMBio/Health-Privacy-Challenge, CAMDA 2025",
    question="How do the generators do in the protocol of the CAMDA challenge?",
    order=6,
    documentation="methods.md#evaluations",
    score="score:camda",
    counted=("generators", "repeats"),
    scored=("neighbours",),
    settings={
        "generators": GENERATORS,
        "level": choice("tumour", "Level of the profiles.", LEVEL["enum"]),
        **FOLD_SETTINGS,
    },
    keys={"generator": "Generator"},
    columns={
        "accuracy": "Accuracy", "balanced_accuracy": "Balanced accuracy", "auprc": "AUPRC",
        "feature_overlap": "Features shared", "mmd_challenge": "MMD (theirs)",
        "discriminative_f1": "Discriminative F1", "dcr": "DCR", "dcr_base": "DCR of real", "density": "Density",
        "coverage": "Coverage", "aa_test_truth_half": "AA truth half", "aa_test_synthetic_half": "AA synthetic half",
        "correlation_score_within": "γ within", "mmd": "MMD", "discriminator_auc": "Discriminator AUC",
        "memorisation_share": "Memorised", "closer_to_train_share": "Closer to train",
    },
    figures=(Figure(name="camda", draw="figures.camda:draw", caption=(
        "Folds by donor; a generator gives as many profiles as it saw. Left: accuracy on held-out patients of "
        "a classifier trained on synthetic profiles. Dashed line: real profiles. Copies of the training set (``copy``) "
        "score as well, so read it together with the last panel."
    )),),
)  # fmt: skip
