"""What attacks by distance, and attribute inference, share."""

from __future__ import annotations

import numpy as np

from ....metrics.neighbours import distance_blocks


def nearest_row(query: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Number (n,) of the row nearest to each query; the first of several."""
    found = np.empty(len(query), dtype=np.int64)
    for part, distances in distance_blocks(query, rows):
        found[part] = distances.argmin(1)
    return found
