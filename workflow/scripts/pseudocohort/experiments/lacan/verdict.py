"""Verdict on the Lacan track, paired over folds: reverse accuracy, and what the published metrics do not see."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ...core.words import number
from ...generators.base.registry import is_control
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
    accuracy = {g: wide["z_log", g, "reverse_accuracy"] for g in dict.fromkeys(table["generator"])}
    told = over_a_baseline(accuracy, deep, "mvn", config, "lacan") | {"points": sentences}
    if "facts" in told and "copy" in names:
        reached = number(float(accuracy["copy"].mean()), 3)
        told["notes"] = [f"The control copy reaches {reached}: the metric asks for nothing new."]
    return told
