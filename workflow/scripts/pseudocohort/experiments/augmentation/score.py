"""Augmentation: does adding synthetic profiles to n real ones make a better classifier?

The protocol of Lacan, Sebag & Hanczar 2023 (Bioinformatics 39:i111), with the regimes told apart. Choices that keep a
gain the generator's own:

* One standardisation for all regimes, fitted on the n real rows only (:func:`moderated_scale`): the
  generator of an oracle may have seen more, but the classifier's owner has not. It is not per level, because tumour
  against normal may be the very task.
* The baseline is the best that a practitioner would use without synthetic profiles: of nearest empirical-Bayes class
  means (those that generators are fitted with), nearest shrunken centroids, shrunken discriminant analysis, logistic
  regression and a linear support vector machine, each with its default setting or one chosen by inner cross-
  validation on the n real rows, the one whose mean over the repeats is largest on the held-out donors, the same in
  every repeat. Choosing it on the held-out donors is in the baseline's favour; chosen on a few dozen real rows it
  would be weaker, and every generator would gain by it. Synthetic rows regularise, and so does a penalty or a
  threshold: what the latter give is no gain of a generator. A photocopier can therefore lose.
* A generator's profiles are added to each configured classifier, and to the baseline itself (estimator ``best``), with
  the baseline's setting: that difference is what sampling adds to what the baseline makes of the same rows.
* Weights sum to the number of real rows, so that the penalty does not weaken as synthetic rows are added: adding copies
  of the real rows in their own proportions changes nothing in one classifier with one setting.
* Classes are balanced in every fit.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import anndata as ad
import numpy as np
import pandas as pd

from ...core.errors import ContractError
from ...core.io import evaluation_table
from ...core.seeds import derive
from ...generators.space.label_em import name_pool
from ..shared.classifiers import DEFAULTS, Choice, choose_setting, details, fit_predict, majority_rate, metrics
from ..shared.estimators import BASELINES, BEST
from ..shared.inputs import ScoreInputs
from ..shared.plan import in_task, task_label
from ..shared.standardise import moderated_scale, plain_scale
from ..shared.statistics import SHARED_SE, held_out_standard_error

log = logging.getLogger(__name__)

#: What a regime's further real rows do without a generator, and the weight of such a row: from outside the task they
#: are added as they are, unlabelled ones with the labels of a mixture that starts at the labelled rows.
WITHOUT_GENERATOR = {"transfer": ("stacking", 0.1), "unlabeled": ("named", 1.0)}
#: Offset of the standard deviation (log2 units) of levels that the task does not have, such as shallow pseudo-bulk.
OTHER_LEVEL_OFFSET = 0.5


class _Scores(NamedTuple):
    """Metrics of a classifier, and which held-out profiles it predicts right."""

    metrics: dict[str, float]
    right: np.ndarray


@dataclass
class _Draw:
    """The n real rows of one (task, n, repeat), standardised, and how classifiers of them alone do."""

    row: dict[str, Any]
    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    donors: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    seed: int
    keys: dict[str, Any]
    choices: dict[str, Choice] = field(default_factory=dict)
    alone: dict[tuple[str, bool], _Scores] = field(default_factory=dict)

    def scale(self, x: np.ndarray) -> np.ndarray:
        return (np.asarray(x, dtype=np.float64) - self.mean) / self.sd

    def score(
        self, choice: Choice, x: np.ndarray | None = None, y: np.ndarray | None = None, *, each: float = 1.0
    ) -> _Scores:
        """Scores of a classifier trained on the real rows and, weighing `each`, the standardised rows `x`, `y`."""
        rows, labels, weight = self.x, self.y, np.ones(len(self.x))
        if x is not None:
            rows, labels = np.concatenate([rows, x]), np.concatenate([labels, y])
            weight = np.concatenate([weight, np.full(len(x), each)])
            weight *= len(self.x) / weight.sum()
        name = choice.name
        fitted = fit_predict(name, rows, labels, weight, self.x_test, self.seed, setting=choice.setting)
        return _Scores(metrics(self.y_test, *fitted) | details(name, self.y_test, *fitted), fitted[0] == self.y_test)

    def choice(self, name: str, *, chosen: bool) -> Choice:
        """A classifier with its setting by inner cross-validation on the real rows, or else its default."""
        if not chosen:
            return Choice(name, DEFAULTS[name])
        if name not in self.choices:
            self.choices[name] = choose_setting(name, self.x, self.y, self.seed)
        return self.choices[name]

    def without(self, name: str, *, chosen: bool) -> _Scores:
        """Scores of a classifier trained on the real rows alone."""
        if (name, chosen) not in self.alone:
            self.alone[name, chosen] = self.score(self.choice(name, chosen=chosen))
        return self.alone[name, chosen]


class _Study:
    """Real rows of every draw, made once."""

    def __init__(self, given: ScoreInputs) -> None:
        self.profiles, self.settings, self.study, self.seed = given.profiles, given.settings, given.study, given.seed
        self.members = given.index
        self.rows = [{**r, "n_real": int(r["n_real"]), "repeat": int(r["repeat"])} for r in given.rows]
        self.real = {(r["task"], r["n_real"], r["repeat"]): r for r in self.rows if r["regime"] == "same_n"}
        # Generators and classifiers ask for them again and again.
        self.draw, self.setting, self.tested = map(cache, (self._draw, self._setting, self._tested))

    def task(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        return self.settings["tasks"][row["task"]]

    def labels(self, positions: np.ndarray, row: Mapping[str, Any]) -> np.ndarray:
        return task_label(self.profiles.obs.iloc[positions], self.task(row)).to_numpy(dtype=object)

    def donors(self, positions: np.ndarray) -> np.ndarray:
        return self.profiles.obs["donor"].iloc[positions].astype(str).to_numpy()

    def _draw(self, task: str, n_real: int, repeat: int) -> _Draw:
        """The real rows of a task, number and repeat."""
        if (row := self.real.get((task, n_real, repeat))) is None:
            raise ContractError(
                f"no training set holds the real rows of task {task!r}, n_real {n_real}, repeat {repeat}",
                where="plan/training_sets.tsv",
                remedy="every (task, n, repeat) needs a row of regime same_n; delete the plan and run again",
            )
        real, _ = self.members.of(row["training_set"], "train")
        test, _ = self.members.of(row["training_set"], "test")
        mean, sd = moderated_scale(self.profiles.X[real])
        held_out = self.profiles.obs.iloc[test]
        x, x_test = ((self.profiles.X[i].astype(np.float64) - mean) / sd for i in (real, test))
        keys = {
            "study": self.study,
            "dataset": "+".join(sorted(held_out["dataset"].astype(str).unique())),
            "task": row["task"],
            "level": "+".join(sorted(held_out["level"].astype(str).unique())),
            "n_real": row["n_real"],
            "repeat": row["repeat"],
            "seed": row["seed"],
        }
        seed = derive(self.seed, "augmentation", row["training_set"])
        labels = self.labels(real, row), self.labels(test, row)
        return _Draw(row, x, labels[0], x_test, labels[1], self.donors(test), mean, sd, seed, keys)

    def _setting(self, task: str, n_real: int, name: str) -> tuple[bool, float]:
        """Whether a classifier does better with its setting chosen than with the default, and its accuracy so.

        By the mean over all repeats.
        """
        repeats = [self.draw(*key) for key in self.real if key[:2] == (task, n_real)]
        fixed, chosen = (
            float(np.mean([d.without(name, chosen=choice).metrics["balanced_accuracy"] for d in repeats]))
            for choice in (False, True)
        )
        return chosen > fixed, max(fixed, chosen)

    def chosen(self, draw: _Draw, name: str) -> tuple[bool, float]:
        """The same of the task and number of a draw."""
        return self.setting(draw.row["task"], draw.row["n_real"], name)

    def without(self, draw: _Draw, name: str) -> _Scores:
        """Scores of a classifier of the real rows alone, with the setting, default or chosen, that does better."""
        return draw.without(name, chosen=self.chosen(draw, name)[0])

    def best(self, draw: _Draw) -> str:
        """Baseline whose mean balanced accuracy over all repeats is largest."""
        return max(BASELINES, key=lambda name: self.chosen(draw, name)[1])

    def baseline(self, draw: _Draw) -> _Scores:
        """Scores of the best baseline of the real rows alone."""
        return self.without(draw, self.best(draw))

    def estimators(self, draw: _Draw) -> dict[str, Choice]:
        """Classifiers that synthetic profiles are added to, by the name they have in the table."""
        configured = {name: Choice(name, DEFAULTS[name]) for name in self.settings["classifiers"]}
        best = self.best(draw)
        return configured | {BEST: draw.choice(best, chosen=self.chosen(draw, best)[0])}

    def _tested(self, task: str) -> np.ndarray:
        """Donors that are held out in any repeat of a task."""
        sets = [self.members.of(row["training_set"], "test")[0] for key, row in self.real.items() if key[0] == task]
        return np.unique(self.donors(np.unique(np.concatenate(sets))))

    def gains(self, draw: _Draw, scores: _Scores) -> dict[str, float]:
        """Metrics with their gains over the baseline, and what of the gain's error all repeats have in common.

        Repeats on the same held-out donors share all of that error; where they are dealt anew from a cohort, the part
        of it that the whole cohort would have: the share of the cohort's donors that one repeat tests.
        """
        before = self.baseline(draw)
        found = scores.metrics | {
            f"{metric}_gain": value - before.metrics[metric]
            for metric, value in scores.metrics.items()
            if metric in before.metrics  # a support vector machine has no calibration
        }
        se = held_out_standard_error(scores.right, before.right, draw.y_test, draw.donors)
        share = len(np.unique(draw.donors)) / len(self.tested(draw.row["task"]))
        return found | {f"balanced_accuracy_gain{SHARED_SE}": se * float(np.sqrt(share))}


def _rows(draw: _Draw, scores: dict[str, float], **keys: Any) -> list[dict[str, Any]]:
    return [{**draw.keys, **keys, "metric": metric, "value": value} for metric, value in scores.items()]


def _real_rows(plan: _Study) -> list[dict[str, Any]]:
    """No augmentation, the ceiling, further real profiles without a generator, and the majority rate."""
    table: list[dict[str, Any]] = []
    names = dict.fromkeys((*BASELINES, *plan.settings["classifiers"]))
    for key in plan.real:
        draw = plan.draw(*key)
        if key[1] not in plan.settings["n_real"] and len(draw.x) != key[1]:
            log.info("%s: no point of the learning curve at %d: fewer than its classes, or than there are", *key[:2])
            continue
        keys = {"generator": "real", "regime": "none", "n_synthetic": 0}
        for name in names:
            table += _rows(draw, plan.without(draw, name).metrics, **keys, estimator=name)
        table += _rows(draw, plan.baseline(draw).metrics, **keys, estimator=BEST)
    table += _ceiling_rows(plan)
    for row in plan.rows:
        if row["regime"] not in WITHOUT_GENERATOR:
            continue
        draw = plan.draw(row["task"], row["n_real"], row["repeat"])
        regime, weight = WITHOUT_GENERATOR[row["regime"]]
        extra = (_other_rows if regime == "stacking" else _named_rows)(plan, row, draw)
        if extra is None:
            continue
        for name, choice in plan.estimators(draw).items():
            scores = plan.gains(draw, draw.score(choice, *extra, each=weight))
            keys = {"generator": "real", "regime": regime, "n_synthetic": 0, "estimator": name}
            table += _rows(draw, scores, **keys)
    return table


def _ceiling_rows(plan: _Study) -> list[dict[str, Any]]:
    """Classifiers trained on every real training row of the task, and the majority rate, once per set of held-out rows.

    Settings are chosen once per task, on donors who are held out in no repeat: of hundreds of rows they differ little,
    and choosing costs a hundred times what fitting does. The best baseline is, as without synthetic profiles, the one
    with the largest mean on the held-out donors.
    """
    table: list[dict[str, Any]] = []
    done: set[tuple[str, bytes]] = set()
    choices: dict[str, dict[str, Choice]] = {}
    found: dict[str, list[tuple[_Draw, dict[str, dict[str, float]]]]] = {}
    for row in plan.real.values():
        held_out, _ = plan.members.of(row["training_set"], "test")
        if (key := (row["task"], np.sort(held_out).tobytes())) in done:
            continue
        done.add(key)
        pool = _training_pool(plan, row, held_out)
        mean, sd = moderated_scale(plan.profiles.X[pool])
        base = plan.draw(row["task"], row["n_real"], row["repeat"])
        x, x_test = ((plan.profiles.X[i].astype(np.float64) - mean) / sd for i in (pool, held_out))
        keys, y = base.keys | {"n_real": -1}, plan.labels(pool, row)
        whole = _Draw(row, x, y, x_test, base.y_test, base.donors, mean, sd, base.seed, keys)
        if row["task"] not in choices:
            unseen = ~np.isin(plan.donors(pool), plan.tested(row["task"]))
            baselines = {name: choose_setting(name, x[unseen], y[unseen], base.seed) for name in BASELINES}
            others = {name: Choice(name, DEFAULTS[name]) for name in plan.settings["classifiers"]}
            choices[row["task"]] = others | baselines
        scores = {name: whole.score(choice).metrics for name, choice in choices[row["task"]].items()}
        found.setdefault(row["task"], []).append((whole, scores))
    keys = {"generator": "real", "regime": "ceiling", "n_synthetic": 0}
    for of_task in found.values():
        mean_of = {name: np.mean([s[name]["balanced_accuracy"] for _, s in of_task]) for name in BASELINES}
        best = max(mean_of, key=mean_of.get)
        for whole, scores in of_task:
            for name, metrics_ in (scores | {BEST: scores[best]}).items():
                table += _rows(whole, metrics_, **keys, estimator=name)
            table += _rows(whole, {"majority_rate": majority_rate(whole.y, whole.y_test)}, **keys)
    return table


def _training_pool(plan: _Study, row: dict[str, Any], held_out: np.ndarray) -> np.ndarray:
    """Row numbers of every profile of a task whose donor has no held-out profile of the task."""
    obs = plan.profiles.obs
    forbidden = set(obs["donor"].iloc[held_out].astype(str))
    inside = in_task(obs, plan.task(row)).to_numpy() & ~obs["donor"].astype(str).isin(forbidden).to_numpy()
    return np.flatnonzero(inside)


def _other_rows(plan: _Study, row: dict[str, Any], draw: _Draw) -> tuple[np.ndarray, np.ndarray] | None:
    """Real rows from outside the task that a transfer set holds and whose label is one of the task's classes.

    Rows of the task's levels are put on the scale of the real rows; other levels on their own (units differ).
    """
    rows, _ = plan.members.of(row["training_set"], "train")
    real, _ = plan.members.of(plan.real[row["task"], row["n_real"], row["repeat"]]["training_set"], "train")
    rows = np.setdiff1d(rows, real)
    if not len(rows):
        return None
    labels = plan.labels(rows, row)
    keep = np.isin(labels, np.unique(draw.y))
    rows, labels = rows[keep], labels[keep]
    if not len(rows):
        return None
    level = plan.profiles.obs["level"].astype(str).to_numpy()
    own = set(level[real])
    x = np.empty((len(rows), plan.profiles.n_vars))
    for name in np.unique(level[rows]):
        at = level[rows] == name
        values = plan.profiles.X[rows[at]].astype(np.float64)
        mean, sd = (draw.mean, draw.sd) if name in own else plain_scale(values, OTHER_LEVEL_OFFSET)
        x[at] = (values - mean) / sd
    return x, labels


def _named_rows(plan: _Study, row: dict[str, Any], draw: _Draw) -> tuple[np.ndarray, np.ndarray] | None:
    """Rows of the pool that a mixture, started at the labelled rows, names with confidence (:func:`.name_pool`).

    None where it names none: too few rows, or classes that are no clusters.
    """
    rows, _ = plan.members.of(row["training_set"], "unlabeled")
    if not len(rows):
        return None
    x = draw.scale(plan.profiles.X[rows])
    labels = name_pool(x, [], draw.x, draw.y).labels
    return (x[labels != ""], labels[labels != ""]) if (labels != "").any() else None


def _synthetic_rows(plan: _Study, synthetic: Mapping[str, ad.AnnData], generator: str) -> list[dict[str, Any]]:
    """Every training set of the generator, with its first m synthetic profiles."""
    table: list[dict[str, Any]] = []
    for row in plan.rows:
        if generator not in str(row["generators"]).split(";"):
            continue
        profiles = synthetic[row["training_set"]]
        most = max(plan.settings["n_synthetic"])
        if profiles.n_obs < most:
            raise ContractError(
                f"{profiles.n_obs} synthetic profiles of {row['training_set']!r} where {most} are needed",
                where=f"synthetic/augmentation/{generator}",
                remedy="delete the file and run the workflow again",
            )
        labels = task_label(profiles.obs, plan.task(row)).to_numpy(dtype=object)
        # One oracle model serves every n of its task and repeat: what it has seen does not depend on n.
        for n_real in plan.settings["n_real"] if row["regime"] == "oracle" else [row["n_real"]]:
            draw = plan.draw(row["task"], n_real, row["repeat"])
            x = draw.scale(profiles.X[:most])
            for m in plan.settings["n_synthetic"]:
                for name, choice in plan.estimators(draw).items():
                    scores = plan.gains(draw, draw.score(choice, x[:m], labels[:m]))
                    table += _rows(
                        draw, scores,
                        generator=generator, regime=row["regime"], n_synthetic=m, estimator=name, seed=row["seed"],
                    )  # fmt: skip
    return table


def augmentation(given: ScoreInputs) -> pd.DataFrame:
    """Score classifiers trained on n real and m synthetic profiles on held-out real ones.

    Of the generator ``real``: no augmentation (regime ``none``; estimator ``best`` is the baseline), every real
    training profile (``ceiling``, n_real -1), real profiles from outside the task as weak extra rows (``stacking``),
    unlabelled ones with labels of a mixture (``named``), and ``majority_rate``. The classifiers of real rows are fitted
    by the first of several scores and shared.

    Long evaluation table. ``*_gain`` is the difference to the best baseline on the same real rows,
    ``balanced_accuracy_gain_shared_se`` what of its error all repeats have in common; ``recall_<class>`` that of a
    class; ``brier`` and ``calibration_error`` are of the predicted probabilities (less is better).

    Raises
    ------
    ContractError
        If a held-out donor was trained on, real rows are missing from the plan, or there are too few synthetic rows.
    """
    if "plan" not in given.shared:
        given.shared["plan"] = _Study(given)
    plan = given.shared["plan"]
    return evaluation_table(
        _real_rows(plan) if given.generator == "real" else _synthetic_rows(plan, given.synthetic, given.generator)
    )
