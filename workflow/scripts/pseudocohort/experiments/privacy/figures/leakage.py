"""Leakage against training length and against the size of the release."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ...shared.style import CYCLE, GREY, LIGHT, empty, order_of, spread
from ...shared.tables import rows_with

#: Regime, axis, and the regimes at a factor of 1 (the audit itself).
PANELS = (("training_length", "training length, times the setting"), ("release_size", "synthetic profiles per member"))


#: A generator below this at every point is drawn without its name.
QUIET = 0.58
#: Distance of names, in units of the AUC.
LINE = 0.034


def curves(summary: pd.DataFrame, regime: str) -> pd.DataFrame:
    """Largest AUC by generator, kind of attack and factor: columns ``generator white_box factor value``."""
    auc = summary[(summary["metric"] == "auc") & summary["value"].notna()]
    own = auc[auc["regime"].isin([regime, f"{regime}_white_box"])]
    at_one = auc[auc["regime"].isin(["audit", "white_box"]) & auc["generator"].isin(own["generator"])]
    if regime == "release_size":  # the model does not change with what is drawn from it
        at_one = at_one[at_one["regime"] == "audit"]
    table = pd.concat([own, at_one])
    factor = table["task"].astype(str).str.split(" x").str[-1]
    table = table.assign(
        white_box=table["regime"].str.endswith("white_box"),
        factor=np.where(table["regime"].isin(["audit", "white_box"]), "1", factor),
    )
    table["factor"] = table["factor"].astype(float)
    return table.groupby(["generator", "white_box", "factor"], as_index=False)["value"].max()


def draw(summary: pd.DataFrame, config: dict[str, Any]) -> Figure:
    """Figure from the summary table of privacy."""
    figure, axes = plt.subplots(1, 2, figsize=(8.8, 3.9), sharey=True)
    for ax, (regime, label) in zip(axes, PANELS, strict=True):
        table = curves(summary, regime)
        if table.empty:
            empty(ax, f"privacy.{regime}s is empty")
            continue
        told = table.groupby("generator")["value"].max() >= QUIET
        shown = [name for name in order_of(list(table["generator"])) if told[name]]
        ends = {}
        for i, name in enumerate(order_of(list(table["generator"]))):
            colour = CYCLE[shown.index(name) % len(CYCLE)] if name in shown else LIGHT
            for white_box, line in ((False, "-"), (True, "--")):
                own = rows_with(table, generator=name, white_box=white_box).sort_values("factor")
                if len(own):
                    ax.plot(
                        own["factor"], own["value"], line, marker="o", markersize=3.5, color=colour, zorder=3 - i / 99
                    )
                    if name in shown and not white_box:
                        ends[name] = (float(own["value"].iloc[-1]), colour)
        last = table["factor"].max()
        for (name, (at, colour)), place in zip(
            ends.items(), spread(np.array([value for value, _ in ends.values()]), LINE), strict=True
        ):
            ax.annotate(name, (last, at), (last * 1.12, place), color=colour, fontsize=8, va="center",
                        annotation_clip=False)  # fmt: skip
        if quiet := int((~told).sum()):
            ax.annotate(f"{quiet} others", (last, 0.5), (last * 1.12, 0.5), color=GREY, fontsize=8, va="center",
                        annotation_clip=False)  # fmt: skip
        ax.axhline(0.5, color=GREY, linewidth=1)
        ax.set_xscale("log")
        ticks = sorted(table["factor"].unique())
        ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
        ax.minorticks_off()
        ax.set_xlabel(label)
    axes[0].set_ylabel("AUC of the best attack")
    axes[0].set_ylim(0.45, 1.02)
    return figure
