"""Which profiles stand behind each training set, and in which role: the experiments say it, this module joins it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ..core.contracts import MEMBERS_COLUMNS
from ..experiments.registry import describe, drawn_settings
from ..experiments.shared.plan import with_split


def members(obs: pd.DataFrame, rows: list[dict[str, Any]], config: dict[str, Any]) -> pd.DataFrame:
    """Members of every training set in `rows` (all of one experiment): columns of ``contracts.MEMBERS_COLUMNS``."""
    parts = []
    for row in rows:
        settings = drawn_settings(config, row["experiment"])
        part = describe(row["experiment"]).load("plan:members")(obs, row, settings)
        part.insert(0, "training_set", row["training_set"])
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)[list(MEMBERS_COLUMNS)]
    for column in ("training_set", "role", "condition"):
        table[column] = table[column].astype("category")
    return table


def drawn_members(obs: pd.DataFrame, donors: pd.DataFrame, drawn: dict[str, Any]) -> pd.DataFrame:
    """Members of the training sets of a job (:func:`.training_sets.drawn`), as the plan has them.

    A job draws them itself: if it read them from the plan, all would be trained again whenever the plan grows.
    """
    return members(with_split(obs, donors), drawn["rows"], drawn["settings"])
