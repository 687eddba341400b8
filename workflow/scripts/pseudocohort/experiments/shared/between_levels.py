"""What guesses across levels share: weights of donors, class means, shrunk noise, a ridge map of contrasts."""

from __future__ import annotations

import numpy as np
from sklearn.covariance import ledoit_wolf_shrinkage

#: Penalties of the ridge map, in units of the mean squared length of a contrast.
PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


def donor_weight(donors: np.ndarray, each: float = 1.0) -> np.ndarray:
    """Weight of each profile: a donor weighs `each`, shared by its profiles."""
    _, codes = np.unique(donors, return_inverse=True)
    return each / np.bincount(codes)[codes]


def centroids(x: np.ndarray, labels: np.ndarray, weight: np.ndarray, conditions: np.ndarray) -> np.ndarray:
    """Weighted means of conditions (conditions × genes)."""
    return np.stack([np.average(x[labels == c], axis=0, weights=weight[labels == c]) for c in conditions])


def shrunk_noise(residuals: np.ndarray, n: int, rng: np.random.Generator, mean: np.ndarray | float = 0.0) -> np.ndarray:
    """`n` draws of N(mean, (1 - s) S + s m I): S the residuals' covariance, m its mean variance, s of Ledoit & Wolf."""
    shrinkage = float(ledoit_wolf_shrinkage(residuals, assume_centered=True))
    size, genes = residuals.shape
    correlated = rng.standard_normal((n, size)) @ residuals / np.sqrt(size)
    independent = rng.standard_normal((n, genes)) * np.sqrt(np.mean(residuals**2))
    return mean + np.sqrt(1 - shrinkage) * correlated + np.sqrt(shrinkage) * independent


def ridge_inverse(gram: np.ndarray, t: np.ndarray) -> np.ndarray:
    """(D D' + a I)^-1 of contrasts with the Gram matrix D D', with which they predict the contrasts `t` best.

    The penalty a is the one of :data:`PENALTIES` whose leave-one-condition-out error is smallest.
    """
    unit, eye = np.trace(gram) / len(gram), np.eye(len(gram))

    def inverse(penalty: float) -> np.ndarray:
        return np.linalg.inv(gram + penalty * unit * eye)

    def left_out_error(penalty: float) -> float:
        hat = gram @ inverse(penalty)
        left_out = (t - hat @ t) / (1 - np.diag(hat))[:, None]  # leave-one-out residuals of a linear smoother
        return float((left_out**2).sum())

    return inverse(min(PENALTIES, key=left_out_error))
