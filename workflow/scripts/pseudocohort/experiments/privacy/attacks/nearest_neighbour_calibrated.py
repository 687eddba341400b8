"""Attack by the distance to the nearest synthetic row, held against that to the nearest real one."""

from __future__ import annotations

import numpy as np

from ....metrics.neighbours import nearest
from ._base import Attack
from ._space import AttackSpace

#: Distances count as at least this (standard deviations) in logarithms, so that copies have a finite score.
LEAST_DISTANCE = 1e-6


def nearest_neighbour_calibrated(space: AttackSpace, *, seed: int) -> np.ndarray:
    """Log ratio of the distances to the nearest reference and the nearest synthetic row.

    The calibration of Chen et al. 2020 (CCS) with reference rows in place of a reference generator.
    """
    to_reference, to_synthetic = (nearest(space.candidates, x)[:, 0] for x in (space.reference, space.synthetic))
    return np.log(np.maximum(to_reference, LEAST_DISTANCE)) - np.log(np.maximum(to_synthetic, LEAST_DISTANCE))


ATTACK = Attack(
    name="nearest_neighbour_calibrated",
    summary="Is the donor nearer to a synthetic profile than to a real one of other donors?",
    source="Chen et al. 2020, CCS",
    score=nearest_neighbour_calibrated,
)
