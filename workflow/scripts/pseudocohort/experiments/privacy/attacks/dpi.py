"""Attack by the share of synthetic rows among the nearest neighbours."""

from __future__ import annotations

import numpy as np

from ....metrics.neighbours import distance_blocks
from ._base import Attack
from ._space import AttackSpace

#: Neighbours counted; among many, one copy more or less does not show.
NEIGHBOURS = 5


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


ATTACK = Attack(
    name="dpi",
    summary="Are the donor's neighbours synthetic rather than real profiles of other donors?",
    source="Ward et al. 2024 (data plagiarism index)",
    score=dpi,
)
