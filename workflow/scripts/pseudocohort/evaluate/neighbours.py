"""Exact nearest-neighbour distances, block by block.

Squared distances come from one matrix product per block, in float64 and around the reference's mean. Where the
product cancels (rows that nearly agree) they are computed again from the differences, so that copies are at distance 0
and no pair is off by more than about 1e-10 of its distance.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..errors import UserError

#: Distances held at a time (64 MiB in float64).
BLOCK = 8 * 1024**2
#: Below this share of the rows' squared norms a squared distance is computed from the differences.
CANCELS = 1e-4
#: Two distances that differ by less than this share are equal: rounding must not decide who is nearer.
TIE = 1e-9


def distance_blocks(a: np.ndarray, b: np.ndarray, *, exclude_self: bool = False) -> Iterator[tuple[slice, np.ndarray]]:
    """Euclidean distances between rows of `a` (n × genes) and of `b` (m × genes), in blocks of rows of `a`.

    Parameters
    ----------
    exclude_self : bool
        `a` and `b` are the same rows: the distance of a row to itself is infinite (that to its duplicates stays 0).

    Yields
    ------
    rows : slice
        Rows of `a`.
    distances : ndarray (rows, m), float64
    """
    right = np.array(b, dtype=np.float64)
    centre = right.mean(0)
    right -= centre
    right_norm = np.einsum("ij,ij->i", right, right)
    step = max(1, BLOCK // max(len(b), a.shape[1]))
    for start in range(0, len(a), step):
        left = np.asarray(a[start : start + step], dtype=np.float64) - centre
        norms = np.einsum("ij,ij->i", left, left)[:, None] + right_norm[None]
        squared = norms - 2 * (left @ right.T)
        i, j = np.nonzero(squared < CANCELS * norms)
        pairs = max(1, BLOCK // a.shape[1])
        for k in range(0, len(i), pairs):
            part = slice(k, k + pairs)
            difference = left[i[part]] - right[j[part]]
            squared[i[part], j[part]] = np.einsum("ij,ij->i", difference, difference)
        if exclude_self:
            squared[np.arange(len(left)), np.arange(start, start + len(left))] = np.inf
        yield slice(start, start + len(left)), np.sqrt(np.maximum(squared, 0, out=squared), out=squared)


def nearest(query: np.ndarray, reference: np.ndarray, k: int = 1, *, exclude_self: bool = False) -> np.ndarray:
    """Distances (n × k, ascending) of each row of `query` to its `k` nearest rows of `reference`.

    Raises
    ------
    UserError
        If the reference has fewer than `k` rows (besides the row itself).
    """
    available = len(reference) - int(exclude_self)
    if not 1 <= k <= available:
        raise UserError(f"{k} nearest neighbours asked of {available} rows", remedy="lower the number of neighbours")
    out = np.empty((len(query), k))
    for rows, distances in distance_blocks(query, reference, exclude_self=exclude_self):
        out[rows] = np.sort(np.partition(distances, k - 1, axis=1)[:, :k], axis=1)
    return out


def closer(d: np.ndarray, than: np.ndarray) -> np.ndarray:
    """Whether each distance `d` is smaller than `than`, equal up to rounding counting as no."""
    return d < than * (1 - TIE)
