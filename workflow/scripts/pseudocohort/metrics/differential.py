"""Recovery of differential expression: does the synthetic cohort name the same genes?"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from scipy import stats

#: False discovery rate at which a gene is called.
FDR = 0.05
#: Profiles that a class needs on both sides of its contrast.
MIN_PROFILES = 4


def contrast(x: np.ndarray, of_class: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log2 fold change of a class against the rest, and Welch's p-value, by gene."""
    inside, rest = x[of_class].astype(np.float64), x[~of_class].astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        # Of a gene that is the same in all profiles of a class.
        warnings.filterwarnings("ignore", message="Precision loss occurred", category=RuntimeWarning)
        p = stats.ttest_ind(inside, rest, equal_var=False).pvalue
    return inside.mean(0) - rest.mean(0), np.where(np.isnan(p), 1.0, p)


def contrasted(one: np.ndarray, other: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Which rows of two sets with classes (n,), (m,) are of a class, for each class with enough rows on all sides."""
    for name in np.intersect1d(one, other):
        parts = one == name, other == name
        if min(size for part in parts for size in (part.sum(), (~part).sum())) >= MIN_PROFILES:
            yield parts


def averaged(found: list[dict[str, float]]) -> dict[str, float]:
    """Mean of each value over the results that have it."""
    names = dict.fromkeys(name for values in found for name in values)
    return {name: float(np.nanmean([values[name] for values in found if name in values])) for name in names}


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
    found = []
    for in_real, in_synthetic in contrasted(real_class, synthetic_class):
        change, p = contrast(real, in_real)
        other_change, other_p = contrast(synthetic, in_synthetic)
        called = stats.false_discovery_control(p) < FDR
        other_called = stats.false_discovery_control(other_p) < FDR
        quiet = p > 0.5
        values = {"de_logfc_r": float(np.corrcoef(change, other_change)[0, 1])}
        if called.any():
            values["de_sign_agreement"] = float((np.sign(change) == np.sign(other_change))[called].mean())
            values["de_tpr"] = float(other_called[called].mean())
        if quiet.any():
            values["de_fpr"] = float(other_called[quiet].mean())
        found.append(values)
    return averaged(found)
