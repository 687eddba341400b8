"""Standardisation in front of the classifiers, fitted on what the regime may know."""

from __future__ import annotations

import numpy as np

#: Degrees of freedom that the mean gene's variance lends to each gene's own.
PRIOR_ROWS = 20.0


def moderated_scale(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and moderated standard deviation of each gene over the rows of `x` (n × genes).

    The variance of a gene is its own, from n - 1 degrees of freedom, averaged with the mean variance of all genes,
    counted as 20 degrees (the form of limma's moderated variance, Smyth 2004, with a fixed prior): with one profile
    per class hardly more than centring and one common scale, with hundreds a z-score.

    Returns
    -------
    mean, sd : ndarray (genes,)
        .1 (log2 units) is added to every standard deviation.
    """
    x = np.asarray(x, dtype=np.float64)
    variance = x.var(0)
    own = max(len(x) - 1, 0)
    moderated = (own * variance + PRIOR_ROWS * variance.mean()) / (own + PRIOR_ROWS)
    return x.mean(0), np.sqrt(moderated) + 0.1


def plain_scale(x: np.ndarray, offset: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation + `offset` of each gene over the rows of `x` (n × genes); constant genes get 1."""
    x = np.asarray(x, dtype=np.float64)
    sd = x.std(0) + offset
    return x.mean(0), np.where(sd > 1e-6, sd, 1.0)
