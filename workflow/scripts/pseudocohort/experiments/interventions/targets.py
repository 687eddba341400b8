"""Scores rankings of targets against the dependencies of cell lines of the same lineage.

A plain AUROC is won by popularity: a gene on which all lineages depend is a hit in each (.87 to .97 on six cancers). So
rankings are scored within strata of popularity, and by how much better they find the hits of the condition's own
lineage than those of the other lineages, where any list that is the same for all conditions gets 0.
"""

from __future__ import annotations

from itertools import permutations
from math import factorial
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from scipy.stats import rankdata

from ...core.errors import UserError
from ...core.io import evaluation_table
from ...core.seeds import derive, generator
from ...intervene import targets
from ...intervene.dependency import Dependencies
from ...intervene.graph import Graph
from ...intervene.operators import TissueModel, sign_matrix

#: Upper ends of the strata of popularity: share of dependent lines of other lineages.
STRATA = (0.0, 0.02, 0.1)
_PERMUTATIONS = 2000
#: Why the second table of targets names no winner.
NO_REGULATORS = "non_regulators"


def auroc(scores: np.ndarray, hits: np.ndarray, strata: np.ndarray | None = None) -> float:
    """Share of pairs of a hit and another gene, of one stratum, in which the hit scores higher; ties count half."""
    strata = np.zeros(len(scores), int) if strata is None else strata
    won = pairs = 0.0
    for s in np.unique(strata):
        here, positive = scores[strata == s], hits[strata == s].astype(bool)
        n, m = positive.sum(), (~positive).sum()
        if n and m:
            won += rankdata(here)[positive].sum() - n * (n + 1) / 2
            pairs += n * m
    return won / pairs if pairs else float("nan")


def rankings(profiles: ad.AnnData, graph: Graph, conditions: list[str], *, depth: int, seed: int) -> dict[str, Any]:
    """Scores (conditions, genes) of every ranking, and which genes are regulators.

    Parameters
    ----------
    depth : int
        Steps of the graph for the reversal.

    Returns
    -------
    dict
        ``regulators`` (G,) of bool, ``symbols`` (G,), ``scores``: name -> ndarray (conditions, G); NaN where a gene
        has no score.
    """
    obs = profiles.obs.astype(str)
    x = np.asarray(profiles.X, dtype=np.float64)
    tumour, normal = ((obs["level"] == level).to_numpy() for level in ("tumour", "normal"))
    condition = obs["condition"].to_numpy()
    cohort = targets.Cohort(x[tumour], condition[tumour])
    symbols = profiles.var["symbol"].astype(str).to_numpy()
    genes = list(profiles.var_names)
    signs = sign_matrix(graph, genes)
    model = TissueModel.fit(x, (condition + "|" + obs["level"]).to_numpy())
    index = {gene: i for i, gene in enumerate(genes)}
    names = ("expression_difference", "activity", "mean_expression", "tumour_normal_t", "reversal")
    scores = {name: np.full((len(conditions), len(genes)), np.nan) for name in names}
    for i, c in enumerate(conditions):
        own = x[tumour & (condition == c)]
        table, _ = targets.rank(own, cohort, c, symbols, signs, seed=derive(seed, "targets", c))
        regulators = np.flatnonzero(table["regulator"])
        scores["expression_difference"][i] = table["expression_difference"]
        scores["activity"][i] = table["activity"]
        scores["mean_expression"][i] = own.mean(0)
        healthy = x[normal & (condition == c)]
        if len(healthy) >= targets.MIN_PROFILES:
            scores["tumour_normal_t"][i] = targets.welch(own, healthy)
            towards = healthy.mean(0) - own.mean(0)
            for j in regulators:
                reached = np.array(sorted(index[g] for g in graph.descendants(genes[j], depth) if g in index), int)
                scores["reversal"][i, j] = targets.reversal(model.do(int(j), reached), j, towards)
    return {"regulators": table["regulator"].to_numpy(), "symbols": symbols, "scores": scores}


def score(
    profiles: ad.AnnData,
    graph: Graph,
    dependencies: Dependencies,
    lineages: dict[str, str],
    *,
    study: str,
    seed: int,
    depth: int = 1,
) -> pd.DataFrame:
    """Evaluation table of rankings of targets.

    Parameters
    ----------
    lineages : dict of str
        Lineage of the lines of each condition.
    depth : int
        Steps of the graph for the reversal.

    Returns
    -------
    DataFrame
        Long table, task ``targets``; generator = ranking, estimator = ``regulators`` or ``non_regulators``, regime =
        condition or all, repeat = number of the condition. ``matched_auroc``, ``matched_stratified_auroc`` (within
        strata of popularity), ``matched_minus_mismatched`` (own condition less the mean of the others) and,
        once each, ``permutation_p`` of its mean (lineages permuted among conditions) and ``hits``.

    Raises
    ------
    UserError
        If no lineage is known, or none has a selective gene among the study's.
    """
    known = {c: v.lower() for c, v in lineages.items() if c in set(profiles.obs["condition"].astype(str))}
    missing = sorted(set(known.values()) - set(dependencies.lineages()))
    if missing or len(known) < 2:
        raise UserError(
            f"no line of lineage {missing[0]!r}" if missing else "fewer than two conditions have a lineage",
            where="interventions.truths, lineages",
            remedy=f"map conditions to lineages among: {', '.join(dependencies.lineages())}",
        )
    conditions = sorted(known)
    found = rankings(profiles, graph, conditions, depth=depth, seed=seed)
    symbols = pd.Index(found["symbols"])
    measured = symbols.isin(dependencies.dependent.index) & ~symbols.duplicated(keep=False)
    hits = np.stack([dependencies.selective(known[c]).reindex(symbols, fill_value=False) for c in conditions])
    popularity = np.stack([dependencies.share(known[c], others=True).reindex(symbols).to_numpy() for c in conditions])
    candidates = measured & ~dependencies.pan_essential().reindex(symbols, fill_value=True).to_numpy(bool)
    found["scores"] |= {"popularity": popularity}
    rows: list[dict[str, Any]] = []
    for kind, among in (("regulators", found["regulators"]), (NO_REGULATORS, ~found["regulators"])):
        use = candidates & among
        for name, scores in found["scores"].items():
            able = use & np.isfinite(scores).any(0)
            if not able.any():
                continue
            rows += _scored(
                np.nan_to_num(scores[:, able], nan=0.0), hits[:, able], popularity[:, able], conditions,
                {"study": study, "task": "targets", "generator": name, "estimator": kind, "seed": seed},
            )  # fmt: skip
    if not rows:
        raise UserError(
            "no lineage has a selective gene among the study's genes", where="interventions.truths",
            remedy="give dependencies of the lineages of the study's conditions",
        )  # fmt: skip
    return evaluation_table([row | {"level": "tumour"} for row in rows])


def _scored(
    scores: np.ndarray, hits: np.ndarray, popularity: np.ndarray, conditions: list[str], keys: dict[str, Any]
) -> list[dict[str, Any]]:
    useful = [j for j in range(len(conditions)) if 0 < hits[j].sum() < hits.shape[1]]
    if not useful:
        return []
    table = np.array([[auroc(scores[i], hits[j]) for j in useful] for i in range(len(conditions))])
    rows = []
    for k, j in enumerate(useful):
        strata = np.digitize(popularity[j], STRATA, right=True)
        others = np.delete(np.arange(len(conditions)), j)
        values = {
            "matched_auroc": table[j, k],
            "matched_stratified_auroc": auroc(scores[j], hits[j], strata),
            "matched_minus_mismatched": table[j, k] - table[others, k].mean(),
            "hits": float(hits[j].sum()),
        }
        rows += [
            {**keys, "regime": regime, "repeat": j, "metric": metric, "value": value}
            for regime in (conditions[j], "all")
            for metric, value in values.items()
            if np.isfinite(value)
        ]
    own = table[useful, range(len(useful))].mean()
    n = len(conditions)
    rng = generator(keys["seed"], "permutations", keys["generator"])
    every = factorial(n) <= 10 * _PERMUTATIONS
    orders = permutations(range(n)) if every else (rng.permutation(n) for _ in range(_PERMUTATIONS))
    extreme = [table[[order[j] for j in useful], range(len(useful))].mean() >= own - 1e-9 for order in orders]
    # All orders hold the identity; drawn ones are joined by it.
    p = np.mean(extreme) if every else (1 + np.sum(extreme)) / (1 + len(extreme))
    return [*rows, {**keys, "regime": "all", "repeat": 0, "metric": "permutation_p", "value": float(p)}]
