"""Map: real and synthetic profiles on the principal components of the real training profiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata as ad
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from sklearn.decomposition import PCA

from ....core import contracts, io
from ....generators.fit.synthetic_store import SyntheticStore
from ...shared.style import CYCLE, GREY, INK, name_points, order_of
from ..plan import FIRST

#: Conditions that get a colour; the others are grey.
MOST_COLOURS = 8
#: Points drawn per panel.
MOST_POINTS = 600
#: Marks of levels; one that is not named here has the last.
MARKS = {"tumour": {"marker": "o"}, "normal": {"marker": "^", "markerfacecolor": "none"}}
OTHER = {"marker": "x"}


def draw(profiles: ad.AnnData, synthetic: dict[str, ad.AnnData], train_ids: list[str], levels: list[str]) -> Figure:
    """Figure from real profiles and the synthetic ones of one training set by generator.

    The components are fitted on the real profiles `train_ids`.
    """
    train = profiles[train_ids]
    x = np.asarray(train.X, dtype=np.float64)
    mean, sd = x.mean(0), x.std(0) + 0.1
    components = PCA(2, random_state=0).fit((x - mean) / sd)
    frequent = list(train.obs["condition"].astype(str).value_counts().index[:MOST_COLOURS])
    real = profiles[profiles.obs["level"].isin(levels).to_numpy()]
    panels = {"real": real} | {g: synthetic[g] for g in order_of(list(synthetic))}
    columns = min(5, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(2.2 * columns + 1.2, 2.2 * rows), sharex=True, sharey=True, squeeze=False
    )
    handles: dict[str, object] = {}
    for ax, (name, data) in zip(axes.flat, panels.items(), strict=False):
        keep = np.sort(np.random.default_rng(0).permutation(data.n_obs)[:MOST_POINTS])
        z = components.transform((np.asarray(data.X)[keep] - mean) / sd)
        condition = data.obs["condition"].astype(str).to_numpy()[keep]
        for label in [*frequent, None]:
            rows_of = condition == label if label else ~np.isin(condition, frequent)
            if rows_of.any():
                colour = CYCLE[frequent.index(label)] if label else GREY
                _points(ax, z[rows_of], data.obs.iloc[keep[rows_of]], colour, name == "real")
                handles[label or "others"] = Line2D([], [], marker="s", linestyle="", markersize=4, color=colour)
        ax.set_title(name)
        ax.set_xticks([])
        ax.set_yticks([])
        ax.grid(False)
    for ax in list(axes.flat)[len(panels) :]:
        ax.set_axis_off()
    for level in sorted({level for data in panels.values() for level in data.obs["level"].astype(str)} & set(levels)):
        handles[level] = Line2D([], [], linestyle="", color=INK, markersize=4, **MARKS.get(level, OTHER))
    figure.legend(handles.values(), handles.keys(), loc="outside right upper", fontsize=8)
    return figure


def _points(ax: Axes, z: np.ndarray, obs: pd.DataFrame, colour: str, real: bool) -> None:
    """Points of one condition, each level with its mark; a point says which sample it is."""
    for level, rows in obs.groupby(obs["level"].astype(str), sort=False).indices.items():
        mark = MARKS.get(level, OTHER)
        hollow = mark.get("markerfacecolor") == "none"
        points = ax.scatter(
            *z[rows].T, s=9, marker=mark["marker"], alpha=0.8, linewidth=0.7 if hollow else 0,
            facecolors="none" if hollow else colour, edgecolors=colour,
        )  # fmt: skip
        said = [f"{c}, {level}" for c in obs["condition"].astype(str).iloc[rows]]
        name_points(points, [f"{i}: {s}" for i, s in zip(obs.index[rows], said, strict=True)] if real else
                    [f"synthetic: {s}" for s in said])  # fmt: skip


def figure(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Figure of the first training set, from the files that its description names."""
    members = io.read_table(files["members"][0], contracts.MEMBERS_COLUMNS)
    members = members[(members["training_set"] == FIRST).to_numpy()]
    train = members.loc[(members["role"] == "train").to_numpy(), "sample_id"].astype(str).tolist()
    profiles = io.read_profiles(files["profiles"][0], contracts.HARMONISED)
    synthetic = {Path(path).parent.name: SyntheticStore([path])[FIRST] for path in files["synthetic"]}
    return draw(profiles, synthetic, train, sorted(profiles[train].obs["level"].astype(str).unique()))
