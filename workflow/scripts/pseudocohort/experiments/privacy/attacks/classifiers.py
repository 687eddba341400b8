"""Attacks by classifiers trained on the synthetic cohort.

Logistic regressions with a ridge penalty are fitted in the row space of the training rows, where their solution lies:
the result does not change, and thousands of genes cost no more than there are rows.
"""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from .gaussian import principal_axes
from .space import AttackSpace, CannotRun

FOLDS = 5
#: Inverse penalty on genes divided by the square root of their number. A weak penalty: what the fit memorises of the
#: synthetic rows is what tells the members.
INVERSE_PENALTY = 100.0


def _row_space(train: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of both, around the training mean, on the axes of the training rows; scaled by 1 / sqrt(genes)."""
    mean = train.mean(0)
    axes = principal_axes(train - mean)[1]
    scale = np.sqrt(train.shape[1])
    return (train - mean) @ axes.T / scale, (other - mean) @ axes.T / scale


def _logistic() -> LogisticRegression:
    return LogisticRegression(C=INVERSE_PENALTY, max_iter=300, tol=1e-4)


def classifier(space: AttackSpace, *, seed: int) -> np.ndarray:
    """Logit of a discriminator of synthetic against reference rows (LOGAN; Hayes et al. 2019, PoPETs 2019(1):133).

    Cross-fitted: the score is the mean over the folds' models, each on the scale of its logits of the left-out rows,
    so that a model that only memorised its own rows has no more say than the others. Both cohorts weigh the same.
    """
    rows = np.concatenate([space.synthetic, space.reference])
    y = np.repeat([1, 0], [len(space.synthetic), len(space.reference)])
    x, candidates = _row_space(rows, space.candidates)
    weight = np.where(y == 1, 0.5 / (y == 1).mean(), 0.5 / (y == 0).mean())
    folds = StratifiedKFold(min(FOLDS, *np.bincount(y)), shuffle=True, random_state=seed)
    scores = np.zeros(len(candidates))
    for train, test in folds.split(x, y):
        model = _logistic().fit(x[train], y[train], sample_weight=weight[train])
        left_out = model.decision_function(x[test])
        scores += (model.decision_function(candidates) - left_out.mean()) / max(left_out.std(), 1e-12)
    return scores / folds.get_n_splits()


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
    x, candidates = _row_space(space.synthetic, space.candidates)
    model = _logistic().fit(x, space.synthetic_condition)
    logits = model.decision_function(candidates)
    logits = np.stack([-logits / 2, logits / 2], axis=1) if logits.ndim == 1 else logits
    for k, condition in enumerate(model.classes_):
        mine = space.candidate_condition == condition
        others = np.delete(logits[mine], k, axis=1)
        scores[mine] = logits[mine, k] - np.logaddexp.reduce(others, axis=1)
    return scores
