"""Combination: accuracy against the number of real tissue profiles, with and without the cell level."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from .style import GREY, INK, PURPLE, SKY, YELLOW, colour_of

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
    table = summary[summary["metric"] == "balanced_accuracy"]
    made = [g for g in dict.fromkeys(table["generator"]) if g not in BASELINES]
    figure, axes = plt.subplots(1, 1 + len(made), figsize=(3.4 + 3.2 * len(made), 3.4), sharey=True, squeeze=False)
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
    axes[0, 0].set_ylabel("balanced accuracy")
    axes[0, 0].set_ylim(max(0, table["value"].min() - 0.15), 1.02)
    return figure
