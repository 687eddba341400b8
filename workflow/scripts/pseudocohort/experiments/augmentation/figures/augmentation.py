"""Augmentation: gain over no augmentation, by generator and regime, for each task and number of real profiles."""

from __future__ import annotations

from textwrap import fill
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ...shared.estimators import BEST
from ...shared.plan import task_titles
from ...shared.style import BLUE, DASHED, GREEN, GREY, INK, ORANGE, PURPLE, dots, empty, order_of
from ...shared.tables import rows_with

REGIMES = {
    "same_n": (BLUE, "same patients only"),
    "unlabeled": (PURPLE, "+ unlabelled"),
    "transfer": (GREEN, "+ other conditions and levels"),
    "oracle": (ORANGE, "oracle: saw all training donors"),
}
#: Real profiles used without a generator: place in the last line, and mark.
WITHOUT_GENERATOR = {"stacking": (-0.15, "D"), "named": (0.15, "s")}


def size_of(n: float) -> str:
    """Number of real profiles in words."""
    return {0: "1 per class", -1: "all"}.get(int(n), f"n = {int(n)}")


def shown(summary: pd.DataFrame) -> pd.DataFrame:
    """Rows that are drawn: of real profiles the best baseline; of arms the classifier that gains most over all."""
    gains = summary[(summary["metric"] == "balanced_accuracy_gain") & (summary["generator"] != "real")]
    means = gains.groupby("estimator")["value"].mean()
    real = summary["regime"].isin(["none", "ceiling"])
    return summary[(summary["estimator"] == means.idxmax()) & ~real | (summary["estimator"] == BEST) & real]


def draw(summary: pd.DataFrame, config: dict[str, Any]) -> Figure:
    """Figure from the summary table of augmentation (the most synthetic profiles)."""
    table, titles = shown(summary), task_titles(config)
    gains = table[table["metric"] == "balanced_accuracy_gain"]
    tasks = list(dict.fromkeys(table["task"].dropna()))
    sizes = sorted(set(gains["n_real"].dropna()))
    generators = order_of(list(gains.loc[gains["generator"] != "real", "generator"]))
    # Where nothing is used without a generator there is no row for it.
    others = ["no generator"] if gains["regime"].isin(list(WITHOUT_GENERATOR)).any() else []
    height = 1.0 + (0.9 + 0.30 * (len(generators) + len(others))) * len(tasks)
    figure, axes = plt.subplots(
        len(tasks), len(sizes), figsize=(3.2 + 3.4 * len(sizes), height), squeeze=False, sharey=True, sharex="row"
    )
    for i, task in enumerate(tasks):
        ceiling = rows_with(table, task=task, regime="ceiling", metric="balanced_accuracy")["value"]
        for j, n in enumerate(sizes):
            ax = axes[i, j]
            here = rows_with(gains, task=task, n_real=n)
            if here.empty:
                empty(ax, "not run")
                continue
            none = rows_with(table, task=task, regime="none", n_real=n, metric="balanced_accuracy")["value"].iloc[0]
            for y, generator in enumerate(generators):
                rows = here[here["generator"] == generator]
                for k, (regime, (colour, _)) in enumerate(REGIMES.items()):
                    one = rows[rows["regime"] == regime].sort_values("n_synthetic")
                    if len(one):
                        row = one.iloc[-1]
                        dots(ax, y + (k - 1.5) * 0.19, 100 * row[["value", "ci_low", "ci_high"]].astype(float), colour,
                             filled=regime != "oracle", size=20)  # fmt: skip
            for regime, (offset, marker) in WITHOUT_GENERATOR.items():
                for _, row in here[here["regime"] == regime].head(1)[["value", "ci_low", "ci_high"]].iterrows():
                    dots(ax, len(generators) + offset, 100 * row.astype(float), INK, marker=marker, size=22)
            if others and not here["regime"].isin(list(WITHOUT_GENERATOR)).any():
                at, x = (0.98, len(generators)), ax.get_yaxis_transform()
                ax.annotate("none of these classes", at, xycoords=x, fontsize=8, ha="right", va="center")
            ax.axvline(0, color=INK, linewidth=1)
            if len(ceiling):
                ax.axvline(100 * (ceiling.iloc[0] - none), color=GREY, linewidth=1, linestyle=DASHED)
            title = f"{titles.get(task, task)}, {size_of(n)} (alone: {none:.2f})"
            ax.set_title(fill(title, 52), fontsize=8.5)
            ax.set_xlabel("gain in balanced accuracy, points" if i == len(tasks) - 1 else "")
        axes[i, 0].set_yticks(np.arange(len(generators) + len(others)), [*generators, *others])
    axes[0, 0].set_ylim(len(generators) + len(others) - 0.4, -0.6)
    used = [r for r in REGIMES if (gains["regime"] == r).any()]
    handles = []
    for regime in used:
        colour, label = REGIMES[regime]
        face = "white" if regime == "oracle" else colour
        handles.append(Line2D([], [], marker="o", linestyle="", color=colour, markerfacecolor=face, label=label))
    for regime, label in (("stacking", "source profiles themselves"), ("named", "unlabelled, named by a mixture")):
        if (gains["regime"] == regime).any():
            marker = WITHOUT_GENERATOR[regime][1]
            handles.append(Line2D([], [], marker=marker, linestyle="", color=INK, label=label))
    handles.append(Line2D([], [], color=GREY, linestyle=DASHED, label="all real profiles"))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), fontsize=8)
    return figure
