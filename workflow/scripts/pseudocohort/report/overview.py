"""The overview: generators by what experiments found about them, each number between its floor and its ceiling."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..core.words import between, number, points
from ..generators.base.registry import describe_kind


@dataclass(frozen=True)
class Shown:
    """A cell: its text, the value it is sorted by, its place from floor (0) to ceiling (1), and a word beside it."""

    text: str
    sort: float | str = ""
    place: float | None = None
    mark: str = ""


@dataclass(frozen=True)
class Overview:
    """The table of generators.

    Attributes
    ----------
    header : list of (str, str)
        Titles of the columns and what they show.
    rows : list of (str, str, list of Shown)
        Generator, its kind in a word, cells.
    ceiling, floor : list of Shown
        The best and the worst that can be expected of each column, in words.
    """

    header: list[tuple[str, str]]
    rows: list[tuple[str, str, list[Shown]]]
    ceiling: list[Shown] = field(default_factory=list)
    floor: list[Shown] = field(default_factory=list)


def _end(column: dict[str, Any], which: str) -> Shown:
    said, value = column[which]
    if value is None:
        return Shown(said)
    return Shown(f"{_form(column)(value)} ({said})")


def _form(column: dict[str, Any]) -> Any:
    return points if column["points"] else number


def _cell(column: dict[str, Any], name: str) -> Shown:
    if name not in column["values"] or column["values"][name][0] is None:
        return Shown("–")
    value, low, high = (np.nan if v is None else v for v in column["values"][name])
    form, (_, floor), (_, ceiling) = _form(column), column["floor"], column["ceiling"]
    place = None
    if floor is not None and ceiling is not None and abs(ceiling - floor) > 1e-9:
        place = float(np.clip((value - floor) / (ceiling - floor), 0, 1))
        # A ceiling that real profiles do not lift above the floor tells no generators apart.
        place = None if column["points"] and ceiling <= floor else round(place, 3)
    return Shown(form(value) + between(low, high, form), value, place, column["marks"].get(name, ""))


def _time(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds < 120 else f"{seconds / 60:,.0f} min"


def overview_of(columns: list[dict[str, Any]], config: dict[str, Any], cost: pd.DataFrame) -> Overview | None:
    """Overview of a study's generators, the controls last; None where no experiment has a column."""
    names = [g for g in config["generators"] if any(g in column["values"] for column in columns)]
    if not names:
        return None
    kinds = {name: describe_kind(config, name) for name in names}
    time = cost.set_index("Generator")[["Training, s", "Sampling, s"]].sum(axis=1) if len(cost) else pd.Series()
    header = [(column["title"], column["note"]) for column in columns]
    rows = []
    for name in sorted(names, key=lambda g: kinds[g].control):
        cells = [_cell(column, name) for column in columns]
        if len(time):
            cells.append(Shown(_time(time[name]), float(time[name])) if name in time.index else Shown("–"))
        kind = kinds[name]
        rows.append((name, "control" if kind.control else "private" if kind.capabilities.private else "", cells))
    ends = {which: [_end(column, which) for column in columns] for which in ("ceiling", "floor")}
    if len(time):
        header.append(("Time", "Training and sampling of all jobs of this study, one after the other."))
        ends = {which: [*cells, Shown("–")] for which, cells in ends.items()}
    return Overview(header, rows, ends["ceiling"], ends["floor"])
