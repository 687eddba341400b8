"""Verdict on fidelity from the long table: the discriminator, with coverage and memorisation beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...core.words import between, number
from ...generators.base.registry import is_control
from ..shared import scales
from ..shared.outcomes import repeats_that_tell
from ..shared.statistics import interval
from ..shared.verdicts import Column, rows_with, triple

#: How much easier to tell from patients than other patients are synthetic profiles may be, in AUC.
MARGIN = 0.1


def verdict(table: pd.DataFrame, config: dict[str, Any]) -> dict[str, Any]:
    """Verdict on fidelity from the long table: the discriminator, with coverage and memorisation beside it."""
    overall = table[table["task"].isna()]
    means = overall.groupby(["generator", "metric"])["value"].mean().unstack()
    sentences = [
        f"{g}: discriminator AUC {number(v['discriminator_auc'])}, coverage {number(v['coverage'])}, within-condition "
        f"correlation score {number(v['correlation_score_within'])}, memorised {number(v['memorisation_share'])}."
        for g, v in means.iterrows()
    ]
    new = means[(means["memorisation_share"] < 0.1)].drop(index="real", errors="ignore")
    if new.empty or "real" not in means.index:
        answer = "No: every generator repeats its training profiles."
        advice = "Do not use them as new patients."
        return {"status": "no", "answer": answer, "advice": advice, "points": sentences}
    auc = overall[overall["metric"] == "discriminator_auc"]
    auc = {g: part.set_index("repeat")["value"] for g, part in auc.groupby("generator")}
    candidates = [g for g in new.index if not is_control(g)] or list(new.index)
    # Of generators that are told from patients equally well, the one that covers more of them.
    best = (
        new.loc[candidates]
        .assign(discriminator_auc=new["discriminator_auc"].round(2), coverage=-new["coverage"])
        .sort_values(["discriminator_auc", "coverage"])
        .index[0]
    )
    real = means.loc["real"]
    found = interval(auc[best], bounds=scales.SHARE)
    facts = [
        ("Discriminator AUC", f"{number(found.mean)}{between(found.low, found.high, number)} ({best})"),
        ("Real against real", number(real["discriminator_auc"])),
        ("Coverage", f"{number(new.loc[best, 'coverage'])} (real {number(real['coverage'])})"),
    ]
    if "mvn" in means.index and best != "mvn":
        facts.insert(2, ("Gaussian", _beside_the_gaussian(means.loc["mvn"], auc["mvn"] - auc[best], len(candidates))))
    margin = max(real["discriminator_auc"], 0.5) + MARGIN
    over = interval(auc[best] - np.maximum(auc["real"].reindex(auc[best].index).fillna(auc["real"].mean()), 0.5))
    if found.high < margin or over.high < MARGIN:
        status, answer = (
            "yes",
            f"Yes: profiles of {best} are about as hard to tell from patients as patients are.",
        )
        advice = f"Where likeness counts, use {best}; look at leakage before you share anything."
    elif over.low > MARGIN:
        status, answer = "no", f"No: a classifier tells synthetic profiles from patients, even those of {best}."
        advice = "Do not treat these profiles as patients: check any result on them against real profiles."
    else:
        repeats = repeats_that_tell(auc[best], abs(margin - found.mean), confidence=0.95) if found.n else None
        status, answer = (
            "cannot_tell",
            f"Cannot tell yet: the best, {best}, may or may not be close enough to patients.",
        )
        advice = (
            f"{repeats} repeats would tell: set fidelity.repeats: {repeats} (now {found.n})."
            if repeats
            else "More repeats would not tell: it lies at the limit of what counts as close."
        )
    return {"status": status, "answer": answer, "facts": facts, "advice": advice, "points": sentences}


def _beside_the_gaussian(mvn: pd.Series, difference: pd.Series, candidates: int) -> str:
    """The Gaussian's numbers, and whether the best generator is harder to tell from patients, paired over repeats."""
    text = f"{number(mvn['discriminator_auc'])}, coverage {number(mvn['coverage'])}"
    better = interval(difference, confidence=1 - 0.05 / candidates)
    if better.low > 0:
        return f"{text}; clearly easier to tell"
    if better.high < 0:
        return f"{text}: no trained network beats it"
    return f"{text}; no clear difference"


def overview(table: pd.DataFrame, config: dict[str, Any]) -> list[Column]:
    """How easily a classifier tells each generator's profiles from patients."""
    auc = rows_with(table, metric="discriminator_auc", task=None)
    found = {g: interval(rows["value"], bounds=scales.SHARE) for g, rows in auc.groupby("generator", sort=False)}
    if "real" not in found:
        return []
    copied = rows_with(table, metric="memorisation_share", task=None).groupby("generator")["value"].mean()
    return [
        Column(
            title="Fidelity, AUC",
            note="How well a classifier tells synthetic from held-out real profiles. Marked are generators that repeat "
            "their training profiles.",
            values={g: triple(v) for g, v in found.items() if g != "real"},
            floor=("told apart always", 1.0),
            ceiling=("real against real", max(found["real"].mean, 0.5)),
            marks={g: "copies" for g, share in copied.items() if share >= 0.1 and g != "real"},
        )
    ]
