"""Rows of evaluation tables, and further tables of an experiment's section of the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Extra:
    """A data frame shown as it is, with a title and a note."""

    table: pd.DataFrame
    title: str
    note: str = ""


def rows_with(table: pd.DataFrame, **keys: Any) -> pd.DataFrame:
    """Rows with the given keys; None asks for an empty key."""
    keep = np.ones(len(table), dtype=bool)
    for key, value in keys.items():
        keep &= (table[key].isna() if value is None else table[key] == value).to_numpy()
    return table[keep]
