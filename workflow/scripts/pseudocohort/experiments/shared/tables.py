"""A further table of an experiment's section of the report."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Extra:
    """A data frame shown as it is, with a title and a note."""

    table: pd.DataFrame
    title: str
    note: str = ""
