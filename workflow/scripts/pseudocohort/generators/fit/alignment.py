"""Alignment of cell-level profiles to tissue before a generator learns from both.

Levels are standardised each on its own scale as a rule (:class:`scale.Scaler`), which already takes out every
gene's offset and spread between them. What is here goes further, or less far, and exists to be compared with that: only
cell-level rows move, tissue rows stay as they are. Nothing matches the levels' marginals: their conditions are not the
same, and a marginal match would move types onto others.
"""

from __future__ import annotations

import anndata as ad
import numpy as np

from ...core.errors import UserError
from ...core.groups import donor_weights, rows_by_key
from ...core.levels import CELL_LEVELS
from ..space.means import fit_class_means
from ..space.residuals import residuals_of

#: Alignments of standardised profiles, and those that replace the scale of each level by a common one.
STANDARDISED = ("coral", "moments", "mnn")
COMMON_SCALE = ("unscaled", "offset")
ALIGNMENTS = (*STANDARDISED, *COMMON_SCALE)
#: Principal components, contrastive components removed and neighbours either way (Warren et al. 2021, Methods).
COMPONENTS, CONTRASTIVE, NEIGHBOURS = 70, 4, (5, 50)
#: Degrees of freedom that the mean gene's variance lends to each gene's own.
PRIOR_ROWS = 10.0


def align(profiles: ad.AnnData, method: str) -> np.ndarray:
    """Standardised profiles (n × genes) with the cell-level rows moved.

    Parameters
    ----------
    profiles : AnnData
        Standardised training profiles; an empty condition means unlabelled.
    method : {'coral', 'moments', 'mnn'}
        ``moments``: residuals around each condition's mean get the tissue's within-condition spread, gene by gene.
        ``coral``: they get its within-condition covariance (Sun, Feng & Saenko 2016, Algorithm 1, on residuals).
        ``mnn``: contrastive components removed, then corrected by mutual nearest neighbours (Celligner, Warren et al.
        2021, Nature Communications 12:22; Haghverdi et al. 2018, Nature Biotechnology 36:421).

    Raises
    ------
    UserError
        If the method is unknown or a level is missing.
    """
    x = np.asarray(profiles.X, dtype=np.float64)
    cells = profiles.obs["level"].isin(CELL_LEVELS).to_numpy()
    if method not in STANDARDISED:
        raise UserError(f"unknown alignment {method!r}", remedy=f"one of: {', '.join(ALIGNMENTS)}")
    if cells.all() or not cells.any():
        raise UserError("alignment needs profiles of both levels", where="training set", remedy="check its levels")
    moved = _mnn(x, cells) if method == "mnn" else _within(profiles, x, method)
    return moved.astype(np.float32)


def add_technology_offset(profiles: ad.AnnData) -> np.ndarray:
    """Profiles (n × genes, log2 units) with pseudo-bulks moved by each gene's mean difference to bulk of the same line.

    Raises
    ------
    UserError
        If no line was measured both ways.
    """
    x = np.asarray(profiles.X, dtype=np.float64)
    level, donor = (profiles.obs[c].astype(str).to_numpy() for c in ("level", "donor"))
    pseudo, bulk = level == "pseudobulk", level == "line_bulk"
    both = np.intersect1d(donor[pseudo], donor[bulk])
    if not len(both):
        raise UserError(
            "no cell line is there both as pseudo-bulk and in bulk",
            where="combination.variants: offset",
            remedy="add a dataset with bulk profiles of the same lines, or leave the variant out",
        )
    offset = np.mean([x[bulk & (donor == d)].mean(0) - x[pseudo & (donor == d)].mean(0) for d in both], axis=0)
    return np.where(pseudo[:, None], x + offset, x).astype(np.float32)


def _within(profiles: ad.AnnData, x: np.ndarray, method: str) -> np.ndarray:
    """Residuals of cell-level rows around their condition's mean, given the spread or covariance of tissue."""
    weight, groups = donor_weights(profiles.obs), rows_by_key(profiles.obs)
    residuals, at, weights, _ = residuals_of(profiles, fit_class_means(profiles))
    source = np.isin(at, CELL_LEVELS)
    if source.all() or not source.any():  # one profile per condition at a level: it has no spread to match
        return x
    out = x.copy()
    for (_, of), rows in groups.items():
        if of in CELL_LEVELS:
            mean = np.average(x[rows], axis=0, weights=weight[rows])
            out[rows] = mean + _recoloured(x[rows] - mean, residuals, weights, source, method)
    return out


def _recoloured(z: np.ndarray, residuals: np.ndarray, weights: np.ndarray, source: np.ndarray, method: str):
    """Rows `z` of the source's distribution of residuals, moved to the target's."""
    if method == "moments":
        ours, theirs = (_moderated_sd(residuals[m], weights[m]) for m in (source, ~source))
        return z * theirs / ours
    for mine, power in ((source, -0.5), (~source, 0.5)):
        scaled = residuals[mine] * np.sqrt(weights[mine] / weights[mine].sum())[:, None]
        _, values, vectors = np.linalg.svd(scaled, full_matrices=False)
        z = z + ((z @ vectors.T) * ((1 + values**2) ** power - 1)) @ vectors  # z (I + C)^power
    return z


def _moderated_sd(residuals: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Standard deviation of each gene, its variance moderated by the mean gene's."""
    variance, n = np.average(residuals**2, axis=0, weights=weights), weights.sum()
    return np.sqrt((n * variance + PRIOR_ROWS * variance.mean()) / (n + PRIOR_ROWS))


def _mnn(x: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Contrastive components of tissue against lines removed from lines; the rest corrected by mutual neighbours."""
    centre = x.mean(0)
    basis = np.linalg.svd(x - centre, full_matrices=False)[2][: min(COMPONENTS, len(x) - 1)]
    z = (x - centre) @ basis.T
    covariance = [np.cov(z[part], rowvar=False) for part in (~cells, cells)]
    contrast = np.linalg.eigh(np.atleast_2d(covariance[0] - covariance[1]))[1][:, ::-1][:, :CONTRASTIVE]
    shared = z - (z @ contrast) @ contrast.T
    source, target = shared[cells], shared[~cells]
    distance = np.sqrt(np.maximum(((source[:, None] - target[None]) ** 2).sum(2), 0))
    few, many = (min(k, n) for k, n in zip(NEIGHBOURS, distance.shape[::-1], strict=True))
    nearest_target = distance <= np.partition(distance, few - 1, axis=1)[:, few - 1 : few]
    nearest_source = distance <= np.partition(distance, many - 1, axis=0)[many - 1 : many]
    i, j = np.nonzero(nearest_target & nearest_source)
    correction = np.zeros_like(source)
    if len(i):
        between = ((source[:, None] - source[i][None]) ** 2).sum(2)
        kernel = np.exp(-between / np.median(between[between > 0]) if (between > 0).any() else -between)
        correction = kernel @ (target[j] - source[i]) / kernel.sum(1, keepdims=True)
    out = x.copy()
    out[cells] += (source + correction - z[cells]) @ basis
    return out
