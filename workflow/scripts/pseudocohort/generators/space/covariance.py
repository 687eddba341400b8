"""Shrunk covariances of few profiles and many genes, in low-rank form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from .axes import leading_axes

#: Singular values kept at most.
MAX_FACTORS = 300
#: A class's own covariance counts as much as the pooled one when it has so many profiles.
EQUAL_WEIGHT = 30.0


@dataclass
class LowRank:
    """Covariance F'F + diag(d): factors F (rank × genes) and residual variances d (genes,)."""

    factors: np.ndarray
    residual: np.ndarray

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """`n` draws of a centred Gaussian (n × genes)."""
        correlated = rng.standard_normal((n, len(self.factors))) @ self.factors
        return correlated + np.sqrt(self.residual) * rng.standard_normal((n, len(self.residual)))

    def state(self) -> dict[str, np.ndarray]:
        """Arrays for storage."""
        return {"factors": self.factors.astype(np.float32), "residual": self.residual.astype(np.float32)}

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray]) -> Self:
        """Restored from :meth:`state`."""
        return cls(**{name: array.astype(np.float64) for name, array in arrays.items()})

    def dense(self) -> np.ndarray:
        """The covariance (genes × genes)."""
        return self.factors.T @ self.factors + np.diag(self.residual)

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """Log density (n,) of centred rows, in nats, by the Woodbury identity."""
        scaled = self.factors / self.residual
        inner = np.eye(len(self.factors)) + scaled @ self.factors.T
        factor = cho_factor(inner)
        projected = x @ scaled.T
        distance = (x**2 / self.residual).sum(1) - (projected * cho_solve(factor, projected.T).T).sum(1)
        log_det = np.log(self.residual).sum() + 2 * np.log(np.diag(factor[0])).sum()
        return -0.5 * (distance + log_det + x.shape[1] * np.log(2 * np.pi))


def weighted_factors(residuals: np.ndarray, weight: np.ndarray, freedom: float) -> np.ndarray:
    """Factors F (rank × genes) with F'F = R' W R / freedom, the singular vectors of least variance left out."""
    scaled = residuals * np.sqrt(weight / freedom)[:, None]
    values, vectors = leading_axes(scaled, MAX_FACTORS)
    rank = min(int((values > 1e-6 * max(values[0], 1e-12)).sum()), MAX_FACTORS)
    return values[:rank, None] * vectors[:rank]


def shrink(residuals: np.ndarray, weight: np.ndarray, freedom: float) -> LowRank:
    """Covariance of centred rows (n × genes) shrunk towards its own diagonal, by the intensity of Ledoit & Wolf 2004.

    The intensity is that of the estimator towards a multiple of the identity (J. Multivariate Analysis 88:365),
    computed on residuals scaled to unit variance per gene, where the two targets agree. Rows have weights (n,);
    `freedom` is their sum less the number of estimated means.
    """
    from sklearn.covariance import ledoit_wolf_shrinkage  # a second, which generators without it save

    variance = (residuals**2 * weight[:, None]).sum(0) / freedom
    floor = 1e-4 * max(float(variance.mean()), 1e-6)
    variance = np.maximum(variance, floor)
    unit = residuals / np.sqrt(variance)
    intensity = float(ledoit_wolf_shrinkage(unit, assume_centered=True)) if len(unit) > 1 else 1.0
    factors = np.sqrt(1 - intensity) * weighted_factors(residuals, weight, freedom)
    return LowRank(factors, np.maximum(variance - (factors**2).sum(0), floor))


def class_roots(rows: np.ndarray, classes: list[np.ndarray]) -> np.ndarray:
    """Lower triangular R (classes × d × d) with R R' the covariance of each class of centred `rows` (n × d).

    Covariances are Ledoit-Wolf's, a class's own shrunk to the pooled one by its size. A singular one (no variation at
    all) gets a tiny ridge. `classes` say which rows are of each.
    """
    from sklearn.covariance import ledoit_wolf  # a second, which generators without it save

    pooled = ledoit_wolf(rows, assume_centered=True)[0]
    roots = []
    for here in classes:
        own = rows[here]
        weight = len(own) / (len(own) + EQUAL_WEIGHT)
        covariance = ledoit_wolf(own, assume_centered=True)[0] if len(own) > 2 else pooled
        covariance = weight * covariance + (1 - weight) * pooled
        ridge = 1e-8 + 1e-8 * float(np.trace(covariance)) / len(covariance)
        roots.append(np.linalg.cholesky(covariance + ridge * np.eye(len(covariance))))
    return np.stack(roots)


def symmetric_root(covariance: np.ndarray, least: float = 0.0) -> np.ndarray:
    """Symmetric R with R R = covariance, whose eigenvalues are raised to a share `least` of the largest."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, least * values[-1])) @ vectors.T
