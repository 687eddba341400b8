"""SDV's variational autoencoder of tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ._rows import per_class
from .sdv_copula import metadata

TITLE = "SDV TVAE"
SOURCE = "sdv 2.0.0 (Xu et al. 2019, NeurIPS)"
LICENSE = "BSL 1.1, source available"
EPOCHS = 300
MOST_GENES = 100
LIMITS = (
    f"the {MOST_GENES} most variable genes, since it fits a mixture to each; its defaults, {EPOCHS} epochs; a "
    "model for each class, since fitted to all it leaves out rare ones"
)
ENVIRONMENT = "sdv"


def fit_sample(train: pd.DataFrame, classes: np.ndarray, n_per_class: dict[str, int], seed: int) -> pd.DataFrame:
    """See the module."""
    import torch
    from sdv.single_table import TVAESynthesizer

    np.random.seed(seed)  # noqa: NPY002 (SDV draws from the global generator)
    torch.manual_seed(seed)

    def draw(own: pd.DataFrame, n: int) -> pd.DataFrame:
        synthesizer = TVAESynthesizer(metadata(own), epochs=EPOCHS, enable_gpu=False)
        synthesizer.fit({"profiles": own})
        return synthesizer.sample(n)["profiles"]

    return per_class(draw, train, classes, n_per_class)
