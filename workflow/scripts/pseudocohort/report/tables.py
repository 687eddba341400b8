"""Summary tables as the report shows them: one row per thing compared, "mean [low, high]" in the cells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..core.words import between, number
from ..experiments.description import Experiment
from ..experiments.shared.order import order_of


@dataclass(frozen=True)
class Cell:
    """Text of a cell and the value that it is sorted by."""

    text: str
    sort: float | str


@dataclass(frozen=True)
class Table:
    """A sortable table.

    Attributes
    ----------
    title, note : str
    header : list of str
    rows : list of list of Cell
    """

    title: str
    note: str
    header: list[str]
    rows: list[list[Cell]]


def key_cell(value: object) -> Cell:
    """A key; numbers of profiles as whole numbers, -1 as "all"."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return Cell("", "")
    if isinstance(value, int | float | np.number):
        return Cell("all" if value == -1 else f"{int(value)}", float(value) if value >= 0 else 1e9)
    return Cell(str(value).replace("_", " ") if " " not in str(value) else str(value), str(value))


def value_cell(row: pd.Series | None) -> Cell:
    """A mean with its interval."""
    if row is None or not np.isfinite(row["value"]):
        return Cell("", -1e9)
    value = float(row["value"])
    digits = 2 if abs(value) < 10 else 1
    text = number(value, digits) + between(float(row["ci_low"]), float(row["ci_high"]), lambda v: number(v, digits))
    return Cell(text, value)


def _metrics(columns: Mapping[str, str], present: Iterable[str]) -> dict[str, str]:
    """Metrics that are present, in the order of `columns`, with their headers; a key may be a regular expression."""
    present = sorted(set(present))
    found = {}
    for pattern, header in columns.items():
        for metric in present:
            if match := re.fullmatch(pattern, metric):
                found[metric] = header.format(*match.groups())
    return found


def summary_table(experiment: Experiment, summary: pd.DataFrame) -> Table:
    """Wide table of an experiment's summary; columns without a value are left out."""
    keys = {k: h for k, h in experiment.keys.items() if summary[k].notna().any()}
    metrics = _metrics(experiment.columns, summary["metric"])
    position = {g: i for i, g in enumerate(order_of(list(summary["generator"].dropna())))}
    wide: dict[tuple, dict[str, pd.Series]] = {}
    for _, row in summary[summary["metric"].isin(metrics)].iterrows():
        wide.setdefault(tuple(None if pd.isna(row[k]) else row[k] for k in keys), {})[row["metric"]] = row

    def rank(item: tuple) -> tuple:
        values = dict(zip(keys, item, strict=True))
        return tuple(
            (position.get(values[k], 0), "") if k == "generator" else (0, "") if values[k] is None
            else (values[k], "") if isinstance(values[k], int | float) else (0, str(values[k]))
            for k in keys
        )  # fmt: skip

    rows = [[*map(key_cell, key), *(value_cell(wide[key].get(m)) for m in metrics)] for key in sorted(wide, key=rank)]
    return Table("", "", [*keys.values(), *metrics.values()], rows)


def plain_table(table: pd.DataFrame, title: str, note: str = "") -> Table:
    """A data frame as it is."""

    def cell(value: object) -> Cell:
        if isinstance(value, int | float | np.number) and not isinstance(value, bool):
            return Cell(f"{value:,.0f}" if float(value).is_integer() else number(float(value)), float(value))
        return Cell(str(value), str(value))

    return Table(title, note, list(table.columns), [[cell(v) for v in row] for row in table.itertuples(index=False)])
