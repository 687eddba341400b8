"""Verdict on augmentation from the long table (one value per repeat)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...core.words import between, number, points
from ...generators.base.registry import is_control
from ..shared.estimators import BASELINES, BEST, SMALLEST
from ..shared.learning_curve import DOUBLED
from ..shared.outcomes import Finding, Outcome, decide, interval_that_decides
from ..shared.plan import task_titles
from ..shared.statistics import SHARED_SE, Interval, interval
from ..shared.tables import rows_with
from ..shared.verdicts import Column, profiles_in_words, triple
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
    "empirical_bayes": "nearest empirical-Bayes class means",
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
    title: str
    n: int
    regime: str
    alone: float
    baseline: str
    ceiling: float
    finding: Finding
    control: tuple[str, Interval] | None
    without_generator: float
    repeats: int
    smallest: float

    @property
    def gain(self) -> str:
        """The gain with its interval, which ends where balanced accuracy does."""
        return _possible(self.finding.gain, self.alone).said(points, " points")

    @property
    def worthwhile(self) -> str:
        """The smallest worthwhile gain in words."""
        return f"{100 * self.smallest:g} point{'s' * (self.smallest > SMALLEST)}"

    @property
    def control_gains(self) -> bool:
        """Whether a control has a clear gain that is worth having, where what is no control has none."""
        return bool(self.control and self.control[1].low > 0 and self.control[1].mean >= self.smallest)

    def as_much(self, simple: float) -> bool:
        """Whether something simpler gains what the best generator gains, less what is not worth having."""
        return bool(simple > self.finding.gain.mean - self.smallest)


def _candidates(gains: pd.DataFrame) -> dict[str, np.ndarray]:
    """Gains over the repeats by generator and classifier, ``generator|classifier``, at the most synthetic profiles.

    That number is fixed beforehand.
    """
    most = gains[gains["n_synthetic"] == gains["n_synthetic"].max()]
    groups = most.groupby(["generator", "estimator"], sort=False)["value"]
    return {f"{generator}|{classifier}": part.to_numpy() for (generator, classifier), part in groups}


def _shared_errors(rows: pd.DataFrame) -> dict[str, float]:
    """Standard errors of gains that repeats share, by generator and classifier."""
    return {name: float(np.sqrt(np.nanmean(v**2))) for name, v in _candidates(rows).items() if np.isfinite(v).any()}


def _best_baseline(plain: pd.DataFrame) -> str:
    """Baseline whose rows are those of the estimator ``best``."""
    means = plain.groupby("estimator")["value"].mean()
    return max([name for name in BASELINES if name in means.index], key=lambda name: means[name], default=BEST)


def _settings(table: pd.DataFrame, config: dict[str, Any]) -> Iterator[_Setting]:
    """What was found in each task, number of real profiles and honest regime."""
    smallest, titles = config["augmentation"].get("worthwhile", SMALLEST), task_titles(config)
    repeats = int(table.loc[table["metric"] == GAIN, "repeat"].nunique())
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
        errors = _shared_errors(rows_with(shared, **at, regime=regime))
        controls = {
            name: interval_that_decides(v, 1 - 0.05 / (len(both) * len(keys)), errors.get(name, 0.0))
            for name, v in both.items()
            if name not in mine and np.isfinite(v).any()
        }
        finding = decide(
            mine,
            smallest=smallest,
            headroom=(ceiling - alone).dropna().to_numpy() if len(ceiling) else None,
            shared_se=errors,
            comparisons=len(mine) * len(keys),
        )
        others = rows_with(gains, **at, regime=OTHERS.get(regime, ("none",))[0]).groupby("estimator")["value"].mean()
        best = max(controls, key=lambda name: controls[name].mean) if controls else None
        yield _Setting(
            task, titles.get(task, task), int(n), regime, float(alone.mean()), _best_baseline(none),
            float(ceiling.mean()), finding, (best, controls[best]) if best else None,
            float(others.max()) if len(others) else np.nan, repeats, smallest,
        )  # fmt: skip


def _name(candidate: str) -> str:
    generator, _, classifier = candidate.partition("|")
    return f"{generator} with {CLASSIFIER.get(classifier, classifier)}"


def _possible(gain: Interval, alone: float) -> Interval:
    """A gain with limits where it can lie: balanced accuracy is between 0 and 1."""
    low, high = np.clip([gain.low, gain.high], -alone, 1 - alone)
    return gain._replace(low=float(low), high=float(high))


def _what_would_tell(setting: _Setting) -> str:
    """How many repeats or donors would decide, with the line that asks for them."""
    finding, repeats = setting.finding, setting.repeats
    if finding.repeats:
        # Not every repeat need have given a number.
        asked = int(np.ceil(finding.repeats * max(repeats / finding.gain.n, 1))) if finding.gain.n else finding.repeats
        return f"{asked} repeats would tell: set augmentation.repeats: {asked} (now {repeats})."
    if finding.donors:
        times = f"{finding.donors:.1f}" if finding.donors < 10 else f"{finding.donors:.0f}"
        return f"More repeats would not tell: about {times} times as many held-out donors would be needed."
    return "Several hundred repeats would not tell: the gain is close to the smallest that counts."


def _sentence(setting: _Setting) -> str:
    """One setting: baseline and ceiling, then the outcome."""
    finding = setting.finding
    text = (
        f"{setting.title}, {profiles_in_words(setting.n)}: {number(setting.alone)} alone "
        f"({CLASSIFIER[setting.baseline]}), {number(setting.ceiling)} with all. "
    )
    said = {
        Outcome.YES: "Gain: {0} adds {1}.",
        Outcome.NO: "No gain of {2} or more; the highest upper limit is that of {0}: {1}.",
        Outcome.CANNOT_TELL: "Cannot tell yet: {0} adds {1}.",
        Outcome.NOTHING_TO_GAIN: "Nothing to gain: the real profiles alone reach the ceiling.",
    }[finding.outcome]
    text += f"{HONEST[setting.regime].capitalize()}: " + said.format(
        _name(finding.best), setting.gain, setting.worthwhile
    )
    if finding.outcome == Outcome.CANNOT_TELL:
        text += " " + _what_would_tell(setting)
    if setting.control and setting.control[0].split("|")[0] != finding.best.split("|")[0]:
        text += f" Best control, {_name(setting.control[0])}: {points(setting.control[1].mean)}."
    if np.isfinite(setting.without_generator):
        text += f" {OTHERS[setting.regime][1]}: {points(setting.without_generator)}."
    return text


def _doubled(table: pd.DataFrame, setting: _Setting) -> str:
    """What twice as many real profiles would add; empty where the learning curve does not say."""
    summary = curves(table[table["task"] == setting.task])
    rows = rows_with(summary, metric=DOUBLED, n_real=setting.n)
    if rows.empty or not np.isfinite(rows.iloc[0]["value"]):
        return ""
    row = rows.iloc[0]
    return (
        f" Twice as many real profiles would add {points(row['value'])} points"
        f"{between(row['ci_low'], row['ci_high'], points)}."
    )


def verdict(table: pd.DataFrame, config: dict[str, Any]) -> dict[str, Any]:
    """Verdict on augmentation from the long table (one value per repeat)."""
    found = list(_settings(table, config))
    if not found:
        answer = "Cannot tell: no regime that a user with few patients could use was run."
        return {"status": "cannot_tell", "answer": answer, "advice": "Add same_n to augmentation.regimes."}
    sentences = [*map(_sentence, found), *_oracles(table, task_titles(config))]
    sentences.append(
        "95 % intervals hold for other splits of the patients and for other held-out patients; they are "
        "Bonferroni-corrected for all generators, classifiers and settings, except where a gain is excluded, which "
        "needs no correction."
    )
    of = {outcome: [s for s in found if s.finding.outcome == outcome] for outcome in Outcome}
    wins, best = of[Outcome.YES], _setting_of_the_answer(found)
    if wins:
        # A gain here and there, or one that the same profiles give without any generator, is no plain yes.
        plain = 2 * len(wins) > len(found) and not best.as_much(best.without_generator)
        status = "yes" if plain else "unclear"
    elif len(of[Outcome.NOTHING_TO_GAIN]) == len(found):
        status = str(Outcome.NOTHING_TO_GAIN)
    else:
        status = str(Outcome.CANNOT_TELL if of[Outcome.CANNOT_TELL] else Outcome.NO)
    return {
        "status": status,
        "answer": _answer(best, status, (len(of[best.finding.outcome]), len(found))),
        "facts": _facts(best),
        "advice": _advice(best, status) + _doubled(table, best),
        "notes": _beside(best),
        "points": sentences,
    }


def _setting_of_the_answer(found: list[_Setting]) -> _Setting:
    """Setting that the answer is about: of those with the outcome that decides, the one with the largest gain."""
    for outcome in (Outcome.YES, Outcome.CANNOT_TELL, Outcome.NO, Outcome.NOTHING_TO_GAIN):
        of = [s for s in found if s.finding.outcome == outcome]
        if of and outcome == Outcome.NOTHING_TO_GAIN:
            return of[0]
        if of:
            return max(of, key=lambda s: np.nan_to_num(s.finding.gain[2 if outcome == Outcome.NO else 0], nan=-np.inf))
    raise ValueError("no settings")


def _answer(best: _Setting, status: str, share: tuple[int, int]) -> str:
    """The outcome in one sentence."""
    some = "in the one setting" if share[1] == 1 else f"in {share[0]} of {share[1]} settings"
    where = (
        some
        if share[0] < share[1] or share[1] == 1
        else "in both settings"
        if share[1] == 2
        else f"in all {share[1]} settings"
    )
    if best.finding.outcome == Outcome.YES:
        return (
            f"{'Yes' if status == 'yes' else 'It depends'}: {where}, synthetic profiles improve prediction; most with "
            f"{profiles_in_words(best.n)} ({best.title}), by {_name(best.finding.best)}."
        )
    return {
        "cannot_tell": f"Cannot tell yet: {where}, a gain of {best.worthwhile} or more is neither shown nor excluded.",
        "nothing_to_gain": "Nothing to gain: the real profiles alone already reach what all of them do.",
        "no": f"No: a gain of {best.worthwhile} or more over the real profiles alone is excluded"
        f"{', but not for controls' if best.control_gains else ''}.",
    }[status]


def _facts(best: _Setting) -> list[tuple[str, str]]:
    """The gain, the baseline and the ceiling."""
    size = {"yes": "Gain", "no": "Largest gain"}.get(str(best.finding.outcome), "Largest mean gain")
    alone = f"{number(best.alone)} ({CLASSIFIER[best.baseline]}); with all of them {number(best.ceiling)}"
    return [
        (size, f"{best.gain} of balanced accuracy"),
        ("Real profiles alone", alone),
        ("Setting", f"{best.title}, {profiles_in_words(best.n)}; {_name(best.finding.best)}, {HONEST[best.regime]}"),
    ]


def _advice(best: _Setting, status: str) -> str:
    """What to do next."""
    if best.finding.outcome == Outcome.YES:
        mine, only = best.finding.best.partition("|")[0], "" if status == "yes" else ", but only"
        if best.as_much(best.without_generator):
            more = best.without_generator > best.finding.gain.mean
            much = f"{'at least ' if more else ''}as much as {mine}"
            who = OTHERS[best.regime][1]
            return (
                f"Use no generator: {who[0].lower()}{who[1:]}, gain {much} ({points(best.without_generator)} points)."
            )
        if best.control and best.as_much(best.control[1].mean):
            simple = best.control[0].partition("|")[0]
            return f"Augment with {simple}, which gains as much as {mine}{only} in settings like this one."
        return f"Augment with {mine}{only} in settings like this one."
    if status == "cannot_tell":
        return f"Do not rely on augmentation yet. {_what_would_tell(best)}"
    if best.control and best.control_gains:
        simple = best.control[0].partition("|")[0]
        return f"Use {simple}, a control: it gains {best.control[1].said(points)} points."
    mine = "one real profile per class" if best.n == 0 else "your real profiles"
    return f"Do not augment: {CLASSIFIER[best.baseline]} on {mine} alone does as well."


def _beside(best: _Setting) -> list[str]:
    """What controls and the source profiles gain in the setting of the answer."""
    notes = []
    if best.control:
        notes.append(f"The best control, {_name(best.control[0])}, gains {points(best.control[1].mean)} points there.")
    if np.isfinite(best.without_generator):
        notes.append(f"{OTHERS[best.regime][1]}, gain {points(best.without_generator)} points there.")
    return notes


def overview(table: pd.DataFrame, config: dict[str, Any]) -> list[Column]:
    """Gain of each generator with its best classifier, in the setting of the answer."""
    found = list(_settings(table, config))
    if not found:
        return []
    best = _setting_of_the_answer(found)
    at = {"task": best.task, "n_real": best.n, "regime": best.regime}
    errors = _shared_errors(rows_with(table, metric=GAIN + SHARED_SE, **at))
    values: dict[str, tuple[float, float, float]] = {}
    for candidate, gain in _candidates(rows_with(table, metric=GAIN, **at)).items():
        name = candidate.partition("|")[0]
        mine = triple(_possible(interval(gain, shared_se=errors.get(candidate, 0.0)), best.alone))
        if np.isfinite(mine[0]):
            values[name] = max(values.get(name, mine), mine)
    where = f"{best.title}, {HONEST[best.regime]}, {profiles_in_words(best.n)}"
    return [
        Column(
            title="Augmentation gain, points",
            note=f"Gain in balanced accuracy over the real profiles alone ({where}), each generator with its best "
            "classifier.",
            values={name: value for name, value in values.items() if name != "real"},
            floor=("nothing gained", 0.0),
            ceiling=("all real profiles", best.ceiling - best.alone),
            points=True,
        )
    ]


def _oracles(table: pd.DataFrame, titles: dict[str, str]) -> list[str]:
    """What generators that saw all training donors gain, which is no answer for a user with few patients."""
    gains = rows_with(table, metric=GAIN, regime="oracle")
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
