"""Fidelity: is the synthetic cohort like patients whom the generator has never seen?"""

from ...core.settings import integer, many, text
from ..description import Experiment, Figure
from ..shared.plan import LEVEL

EXPERIMENT = Experiment(
    name="fidelity",
    title="Fidelity",
    summary="Synthetic profiles against held-out donors: likeness, diversity, correlations, genes and pathways found.",
    question="Do synthetic profiles look like patients never seen?",
    order=8,
    score="score:fidelity",
    overview="verdict:overview",
    documentation="methods.md#evaluations",
    table_inputs="plan:model_files",
    counted=("repeats",),
    sampled=("n_synthetic",),
    scored=("neighbours", "gene_sets"),
    settings={
        "repeats": integer(3, "Training sets, each leaving out a fifth of the training donors.", minimum=1),
        "n_synthetic": integer(0, "Profiles generated per repeat; 0 = as many as are held out.", minimum=0),
        "neighbours": integer(10, "Neighbours k of precision, recall, density and coverage.", minimum=1),
        "levels": many([], "Levels trained on and scored; [] = every tissue level.", LEVEL),
        "gene_sets": text(
            "",
            "GMT file of gene sets (symbols) whose changes between classes are to be recovered; {data_root} is "
            "replaced; empty = none.",
        ),
    },
    keys={"generator": "Generator"},
    columns={
        "discriminator_auc": "Discriminator AUC", "precision": "Precision", "recall": "Recall", "density": "Density",
        "coverage": "Coverage", "aa_test": "AA", "aa_test_truth_half": "AA truth half",
        "aa_test_synthetic_half": "AA synthetic half", "correlation_score": "γ pooled",
        "correlation_score_within": "γ within", "frechet": "Fréchet", "mmd": "MMD", "gene_sd_ratio": "SD ratio",
        "de_logfc_r": "log FC r", "de_tpr": "DE recall", "de_fpr": "DE false calls", "pathway_r": "Pathway r",
        "discovery_recall": "Genes found", "discovery_false_share": "False finds", "set_recall": "Sets found",
        "set_false_share": "False sets", "module_ari": "Modules, ARI",
        "attribution_overlap": "Top genes", "correlation_error_within": "γ error within",
        "tstr_balanced_accuracy": "TSTR",
        "memorisation_share": "Memorised", "closer_to_train_share": "Closer to train", "aa_privacy_loss": "AA loss",
        "covariate_(.+)_recovered": "{} effect",
        "survival_log_hr_r": "log HR r", "survival_permuted_log_hr_r": "log HR r, permuted",
        "survival_real_calls": "Prognostic, real", "survival_calls": "Prognostic",
        "survival_recall": "Prognostic found", "survival_false_share": "Prognostic, false",
        "survival_permuted_calls": "Prognostic, permuted",
    },
    figures=(
        Figure(name="fidelity", draw="figures.fidelity:draw", caption=(
        "Each synthetic cohort against held-out donors; the dashed line is real data against other real data of "
        "the same size. A generator that copies its training set (``copy``) is perfect in all panels except the last, "
        "the share of memorised profiles, so read the panels together."
    )),
        Figure(name="map", draw="figures.map:figure", inputs="plan:map_files", caption=(
        "Real and synthetic profiles of one training set on the first two principal components of the real "
        "training profiles, coloured by condition; tumours are filled, normals hollow. Synthetic points should have "
        "the same position and spread as the real ones. Rest the pointer on a point to see its sample."
    )),
        Figure(
            name="survival", draw="figures.survival:figure", inputs="plan:survival_files", when="plan:has_survival",
            caption=(
        "Do the genes that go with survival in held-out patients go with it in a synthetic cohort? Left: correlation "
        "of the genes' log hazard ratios over all training sets. The dashed line is the ceiling: other real patients "
        "in the cohort's place. Grey rings are the floor: the same profiles, their follow-up dealt out anew, which "
        "leaves nothing to find. Where ceiling and floor lie together, no generator can be judged: it takes more "
        "events. Right: each gene on the first training set, in half of the held-out patients and in what stands in "
        "for the others, per standard deviation. Genes called at FDR 5 % have a colour; the pointer shows their names."
    ),
        ),
        Figure(
            name="training", draw="figures.training:figure", inputs="plan:model_files", when="plan:has_loss_curves",
            caption=(
        "Loss curves of the generators with a training loop, on the first training set. Good training shows a "
        "Wasserstein distance that levels off, or a denoising loss that falls slowly. The losses of a GAN say little "
        "about quality."
    ),
        ),
    ),
)  # fmt: skip
