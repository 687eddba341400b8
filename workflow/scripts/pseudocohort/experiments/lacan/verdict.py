"""Verdict on the Lacan track, paired over folds: reverse accuracy, and what the published metrics do not see."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ...core.words import between, number, points
from ...generators.base.registry import is_control
from ..shared.outcomes import Outcome, decide


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
            "status": "unclear",
            "answer": "No trained generator, or no Gaussian to compare with.",
            "points": sentences,
        }
    accuracy = {g: wide["z_log", g, "reverse_accuracy"] for g in [*names, "real"]}
    finding = decide({g: accuracy[g] - accuracy["mvn"] for g in deep})
    best, gain = finding.best, finding.gain
    answer = (
        f"The published network, trained on synthetic profiles of {best}, is right in "
        f"{number(accuracy[best].mean(), 3)} of held-out profiles, on those of mvn in "
        f"{number(accuracy['mvn'].mean(), 3)}, on real ones in {number(accuracy['real'].mean(), 3)}: "
        f"{points(gain.mean)} points{between(gain.low, gain.high, points)} over {gain.n} dependent folds."
    )
    if "copy" in names:
        answer += (
            f" A photocopier reaches {number(accuracy['copy'].mean(), 3)}: the metric does not ask for anything new."
        )
    if finding.outcome == Outcome.CANNOT_TELL and finding.repeats:
        answer += f" Cannot tell yet: about {finding.repeats} folds would, lacan.repeats."
    return {"status": str(finding.outcome), "answer": answer, "points": sentences}
