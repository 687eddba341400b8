"""Verdict on the Lacan track, paired over folds: reverse accuracy, and what the published metrics do not see."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ...core.words import number
from ...generators.base.registry import is_control
from ..shared.folds import shared_by_deals
from ..shared.outcomes import decide
from ..shared.verdicts import over_a_baseline


def verdict(table: pd.DataFrame, config: dict[str, Any]) -> dict[str, Any]:
    """Verdict on the Lacan track, paired over folds: reverse accuracy, and what the published metrics do not see."""
    wide = table.pivot_table(index="repeat", columns=["estimator", "generator", "metric"], values="value")
    names = [g for g in dict.fromkeys(table["generator"]) if g != "real"]
    deep = [g for g in names if not is_control(g)]
    sentences = []
    for g in names:
        theirs, ours = wide["max_abs", g], wide["z_log", g]
        sentences.append(
            f"{g}: reverse accuracy {number(theirs['reverse_accuracy'].mean(), 3)} in their space, "
            f"{number(ours['reverse_accuracy'].mean(), 3)} in ours; in theirs, coverage "
            f"{number(theirs['coverage_train'].mean())} and adversarial accuracy {number(theirs['aa_train'].mean())} "
            f"against training profiles, {number(theirs['coverage'].mean())} and {number(theirs['aa'].mean())} (halves "
            f"{number(theirs['aa_truth_half'].mean())} and {number(theirs['aa_synthetic_half'].mean())}) against "
            f"held-out ones; γ pooled {number(ours['correlation_score'].mean())}, within conditions "
            f"{number(ours['correlation_score_within'].mean())} in ours."
        )
    if not deep or "mvn" not in names:
        return {
            "status": "cannot_tell",
            "answer": "Cannot tell: no trained generator, or no Gaussian to compare it with.",
            "points": sentences,
        }
    accuracy = {g: wide["z_log", g, "reverse_accuracy"] for g in [*names, "real"]}
    gains = {g: accuracy[g] - accuracy["mvn"] for g in deep}
    folds = config.get("lacan", {}).get("folds", 5)
    finding = decide(gains, shared_se={g: shared_by_deals(v, folds) for g, v in gains.items()})
    means = {g: float(values.mean()) for g, values in accuracy.items()}
    notes = []
    if "copy" in names:
        notes = [f"The control copy reaches {number(means['copy'], 3)}: the metric asks for nothing new."]
    return over_a_baseline(finding, means, "mvn", "lacan.repeats") | {"notes": notes, "points": sentences}
