"""Recovery of differential expression: does the synthetic cohort name the same genes?"""

from __future__ import annotations

import warnings

import numpy as np
from scipy import stats

#: False discovery rate at which a gene is called.
FDR = 0.05
#: Profiles that a class needs on both sides of its contrast.
FEWEST = 4


def contrast(x: np.ndarray, of_class: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log2 fold change of a class against the rest, and Welch's p-value, by gene."""
    inside, rest = x[of_class].astype(np.float64), x[~of_class].astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        # Of a gene that is the same in all profiles of a class.
        warnings.filterwarnings("ignore", message="Precision loss occurred", category=RuntimeWarning)
        p = stats.ttest_ind(inside, rest, equal_var=False).pvalue
    return inside.mean(0) - rest.mean(0), np.where(np.isnan(p), 1.0, p)


def differential_recovery(
    real: np.ndarray, synthetic: np.ndarray, real_class: np.ndarray, synthetic_class: np.ndarray
) -> dict[str, float]:
    """Agreement of every class's contrast against the rest, averaged over classes.

    * de_logfc_r: correlation of fold changes over genes
    * de_sign_agreement: share of the really differential genes (FDR 5 %) whose synthetic fold change has the right sign
    * de_tpr, de_fpr: share of the really differential genes, and of genes with real p > .5, that are called in the
      synthetic cohort

    Both sets should be of one size, as power depends on it. Empty if fewer than two classes have four profiles.
    """
    found: dict[str, list[float]] = {}
    for name in np.intersect1d(np.unique(real_class), np.unique(synthetic_class)):
        sides = [(c == name).sum() for c in (real_class, synthetic_class)]
        rests = [(c != name).sum() for c in (real_class, synthetic_class)]
        if min(sides + rests) < FEWEST:
            continue
        change, p = contrast(real, real_class == name)
        other_change, other_p = contrast(synthetic, synthetic_class == name)
        called = stats.false_discovery_control(p) < FDR
        other_called = stats.false_discovery_control(other_p) < FDR
        quiet = p > 0.5
        values = {"de_logfc_r": float(np.corrcoef(change, other_change)[0, 1])}
        if called.any():
            values["de_sign_agreement"] = float((np.sign(change) == np.sign(other_change))[called].mean())
            values["de_tpr"] = float(other_called[called].mean())
        if quiet.any():
            values["de_fpr"] = float(other_called[quiet].mean())
        for key, value in values.items():
            found.setdefault(key, []).append(value)
    return {key: float(np.nanmean(values)) for key, values in found.items()}
