"""Verdict on the CAMDA track, paired over folds: accuracy and likeness against the two Gaussians."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ...core.words import between, number, points
from ...generators.base.registry import is_control
from ..shared.outcomes import Outcome, decide
from ..shared.statistics import interval

#: Metrics compared with the Gaussians in the CAMDA track, in words; -1 where lower is better.
LIKENESS = {
    "coverage": ("coverage", 1),
    "correlation_score_within": ("within-condition γ", 1),
    "mmd": ("MMD", -1),
    "discriminator_auc": ("real-vs-synthetic AUC", -1),
}


def verdict(table: pd.DataFrame, config: dict[str, Any]) -> dict[str, Any]:
    """Verdict on the CAMDA track, paired over folds: accuracy and likeness against the two Gaussians."""
    wide = table.pivot_table(index="repeat", columns=["generator", "metric"], values="value")
    names = list(dict.fromkeys(table["generator"]))
    deep = [g for g in names if g != "real" and not is_control(g)]
    real = wide["real", "accuracy"].mean()
    baseline = "mvn_camda" if "mvn_camda" in names else "mvn"
    sentences = []
    for g in [n for n in names if n != "real"]:
        mine = wide[g]
        text = (
            f"{g}: accuracy synthetic to real {number(mine['accuracy'].mean(), 3)} (real to real {number(real, 3)}), "
            f"coverage {number(mine['coverage'].mean())}, within-condition γ "
            f"{number(mine['correlation_score_within'].mean())}, real-vs-synthetic AUC "
            f"{number(mine['discriminator_auc'].mean())}, closer to training than to held-out profiles "
            f"{number(mine['closer_to_train_share'].mean())}."
        )
        if g in deep:
            for other in [o for o in ("mvn_camda", "mvn") if o in names]:
                gain = interval(mine["accuracy"] - wide[other, "accuracy"])
                text += f" Against {other}: accuracy {points(gain.mean)}{between(gain.low, gain.high, points)} points;"
                better = [
                    said
                    for metric, (said, sign) in LIKENESS.items()
                    if interval(sign * (mine[metric] - wide[other, metric])).low > 0
                ]
                text += f" better in {', '.join(better) or 'none'} of the four likenesses."
        sentences.append(text)
    if not deep or baseline not in names:
        return {
            "status": "unclear",
            "answer": "No trained generator, or no Gaussian to compare with.",
            "points": sentences,
        }
    finding = decide({g: wide[g, "accuracy"] - wide[baseline, "accuracy"] for g in deep})
    best, gain = finding.best, finding.gain
    reached = {g: number(wide[g, "accuracy"].mean(), 3) for g in (best, baseline)}
    answer = (
        f"Trained on synthetic profiles of {best}, a classifier is right in {reached[best]} of held-out patients, on "
        f"those of {baseline} in {reached[baseline]}, on real ones in {number(real, 3)}: {points(gain.mean)} points"
        f"{between(gain.low, gain.high, points)} over {gain.n} dependent folds."
    )
    if finding.outcome == Outcome.CANNOT_TELL and finding.repeats:
        answer += f" Cannot tell yet: about {finding.repeats} folds would, camda.repeats."
    return {"status": str(finding.outcome), "answer": answer, "points": sentences}
