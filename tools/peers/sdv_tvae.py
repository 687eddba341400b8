"""SDV's variational autoencoder of tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ._rows import until_filled
from .sdv_copula import CLASS, metadata

TITLE = "SDV TVAE"
SOURCE = "sdv 2.0.0 (Xu et al. 2019, NeurIPS)"
LICENSE = "BSL 1.1, source available"
EPOCHS = 300
LIMITS = f"its defaults, {EPOCHS} epochs, on a CPU"
ENVIRONMENT = "sdv"


def fit_sample(train: pd.DataFrame, classes: np.ndarray, n_per_class: dict[str, int], seed: int) -> pd.DataFrame:
    """Fitted to genes and class together."""
    import torch
    from sdv.single_table import TVAESynthesizer

    np.random.seed(seed)  # noqa: NPY002 (SDV draws from the global generator)
    torch.manual_seed(seed)
    synthesizer = TVAESynthesizer(metadata(train), epochs=EPOCHS, enable_gpu=False)
    synthesizer.fit({"profiles": train.assign(**{CLASS: classes})})
    return until_filled(lambda n: synthesizer.sample(n)["profiles"], n_per_class, CLASS)
