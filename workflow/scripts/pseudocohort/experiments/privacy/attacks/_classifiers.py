"""Attacks by classifiers trained on the synthetic cohort.

Logistic regressions with a ridge penalty are fitted in the row space of the training rows, where their solution lies:
the result does not change, and thousands of genes cost no more than there are rows.
"""

from __future__ import annotations

import numpy as np

from ._gaussian import principal_axes

#: Inverse penalty on genes divided by the square root of their number. A weak penalty: what the fit memorises of the
#: synthetic rows is what tells the members.
INVERSE_PENALTY = 100.0


def row_space(train: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of both, around the training mean, on the axes of the training rows; scaled by 1 / sqrt(genes)."""
    mean = train.mean(0)
    axes = principal_axes(train - mean)[1]
    scale = np.sqrt(train.shape[1])
    return (train - mean) @ axes.T / scale, (other - mean) @ axes.T / scale


def logistic():
    """Logistic regression with the weak penalty."""
    from sklearn.linear_model import LogisticRegression  # the registry of attacks is read without scikit-learn

    return LogisticRegression(C=INVERSE_PENALTY, max_iter=300, tol=1e-4)
