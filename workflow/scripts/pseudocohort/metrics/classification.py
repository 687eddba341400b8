"""Metrics of classification: scikit-learn's numbers without its checks, which of small tables take nearly all the time.

An evaluation asks for thousands of them.
"""

from __future__ import annotations

import numpy as np


def average_precision(truth: np.ndarray, score: np.ndarray) -> float:
    """Area under the precision-recall curve, as steps (scikit-learn's ``average_precision_score``).

    Parameters
    ----------
    truth : ndarray of bool (n,)
        At least one is true.
    score : ndarray (n,)
        Higher where it is rather true.

    Raises
    ------
    ValueError
        If a score is not finite.
    """
    if not np.isfinite(score).all():
        raise ValueError("scores that are not finite have no order")
    order = np.argsort(-score, kind="stable")
    last_of_ties = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    found = np.cumsum(truth[order], dtype=np.float64)[last_of_ties]
    precision, recall = found / (1.0 + last_of_ties), found / found[-1]
    # From the largest recall down, as scikit-learn has it: another order would be rounded otherwise.
    return float(max(0.0, -np.sum(np.diff(np.append(recall[::-1], 0.0)) * precision[::-1])))


def macro_f1(truth: np.ndarray, predictions: np.ndarray) -> float:
    """Mean F1 over the classes in `truth`; 0 for a class that is never found (scikit-learn's ``f1_score``)."""
    scores = []
    for name in np.unique(truth):
        true, predicted = truth == name, predictions == name
        scores.append(2.0 * (true & predicted).sum() / (true.sum() + predicted.sum()))
    return float(np.mean(scores))
