"""Verdict on conditions generated at a level where they were never seen, over conditions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...core.words import count, number, words
from ..shared.estimators import SMALLEST
from ..shared.outcomes import interval_that_decides, repeats_that_tell
from ..shared.statistics import interval
from ..shared.tables import rows_with
from .names import BASELINES

#: What a generated condition is compared by, in words.
IN_WORDS = {
    "centroid_r": "correlation of its centroid with the real one",
    "detection_auc": "AUC of a detector trained on it",
    "mmd": "distance of distributions (MMD)",
}


def verdict(table: pd.DataFrame, config: dict[str, Any]) -> dict[str, Any]:
    """Verdict on conditions generated at a level where they were never seen, over conditions."""
    table = table[table["task"].isna() & (table["regime"] == "combined")]
    made = [g for g in dict.fromkeys(table["generator"]) if g not in ("real", *BASELINES)]
    tissue = "pseudobulk" not in set(table["level"]) or len(set(table["level"])) > 1
    levels = sorted(set(table["level"]), key=lambda name: name == "pseudobulk")
    compared = [
        (level, metric)
        for level in levels
        for metric in IN_WORDS
        if {"real", "level_shift"} <= set(rows_with(table, level=level, metric=metric)["generator"])
    ]
    corrected = 1 - 0.05 / max(len(made) * len(compared), 1)
    sentences, wins, excluded, needed = [], [], [], []
    for level in levels:
        at = table[table["level"] == level]
        for metric, said in IN_WORDS.items():
            if (level, metric) not in compared:
                continue
            means = rows_with(at, metric=metric).groupby("generator")["value"].mean()
            simple = means.drop(["real", *made], errors="ignore")
            best = simple.idxmin() if metric == "mmd" else simple.idxmax()
            text = (
                f"Hidden at level {level}, {said}: best baseline {words(best)} {number(simple[best])}, additive level "
                f"shift {number(means['level_shift'])}, real profiles of other donors {number(means['real'])}."
            )
            for g in made:
                gain = rows_with(at, generator=g, metric=f"{metric}_over_level_shift")["value"]
                over = interval_that_decides(gain, corrected)
                permuted = interval(rows_with(at, generator=g, metric=f"{metric}_over_permuted")["value"])
                text += (
                    f" {g}: {number(means.get(g, np.nan))}, better than the level shift by {over.said()}, than itself "
                    f"with permuted labels by {permuted.said()}."
                )
                excluded.append(interval_that_decides(gain).high < SMALLEST)
                needed.append(repeats_that_tell(gain, max(over.mean, SMALLEST - over.mean), confidence=corrected))
                # Without the labels a cautious guess can be close to everything: right labels have to find it, too.
                found = interval(rows_with(at, generator=g, metric="detection_auc_over_permuted")["value"]).low > 0
                if over.low > 0 and found:
                    wins.append((level, metric, g, means, over))
            sentences.append(text)
    if not excluded:
        return {
            "status": "cannot_tell",
            "answer": "Cannot tell: no generator was compared with an additive level shift.",
            "points": sentences,
        }
    conditions = count(
        int(rows_with(table, metric="centroid_r", generator="level_shift").groupby("level").size().max()), "condition"
    )
    tissue_wins = [w for w in wins if w[0] != "pseudobulk"] if tissue else wins
    if tissue_wins:
        level, metric, g, means, over = tissue_wins[0]
        won = [IN_WORDS[m] for at, m, name, *_ in tissue_wins if (at, name) == (level, g)]
        status = "unclear"
        answer = (
            f"In part: over {conditions} hidden at level {level} one by one, {g} beats the additive level shift in "
            f"{' and '.join(won)}."
        )
        first = IN_WORDS[metric].capitalize(), f"{number(means[g])}, better by {over.said()}"
        advice = f"Use {g} here, and check each new condition against real profiles."
    else:
        level = levels[0]
        means = rows_with(table, level=level, metric="centroid_r").groupby("generator")["value"].mean()
        means = means.reindex(means.index.union([*made, "level_shift", "real"]))
        g = means[made].fillna(-np.inf).idxmax()
        status = "unclear" if wins else "no" if all(excluded) else "cannot_tell"
        said = {
            "no": "No: not better than an additive level shift",
            "cannot_tell": "Cannot tell yet: better than an additive level shift is neither shown nor excluded",
            "unclear": "Not better than an additive level shift where tissue was hidden, as far as can be told",
        }[status]
        answer = f"{said}, over {conditions}."
        found = interval(rows_with(table, level=level, metric="centroid_r", generator=g)["value"])
        first = "Correlation of centroids", f"{found.said()} ({g}, hidden at level {level})"
        advice = "Use the additive level shift: it needs no generator."
        if status == "cannot_tell" and (fewest := min((n for n in needed if n), default=None)):
            advice += f" {fewest} conditions or more would tell."
    beside = [
        ("Additive level shift", number(means["level_shift"])),
        ("Real profiles of other donors", number(means["real"])),
    ]
    return {"status": status, "answer": answer, "facts": [first, *beside], "advice": advice, "points": sentences}
