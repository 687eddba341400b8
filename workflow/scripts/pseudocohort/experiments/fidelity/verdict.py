"""Verdict on fidelity from the long table: the discriminator, with coverage and memorisation beside it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ...core.words import number


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
    # Of generators that are told from patients equally well, the one that covers more of them.
    best = (
        new.assign(discriminator_auc=new["discriminator_auc"].round(2), coverage=-new["coverage"])
        .sort_values(["discriminator_auc", "coverage"])
        .index[0]
    )
    real, mvn = means.loc["real"], means.loc["mvn"] if "mvn" in means.index else None
    answer = (
        f"Hardest to tell from patients without copying them: {best}, discriminator AUC "
        f"{number(new.loc[best, 'discriminator_auc'])} (real against real {number(real['discriminator_auc'])}), "
        f"coverage {number(new.loc[best, 'coverage'])} (real {number(real['coverage'])})."
    )
    if mvn is not None and best != "mvn":
        answer += f" The Gaussian reaches {number(mvn['discriminator_auc'])} and {number(mvn['coverage'])}."
    elif mvn is not None:
        answer += " No trained network beats this Gaussian."
    status = "yes" if new.loc[best, "discriminator_auc"] < max(real["discriminator_auc"], 0.5) + 0.1 else "unclear"
    return {"status": status, "answer": answer, "points": sentences}
