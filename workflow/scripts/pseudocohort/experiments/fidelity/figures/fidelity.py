"""Fidelity: key metrics by generator, the ceiling of real data as a line."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ...shared.style import by_generator, order_of

PANELS = (
    ("coverage", "Coverage", "higher is better"),
    ("correlation_score_within", "Correlation within", "higher is better"),
    ("discriminator_auc", "Discriminator AUC", ".5 is ideal"),
    ("de_logfc_r", "Fold changes (r)", "higher is better"),
    ("memorisation_share", "Memorised", "0 is ideal"),
)


def draw(summary: pd.DataFrame, config: dict[str, Any]) -> Figure:
    """Figure from the summary table of fidelity."""
    table = summary[summary["task"].isna()]
    generators = order_of(list(table["generator"]))
    figure, axes = plt.subplots(1, len(PANELS), figsize=(11, 0.6 + 0.27 * len(generators)), sharey=True)
    for ax, (metric, title, hint) in zip(axes, PANELS, strict=True):
        by_generator(ax, table[table["metric"] == metric], generators)
        ax.set_title(title)
        ax.set_xlabel(hint)
        ax.margins(x=0.08)
        low, high = ax.get_xlim()
        ax.set_xlim(max(low, -0.05), min(high, 1.05))  # all five are shares or correlations; intervals may pass 1
    axes[0].set_yticks(range(len(generators)), generators)
    axes[0].invert_yaxis()
    return figure
