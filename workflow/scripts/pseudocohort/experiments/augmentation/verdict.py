"""Verdict on augmentation from the long table (one value per repeat)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...core.words import between, number, points
from ...generators.base.registry import is_control
from ..shared.classifiers import BASELINES, BEST
from ..shared.learning_curve import DOUBLED
from ..shared.outcomes import SMALLEST, Finding, Outcome, decide
from ..shared.plan import task_titles
from ..shared.statistics import SHARED_SE, interval
from ..shared.verdicts import profiles_in_words, rows_with
from .curves import curves

GAIN, ACCURACY = "balanced_accuracy_gain", "balanced_accuracy"
#: Regimes in which the generator saw what a user with n patients has.
HONEST = {
    "same_n": "trained on the same profiles",
    "unlabeled": "trained on them and on unlabelled profiles",
    "transfer": "trained on them and on other conditions and levels",
}
#: What further real profiles do without a generator: the regime of their rows, and what they are.
OTHERS = {
    "transfer": ("stacking", "The source profiles themselves, without a generator, at weight .1"),
    "unlabeled": ("named", "The unlabelled profiles with labels of a mixture, without a generator"),
}
CLASSIFIER = {
    "nearest_centroids": "nearest shrunken centroids",
    "lda": "shrunken linear discriminant analysis",
    "logistic": "logistic regression",
    "svm": "a linear support vector machine",
    "mlp": "a multilayer perceptron",
    BEST: "that baseline",
}


@dataclass(frozen=True)
class _Setting:
    """A task, number of real profiles and regime, and what was found there."""

    task: str
    n: int
    regime: str
    alone: float
    baseline: str
    ceiling: float
    finding: Finding
    control: tuple[str, float] | None
    without_generator: float

    @property
    def where(self) -> str:
        """Regime and number of real profiles in words."""
        return f"{HONEST[self.regime]}, {profiles_in_words(self.n)}"


def _candidates(gains: pd.DataFrame) -> dict[str, np.ndarray]:
    """Gains over the repeats by generator and classifier, ``generator|classifier``, at the most synthetic profiles.

    That number is fixed beforehand.
    """
    most = gains[gains["n_synthetic"] == gains["n_synthetic"].max()]
    groups = most.groupby(["generator", "estimator"], sort=False)["value"]
    return {f"{generator}|{classifier}": part.to_numpy() for (generator, classifier), part in groups}


def _best_baseline(plain: pd.DataFrame) -> str:
    """Baseline whose rows are those of the estimator ``best``."""
    means = plain.groupby("estimator")["value"].mean()
    return max([name for name in BASELINES if name in means.index], key=lambda name: means[name], default=BEST)


def _settings(table: pd.DataFrame, smallest: float) -> Iterator[_Setting]:
    """What was found in each task, number of real profiles and honest regime."""
    gains, shared = (table[table["metric"] == metric] for metric in (GAIN, GAIN + SHARED_SE))
    plain = table[table["metric"] == ACCURACY]
    keys = gains[gains["regime"].isin(list(HONEST))][["task", "n_real", "regime"]].drop_duplicates()
    trained = {name for name in gains["generator"] if name != "real" and not is_control(name)}
    for task, n, regime in keys.itertuples(index=False):
        at = {"task": task, "n_real": n}
        none = rows_with(plain, **at, regime="none")
        alone = rows_with(none, estimator=BEST).set_index("repeat")["value"]
        ceiling = rows_with(plain, task=task, regime="ceiling", estimator=BEST).set_index("repeat")["value"]
        both = _candidates(rows_with(gains, **at, regime=regime))
        # A control is never the best generator; where nothing else was run, it is what was asked about.
        mine = {name: v for name, v in both.items() if not trained or name.split("|")[0] in trained}
        controls = {name: float(np.mean(v)) for name, v in both.items() if name not in mine}
        errors = {
            name: float(np.sqrt(np.mean(v**2)))
            for name, v in _candidates(rows_with(shared, **at, regime=regime)).items()
        }
        finding = decide(
            mine,
            smallest=smallest,
            headroom=(ceiling - alone).dropna().to_numpy() if len(ceiling) else None,
            shared_se=errors,
            comparisons=len(mine) * len(keys),
        )
        others = rows_with(gains, **at, regime=OTHERS.get(regime, ("none",))[0]).groupby("estimator")["value"].mean()
        best = max(controls, key=controls.get) if controls else None
        yield _Setting(
            task, int(n), regime, float(alone.mean()), _best_baseline(none), float(ceiling.mean()), finding,
            (best, controls[best]) if best else None,
            float(others.max()) if len(others) else np.nan,
        )  # fmt: skip


def _name(candidate: str) -> str:
    generator, _, classifier = candidate.partition("|")
    return f"{generator} with {CLASSIFIER.get(classifier, classifier)}"


def _gain(finding: Finding) -> str:
    gain = finding.gain
    return f"{points(gain.mean)} points{between(gain.low, gain.high, points)}"


def _what_would_tell(setting: _Setting, repeats: int) -> str:
    """How many repeats or donors would decide, with the line that asks for them."""
    finding = setting.finding
    if finding.repeats:
        return f"About {finding.repeats} repeats would tell (now {repeats}): augmentation.repeats: {finding.repeats}."
    if finding.donors:
        return (
            f"More repeats would not tell: the held-out donors limit it, and about {finding.donors:.1f} times as many "
            "would be needed."
        )
    return "Several hundred repeats would not tell: the gain is close to the smallest that counts."


def _sentence(setting: _Setting, title: str, repeats: int, smallest: float) -> str:
    """One setting: baseline and ceiling, then the outcome."""
    finding = setting.finding
    text = (
        f"{title}, {profiles_in_words(setting.n)}: {number(setting.alone)} alone "
        f"({CLASSIFIER[setting.baseline]}), {number(setting.ceiling)} with all. "
    )
    said = {
        Outcome.YES: "Gain: {0} adds {1}.",
        Outcome.NO: "No gain of {2} point or more: at most {0}, {1}.",
        Outcome.CANNOT_TELL: "Cannot tell yet: {0} adds {1}.",
        Outcome.NOTHING_TO_GAIN: "Nothing to gain: the real profiles alone reach the ceiling.",
    }[finding.outcome]
    text += f"{HONEST[setting.regime].capitalize()}: " + said.format(
        _name(finding.best), _gain(finding), f"{100 * smallest:g}"
    )
    if finding.outcome == Outcome.CANNOT_TELL:
        text += " " + _what_would_tell(setting, repeats)
    if setting.control and setting.control[0].split("|")[0] != finding.best.split("|")[0]:
        text += f" Best control, {_name(setting.control[0])}: {points(setting.control[1])}."
    if np.isfinite(setting.without_generator):
        text += f" {OTHERS[setting.regime][1]}: {points(setting.without_generator)}."
    return text


def _doubled(table: pd.DataFrame, setting: _Setting) -> str:
    """What twice as many real profiles would add, or that the curve does not say."""
    summary = curves(table[table["task"] == setting.task])
    rows = summary[(summary["metric"] == DOUBLED) & (summary["n_real"] == setting.n)]
    if rows.empty:
        return ""
    row = rows.iloc[0]
    if not np.isfinite(row["value"]):
        return " What twice as many real profiles would add is not identified (the learning curve has too few sizes)."
    return (
        f" Twice as many real profiles would add {points(row['value'])} points"
        f"{between(row['ci_low'], row['ci_high'], points)}."
    )


def verdict(table: pd.DataFrame, config: dict[str, Any]) -> dict[str, Any]:
    """Verdict on augmentation from the long table (one value per repeat)."""
    titles = task_titles(config)
    smallest = config["augmentation"].get("worthwhile", SMALLEST)
    found = list(_settings(table, smallest))
    if not found:
        answer = "No regime that a user with few patients could use was run."
        return {"status": "unclear", "answer": answer, "points": []}
    repeats = int(table.loc[table["metric"] == GAIN, "repeat"].nunique())
    sentences = [_sentence(s, titles.get(s.task, s.task), repeats, smallest) for s in found]
    sentences += _oracles(table, titles)
    sentences.append(
        "95 % intervals hold for other splits of the patients and for other held-out patients; they are "
        "Bonferroni-corrected for all generators, classifiers and settings, except where a gain is excluded, which "
        "needs no correction."
    )
    of = {outcome: [s for s in found if s.finding.outcome == outcome] for outcome in Outcome}
    total = len(found)
    if wins := of[Outcome.YES]:
        best = max(wins, key=lambda s: s.finding.gain.mean)
        title = titles.get(best.task, best.task)
        answer = (
            f"Yes, in {len(wins)} of {total} settings. Largest gain: {_name(best.finding.best)}, "
            f"{best.where} ({title}), adds {_gain(best.finding)} of balanced accuracy to the "
            f"{number(best.alone)} of {CLASSIFIER[best.baseline]}; all real profiles reach {number(best.ceiling)}."
        )
        if best.control:
            answer += f" The best control, {_name(best.control[0])}, adds {points(best.control[1])} there."
        if np.isfinite(best.without_generator):
            answer += f" {OTHERS[best.regime][1]}: {points(best.without_generator)}."
        # A gain here and there, or one that the same profiles give without any generator, is no plain yes.
        plain = 2 * len(wins) > total and not best.without_generator > best.finding.gain.mean
        return {"status": "yes" if plain else "unclear", "answer": answer, "points": sentences}
    if len(of[Outcome.NOTHING_TO_GAIN]) == total:
        answer = "Nothing to gain: the real profiles alone already reach what all of them do."
        return {"status": str(Outcome.NOTHING_TO_GAIN), "answer": answer, "points": sentences}
    if of[Outcome.CANNOT_TELL]:
        best = max(of[Outcome.CANNOT_TELL], key=lambda s: s.finding.gain.mean)
        answer = (
            f"Cannot tell yet in {len(of[Outcome.CANNOT_TELL])} of {total} settings. Largest mean: "
            f"{_name(best.finding.best)}, {best.where} ({titles.get(best.task, best.task)}): {_gain(best.finding)} "
            f"over the {number(best.alone)} of {CLASSIFIER[best.baseline]}. {_what_would_tell(best, repeats)}"
        )
        return {"status": str(Outcome.CANNOT_TELL), "answer": answer + _doubled(table, best), "points": sentences}
    best = max(of[Outcome.NO], key=lambda s: s.finding.gain.high)
    answer = (
        f"No. Do not augment: a gain of {100 * smallest:g} point or more over {CLASSIFIER[best.baseline]} is "
        f"excluded in all {total} settings; the most that is left is {_gain(best.finding)} "
        f"({_name(best.finding.best)}, {best.where}, {titles.get(best.task, best.task)})."
    )
    return {"status": "no", "answer": answer + _doubled(table, best), "points": sentences}


def _oracles(table: pd.DataFrame, titles: dict[str, str]) -> list[str]:
    """What generators that saw all training donors gain, which is no answer for a user with few patients."""
    gains = table[(table["metric"] == GAIN) & (table["regime"] == "oracle")]
    out = []
    for (task, n), at in gains.groupby(["task", "n_real"], sort=False):
        candidates = _candidates(at)
        best = max(candidates, key=lambda name: candidates[name].mean())
        mean = interval(candidates[best]).mean
        out.append(
            f"{titles.get(task, task)}, {profiles_in_words(n)}: a generator that has seen all training donors "
            f"({_name(best)}): {points(mean)}; that is what headline gains in the literature measure, not what few "
            "patients can give."
        )
    return out
