"""Verdict on fidelity from the long table: the discriminator, with coverage and memorisation beside it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ...core.words import number
from ...generators.base.registry import is_control
from ..shared import scales
from ..shared.outcomes import fewest_that_tell, repeats_that_tell
from ..shared.statistics import interval
from ..shared.tables import rows_with
from ..shared.verdicts import Column, triple

#: How much easier to tell from patients than other patients are synthetic profiles may be, in AUC.
MARGIN = 0.1
#: Share of copied training profiles from which a generator counts as one that repeats them.
COPIES = 0.1


def verdict(table: pd.DataFrame, config: dict[str, Any]) -> dict[str, Any]:
    """Verdict on fidelity from the long table: the discriminator, with coverage and memorisation beside it."""
    overall = table[table["task"].isna()]
    means = overall.groupby(["generator", "metric"])["value"].mean().unstack()
    sentences = [
        f"{g}: discriminator AUC {number(v['discriminator_auc'])}, coverage {number(v['coverage'])}, within-condition "
        f"correlation score {number(v['correlation_score_within'])}, memorised {number(v['memorisation_share'])}."
        for g, v in means.iterrows()
    ]
    others = means.drop(index="real", errors="ignore").dropna(subset="discriminator_auc")
    if others.empty or "real" not in means.index:
        lacks = "no generator was scored" if others.empty else "real against real, the ceiling, was not scored"
        return {"status": "cannot_tell", "answer": f"Cannot tell: {lacks}.", "points": sentences}
    new = others[others["memorisation_share"] < COPIES]
    if new.empty:
        answer = "No: every generator repeats its training profiles."
        if others["memorisation_share"].isna().any():
            answer = "No: no generator is known not to repeat its training profiles."
        advice = "Do not use them as new patients."
        return {"status": "no", "answer": answer, "advice": advice, "points": sentences}
    auc = overall[overall["metric"] == "discriminator_auc"]
    auc = {g: part.set_index("repeat")["value"] for g, part in auc.groupby("generator")}
    candidates = [g for g in new.index if not is_control(g)] or list(new.index)
    # Of generators that are told from patients equally well, the one that covers more of them.
    ordered = list(
        new.loc[candidates]
        .assign(discriminator_auc=new["discriminator_auc"].round(2), coverage=-new["coverage"])
        .sort_values(["discriminator_auc", "coverage"])
        .index
    )
    above = {g: _above(auc[g], auc["real"]) for g in ordered}
    corrected = 1 - 0.05 / len(ordered)
    close = [g for g in ordered if any(interval(v, confidence=corrected).high < MARGIN for v in above[g])]
    far = all(interval(v).low > MARGIN for both in above.values() for v in both)
    best = (close or ordered)[0]
    real = means.loc["real"]
    found = interval(auc[best], bounds=scales.SHARE)
    facts = [
        ("Discriminator AUC", f"{found.said()} ({best})"),
        ("Real against real", number(real["discriminator_auc"])),
        ("Coverage", f"{number(new.loc[best, 'coverage'])} (real {number(real['coverage'])})"),
    ]
    if "mvn" in means.index and best != "mvn":
        facts.insert(2, ("Gaussian", _beside_the_gaussian(means.loc["mvn"], auc["mvn"] - auc[best], len(candidates))))
    if close:
        status, answer = ("yes", f"Yes: profiles of {best} are about as hard to tell from patients as patients are.")
        advice = f"Where likeness counts, use {best}; look at leakage before you share anything."
    elif far:
        status, answer = "no", f"No: a classifier tells synthetic profiles from patients, even those of {best}."
        advice = "Do not treat these profiles as patients: check any result on them against real profiles."
    else:
        repeats = _repeats_that_decide(above, corrected)
        status, answer = (
            "cannot_tell",
            f"Cannot tell yet: the best, {best}, may or may not be close enough to patients.",
        )
        advice = "Check any result on these profiles against real ones. " + (
            f"{repeats} repeats would tell: set fidelity.repeats: {repeats} (now {found.n})."
            if repeats
            else f"More repeats would not tell: {best} lies at the limit of what counts as close."
        )
    return {"status": status, "answer": answer, "facts": facts, "advice": advice, "points": sentences}


def _above(mine: pd.Series, real: pd.Series) -> tuple[pd.Series, pd.Series]:
    """By how much a generator's area is above that of real profiles, paired over repeats, and above a guess.

    Where it is within the margin of either, it is within the margin of the larger one.
    """
    return mine - real.reindex(mine.index).fillna(real.mean()), mine - 0.5


def _repeats_that_decide(above: dict[str, tuple[pd.Series, pd.Series]], corrected: float) -> int | None:
    """Number of repeats that would show one generator to be close, or all to be far, whichever is less."""
    distance = [(v, MARGIN - float(v.mean())) for both in above.values() for v in both]
    close = [repeats_that_tell(v, d, confidence=corrected) for v, d in distance]
    far = [repeats_that_tell(v, -d) for v, d in distance]
    return fewest_that_tell(close, far)


def _beside_the_gaussian(mvn: pd.Series, difference: pd.Series, candidates: int) -> str:
    """The Gaussian's numbers, and whether the best generator is harder to tell from patients, paired over repeats."""
    text = f"{number(mvn['discriminator_auc'])}, coverage {number(mvn['coverage'])}"
    better = interval(difference, confidence=1 - 0.05 / candidates)
    if better.low > 0:
        return f"{text}; clearly easier to tell"
    if better.high < 0:
        return f"{text}; clearly harder to tell"
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
            marks={g: "copies" for g, share in copied.items() if share >= COPIES and g != "real"},
        )
    ]
