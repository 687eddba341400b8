"""Attack by the principal subspaces of both cohorts."""

from __future__ import annotations

import numpy as np

from ._base import Attack
from ._gaussian import principal_axes
from ._space import AttackSpace
from ._subspaces import LEAST_SD, MOST_SHARE, residual_norm

#: Principal components at most.
COMPONENTS = 100


def pca_residual(space: AttackSpace, *, seed: int) -> np.ndarray:
    """Distance to the principal subspace of the reference less that to the one of the synthetic cohort.

    Attack of this project (no publication): a likelihood ratio of two probabilistic PCAs (Tipping & Bishop 1999, J. R.
    Stat. Soc. B 61:611) that keeps only what neither subspace explains. Both subspaces have 100 dimensions, or three
    quarters of the rows or genes of the smaller cohort if that is less. Genes are on the synthetic cohort's scale:
    noise that a generator adds to flat genes would otherwise fill its subspace.
    """
    fewest = min(len(space.reference), len(space.synthetic), space.candidates.shape[1])
    rank = max(1, min(COMPONENTS, int(MOST_SHARE * fewest)))
    sd = np.maximum(space.synthetic.std(0), LEAST_SD)
    residuals = []
    for rows in (space.reference / sd, space.synthetic / sd):
        mean = rows.mean(0)
        residuals.append(residual_norm(space.candidates / sd, mean, principal_axes(rows - mean)[1][:rank]))
    return residuals[0] - residuals[1]


ATTACK = Attack(
    name="pca_residual",
    summary="Do principal components of the synthetic profiles fit the donor better than those of real ones?",
    source="this project, after Tipping & Bishop 1999, J. R. Stat. Soc. B 61:611",
    default=True,
    required=True,
    score=pca_residual,
)
