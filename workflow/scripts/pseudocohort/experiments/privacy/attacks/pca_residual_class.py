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
    its standard deviation over the reference.
    """
    fewest = min(len(space.reference), len(space.synthetic), space.candidates.shape[1])
    most = max(1, int(MOST_SHARE * fewest))
    ranks = sorted({min(rank, most) for rank in RANKS})
    sd = np.maximum(space.synthetic.std(0), LEAST_SD)
    rows, asked = space.reference / sd, space.candidates / sd
    by_cohort = []
    for known, labels in ((rows, space.reference_condition), (space.synthetic / sd, space.synthetic_condition)):
        overall, means = shrunk_means(known, labels)
        axes = principal_axes(residuals(known, labels, means, overall))[1]
        own = residuals(asked, space.candidate_condition, means, overall)
        others = residuals(rows, space.reference_condition, means, overall)
        by_cohort.append([(residual_norm(own, 0, axes[:k]), residual_norm(others, 0, axes[:k])) for k in ranks])
    scores = np.zeros(len(asked))
    for (own_r, others_r), (own_s, others_s) in zip(*by_cohort, strict=True):
        spread = (others_r - others_s).std()
        scores += (own_r - own_s) / (spread if spread > 0 else 1.0)
    return scores / len(ranks)


ATTACK = Attack(
    name="pca_residual_class",
    summary="Do principal components around the means of conditions fit the donor better in the synthetic cohort?",
    source="this project, after Tipping & Bishop 1999, J. R. Stat. Soc. B 61:611",
    score=pca_residual_class,
    default=True,
)
