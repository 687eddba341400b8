"""SDV's Gaussian copula, a model for each class."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ._rows import per_class
from .sdv_copula import ENVIRONMENT, LICENSE, SOURCE, fit

__all__ = ["ENVIRONMENT", "LICENSE", "LIMITS", "SOURCE", "TITLE", "fit_sample"]

TITLE = "SDV Gaussian copula, for each class"
LIMITS = "normal marginals, as above"


def fit_sample(train: pd.DataFrame, classes: np.ndarray, n_per_class: dict[str, int], seed: int) -> pd.DataFrame:
    """See the module."""
    return per_class(lambda own, n: fit(own, seed).sample(n)["profiles"], train, classes, n_per_class)
