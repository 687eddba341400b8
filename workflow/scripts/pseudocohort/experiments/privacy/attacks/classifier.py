"""Attack by a classifier of synthetic against real rows."""

from __future__ import annotations

import numpy as np

from ._base import Attack
from ._classifiers import logistic, row_space
from ._space import AttackSpace

FOLDS = 5


def classifier(space: AttackSpace, *, seed: int) -> np.ndarray:
    """Logit of a discriminator of synthetic against reference rows (LOGAN; Hayes et al. 2019, PoPETs 2019(1):133).

    Cross-fitted: the score is the mean over the folds' models, each on the scale of its logits of the left-out rows,
    so that a model that only memorised its own rows has no more say than the others. Both cohorts weigh the same.
    """
    from sklearn.model_selection import StratifiedKFold  # the registry of attacks is read without scikit-learn

    rows = np.concatenate([space.synthetic, space.reference])
    y = np.repeat([1, 0], [len(space.synthetic), len(space.reference)])
    x, candidates = row_space(rows, space.candidates)
    weight = np.where(y == 1, 0.5 / (y == 1).mean(), 0.5 / (y == 0).mean())
    folds = StratifiedKFold(min(FOLDS, *np.bincount(y)), shuffle=True, random_state=seed)
    scores = np.zeros(len(candidates))
    for train, test in folds.split(x, y):
        model = logistic().fit(x[train], y[train], sample_weight=weight[train])
        left_out = model.decision_function(x[test])
        scores += (model.decision_function(candidates) - left_out.mean()) / max(left_out.std(), 1e-12)
    return scores / folds.get_n_splits()


ATTACK = Attack(
    name="classifier",
    summary="Does a classifier of synthetic against other real profiles take the donor for synthetic?",
    source="Hayes et al. 2019, PoPETs 2019(1):133 (LOGAN)",
    default=True,
    required=True,
    cost="a minute at thousands of profiles",
    score=classifier,
)
