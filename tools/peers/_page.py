"""The tables of docs/comparison.md, from the numbers."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

BEGIN, END = "<!-- tables: made by tools/compare_peers.py -->", "<!-- end of tables -->"
REAL, OURS, CONTROL = "real", "ours:", "ours:mvn_camda"


class Column(NamedTuple):
    """A column: what it is called, and what is better: ``low``, ``high``, or near a number."""

    metric: str
    title: str
    better: str | float
    digits: int = 2


TABLES = {
    "Likeness, use, leakage": (
        Column("discriminator_auc", "AUC real vs synthetic", 0.5),
        Column("coverage", "coverage", "high"),
        Column("density", "density", 1.0),
        Column("correlation_score_within", "γ within", "high"),
        Column("correlation_error_within", "correlation error", "low", 3),
        Column("mmd", "MMD × 1000", 0.0, 1),
        Column("balanced_accuracy", "use", "high"),
        Column("attack_nearest", "nearest neighbour", "low"),
        Column("attack_ratio", "likelihood ratio", "low"),
        Column("attack_strongest", "strongest attack", "low"),
        Column("copies", "copies", "low"),
    ),
    "Discovery": (
        Column("discovery_calls", "genes called", "none", 0),
        Column("discovery_recall", "recall", "high"),
        Column("discovery_false_share", "false share", "low"),
        Column("discovery_p_r", "adjusted p, ρ", "high"),
        Column("attribution_overlap", "attributions", "high"),
        Column("set_calls", "sets called", "none", 1),
        Column("set_recall", "recall of sets", "high"),
        Column("set_false_share", "false share of sets", "low"),
        Column("module_ari", "modules, ARI", "high"),
    ),
}
COSTS = (Column("cpu_seconds", "CPU s", "low", 0), Column("gib", "GiB", "low"))
SCALE = {"mmd": 1000}


def title_of(method: str) -> str:
    """Name of a method in a table."""
    if method == REAL:
        return "real profiles of others"
    if method == CONTROL:
        return "`mvn_camda`, CAMDA's Gaussian as this project has it"
    if method.startswith(OURS):
        return f"`{method.removeprefix(OURS)}`"
    return importlib.import_module(f"peers.{method}").TITLE


def number(value: float, digits: int) -> str:
    """A number as the pages of this project show it: .72, -.03, 12."""
    text = f"{value:.{digits}f}"
    text = text.lstrip("-") if float(text) == 0 else text
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def _cell(values: pd.Series, column: Column) -> str:
    if values.empty:
        return ""
    values = values * SCALE.get(column.metric, 1)
    spread = f" ± {number(values.std(), column.digits)}" if len(values) > 1 else ""
    return number(values.mean(), column.digits) + spread


def _order(methods: Iterable[str]) -> list[str]:
    def rank(method: str) -> tuple[int, str]:
        return (0 if method == REAL else 2 if method == CONTROL else 1 if method.startswith(OURS) else 3, method)

    return sorted(methods, key=rank)


def table(numbers: pd.DataFrame, columns: Sequence[Column]) -> list[str]:
    """Lines of a table of one data set: a row for each method, mean and standard deviation over splits."""
    lines = ["| | " + " | ".join(c.title for c in columns) + " |", "|---|" + "---|" * len(columns)]
    for method in _order(numbers["method"].unique()):
        for floors in (0, 1):
            own = numbers[(numbers["method"] == method) & (numbers["floors"] == floors)]
            cells = [_cell(own.loc[own["metric"] == c.metric, "value"], c) for c in columns]
            if any(cells):
                name = title_of(method) + (", with silent-gene floors" if floors else "")
                lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def distance(values: pd.DataFrame | pd.Series, column: Column) -> pd.DataFrame | pd.Series:
    """How far from good values are: the smaller the better."""
    if isinstance(column.better, float):
        return (values - column.better).abs()
    return -values if column.better == "high" else values


def ahead(numbers: pd.DataFrame, columns: Sequence[Column]) -> list[str]:
    """Peers whose mean is better than that of the best of this project's generators, column by column.

    Each peer is compared, on the splits that it has, with the best of those of ours that have them too. The control
    ``mvn_camda`` and real profiles are no contestants. A peer is counted as it is, without floors.
    """
    lines = []
    for column in columns:
        own = numbers[(numbers["metric"] == column.metric) & (numbers["floors"] == 0)]
        wide = own.pivot_table(index="split", columns="method", values="value")
        peers = [m for m in wide if not m.startswith(OURS) and m != REAL]
        found = []
        for peer in [] if column.better == "none" else peers:
            there = wide[wide[peer].notna()].dropna(axis=1)
            means = distance(there.mean(), column)
            of_us = [m for m in there if m.startswith(OURS) and m != CONTROL]
            if not of_us or not means[peer] < means[of_us].min():
                continue
            best = means[of_us].idxmin()
            cells = [_cell(there[m], column) for m in (peer, best)]
            if cells[0].split(" ")[0] == cells[1].split(" ")[0]:
                continue  # no difference that the table shows
            wins = int((distance(there[peer], column) < distance(there[best], column)).sum())
            text = f"{title_of(peer)} {cells[0]} against {cells[1]} of {title_of(best)} ({wins} of {len(there)})"
            found.append((means[peer], text))
        if found:
            lines.append(f"* {column.title}: {'; '.join(text for _, text in sorted(found))}")
    return lines


def failure_lines(failures: Sequence[tuple[str, str, str]]) -> list[str]:
    """What did not end, and why."""
    return [f"* {title_of(method)} on {dataset}: {reason}" for dataset, method, reason in failures]


def limit_lines(methods: Iterable[str], measured: Collection[str]) -> list[str]:
    """Peers, with their source, licence, what they were limited to here, and whether they were measured."""
    lines = ["| peer | source | licence | here | measured |", "|---|---|---|---|---|"]
    for method in _order(m for m in methods if m != REAL and not m.startswith(OURS)):
        peer = importlib.import_module(f"peers.{method}")
        done = "yes" if method in measured else "no"
        lines.append(f"| {peer.TITLE} | {peer.SOURCE} | {peer.LICENSE} | {peer.LIMITS} | {done} |")
    return lines


def content(numbers: pd.DataFrame, failures: Sequence[tuple[str, str, str]], methods: Iterable[str]) -> str:
    """Everything between the markers of the page."""
    lines = ["## Where a peer is ahead", ""]
    datasets = list(dict.fromkeys(numbers["dataset"]))
    for dataset in datasets:
        own = numbers[numbers["dataset"] == dataset]
        found = ahead(own, [c for columns in (*TABLES.values(), COSTS) for c in columns])
        lines += [f"**{dataset}**", "", *(found or ["* nowhere"]), ""]
    lines += ["## Numbers", ""]
    for dataset in datasets:
        own = numbers[numbers["dataset"] == dataset]
        counts = own[own["floors"] == 0].groupby("method")["split"].nunique()
        few = [f"{title_of(m)} {n}" for m, n in counts.items() if n < counts.max()]
        splits = f"{counts.max()} split{'s' if counts.max() > 1 else ''}" + (
            f"; fewer: {', '.join(few)}" if few else ""
        )
        for name, columns in (*TABLES.items(), ("Cost of fit and sample", COSTS)):
            lines += [f"### {dataset}: {name[0].lower() + name[1:]} ({splits})", "", *table(own, columns), ""]
    lines += ["## Peers, and what they were limited to", "", *limit_lines(methods, set(numbers["method"])), ""]
    if failures:
        lines += ["Not ended:", "", *failure_lines(failures), ""]
    return "\n".join(lines)


def write(page: Path, numbers: pd.DataFrame, failures: Sequence[tuple[str, str, str]], methods: Iterable[str]) -> None:
    """Write the tables into a page, between its markers."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    numbers = numbers[np.isfinite(numbers["value"])]
    page.write_text(f"{before}{BEGIN}\n{content(numbers, failures, methods)}{END}{after}", encoding="utf-8")
