"""Attack by the shift of the condition's variances, weighed by generalised least squares."""

from __future__ import annotations

import numpy as np

from ._base import Attack
from ._classes import parts, solve
from ._gaussian import ShrunkGaussian
from ._space import AttackSpace

#: Squared residuals count at most this (variances): one outlying value must not decide a sum over genes.
MOST = 9.0


def variance_shift_class(space: AttackSpace, *, seed: int) -> np.ndarray:
    """As :mod:`.mean_shift_class`, of the squared residuals of the genes: the shift of their variances.

    Squares are of residuals around the reference's class mean, in units of the reference's variance within conditions;
    their covariance between genes is Ledoit & Wolf's estimate on the reference.
    """
    rest, each = parts(space)
    variance = np.maximum(rest.var(0), 1e-6)

    def squares(x: np.ndarray) -> np.ndarray:
        return np.minimum(x**2 / variance, MOST)

    known = squares(rest)
    mean = known.mean(0)
    gaussian = ShrunkGaussian.fit(known)
    scores = np.zeros(len(space.candidates))
    for part in each:
        own = squares(part.candidates) - mean
        # Around their own mean: the shift of the mean is another attack's.
        made = squares(part.synthetic - part.synthetic.mean(0)) * len(part.synthetic) / (len(part.synthetic) - 1)
        weighed = solve(gaussian, own)
        scores[part.mine] = 0.5 * weighed @ (made.mean(0) - mean) - 0.25 * (weighed * own).sum(1) / len(made)
    return scores


ATTACK = Attack(
    name="variance_shift_class",
    summary="Are the variances of the synthetic profiles of its condition shifted towards the donor's?",
    source="this project, after Sankararaman et al. 2009, Nat Genet 41:965",
    score=variance_shift_class,
    default=True,
)
