"""Verdict on augmentation from the long table (one value per repeat)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...core.words import between, number, points
from ...generators.base.registry import is_control
from ..shared.plan import task_titles
from ..shared.statistics import interval
from ..shared.verdicts import best_generator, profiles_in_words, rows_with

WORDS = {
    "same_n": "trained on the same profiles",
    "unlabeled": "trained on them and on unlabelled profiles",
    "transfer": "trained on them and on other conditions and levels",
    "oracle": "trained on all training donors",
}


def verdict(table: pd.DataFrame, config: dict[str, Any]) -> dict[str, Any]:
    """Verdict on augmentation from the long table (one value per repeat)."""
    titles = task_titles(config)
    classifier = table["estimator"].dropna().iloc[0]
    table = table[(table["estimator"] == classifier) | table["estimator"].isna()]
    gains = table[table["metric"] == "balanced_accuracy_gain"]
    plain = table[table["metric"] == "balanced_accuracy"]
    sentences, wins, losses, tried = [], [], [], 0
    for task in dict.fromkeys(table["task"].dropna()):
        ceiling = rows_with(plain, task=task, regime="ceiling")["value"].mean()
        for n in sorted(set(rows_with(gains, task=task)["n_real"])):
            none = rows_with(plain, task=task, regime="none", n_real=n)["value"].mean()
            text = (
                f"{titles.get(task, task)}, {profiles_in_words(n)}: {number(none)} alone, {number(ceiling)} with all."
            )
            for regime in ("same_n", "unlabeled", "transfer"):
                best = best_generator(rows_with(gains, task=task, n_real=n, regime=regime))
                if best is None:
                    continue
                tried += 1
                text += (
                    f" {WORDS[regime].capitalize()}, the best of {best['candidates']} generators is "
                    f"{best['generator']} (+{best['m']} profiles): {points(best['mean'])} points"
                    f"{between(best['low'], best['high'], points)}"
                    f"{'' if best['clear'] else ', not clear of 0 for the best of so many'}."
                )
                (wins if best["clear"] else losses).append((best["mean"], regime, task, n, best))
            stacking = interval(rows_with(gains, task=task, n_real=n, regime="stacking")["value"])
            if stacking.n:
                text += f" The source profiles themselves, added at weight .1: {points(stacking.mean)}"
                text += f"{between(stacking.low, stacking.high, points)}."
            oracle = best_generator(rows_with(gains, task=task, n_real=n, regime="oracle"))
            if oracle is not None:
                text += (
                    f" A generator that has seen all training donors ({oracle['generator']}): {points(oracle['mean'])};"
                    " that is what headline gains in the literature measure, not what few patients can give."
                )
            sentences.append(text)
    if not tried:
        return {
            "status": "unclear",
            "answer": "No regime that a user with few patients could use was run.",
            "points": sentences,
        }
    if wins:
        mean, regime, task, n, best = max(wins, key=lambda w: w[0])
        answer = (
            f"In {len(wins)} of {tried} settings, yes. Largest gain: {best['generator']}, {WORDS[regime]}, adds "
            f"{points(mean)} points{between(best['low'], best['high'], points)} of balanced accuracy to "
            f"{profiles_in_words(n)} ({titles.get(task, task)})."
        )
        control, value = best["control"]
        if control and not is_control(best["generator"]):
            answer += f" The best control, {control}, adds {points(value)} there."
        stacked = (
            rows_with(gains, task=task, n_real=n, regime="stacking")["value"].mean() if regime == "transfer" else np.nan
        )
        if np.isfinite(stacked):
            answer += f" Adding the source profiles themselves gives {points(stacked)}, without any generator."
        if not any(w[1] == "same_n" for w in wins) and any(w[1] == "same_n" for w in losses):
            answer += " From the few patients alone, nothing adds anything that can be told from 0."
        # A gain here and there, or one that the source profiles give without any generator, is no plain yes.
        plain_yes = 2 * len(wins) > tried and not stacked > mean
        return {"status": "yes" if plain_yes else "unclear", "answer": answer, "points": sentences}
    mean, regime, task, n, best = max(losses, key=lambda w: w[0])
    answer = (
        f"No gain that can be told from 0 in any of {tried} settings, the choice of the best of {best['candidates']} "
        f"generators allowed for. The largest mean is {points(mean)} points"
        f"{between(best['low'], best['high'], points)} "
        f"({best['generator']}, {WORDS[regime]}, {profiles_in_words(n)}, {titles.get(task, task)})."
    )
    return {"status": "no", "answer": answer, "points": sentences}
