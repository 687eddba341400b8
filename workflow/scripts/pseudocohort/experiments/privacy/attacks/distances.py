"""Attacks by distance to the synthetic cohort.

Scores stay distances or logarithms of distances: exp(-d^2), as packaged elsewhere, is exactly 0 for half of all
expression profiles.
"""

from __future__ import annotations

import numpy as np

from ....metrics.neighbours import distance_blocks, nearest, within
from .space import AttackSpace

#: Neighbours counted by the data plagiarism index; among many, one copy more or less does not show.
NEIGHBOURS = 5
#: Distances count as at least this (standard deviations) in logarithms, so that copies have a finite score.
LEAST_DISTANCE = 1e-6


def nearest_row(query: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Number (n,) of the row nearest to each query; the first of several."""
    found = np.empty(len(query), dtype=np.int64)
    for part, distances in distance_blocks(query, rows):
        found[part] = distances.argmin(1)
    return found


def nearest_neighbour(space: AttackSpace, *, seed: int) -> np.ndarray:
    """Minus the distance to the nearest synthetic row (full black-box GAN-Leaks; Chen et al. 2020, CCS).

    Returns
    -------
    ndarray (n_candidates,)
        Higher means member.
    """
    return -nearest(space.candidates, space.synthetic)[:, 0]


def nearest_neighbour_calibrated(space: AttackSpace, *, seed: int) -> np.ndarray:
    """Log ratio of the distances to the nearest reference and the nearest synthetic row.

    The calibration of Chen et al. 2020 (CCS) with reference rows in place of a reference generator.
    """
    to_reference, to_synthetic = (nearest(space.candidates, x)[:, 0] for x in (space.reference, space.synthetic))
    return np.log(np.maximum(to_reference, LEAST_DISTANCE)) - np.log(np.maximum(to_synthetic, LEAST_DISTANCE))


def monte_carlo(space: AttackSpace, *, seed: int) -> np.ndarray:
    """Share of synthetic rows within a radius (Hilprecht et al. 2019, PoPETs 2019(4):232).

    The radius is the median distance of reference rows to their nearest synthetic row. Taken from the candidates, as
    published, it would depend on who else is a candidate.
    """
    radius = np.median(nearest(space.reference, space.synthetic)[:, 0])
    share = np.empty(len(space.candidates))
    for rows, (near,) in within(space.candidates, space.synthetic, np.array([[radius]])):
        share[rows] = near.mean(1)
    return share


def dpi(space: AttackSpace, *, seed: int) -> np.ndarray:
    """Data plagiarism index: synthetic against reference rows among the nearest neighbours (Ward et al. 2024).

    The log ratio of the shares of the synthetic and of the reference cohort, half a row added to each count: sizes may
    differ, and no count of 0 is infinite.
    """
    n_synthetic, n_reference = len(space.synthetic), len(space.reference)
    k = min(NEIGHBOURS, n_synthetic, n_reference)
    pooled = np.concatenate([space.synthetic, space.reference])
    counted = np.empty(len(space.candidates))
    for rows, distances in distance_blocks(space.candidates, pooled):
        # Of tied rows the synthetic ones come first.
        limit = np.partition(distances, k - 1, axis=1)[:, [k - 1]]
        below, made = distances < limit, distances[:, :n_synthetic]
        tied = np.minimum((made == limit).sum(1), k - below.sum(1))
        counted[rows] = below[:, :n_synthetic].sum(1) + tied
    return np.log((counted + 0.5) / n_synthetic) - np.log((k - counted + 0.5) / n_reference)
