"""Learning curves of augmentation: by number of real profiles, by number of synthetic ones, and by class."""

from __future__ import annotations

from textwrap import fill
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from ...shared.estimators import RECALL
from ...shared.learning_curve import classes_of
from ...shared.plan import task_titles
from ...shared.style import DASHED, GREY, INK, LIGHT, empty
from ...shared.tables import rows_with
from .augmentation import REGIMES, shown

ACCURACY, GAIN = "balanced_accuracy", "balanced_accuracy_gain"
#: Regimes in which the generator saw what a user with n profiles has.
HONEST = ("same_n", "unlabeled", "transfer")
BASELINE = "mvn"


def chosen(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Regimes with the generator whose mean gain in them is largest, and the Gaussian of the same profiles."""
    gains = table[(table["metric"] == GAIN) & (table["generator"] != "real")]
    most = gains["n_synthetic"] == gains["n_synthetic"].max()
    means = gains[most].groupby(["regime", "generator"])["value"].mean()
    pairs = [(r, means[r].idxmax()) for r in HONEST if r in means.index.get_level_values(0)]
    if ("same_n", BASELINE) in means.index and ("same_n", BASELINE) not in pairs:
        pairs.append(("same_n", BASELINE))
    return pairs


def _style(regime: str, generator: str) -> dict:
    """Colour and line of a pair; the Gaussian of the same profiles is grey and dotted."""
    if generator == BASELINE and regime == "same_n":
        return {"color": GREY, "linestyle": ":", "marker": "s"}
    return {"color": REGIMES[regime][0], "linestyle": "-", "marker": "o"}


def _curve(ax: Axes, table: pd.DataFrame, pairs: list[tuple[str, str]], classes: int) -> None:
    """Accuracy against the number of real profiles."""

    def at(n: pd.Series) -> np.ndarray:
        return n.where(n > 0, classes).to_numpy(dtype=float)

    accuracy = table[(table["metric"] == ACCURACY) & (table["n_real"] >= 0)]
    alone = accuracy[accuracy["regime"] == "none"].sort_values("n_real")
    x = at(alone["n_real"])
    ax.fill_between(x, alone["ci_low"].clip(0, 1), alone["ci_high"].clip(0, 1), color=LIGHT)
    ax.plot(x, alone["value"], color=INK, marker="o", markersize=3, linewidth=1.8, label="real profiles alone")
    ceiling = rows_with(table, metric=ACCURACY, regime="ceiling")["value"]
    if len(ceiling):
        ax.axhline(float(ceiling.iloc[0]), color=GREY, linestyle=DASHED, linewidth=1, label="all real profiles")
    for i, (regime, generator) in enumerate(pairs):
        own = rows_with(accuracy, regime=regime, generator=generator)
        own = own[own["n_synthetic"] == own["n_synthetic"].max()].sort_values("n_real")
        bars = np.abs(own[["ci_low", "ci_high"]].clip(0, 1).to_numpy().T - own["value"].to_numpy())
        bars[~np.isfinite(bars)] = 0
        ax.errorbar(
            at(own["n_real"]) * 1.04 ** (i + 1), own["value"], bars, markersize=4.5, linewidth=1.1, elinewidth=1,
            label=f"+ {generator}, {REGIMES[regime][1]}", **_style(regime, generator),
        )  # fmt: skip
    ax.set_xscale("log")
    ticks = sorted(set(x.astype(int)))
    ticks = [t for i, t in enumerate(ticks) if i == 0 or t >= 1.3 * ticks[i - 1]]
    ax.set_xticks(ticks, [str(t) for t in ticks])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("real profiles")
    ax.set_ylabel("balanced accuracy")


def _amount(ax: Axes, gains: pd.DataFrame, pairs: list[tuple[str, str]]) -> None:
    """Gain against the number of synthetic profiles."""
    own = gains[gains["metric"] == GAIN]
    for regime, generator in pairs:
        line = rows_with(own, regime=regime, generator=generator).sort_values("n_synthetic")
        style = _style(regime, generator)
        ax.plot(line["n_synthetic"], 100 * line["value"], markersize=4.5, linewidth=1.1, **style)
        ax.fill_between(line["n_synthetic"], 100 * line["ci_low"], 100 * line["ci_high"], color=style["color"],
                        alpha=0.13, linewidth=0)  # fmt: skip
    ax.axhline(0, color=INK, linewidth=1)
    sizes = sorted(own["n_synthetic"].dropna().unique())
    ax.set_xscale("log")
    ax.set_xticks(sizes, [f"{int(m):,}" for m in sizes])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("synthetic profiles added")
    ax.set_ylabel("gain, points")


def _classes(ax: Axes, table: pd.DataFrame, gains: pd.DataFrame, pairs: list[tuple[str, str]], n: float) -> None:
    """Gain in recall by class, the class that real profiles alone find worst at the top."""
    alone = table[(table["regime"] == "none") & (table["n_real"] == n) & table["metric"].str.startswith(RECALL)]
    alone = alone.sort_values("value")
    names = list(alone["metric"].str.removeprefix(RECALL))
    for i, (regime, generator) in enumerate(pairs):
        own = rows_with(gains, regime=regime, generator=generator)
        own = own[own["n_synthetic"] == own["n_synthetic"].max()].set_index("metric")
        rows = own.reindex([f"{RECALL}{name}_gain" for name in names])
        y, style = np.arange(len(names)) + (i - (len(pairs) - 1) / 2) * 0.2, _style(regime, generator)
        ax.hlines(y, 100 * rows["ci_low"], 100 * rows["ci_high"], color=style["color"], linewidth=1.2)
        ax.scatter(100 * rows["value"], y, color=style["color"], marker=style["marker"], s=18, zorder=3)
    ax.axvline(0, color=INK, linewidth=1)
    labels = [f"{name} ({value:.2f})" for name, value in zip(names, alone["value"], strict=True)]
    ax.set_yticks(range(len(names)), labels, fontsize=8)
    ax.invert_yaxis()
    ax.set_xlabel("gain in recall, points")


def draw(summary: pd.DataFrame, config: dict[str, Any]) -> Figure:
    """Figure from the summary table of augmentation."""
    summary, titles = shown(summary), task_titles(config)
    tasks = list(dict.fromkeys(summary["task"].dropna()))
    figure, axes = plt.subplots(
        len(tasks), 3, figsize=(10.4, 3.5 * len(tasks)), squeeze=False, width_ratios=(1.25, 1, 1)
    )
    for row, task in zip(axes, tasks, strict=True):
        table = summary[summary["task"] == task]
        pairs = chosen(table)
        if not pairs:
            for ax in row:
                empty(ax, "no regime that a user with few profiles could use")
            continue
        classes = classes_of(table)
        n = table.loc[table["metric"] == GAIN, "n_real"].max()
        gains = table[(table["n_real"] == n) & (table["generator"] != "real")]
        _curve(row[0], table, pairs, classes)
        _amount(row[1], gains, pairs)
        _classes(row[2], table, gains, pairs, n)
        row[0].set_title(fill(titles.get(task, task), 44), fontsize=8.5)
        row[0].legend(fontsize=7, loc="lower right")
        size = f"{int(n) or classes} real profiles"
        row[1].set_title(f"{size}: more synthetic ones", fontsize=8.5)
        row[2].set_title(f"{size}: by class (alone)", fontsize=8.5)
    return figure
