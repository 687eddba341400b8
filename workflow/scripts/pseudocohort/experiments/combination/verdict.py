"""Verdict on the cell level from the long table: what it is worth without labels, and what a generator adds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...core.words import number, points, words
from ..shared import scales
from ..shared.estimators import SMALLEST
from ..shared.outcomes import interval_that_decides, repeats_that_tell
from ..shared.statistics import interval
from ..shared.tables import rows_with
from .names import GROUPS, NOT_TRAINED, QUESTION, named

#: A generator does as well as a classifier if it is at most so much worse, in balanced accuracy.
PARITY = 0.02

#: Methods without a generator, in words.
METHODS = {
    "em": "mixture of lines and unlabelled patients",
    "em_logistic": "logistic regression on the labels that the lines gave",
}


def _called(name: str) -> str:
    return METHODS.get(name, words(name))


def _arm(k: float) -> str:
    return "both" if k else "cell_only"


def _mean(table: pd.DataFrame, **keys: Any) -> float:
    return float(rows_with(table, **keys)["value"].mean())


def verdict(table: pd.DataFrame, config: dict[str, Any]) -> dict[str, Any]:
    """Verdict on the cell level from the long table, in the words of the level that the study has in its place."""
    return _named({"question": QUESTION} | _of_lines(table), config)


def _named(told: Any, config: dict[str, Any]) -> Any:
    if isinstance(told, str):
        return named(told, config)
    if isinstance(told, dict):
        return {key: _named(value, config) for key, value in told.items()}
    return type(told)(_named(value, config) for value in told) if isinstance(told, list | tuple) else told


def _of_lines(table: pd.DataFrame) -> dict[str, Any]:
    """Verdict on cell lines.

    The cell level helps if logistic regression on the labels that lines give, or a generator, is above labelled
    patients alone (at k = 0: above chance), above itself without lines and above itself with permuted labels: the
    intervals over splits, corrected for the number of methods and of k, lie above 0.
    """
    accuracy = table[(table["metric"] == "balanced_accuracy") & table["task"].isna()]
    made = [g for g in dict.fromkeys(accuracy["generator"]) if g not in NOT_TRAINED]
    ceiling = _mean(accuracy, generator="real", regime="ceiling")
    ks = sorted(k for k in accuracy["n_real"].dropna().unique() if k >= 0)
    points_of_page = [_at(accuracy, made, k) for k in ks]
    if np.isfinite(ceiling):
        points_of_page.append(f"All labels: {number(ceiling)}.")
    evidence = _evidence(table)
    points_of_page += evidence + _pool(table) + _recalls(table, ks)
    methods = ["em_logistic", *made]
    judged = _judge(table, accuracy, methods, ks)
    wins, repeats = judged.wins, judged.repeats
    draws, drawn = (int(a["repeat"].nunique()) for a in (accuracy, accuracy[accuracy["generator"].isin(made)]))
    chance = 1 / len(_conditions(table)) if _conditions(table) else 0.0
    if not wins:
        told: dict[str, Any] = {"status": "no" if judged.excluded else "cannot_tell", "points": points_of_page}
        if ks:
            at = rows_with(accuracy, n_real=ks[0], regime=_arm(ks[0]))
            means = at[at["generator"].isin(methods)].groupby("generator")["value"].mean()
            told["facts"] = _facts(accuracy, means.idxmax(), ks[0], ceiling, chance) if len(means) else []
        if judged.excluded:
            told["answer"] = "No: the cell level gains no point over the patients alone, whatever uses it."
            told["advice"] = "Leave the cell lines out here; further labelled patients are what helps."
            if not judged.no_gain:
                told["answer"] = "No: the cell level gains no point over the patients alone, or over permuted labels."
                told["advice"] = "Leave the cell lines out here: what is gained does not come from their names."
            return told
        if not judged.measured:
            told["answer"] = "Cannot tell: nothing was measured both with the lines and with permuted labels of them."
            return told
        told["answer"] = "Cannot tell yet: a gain from the cell level is neither shown nor excluded."
        told["advice"] = (
            # A generator may be drawn less often than what has none.
            f"{repeats} draws would tell: set combination.{'draws' if repeats > draws else 'generator_draws'}: "
            f"{repeats} (now {draws if repeats > draws else drawn})."
            if repeats
            else f"More draws (combination.draws, now {draws}) would not tell: the gain is too small."
        )
        return told
    k = min(k for k, _ in wins)
    best = max((g for at, g in wins if at == k), key=lambda g: _mean(accuracy, generator=g, n_real=k, regime=_arm(k)))
    patients = "without a single labelled one" if not k else f"with {int(k)} labelled per condition"
    used = rows_with(table, metric="em_source_used", regime="cell_only", task=None)["value"].mean()
    return {
        "status": "yes",
        "answer": f"Yes: cell lines and unlabelled patients help to predict patients {patients}.",
        "facts": _facts(accuracy, best, k, ceiling, chance),
        "advice": f"Train on the cell lines and the unlabelled patients as well, with {_called(best)}.",
        "notes": _generators(table, accuracy, made, k) + (evidence[:1] if not k and used < 1 else []),
        "points": points_of_page,
    }


def _facts(accuracy: pd.DataFrame, best: str, k: float, ceiling: float, chance: float) -> list[tuple[str, str]]:
    """Balanced accuracy on held-out patients: of the best method, and what it is to be read against."""
    at = accuracy[accuracy["n_real"] == k]
    found = interval(rows_with(at, generator=best, regime=_arm(k))["value"], bounds=scales.SHARE)
    facts = [("Balanced accuracy", f"{found.said()} on held-out patients ({_called(best)})")]
    if not k and chance:
        facts.append(("Chance", number(chance)))
    if k:
        alone = interval(rows_with(at, generator="real", regime="tissue_only")["value"], bounds=scales.SHARE)
        facts.append(("Labelled patients alone", alone.said()))
    name, value = _best_of(at, "best_without_pool")
    if name:
        facts.append(("Best without unlabelled patients", f"{number(value)} ({words(name)})"))
    facts.append(("With permuted labels of the lines", number(_mean(at, generator=best, regime="permuted"))))
    if np.isfinite(ceiling):
        facts.append(("With all labels", number(ceiling)))
    return facts


def _best_of(at: pd.DataFrame, group: str) -> tuple[str, float]:
    rows = rows_with(at, generator=group)
    return (str(rows["estimator"].iloc[0]), float(rows["value"].mean())) if len(rows) else ("", np.nan)


def _generators(table: pd.DataFrame, accuracy: pd.DataFrame, made: list[str], k: float) -> list[str]:
    """What the best generator adds to a classifier on the same labels."""
    if not made:
        return []
    at = rows_with(table, n_real=k, regime=_arm(k))
    value = {g: _mean(accuracy, generator=g, n_real=k, regime=_arm(k)) for g in made}
    best = max(value, key=lambda g: value[g])
    gain = interval(
        rows_with(at, generator=best, metric="gain_over_em_logistic")["value"], confidence=1 - 0.05 / len(made)
    )
    if not gain.n:
        return []
    verb = "adds to" if gain.low > 0 else "loses to" if gain.high < 0 else "does as well as"
    if verb == "does as well as" and not gain.low >= -PARITY:
        verb = "cannot yet be told apart from"
    return [
        f"The best generator, {best}, reaches {number(value[best])} and {verb} logistic regression on the labels "
        f"that the lines gave ({gain.said(points, ' points')})."
    ]


@dataclass(frozen=True)
class _Judged:
    """What all methods at all k support.

    Attributes
    ----------
    wins : list of (k, method)
        With a clear gain over patients alone and over permuted labels.
    measured : bool
        Whether anything could be judged.
    excluded, no_gain : bool
        Whether every method lacks a worthwhile gain over one of these; whether each lacks it over patients alone.
    repeats : int or None
        Draws that would tell, of the method and k that need fewest; None where no number would.
    """

    wins: list[tuple[float, str]]
    measured: bool
    excluded: bool
    no_gain: bool
    repeats: int | None


def _judge(table: pd.DataFrame, accuracy: pd.DataFrame, candidates: list[str], ks: list[float]) -> _Judged:
    """Gains of each method at each k over patients alone and over permuted labels."""
    wins, yes, no, excluded = [], [], [], []
    confidence = 1 - 0.05 / max(len(candidates) * len(ks), 1)
    chance = 1 / max(len(_conditions(table)), 2)
    for k in ks:
        at = rows_with(table, n_real=k, regime=_arm(k))
        for g in candidates:
            gain = (
                rows_with(at, generator=g, metric="gain_over_real_only")["value"]
                if k
                else rows_with(accuracy, generator=g, n_real=k, regime=_arm(k))["value"] - chance
            )
            alone, control = (
                rows_with(at, generator=g, metric=metric)["value"]
                for metric in ("both_minus_tissue_only", "both_minus_permuted")
            )
            if gain.isna().all() or control.isna().all():
                continue
            needed = [v for v in (gain, alone, control) if v.notna().any()]
            # One of them is enough for a no, so that their number is corrected for there.
            plain = 1 - 0.05 / len(needed)
            low = [interval_that_decides(v, plain).high < SMALLEST for v in needed]
            excluded.append((any(low), any(low[:-1])))
            open_ = [v for v in needed if not interval_that_decides(v, confidence).low > 0]
            if not open_:
                wins.append((k, g))
            yes.append([repeats_that_tell(v, float(v.mean()), confidence=confidence) for v in open_])
            no.append([repeats_that_tell(v, SMALLEST - float(v.mean()), confidence=plain) for v in needed])
            if any(low):
                no[-1] = [0]
    shown = [max(n for n in each if n) for each in yes if each and None not in each]
    fewest = [min((n for n in each if n is not None), default=None) for each in no]
    if fewest and None not in fewest and max(n or 0 for n in fewest):
        shown.append(max(n or 0 for n in fewest))
    return _Judged(
        wins,
        bool(excluded),
        bool(excluded) and all(one for one, _ in excluded),
        bool(excluded) and all(gain for _, gain in excluded),
        min(shown, default=None),
    )


def _conditions(table: pd.DataFrame) -> set[str]:
    """Conditions compared, by their recalls."""
    return {m.removeprefix("recall_") for m in table["metric"].unique() if str(m).startswith("recall_")}


def _at(accuracy: pd.DataFrame, made: list[str], k: float) -> str:
    """All methods at one k, in a sentence."""
    at = accuracy[accuracy["n_real"] == k]
    text = f"{int(k)} labelled per condition" if k else "No labelled patient"
    parts = []
    if k:
        parts.append(f"{number(_mean(at, generator='real', regime='tissue_only'))} alone")
    for group, title in zip(GROUPS, ("best without unlabelled patients", "best with them, no generator"), strict=True):
        name, value = _best_of(at, group)
        if name:
            parts.append(f"{title} ({words(name)}) {number(value)}")
    for g in ("em", "em_logistic", *made):
        found = interval(rows_with(at, generator=g, regime=_arm(k))["value"], bounds=scales.SHARE)
        if found.n:
            permuted = number(_mean(at, generator=g, regime="permuted"))
            parts.append(f"{words(g)} {found.said()}, permuted labels {permuted}")
    return f"{text}: {'; '.join(parts)}."


def _evidence(table: pd.DataFrame) -> list[str]:
    """Whether the lines named clusters of the pool, and how sure that is."""
    rows = table[(table["generator"] == "em") & (table["regime"] == "cell_only") & table["task"].isna()]
    used = rows_with(rows, metric="em_source_used")["value"]
    if used.empty:
        return []
    value = {m: _mean(rows, metric=m) for m in ("em_confident", "em_agreement", "em_kept", "em_labels_right")}
    if used.mean() == 0:
        return [
            "The conditions are not clusters of the unlabelled patients, or not those of the lines: no patient was "
            f"named, and lines alone were used (kappa over components {number(value['em_agreement'])})."
        ]
    text = (
        f"In {int(used.sum())} of {len(used)} splits the lines named clusters of the unlabelled patients: "
        f"{number(value['em_confident'])} of them were named, {number(value['em_labels_right'])} of the names are "
        f"right; kappa over numbers of components {number(value['em_agreement'])}, correlation of the contrasts with "
        f"those of the lines {number(value['em_kept'])}."
    )
    return [text]


def _pool(table: pd.DataFrame) -> list[str]:
    """Accuracy against the number of unlabelled patients."""
    rows = rows_with(table, metric="pool_balanced_accuracy", generator="em")
    sizes = {t: int(str(t).removeprefix("pool:")) for t in rows["task"].dropna().unique()}
    if not sizes:
        return []
    shown = [f"{sizes[t]}: {number(_mean(rows, task=t))}" for t in sorted(sizes, key=lambda t: sizes[t])]
    return [f"The mixture by the number of unlabelled patients, none labelled: {'; '.join(shown)}."]


def _recalls(table: pd.DataFrame, ks: list[float]) -> list[str]:
    """Recall of each condition by the mixture at the smallest k."""
    if not ks:
        return []
    k = ks[0]
    rows = rows_with(table, generator="em", regime=_arm(k), n_real=k)
    shown = [f"{c} {number(_mean(rows, metric=f'recall_{c}'))}" for c in sorted(_conditions(table))]
    return [f"Recall of the mixture at k = {int(k)}: {', '.join(shown)}."] if shown and len(rows) else []
