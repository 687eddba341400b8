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

#: Genes whose products are summed at once.
AT_A_TIME = 2_000


def median_correlation(x: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Median Pearson correlation of each profile (n × genes) with the others of its group; NaN when alone."""
    out = np.full(len(x), np.nan)
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        if len(rows) < 3:
            continue
        correlation = _correlations(x, rows)
        np.fill_diagonal(correlation, np.nan)
        some = ~np.isnan(correlation).all(axis=1)  # constant profiles correlate with nothing
        out[rows[some]] = np.nanmedian(correlation[some], axis=1)
    return out


def _correlations(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Pearson correlation of some rows with each other, float64, some genes at a time."""
    mean = np.array([x[row].mean(dtype=np.float64) for row in rows])[:, None]
    products = np.zeros((len(rows), len(rows)))
    for start in range(0, x.shape[1], AT_A_TIME):
        part = x[rows, start : start + AT_A_TIME] - mean
        products += part @ part.T
    norm = np.sqrt(products.diagonal())
    with np.errstate(invalid="ignore", divide="ignore"):  # a constant row correlates with nothing: NaN
        return np.clip(products / norm[:, None] / norm, -1, 1)


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


def judge_samples(samples: ad.AnnData, settings: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Which samples have enough detected genes, which stand out, and a report; uses `samples` up.

    A sample whose median correlation with its condition lies more than ``max_correlation_outlier_mads`` median absolute
    deviations (scaled to the normal's sd) below that of its condition is flagged, not removed: it may be a rare
    subtype. Labels, repeated samples and sex are looked at (:mod:`.sanity`), and reported only.

    Parameters
    ----------
    samples : AnnData
        Samples on the source's unit, in memory. Their values are overwritten: a second matrix of full size would be
        more than many machines have.
    settings : dict
        ``min_detected_genes``, ``max_correlation_outlier_mads``.

    Returns
    -------
    keep, outlier : ndarray of bool (n,)
    report : dict

    Raises
    ------
    UserError
        If no sample passes.
    """
    own = isinstance(samples.X, np.ndarray) and samples.X.dtype == np.float32
    expression = log2_expression(samples, out=samples.X if own else None)
    floor = expression.min()
    detected = np.array([np.count_nonzero(row > floor + 1e-6) for row in expression])
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
    report |= sanity(expression if keep.all() else expression[keep], samples.obs[keep], samples.var_names)
    if report["labels"]["disagree"]:
        log.warning(
            "%d of %d samples are closer to another condition than to their own, %d of them clearly",
            report["labels"]["disagree"], report["labels"]["checked"], report["labels"]["clear"],
        )  # fmt: skip
    for kind, found in (("identical", report["repeated"]["identical"]), ("of the other sex", report["sex"]["samples"])):
        if found:
            log.warning("%d samples or groups of samples look %s", len(found), kind)
    return keep, outlier, report
