"""SyNG-BTS: variational autoencoders of small transcriptomic cohorts."""

from __future__ import annotations

import numpy as np
import pandas as pd

TITLE = "SyNG-BTS"
SOURCE = "syng-bts 3.6.1 (Qi et al. 2025, Briefings in Bioinformatics)"
LICENSE = "AGPL-3.0"
MODEL = "VAE1-10"
LIMITS = (
    f"{MODEL} with early stopping, its default; a model for each class, since it takes two groups at most; batches of "
    "four rows or more"
)
ENVIRONMENT = "syng"


def fit_sample(train: pd.DataFrame, classes: np.ndarray, n_per_class: dict[str, int], seed: int) -> pd.DataFrame:
    """Values are log2 already, so that its own logarithm is off."""
    from syng_bts import generate

    from ._rows import per_class

    def draw(own: pd.DataFrame, n: int) -> pd.DataFrame:
        # Batches of one row, a tenth of a small class, stop it: it normalises over the rows of a batch.
        batch = max(0.1, 4 / len(own))
        found = generate(
            own, new_size=n, model=MODEL, apply_log=False, batch_frac=batch, random_seed=seed, verbose="silent"
        )
        return found.generated_data

    return per_class(draw, train, classes, n_per_class)
