"""Use against leakage: what each generator's profiles teach, over how well its training donors can be told."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...shared.style import BLUE, GREEN, GREY, INK, ORANGE, empty, order_of, spread
from ..evidence import SAY

USE, CEILING = "tstr_balanced_accuracy", "members_balanced_accuracy"
#: Height of a label in inches.
_LINE = 0.16


def points(summary: pd.DataFrame) -> pd.DataFrame:
    """One row per generator: ``leakage`` and ``use`` with intervals, and the ``epsilon`` claimed."""
    audit = summary[summary["regime"].astype(str) == "audit"]
    # The attack that the report's table names and the gate judges: of the battery, the stack, shadow attacks and larger
    # releases, whichever finds most.
    attacks = summary[summary["regime"].isin(list(SAY)) & (summary["metric"] == "auc") & summary["value"].notna()]
    shrunk = attacks["task"].astype(str).str.extract(r" x(\S+)$")[0].astype(float) < 1
    attacks = attacks[~((attacks["regime"] == "release_size") & shrunk)]
    leakage = attacks.loc[attacks.groupby("generator", sort=False)["value"].idxmax()].set_index("generator")
    use = audit[audit["metric"] == USE].set_index("generator")
    ledger = audit[audit["estimator"] == "ledger"].pivot_table(index="generator", columns="metric", values="value")
    rows = []
    for name in order_of([g for g in leakage.index if g in use.index]):
        row = {"generator": name, "epsilon": np.nan, "private": name in ledger.index}
        if row["private"] and ledger.loc[name].get("guarantee", 0) == 1:
            row["epsilon"] = ledger.loc[name].get("epsilon", np.nan)
        for key, table in (("leakage", leakage), ("use", use)):
            row |= {key: table.loc[name, "value"], f"{key}_low": table.loc[name, "ci_low"]}
            row[f"{key}_high"] = table.loc[name, "ci_high"]
        rows.append(row)
    return pd.DataFrame(rows)


def _labels(ax: Axes, table: pd.DataFrame, low: float, high: float) -> None:
    """Names beside the points, in a column for those that leak and one for the others."""
    gap = (high - low) * _LINE / (ax.figure.get_figheight() - 0.9)
    for leaks in (True, False):
        own = table[(table["leakage"] > 0.8) == leaks]
        if own.empty:
            continue
        places = spread(own["use"].to_numpy(), gap)
        column = 1.04 if leaks else max(0.63, own["leakage"].max() + 0.03)
        for place, (_, row) in zip(places, own.iterrows(), strict=True):
            claim = f" (\u03b5 = {row['epsilon']:.2g})" if np.isfinite(row["epsilon"]) else ""
            ax.annotate(
                row["generator"] + claim,
                (row["leakage"], row["use"]),
                (column, place),
                fontsize=8, va="center", annotation_clip=False,
                bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "linewidth": 0},
                arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.6, "shrinkB": 3},
            )  # fmt: skip


def draw(summary: pd.DataFrame, config: dict[str, Any]) -> Figure:
    """Figure from the summary table of privacy, and the bound of the release gate."""
    bound = config["release"]["max_auc_high"]
    table = points(summary)
    figure, ax = plt.subplots(figsize=(7.6, 2.6 + 0.15 * len(table)))
    if table.empty:
        empty(ax, "no cohort has classes to tell apart")
        return figure
    table[["leakage_low", "leakage_high"]] = table[["leakage_low", "leakage_high"]].clip(0, 1).fillna(0.5)
    ceiling = summary.loc[summary["metric"] == CEILING, "value"].mean()
    seen = np.append(table["use"], ceiling)
    margin = 0.06 * (seen.max() - seen.min()) + 0.02
    low, high = seen.min() - margin, seen.max() + margin
    ax.axvspan(0.4, bound, color=GREEN, alpha=0.09, linewidth=0)
    ax.text(bound - 0.005, low + 0.2 * margin, "the gate lets pass", ha="right", va="bottom", fontsize=8, color=GREEN)
    ax.axvline(0.5, color=GREY, linewidth=1)
    ax.axhline(ceiling, color=INK, linewidth=1, linestyle="--")
    ax.text(bound + 0.01, ceiling, "the donors themselves", ha="left", va="bottom", fontsize=8)
    for _, row in table.iterrows():
        colour = ORANGE if row["private"] else BLUE
        marker = "s" if row["private"] else "o"
        ax.plot([row["leakage_low"], row["leakage_high"]], [row["use"]] * 2, color=colour, linewidth=1.2, alpha=0.6)
        filled = not row["private"] or np.isfinite(row["epsilon"])
        ax.scatter(row["leakage"], row["use"], s=30, marker=marker, color=colour if filled else "white",
                   edgecolor=colour, zorder=3)  # fmt: skip
    ax.set_xlim(0.42, 1.02)
    ax.set_ylim(low, high)
    _labels(ax, table, low, high)
    handles = [
        plt.Line2D([], [], marker=m, linestyle="", color=c, markerfacecolor=f, label=text)
        for m, c, f, text in (
            ("o", BLUE, BLUE, "no guarantee asked for"),
            ("s", ORANGE, ORANGE, "differentially private"),
            ("s", ORANGE, "white", "noise, but no guarantee"),
        )
    ]
    if table["private"].any():
        ax.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=8)
    ax.set_xlabel("AUC of the attack that does best  (left is better; .5 is a guess)")
    ax.set_ylabel("balanced accuracy of conditions\nof other donors (up is better)")
    return figure
