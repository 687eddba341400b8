"""ForestDiffusion: flow matching with gradient-boosted trees, a model for each gene, time and class."""

from __future__ import annotations

import numpy as np
import pandas as pd

TITLE = "ForestDiffusion"
SOURCE = "ForestDiffusion 1.0.6 (Jolicoeur-Martineau et al. 2024, AISTATS)"
LICENSE = "MIT"
TIMES, COPIES, TREES, DEPTH = 10, 5, 20, 4
MOST_GENES = 100
LIMITS = (
    f"the {MOST_GENES} most variable genes, {TIMES} times instead of 50, {COPIES} noised copies of a profile instead "
    f"of 100, {TREES} trees instead of 100, of depth {DEPTH}: it trains a model for each gene, time and class"
)
ENVIRONMENT = "forest"


def fit_sample(train: pd.DataFrame, classes: np.ndarray, n_per_class: dict[str, int], seed: int) -> pd.DataFrame:
    """Classes are its labels."""
    from ForestDiffusion import ForestDiffusionModel

    from ._rows import until_filled

    names, codes = np.unique(classes.astype(str), return_inverse=True)
    model = ForestDiffusionModel(
        train.to_numpy(np.float64), label_y=codes.astype(float), n_t=TIMES, duplicate_K=COPIES, model="xgboost",
        n_estimators=TREES, max_depth=DEPTH, diffusion_type="flow", n_batch=0, n_jobs=1, seed=seed, bin_indexes=[],
        cat_indexes=[], int_indexes=[],
    )  # fmt: skip

    def draw(n: int) -> pd.DataFrame:
        made = model.generate(batch_size=n)
        return pd.DataFrame(made[:, :-1], columns=train.columns).assign(**{"_class": names[made[:, -1].astype(int)]})

    return until_filled(draw, n_per_class, "_class")
