"""How near synthetic profiles lie to the training profiles: similarity, not a statement on privacy."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from .neighbours import nearest, within

#: Ratio of the distances to the nearest and second nearest training row below which a row counts as memorised.
RATIO = 1 / 3


def memorisation_share(synthetic: np.ndarray, train: np.ndarray) -> float:
    """Share of synthetic rows with d1 / d2 < 1/3, d1 and d2 their distances to the two nearest training rows.

    The relative distance of the work on memorisation in tabular diffusion (Fang et al. 2025, ICML). A row at distance
    0 is memorised even if its original stands twice in the training set.
    """
    distances = nearest(synthetic, train, 2)
    return float(((distances[:, 0] == 0) | (distances[:, 0] < RATIO * distances[:, 1])).mean())


def closer_to_train_share(
    synthetic: np.ndarray,
    train: np.ndarray,
    holdout: np.ndarray,
    train_class: np.ndarray,
    holdout_class: np.ndarray,
) -> float:
    """Expected share of synthetic rows nearer to a training subset than to a holdout of equal size; .5 is ideal.

    The subset has as many rows of each class as the holdout (of both, the smaller number is used). Rather than drawing
    subsets, the expectation over all of them is computed: if c_k of the n_k training rows of class k are nearer than
    the nearest of the m_k holdout rows, a subset holds none of them with probability prod_k C(n_k - c_k, m_k) /
    C(n_k, m_k). Where the holdout is the larger one of a class, it is thinned (its first m_k rows are used).
    """
    train_class, holdout_class = np.asarray(train_class, dtype=str), np.asarray(holdout_class, dtype=str)
    names = np.intersect1d(train_class, holdout_class)
    n = np.array([(train_class == k).sum() for k in names])
    m = np.minimum(n, [(holdout_class == k).sum() for k in names])
    kept = np.concatenate([np.flatnonzero(holdout_class == k)[:size] for k, size in zip(names, m, strict=True)])
    limit = nearest(synthetic, holdout[kept])
    is_class = (train_class[:, None] == names[None]).astype(np.float64)
    none = np.empty(len(synthetic))
    for rows, (nearer,) in within(synthetic, train, limit):
        count = nearer @ is_class
        rest = n - count
        possible = (rest >= m).all(1)
        rest = np.maximum(rest, m)  # any value will do where no such subset is possible
        log = gammaln(rest + 1) - gammaln(rest - m + 1) - gammaln(n + 1) + gammaln(n - m + 1)
        none[rows] = np.where(possible, np.exp(log.sum(1)), 0.0)
    return float(1 - none.mean())
