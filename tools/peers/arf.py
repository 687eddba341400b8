"""Adversarial random forests: a density of leaves, within which genes are independent."""

from __future__ import annotations

import numpy as np
import pandas as pd

TITLE = "ARF"
SOURCE = "arfpy 0.1.1 (Watson et al. 2023, AISTATS)"
LICENSE = "MIT"
MOST_GENES = 100
LIMITS = (
    f"the {MOST_GENES} most variable genes: with 900 it takes four CPU minutes a cohort; its defaults, 30 trees and "
    "leaves of five profiles or more"
)
ENVIRONMENT = "arf"


def fit_sample(train: pd.DataFrame, classes: np.ndarray, n_per_class: dict[str, int], seed: int) -> pd.DataFrame:
    """Fitted to genes and class together."""
    from arfpy.arf import arf

    from ._rows import until_filled

    np.random.seed(seed)  # noqa: NPY002 (arfpy draws from the global generator)
    forest = arf(train.assign(_class=classes), verbose=False, random_state=seed)
    forest.forde()
    return until_filled(forest.forge, n_per_class, "_class")
