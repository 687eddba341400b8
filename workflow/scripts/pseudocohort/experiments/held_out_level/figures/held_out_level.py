"""Held-out level: how close each method comes to a condition that it never saw at the level."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...shared.style import DASHED, GREY, INK, colour_of, name_points
from ...shared.tables import rows_with
from ..names import BASELINES

METRICS = {
    "centroid_r": "centroid correlation",
    "detection_auc": "detection AUC",
    "mmd": "MMD (lower is better)",
    "coverage": "coverage",
}


def draw(summary: pd.DataFrame, config: dict[str, Any]) -> Figure:
    """Figure from the summary table of the held-out level: a row per hidden level, a column per metric."""
    levels = sorted(summary["level"].dropna().unique(), key=lambda name: name == "pseudobulk")
    present = dict.fromkeys(summary["generator"])
    methods = [m for m in BASELINES if m in present]
    methods += [m for m in present if m not in (*BASELINES, "real")]
    figure, axes = plt.subplots(
        len(levels), len(METRICS), figsize=(10.5, (0.27 * len(methods) + 0.9) * len(levels)), squeeze=False, sharey=True
    )
    for row, level in zip(axes, levels, strict=True):
        for ax, (metric, label) in zip(row, METRICS.items(), strict=True):
            at = rows_with(summary, level=level, metric=metric)
            _panel(ax, at, methods)
            ax.set_title(label)
        row[0].set_yticks(range(len(methods)), [m.replace("_", " ") for m in methods])
        row[0].set_ylabel(f"hidden: {level}", fontweight="bold")
    axes[0, 0].invert_yaxis()
    return figure


def _panel(ax: Axes, table: pd.DataFrame, methods: list[str]) -> None:
    """One metric at one level: means over conditions, the conditions as dots, the permuted control in grey."""
    overall, single = table[table["task"].isna()], table[table["task"].notna()]
    ceiling = rows_with(overall, generator="real", regime="combined")["value"]
    if len(ceiling):
        ax.axvline(float(ceiling.iloc[0]), color=INK, linewidth=0.9, linestyle=DASHED)
    for y, method in enumerate(methods):
        colour = INK if method in BASELINES else colour_of(method)
        for regime, shift, shade in (("permuted", 0.22, GREY), ("combined", -0.12, colour)):
            rows = rows_with(overall, generator=method, regime=regime)
            if rows.empty:
                continue
            value, low, high = rows[["value", "ci_low", "ci_high"]].iloc[0].astype(float)
            if np.isfinite(low):
                ax.plot([low, high], [y + shift, y + shift], color=shade, linewidth=1.6)
            ax.plot(value, y + shift, "o", color=shade, markersize=5 if regime == "combined" else 3.5)
        dots = rows_with(single, generator=method, regime="combined")
        points = ax.scatter(dots["value"], np.full(len(dots), y - 0.12), marker="|", color=colour, alpha=0.45, s=25)
        name_points(points, dots["task"])
