"""Distances between two sets of profiles by moments and by kernels."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist, pdist


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Squared Fréchet distance between the Gaussians fitted to two sets of rows (Heusel et al. 2017, eq. 6).

    Give few columns (principal components): the estimate is biased upwards by about columns² / rows.
    """
    difference = a.mean(0) - b.mean(0)
    left, right = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    # The trace of the square root of the product is the sum of the roots of its eigenvalues, which are not negative.
    roots = np.sqrt(np.maximum(np.linalg.eigvals(left @ right).real, 0))
    return float(difference @ difference + np.trace(left + right) - 2 * roots.sum())


def maximum_mean_discrepancy(a: np.ndarray, b: np.ndarray) -> float:
    """Unbiased squared MMD (Gretton et al. 2012, eq. 3) with a Gaussian kernel of the median distance within `a`."""
    width = np.median(pdist(a)) ** 2
    within_a, within_b, between = (np.exp(-cdist(x, y, "sqeuclidean") / width) for x, y in ((a, a), (b, b), (a, b)))
    n, m = len(a), len(b)
    return float((within_a.sum() - n) / (n * (n - 1)) + (within_b.sum() - m) / (m * (m - 1)) - 2 * between.mean())


def gene_marginals(real: np.ndarray, synthetic: np.ndarray) -> dict[str, float]:
    """Agreement gene by gene: correlation of means, median ratio of standard deviations, median Kolmogorov-Smirnov."""
    real_mean, synthetic_mean = real.mean(0), synthetic.mean(0)
    flat = min(real_mean.std(), synthetic_mean.std()) < 1e-9
    real_sd = real.std(0)
    varies = real_sd > 1e-6
    return {
        "gene_mean_r": float("nan") if flat else float(np.corrcoef(real_mean, synthetic_mean)[0, 1]),
        "gene_sd_ratio": float(np.median(synthetic.std(0)[varies] / real_sd[varies])) if varies.any() else float("nan"),
        "ks_median": float(np.median(kolmogorov_smirnov(real, synthetic))),
    }


def kolmogorov_smirnov(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Largest difference of the empirical distribution functions of two samples, (genes,), column by column.

    The statistic of ``scipy.stats.ks_2samp``, which computes a p-value of each column besides.
    """
    both = np.concatenate([a, b])
    order = both.argsort(axis=0)
    ordered = np.take_along_axis(both, order, axis=0)
    of_a = (order < len(a)).cumsum(axis=0)
    of_b = np.arange(1, len(both) + 1)[:, None] - of_a
    difference = np.abs(of_a / len(a) - of_b / len(b))
    # Both functions step over equal values at once: what they are is their value at the last of these.
    difference[:-1][ordered[:-1] == ordered[1:]] = 0
    return difference.max(axis=0)
