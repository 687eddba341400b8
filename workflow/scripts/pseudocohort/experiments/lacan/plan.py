"""Training sets of the track: folds by donor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from ..shared.folds import fold_members, fold_request, fold_sets
from ..shared.plan import Roles


def training_sets(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A training set per fold and deal."""
    return fold_sets(config, "lacan")


def members(obs: pd.DataFrame, row: dict[str, Any], config: dict[str, Any]) -> pd.DataFrame:
    """All folds but one train, one is tested."""
    return fold_members(obs, row, config, "lacan", config["lacan"]["levels"])


def request(
    row: dict[str, Any], roles: Roles, config: dict[str, Any], rng: np.random.Generator, *, private: bool
) -> pd.DataFrame:
    """As many profiles as were trained on, in the same proportions."""
    return fold_request(roles, rng)
