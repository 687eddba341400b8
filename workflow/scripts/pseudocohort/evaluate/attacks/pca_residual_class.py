"""Attack by the principal subspaces of both cohorts around the means of the conditions, at several ranks."""

from __future__ import annotations

import numpy as np

from ._base import Attack
from ._classes import residuals, shrunk_means
from ._gaussian import principal_axes
from ._space import AttackSpace
from ._subspaces import LEAST_SD, MOST_SHARE, residual_norm

RANKS = (10, 30, 100, 200)


def pca_residual_class(space: AttackSpace, *, seed: int) -> np.ndarray:
    """Distance to the reference's principal subspace less that to the cohort's, of profiles around their class mean.

    Each cohort is centred by its own class means (shrunk), so that what separates conditions takes up no component.
    The score is the mean over the ranks 10, 30, 100 and 200, as far as the smaller cohort has them, each in units of
    its standard deviation over the candidates.
    """
    fewest = min(len(space.reference), len(space.synthetic), space.candidates.shape[1])
    most = max(1, int(MOST_SHARE * fewest))
    ranks = sorted({min(rank, most) for rank in RANKS})
    sd = np.maximum(space.synthetic.std(0), LEAST_SD)
    found = []
    for rows, labels in ((space.reference, space.reference_condition), (space.synthetic, space.synthetic_condition)):
        overall, means = shrunk_means(rows / sd, labels)
        axes = principal_axes(residuals(rows / sd, labels, means, overall))[1]
        own = residuals(space.candidates / sd, space.candidate_condition, means, overall)
        found.append([residual_norm(own, np.zeros(own.shape[1]), axes[:rank]) for rank in ranks])
    difference = np.array(found[0]) - np.array(found[1])
    spread = difference.std(1, keepdims=True)
    return (difference / np.where(spread > 0, spread, 1.0)).mean(0)


ATTACK = Attack(
    name="pca_residual_class",
    summary="Do principal components around the means of conditions fit the donor better in the synthetic cohort?",
    source="this project, after Tipping & Bishop 1999, J. R. Stat. Soc. B 61:611",
    score=pca_residual_class,
    default=True,
)
