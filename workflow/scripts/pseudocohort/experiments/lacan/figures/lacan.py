"""Lacan track: reverse accuracy by space, and the published metrics beside the same against held-out donors."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ...shared.style import BLUE, GREY, INK, ORANGE, by_generator, order_of
from ..score import SPACES

#: Of each space.
COLOURS = {"max_abs": ORANGE, "z_linear": GREY, "z_log": BLUE}
#: Metric against held-out donors, against training profiles, and what is best.
PANELS = (
    ("reverse_accuracy", None, "reverse accuracy"),
    ("coverage", "coverage_train", "coverage (1 is best)"),
    ("aa", "aa_train", "adversarial accuracy (.5 is best)"),
    ("correlation_score_within", "correlation_score_within_train", "γ within conditions (1 is best)"),
)


def draw(summary: pd.DataFrame, config: dict[str, Any]) -> Figure:
    """Figure from the summary table of the Lacan track."""
    names = [g for g in order_of(list(summary["generator"].dropna())) if g != "real"]
    figure, axes = plt.subplots(1, len(PANELS), figsize=(11, 0.38 * len(names) + 1.2), sharey=True)
    for ax, (filled, hollow, title) in zip(axes, PANELS, strict=True):
        for number, where in enumerate(SPACES):
            table = summary[summary["estimator"] == where]
            style = {"colour": COLOURS[where], "shift": 0.22 * (number - 1), "size": 20}
            by_generator(ax, table[table["metric"] == filled], names, **style)
            if hollow:
                by_generator(ax, table[table["metric"] == hollow], names, real=False, filled=False, **style)
        ax.set_title(title, fontsize=8.5)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].invert_yaxis()
    handles = [
        Line2D([], [], marker="o", linestyle="", color=COLOURS[where], label=label) for where, label in SPACES.items()
    ]
    handles += [
        Line2D([], [], marker="o", linestyle="", color=INK, label="held-out donors"),
        Line2D([], [], marker="o", linestyle="", color=INK, markerfacecolor="white", label="training profiles"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), fontsize=8)
    return figure
