"""What a generator has to beat on a condition hidden at one level: ways to guess it without learning a generator.

Each takes what is :class:`Seen`, the hidden condition and a number, and returns so many profiles at the hidden level
(n × genes, log2 units). Profiles vary around the means by the pooled within-condition covariance
(Ledoit-Wolf).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..shared.between_levels import centroids, ridge_inverse, shrunk_noise
from ..shared.standardise import plain_scale


def pearson(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson correlation; 0 if one of the two is constant."""
    a, b = a - a.mean(), b - b.mean()
    norm = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / norm) if norm > 0 else 0.0


@dataclass
class Seen:
    """Training profiles: at the hidden level all conditions but one, at the other level all.

    Attributes
    ----------
    x, labels, weight : ndarray
        Profiles at the hidden level (n × genes, log2 units), their conditions and weights.
    source, source_labels, source_weight : ndarray
        The same at the other level.
    source_offset : float
        Added to the other level's standard deviations (log2 units).
    """

    x: np.ndarray
    labels: np.ndarray
    weight: np.ndarray
    source: np.ndarray
    source_labels: np.ndarray
    source_weight: np.ndarray
    source_offset: float

    @cached_property
    def conditions(self) -> np.ndarray:
        """Conditions seen at both levels."""
        return np.intersect1d(self.labels, self.source_labels)

    @cached_property
    def means(self) -> np.ndarray:
        """Means of :attr:`conditions` at the hidden level."""
        return centroids(self.x, self.labels, self.weight, self.conditions)

    @cached_property
    def source_means(self) -> np.ndarray:
        """Means of :attr:`conditions` at the other level."""
        return centroids(self.source, self.source_labels, self.source_weight, self.conditions)

    def source_mean(self, condition: str) -> np.ndarray:
        """Mean of a condition at the other level."""
        return centroids(self.source, self.source_labels, self.source_weight, np.array([condition]))[0]

    def source_sample(self, condition: str, n: int, rng: np.random.Generator) -> np.ndarray:
        """`n` profiles of a condition at the other level, in random order, again and again if there are fewer."""
        rows = np.flatnonzero(self.source_labels == condition)
        return self.source[np.resize(rng.permutation(rows), n)]

    @cached_property
    def residuals(self) -> np.ndarray:
        """Profiles at the hidden level less the mean of their condition."""
        names = np.unique(self.labels)
        means = centroids(self.x, self.labels, self.weight, names)
        return self.x - means[np.searchsorted(names, self.labels)]

    def dress(self, mean: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
        """`n` draws around `mean` with the shrunk pooled covariance within conditions."""
        return shrunk_noise(self.residuals, n, rng, mean)


def pan_mean(seen: Seen, condition: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """The mean over the other conditions: knows nothing of the hidden one."""
    return seen.dress(seen.means.mean(0), n, rng)


def level_shift(seen: Seen, condition: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """Additive level shift: mean at the other level + mean difference of the levels over the other conditions."""
    shift = (seen.means - seen.source_means).mean(0)
    return seen.dress(seen.source_mean(condition) + shift, n, rng)


def ridge_map(seen: Seen, condition: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """Ridge regression of centroids at the hidden level on those at the other, by leave-one-condition-out.

    With contrasts D (conditions × genes) at the other level and T at the hidden one the prediction for a new contrast d
    is d D' (D D' + a I)^-1 T.
    """
    d, t = seen.source_means - seen.source_means.mean(0), seen.means - seen.means.mean(0)
    new = seen.source_mean(condition) - seen.source_means.mean(0)
    contrast = new @ d.T @ ridge_inverse(d @ d.T, t) @ t
    return seen.dress(seen.means.mean(0) + contrast, n, rng)


def nearest_type(seen: Seen, condition: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """Real profiles of the seen condition that is most like the hidden one at the other level."""
    origin = seen.source_means.mean(0)
    wanted = seen.source_mean(condition) - origin
    nearest = seen.conditions[int(np.argmax([pearson(m - origin, wanted) for m in seen.source_means]))]
    rows = np.flatnonzero(seen.labels == nearest)
    return seen.x[np.resize(rng.permutation(rows), n)]


def coral(seen: Seen, condition: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """CORAL: profiles of the other level whitened there and coloured as here (Sun, Feng & Saenko 2016, Algorithm 1).

    Covariances are of the standardised profiles of the conditions that both levels have, plus the identity.
    """
    shared = np.isin(seen.source_labels, seen.conditions)
    mean, sd = plain_scale(seen.source[shared], seen.source_offset)
    here, here_sd = plain_scale(seen.x)
    z = (seen.source_sample(condition, n, rng) - mean) / sd
    z = _power((seen.source[shared] - mean) / sd, z, -0.5)
    return here + here_sd * _power((seen.x - here) / here_sd, z, 0.5)


def _power(profiles: np.ndarray, z: np.ndarray, power: float) -> np.ndarray:
    """z (I + C)^power, C the covariance of `profiles`: only its row space differs from the identity."""
    _, values, vectors = np.linalg.svd(profiles, full_matrices=False)
    scale = (1 + values**2 / len(profiles)) ** power - 1
    return z + ((z @ vectors.T) * scale) @ vectors


def standardised_cells(seen: Seen, condition: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """Profiles of the other level, each gene standardised there and rescaled as here."""
    mean, sd = plain_scale(seen.source, seen.source_offset)
    here, here_sd = plain_scale(seen.x)
    return here + here_sd * (seen.source_sample(condition, n, rng) - mean) / sd


BASELINES: dict[str, Callable[[Seen, str, int, np.random.Generator], np.ndarray]] = {
    guess.__name__: guess for guess in (pan_mean, level_shift, ridge_map, nearest_type, coral, standardised_cells)
}
