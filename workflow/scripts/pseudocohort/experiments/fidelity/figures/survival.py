"""Survival: log hazard ratios of genes in held-out patients and in what stands in for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from ....core import contracts, io
from ....core.seeds import derive
from ....core.survival import follow_up
from ....core.words import number
from ....generators.fit.covariates import described
from ....generators.fit.synthetic_store import SyntheticStore
from ....metrics.differential import FDR
from ....metrics.survival import FEWEST_EVENTS, Association, cox
from ...shared.profiles import Profiles
from ...shared.style import BLUE, DASHED, GREY, INK, ORANGE, PURPLE, by_generator, empty, name_points, order_of
from ..plan import FIRST
from ..score import halved, patients, standardised

#: Genes drawn in a panel: those that are called, and others.
MOST_GENES = 400
#: Panels side by side.
ACROSS = 3
#: Groups of genes that are called, from back to front, with their colours.
CALLED = {"in the stand-in alone": ORANGE, "in held-out patients alone": BLUE, "in both, same sign": PURPLE}


class Pair(NamedTuple):
    """Cox regressions of the same genes in held-out patients and in what stands in for them, with their events."""

    truth: Association
    found: Association
    events: tuple[int, int]


def pairs_of(
    profiles: Any, synthetic: dict[str, Any], members: pd.DataFrame, columns: tuple[str, str], seed: int
) -> dict[str, Pair]:
    """Regressions of the first training set, in the first half of its held-out patients, as the score has them.

    Parameters
    ----------
    profiles : AnnData
        Harmonised profiles.
    synthetic : dict of AnnData
        Synthetic profiles of the first training set by generator.
    members : DataFrame
        Of the experiment.
    columns : tuple of str
        Names of time and event.
    seed : int
        Of the study.

    Returns
    -------
    dict
        By generator, ``real`` for other held-out patients; without those where a side has fewer than ten events.
    """
    own = members[(members["training_set"] == FIRST).to_numpy()]
    seen, held_out = (
        profiles[own.loc[(own["role"] == r).to_numpy(), "sample_id"].astype(str)] for r in ("train", "test")
    )
    scaler, _, test = standardised(seen, held_out)
    out = {}
    for name, data in {"real": None, **synthetic}.items():
        made = None if data is None else Profiles.of(data.X, data.obs, scaler)
        reality, stand_in, _ = next(halved(test, made, derive(seed, "fidelity", 0)))
        sides = [patients(part, columns).known() for part in (reality, stand_in)]
        events = tuple(int(side.event.sum()) for side in sides)
        if min(events) >= FEWEST_EVENTS:
            out[name] = Pair(*map(cox, sides), events)
    return out


def _groups(pair: Pair) -> dict[str, np.ndarray]:
    """Which genes are called, by group (masks)."""
    real, made = (stats.false_discovery_control(side.p) < FDR for side in (pair.truth, pair.found))
    both = real & made & (np.sign(pair.truth.z) == np.sign(pair.found.z))
    return dict(zip(CALLED, (made & ~both, real & ~both, both), strict=True))


def draw(pairs: dict[str, Pair], symbols: np.ndarray, summary: pd.DataFrame) -> Figure:
    """Figure from regressions by generator, names of the genes, and the summary table of fidelity."""
    table = summary[summary["task"].isna()]
    of = {m: table[table["metric"] == m] for m in ("survival_log_hr_r", "survival_permuted_log_hr_r")}
    scored = order_of(list(of["survival_log_hr_r"]["generator"]))
    shown = order_of(list(pairs))
    rows = max(1, -(-len(shown) // ACROSS))
    across = max(1, min(ACROSS, len(shown)))
    figure = plt.figure(figsize=(3.1 + 2.5 * across, max(2.5 * rows + 0.5, 1.2 + 0.3 * len(scored))))
    grid = figure.add_gridspec(rows, across + 1, width_ratios=[1.25, *[1] * across])
    _correlations(figure.add_subplot(grid[:, 0]), *of.values(), scored)
    if not shown:
        empty(figure.add_subplot(grid[0, 1]), f"fewer than {FEWEST_EVENTS} events on a side of the first training set")
        return figure
    limit = 1.08 * max(np.abs(side.log_hr).max() for pair in pairs.values() for side in pair[:2])
    handles: dict[str, Any] = {}
    for i, name in enumerate(shown):
        ax = figure.add_subplot(grid[i // ACROSS, 1 + i % ACROSS])
        handles |= _panel(ax, pairs[name], symbols, limit)
        both = np.corrcoef(pairs[name].truth.log_hr, pairs[name].found.log_hr)[0, 1]
        ax.set_title(f"{'other real patients' if name == 'real' else name}: r {number(both)}")
        if i % ACROSS == 0:
            ax.set_ylabel("log HR in the stand-in")
        if i + ACROSS >= len(shown):
            ax.set_xlabel("log HR in held-out patients")
    order = [label for label in ("not called", *CALLED) if label in handles]
    figure.legend([handles[k] for k in order], order, loc="outside lower center", ncols=len(order), fontsize=8)
    return figure


def _correlations(ax: Axes, given: pd.DataFrame, permuted: pd.DataFrame, names: list[str]) -> None:
    """Correlations over all training sets, floor and ceiling beside them."""
    ax.set_title("log hazard ratios, r")
    if not names:
        empty(ax, f"fewer than {FEWEST_EVENTS} events on a side")
        return
    by_generator(ax, permuted, names, colour=GREY, shift=0.24, real=False, filled=False, size=18)
    by_generator(ax, given, names)
    ax.axvline(0, color=GREY, linewidth=0.8, zorder=1)
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    low, high = ax.get_xlim()
    ax.set_xlim(max(low, -1.05), min(high, 1.05))
    ax.set_xlabel("1: as in held-out patients")


def _panel(ax: Axes, pair: Pair, symbols: np.ndarray, limit: float) -> dict[str, Any]:
    """Genes of one stand-in; handles of the legend by label."""
    x, y = pair.truth.log_hr, pair.found.log_hr
    groups = _groups(pair)
    others = np.flatnonzero(~np.any(list(groups.values()), axis=0))
    others = np.sort(np.random.default_rng(0).permutation(others)[:MOST_GENES])
    ax.axline((0, 0), slope=1, color=INK, linewidth=0.8, linestyle=DASHED, zorder=1)
    handles = {"not called": ax.scatter(x[others], y[others], s=6, color=GREY, alpha=0.5, linewidth=0, zorder=2)}
    for label, mask in groups.items():
        if (rows := np.flatnonzero(mask)).size:
            points = ax.scatter(x[rows], y[rows], s=16, color=CALLED[label], linewidth=0, zorder=3)
            name_points(points, [f"{symbols[i]}: {label}" for i in rows])
            handles[label] = points
    ax.set_xlim(-limit, limit)
    ax.set_ylim(-limit, limit)
    ax.set_aspect("equal")
    ax.locator_params(nbins=5)
    ax.text(
        0.98, 0.02, f"{pair.events[0]} and {pair.events[1]} events", transform=ax.transAxes, ha="right", va="bottom",
        fontsize=7.5, color=INK,
    )  # fmt: skip
    return handles


def figure(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Figure of the first training set and of the summary, from the files that its description names."""
    members = io.read_table(files["members"][0], contracts.MEMBERS_COLUMNS)
    profiles = io.read_profiles(files["profiles"][0], contracts.HARMONISED)
    synthetic = {Path(path).parent.name: SyntheticStore([path])[FIRST] for path in files["synthetic"]}
    pairs = pairs_of(profiles, synthetic, members, follow_up(described(profiles)), config["seed"])
    return draw(pairs, profiles.var["symbol"].astype(str).to_numpy(), io.read_table(files["summary"][0]))
