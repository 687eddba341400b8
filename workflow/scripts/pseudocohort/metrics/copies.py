"""Copies of training donors in a cohort: rows next to one donor's profile and far from all others'."""

from __future__ import annotations

import numpy as np

from .neighbours import distance_blocks

#: A row is a near copy if the nearest donor is nearer than this share of the distance to the second nearest donor. With
#: hundreds of genes all donors are about equally far: of real profiles of other donors, none comes near it.
RATIO = 0.5
#: A row is an exact copy if the distance to a donor is at most this share of the donor's distance to other donors.
EXACT = 1e-3


def copied_donors(synthetic: np.ndarray, train: np.ndarray, donors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which rows of a cohort copy a training donor.

    Parameters
    ----------
    synthetic, train : ndarray (rows × genes)
        Expression on one scale; genes are divided by their standard deviation in `train`, flat genes left out.
    donors : ndarray (train rows,)
        Donor of each training row: several profiles of a donor are no evidence against a copy of one.

    Returns
    -------
    exact, near : ndarray of bool (synthetic rows,)
        A row is never both.
    """
    train, synthetic = np.asarray(train, np.float64), np.asarray(synthetic, np.float64)
    sd = train.std(0)
    kept = sd > 0
    names, number = np.unique(np.asarray(donors, dtype=str), return_inverse=True)
    exact, near = np.zeros((2, len(synthetic)), dtype=bool)
    if len(names) < 3 or not kept.any():
        # Without a second nearest donor only identity can be told.
        for part, distances in distance_blocks(synthetic, train):
            exact[part] = distances.min(1) <= EXACT * max(float(np.linalg.norm(sd)), 1e-12)
        return exact, near
    for part, distances in distance_blocks(synthetic[:, kept] / sd[kept], train[:, kept] / sd[kept]):
        nearest = np.full((len(distances), len(names)), np.inf)
        np.minimum.at(nearest.T, number, distances.T)
        first, second = np.partition(nearest, 1, axis=1)[:, :2].T
        exact[part] = first <= EXACT * second
        near[part] = ~exact[part] & (first < RATIO * second)
    return exact, near
