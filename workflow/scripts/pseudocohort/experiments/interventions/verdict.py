"""Verdict on perturbation predictions from the long table."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ...core.words import between, number
from ..shared.statistics import interval


def verdict(table: pd.DataFrame, config: dict[str, Any]) -> dict[str, Any]:
    """Verdict on perturbation predictions from the long table."""
    scores = table[table["metric"] == "pearson_delta"]
    labels = scores["generator"] + scores["estimator"].fillna("").map(lambda e: f" ({e} graph)" if e else "")
    by_operator = {name: interval(group["value"]) for name, group in scores.groupby(labels, sort=False)}
    ordered = sorted(by_operator.items(), key=lambda item: -item[1].mean)
    sentences = [
        f"{name}: correlation of predicted with true changes {number(v.mean)}{between(v.low, v.high, number)}."
        for name, v in ordered
    ]
    free = {n: v for n, v in by_operator.items() if "graph)" not in n}
    best_free = max(free, key=lambda n: free[n].mean)
    gains = table[table["metric"].str.startswith("pearson_delta_gain_over_")]
    base = f"pearson_delta_gain_over_{best_free}"
    given, corrupted = (by_operator.get(f"do_g ({kind} graph)") for kind in ("given", "corrupted"))
    if given is None:
        return {"status": "unclear", "answer": "No causal operator was run.", "points": sentences}
    advantage = {
        kind: interval(
            gains[(gains["metric"] == base) & (gains["generator"] == "do_g") & (gains["estimator"] == kind)]["value"]
        )
        for kind in ("given", "corrupted")
    }
    answer = (
        f"With the right regulatory graph DO|G predicts changes with correlation {number(given.mean)}"
        f"{between(given.low, given.high, number)}; without any graph the best ({best_free}) reaches "
        f"{number(free[best_free].mean)}."
    )
    status = "yes" if advantage["given"].low > 0 else "unclear"
    if corrupted is not None:
        holds = advantage["corrupted"].low > 0
        answer += f" With a corrupted graph it falls to {number(corrupted.mean)}, " + (
            "still better than that." if holds else "no better than that: the prediction is as good as the graph."
        )
        status = "yes" if status == "yes" and holds else "unclear"
    return {"status": status, "answer": answer, "points": sentences}
