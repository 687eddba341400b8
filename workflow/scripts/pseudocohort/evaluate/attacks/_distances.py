"""Attacks by distance to the synthetic cohort.

Scores stay distances or logarithms of distances: exp(-d^2), as packaged elsewhere, is exactly 0 for half of all
expression profiles.
"""

from __future__ import annotations

import numpy as np

from ..neighbours import distance_blocks

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
