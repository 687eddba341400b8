"""One look for all figures, and files that are the same for the same numbers."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from ...core.io import atomic
from ...generators.base.registry import generators
from .order import order_of as order_of

#: Colour-blind safe (Okabe & Ito 2008).
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442",
)  # fmt: skip
GREY, LIGHT, INK = "#8a8f98", "#e3e6ea", "#1d2430"
#: Line of what is compared with.
DASHED = (0, (4, 3))
CYCLE = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW, GREY)

plt.rcParams.update(
    {
        "svg.hashsalt": "pseudocohort",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 9,
        "axes.titlesize": 9.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.edgecolor": GREY,
        "axes.labelcolor": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": LIGHT,
        "grid.linewidth": 0.7,
        "axes.axisbelow": True,
        "xtick.color": INK,
        "ytick.color": INK,
        "text.color": INK,
        "legend.frameon": False,
        "figure.constrained_layout.use": True,
    }
)


def save(figure: Figure, path: str | Path) -> None:
    """Write the figure as SVG, without a date, in one rename."""
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    # A link to a name is how matplotlib lets a point of a collection carry one; in the file it is the point's title.
    text = re.sub(
        r'<a xlink:href="point:([^"]*)"[^>]*>(.*?)</a>', r"<g><title>\1</title>\2</g>", drawn.getvalue(), flags=re.S
    )
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def name_points(points: PathCollection, names: Iterable[str]) -> None:
    """Say of each point of a scatter plot what it is: a browser shows it where the pointer rests."""
    points.set_urls([f"point:{name}" for name in names])


def colour_of(generator: str) -> str:
    """Ink for real data, the colour of a generator, grey for what has none."""
    kind = generators().get(generator)
    return INK if generator == "real" else (kind.colour if kind else "") or GREY


def spread(wanted: np.ndarray, gap: float) -> np.ndarray:
    """Positions at least `gap` apart, in the order of `wanted` and near to it."""
    order, out = np.argsort(wanted, kind="stable"), np.array(wanted, dtype=float)
    groups: list[list[int]] = []
    for i in order:
        groups.append([i])
        while len(groups) > 1:
            a, b = groups[-2], groups[-1]
            top = np.mean(wanted[a]) + gap * (len(a) - 1) / 2
            if np.mean(wanted[b]) - gap * (len(b) - 1) / 2 - top >= gap:
                break
            groups[-2:] = [a + b]
    for group in groups:
        out[group] = np.mean(wanted[group]) + gap * (np.arange(len(group)) - (len(group) - 1) / 2)
    return out


def empty(ax: Axes, text: str) -> None:
    """Say why a panel has nothing to show."""
    ax.text(0.5, 0.5, text, ha="center", va="center", color=GREY, transform=ax.transAxes, wrap=True)
    ax.set_axis_off()


def dots(ax: Axes, y: float, row, colour: str, *, marker: str = "o", filled: bool = True, size: float = 28) -> None:
    """A mean with its interval as a horizontal bar; `row` has value, ci_low and ci_high."""
    ax.plot([row["ci_low"], row["ci_high"]], [y, y], color=colour, linewidth=1.6, solid_capstyle="butt", zorder=2)
    ax.scatter(row["value"], y, s=size, marker=marker, color=colour if filled else "white", edgecolor=colour, zorder=3)


def by_generator(
    ax: Axes,
    table: pd.DataFrame,
    names: Sequence[str],
    *,
    colour: str = "",
    shift: float = 0.0,
    real: bool = True,
    **dot,
) -> None:
    """A dot with its interval in the line of each generator of `names`, and a dashed line at real profiles.

    They have one colour, or each generator's own, and are moved by `shift` lines; `dot` is for :func:`dots`.
    """
    rows = table.set_index("generator")
    for y, name in enumerate(names):
        if name in rows.index:
            dots(ax, y + shift, rows.loc[name], colour or colour_of(name), **dot)
    if real and "real" in rows.index:
        ax.axvline(rows.loc["real", "value"], color=colour or INK, linewidth=0.9, linestyle=DASHED, zorder=1)
