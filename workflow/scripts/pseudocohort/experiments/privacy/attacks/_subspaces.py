"""Attacks by the subspace that synthetic rows span: a linear generator of few profiles never leaves it."""

from __future__ import annotations

import numpy as np

#: Singular values below this share of the largest are rounding, not a direction of the cohort.
RANK_TOLERANCE = 1e-6
#: Principal components at most, as a share of the rows: beyond it the residual overfits its cohort.
MOST_SHARE = 0.75
#: Least standard deviation of a gene in the synthetic cohort (reference standard deviations) that it is divided by.
LEAST_SD = 0.1


def span_axes(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (genes,) and orthonormal axes (rank × genes) of the affine span of `rows`."""
    mean = rows.mean(0)
    _, values, axes = np.linalg.svd(rows - mean, full_matrices=False)
    return mean, axes[values > RANK_TOLERANCE * max(values[0], 1e-300)]


def residual_norm(x: np.ndarray, mean: np.ndarray | float, axes: np.ndarray) -> np.ndarray:
    """Distance (n,) of rows `x` to the affine subspace; exactly 0 where that is the whole space."""
    if len(axes) == x.shape[1]:
        return np.zeros(len(x))
    centred = x - mean
    return np.linalg.norm(centred - (centred @ axes.T) @ axes, axis=1)
