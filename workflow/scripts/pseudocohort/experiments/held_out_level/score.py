"""Held-out level: a condition that was seen at one level only, generated at the other, against its real profiles there.

All profiles of a condition at one level (``level`` of the rows) are hidden; its profiles at the other level and all
other conditions at both levels are what a generator sees. The unit of the statistics is the condition: rows without a
task hold one value per condition, averaged over the repeats.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, roc_auc_score

from ...core.io import evaluation_table
from ...core.seeds import generator as random_generator
from ...generators.fit.naming import one_per_donor
from ...generators.space.label_em import Source, name_pool
from ...metrics.correlation import correlation_score, scored_genes
from ...metrics.moments import maximum_mean_discrepancy
from ...metrics.prdc import precision_recall_density_coverage
from ..combination.baselines import CELL_OFFSET
from ..shared.between_levels import centroids, donor_weight
from ..shared.inputs import ScoreInputs
from ..shared.standardise import plain_scale
from . import baselines as base

#: Neighbours of precision, recall, density and coverage at most; few profiles are hidden.
NEIGHBOURS = 5
#: Principal components in which MMD is taken.
COMPONENTS = 20
#: Profiles that a condition needs among the held-out ones for metrics of the distribution.
FEWEST = 8
#: Metrics compared with the additive level shift; -1 where lower is better.
COMPARED = {"centroid_r": 1, "detection_auc": 1, "mmd": -1, "coverage": 1, "correlation_score": 1}


@dataclass
class _Hidden:
    """One training set: what is hidden, what is seen, and the space in which it is scored.

    Attributes
    ----------
    condition, level : str
        What is hidden.
    seen : base.Seen
        Profiles of both levels (log2 units).
    test, reference : ndarray
        Real profiles of the level, of every condition and of the hidden one, standardised.
    labels : ndarray
        Conditions of `test`.
    mean, sd : ndarray (genes,)
        Of the training profiles of the level.
    unlabelled : ndarray (n × genes)
        Unlabelled profiles of the level (log2 units), the hidden condition's among them; mostly none.
    source_lines : ndarray of str
        Donors of the profiles at the other level.
    """

    condition: str
    level: str
    seen: base.Seen
    test: np.ndarray
    labels: np.ndarray
    reference: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    unlabelled: np.ndarray
    source_lines: np.ndarray

    def named(self) -> np.ndarray:
        """Unlabelled profiles (n × genes, log2 units) that the other level names as the hidden condition."""
        source = Source(*one_per_donor(self.seen.source, self.source_lines, self.seen.source_labels))
        found = name_pool(self.unlabelled, [source], self.seen.x, self.seen.labels)
        return self.unlabelled[found.labels == self.condition]

    def scale(self, x: np.ndarray) -> np.ndarray:
        return (np.asarray(x, dtype=np.float64) - self.mean) / self.sd


def _hidden(given: ScoreInputs, row: Mapping[str, Any]) -> _Hidden:
    tissue, cell = given.settings["tissue_level"], given.settings["cell_level"]
    hidden = tissue if row["regime"].startswith("tissue") else cell
    obs = given.profiles.obs[["level", "donor"]].astype(str)

    def rows(role: str) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
        """Expression, conditions and annotation of the profiles of a role."""
        positions, labels = given.index.of(row["training_set"], role)
        return given.profiles.X[positions].astype(np.float64), labels, obs.iloc[positions]

    x, labels, about = rows("train")
    donors, here = about["donor"].to_numpy(), (about["level"] == hidden).to_numpy()
    mean, sd = plain_scale(x[here], CELL_OFFSET if hidden == cell else 0.0)
    test, test_labels, _ = rows("test")
    unlabelled, _ = given.index.of(row["training_set"], "unlabeled")
    return _Hidden(
        condition=row["task"],
        level=hidden,
        seen=base.Seen(
            x[here], labels[here], donor_weight(donors[here]),
            x[~here], labels[~here], donor_weight(donors[~here]), CELL_OFFSET if hidden != cell else 0.0,
        ),
        test=(test - mean) / sd,
        labels=test_labels,
        reference=(rows("reference")[0] - mean) / sd,
        mean=mean,
        sd=sd,
        unlabelled=given.profiles.X[np.sort(unlabelled)].astype(np.float64),
        source_lines=donors[~here],
    )  # fmt: skip


def score(hidden: _Hidden, made: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
    """Metrics of standardised profiles `made` (n × genes) that stand for the hidden condition at its level.

    Returns
    -------
    dict
        ``centroid_r``: Pearson correlation over genes of the centroid with the real one, both less the mean of the
        other conditions' training centroids. ``type_rank``: place of the condition among all when their real
        centroids are ordered by that correlation (1 = right). ``detection_auc``, ``detection_f1``: of a logistic
        classifier trained on real profiles of the other conditions against `made`, on real profiles. ``mmd``,
        ``precision``, ``recall``, ``density``, ``coverage``, ``correlation_score``: of the distribution, where the
        condition has enough held-out profiles.
    """
    seen = hidden.seen
    others = hidden.scale(seen.x)
    names = np.unique(seen.labels)
    origin = centroids(others, seen.labels, seen.weight, names).mean(0)
    real = {c: hidden.test[hidden.labels == c].mean(0) - origin for c in np.unique(hidden.labels)}
    centroid = made.mean(0) - origin
    r = {c: base.pearson(centroid, mean) for c, mean in real.items()}
    out = {"centroid_r": r[hidden.condition], "type_rank": float(1 + sum(v > r[hidden.condition] for v in r.values()))}
    x = np.concatenate([others, made])
    y = np.r_[np.zeros(len(others)), np.ones(len(made))]
    model = LogisticRegression(C=0.01, class_weight="balanced", max_iter=500).fit(x, y)
    truth = hidden.labels == hidden.condition
    found = model.decision_function(hidden.test)
    out["detection_auc"] = float(roc_auc_score(truth, found))
    out["detection_f1"] = float(f1_score(truth, found > 0))
    target = hidden.test[truth]
    if len(target) >= FEWEST:
        made = made[np.sort(rng.permutation(len(made))[: max(len(target), FEWEST)])]
        components = PCA(min(COMPONENTS, len(others) - 1), random_state=0).fit(others)
        out["mmd"] = maximum_mean_discrepancy(components.transform(target), components.transform(made))
        k = max(1, min(NEIGHBOURS, len(target) - 2, len(made) - 2))
        out |= precision_recall_density_coverage(target, made, k)
        genes = scored_genes(target.shape[1], rng)
        out["correlation_score"] = correlation_score(target[:, genes], made[:, genes])
    return out


def held_out_level(given: ScoreInputs) -> pd.DataFrame:
    """Score profiles of conditions that a generator never saw at the level that it generates.

    Of the generator ``real`` the ceiling (real profiles of other donors of the hidden condition) and the baselines of
    :mod:`.baselines`.

    Returns
    -------
    DataFrame
        Long evaluation table: ``task`` = hidden condition (none: one value per condition), ``regime`` = arm,
        ``level`` = hidden level. Metrics of :func:`score`; those of :data:`COMPARED` also as
        ``<metric>_over_level_shift`` and ``<metric>_over_permuted``, above 0 where better.

    Raises
    ------
    ContractError
        If a held-out donor was trained on.
    """
    rows: list[dict[str, Any]] = []
    for row in given.rows:
        hidden = _hidden(given, row)
        rng = random_generator(given.seed, "held_out_level", row["task"], row["regime"], row["repeat"])
        keys = given.keys(row) | {
            "task": row["task"], "regime": row["regime"].split("_", 1)[1], "level": hidden.level
        }  # fmt: skip
        for name, made in _candidates(given, hidden, row, rng):
            of_made = keys | {"generator": name, "n_synthetic": len(made)}
            rows += [of_made | {"metric": m, "value": v} for m, v in score(hidden, made, rng).items()]
    table = evaluation_table(rows)
    table = pd.concat([table, *_differences(table)], ignore_index=True)
    table = pd.concat([table, _over_conditions(table)], ignore_index=True)
    if given.generator != "real":
        table = table[table["generator"] == given.generator].reset_index(drop=True)
    return table


def _candidates(
    given: ScoreInputs, hidden: _Hidden, row: Mapping[str, Any], rng: np.random.Generator
) -> Iterator[tuple[str, np.ndarray]]:
    """Names and standardised profiles that are scored on one training set; the level shift is always among them."""
    n = given.settings["n_synthetic"]
    if given.generator != "real":
        yield given.generator, hidden.scale(given.synthetic[row["training_set"]].X)
        yield "level_shift", hidden.scale(base.level_shift(hidden.seen, hidden.condition, n, rng))
        return
    if row["regime"].endswith("pool") and len(named := hidden.named()) > 1:
        yield "em", hidden.scale(named)
    if row["regime"].endswith("combined"):
        yield "real", hidden.reference
    for name, baseline in base.BASELINES.items():
        yield name, hidden.scale(baseline(hidden.seen, hidden.condition, n, rng))


def _differences(table: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Rows of paired differences to the additive level shift, and to the same method with permuted labels."""
    keys = ["task", "level", "repeat", "metric"]
    compared = table[table["metric"].isin(COMPARED)]
    combined = compared[compared["regime"] == "combined"]
    shift = combined[combined["generator"] == "level_shift"].set_index(keys)["value"]
    permuted = compared[compared["regime"] == "permuted"].set_index(["generator", *keys])["value"]
    for suffix, reference, by in (("level_shift", shift, keys), ("permuted", permuted, ["generator", *keys])):
        rows = combined[combined["generator"] != suffix]
        other = reference.reindex(pd.MultiIndex.from_frame(rows[by])).to_numpy(dtype=float)
        sign = rows["metric"].map(COMPARED).to_numpy(dtype=float)
        out = rows.assign(value=sign * (rows["value"].to_numpy(dtype=float) - other))
        yield out.assign(metric=out["metric"] + f"_over_{suffix}").dropna(subset=["value"])


def _over_conditions(table: pd.DataFrame) -> pd.DataFrame:
    """One row per condition, its number in place of the repeat, so that summaries are over conditions."""
    number = {c: i for i, c in enumerate(sorted(table["task"].unique()))}
    keys = ["study", "generator", "regime", "level", "task", "metric"]
    mean = table.groupby(keys, sort=False, as_index=False)["value"].mean()
    rows = mean.assign(repeat=mean["task"].map(number), task=None)
    return evaluation_table(rows.to_dict("records"))
