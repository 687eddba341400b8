"""Gaussian mixture with one covariance, fitted by expectation maximisation from given means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import softmax

#: Iterations. One gives far less than thirty; after thirty the labels hardly change.
ITERATIONS = 30
#: Share of the variance of the rows that the first covariance has: most of it, but not all, is within classes.
START_SHARE = 0.6
#: Share of the covariance that is replaced by a multiple of the identity after each iteration.
SPHERICAL = 0.05
#: Rows that each class counts beyond its own in the class weights, so that none vanishes.
WEIGHT_PRIOR = 2.0


@dataclass(frozen=True)
class Mixture:
    """K Gaussian classes in d dimensions: means (K × d), a common covariance (d × d), shares of the classes (K,)."""

    means: np.ndarray
    covariance: np.ndarray
    weights: np.ndarray

    def responsibilities(self, x: np.ndarray, *, weighted: bool = True) -> np.ndarray:
        """Posterior probability (n × K) of each class for rows `x` (n × d).

        Without `weighted`, all classes are equally likely before a row is seen.
        """
        directions = cho_solve(cho_factor(self.covariance), self.means.T)
        logits = x @ directions - 0.5 * (self.means.T * directions).sum(0)
        return softmax(logits + np.log(self.weights) if weighted else logits, axis=1)

    @property
    def separation(self) -> float:
        """Smallest Mahalanobis distance between the means of two classes."""
        i, j = np.triu_indices(len(self.means), 1)
        between = self.means[i] - self.means[j]
        squared = (between * cho_solve(cho_factor(self.covariance), between.T).T).sum(1)
        return float(np.sqrt(squared.min()))


def fit_mixture(
    x: np.ndarray,
    start: np.ndarray,
    *,
    scatter: np.ndarray | None = None,
    n_scatter: float = 0.0,
    fixed: np.ndarray | None = None,
    spherical: float = SPHERICAL,
    weight_prior: float = WEIGHT_PRIOR,
) -> Mixture:
    """Fit class means, weights and the common covariance by expectation maximisation (Dempster et al. 1977).

    The covariance has a prior: the scatter of `n_scatter` other profiles around their class means. The means have none,
    so that they move from where they start to the clusters of the rows.

    Parameters
    ----------
    x, start : ndarray (n × d), (K × d)
        Rows, and the class means to start from.
    scatter : ndarray (d × d), optional
        Sum of outer products of residuals of other profiles.
    fixed : ndarray of int (n,), optional
        Class of rows whose class is known, -1 for the others.
    spherical : float
        Share of the covariance that is made spherical in each iteration, in [0, 1].
    weight_prior : float
        Rows that each class counts beyond its own in the weights.
    """
    (n, d), k = x.shape, len(start)
    scatter = np.zeros((d, d)) if scatter is None else scatter
    known = np.zeros(n, bool) if fixed is None else fixed >= 0
    weights = np.full(k, 1 / k)
    covariance = (scatter + n * START_SHARE * np.atleast_2d(np.cov(x.T))) / (n_scatter + n)
    mixture = Mixture(np.asarray(start, float), _towards_sphere(covariance, spherical), weights)
    for _ in range(ITERATIONS):
        r = mixture.responsibilities(x)
        if known.any():
            r[known] = np.eye(k)[fixed[known]]
        size = r.sum(0)
        means = (r.T @ x) / np.maximum(size, 1e-9)[:, None]
        # Scatter around the class means: that around 0, less that of the means.
        within = x.T @ x - (means.T * size) @ means
        covariance = _towards_sphere((scatter + within) / (n_scatter + n), spherical)
        mixture = Mixture(means, covariance, (size + weight_prior) / (n + k * weight_prior))
    return mixture


def _towards_sphere(covariance: np.ndarray, share: float) -> np.ndarray:
    d = len(covariance)
    return (1 - share) * covariance + share * np.trace(covariance) / d * np.eye(d)
