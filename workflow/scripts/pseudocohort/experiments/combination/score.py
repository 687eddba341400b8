"""Combination: are cell level and tissue level together better than either alone?

Classifiers are trained with k real tissue profiles per condition and what an arm adds, and tested on held-out real
tissue, whose patients are dealt anew in each draw. Genes of tissue are standardised by the unlabelled training pool,
those of the cell level by their own mean and (sd + .5); logistic regression with C = .01 and balanced classes.

Beside each generator stand the ways to use the same information without one: of lines and labelled patients
(:data:`.pool_baselines.WITHOUT_POOL`), and of unlabelled patients as well (:data:`.pool_baselines.WITH_POOL`), among
them the mixture that also names the unlabelled patients for the generators (:mod:`...generators.space.label_em`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from ...core.errors import ContractError
from ...core.io import evaluation_table
from ...core.seeds import generator as random_generator
from ..shared.between_levels import shrunk_noise
from ..shared.classifiers import details, fit_predict, metrics
from ..shared.estimators import RECALL
from ..shared.inputs import ScoreInputs
from . import baselines as base
from . import pool_baselines as methods
from .names import BASELINES, COMBINED
from .pool_baselines import C, Draw

#: Rows of the plan of one k and draw, by arm.
_Arms = dict[str, dict[str, Any]]


class _Study:
    """Real tissue and cell-level profiles of each training set, and the scores collected so far."""

    def __init__(self, given: ScoreInputs, rows: list[dict[str, Any]]) -> None:
        self.profiles, self.settings, self.study, self.seed = given.profiles, given.settings, given.study, given.seed
        self.conditions = np.array(sorted(given.settings["conditions"]), dtype=object)
        self.members = given.index
        self.level = given.profiles.obs["level"].astype(str).to_numpy()
        self.sets: dict[tuple[int, int], _Arms] = {}  # by k and draw
        for row in rows:
            self.sets.setdefault((int(row["n_real"]), int(row["repeat"])), {})[row["regime"]] = row
        self._spaces: dict[bytes, base.TissueSpace] = given.shared.setdefault("spaces", {})
        #: Rows of baselines by name, k and draw.
        self._baselines: dict[tuple[str, int, int], list[dict[str, Any]]] = given.shared.setdefault("baselines", {})
        # The methods of a draw ask for the same profiles one after the other.
        self.tissue = lru_cache(maxsize=4)(self._tissue)
        self.dataset = cache(self._dataset)
        self.rows: list[dict[str, Any]] = []

    def x(self, positions: np.ndarray) -> np.ndarray:
        return self.profiles.X[positions].astype(np.float64)

    def pool(self, training_set: str) -> np.ndarray:
        """Row numbers of the tissue profiles seen in training, labelled or not."""
        positions, _ = self.members.of(training_set, "train", "unlabeled")
        return np.sort(positions[self.level[positions] == self.settings["tissue_level"]])

    def space(self, training_set: str) -> base.TissueSpace:
        pool = self.pool(training_set)
        key = pool.tobytes()
        if key not in self._spaces:
            if len(pool) < 2:
                raise ContractError(
                    f"{len(pool)} tissue profile(s) to standardise with",
                    where=f"plan/members, training set {training_set!r}",
                    remedy="training tissue profiles that are not labelled must be members with the role unlabeled",
                )
            self._spaces[key] = base.TissueSpace.of(self.x(pool))
        return self._spaces[key]

    def _tissue(self, training_set: str, role: str) -> tuple[np.ndarray, np.ndarray]:
        """Standardised tissue profiles of a role, and their labels."""
        positions, labels = self.members.of(training_set, role)
        at = self.level[positions] == self.settings["tissue_level"]
        return self.space(training_set).scale(self.x(positions[at])), labels[at]

    def cells(self, training_set: str) -> base.Cells:
        positions, labels = self.members.of(training_set, "train")
        at = self.level[positions] == self.settings["cell_level"]
        lines = self.profiles.obs["donor"].astype(str).to_numpy()[positions[at]]
        return base.Cells(self.x(positions[at]), labels[at], lines)

    def _dataset(self, training_set: str) -> str:
        """Datasets of the held-out profiles."""
        test, _ = self.members.of(training_set, "test")
        return "+".join(sorted(self.profiles.obs["dataset"].iloc[test].astype(str).unique()))

    def baseline(self, name: str, score: Callable[[_Study, _Arms], None]) -> None:
        """Record what `score` records of each draw; each once for all generators of an evaluation."""
        for key, sets in self.sets.items():
            if (name, *key) not in self._baselines:
                before = len(self.rows)
                score(self, sets)
                self._baselines[name, *key] = self.rows[before:]
            else:
                self.rows += self._baselines[name, *key]

    def record(
        self,
        row: Mapping[str, Any],
        scores: dict[str, float],
        *,
        generator: str,
        arm: str,
        n_synthetic: int = 0,
        estimator: str | None = "logistic",
        k: int | None = None,
        task: str | None = None,
    ) -> None:
        """Add `scores` of one generator, arm and draw to the table."""
        keys = {
            "study": self.study,
            "dataset": self.dataset(row["training_set"]),
            "task": task,
            "generator": generator,
            "regime": arm,
            "level": self.settings["tissue_level"],
            "n_real": int(row["n_real"]) if k is None else k,
            "n_synthetic": n_synthetic,
            "repeat": int(row["repeat"]),
            "seed": row["seed"],
            "estimator": estimator,
        }
        self.rows += [{**keys, "metric": metric, "value": value} for metric, value in scores.items()]

    def record_centroids(self, row: Mapping[str, Any], means: np.ndarray, present: np.ndarray, **keys: Any) -> None:
        """Centred centroid correlation with held-out tissue: its mean, and one row per condition."""
        x, y = self.tissue(row["training_set"], "test")
        tested = np.isin(present, y)
        if tested.sum() < 2:
            return
        values = base.centroid_correlation(means[tested], base.class_means(x, y, present[tested]))
        self.record(row, {"centroid_r": float(values.mean())}, estimator=None, **keys)
        for condition, value in zip(present[tested], values, strict=True):
            self.record(row, {"centroid_r": float(value)}, estimator=None, task=f"condition:{condition}", **keys)

    def classify(self, training_set: str, x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> dict[str, float]:
        """Metrics on the held-out tissue profiles of the logistic classifier trained on weighted rows."""
        x_test, y_test = self.tissue(training_set, "test")
        return self.scores(y_test, *fit_predict("logistic", x, y, weight, x_test, self.seed, setting=C))

    @staticmethod
    def scores(truth: np.ndarray, predictions: np.ndarray, scores: np.ndarray, classes: np.ndarray) -> dict[str, float]:
        """Metrics, and the recall of each condition."""
        found = details("logistic", truth, predictions, scores, classes)
        return metrics(truth, predictions, scores, classes) | {m: v for m, v in found.items() if m.startswith(RECALL)}

    def draw(self, row: Mapping[str, Any], arm: str, *, guarded: bool) -> Draw:
        """What baselines may use of a training set."""
        name = row["training_set"]
        x, y = self.tissue(name, "train")
        pool, _ = self.tissue(name, "unlabeled")
        cells = None if arm == "tissue_only" else self.cells(name)
        return Draw(self.conditions, x, y, pool, cells, self.seed, guarded)

    def pool_labels(self, training_set: str) -> np.ndarray:
        """True conditions of the unlabelled tissue profiles: for scores only."""
        positions, _ = self.members.of(training_set, "unlabeled")
        positions = positions[self.level[positions] == self.settings["tissue_level"]]
        condition = self.profiles.obs["condition"].iloc[positions].astype(str)
        return condition.replace(self.settings["map"]).to_numpy(dtype=object)

    def with_synthetic(self, training_set: str, x: np.ndarray, y: np.ndarray) -> dict[str, float]:
        """Metrics of the classifier trained on the set's real tissue and standardised synthetic profiles."""
        real, labels = self.tissue(training_set, "train")
        per_condition = self.settings.get("synthetic_weight")
        counts = {c: (y == c).sum() for c in np.unique(y)}
        of_row = [per_condition / counts[c] if per_condition else 1.0 for c in y]
        weight = np.concatenate([np.ones(len(real)), of_row])
        return self.classify(training_set, np.concatenate([real, x]), np.concatenate([labels, y]), weight)


def _with_cells(sets: _Arms) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every training set that holds cell-level profiles, with its arm; variants of an arm hold the same ones."""
    for arm, row in sets.items():
        if arm != "tissue_only" and "+" not in arm:
            yield arm, row


def _real_only(plan: _Study, sets: _Arms) -> None:
    """The k real profiles alone, from any arm of the draw (they are the same in all)."""
    row = sets.get("tissue_only") or next(iter(sets.values()))
    if int(row["n_real"]) == 0:
        return
    x, y = plan.tissue(row["training_set"], "train")
    keys = {"generator": "real", "arm": "tissue_only"}
    plan.record(row, plan.classify(row["training_set"], x, y, np.ones(len(x))), **keys)
    plan.record_centroids(row, base.class_means(x, y, plan.conditions), plan.conditions, **keys)


def _ceiling(plan: _Study) -> None:
    """Every training tissue profile of the conditions compared, with its label; one value a draw."""
    first: dict[int, dict[str, Any]] = {}
    for (_, draw), sets in plan.sets.items():
        first.setdefault(draw, next(iter(sets.values())))
    for row in first.values():
        pool = plan.pool(row["training_set"])
        y = plan.profiles.obs["condition"].iloc[pool].astype(str).replace(plan.settings["map"]).to_numpy(dtype=object)
        x = plan.space(row["training_set"]).scale(plan.x(pool))
        inside = np.isin(y, plan.conditions)
        scores = plan.classify(row["training_set"], x[inside], y[inside], np.ones(int(inside.sum())))
        keys = {"generator": "real", "arm": "ceiling", "k": -1}
        plan.record(row, scores | {"chance": 1 / len(plan.conditions)}, **keys)
        plan.record_centroids(row, base.class_means(x[inside], y[inside], plan.conditions), plan.conditions, **keys)


def _methods(plan: _Study) -> None:
    """Baselines of :mod:`.pool_baselines` in every arm, and what speaks for the labels of the pool."""
    for (k, _), sets in plan.sets.items():
        for arm, row in sets.items():
            if "+" in arm:
                continue
            draw = plan.draw(row, arm, guarded=arm != "permuted")
            own = methods.OF_PATIENTS if arm == "tissue_only" else methods.WITHOUT_POOL | methods.WITH_POOL
            for name, method in own.items():
                _record_method(plan, row, arm, name, method, draw)
            _record_evidence(plan, row, arm, draw)
            if arm == "permuted" and k:
                guarded = plan.draw(row, arm, guarded=True)
                for name in ("em", "em_logistic"):
                    _record_method(plan, row, "permuted_guarded", name, methods.WITH_POOL[name], guarded)


def _record_method(
    plan: _Study, row: Mapping[str, Any], arm: str, name: str, method: methods.Method, draw: Draw
) -> None:
    x_test, y_test = plan.tissue(row["training_set"], "test")
    scores, classes = method(draw, x_test)
    found = plan.scores(y_test, classes[scores.argmax(1)], scores, classes)
    plan.record(row, found, generator=name, arm=arm, estimator=name)


def _record_evidence(plan: _Study, row: Mapping[str, Any], arm: str, draw: Draw, task: str | None = None) -> None:
    """Evidence of the mixture; of the pool's labels that it gives, the share that is right, and its class means."""
    evidence, labels = draw.named.evidence, draw.named.labels
    keys = {"generator": "em", "arm": arm}
    scores = {
        "em_used": float(evidence.used != "nothing"),
        "em_source_used": float(evidence.used == "source"),
        "em_pool": float(evidence.pool),
        "em_confident": evidence.confident,
        "em_agreement": evidence.agreement,
        "em_separation": evidence.separation,
        "em_kept": evidence.kept,
    }
    sure = labels != ""
    if sure.any() and task is None:
        scores["em_labels_right"] = float((labels == plan.pool_labels(row["training_set"]))[sure].mean())
        present = np.unique(labels[sure].astype(str)).astype(object)
        plan.record_centroids(row, base.class_means(draw.pool[sure], labels[sure], present), present, **keys)
    plan.record(row, {m: v for m, v in scores.items() if np.isfinite(v)}, estimator=None, task=task, **keys)


def _pool_sizes(plan: _Study) -> None:
    """Lines and fewer unlabelled patients, none of them labelled: what the size of the pool is worth."""
    for (k, draw_number), sets in plan.sets.items():
        for size in plan.settings.get("pool_sizes", []) if k == 0 and "cell_only" in sets else []:
            row = sets["cell_only"]
            draw = plan.draw(row, "cell_only", guarded=False)
            if size > len(draw.pool):
                continue
            rng = random_generator(plan.seed, "pool size", size, draw_number)
            draw.pool = draw.pool[np.sort(rng.permutation(len(draw.pool))[:size])]
            x_test, y_test = plan.tissue(row["training_set"], "test")
            for name in ("em", "em_logistic"):
                scores, classes = methods.WITH_POOL[name](draw, x_test)
                found = metrics(y_test, classes[scores.argmax(1)], scores, classes)
                keys = {"generator": name, "arm": "cell_only", "estimator": name, "task": f"pool:{size}"}
                plan.record(row, {"pool_balanced_accuracy": found["balanced_accuracy"]}, **keys)
            _record_evidence(plan, row, "cell_only", draw, task=f"pool:{size}")


def _stacking(plan: _Study, sets: _Arms) -> None:
    """Cell-level profiles as extra training rows of low weight."""
    for arm, row in _with_cells(sets):
        x, y = plan.tissue(row["training_set"], "train")
        cells = plan.cells(row["training_set"])
        rows = np.concatenate([x, cells.standardised()])
        weight = np.concatenate([np.ones(len(x)), cells.weights()])
        scores = plan.classify(row["training_set"], rows, np.concatenate([y, cells.labels]), weight)
        plan.record(row, scores, generator="stacking", arm=arm)


def _level_shift(plan: _Study, sets: _Arms) -> None:
    """Gaussian profiles around shifted cell-level centroids, used like a generator's."""
    n = plan.settings["n_synthetic"]
    labels = np.repeat(plan.conditions, n)
    for arm, row in _with_cells(sets):
        name, space = row["training_set"], plan.space(row["training_set"])
        means = base.level_shift_means(plan.cells(name), space, plan.conditions)
        rng = random_generator(plan.seed, "level_shift", name)
        x = np.repeat(means, n, axis=0) + shrunk_noise(space.pool, len(labels), rng)
        keys = {"generator": "level_shift", "arm": arm, "n_synthetic": n}
        plan.record(row, plan.with_synthetic(name, x, labels), **keys)
        plan.record_centroids(row, means, plan.conditions, **keys)


def _empirical_bayes(plan: _Study, sets: _Arms) -> None:
    """Nearest posterior class mean."""
    for arm, row in _with_cells(sets):
        name = row["training_set"]
        real, pool = plan.tissue(name, "train"), plan.space(name).pool
        means, worth = base.empirical_bayes_means(plan.cells(name), plan.conditions, *real, pool)
        x_test, y_test = plan.tissue(name, "test")
        scores = base.nearest_mean_scores(x_test, means)
        keys = {"generator": "empirical_bayes", "arm": arm}
        found = metrics(y_test, plan.conditions[scores.argmax(1)], scores, plan.conditions)
        plan.record(row, found, estimator="nearest_mean", **keys)
        plan.record_centroids(row, means, plan.conditions, **keys)
        if np.isfinite(worth):
            plan.record(row, {"prior_weight": worth}, estimator=None, **keys)


def _generated(plan: _Study, synthetic: Mapping[str, ad.AnnData], generator: str) -> None:
    """Synthetic tissue profiles of a generator, added to the k real ones that it was trained with."""
    for sets in plan.sets.values():
        for arm, row in sets.items():
            name = row["training_set"]
            if generator not in str(row["generators"]).split(";"):
                continue
            made = synthetic[name]
            x = plan.space(name).scale(made.X)
            y = made.obs["condition"].astype(str).to_numpy(dtype=object)
            present, counts = np.unique(y, return_counts=True)
            keys = {"generator": generator, "arm": arm, "n_synthetic": int(counts.max())}
            plan.record(row, plan.with_synthetic(name, x, y), **keys)
            plan.record_centroids(row, base.class_means(x, y, present), present, **keys)


def _paired(plan: _Study) -> None:
    """Differences of balanced accuracy between arms and baselines of the same draw."""
    accuracy = {
        (r["generator"], r["regime"], r["n_real"], r["repeat"]): r
        for r in plan.rows
        if r["metric"] == "balanced_accuracy"
    }
    for (generator, arm, k, draw), row in accuracy.items():
        if generator == "real":
            continue
        both = "both" if k else "cell_only"
        others = {"gain_over_real_only": ("real", "tissue_only", k, draw)}
        if generator != "stacking" and arm != "permuted":
            others["gain_over_stacking"] = ("stacking", both, k, draw)
        if generator not in BASELINES and arm != "permuted":
            others["gain_over_level_shift"] = ("level_shift", both, k, draw)
        if arm in COMBINED:
            others["both_minus_permuted"] = (generator, "permuted", k, draw)
            others["both_minus_tissue_only"] = (generator, "tissue_only", k, draw)
        if "+" in arm:
            others["gain_over_both"] = (generator, both, k, draw)
        for metric, key in others.items():
            if key in accuracy:
                plan.rows.append({**row, "metric": metric, "value": row["value"] - accuracy[key]["value"]})


def combination(given: ScoreInputs) -> pd.DataFrame:
    """Score few-shot classifiers helped by the cell level, on held-out tissue.

    A member's condition is the (merged or permuted) label. Of the generator ``real`` all baselines: ``real`` (k real
    profiles; ``ceiling``: all of them), :data:`.names.BASELINES`.

    Returns
    -------
    DataFrame
        Long evaluation table: ``n_real`` = k per condition, ``regime`` = arm, ``n_synthetic`` per condition. Metrics:
        those of :func:`..shared.classifiers.metrics`; ``centroid_r``; paired over draws, in balanced accuracy,
        ``gain_over_real_only``, ``gain_over_stacking``, ``gain_over_level_shift``, ``both_minus_tissue_only`` and
        ``both_minus_permuted`` (at k = 0 "both" is the arm ``cell_only``), and ``gain_over_both`` of variants (gains
        over the best baselines are added by :mod:`.finish`); ``chance``, the balanced accuracy of guessing, where
        learning curves start; of the generator ``em``: evidence for the labels of the pool (``em_…``,
        :class:`.label_em.Evidence`) and the share of them that is right; ``pool_balanced_accuracy`` with fewer
        unlabelled patients (``task`` = ``pool:<size>``).

    Raises
    ------
    ContractError
        If a held-out donor was trained on, or a training set has no pool to standardise with.
    """
    generator, rows = given.generator, given.rows
    if generator != "real":  # the baselines of draws in which it was not trained are not needed
        draws = {row["repeat"] for row in given.own_rows}
        rows = [row for row in rows if row["repeat"] in draws]
    plan = _Study(given, rows)
    plan.baseline("real", _real_only)
    plan.baseline("stacking", _stacking)
    plan.baseline("level_shift", _level_shift)
    if generator == "real":
        plan.baseline("empirical_bayes", _empirical_bayes)
        _methods(plan)
        _ceiling(plan)
        _pool_sizes(plan)
        _paired(plan)
        return evaluation_table(plan.rows)
    _generated(plan, given.synthetic, generator)
    _paired(plan)
    return evaluation_table([row for row in plan.rows if row["generator"] == generator])
