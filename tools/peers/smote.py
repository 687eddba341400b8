"""SMOTE: points between a profile and one of its neighbours of the same class."""

from __future__ import annotations

import numpy as np
import pandas as pd

TITLE = "SMOTE"
SOURCE = "imbalanced-learn 0.14.2 (Chawla et al. 2002, JAIR)"
LICENSE = "MIT"
LIMITS = "five neighbours, its default; made to balance classes, not to stand for patients"
ENVIRONMENT = "smote"


def fit_sample(train: pd.DataFrame, classes: np.ndarray, n_per_class: dict[str, int], seed: int) -> pd.DataFrame:
    """The new profiles alone, without the training profiles that SMOTE returns with them."""
    from imblearn.over_sampling import SMOTE

    there = pd.Series(classes).value_counts()
    wanted = {name: int(there[name]) + n for name, n in n_per_class.items()}
    neighbours = min(5, int(there.min()) - 1)
    x, y = SMOTE(sampling_strategy=wanted, k_neighbors=neighbours, random_state=seed).fit_resample(
        train, classes.astype(str)
    )
    return x.set_axis(np.asarray(y), axis=0).iloc[len(train) :]
