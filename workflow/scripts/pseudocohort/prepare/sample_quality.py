"""Which bulk samples are usable, and which stand out."""

from __future__ import annotations

import logging
from typing import Any

import anndata as ad
import numpy as np

from ..core.errors import UserError
from .log_scale import log2_expression
from .sanity import sanity

log = logging.getLogger(__name__)


def median_correlation(x: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Median Pearson correlation of each profile (n × genes) with the others of its group; NaN when alone."""
    out = np.full(len(x), np.nan)
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        if len(rows) < 3:
            continue
        correlation = np.corrcoef(np.asarray(x[rows], dtype=np.float64))
        np.fill_diagonal(correlation, np.nan)
        out[rows] = np.nanmedian(correlation, axis=1)
    return out


def stands_out(correlation: np.ndarray, groups: np.ndarray, mads: float) -> np.ndarray:
    """Which values lie more than `mads` scaled median absolute deviations below the median of their group."""
    out = np.zeros(len(correlation), dtype=bool)
    for group in np.unique(groups):
        rows = np.flatnonzero((groups == group) & np.isfinite(correlation))
        if len(rows):
            centre = np.median(correlation[rows])
            spread = 1.4826 * np.median(np.abs(correlation[rows] - centre))
            out[rows] = correlation[rows] < centre - mads * spread
    return out


def filter_samples(samples: ad.AnnData, settings: dict[str, Any]) -> tuple[ad.AnnData, dict[str, Any]]:
    """Samples with enough detected genes, outliers flagged in ``obs["outlier"]``, and a report.

    A sample whose median correlation with its condition lies more than ``max_correlation_outlier_mads`` median absolute
    deviations (scaled to the normal's sd) below that of its condition is flagged, not removed: it may be a rare
    subtype. Labels, repeated samples and sex are looked at (:mod:`.sanity`), and reported only.

    Parameters
    ----------
    samples : AnnData
        Samples on the source's unit.
    settings : dict
        ``min_detected_genes``, ``max_correlation_outlier_mads``.

    Raises
    ------
    UserError
        If no sample passes.
    """
    expression = log2_expression(samples)
    floor = expression.min()
    detected = (expression > floor + 1e-6).sum(1)
    keep = detected >= min(settings["min_detected_genes"], 0.5 * samples.n_vars)
    if not keep.any():
        raise UserError(
            f"no sample of {samples.n_obs} has {settings['min_detected_genes']} detected genes (median "
            f"{np.median(detected):.0f})",
            where=f"dataset {samples.uns['pseudocohort']['dataset']!r}, prepare.sample_quality.min_detected_genes",
            remedy="lower the threshold, or check the matrix",
        )
    groups = (samples.obs["condition"].astype(str) + "|" + samples.obs["level"].astype(str)).to_numpy()
    correlation = median_correlation(expression, groups)
    outlier = stands_out(correlation, groups, settings["max_correlation_outlier_mads"])
    known = correlation[np.isfinite(correlation)]
    report = {
        "samples": samples.n_obs,
        "kept": int(keep.sum()),
        "removed": samples.obs_names[~keep].tolist(),
        "median_detected_genes": float(np.median(detected)),
        "median_correlation": float(np.median(known)) if len(known) else None,
        "outliers": samples.obs_names[outlier & keep].tolist(),
    }
    if report["outliers"]:
        log.warning("%d samples correlate poorly with their condition and are flagged", len(report["outliers"]))
    report |= sanity(expression[keep], samples.obs[keep], samples.var_names)
    if report["labels"]["disagree"]:
        log.warning(
            "%d of %d samples are closer to another condition than to their own, %d of them clearly",
            report["labels"]["disagree"], report["labels"]["checked"], report["labels"]["clear"],
        )  # fmt: skip
    for kind, found in (("identical", report["repeated"]["identical"]), ("of the other sex", report["sex"]["samples"])):
        if found:
            log.warning("%d samples or groups of samples look %s", len(found), kind)
    kept = samples if keep.all() else samples[keep].copy()
    kept.obs["outlier"] = outlier[keep]
    return kept, report
