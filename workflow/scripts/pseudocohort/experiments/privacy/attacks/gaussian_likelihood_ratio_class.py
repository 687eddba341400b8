"""Attack by the likelihood ratio of two shrunk Gaussians of the condition."""

from __future__ import annotations

import numpy as np

from ._base import Attack
from ._gaussian import FEWEST_ROWS, log_ratio
from ._space import AttackSpace


def gaussian_likelihood_ratio_class(space: AttackSpace, *, seed: int) -> np.ndarray:
    """The Gaussian likelihood ratio with Gaussians of the candidate's condition in both cohorts.

    Candidates of a condition with fewer than five rows in either cohort are held against the Gaussians of all rows.
    """
    scores = np.empty(len(space.candidates))
    for condition in np.unique(space.candidate_condition):
        mine = space.candidate_condition == condition
        synthetic = space.synthetic[space.synthetic_condition == condition]
        reference = space.reference[space.reference_condition == condition]
        if min(len(synthetic), len(reference)) < FEWEST_ROWS:
            synthetic, reference = space.synthetic, space.reference
        scores[mine] = log_ratio(space.candidates[mine], synthetic, reference, space.scale)
    return scores


ATTACK = Attack(
    name="gaussian_likelihood_ratio_class",
    summary="Is the donor likelier under a Gaussian of the synthetic profiles of its condition than of real ones?",
    source="as the Gaussian likelihood ratio, by condition",
    score=gaussian_likelihood_ratio_class,
)
