"""Interventions: agreement of predicted with known do-effects, by operator."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ....core.io import read_table
from ...shared.style import BLUE, GREY, dots

PANELS = (
    ("pearson_delta", "Correlation with true changes"),
    ("sign_at_20", "Right sign, 20 largest changes"),
    ("regulator_vs_leaf_auroc", "Regulator against leaf (AUROC)"),
)


def draw(summary: pd.DataFrame) -> Figure:
    """Figure from the summary table of interventions."""
    table = summary.assign(
        operator=summary["generator"] + summary["estimator"].fillna("").map(lambda e: f", {e} graph" if e else "")
    )
    panels = [(m, t) for m, t in PANELS if (table["metric"] == m).any()]
    levels = list(dict.fromkeys(table["level"].dropna()))
    shown = table[table["metric"] == panels[0][0]].groupby("operator")["value"].mean().sort_values(ascending=False)
    figure, axes = plt.subplots(
        1, len(panels), figsize=(2 + 3 * len(panels), 1.0 + 0.3 * len(shown)), sharey=True, squeeze=False
    )
    for ax, (metric, title) in zip(axes[0], panels, strict=True):
        for y, operator in enumerate(shown.index):
            rows = table[(table["metric"] == metric) & (table["operator"] == operator)]
            for k, level in enumerate(levels):
                one = rows[rows["level"] == level]
                if len(one):
                    offset = (k - (len(levels) - 1) / 2) * 0.25
                    dots(ax, y + offset, one.iloc[0], BLUE if operator.startswith("do_g") else GREY,
                         marker="os^D"[k % 4])  # fmt: skip
        ax.set_title(title, fontsize=8.5)
        ax.axvline(0.5 if "auroc" in metric or "sign" in metric else 0, color=GREY, linewidth=0.8)
    axes[0, 0].set_yticks(range(len(shown)), shown.index)
    axes[0, 0].invert_yaxis()
    if len(levels) > 1:
        figure.supxlabel("  ".join(f"{'●■▲◆'[k % 4]} {level}" for k, level in enumerate(levels)), fontsize=8)
    return figure


def figure(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Figure from the files that its description names."""
    return draw(read_table(files["summary"][0]))
