"""Verdict on sharing from the long table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...core.words import number, words
from ..shared.verdicts import rows_with


def verdict(table: pd.DataFrame, config: dict[str, Any]) -> dict[str, Any]:
    """Verdict on sharing from the long table."""
    auc = table[table["metric"] == "auc"]
    battery = table[table["estimator"] == "battery"]
    leaking, silent, sentences = [], [], []
    coins = max(battery["repeat"].nunique(), 1)
    for generator in dict.fromkeys(auc["generator"]):
        audit = rows_with(auc, generator=generator, regime="audit")
        means = audit.groupby("estimator")["value"].mean()
        attack, value = means.idxmax(), means.max()
        control = rows_with(auc, generator=generator, regime="negative_control", estimator=attack)["value"].mean()
        p = min(
            1.0, coins * rows_with(battery, generator=generator, regime="audit", metric="p_corrected")["value"].min()
        )
        nearest = means.get("nearest_neighbour", np.nan)
        low = np.sqrt(
            np.mean(
                rows_with(table, generator=generator, regime="audit", estimator=attack, metric="auc_se")["value"] ** 2
            )
        )
        entry = (generator, attack, value, p, low)
        (leaking if p < 0.05 else silent).append(entry)
        sentences.append(
            f"{generator}: {'members are found' if p < 0.05 else 'no attack succeeds'}; best attack {words(attack)}, "
            f"AUC {number(value)} (corrected p {'< .001' if p < 0.001 else '= ' + number(p, 3)}; the same attack "
            f"without members {number(control)}; nearest neighbour alone {number(nearest)})."
        )
    parts = []
    if leaking:
        worst = sorted(leaking, key=lambda e: -e[2])
        parts.append("Not from " + ", ".join(f"{g} (AUC {number(v)}, {words(a)})" for g, a, v, *_ in worst) + ".")
    if silent:
        largest = max(silent, key=lambda e: e[2])
        parts.append(
            f"No attack told members from others for {', '.join(e[0] for e in silent)} (largest AUC "
            f"{number(largest[2])}; with this many donors an AUC below about {number(0.5 + 1.96 * largest[4])} goes "
            "unnoticed). That is absence of evidence at this cohort size, not anonymity."
        )
    status = "no" if not silent else "unclear" if leaking else "yes"
    return {"status": status, "answer": " ".join(parts), "points": sentences}
