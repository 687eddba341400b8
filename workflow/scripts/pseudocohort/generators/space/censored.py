"""Silent genes as censored ones: values on the floor become draws from below it."""

from __future__ import annotations

import numpy as np
from scipy.special import log_ndtr, ndtri_exp

from .axes import leading_axes

#: Profiles on the floor from which on a gene counts as censored.
MIN_SILENT = 5
#: Factors of the draws, profiles for each at least, and rounds of the sampler.
FACTORS, PER_FACTOR, ROUNDS = 12, 5, 6
#: Iterations of the tobit regression; least standard deviation (log2 units) and share of a gene's own variance.
ITERATIONS, MIN_SD, MIN_OWN = 60, 0.05, 0.05
#: Largest distance of the limit of detection from the floor (log2 units).
MAX_GAP = 0.5


def on_floor(x: np.ndarray, floor: np.ndarray) -> np.ndarray:
    """Whether values (n × genes) lie on the floor (genes,)."""
    return x <= floor + 1e-6


def tobit(x: np.ndarray, silent: np.ndarray, limit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (genes,) of normal values `x` of which the `silent` lie somewhere below a limit.

    Maximum likelihood (Tobin 1958, Econometrica 26:24) by expectation maximisation.
    """
    z = np.where(silent, limit - MAX_GAP, x)
    mean, sd = z.mean(0), np.maximum(z.std(0), MIN_SD)
    for _ in range(ITERATIONS):
        a = (limit - mean) / sd
        mills = np.exp(-(a**2) / 2 - log_ndtr(a)) / np.sqrt(2 * np.pi)
        z = np.where(silent, mean - sd * mills, x)
        rest = np.where(silent, sd**2 * np.maximum(1 - a * mills - mills**2, 0.0), 0.0)
        mean, old = z.mean(0), mean
        sd = np.maximum(np.sqrt(((z - mean) ** 2 + rest).mean(0)), MIN_SD)
        if np.abs(mean - old).max(initial=0) < 1e-4:
            break
    return mean, sd


def _below(mean: np.ndarray, sd: np.ndarray, limit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws from normal distributions, given that they lie below a limit; exact far in the tail, too."""
    return mean + sd * ndtri_exp(np.log(1 - rng.random(mean.shape)) + log_ndtr((limit - mean) / sd))


def with_draws(x: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Profiles with what lies on a gene's floor drawn from below it, given the profile's other genes.

    A value that many profiles share has no place on the scale of normal scores: put in the middle of what it stands
    for, it leaves the floor far more rarely than it is reached, and synthetic genes are silent too often. So profiles
    are taken for a normal factor model that is seen above a limit of detection only, and what is not seen is drawn from
    it, factors and values in turn (data augmentation, Tanner & Wong 1987, JASA 82:528).

    Parameters
    ----------
    x : ndarray (n × genes)
        log2 units.
    rng : Generator

    Returns
    -------
    x : ndarray (n × genes)
        Only values on a floor differ; they lie below the limit, the gene's next value or .5 above the floor.
    censored : ndarray (genes,)
        Whether the gene has a floor: five profiles on it, and not all.
    """
    x = np.array(x, dtype=np.float64)
    silent = on_floor(x, x.min(0))
    censored = (silent.sum(0) >= MIN_SILENT) & ~silent.all(0)
    if not censored.any():
        return x, censored
    silent, seen = silent[:, censored], x[:, censored]
    limit = np.minimum(np.where(silent, np.inf, seen).min(0), seen.min(0) + MAX_GAP)
    mean, sd = (np.broadcast_to(v, seen.shape) for v in tobit(seen, silent, limit))
    x[:, censored] = np.where(silent, _below(mean, sd, limit, rng), seen)
    count = min(FACTORS, len(x) // PER_FACTOR, x.shape[1] - 1)
    for _ in range(ROUNDS if count else 0):
        centre, scale = x.mean(0), np.maximum(x.std(0), 1e-6)
        z = (x - centre) / scale
        # Probabilistic components (Tipping & Bishop 1999), with the noise that is left of each gene.
        values, axes = leading_axes(z, count)
        variance = values[:count] ** 2 / len(z)
        noise = max(((z**2).mean(0).sum() - variance.sum()) / max(z.shape[1] - count, 1), 0.0)
        loadings = axes[:count].T * np.sqrt(np.maximum(variance - noise, 0.0))
        own = np.maximum(1 - (loadings**2).sum(1), MIN_OWN)
        weighted = loadings / own[:, None]
        posterior = np.linalg.inv(np.eye(count) + weighted.T @ loadings)
        factors = z @ weighted @ posterior
        factors += rng.standard_normal(factors.shape) @ np.linalg.cholesky(posterior).T
        mean = centre[censored] + scale[censored] * (factors @ loadings[censored].T)
        sd = np.broadcast_to(scale[censored] * np.sqrt(own[censored]), seen.shape)
        x[:, censored] = np.where(silent, _below(mean, sd, limit, rng), seen)
    return x, censored
