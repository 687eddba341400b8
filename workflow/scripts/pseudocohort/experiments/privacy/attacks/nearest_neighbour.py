"""Attack by the distance to the nearest synthetic row."""

from __future__ import annotations

import numpy as np

from ....metrics.neighbours import nearest
from ._base import Attack
from ._space import AttackSpace


def nearest_neighbour(space: AttackSpace, *, seed: int) -> np.ndarray:
    """Minus the distance to the nearest synthetic row (full black-box GAN-Leaks; Chen et al. 2020, CCS).

    Returns
    -------
    ndarray (n_candidates,)
        Higher means member.
    """
    return -nearest(space.candidates, space.synthetic)[:, 0]


ATTACK = Attack(
    name="nearest_neighbour",
    summary="Is the donor unusually near to some synthetic profile?",
    source="Chen et al. 2020, CCS (GAN-Leaks, full black-box)",
    default=True,
    required=True,
    needs=("release",),
    score=nearest_neighbour,
)
