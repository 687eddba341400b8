"""Combination: accuracy against the number of real tissue profiles, with and without the cell level."""

from __future__ import annotations

import math
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.text import Text

from ...shared.style import DASHED, GREEN, GREY, INK, PURPLE, SKY, YELLOW, colour_of, dots
from ...shared.tables import rows_with
from ..names import NOT_TRAINED, named

#: Curves of the first panel: arm, colour and name.
BASELINES = {
    "em": ("both", GREEN, "lines + unlabelled patients (mixture)"),
    "best_without_pool": ("both", PURPLE, "best without unlabelled patients"),
    "level_shift": ("both", SKY, "additive level shift"),
    "real": ("tissue_only", INK, "labelled patients alone"),
}

#: Most panels in a row.
COLUMNS = 3


def _curve(table: pd.DataFrame, generator: str, arm: str) -> pd.DataFrame:
    """Rows by k; without real tissue the arm "both" is "cell_only"."""
    rows = table[table["generator"] == generator]
    wanted = {arm, "cell_only"} if arm == "both" else {arm}
    return rows[rows["regime"].isin(wanted) & (rows["n_real"] >= 0)].sort_values("n_real")


def draw(summary: pd.DataFrame, config: dict[str, Any]) -> Figure:
    """Figure from the summary table of combination."""
    table = summary[(summary["metric"] == "balanced_accuracy") & summary["task"].isna()]
    made = [g for g in dict.fromkeys(table["generator"]) if g not in NOT_TRAINED]
    variants = table[table["regime"].astype(str).str.contains("+", regex=False)]
    pool = rows_with(summary, metric="pool_balanced_accuracy", generator="em")
    recalls = summary[(summary["generator"] == "em") & summary["metric"].astype(str).str.startswith("recall_")]
    leading = 1 + bool(len(pool)) + bool(len(recalls))
    rows = math.ceil((leading + len(made)) / COLUMNS)
    columns = math.ceil((leading + len(made)) / rows)
    figure = plt.figure(figsize=(3.6 * columns, 3.6 * (rows + bool(len(variants)))))
    grid = figure.add_gridspec(rows + bool(len(variants)), columns)
    cells = [grid[i // columns, i % columns] for i in range(leading + len(made))]
    first = figure.add_subplot(cells[0])
    panels = [figure.add_subplot(cell, sharey=first) for cell in cells[leading:]]
    ks = sorted(k for k in table["n_real"].dropna().unique() if k >= 0)
    place = {k: i for i, k in enumerate(ks)}
    ceiling = rows_with(table, generator="real", regime="ceiling")

    def plot(ax, generator: str, arm: str, colour: str, label: str, dashed: bool = False) -> None:
        rows = _curve(table, generator, arm)
        if len(rows):
            _line(ax, [place[k] for k in rows["n_real"]], rows, colour, label, dashed)

    for generator, (arm, colour, label) in BASELINES.items():
        plot(first, generator, arm, colour, label)
    plot(first, "em", "permuted", GREY, "lines, labels permuted (mixture)", dashed=True)
    first.set_title("What cell lines are worth")
    for ax, generator in zip(panels, made, strict=True):
        plot(ax, generator, "both", colour_of(generator), "generator: both levels")
        plot(ax, "em_logistic", "both", INK, "no generator: mixture + logistic")
        plot(ax, generator, "tissue_only", YELLOW, "generator: patients only")
        plot(ax, generator, "permuted", GREY, "lines, labels permuted", dashed=True)
        ax.set_title(generator)
    for ax in (first, *panels):
        if len(ceiling):
            ax.axhline(float(ceiling["value"].iloc[0]), color=INK, linewidth=0.8, linestyle=DASHED)
        ax.set_xticks(range(len(ks)), [f"{int(k)}" for k in ks])
        ax.set_xlabel("labelled patients per condition")
        ax.legend(fontsize=7, loc="center right", bbox_to_anchor=(1.0, 0.38))
    if len(pool):
        _pool_sizes(figure.add_subplot(cells[1], sharey=first), pool)
    if len(recalls):
        _recalls(figure.add_subplot(cells[leading - 1]), recalls, ks[0])
    if len(variants):
        _ablation(figure.add_subplot(grid[rows, :]), table, made, min(variants["n_real"]))
    first.set_ylabel("balanced accuracy")
    first.set_ylim(0, 1.02)
    for text in figure.findobj(Text):
        text.set_text(named(text.get_text(), config))
    return figure


def _line(ax, x: list[float], rows: pd.DataFrame, colour: str, label: str, dashed: bool = False) -> None:
    """A curve with its intervals."""
    style = (0, (3, 2)) if dashed else "-"
    ax.plot(x, rows["value"], color=colour, linestyle=style, marker="o", markersize=4, label=label)
    low, high = rows["ci_low"].astype(float), rows["ci_high"].astype(float)
    ax.fill_between(x, low, high, color=colour, alpha=0.13, linewidth=0)


def _pool_sizes(ax, rows: pd.DataFrame) -> None:
    """Accuracy of the mixture against the number of unlabelled patients."""
    rows = rows.assign(size=rows["task"].str.removeprefix("pool:").astype(int)).sort_values("size")
    _line(ax, list(rows["size"]), rows, GREEN, "lines + unlabelled patients")
    ax.set_xscale("log")
    ax.set_xticks(list(rows["size"]), [str(n) for n in rows["size"]], minor=False)
    ax.minorticks_off()
    ax.set_xlabel("unlabelled patients (no labelled one)")
    ax.set_title("Size of the pool")


def _recalls(ax, rows: pd.DataFrame, k: float) -> None:
    """Recall of each condition by the mixture, with right and with permuted labels."""
    arms = (("both" if k else "cell_only", GREEN, "true labels"), ("permuted", GREY, "permuted labels"))
    names = sorted(set(rows["metric"]))
    for step, (arm, colour, label) in enumerate(arms):
        for y, metric in enumerate(names):
            found = rows_with(rows, regime=arm, metric=metric, n_real=k)
            if len(found):
                dots(ax, y + 0.2 * step - 0.1, found.iloc[0], colour)
        ax.plot([], [], "o", color=colour, label=label)
    ax.set_yticks(range(len(names)), [n.removeprefix("recall_") for n in names])
    ax.set_xlim(-0.02, 1.02)
    ax.set_xlabel(f"recall at k = {int(k)} (mixture)")
    ax.set_title("Per condition")
    ax.legend(fontsize=7, loc="best")


def _ablation(ax, table: pd.DataFrame, made: list[str], k: float) -> None:
    """What a generator saw, and how its levels were aligned, at one k: accuracy with its interval."""
    at = table[table["n_real"] == k]
    arms = [a for a in ("tissue_only", "permuted", "cell_only", "both") if (at["regime"] == a).any()]
    arms += sorted(a for a in at["regime"].unique() if "+" in str(a))
    step = 0.7 / max(len(made), 1)
    for i, generator in enumerate(made):
        for y, arm in enumerate(arms):
            rows = rows_with(at, generator=generator, regime=arm)
            if len(rows):
                dots(ax, y + (i - (len(made) - 1) / 2) * step, rows.iloc[0], colour_of(generator))
        ax.plot([], [], "o", color=colour_of(generator), label=generator)
    for name, (arm, colour, label) in BASELINES.items():
        value = rows_with(at, generator=name, regime=arm)["value"]
        if len(value) and name != "best_without_pool":
            ax.axvline(float(value.iloc[0]), color=colour, linewidth=0.9, linestyle=DASHED, label=label)
    names = {
        "tissue_only": "tissue only",
        "permuted": "both, labels permuted",
        "cell_only": "lines, no labelled patient",
        "both": "both, scaled by level",
    }
    ax.set_yticks(range(len(arms)), [names.get(a, a.replace("both+", "both, ").replace("_", " ")) for a in arms])
    ax.invert_yaxis()
    ax.set_title(f"What the generator saw, and how levels were aligned ({int(k)} per condition)")
    ax.set_xlabel("balanced accuracy")
    ax.legend(fontsize=7.5, loc="center left", bbox_to_anchor=(1.0, 0.5))
