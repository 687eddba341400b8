"""Verdict on sharing: what the release gate would let pass, and nothing else, may be shared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...core.words import count, number, words
from ..shared import scales
from ..shared.statistics import Interval, interval
from ..shared.tables import rows_with
from ..shared.verdicts import Column, triple
from .evidence import FEWEST_COINS, MIN_NON_MEMBERS, Bounds, Evidence, Objection, evidence, in_words, judge

#: By generator: the evidence, and what speaks against a release of its cohort.
Judged = dict[str, tuple[Evidence, tuple[Objection, ...]]]


def _sentence(generator: str, found: Evidence, objections: tuple[Objection, ...]) -> str:
    """What was found about one generator."""
    best = found.best
    state = "the gate lets it pass"
    if objections:
        proven = any(objection.proven for objection in objections)
        state = "members are found" if proven else "it cannot be ruled out that members are found"
    p = "" if found.p_corrected is None else f"; corrected {in_words(found.p_corrected)}"
    control = f"; the same attack without members {number(best.control.auc)}" if np.isfinite(best.control.auc) else ""
    proved = ""
    if found.auc_bound is not None:
        proved = f" Its ledger proves that no attack has an AUC above {number(found.auc_bound)}."
    why = f" {objections[0].text}" if objections else ""
    why += f" And {count(len(objections) - 1, 'further reason')}." if len(objections) > 1 else ""
    return f"{generator}: {state}; best attack {words(best.name)}, AUC {best.audit}{p}{control}.{why}{proved}"


def _use(table: pd.DataFrame, generator: str) -> tuple[Interval, float]:
    """Balanced accuracy of what an audited cohort teaches about other donors, and of what its members would."""
    audit = rows_with(table, generator=generator, regime="audit")
    use = rows_with(audit, metric="tstr_balanced_accuracy")["value"]
    members = rows_with(audit, metric="members_balanced_accuracy")["value"]
    return interval(use, bounds=scales.SHARE), float(members.mean()) if len(members) else np.nan


def _most_useful(table: pd.DataFrame, generators: list[str]) -> str:
    """Generator whose audited cohort teaches most about other donors; the first where that was not measured."""
    return max(generators, key=lambda g: np.nan_to_num(_use(table, g)[0].mean, nan=-1.0))


def _judged(table: pd.DataFrame, config: dict[str, Any]) -> Judged:
    """Evidence of each generator, and what speaks against a release of its cohort."""
    bounds = Bounds.of(config.get("release", {}))
    found = {g: evidence(table, g) for g in dict.fromkeys(table.loc[table["metric"] == "auc", "generator"])}
    return {g: (f, judge(f, bounds)) for g, f in found.items() if f is not None}


def verdict(table: pd.DataFrame, config: dict[str, Any]) -> dict[str, Any]:
    """Verdict on sharing from the long table: "yes" for what the release gate would let pass, and for nothing else.

    The bounds are those of the section ``release``, where there is one.
    """
    judged = _judged(table, config)
    if not judged:
        return {"status": "cannot_tell", "answer": "Cannot tell: no attack was run."}
    passing = [g for g, (_, objections) in judged.items() if not objections]
    leaking = [g for g, (_, objections) in judged.items() if any(objection.proven for objection in objections)]
    unclear = [g for g in judged if g not in passing and g not in leaking]
    groups = (("yes", passing), ("no", leaking), ("cannot_tell", unclear))
    statuses = [status for status, group in groups if group]
    sentences = [_sentence(g, found, objections) for g, (found, objections) in judged.items()]
    notes = [_notes(kind, names, judged) for kind, names in groups[1:] if names]
    if passing:
        notes.append("That no attack found members is absence of evidence at this cohort size, not anonymity.")
    return {
        "status": statuses[0] if len(statuses) == 1 else "unclear",
        "answer": _answer(passing, leaking, unclear),
        "facts": _facts(table, judged, passing, leaking),
        "advice": _advice(table, judged, passing, leaking, unclear),
        "notes": notes,
        "points": sentences,
    }


def _answer(passing: list[str], leaking: list[str], unclear: list[str]) -> str:
    """The answer in one sentence."""
    if passing:
        rest = "the cohorts of the others may not" if leaking or unclear else "no attack finds its training donors"
        if len(passing) > 1 and not (leaking or unclear):
            rest = "no attack finds their training donors"
        return f"{'In part' if leaking or unclear else 'Yes'}: cohorts of {_and(passing)} may be shared; {rest}."
    if leaking and not unclear:
        return "No: every generator gives its training donors away."
    if leaking:
        return (
            "No: most cohorts give their training donors away, and for the rest it cannot be ruled out."
            if len(leaking) >= len(unclear)
            else f"No: {_and(leaking)} give training donors away; for the rest it cannot be ruled out."
        )
    return "Cannot tell yet: too few donors, coins or attacks to rule out that members are found."


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _notes(kind: str, names: list[str], judged: Judged) -> str:
    """Generators that leak, the worst first, or those of which it is not known."""
    best = {g: judged[g][0].best for g in names}
    worst = sorted(names, key=lambda g: -best[g].audit.auc)
    named = ", ".join(f"{g} (AUC {number(best[g].audit.auc)}, {words(best[g].name)})" for g in worst)
    return f"Members are found in the cohorts of {named}." if kind == "no" else f"Not shown for {named}."


def _facts(table: pd.DataFrame, judged: Judged, passing: list[str], leaking: list[str]) -> list[tuple[str, str]]:
    """The largest area of what may be shared, or of all; what a guess has; what the shared cohort is still good for."""
    of = passing or leaking or list(judged)
    generator = max(of, key=lambda g: judged[g][0].best.audit.auc)
    best = judged[generator][0].best
    facts = [
        (
            "Best attack on what may be shared" if passing else "Best attack",
            f"AUC {best.audit} ({words(best.name)} on {generator})",
        )
    ]
    controls = [found.best.control.auc for found, _ in judged.values()]
    controls = [c for c in controls if np.isfinite(c)]
    guess = ".5"
    if controls:
        guess += f"; the same attacks where no candidate was in the training set {number(min(controls))} to "
        guess += number(max(controls))
    facts.append(("A guess", guess))
    if passing:
        shared = _most_useful(table, passing)
        use, members = _use(table, shared)
        if use.n and np.isfinite(members):
            facts.append(
                (
                    "Use",
                    f"a classifier trained on {shared} reaches {use.said()}, on its training donors {number(members)}",
                )
            )
    return facts


def _advice(table: pd.DataFrame, judged: Judged, passing: list[str], leaking: list[str], unclear: list[str]) -> str:
    """What may be shared at what cost, or what would tell."""
    if passing:
        best = _most_useful(table, passing)
        use, members = _use(table, best)
        claim = judged[best][0].claim
        private = f" at ε = {np.ceil(round(100 * claim[0], 6)) / 100:g}" if claim and claim[0] is not None else ""
        text = f"{best}{private} may be shared"
        if use.n and np.isfinite(members):
            less = 100 * (members - use.mean)
            cost = count(round(less), "point")
            text += f" and costs {cost} of balanced accuracy" if less >= 0.5 else " and costs no accuracy"
        return f"{text}. " + ("Do not share the other cohorts." if leaking or unclear else "")
    text = "Do not share these cohorts."
    if not unclear:
        return f"{text} Differentially private generators are what to try next."
    return f"{text} {_what_would_tell(judged[unclear[0]][0], judged[unclear[0]][1])}"


def _what_would_tell(found: Evidence, objections: tuple[Objection, ...]) -> str:
    """The setting that a generator of which it is not known needs."""
    per_coin = found.non_members / max(found.coins, 1)
    coins = max(FEWEST_COINS, int(np.ceil(MIN_NON_MEMBERS / per_coin)) if per_coin else FEWEST_COINS)
    if found.coins < coins:
        return f"{coins} coins would tell more: set privacy.coins: {coins} (now {found.coins})."
    return f"More donors or coins (privacy.coins, now {found.coins}) would tell: {objections[0].text}"


def overview(table: pd.DataFrame, config: dict[str, Any]) -> list[Column]:
    """Leakage of each generator, and what the same cohorts teach about other donors."""
    judged = _judged(table, config)
    area = {g: found.best.audit for g, (found, _) in judged.items()}
    use = {g: _use(table, g) for g in judged}
    members = [m for _, m in use.values() if np.isfinite(m)]
    classes = max((len(found.conditions) + len(found.small_conditions) for found, _ in judged.values()), default=0)
    return [
        Column(
            title="Leakage, AUC",
            note="Area of the attack that tells training donors from others best. Marked are cohorts that the release "
            "gate lets pass.",
            values={g: (a.auc, a.low, a.high) for g, a in area.items()},
            floor=("every member found", 1.0),
            ceiling=("a guess", 0.5),
            marks={g: "may be shared" for g, (_, objections) in judged.items() if not objections},
        ),
        Column(
            title="Use under leakage",
            note="Balanced accuracy on other donors of a classifier of conditions that was trained on the attacked "
            "cohort.",
            values={g: triple(found) for g, (found, _) in use.items() if found.n},
            floor=("chance", 1 / classes if classes > 1 else 0.0),
            ceiling=("the training donors themselves", float(np.mean(members)) if members else np.nan),
        ),
    ]
