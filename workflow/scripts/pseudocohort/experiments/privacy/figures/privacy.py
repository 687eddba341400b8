"""Privacy: AUC of every attack on every generator, and the largest one where no candidate was in the training set."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from ...shared.style import INK, RED, order_of

SHADES = LinearSegmentedColormap.from_list("risk", ["#ffffff", "#fbe3d3", RED])


def draw(summary: pd.DataFrame, config: dict[str, Any]) -> Figure:
    """Figure from the summary table of privacy."""
    # Conditions have rows of their own; an attack that could not run has no value.
    auc = summary[(summary["metric"] == "auc") & summary["task"].isna() & summary["value"].notna()]
    generators = order_of(list(auc["generator"]))
    attacks = list(dict.fromkeys(auc.loc[auc["regime"] == "audit", "estimator"]))
    white_box = auc[auc["regime"] == "white_box"].groupby("generator")["value"].max()
    audit = auc[auc["regime"] == "audit"].pivot_table(index="generator", columns="estimator", values="value")
    control = auc[auc["regime"] == "negative_control"].pivot_table(
        index="generator", columns="estimator", values="value"
    )
    audit, control = audit.reindex(generators)[attacks], control.reindex(generators).reindex(columns=attacks)
    table = audit.assign(**{"control: largest": control.max(axis=1)})
    if len(white_box):
        table["model in hand: largest"] = white_box.reindex(generators)
    figure, ax = plt.subplots(figsize=(1.9 + 1.15 * len(table.columns), 1.1 + 0.32 * len(generators)))
    ax.imshow(np.abs(table.to_numpy() - 0.5) + 0.5, cmap=SHADES, vmin=0.5, vmax=1, aspect="auto")
    for i in range(len(generators)):
        for j in range(len(table.columns)):
            value = table.iloc[i, j]
            if np.isfinite(value):
                dark = value > 0.85
                ax.text(j, i, f"{value:.2f}", ha="center", va="center", color="white" if dark else INK,
                        fontweight="bold" if value > 0.6 else "normal")  # fmt: skip
    ax.set_xticks(range(len(table.columns)), [c.replace("_", "\n") for c in table.columns], fontsize=8)
    ax.xaxis.tick_top()
    ax.set_yticks(range(len(generators)), generators)
    ax.axvline(len(attacks) - 0.5, color=INK, linewidth=1.2)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    return figure
