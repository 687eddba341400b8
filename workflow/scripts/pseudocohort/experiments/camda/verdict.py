"""Verdict on the CAMDA track, paired over folds: accuracy and likeness against the two Gaussians."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ...core.words import between, number, points
from ...generators.base.registry import is_control
from ..shared.folds import shared_by_deals
from ..shared.outcomes import decide
from ..shared.statistics import interval
from ..shared.verdicts import over_a_baseline

#: Metrics compared with the Gaussians in the CAMDA track, in words; -1 where lower is better.
LIKENESS = {
    "coverage": ("coverage", 1),
    "correlation_score_within": ("within-condition γ", 1),
    "mmd": ("MMD", -1),
    "discriminator_auc": ("real-vs-synthetic AUC", -1),
}


def _low(gain: pd.Series, folds: int) -> float:
    """Lower limit of a mean gain over folds."""
    return interval(gain, shared_se=shared_by_deals(gain, folds)).low


def verdict(table: pd.DataFrame, config: dict[str, Any]) -> dict[str, Any]:
    """Verdict on the CAMDA track, paired over folds: accuracy and likeness against the two Gaussians."""
    wide = table.pivot_table(index="repeat", columns=["generator", "metric"], values="value")
    names = list(dict.fromkeys(table["generator"]))
    deep = [g for g in names if g != "real" and not is_control(g)]
    real = wide["real", "accuracy"].mean()
    baseline = "mvn_camda" if "mvn_camda" in names else "mvn"
    folds = config.get("camda", {}).get("folds", 5)
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
                gain = mine["accuracy"] - wide[other, "accuracy"]
                gain = interval(gain, shared_se=shared_by_deals(gain, folds))
                text += f" Against {other}: accuracy {points(gain.mean)}{between(gain.low, gain.high, points)} points;"
                better = [
                    said
                    for metric, (said, sign) in LIKENESS.items()
                    if _low(sign * (mine[metric] - wide[other, metric]), folds) > 0
                ]
                text += f" better in {', '.join(better) or 'none'} of the four likenesses."
        sentences.append(text)
    if not deep or baseline not in names:
        return {
            "status": "cannot_tell",
            "answer": "Cannot tell: no trained generator, or no Gaussian to compare it with.",
            "points": sentences,
        }
    gains = {g: wide[g, "accuracy"] - wide[baseline, "accuracy"] for g in deep}
    finding = decide(gains, shared_se={g: shared_by_deals(v, folds) for g, v in gains.items()})
    accuracy = {g: float(wide[g, "accuracy"].mean()) for g in names}
    return over_a_baseline(finding, accuracy, baseline, "camda.repeats") | {"points": sentences}
