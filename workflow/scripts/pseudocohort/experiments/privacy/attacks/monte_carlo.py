"""Attack by the number of synthetic rows within a radius."""

from __future__ import annotations

import numpy as np

from ....metrics.neighbours import nearest, within
from ._base import Attack
from ._space import AttackSpace


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


ATTACK = Attack(
    name="monte_carlo",
    summary="Do unusually many synthetic profiles lie around the donor?",
    source="Hilprecht et al. 2019, PoPETs 2019(4):232",
    score=monte_carlo,
)
