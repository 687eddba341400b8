"""Training: loss curves of one training set by generator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ....core.io import read_table
from ...shared.style import CYCLE, empty
from ..plan import FIRST

#: Panels side by side.
ACROSS = 4


def draw(histories: dict[str, pd.DataFrame]) -> Figure:
    """Figure from the loss curves (``step`` and one column per loss) by generator."""
    columns = max(1, min(ACROSS, len(histories)))
    lines = max(1, -(-len(histories) // columns))
    figure, axes = plt.subplots(lines, columns, figsize=(1 + 3 * columns, 2.4 * lines), squeeze=False)
    if not histories:
        empty(axes[0, 0], "no generator with a training loop in this study")
    for ax in axes.flat[max(1, len(histories)) :]:
        ax.set_axis_off()
    for ax, (name, history) in zip(axes.flat, histories.items(), strict=False):
        for colour, loss in zip(CYCLE, [c for c in history if c != "step"], strict=False):
            ax.plot(history["step"], history[loss], color=colour, linewidth=1.3, label=loss.replace("_", " "))
        ax.set_title(name)
        ax.set_xlabel("step")
        ax.legend(fontsize=7.5)
    for ax in axes[:, 0]:
        ax.set_ylabel("loss")
    return figure


def figure(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Figure of the first training set, from the files that its description names."""
    curves = {Path(path).parent.name: Path(path) / FIRST / "history.tsv" for path in files["models"]}
    return draw({name: read_table(path) for name, path in curves.items()})
