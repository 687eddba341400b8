"""Are predicted probabilities as often right as they say?"""

from __future__ import annotations

import numpy as np

BINS = 10


def brier(truth: np.ndarray, probability: np.ndarray, classes: np.ndarray) -> float:
    """Mean squared distance of probabilities (n × classes) from the truth, summed over classes (Brier 1950)."""
    return float(((probability - (np.asarray(truth)[:, None] == classes)) ** 2).sum(1).mean())


def calibration_error(truth: np.ndarray, probability: np.ndarray, classes: np.ndarray) -> float:
    """Expected calibration error: distance of confidence from accuracy, in bins (Guo et al. 2017, ICML, eq. 3)."""
    confidence = probability.max(1)
    right = classes[probability.argmax(1)] == np.asarray(truth)
    at = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gap = [abs(right[at == b].mean() - confidence[at == b].mean()) * (at == b).mean() for b in np.unique(at)]
    return float(np.sum(gap))
