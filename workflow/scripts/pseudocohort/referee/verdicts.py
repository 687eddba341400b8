"""What the tables of an audit say, in sentences: yes, no, cannot tell, nothing to gain."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from ..core.words import between, number, points, words
from ..experiments.augmentation.verdict import CLASSIFIER
from ..experiments.fidelity import EXPERIMENT as FIDELITY
from ..experiments.fidelity.verdict import MARGIN
from ..experiments.privacy import EXPERIMENT as PRIVACY
from ..experiments.privacy.evidence import (
    FEWEST_COINS,
    Area,
    Bounds,
    Evidence,
    Objection,
    Result,
    evidence,
    in_words,
    judge,
)
from ..experiments.shared.estimators import SMALLEST
from ..experiments.shared.outcomes import Outcome
from ..experiments.shared.tables import rows_with
from ..generators.base.registry import generators
from ..metrics.survival import FEWEST_EVENTS
from .measure import ADDED, ALONE, REAL, SYNTHETIC, TRAIN

#: Loss of balanced accuracy up to which synthetic profiles teach what the patients teach.
ALLOWED_LOSS = 0.05
#: Level at which the best of all attacks has to be beyond chance, after correction for their number.
LEVEL = 0.05
#: Share of profiles next to a training profile from which on a cohort repeats its training profiles.
MEMORISED = 0.1
INSTEAD = "Can the synthetic cohort replace the patients in teaching a classifier?"
SURVIVAL = "Do the genes that go with survival in patients go with it in the synthetic cohort?"
ADDITION = "Does adding the synthetic cohort to the patients improve prediction?"


@dataclass(frozen=True)
class Given:
    """What an audit was given, and what was found before any evaluation.

    Attributes
    ----------
    holdout, reference : int
        Numbers of donors; 0: not given.
    copies : DataFrame
        Synthetic profiles that are training profiles: ``synthetic train donor``.
    near_copies, synthetic : int
        Numbers of synthetic profiles.
    conditions : int
    not_run : list of str
        Attacks that were not run for want of the attacker's reference.
    unseen : list of str
        Profiles and genes of the cohort that were not looked at.
    disguised : int
        Synthetic profiles that are a training profile on another scale or in part.
    of_holdout : int
        Synthetic profiles that are copies of held-out donors.
    """

    holdout: int
    reference: int
    copies: pd.DataFrame
    near_copies: int
    synthetic: int
    conditions: int
    not_run: list[str]
    unseen: list[str] = field(default_factory=list)
    disguised: int = 0
    of_holdout: int = 0


def _verdict(
    question: str, status: str, answer: str, advice: str, sentences: list[str] | None = None
) -> dict[str, Any]:
    return {"question": question, "status": str(status), "answer": answer, "advice": advice, "points": sentences or []}


def _value(row: pd.Series, form=number) -> str:
    return form(row["value"]) + between(row["ci_low"], row["ci_high"], form)


def _row(table: pd.DataFrame, **keys: Any) -> pd.Series:
    """The row of a metric; where it could not be computed, one without numbers."""
    rows = rows_with(table, **keys)
    return rows.iloc[0] if len(rows) else pd.Series(np.nan, ["value", "ci_low", "ci_high"])


def _of_copies(given: Given) -> str:
    """What is said of copies of training profiles, as the release gate counts them: exact and near ones."""
    total = f"of {given.synthetic} synthetic profiles"
    parts: list[str] = []
    if exact := len(given.copies):
        first = given.copies.iloc[0]
        kind = "is a training profile" if exact == 1 else "are training profiles"
        more = f", and {exact - 1} more" if exact > 1 else ""
        parts.append(f"{exact} {total} {kind} ({first['synthetic']} is {first['train']}{more}).")
    for n, one, several, rest in (
        (given.near_copies, "lies", "lie each", "next to one training donor and far from all others"),
        (given.disguised, "is a training profile", "are training profiles", "on another scale or in part"),
    ):
        if n:
            parts.append(f"{n} {'more' if parts else total} {one if n == 1 else several} {rest}.")
    if given.of_holdout:
        parts.append(
            f"{given.of_holdout} {total} copy held-out donors, whom the generator is said never to have seen: no "
            "attack can be judged by them."
        )
    return " ".join(parts)


NO_HOLDOUT = (
    "Cannot tell without held-out donors: an attack is judged by how well it tells the generator's donors from donors "
    "that it never saw. Distance or likeness to the training profiles is not privacy: a cohort may lie far from all of "
    "them and give every donor away."
)
GIVE_HOLDOUT = "Give profiles of donors whom the generator never saw (holdout), 100 or more."
TREAT_AS_DATA = (
    "Handle it as the patients' data: same access rules, no open release. For a cohort to share, train with "
    "differential privacy, and audit that."
)


def privacy_verdict(given: Given, long: pd.DataFrame | None) -> dict[str, Any]:
    """Verdict on sharing, by the bounds of the release gate; a gate for one cohort knows no coins.

    "No": copies of training profiles are in it; or an attack finds training donors beyond the bounds, and the best of
    all attacks is beyond chance, corrected for their number, and beyond what attacks find in real profiles of others.
    "Yes": no interval reaches beyond the bounds, the least battery of attacks was run, and all of the cohort was seen.
    """
    question = PRIVACY.question
    copied = _of_copies(given)
    found = None if long is None else evidence(long, SYNTHETIC)
    if found is None and copied:
        return _verdict(question, "no", f"No. {copied}", TREAT_AS_DATA)
    if long is None:
        return _verdict(question, Outcome.CANNOT_TELL, NO_HOLDOUT, GIVE_HOLDOUT)
    floor = evidence(long, REAL)
    if found is None:
        answer = "Cannot tell: no attack could be run."
        return _verdict(question, Outcome.CANNOT_TELL, answer, "See the table for the reasons.")
    # One cohort has one membership: further coins are not to be had. Copies have a sentence of their own.
    objections = judge(replace(found, coins=max(found.coins, FEWEST_COINS), copies=0), Bounds())
    best = found.best
    shift = _shift(floor)
    beyond = found.p_corrected is not None and found.p_corrected <= LEVEL
    proven = beyond and any(o.proven for o in objections) and not (shift and not _above(best, floor))
    sentences = _attack_sentences(found, floor, objections, shift)
    if given.not_run:
        named = ", ".join(words(name) for name in given.not_run)
        sentences.append(f"Not run for want of a reference, the attacker's own real profiles: {named}.")
    sentences += [copied] if copied else []
    beside = _beside(best, floor)
    if proven or copied:
        answer = f"No. {copied} " if copied else "No. "
        verb = "tells" if proven else "tries to tell"
        answer += f"The attack {words(best.name)} {verb} training donors from donors left out: {_area(best)}{beside}."
        return _verdict(question, "no", answer, TREAT_AS_DATA, sentences)
    if shift:
        answer = (
            f"Cannot tell: training and held-out donors differ even for a cohort that neither was used for (real "
            f"profiles of others: AUC {floor.best.audit}), so that an attack that finds training donors may find "
            f"their hospital or batch. Best attack here: {words(best.name)}, {_area(best)}."
        )
        advice = "Take train and holdout from one source, by a random split of donors, and generate the cohort again."
        return _verdict(question, Outcome.CANNOT_TELL, answer, advice, sentences)
    if objections:
        answer = (
            f"Cannot tell. Best attack: {words(best.name)}, {_area(best)}{beside}. Not ruled out: {objections[0].text}"
        )
        advice = (
            f"Hold out more donors (now {given.holdout}); several cohorts of this generator, each from a random half "
            "of the donors, would tell more than one."
        )
        if given.not_run:
            advice = "Give a reference: real profiles of further donors, as an attacker may have. " + advice
        return _verdict(question, Outcome.CANNOT_TELL, answer, advice, sentences)
    if given.unseen:
        answer = (
            f"Cannot tell: no attack found the training donors, but of the cohort {' and '.join(given.unseen)} were "
            "not looked at; they may be copies."
        )
        advice = "Take them out of the cohort that is shared, or give what they lack, and audit it again."
        return _verdict(question, Outcome.CANNOT_TELL, answer, advice, sentences)
    answer = (
        f"No attack found the training donors: at most {_area(best)} ({words(best.name)}){beside}. That is absence of "
        "evidence at this number of donors and for this one cohort, not anonymity."
    )
    advice = "Share under an agreement, or first audit several cohorts of the same generator."
    return _verdict(question, "yes", answer, advice, sentences)


def _area(attack: Result) -> str:
    return f"AUC {attack.audit}, where .5 is a guess"


def _shift(floor: Evidence | None) -> bool:
    """Whether real profiles of others tell training from held-out donors beyond chance."""
    return floor is not None and floor.p_corrected is not None and floor.p_corrected <= LEVEL


def _above(best: Result, floor: Evidence | None) -> bool:
    """Whether an attack finds more than the best attack does in real profiles of others, intervals apart."""
    return floor is None or best.audit.low > floor.best.audit.high


def _named(found: Evidence | None, name: str) -> Area | None:
    areas = [attack.audit for attack in found.attacks if attack.name == name] if found else []
    return areas[0] if areas else None


def _beside(best: Result, floor: Evidence | None) -> str:
    parts = []
    if area := _named(floor, best.name):
        parts.append(f"real profiles of others in its place: {area}")
    if np.isfinite(best.control.auc):
        parts.append(f"among held-out donors alone: {number(best.control.auc)}")
    return f" ({'; '.join(parts)})" if parts else ""


def _attack_sentences(
    found: Evidence, floor: Evidence | None, objections: tuple[Objection, ...], shift: bool
) -> list[str]:
    out = [
        f"{words(a.name)[:1].upper()}{words(a.name)[1:]}: AUC {a.audit}{_beside(a, floor)}."
        for a in sorted(found.attacks, key=lambda attack: -attack.audit.auc)
    ]
    if found.p_corrected is not None:
        said = in_words(found.p_corrected)
        out.append(f"The best of all attacks against chance, corrected for their number: {said}.")
    if shift:
        out.append("Training and held-out donors differ by themselves: see the rows of real profiles.")
    return out + [f"Against sharing: {objection.text}" for objection in objections]


def use_verdicts(given: Given, table: pd.DataFrame | None) -> dict[str, dict[str, Any]]:
    """Verdicts on the cohort in the place of the patients, and in addition to them."""
    if table is None or not ((table["generator"] == SYNTHETIC) & (table["metric"] == "balanced_accuracy_gain")).any():
        why = "without held-out donors there is nothing to test a classifier on"
        advice = "Give profiles of donors whom the generator never saw (holdout)."
        if given.holdout:
            why = "there is nothing to predict: the cohort, or the held-out donors, have profiles of one condition"
            advice = "Name the column of the condition, and give profiles of two conditions or more."
        return {
            name: _verdict(question, Outcome.CANNOT_TELL, f"Cannot tell: {why}.", advice)
            for name, question in (("instead", INSTEAD), ("addition", ADDITION))
        }
    accuracy, gains = (table[table["metric"] == m] for m in ("balanced_accuracy", "balanced_accuracy_gain"))
    real = _row(accuracy, generator=REAL, regime=ALONE)
    at = {"generator": SYNTHETIC}
    others = accuracy[(accuracy["regime"] == ALONE) & ~accuracy["generator"].isin([REAL, SYNTHETIC, TRAIN])]
    tested = f"balanced accuracy on {given.holdout} held-out donors, {CLASSIFIER[str(real['estimator'])]}"
    beside = [
        f"Taught by {name} alone: {_value(row)}." for name, row in others.set_index("generator").iterrows()
    ]  # fmt: skip
    alone, loss = (_row(t, **at, regime=ALONE) for t in (accuracy, gains))
    both, gain = (_row(t, **at, regime=ADDED) for t in (accuracy, gains))
    return {
        "instead": _instead(alone, loss, real, tested, given.conditions, beside),
        "addition": _addition(both, gain, real, tested),
    }


def _instead(
    alone: pd.Series, loss: pd.Series, real: pd.Series, tested: str, conditions: int, beside: list[str]
) -> dict[str, Any]:
    numbers = (
        f"{_value(alone)} taught by synthetic profiles, {_value(real)} by the training donors, "
        f"{number(1 / conditions)} by guessing ({tested}); difference {_value(loss, points)} points."
    )
    allowed = f"{100 * ALLOWED_LOSS:g} points"
    if loss["ci_low"] > -ALLOWED_LOSS:
        status, said = "yes", f"Yes, within {allowed}"
        advice = "Use it to write and test an analysis; report results on real profiles."
    elif loss["ci_high"] < -ALLOWED_LOSS:
        status, said, advice = "no", f"No, it loses more than {allowed}", "Do not teach a classifier with it alone."
    else:
        status, said = Outcome.CANNOT_TELL, f"Cannot tell whether it loses less than {allowed}"
        advice = "Hold out more donors."
    return _verdict(INSTEAD, status, f"{said}: {numbers}", advice, beside)


def _addition(both: pd.Series, gain: pd.Series, real: pd.Series, tested: str) -> dict[str, Any]:
    numbers = (
        f"{_value(gain, points)} points over the {_value(real)} of the training donors alone ({tested}; with the "
        f"synthetic profiles {_value(both)})."
    )
    if 1 - real["value"] < SMALLEST:
        status, said, advice = Outcome.NOTHING_TO_GAIN, "Nothing to gain", "Leave it out."
        numbers = f"the training donors alone reach {_value(real)} ({tested})."
    elif gain["ci_low"] > 0:
        status, said = "yes", "Yes"
        advice = "Add it, and check with other splits of the donors: this is one."
    elif gain["ci_high"] < SMALLEST:
        status, said, advice = "no", f"No gain of {100 * SMALLEST:g} point or more", "Leave it out."
    else:
        status, said = Outcome.CANNOT_TELL, "Cannot tell"
        advice = "Leave it out until more held-out donors, or several splits, show a gain."
    return _verdict(ADDITION, status, f"{said}: {numbers}", advice)


def survival_verdict(table: pd.DataFrame | None, lacking: list[str]) -> dict[str, Any]:
    """Verdict on the genes that go with survival: as in other real patients, the ceiling; permuted times, the floor.

    "Yes": the correlation of log hazard ratios is beyond the floor, and the interval reaches that of the ceiling. "No":
    it does not reach it. Where real patients do not pass the interval of their own floor, nothing can be told: the
    halves of several cuts are of the same patients, so that the interval of the ceiling says nothing of chance.

    Parameters
    ----------
    table : DataFrame or None
        Likeness, as :func:`.measure.likeness` has it.
    lacking : list of str
        Which of holdout and synthetic have no follow-up.
    """
    names = {"holdout": "held-out donors", SYNTHETIC: "the synthetic cohort"}
    known = "survival_log_hr_r", "survival_permuted_log_hr_r"
    found = {} if table is None else {
        (g, m): _row(table, generator=g, metric=m)
        for g in (SYNTHETIC, REAL) for m in known
        if len(rows_with(table, generator=g, metric=m))
    }  # fmt: skip
    if len(found) < len(known) * 2:
        why = f"of the held-out donors, or as many profiles of the cohort, a half has fewer than {FEWEST_EVENTS} events"
        advice = "Hold out more donors."
        if lacking:
            verb = "has" if lacking == [SYNTHETIC] else "have"
            why = f"{' and '.join(names[name] for name in lacking)} {verb} no follow-up"
            advice = "Give both columns for the held-out donors and for the synthetic cohort."
        return _verdict(SURVIVAL, Outcome.CANNOT_TELL, f"Cannot tell: {why}.", advice)
    made, floor, real, real_floor = (found[g, m] for g in (SYNTHETIC, REAL) for m in known)
    numbers = (
        f"over genes, log hazard ratios correlate with those of held-out patients with r {_value(made)}; other real "
        f"patients reach {_value(real)}, and the cohort with permuted times {_value(floor)}"
    )
    calls = [
        f"{who}: {called['value']:.1f} genes called at FDR 5 %, with permuted times {chance['value']:.1f}; in held-out "
        f"patients {truth['value']:.1f}."
        for who, g in (("Synthetic", SYNTHETIC), ("Other real patients", REAL))
        for called, chance, truth in [
            [_row(table, generator=g, metric=f"survival_{m}calls") for m in ("", "permuted_", "real_")]
        ]
    ]
    if not real["value"] > real_floor["ci_high"]:
        answer = f"Cannot tell: real patients do not agree with each other beyond permuted times; {numbers}."
        return _verdict(SURVIVAL, Outcome.CANNOT_TELL, answer, "Hold out more donors with events.", calls)
    if made["ci_high"] < real["ci_low"]:
        advice = "Do not look for prognostic genes in it."
        return _verdict(SURVIVAL, "no", f"No: {numbers}.", advice, calls)
    if made["ci_low"] > floor["value"] and made["ci_high"] >= real["ci_low"]:
        advice = "Confirm every gene that it suggests in real patients."
        return _verdict(SURVIVAL, "yes", f"Yes: {numbers}.", advice, calls)
    return _verdict(
        SURVIVAL, Outcome.CANNOT_TELL, f"Cannot tell: {numbers}.", "Hold out more donors with events.", calls
    )


def likeness_verdict(given: Given, table: pd.DataFrame | None) -> dict[str, Any]:
    """Verdict on likeness: how well a classifier tells the cohort from held-out donors, real ones beside it."""
    question = FIDELITY.question
    if table is None:
        answer = "Cannot tell: there are no held-out donors to compare with, and likeness to the training profiles "
        answer += "is what copies have."
        if given.holdout:
            answer = f"Cannot tell: {given.holdout} held-out donors are too few to cut into halves."
        return _verdict(question, Outcome.CANNOT_TELL, answer, "Give profiles of 20 or more held-out donors (holdout).")

    def of(generator: str, metric: str) -> pd.Series:
        return _row(table, generator=generator, metric=metric)

    auc, real = (of(g, "discriminator_auc") for g in (SYNTHETIC, REAL))
    memorised = of(SYNTHETIC, "memorisation_share")
    numbers = (
        f"a classifier tells them from held-out donors with AUC {_value(auc)} (real against real {_value(real)}; .5 "
        f"cannot be told); coverage {_value(of(SYNTHETIC, 'coverage'))} (real {_value(of(REAL, 'coverage'))})"
    )
    known = [g for g in dict.fromkeys(table["generator"]) if g not in (SYNTHETIC, REAL, TRAIN) and g in generators()]
    sentences = [
        f"{g}: discriminator AUC {_value(of(g, 'discriminator_auc'))}, coverage {_value(of(g, 'coverage'))}, "
        f"correlations within conditions {_value(of(g, 'correlation_score_within'))}, next to a training profile "
        f"{_value(of(g, 'memorisation_share'))}."
        for g in (SYNTHETIC, REAL, *known)
    ]
    if memorised["value"] >= MEMORISED or len(given.copies) >= MEMORISED * given.synthetic:
        answer = f"No: it repeats training profiles. {_value(memorised)} of its profiles lie next to one; {numbers}."
        return _verdict(question, "no", answer, "Ask for the generator's settings; it copies.", sentences)
    margin = max(real["value"], 0.5) + MARGIN
    if auc["ci_high"] < margin:
        return _verdict(question, "yes", f"Yes: {numbers}.", "See which genes and conditions differ most.", sentences)
    if auc["ci_low"] > margin:
        advice = "Do not read single genes, variances or tails off it."
        return _verdict(question, "no", f"No: {numbers}.", advice, sentences)
    return _verdict(question, Outcome.CANNOT_TELL, f"Cannot tell: {numbers}.", "Hold out more donors.", sentences)
