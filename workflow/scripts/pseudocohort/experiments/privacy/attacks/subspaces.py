"""Attacks by the subspace that synthetic rows span: a linear generator of few profiles never leaves it."""

from __future__ import annotations

import numpy as np

from .gaussian import principal_axes
from .space import AttackSpace, CannotRun

#: Singular values below this share of the largest are rounding, not a direction of the cohort.
RANK_TOLERANCE = 1e-6
#: Principal components at most; and at most this share of the rows, beyond which the residual overfits its cohort.
COMPONENTS, MOST_SHARE = 100, 0.75
#: Least standard deviation of a gene in the synthetic cohort (reference standard deviations) that it is divided by.
LEAST_SD = 0.1


def span_axes(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (genes,) and orthonormal axes (rank × genes) of the affine span of `rows`."""
    mean = rows.mean(0)
    _, values, axes = np.linalg.svd(rows - mean, full_matrices=False)
    return mean, axes[values > RANK_TOLERANCE * max(values[0], 1e-300)]


def residual_norm(x: np.ndarray, mean: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Distance (n,) of rows `x` to the affine subspace; exactly 0 where that is the whole space."""
    if len(axes) == x.shape[1]:
        return np.zeros(len(x))
    centred = x - mean
    return np.linalg.norm(centred - (centred @ axes.T) @ axes, axis=1)


def span_residual(space: AttackSpace, *, seed: int) -> np.ndarray:
    """Minus the distance to the affine span of the synthetic rows of the candidate's condition.

    Attack of this project (no publication): samples of N(mean, sample covariance) of a class with fewer members than
    genes lie in the affine span of the members; as many samples as members span it whole. Candidates of a condition
    with fewer than two synthetic rows are held against the span of all rows.

    Raises
    ------
    CannotRun
        If the span is the whole space for every candidate: with more rows than genes, of a generator of full rank.
    """
    scores = np.empty(len(space.candidates))
    whole = True
    for condition in np.unique(space.candidate_condition):
        mine = space.candidate_condition == condition
        rows = space.synthetic[space.synthetic_condition == condition]
        mean, axes = span_axes(rows if len(rows) > 1 else space.synthetic)
        whole &= len(axes) == space.candidates.shape[1]
        scores[mine] = -residual_norm(space.candidates[mine], mean, axes)
    if whole:
        raise CannotRun("the synthetic rows span the whole space")
    return scores


def pca_residual(space: AttackSpace, *, seed: int) -> np.ndarray:
    """Distance to the principal subspace of the reference less that to the one of the synthetic cohort.

    Attack of this project (no publication): a likelihood ratio of two probabilistic PCAs (Tipping & Bishop 1999, J. R.
    Stat. Soc. B 61:611) that keeps only what neither subspace explains. Both subspaces have 100 dimensions, or three
    quarters of the rows or genes of the smaller cohort if that is less. Genes are on the synthetic cohort's scale:
    noise that a generator adds to flat genes would otherwise fill its subspace.
    """
    fewest = min(len(space.reference), len(space.synthetic), space.candidates.shape[1])
    rank = max(1, min(COMPONENTS, int(MOST_SHARE * fewest)))
    sd = np.maximum(space.synthetic.std(0), LEAST_SD)
    residuals = []
    for rows in (space.reference / sd, space.synthetic / sd):
        mean = rows.mean(0)
        residuals.append(residual_norm(space.candidates / sd, mean, principal_axes(rows - mean)[1][:rank]))
    return residuals[0] - residuals[1]
