"""Attack by the likelihood ratio of two shrunk Gaussians."""

from __future__ import annotations

import numpy as np

from ._base import Attack
from ._gaussian import log_ratio
from ._space import AttackSpace


def gaussian_likelihood_ratio(space: AttackSpace, *, seed: int) -> np.ndarray:
    """Log N(x; synthetic) - log N(x; reference), one Ledoit–Wolf Gaussian per cohort.

    The density ratio of van Breugel et al. 2023 (AISTATS) under Gaussian densities.
    """
    return log_ratio(space.candidates, space.synthetic, space.reference, space.scale)


ATTACK = Attack(
    name="gaussian_likelihood_ratio",
    summary="Is the donor likelier under a Gaussian of the synthetic profiles than of real ones?",
    source="van Breugel et al. 2023, AISTATS, with Gaussian densities (Ledoit & Wolf 2004)",
    default=True,
    required=True,
    cost="a minute at thousands of profiles",
    score=gaussian_likelihood_ratio,
)
