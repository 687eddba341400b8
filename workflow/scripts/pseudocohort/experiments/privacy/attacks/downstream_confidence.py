"""Attack by the confidence of a classifier of conditions."""

from __future__ import annotations

import numpy as np

from ._base import Attack
from ._classifiers import logistic, row_space
from ._space import AttackSpace, CannotRun


def downstream_confidence(space: AttackSpace, *, seed: int) -> np.ndarray:
    """Log odds of the candidate's own condition under a classifier trained on the synthetic rows.

    The loss attack of Yeom et al. 2018 (CSF), log(p / (1 - p)) in place of log p as in Carlini et al. 2022 (IEEE S&P),
    which does not saturate. 0 where the cohort has none of the candidate's condition.

    Raises
    ------
    CannotRun
        If the cohort has one condition.
    """
    conditions = np.unique(space.synthetic_condition)
    scores = np.zeros(len(space.candidates))
    if len(conditions) < 2:
        raise CannotRun("the cohort has one condition")
    x, candidates = row_space(space.synthetic, space.candidates)
    model = logistic().fit(x, space.synthetic_condition)
    logits = model.decision_function(candidates)
    logits = np.stack([-logits / 2, logits / 2], axis=1) if logits.ndim == 1 else logits
    for k, condition in enumerate(model.classes_):
        mine = space.candidate_condition == condition
        others = np.delete(logits[mine], k, axis=1)
        scores[mine] = logits[mine, k] - np.logaddexp.reduce(others, axis=1)
    return scores


ATTACK = Attack(
    name="downstream_confidence",
    summary="Is a classifier trained on synthetic profiles unusually sure of the donor's condition?",
    source="Yeom et al. 2018, CSF; CAMDA 2026 baseline",
    needs=("release",),
    score=downstream_confidence,
)
