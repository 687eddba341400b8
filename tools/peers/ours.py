"""Generators of this project, through its Python interface: ``ours:<generator>``."""

from __future__ import annotations

import numpy as np
import pandas as pd

TITLE = "this project"
SOURCE = "docs/generators"
LICENSE = "MIT"
LIMITS = "default settings"
ENVIRONMENT = None


def fit_sample(
    train: pd.DataFrame, classes: np.ndarray, n_per_class: dict[str, int], seed: int, generator: str = "flow"
) -> pd.DataFrame:
    """``pc.fit(...).sample(...)``."""
    import sys
    from pathlib import Path

    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow/scripts"))
    import pseudocohort as pc

    made = pc.fit(train, classes, generator=generator, random_state=seed, device="cpu").sample(n_per_class)
    return pd.DataFrame(np.asarray(made.X), columns=made.var_names, index=made.obs["condition"].to_numpy())
