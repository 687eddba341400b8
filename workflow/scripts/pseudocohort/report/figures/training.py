"""Training: loss curves of one training set by generator."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from .style import CYCLE, empty


def draw(histories: dict[str, pd.DataFrame]) -> Figure:
    """Figure from the loss curves (``step`` and one column per loss) by generator."""
    figure, axes = plt.subplots(1, max(1, len(histories)), figsize=(1 + 3 * max(1, len(histories)), 2.4), squeeze=False)
    if not histories:
        empty(axes[0, 0], "no generator with a training loop in this study")
    for ax, (name, history) in zip(axes[0], histories.items(), strict=False):
        for colour, loss in zip(CYCLE, [c for c in history if c != "step"], strict=False):
            ax.plot(history["step"], history[loss], color=colour, linewidth=1.3, label=loss.replace("_", " "))
        ax.set_title(name)
        ax.set_xlabel("step")
        ax.legend(fontsize=7.5)
    axes[0, 0].set_ylabel("loss")
    return figure
