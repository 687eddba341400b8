"""Verdict on the CAMDA track, paired over folds: accuracy and likeness against the two Gaussians."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ...core.words import number, points
from ...generators.base.registry import is_control
from ..shared.folds import folds_of, shared_by_deals
from ..shared.statistics import Interval, interval
from ..shared.verdicts import over_a_baseline

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
    gaussians = [g for g in ("mvn_camda", "mvn") if g in names]
    baseline = max(gaussians, key=lambda g: wide[g, "accuracy"].mean(), default="mvn")
    sentences = []

    def over_folds(gain: pd.Series) -> Interval:
        return interval(gain, shared_se=shared_by_deals(gain, folds_of(config, "camda")))

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
            for other in gaussians:
                gain = over_folds(mine["accuracy"] - wide[other, "accuracy"])
                text += f" Against {other}: accuracy {gain.said(points)} points;"
                better = [
                    said
                    for metric, (said, sign) in LIKENESS.items()
                    if over_folds(sign * (mine[metric] - wide[other, metric])).low > 0
                ]
                text += f" better in {', '.join(better) or 'none'} of the four likenesses."
        sentences.append(text)
    accuracy = {g: wide[g, "accuracy"] for g in names}
    return over_a_baseline(accuracy, deep, baseline, config, "camda") | {"points": sentences}
