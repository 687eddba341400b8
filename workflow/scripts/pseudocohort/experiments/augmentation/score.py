"""Augmentation: does adding synthetic profiles to n real ones make a better classifier?

The protocol of Lacan, Sebag & Hanczar 2023 (Bioinformatics 39:i111), with the regimes told apart. Choices that keep a
gain the generator's own:

* One standardisation for all regimes, fitted on the n real rows only (:func:`moderated_scale`): the
  generator of an oracle may have seen more, but the classifier's owner has not. It is not per level, because tumour
  against normal may be the very task.
* No augmentation is given the better of two penalties, the fixed one of all other classifiers and one chosen by inner
  cross-validation on the n real rows; which is better is judged by the mean over the repeats on the held-out donors, in
  its favour. Synthetic rows regularise, and so does a penalty: what the latter gives is no gain of a generator. A
  photocopier can therefore lose.
* Weights sum to the number of real rows, so that the penalty does not weaken as synthetic rows are added: adding copies
  of the real rows in their own proportions changes nothing under one penalty.
* Classes are balanced in every fit.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from ...core.errors import ContractError
from ...core.io import evaluation_table
from ...core.seeds import derive
from ..shared.classifiers import DEFAULT_C, choose_c, details, fit_predict, majority_rate, metrics
from ..shared.plan import in_task, task_label
from ..shared.split_guard import Members, check_no_leak
from ..shared.standardise import moderated_scale, plain_scale

log = logging.getLogger(__name__)

#: Weight of a row from outside the task in the regime ``stacking`` (evaluation design, section 3).
STACKING_WEIGHT = 0.1
#: Offset of the standard deviation (log2 units) of levels that the task does not have, such as shallow pseudo-bulk.
OTHER_LEVEL_OFFSET = 0.5


@dataclass
class _Draw:
    """The n real rows of one (task, n, repeat), standardised, and how classifiers of them alone do."""

    row: dict[str, Any]
    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    seed: int
    keys: dict[str, Any]
    alone: dict[tuple[str, bool], dict[str, float]] = field(default_factory=dict)

    def scale(self, x: np.ndarray) -> np.ndarray:
        return (np.asarray(x, dtype=np.float64) - self.mean) / self.sd

    def score(
        self,
        name: str,
        x: np.ndarray | None = None,
        y: np.ndarray | None = None,
        *,
        each: float = 1.0,
        c: float | None = None,
    ) -> dict[str, float]:
        """Metrics of a classifier trained on the real rows and, weighing `each`, the standardised rows `x`, `y`.

        Its penalty is the fixed one unless `c` is given.
        """
        rows, labels, weight = self.x, self.y, np.ones(len(self.x))
        if x is not None:
            rows, labels = np.concatenate([rows, x]), np.concatenate([labels, y])
            weight = np.concatenate([weight, np.full(len(x), each)])
            weight *= len(self.x) / weight.sum()
        c = DEFAULT_C[name] if c is None else c
        fitted = fit_predict(name, rows, labels, weight, self.x_test, self.seed, c=c)
        return metrics(self.y_test, *fitted) | details(name, self.y_test, *fitted)

    def without(self, name: str, *, chosen: bool) -> dict[str, float]:
        """Metrics of the classifier trained on the real rows alone, its penalty the fixed or the `chosen` one."""
        if (name, chosen) not in self.alone:
            c = choose_c(name, self.x, self.y, self.seed) if chosen else None
            self.alone[name, chosen] = self.score(name, c=c)
        return self.alone[name, chosen]


class _Study:
    """Real rows of every draw, made once."""

    def __init__(
        self,
        profiles: ad.AnnData,
        training_sets: pd.DataFrame,
        members: pd.DataFrame,
        settings: Mapping[str, Any],
        study: str,
        seed: int,
    ) -> None:
        self.profiles, self.settings, self.study, self.seed = profiles, settings, study, seed
        self.members = Members(profiles, members)
        rows = training_sets.to_dict("records")
        self.rows = [{**r, "n_real": int(r["n_real"]), "repeat": int(r["repeat"])} for r in rows]
        self.real = {(r["task"], r["n_real"], r["repeat"]): r for r in self.rows if r["regime"] == "same_n"}
        self._draws: dict[tuple[str, int, int], _Draw] = {}
        self._chosen: dict[tuple[str, int, str], bool] = {}

    def task(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        return self.settings["tasks"][row["task"]]

    def labels(self, positions: np.ndarray, row: Mapping[str, Any]) -> np.ndarray:
        return task_label(self.profiles.obs.iloc[positions], self.task(row)).to_numpy(dtype=object)

    def draw(self, task: str, n_real: int, repeat: int) -> _Draw:
        key = (task, n_real, repeat)
        if key not in self._draws:
            if key not in self.real:
                raise ContractError(
                    f"no training set holds the real rows of task {task!r}, n_real {n_real}, repeat {repeat}",
                    where="plan/training_sets.tsv",
                    remedy="every (task, n, repeat) needs a row of regime same_n; delete the plan and run again",
                )
            self._draws[key] = self._make(self.real[key])
        return self._draws[key]

    def baseline(self, draw: _Draw, name: str) -> dict[str, float]:
        """Metrics of no augmentation: with the penalty, fixed or chosen, that is better over all repeats."""
        task, n_real = draw.row["task"], draw.row["n_real"]
        if (task, n_real, name) not in self._chosen:
            repeats = [self.draw(*key) for key in self.real if key[:2] == (task, n_real)]
            fixed, chosen = (
                np.mean([one.without(name, chosen=choice)["balanced_accuracy"] for one in repeats])
                for choice in (False, True)
            )
            self._chosen[task, n_real, name] = bool(chosen > fixed)
        return draw.without(name, chosen=self._chosen[task, n_real, name])

    def _make(self, row: dict[str, Any]) -> _Draw:
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
        return _Draw(row, x, self.labels(real, row), x_test, self.labels(test, row), mean, sd, seed, keys)


def _rows(draw: _Draw, scores: dict[str, float], **keys: Any) -> list[dict[str, Any]]:
    return [{**draw.keys, **keys, "metric": metric, "value": value} for metric, value in scores.items()]


def _with_gains(scores: dict[str, float], baseline: dict[str, float]) -> dict[str, float]:
    return scores | {f"{metric}_gain": value - baseline[metric] for metric, value in scores.items()}


def _real_rows(plan: _Study) -> list[dict[str, Any]]:
    """No augmentation, the ceiling, stacking the other real profiles, and the majority rate."""
    table: list[dict[str, Any]] = []
    classifiers = plan.settings["classifiers"]
    for key in plan.real:
        draw = plan.draw(*key)
        if key[1] not in plan.settings["n_real"] and len(draw.x) != key[1]:
            log.info("%s: no point of the learning curve at %d: fewer than its classes, or than there are", *key[:2])
            continue
        for name in classifiers:
            keys = {"generator": "real", "regime": "none", "n_synthetic": 0, "estimator": name}
            table += _rows(draw, plan.baseline(draw, name), **keys)
    table += _ceiling_rows(plan)
    for row in plan.rows:
        if row["regime"] != "transfer":
            continue
        draw = plan.draw(row["task"], row["n_real"], row["repeat"])
        extra = _other_rows(plan, row, draw)
        if extra is None:
            continue
        for name in classifiers:
            scores = _with_gains(draw.score(name, *extra, each=STACKING_WEIGHT), plan.baseline(draw, name))
            keys = {"generator": "real", "regime": "stacking", "n_synthetic": 0, "estimator": name}
            table += _rows(draw, scores, **keys)
    return table


def _ceiling_rows(plan: _Study) -> list[dict[str, Any]]:
    """Classifiers trained on every real training row of the task, and the majority rate, once per task.

    The whole pool does not depend on the repeat, so that the ceiling has one value.
    """
    table: list[dict[str, Any]] = []
    done: set[str] = set()
    for row in plan.real.values():
        if row["task"] in done:
            continue
        done.add(row["task"])
        held_out, _ = plan.members.of(row["training_set"], "test")
        pool = _training_pool(plan, row, held_out)
        mean, sd = moderated_scale(plan.profiles.X[pool])
        base = plan.draw(row["task"], row["n_real"], row["repeat"])
        x, x_test = ((plan.profiles.X[i].astype(np.float64) - mean) / sd for i in (pool, held_out))
        keys = base.keys | {"n_real": -1}
        whole = _Draw(row, x, plan.labels(pool, row), x_test, base.y_test, mean, sd, base.seed, keys)
        for name in plan.settings["classifiers"]:
            scores = whole.without(name, chosen=True)
            table += _rows(whole, scores, generator="real", regime="ceiling", n_synthetic=0, estimator=name)
        rate = {"majority_rate": majority_rate(whole.y, whole.y_test)}
        table += _rows(whole, rate, generator="real", regime="ceiling", n_synthetic=0)
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
        serves = [row["n_real"]]
        if row["regime"] == "oracle":
            serves = plan.settings["n_real"]
        for n_real in serves:
            draw = plan.draw(row["task"], n_real, row["repeat"])
            x = draw.scale(profiles.X[:most])
            for m in plan.settings["n_synthetic"]:
                for name in plan.settings["classifiers"]:
                    scores = _with_gains(draw.score(name, x[:m], labels[:m]), plan.baseline(draw, name))
                    table += _rows(
                        draw, scores,
                        generator=generator, regime=row["regime"], n_synthetic=m, estimator=name, seed=row["seed"],
                    )  # fmt: skip
    return table


def augmentation(
    profiles: ad.AnnData,
    synthetic: Mapping[str, ad.AnnData],
    training_sets: pd.DataFrame,
    members: pd.DataFrame,
    *,
    study: str,
    generator: str,
    settings: Mapping[str, Any],
    seed: int,
) -> pd.DataFrame:
    """Score classifiers trained on n real and m synthetic profiles on held-out real ones.

    Parameters
    ----------
    profiles : AnnData
        Harmonised profiles (samples × genes, log2 units).
    synthetic : mapping
        Training set -> synthetic profiles of that generator, on the log2 scale, in shuffled order; ``{}`` for `real`.
    training_sets, members : DataFrame
        The plan's rows of the experiment.
    study : str
        Name of the study.
    generator : str
        Registry name; or ``real`` for the rows without a generator: no augmentation (regime ``none``), every real
        training profile (``ceiling``, n_real -1, one value per task), real profiles from outside the task as weak
        extra rows (``stacking``) and ``majority_rate``.
    settings : mapping
        ``augmentation`` of the configuration: tasks, n_synthetic, classifiers.
    seed : int
        Master seed.

    Returns
    -------
    DataFrame
        Long evaluation table. ``*_gain`` is the difference to no augmentation on the same real rows; ``recall_<class>``
        that of a class; ``brier`` and ``calibration_error`` are of the predicted probabilities (less is better).

    Raises
    ------
    ContractError
        If a held-out donor was trained on, real rows are missing from the plan, or there are too few synthetic rows.
    """
    check_no_leak(profiles, members)
    plan = _Study(profiles, training_sets, members, settings, study, seed)
    rows = _real_rows(plan) if generator == "real" else _synthetic_rows(plan, synthetic, generator)
    return evaluation_table(rows)
