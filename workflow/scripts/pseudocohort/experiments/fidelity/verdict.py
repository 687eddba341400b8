"""Verdict on fidelity from the long table: the discriminator, with coverage and memorisation beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...core.words import between, number
from ...generators.base.registry import is_control
from ..shared import scales
from ..shared.statistics import interval

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
        return {"status": "unclear", "answer": "Every generator repeats its training profiles.", "points": sentences}
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
    answer = (
        f"Hardest to tell from patients without copying them: {best}, discriminator AUC "
        f"{number(found.mean)}{between(found.low, found.high, number)} (real against real "
        f"{number(real['discriminator_auc'])}), coverage {number(new.loc[best, 'coverage'])} "
        f"(real {number(real['coverage'])})."
    )
    if "mvn" in means.index and best != "mvn":
        answer += _beside_the_gaussian(means.loc["mvn"], auc["mvn"] - auc[best], len(candidates))
    margin = max(real["discriminator_auc"], 0.5) + MARGIN
    over = interval(auc[best] - np.maximum(auc["real"].reindex(auc[best].index).fillna(auc["real"].mean()), 0.5))
    if found.high < margin or over.high < MARGIN:
        return {"status": "yes", "answer": answer, "points": sentences}
    if over.low > MARGIN:
        return {"status": "no", "answer": answer, "points": sentences}
    answer += " Cannot tell yet whether that is close enough: more fidelity.repeats would tell."
    return {"status": "cannot_tell", "answer": answer, "points": sentences}


def _beside_the_gaussian(mvn: pd.Series, difference: pd.Series, candidates: int) -> str:
    """The Gaussian's numbers, and whether the best generator is harder to tell from patients, paired over repeats."""
    text = f" The Gaussian reaches {number(mvn['discriminator_auc'])} and {number(mvn['coverage'])}"
    better = interval(difference, confidence=1 - 0.05 / candidates)
    if better.low > 0:
        return text + "; the difference is clear."
    if better.high < 0:
        return text + ": no trained network beats it."
    return text + "; the difference is not clear."
