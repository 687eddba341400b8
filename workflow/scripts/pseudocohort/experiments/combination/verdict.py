"""Verdict on the cell level from the long table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...core.words import between, number, points, words
from ..shared.statistics import interval
from ..shared.verdicts import rows_with
from .score import BASELINES

#: Differences that a gain from the cell level is judged by.
PAIRED = ("both_minus_permuted", "gain_over_real_only", "gain_over_stacking", "gain_over_level_shift")


def verdict(table: pd.DataFrame, config: dict[str, Any]) -> dict[str, Any]:
    """Verdict on the cell level from the long table."""
    accuracy = table[table["metric"] == "balanced_accuracy"]
    made = [g for g in dict.fromkeys(accuracy["generator"]) if g not in ("real", *BASELINES)]
    # Baselines have more draws than generators may have: means are compared over the same ones.
    draws = [set(accuracy.loc[accuracy["generator"] == g, "repeat"]) for g in made]
    ceiling = rows_with(accuracy, generator="real", regime="ceiling")["value"].mean()
    if made:
        accuracy = accuracy[accuracy["repeat"].isin(set.intersection(*draws))]
    sentences, wins, settings = [], [], 0
    for k in sorted(accuracy["n_real"].dropna().unique()):
        if k < 0:
            continue
        arm = "both" if k else "cell_only"
        at = accuracy[accuracy["n_real"] == k]
        real = rows_with(at, generator="real", regime="tissue_only")["value"].mean()
        text = (
            f"{int(k)} tissue profile{'s' if k > 1 else ''} per condition: {number(real)} alone"
            if k
            else "No tissue profile"
        )
        for name in BASELINES:
            value = rows_with(at, generator=name, regime=arm)["value"].mean()
            text += f", {name.replace('_', ' ')} {number(value)}"
        for g in made:
            both = interval(rows_with(at, generator=g, regime=arm)["value"])
            permuted = rows_with(at, generator=g, regime="permuted")["value"].mean()
            text += f", {g} {number(both.mean)} (permuted {number(permuted)})"
            settings += 1
            differences = {}
            for metric in PAIRED:
                rows = rows_with(table[table["n_real"] == k], generator=g, regime=arm, metric=metric)
                differences[metric] = interval(rows["value"], confidence=1 - 0.05 / max(len(made), 1))
            control = differences["both_minus_permuted"].low > 0
            better = differences["gain_over_real_only" if k else "both_minus_permuted"].low > 0
            if control and better:
                wins.append((k, g, both, differences))
        sentences.append(text + ".")
    if np.isfinite(ceiling):
        sentences.append(f"All real tissue profiles: {number(ceiling)}.")
    if not wins:
        return {
            "status": "no",
            "answer": "No generator gains from the cell level more than from permuted lines.",
            "points": sentences,
        }
    with_tissue = [w for w in wins if w[0] > 0] or wins
    fewest = min(w[0] for w in with_tissue)
    k, g, both, differences = max((w for w in with_tissue if w[0] == fewest), key=lambda w: w[2].mean)
    if k:
        gain = differences["gain_over_real_only"]
        answer = (
            f"Yes: with {int(k)} tissue profile{'s' if k > 1 else ''} per condition, {g} trained on both levels adds "
            f"{points(gain.mean)} points{between(gain.low, gain.high, points)} to the real profiles alone; with the "
            f"lines' labels permuted accuracy is {100 * differences['both_minus_permuted'].mean:.1f} points lower."
        )
        for name, rival in (("stacking", "stacking the lines' profiles"), ("level_shift", "an additive level shift")):
            over = differences[f"gain_over_{name}"]
            if over.n:
                answer += f" Against {rival}: {points(over.mean)}{between(over.low, over.high, points)}."
    else:
        at = accuracy[accuracy["n_real"] == 0]
        permuted, stacked = (
            rows_with(at, generator=name, regime=regime)["value"].mean()
            for name, regime in ((g, "permuted"), ("stacking", "cell_only"))
        )
        answer = (
            f"Yes: without any tissue profile {g} reaches {number(both.mean)}, with the lines' labels permuted "
            f"{number(permuted)}. Training on the lines' profiles without any generator reaches {number(stacked)}."
        )
    baselines = rows_with(accuracy, n_real=k, regime="both" if k else "cell_only")
    baselines = baselines[~baselines["generator"].isin(["real", *made])].groupby("generator")["value"].mean()
    if len(baselines):
        best = baselines.idxmax()
        answer += (
            f" {g} reaches {number(both.mean)}; the best way to use the lines without a generator, {words(best)}, "
            f"{number(baselines[best])}{', which is better' if baselines[best] > both.mean else ''}."
        )
    last = max(w[0] for w in wins)
    answer += f" The gain is clear up to k = {int(last)}."
    saved = interval(
        rows_with(table, generator=g, n_real=k, metric="real_profiles_saved", regime="both" if k else "cell_only")[
            "value"
        ]
    )
    if saved.n:
        answer += (
            f" The cell level saves {number(saved.mean, 1)}"
            f"{between(saved.low, saved.high, lambda v: number(v, 1))} real profiles per condition there."
        )
    return {"status": "yes", "answer": answer, "points": sentences}
