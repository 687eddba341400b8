"""Attack by the ratio of two kernel density estimates, in logarithms throughout."""

from __future__ import annotations

import numpy as np

from ....metrics.neighbours import distance_blocks
from ._base import Attack
from ._gaussian import principal_axes
from ._space import AttackSpace

#: Dimensions of the shared principal components.
DIMENSIONS = 20


def log_kernel_density(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Log density (n,) of `x` under Gaussian kernels on `rows` (m × d) of unit scale, Scott's bandwidth m^(-1/(d+4)).

    Scott 1992, "Multivariate Density Estimation", chapter 6.
    """
    from scipy.special import logsumexp  # the registry of attacks is read without scipy

    m, d = rows.shape
    width = m ** (-1 / (d + 4))
    out = np.empty(len(x))
    for part, distances in distance_blocks(x, rows):
        out[part] = logsumexp(-0.5 * (distances / width) ** 2, axis=1)
    return out - np.log(m) - d * np.log(width) - 0.5 * d * np.log(2 * np.pi)


def density_ratio(space: AttackSpace, *, seed: int) -> np.ndarray:
    """Log density of the synthetic cohort less that of the reference (DOMIAS; van Breugel et al. 2023, AISTATS).

    Kernel densities on one set of whitened principal components, shared by both cohorts. No constant is added to a
    density: beyond ten dimensions the customary 1e-10 exceeds every density of the reference and undoes the ratio.
    """
    pooled = np.concatenate([space.synthetic, space.reference])
    mean = pooled.mean(0)
    values, axes = principal_axes(pooled - mean)
    kept = min(DIMENSIONS, len(axes))
    whiten = axes[:kept].T / np.sqrt(values[:kept] / len(pooled))
    x, synthetic, reference = ((part - mean) @ whiten for part in (space.candidates, space.synthetic, space.reference))
    return log_kernel_density(x, synthetic) - log_kernel_density(x, reference)


ATTACK = Attack(
    name="density_ratio",
    summary="Are synthetic profiles denser around the donor than real ones of other donors?",
    source="van Breugel et al. 2023, AISTATS (DOMIAS), in logarithms",
    score=density_ratio,
)
