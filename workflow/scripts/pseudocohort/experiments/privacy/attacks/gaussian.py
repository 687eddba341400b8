"""Attacks by the likelihood ratio of two shrunk Gaussians, exact for more genes than profiles.

The covariance of n rows has at most n directions other than the shrinkage target's; on these, and on what is left, the
density is computed from an n × n decomposition, never from a genes × genes matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .space import AttackSpace

#: Least variance of a direction (log2 units squared).
LEAST_VARIANCE = 1e-6
#: Fewest rows of a class in either cohort for a Gaussian of its own.
FEWEST_ROWS = 5


def principal_axes(centred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared singular values (k,), descending, and right singular vectors (k × genes) of centred rows.

    By the eigenvectors of the smaller Gram matrix; directions of less than 1e-11 of the largest value are left out.
    """
    wide = centred.shape[1] > centred.shape[0]
    values, vectors = np.linalg.eigh(centred @ centred.T if wide else centred.T @ centred)
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = values > 1e-11 * max(values[0], 1e-300)
    values, vectors = values[kept], vectors[:, kept]
    return values, (vectors.T @ centred) / np.sqrt(values)[:, None] if wide else vectors.T


def ledoit_wolf_intensity(centred: np.ndarray) -> float:
    """Shrinkage intensity towards the mean variance times the identity (Ledoit & Wolf 2004, J. Multivar. Anal. 88:365).

    The value of ``sklearn.covariance.ledoit_wolf_shrinkage`` of centred rows. Its two sums over pairs of genes are
    written over rows instead: sum_jk (X2'X2)_jk = sum_i (sum_j x_ij^2)^2 and ||X'X||_F = ||XX'||_F.
    """
    n, p = centred.shape
    if p == 1 or n == 1:
        return 0.0 if p == 1 else 1.0
    gram = centred @ centred.T if p > n else centred.T @ centred
    norms = np.einsum("ij,ij->i", centred, centred)
    squared = float((gram**2).sum()) / n**2
    beta = (float((norms**2).sum()) / n - squared) / (p * n)
    delta = (squared - float(norms.sum() / n) ** 2 / p) / p
    beta = min(beta, delta)
    return 0.0 if beta <= 0 else beta / delta


@dataclass(frozen=True)
class ShrunkGaussian:
    """Gaussian with mean and covariance V'(diag(variances) - rest)V + rest I; V are axes (k × genes)."""

    mean: np.ndarray
    axes: np.ndarray
    variances: np.ndarray
    rest: float

    @classmethod
    def fit(cls, rows: np.ndarray) -> ShrunkGaussian:
        """Sample mean and Ledoit–Wolf covariance of `rows` (n × genes)."""
        mean = rows.mean(0)
        centred = rows - mean
        intensity = ledoit_wolf_intensity(centred)
        values, axes = principal_axes(centred)
        rest = max(intensity * float((centred**2).mean()), LEAST_VARIANCE)
        return cls(mean, axes, (1 - intensity) * values / len(rows) + rest, rest)

    def _mahalanobis(self, x: np.ndarray) -> np.ndarray:
        """Squared Mahalanobis distances (n,) of rows `x` to the mean."""
        centred = x - self.mean
        along = centred @ self.axes.T
        inside = (along**2 / self.variances).sum(1)
        if len(self.axes) == len(self.mean):
            return inside
        across = np.maximum((centred**2).sum(1) - (along**2).sum(1), 0)
        return inside + across / self.rest

    def _log_det(self) -> float:
        return float(np.log(self.variances).sum() + (len(self.mean) - len(self.axes)) * np.log(self.rest))

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """Log density (n,), in nats, of rows `x`."""
        return -0.5 * (self._mahalanobis(x) + self._log_det() + len(self.mean) * np.log(2 * np.pi))


def _log_ratio(x: np.ndarray, synthetic: np.ndarray, reference: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Log density ratio (n,) of rows `x` under Gaussians of two cohorts, on the scale of the profiles.

    The shrinkage target is spherical: on standardised genes it would spread the noise that a generator shrunk on the
    log2 scale adds to flat genes over all of them, and hide its members.
    """
    x = x * scale
    return ShrunkGaussian.fit(synthetic * scale).log_density(x) - ShrunkGaussian.fit(reference * scale).log_density(x)


def gaussian_likelihood_ratio(space: AttackSpace, *, seed: int) -> np.ndarray:
    """Log N(x; synthetic) - log N(x; reference), one Ledoit–Wolf Gaussian per cohort.

    The density ratio of van Breugel et al. 2023 (AISTATS) under Gaussian densities.
    """
    return _log_ratio(space.candidates, space.synthetic, space.reference, space.scale)


def gaussian_likelihood_ratio_class(space: AttackSpace, *, seed: int) -> np.ndarray:
    """:func:`gaussian_likelihood_ratio` with Gaussians of the candidate's condition in both cohorts.

    Candidates of a condition with fewer than five rows in either cohort are held against the Gaussians of all rows.
    """
    scores = np.empty(len(space.candidates))
    for condition in np.unique(space.candidate_condition):
        mine = space.candidate_condition == condition
        synthetic = space.synthetic[space.synthetic_condition == condition]
        reference = space.reference[space.reference_condition == condition]
        if min(len(synthetic), len(reference)) < FEWEST_ROWS:
            synthetic, reference = space.synthetic, space.reference
        scores[mine] = _log_ratio(space.candidates[mine], synthetic, reference, space.scale)
    return scores
