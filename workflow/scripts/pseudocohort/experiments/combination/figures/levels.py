"""Levels: tissue and lines as measured, scaled by level, and tissue generated from lines alone."""

from __future__ import annotations

from typing import Any

import anndata as ad
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.text import Text
from sklearn.decomposition import PCA

from ....core import contracts, io
from ....generators.fit.synthetic_store import SyntheticStore
from ....prepare.scale import Scaler
from ...shared.plan import with_split
from ...shared.style import CYCLE, name_points
from ..names import named
from ..plan import LINES_ALONE

#: Tissue profiles drawn at most.
MOST_POINTS = 500
MARKERS = {"tissue": ("o", 9, 0.45), "lines": ("^", 26, 1.0), "synthetic": ("x", 14, 0.8)}


def draw(
    tissue: ad.AnnData, lines: ad.AnnData, conditions: list[str], synthetic: ad.AnnData | None, generator: str
) -> Figure:
    """Figure from real profiles of both levels whose ``condition`` is merged, and tissue made from lines alone."""
    keep = np.sort(np.random.default_rng(0).permutation(tissue.n_obs)[:MOST_POINTS])
    tissue = tissue[keep]
    figure, axes = plt.subplots(1, 2 + (synthetic is not None), figsize=(10.2 if synthetic is not None else 7, 3.3))
    raw = [np.asarray(part.X, dtype=np.float64) for part in (tissue, lines)]
    scalers = [Scaler(by_level=True).fit(x, part.obs) for x, part in zip(raw, (tissue, lines), strict=True)]
    scaled = [s.transform(x, part.obs) for s, x, part in zip(scalers, raw, (tissue, lines), strict=True)]
    for ax, title, sets in ((axes[0], "As measured", raw), (axes[1], "Scaled by level", scaled)):
        # Scaled levels are shown on the directions in which tissue varies: lines are to be found there.
        components = PCA(2, random_state=0).fit(np.concatenate(sets) if sets is raw else sets[0])
        points = {"tissue": components.transform(sets[0]), "lines": components.transform(sets[1])}
        _panel(ax, points, (tissue, lines), conditions)
        ax.set_title(title)
    if synthetic is not None:
        made = scalers[0].transform(np.asarray(synthetic.X, dtype=np.float64), synthetic.obs)
        points = {"tissue": components.transform(scaled[0]), "synthetic": components.transform(made)}
        _panel(axes[2], points, (tissue, synthetic), conditions)
        axes[2].set_title(f"Tissue from lines alone ({generator})")
    for name, (marker, size, _) in MARKERS.items():
        if name != "synthetic" or synthetic is not None:
            axes[0].scatter([], [], marker=marker, s=size, color="#444", label=name)
    for i, condition in enumerate(conditions):
        axes[0].scatter([], [], marker="s", s=22, color=CYCLE[i % len(CYCLE)], label=condition)
    figure.legend(loc="outside right upper", fontsize=8)
    return figure


def _panel(ax, points: dict[str, np.ndarray], parts: tuple[ad.AnnData, ...], conditions: list[str]) -> None:
    """Points of two sets, coloured by condition."""
    for (name, z), part in zip(points.items(), parts, strict=True):
        marker, size, alpha = MARKERS[name]
        condition = part.obs["condition"].astype(str).to_numpy()
        for i, label in enumerate(conditions):
            rows = condition == label
            colour = CYCLE[i % len(CYCLE)]
            drawn = ax.scatter(
                *z[rows].T, marker=marker, s=size, color=colour, alpha=alpha, linewidth=0.8 if marker == "x" else 0
            )
            ids = ["synthetic"] * int(rows.sum()) if name == "synthetic" else part.obs_names[rows]
            name_points(drawn, [f"{i}: {label}, {name}" for i in ids])
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(False)
    ax.set_xlabel("PC 1")
    ax.set_ylabel("PC 2")


def figure(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Figure of the first generator and draw, from the files that its description names."""
    settings = config["combination"]
    profiles = io.read_profiles(files["profiles"][0], contracts.HARMONISED)
    donors = io.read_table(files["donors"][0], contracts.DONORS_COLUMNS)
    profiles.obs["condition"] = profiles.obs["condition"].astype(str).replace(settings["map"])
    train = with_split(profiles.obs, donors)["split"] == "train"
    shared = (train & profiles.obs["condition"].isin(settings["conditions"])).to_numpy()
    tissue, lines = (
        profiles[shared & (profiles.obs["level"] == settings[name]).to_numpy()]
        for name in ("tissue_level", "cell_level")
    )
    made = SyntheticStore(files["synthetic"]).get(LINES_ALONE) if files["synthetic"] else None
    drawn = draw(tissue, lines, settings["conditions"], made, (settings["generators"] or [""])[0])
    for text in drawn.findobj(Text):
        text.set_text(named(text.get_text(), config))
    return drawn
