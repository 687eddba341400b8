"""Which profiles stand behind each training set, and in which role: the experiments say it, this module joins it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ..core.contracts import MEMBERS_COLUMNS
from ..experiments.registry import describe


def members(obs: pd.DataFrame, rows: list[dict[str, Any]], config: dict[str, Any]) -> pd.DataFrame:
    """Members of every training set in `rows` (all of one experiment): columns of ``contracts.MEMBERS_COLUMNS``."""
    parts = []
    for row in rows:
        part = describe(row["experiment"]).load("plan:members")(obs, row, config)
        part.insert(0, "training_set", row["training_set"])
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)[list(MEMBERS_COLUMNS)]
    for column in ("training_set", "role", "condition"):
        table[column] = table[column].astype("category")
    return table
