"""What the verdicts of experiments share: choosing rows, and the page's answers.

A verdict is a dict. ``status`` is its chip; ``answer`` one plain sentence; ``facts`` pairs of a label and a number, the
one that decides first, with its interval, then the baselines beside it; ``advice`` what to do next; ``notes`` what else
the reader has to know; ``points`` the findings setting by setting. An experiment may add a column of its own to the
overview of generators, see :class:`Column`.

Choosing the best of several generators and then quoting its interval would overstate it: intervals and p-values of the
best are corrected for the number of comparisons (Bonferroni), those of the tables are not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ...core.words import number, points
from ..registry import experiments
from .folds import folds_of, shared_by_deals
from .outcomes import MOST, Outcome, decide, donors_that_tell
from .statistics import Interval

NOT_RUN = {"status": "not_run", "answer": "Not part of this study."}
#: Parts of a verdict that it may leave out.
PARTS: Mapping[str, Any] = {"facts": [], "advice": "", "notes": [], "points": []}


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of the overview of generators.

    Attributes
    ----------
    title, note : str
        Header, and what is shown, of which setting.
    values : dict of (float, float, float)
        Value of each generator with its interval, NaN where it has none.
    floor, ceiling : (str, float)
        What the worst and the best that can be expected are, in words, and their values; cells are coloured between
        them. The ceiling of a column where less is better lies below the floor.
    points : bool
        Values are differences of shares, shown in percentage points with their sign.
    marks : dict of str
        A word beside the value of a generator.
    """

    title: str
    note: str
    values: dict[str, tuple[float, float, float]]
    floor: tuple[str, float]
    ceiling: tuple[str, float]
    points: bool = False
    marks: dict[str, str] = field(default_factory=dict)


def triple(found: Interval) -> tuple[float, float, float]:
    """Mean and limits, as a column holds them."""
    return found.mean, found.low, found.high


def profiles_in_words(n: float) -> str:
    """Number of real profiles in words."""
    return {0: "one real profile per class", -1: "all real profiles"}.get(int(n), f"{int(n)} real profiles")


def over_a_baseline(
    accuracy: Mapping[str, pd.Series], trained: Sequence[str], baseline: str, config: dict[str, Any], experiment: str
) -> dict[str, Any]:
    """Verdict on generators whose profiles train a classifier, paired over folds with those of a baseline.

    Parameters
    ----------
    accuracy : mapping of Series
        Accuracy in each fold by generator, and of ``real`` profiles.
    trained : sequence of str
        Generators compared with the baseline.
    baseline : str
        Name of the baseline.
    config : dict
        The study's configuration.
    experiment : str
        Its section says how many folds there are, and asks for more deals of them (``repeats``).
    """
    if not trained or baseline not in accuracy:
        answer = "Cannot tell: no trained generator, or no Gaussian to compare it with."
        return {"status": "cannot_tell", "answer": answer}
    gains = {g: accuracy[g] - accuracy[baseline] for g in trained}
    shared = {g: shared_by_deals(v, folds_of(config, experiment)) for g, v in gains.items()}
    finding = decide(gains, shared_se=shared)
    best, gain = finding.best, finding.gain
    synthetic, simple, real = (number(float(accuracy[g].mean()), 3) for g in (best, baseline, "real"))
    answer = f"Cannot tell yet: profiles of {best} may or may not train a better classifier than those of {baseline}."
    advice = f"Use {baseline}, the simpler one. More folds would not tell: the difference is too small."
    if finding.outcome == Outcome.YES:
        answer = f"Yes: profiles of {best} train a better classifier than those of {baseline}."
        advice = f"Use {best}; look at its leakage before you share anything."
    elif finding.outcome == Outcome.NO:
        answer = f"No: profiles of no generator train a classifier that is a point better than those of {baseline}."
        advice = f"Use {baseline}: it is as good, and simpler."
    elif np.isfinite(gain.low):
        advice = "Folds dealt anew hold the same donors and would not tell"
        times = donors_that_tell(gains, shared)
        advice += f": about {times:.1f} times as many donors would." if times < MOST else "."
        advice += f" Until then use {baseline}, the simpler one."
    elif finding.repeats:
        advice = f"{finding.repeats} folds would tell more (now {gain.n}): set more {experiment}.repeats."
    over = f"{gain.said(points, ' points')}, {gain.n} dependent folds"
    return {
        "status": str(finding.outcome),
        "answer": answer,
        "facts": [
            (f"Accuracy, {best} over {baseline}", over),
            ("Trained on synthetic profiles", f"{synthetic} and {simple}"),
            ("Trained on real profiles", real),
        ],
        "advice": advice,
    }


def verdicts(tables: dict[str, pd.DataFrame], config: dict[str, Any]) -> dict[str, Any]:
    """Answers by question, and the overview of generators; a question whose experiment was not run says so.

    ``questions``: a verdict by experiment. ``overview``: columns of the table of generators, as dicts with the
    ``experiment`` that they are from.
    """
    questions, overview = {}, []
    for name, experiment in experiments().items():
        run = name in tables and len(tables[name])
        answer = experiment.load("verdict:verdict")(tables[name], config) if run else NOT_RUN
        questions[name] = {"question": experiment.question, **PARTS, **answer}
        if run and experiment.overview:
            columns = experiment.load(experiment.overview)(tables[name], config)
            overview += [{"experiment": name, **_plain(asdict(column))} for column in columns if column.values]
    return {"questions": questions, "overview": overview}


def _plain(value: Any) -> Any:
    """The same with lists for tuples and None for what is no number, as JSON has it."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value
