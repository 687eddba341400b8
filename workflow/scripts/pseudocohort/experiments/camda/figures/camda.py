"""CAMDA track: accuracy on held-out patients, and what it costs in likeness and copying."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ...shared.style import by_generator, order_of

METRICS = {
    "accuracy": "accuracy, synthetic to real",
    "coverage": "coverage",
    "discriminator_auc": "real-vs-synthetic AUC (.5 is best)",
    "closer_to_train_share": "closer to training (.5 is best)",
}


def draw(summary: pd.DataFrame, config: dict[str, Any]) -> Figure:
    """Figure from the summary table of the CAMDA track."""
    names = [g for g in order_of(list(summary["generator"].dropna())) if g != "real"]
    figure, axes = plt.subplots(1, len(METRICS), figsize=(11, 0.3 * len(names) + 0.9), sharey=True)
    for ax, (metric, label) in zip(axes, METRICS.items(), strict=True):
        by_generator(ax, summary[summary["metric"] == metric], names)
        ax.set_title(label, fontsize=8.5)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].invert_yaxis()
    return figure
