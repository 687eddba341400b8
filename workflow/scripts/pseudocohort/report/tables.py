"""Summary tables as the report shows them: one row per thing compared, "mean [low, high]" in the cells."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..experiments.shared.style import order_of
from ..experiments.shared.verdicts import between, number


@dataclass(frozen=True)
class Cell:
    """Text of a cell and the value that it is sorted by."""

    text: str
    sort: float | str


@dataclass(frozen=True)
class Table:
    """A sortable table.

    Attributes
    ----------
    title, note : str
    header : list of str
    rows : list of list of Cell
    """

    title: str
    note: str
    header: list[str]
    rows: list[list[Cell]]


#: Name of the metric of a covariate's effects.
COVARIATE = re.compile("covariate_(.+)_recovered")
#: Metrics of each evaluation, in the order of the columns, with the header shown.
COLUMNS = {
    "fidelity": {
        "discriminator_auc": "Discriminator AUC", "precision": "Precision", "recall": "Recall", "density": "Density",
        "coverage": "Coverage", "aa_test": "AA", "aa_test_truth_half": "AA truth half",
        "aa_test_synthetic_half": "AA synthetic half", "correlation_score": "γ pooled",
        "correlation_score_within": "γ within", "frechet": "Fréchet", "mmd": "MMD", "gene_sd_ratio": "SD ratio",
        "de_logfc_r": "log FC r", "de_tpr": "DE recall", "de_fpr": "DE false calls", "pathway_r": "Pathway r",
        "tstr_balanced_accuracy": "TSTR",
        "memorisation_share": "Memorised", "closer_to_train_share": "Closer to train", "aa_privacy_loss": "AA loss",
    },
    "augmentation": {
        "balanced_accuracy": "Balanced accuracy", "balanced_accuracy_gain": "Gain", "macro_f1": "Macro F1",
        "real_profiles_saved": "Real profiles saved", "auprc": "AUPRC", "accuracy": "Accuracy",
        "calibration_error": "Calibration error", "brier": "Brier", "majority_rate": "Majority rate",
    },
    "privacy": {
        "auc": "AUC", "tpr_at_fpr_0.1": "TPR at FPR .1", "tied_share": "Tied", "max_auc": "Largest AUC",
        "p_corrected": "Corrected p", "epsilon_lower_bound": "ε lower bound", "epsilon_ceiling": "ε detectable",
        "members": "Members",
        "non_members": "Non-members", "excess": "Excess", "epsilon": "ε claimed", "guarantee": "DP guarantee",
        "dcr_member_share": "Nearer to members",
    },
    "combination": {
        "balanced_accuracy": "Balanced accuracy", "gain_over_real_only": "Over real only",
        "gain_over_stacking": "Over stacking", "gain_over_level_shift": "Over level shift",
        "both_minus_permuted": "Over permuted",
        "both_minus_tissue_only": "Over tissue only", "gain_over_both": "Over arm both",
        "real_profiles_saved": "Real profiles saved",
        "centroid_r": "Centroid r",
    },
    "held_out_level": {
        "centroid_r": "Centroid r", "type_rank": "Rank of its type", "detection_auc": "Detection AUC", "mmd": "MMD",
        "coverage": "Coverage", "precision": "Precision", "recall": "Recall", "correlation_score": "γ within",
        "centroid_r_over_level_shift": "r over shift", "detection_auc_over_level_shift": "AUC over shift",
        "mmd_over_level_shift": "MMD below shift", "detection_auc_over_permuted": "AUC over permuted",
    },
    "camda": {
        "accuracy": "Accuracy", "balanced_accuracy": "Balanced accuracy", "auprc": "AUPRC",
        "feature_overlap": "Features shared", "mmd_challenge": "MMD (theirs)",
        "discriminative_f1": "Discriminative F1", "dcr": "DCR", "dcr_base": "DCR of real", "density": "Density",
        "coverage": "Coverage", "aa_test_truth_half": "AA truth half", "aa_test_synthetic_half": "AA synthetic half",
        "correlation_score_within": "γ within", "mmd": "MMD", "discriminator_auc": "Discriminator AUC",
        "memorisation_share": "Memorised", "closer_to_train_share": "Closer to train",
    },
    "lacan": {
        "reverse_accuracy": "Reverse accuracy", "reverse_balanced_accuracy": "balanced",
        "precision_train": "Precision (train)", "recall_train": "Recall (train)", "density_train": "Density (train)",
        "coverage_train": "Coverage (train)", "aa_train": "AA (train)", "correlation_score_train": "γ pooled (train)",
        "frechet_train": "Fréchet (train)",
        "precision": "Precision", "recall": "Recall", "density": "Density", "coverage": "Coverage", "aa": "AA",
        "aa_truth_half": "AA truth half", "aa_synthetic_half": "AA synthetic half", "correlation_score": "γ pooled",
        "correlation_score_within": "γ within", "frechet": "Fréchet",
    },
    "interventions": {
        "pearson_delta": "Correlation with truth", "pearson_delta_gain_over_see": "Over SEE",
        "pearson_delta_gain_over_see_pc5": "Over SEE, 5 PCs",
        "sign_at_20": "Right sign, top 20", "pds": "Discrimination",
        "leaf_effect": "Effect of leaves", "regulator_vs_leaf_auroc": "Regulator v. leaf AUROC",
        "requested": "Requested", "refused": "Refused",
    },
}  # fmt: skip
#: Keys that tell the rows of each evaluation apart, with the header shown.
KEYS = {
    "fidelity": {"generator": "Generator"},
    "augmentation": {
        "task": "Task", "n_real": "Real", "regime": "Regime", "generator": "Generator", "n_synthetic": "Synthetic",
        "estimator": "Classifier",
    },
    "privacy": {"generator": "Generator", "estimator": "Attack", "regime": "Audit or control", "task": "Changed"},
    "combination": {"n_real": "Real per condition", "generator": "Generator", "regime": "Arm"},
    "held_out_level": {"level": "Hidden at", "generator": "Generator", "regime": "Labels"},
    "camda": {"generator": "Generator"},
    "lacan": {"estimator": "Space", "generator": "Generator"},
    "interventions": {"generator": "Operator", "estimator": "Graph", "level": "Level"},
}  # fmt: skip


def key_cell(value: object) -> Cell:
    """A key; numbers of profiles as whole numbers, -1 as "all"."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return Cell("", "")
    if isinstance(value, int | float | np.number):
        return Cell("all" if value == -1 else f"{int(value)}", float(value) if value >= 0 else 1e9)
    return Cell(str(value).replace("_", " ") if " " not in str(value) else str(value), str(value))


def value_cell(row: pd.Series | None) -> Cell:
    """A mean with its interval."""
    if row is None or not np.isfinite(row["value"]):
        return Cell("", -1e9)
    value = float(row["value"])
    digits = 2 if abs(value) < 10 else 1
    text = number(value, digits) + between(float(row["ci_low"]), float(row["ci_high"]), lambda v: number(v, digits))
    return Cell(text, value)


def summary_table(evaluation: str, summary: pd.DataFrame, *, title: str = "", note: str = "") -> Table:
    """Wide table of an evaluation's summary; columns without a value are left out."""
    keys = {k: h for k, h in KEYS[evaluation].items() if summary[k].notna().any()}
    metrics = {m: h for m, h in COLUMNS[evaluation].items() if (summary["metric"] == m).any()}
    if evaluation == "fidelity":
        names = sorted(m for m in summary["metric"].unique() if COVARIATE.fullmatch(m))
        metrics |= {m: f"{COVARIATE.fullmatch(m)[1]} effect" for m in names}
    position = {g: i for i, g in enumerate(order_of(list(summary["generator"].dropna())))}
    wide: dict[tuple, dict[str, pd.Series]] = {}
    for _, row in summary[summary["metric"].isin(metrics)].iterrows():
        wide.setdefault(tuple(None if pd.isna(row[k]) else row[k] for k in keys), {})[row["metric"]] = row

    def rank(item: tuple) -> tuple:
        values = dict(zip(keys, item, strict=True))
        return tuple(
            (position.get(values[k], 0), "") if k == "generator" else (0, "") if values[k] is None
            else (values[k], "") if isinstance(values[k], int | float) else (0, str(values[k]))
            for k in keys
        )  # fmt: skip

    rows = [[*map(key_cell, key), *(value_cell(wide[key].get(m)) for m in metrics)] for key in sorted(wide, key=rank)]
    return Table(title, note, [*keys.values(), *metrics.values()], rows)


def plain_table(table: pd.DataFrame, title: str, note: str = "") -> Table:
    """A data frame as it is."""

    def cell(value: object) -> Cell:
        if isinstance(value, int | float | np.number) and not isinstance(value, bool):
            return Cell(f"{value:,.0f}" if float(value).is_integer() else number(float(value)), float(value))
        return Cell(str(value), str(value))

    return Table(title, note, list(table.columns), [[cell(v) for v in row] for row in table.itertuples(index=False)])
