"""What a combined generator has to beat: ways to use cell-level profiles at tissue level without learning a generator.

All work in the standardised tissue space of one draw: genes centred and scaled by the unlabelled tissue pool.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax

from ..shared.between_levels import centroids, donor_weight
from ..shared.standardise import plain_scale
from ..shared.statistics import row_correlation

#: Weight of one cell line when its profiles are stacked on real tissue profiles.
STACKING_WEIGHT = 0.1
#: Added to the standard deviation of cell-level genes (log2 units): thirty-cell pseudo-bulks have near-silent genes.
CELL_OFFSET = 0.5


@dataclass
class TissueSpace:
    """The standardised space of a tissue pool (n × genes, log2 units).

    Attributes
    ----------
    mean, sd : ndarray (genes,)
        Of the pool, in log2 units; labels are not used.
    """

    mean: np.ndarray
    sd: np.ndarray
    pool: np.ndarray

    @classmethod
    def of(cls, pool: np.ndarray) -> TissueSpace:
        mean, sd = plain_scale(pool)
        return cls(mean, sd, (pool - mean) / sd)

    def scale(self, x: np.ndarray) -> np.ndarray:
        return (np.asarray(x, dtype=np.float64) - self.mean) / self.sd


@dataclass
class Cells:
    """Cell-level profiles (n × genes, log2 units) with the labels of an arm and their lines."""

    x: np.ndarray
    labels: np.ndarray
    lines: np.ndarray

    def standardised(self) -> np.ndarray:
        """Profiles scaled by the cell level's own mean and standard deviation + .5."""
        mean, sd = plain_scale(self.x, CELL_OFFSET)
        return (self.x - mean) / sd

    def weights(self) -> np.ndarray:
        """Stacking weights: a line weighs .1, shared by its pseudo-bulks, so that bootstraps add no weight."""
        return donor_weight(self.lines, STACKING_WEIGHT)

    def contrasts(self, x: np.ndarray, conditions: np.ndarray) -> np.ndarray:
        """Centroids of `conditions` over `x`, lines counted once each, minus their mean (conditions × genes)."""
        means = centroids(x, self.labels, self.weights(), conditions)
        return means - means.mean(0)


def level_shift_means(cells: Cells, space: TissueSpace, conditions: np.ndarray) -> np.ndarray:
    """Additive level shift: tissue mean of a condition = its cell-level mean + (tissue pool mean - mean of cell means).

    Both levels must be on a log2 scale. Returns (conditions × genes), in the standardised tissue space.
    """
    return cells.contrasts(cells.x, conditions) / space.sd


def empirical_bayes_means(
    cells: Cells, conditions: np.ndarray, x: np.ndarray, y: np.ndarray, pool: np.ndarray
) -> tuple[np.ndarray, float]:
    """Posterior class means at tissue level: prior from the cell level, updated by the real profiles.

    mu_c ~ N(delta_c, tau² I) with delta_c the standardised cell-level contrast, and x ~ N(mu_c, s² I) in the
    standardised tissue space. Both variances are estimated over all genes and conditions (parametric empirical Bayes
    with a prior mean, Efron & Morris 1973, JASA 68:117): s² from the unlabelled pool around the means of its parts
    nearest to each condition, which one labelled profile per condition could not give; tau², which collects the
    mismatch of levels and the sampling of lines, by the method of moments from E|mean(x) - delta|² = tau² + s²/k, with
    a common centre removed. A full pooled covariance is not used: with more genes than profiles, and with the class
    contrasts inside the unlabelled pool's covariance, it whitens away what tells the conditions apart.

    Parameters
    ----------
    cells : Cells
        Cell-level profiles and labels.
    conditions : ndarray (conditions,)
        Conditions, in the order of the rows returned.
    x, y : ndarray
        Real standardised tissue profiles (n × genes) and labels, at least one per condition; or both empty.
    pool : ndarray (pool × genes)
        Standardised unlabelled tissue profiles.

    Returns
    -------
    means : ndarray (conditions × genes)
    prior_weight : float
        Worth of the prior in real profiles per condition, s²/tau²; infinite without real profiles.
    """
    prior = cells.contrasts(cells.standardised(), conditions)
    if not len(x):
        return prior, np.inf
    counts = np.array([(y == c).sum() for c in conditions])[:, None]
    real = class_means(x, y, conditions)
    provisional = (prior + counts * real) / (1 + counts)
    part = nearest_mean_scores(pool, provisional).argmax(1)
    within = float(np.mean([((pool[part == j] - pool[part == j].mean(0)) ** 2).mean() for j in np.unique(part)]))
    centred = real - real.mean(0)
    mismatch = float(np.mean((centred - prior) ** 2)) * len(conditions) / (len(conditions) - 1)
    # A prior worth more than twenty real profiles per condition is not believed: the moment is noisy.
    tau2 = max(mismatch - within * float(np.mean(1 / counts)), within / 20)
    weight = within / tau2
    return (weight * prior + counts * real) / (weight + counts), weight


def nearest_mean_scores(x: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Log posterior of each class under N(mean, I) and equal priors (n × classes)."""
    return log_softmax(x @ means.T - 0.5 * (means**2).sum(1), axis=1)


def centroid_correlation(means: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Pearson correlation over genes of each class mean with the true one, both minus their mean over classes."""
    return row_correlation(means - means.mean(0), truth - truth.mean(0))


def class_means(x: np.ndarray, y: np.ndarray, conditions: np.ndarray) -> np.ndarray:
    """Mean of each condition's rows (conditions × genes)."""
    return np.stack([x[y == c].mean(0) for c in conditions])
