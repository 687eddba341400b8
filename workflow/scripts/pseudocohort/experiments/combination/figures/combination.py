"""Combination: accuracy against the number of real tissue profiles, with and without the cell level."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ...shared.style import GREY, INK, PURPLE, SKY, YELLOW, colour_of, dots

BASELINES = {
    "real": ("tissue_only", INK, "real tissue only"),
    "stacking": ("both", GREY, "lines stacked on tissue"),
    "level_shift": ("both", SKY, "additive level shift"),
    "empirical_bayes": ("both", PURPLE, "empirical Bayes means"),
}


def _curve(table: pd.DataFrame, generator: str, arm: str) -> pd.DataFrame:
    """Rows by k; without real tissue the arm "both" is "cell_only"."""
    rows = table[table["generator"] == generator]
    wanted = {arm, "cell_only"} if arm == "both" else {arm}
    return rows[rows["regime"].isin(wanted) & (rows["n_real"] >= 0)].sort_values("n_real")


def draw(summary: pd.DataFrame) -> Figure:
    """Figure from the summary table of combination."""
    table = summary[(summary["metric"] == "balanced_accuracy") & summary["task"].isna()]
    made = [g for g in dict.fromkeys(table["generator"]) if g not in BASELINES]
    variants = table[table["regime"].astype(str).str.contains("+", regex=False)]
    rows = 2 if len(variants) else 1
    figure = plt.figure(figsize=(3.4 + 3.2 * len(made), 3.4 * rows))
    grid = figure.add_gridspec(rows, 1 + len(made))
    first = figure.add_subplot(grid[0, 0])
    axes = np.array([[first, *(figure.add_subplot(grid[0, i + 1], sharey=first) for i in range(len(made)))]])
    ks = sorted(k for k in table["n_real"].dropna().unique() if k >= 0)
    place = {k: i for i, k in enumerate(ks)}
    ceiling = table[(table["generator"] == "real") & (table["regime"] == "ceiling")]

    def plot(ax, generator: str, arm: str, colour: str, label: str, dashed: bool = False) -> None:
        rows = _curve(table, generator, arm)
        if rows.empty:
            return
        x = [place[k] for k in rows["n_real"]]
        ax.plot(
            x,
            rows["value"],
            color=colour,
            linestyle=(0, (3, 2)) if dashed else "-",
            marker="o",
            markersize=4,
            label=label,
        )
        ax.fill_between(
            x, rows["ci_low"].astype(float), rows["ci_high"].astype(float), color=colour, alpha=0.13, linewidth=0
        )

    for generator, (arm, colour, label) in BASELINES.items():
        plot(axes[0, 0], generator, arm, colour, label)
    axes[0, 0].set_title("Baselines")
    for ax, generator in zip(axes[0, 1:], made, strict=True):
        plot(ax, "real", "tissue_only", INK, "real tissue only")
        plot(ax, generator, "tissue_only", YELLOW, "generator: tissue only")
        plot(ax, generator, "both", colour_of(generator), "generator: both levels")
        plot(ax, generator, "permuted", GREY, "both, lines permuted", dashed=True)
        ax.set_title(generator)
    for ax in axes[0]:
        if len(ceiling):
            ax.axhline(float(ceiling["value"].iloc[0]), color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
        ax.set_xticks(range(len(ks)), [f"{int(k)}" for k in ks])
        ax.set_xlabel("real tissue profiles per condition")
        ax.legend(fontsize=7.5, loc="lower right")
    if len(variants):
        _ablation(figure.add_subplot(grid[1, :]), table, made, min(variants["n_real"]))
    axes[0, 0].set_ylabel("balanced accuracy")
    axes[0, 0].set_ylim(max(0, table["value"].min() - 0.15), 1.02)
    return figure


def _ablation(ax, table: pd.DataFrame, made: list[str], k: float) -> None:
    """What a generator saw, and how its levels were aligned, at one k: accuracy with its interval."""
    at = table[table["n_real"] == k]
    arms = [a for a in ("tissue_only", "permuted", "both") if (at["regime"] == a).any()]
    arms += sorted(a for a in at["regime"].unique() if "+" in str(a))
    step = 0.7 / max(len(made), 1)
    for i, generator in enumerate(made):
        for y, arm in enumerate(arms):
            rows = at[(at["generator"] == generator) & (at["regime"] == arm)]
            if len(rows):
                dots(ax, y + (i - (len(made) - 1) / 2) * step, rows.iloc[0], colour_of(generator))
        ax.plot([], [], "o", color=colour_of(generator), label=generator)
    for name, (arm, colour, label) in BASELINES.items():
        value = at.loc[(at["generator"] == name) & (at["regime"] == arm), "value"]
        if len(value) and name != "empirical_bayes":
            ax.axvline(float(value.iloc[0]), color=colour, linewidth=0.9, linestyle=(0, (4, 3)), label=label)
    names = {"tissue_only": "tissue only", "permuted": "both, lines permuted", "both": "both, scaled by level"}
    ax.set_yticks(range(len(arms)), [names.get(a, a.replace("both+", "both, ").replace("_", " ")) for a in arms])
    ax.invert_yaxis()
    ax.set_title(f"What the generator saw, and how levels were aligned ({int(k)} per condition)")
    ax.set_xlabel("balanced accuracy")
    ax.legend(fontsize=7.5, loc="center left", bbox_to_anchor=(1.0, 0.5))
