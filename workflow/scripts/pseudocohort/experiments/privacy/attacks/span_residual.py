"""Attack by the subspace that the synthetic rows of a condition span."""

from __future__ import annotations

import numpy as np

from ._base import Attack
from ._space import AttackSpace, CannotRun
from ._subspaces import residual_norm, span_axes


def span_residual(space: AttackSpace, *, seed: int) -> np.ndarray:
    """Minus the distance to the affine span of the synthetic rows of the candidate's condition.

    Attack of this project (no publication): samples of N(mean, sample covariance) of a class with fewer members than
    genes lie in the affine span of the members; as many samples as members span it whole. Candidates of a condition
    with fewer than two synthetic rows are held against the span of all rows.

    Raises
    ------
    CannotRun
        If the span is the whole space for every candidate: with more rows than genes, of a generator of full rank.
    """
    scores = np.empty(len(space.candidates))
    whole = True
    for condition in np.unique(space.candidate_condition):
        mine = space.candidate_condition == condition
        rows = space.synthetic[space.synthetic_condition == condition]
        mean, axes = span_axes(rows if len(rows) > 1 else space.synthetic)
        whole &= len(axes) == space.candidates.shape[1]
        scores[mine] = -residual_norm(space.candidates[mine], mean, axes)
    if whole:
        raise CannotRun("the synthetic rows span the whole space")
    return scores


ATTACK = Attack(
    name="span_residual",
    summary="Does the donor lie in the space that the synthetic profiles of its condition span?",
    source="this project (a rank-deficient linear generator never leaves the span of its members)",
    default=True,
    required=True,
    needs=("release",),
    score=span_residual,
)
