"""Attack by the shift of the condition's mean, weighed by generalised least squares."""

from __future__ import annotations

import numpy as np

from ._base import Attack
from ._classes import parts, solve
from ._gaussian import ShrunkGaussian
from ._space import AttackSpace


def mean_shift_class(space: AttackSpace, *, seed: int) -> np.ndarray:
    """Log likelihood ratio of the mean of the condition's synthetic rows, had the candidate been a member or not.

    With m members of the condition, their mean is N(mu, S/m) around the population's, or, with the candidate x among
    them, N(mu + (x - mu)/m, S/m); that of as many synthetic rows has once more that variance. The ratio is
    1/2 (x - mu)' S^-1 (mean_S - mu) - 1/4 (x - mu)' S^-1 (x - mu) / m: the linear statistic of Sankararaman et al. 2009
    (Nat. Genet. 41:965) with the genes' covariance within conditions, which Ledoit & Wolf's estimate on the reference
    stands for. A generator that keeps the means of its conditions gives its members away by it, whatever else it loses.
    """
    rest, each = parts(space)
    gaussian = ShrunkGaussian.fit(rest)
    scores = np.zeros(len(space.candidates))
    for part in each:
        weighed = solve(gaussian, part.candidates)
        scores[part.mine] = 0.5 * weighed @ part.synthetic.mean(0)
        scores[part.mine] -= 0.25 * (weighed * part.candidates).sum(1) / len(part.synthetic)
    return scores


ATTACK = Attack(
    name="mean_shift_class",
    summary="Is the mean of the synthetic profiles of its condition shifted towards the donor, genes decorrelated?",
    source="Sankararaman et al. 2009, Nat Genet 41:965, with the covariance of Ledoit & Wolf 2004",
    score=mean_shift_class,
    default=True,
    required=True,
)
