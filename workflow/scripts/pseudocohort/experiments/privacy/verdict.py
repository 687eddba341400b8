"""Verdict on sharing: what the release gate would let pass, and nothing else, may be shared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...core.words import number, words
from .evidence import Bounds, Evidence, Objection, evidence, judge


def _p(value: float) -> str:
    return "< .001" if value < 0.001 else f"= {number(value, 3)}"


def _sentence(generator: str, found: Evidence, objections: tuple[Objection, ...]) -> str:
    """What was found about one generator."""
    best = max(found.attacks, key=lambda attack: attack.audit.auc)
    state = "the gate lets it pass"
    if objections:
        proven = any(objection.proven for objection in objections)
        state = "members are found" if proven else "it cannot be ruled out that members are found"
    p = "" if found.p_corrected is None else f"; corrected p {_p(found.p_corrected)}"
    control = f"; the same attack without members {number(best.control.auc)}" if np.isfinite(best.control.auc) else ""
    proved = ""
    if found.auc_bound is not None:
        proved = f" Its ledger proves that no attack has an AUC above {number(found.auc_bound)}."
    why = f" {objections[0].text}" if objections else ""
    why += f" And {len(objections) - 1} more reason(s)." if len(objections) > 1 else ""
    return f"{generator}: {state}; best attack {words(best.name)}, AUC {best.audit}{p}{control}.{why}{proved}"


def verdict(table: pd.DataFrame, config: dict[str, Any]) -> dict[str, Any]:
    """Verdict on sharing from the long table: "yes" for what the release gate would let pass, and for nothing else.

    Parameters
    ----------
    table : DataFrame
        Long privacy table.
    config : dict
        The bounds of the gate are those of its section ``release``, where there is one.
    """
    bounds = Bounds.of(config.get("release", {}))
    passing, leaking, unclear, sentences = [], [], [], []
    for generator in dict.fromkeys(table.loc[table["metric"] == "auc", "generator"]):
        found = evidence(table, generator)
        if found is None:
            continue
        objections = judge(found, bounds)
        best = max(found.attacks, key=lambda attack: attack.audit.auc)
        proven = any(objection.proven for objection in objections)
        (passing if not objections else leaking if proven else unclear).append((generator, best))
        sentences.append(_sentence(generator, found, objections))
    parts = []
    if leaking:
        worst = sorted(leaking, key=lambda entry: -entry[1].audit.auc)
        named = ", ".join(f"{g} (AUC {number(a.audit.auc)}, {words(a.name)})" for g, a in worst)
        parts.append(f"Not from {named}.")
    if unclear:
        parts.append(f"Not shown for {', '.join(g for g, _ in unclear)}: too few donors, coins or attacks to tell.")
    if passing:
        largest = max(passing, key=lambda entry: entry[1].audit.auc)[1]
        parts.append(
            f"The gate lets {', '.join(g for g, _ in passing)} pass (largest AUC {largest.audit}). That is absence of "
            "evidence at this cohort size, not anonymity."
        )
    found = [status for status, of in (("yes", passing), ("no", leaking), ("cannot_tell", unclear)) if of]
    status = found[0] if len(found) == 1 else "unclear" if found else "no"
    return {"status": status, "answer": " ".join(parts), "points": sentences}
