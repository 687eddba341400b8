"""Scores predictions against perturbations that were measured, beside what needs no model.

The perturbations have their own unit and context, so that only the pattern of an effect is scored: correlation over
genes, and how well the genes that change most are found. The perturbed gene does not count.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold

from ...core.errors import UserError
from ...core.io import evaluation_table
from ...core.seeds import derive, generator
from ...intervene.operators import regulon_sign
from ...intervene.perturbations import MIN_PERTURBATIONS, LinearPredictor, pathway_embedding
from ...intervene.study import COMPONENTS, Study
from .score import pearson
from .targets import auroc

#: Share of genes that count as changed.
CHANGED = 0.05


def score(
    study: Study, effects: pd.DataFrame, *, name: str, seed: int, gene_sets: dict[str, set[str]] | None = None
) -> pd.DataFrame:
    """Evaluation table of predictions of measured perturbations.

    Long table, task ``perturbations``; generator = predictor, repeat = number of the perturbation. ``pearson`` over
    genes, ``changed_auroc`` (size of the prediction against the 5 % of genes that change most), and once for each
    predictor ``asked`` and ``refused``. Every predictor is scored on the perturbations it does not refuse.

    Parameters
    ----------
    effects : DataFrame
        Genes by perturbed genes, symbols. Asked are the perturbed genes that were measured themselves.
    gene_sets : dict of set of str, optional
        Pathways, by which perturbed genes are embedded for the linear predictor.

    Raises
    ------
    UserError
        If fewer than two perturbed genes or ten measured genes are among the study's.
    """
    measured = [g for g in effects.index if g in study.ids]
    asked = [str(g) for g in effects.columns if g in effects.index]
    known = [g for g in asked if g in study.ids]
    if len(measured) < 10 or len(known) < 2:
        raise UserError(
            f"{len(measured)} measured and {len(known)} perturbed genes are among the study's genes",
            where="interventions.perturbations", remedy="name genes by symbol; genes of the study are needed",
        )  # fmt: skip
    columns = np.array([study.index[study.ids[g]] for g in measured])
    y = effects.loc[measured].to_numpy(float)
    every = [str(g) for g in effects.columns]
    predictions = _linear(study, known, columns)
    predictions["no_change"] = {g: np.zeros(len(columns)) for g in asked}
    others = {g: np.nanmean(np.delete(y, every.index(g), axis=1), axis=1) for g in asked}
    predictions["mean_of_other_perturbations"] = others
    if gene_sets and len(every) >= MIN_PERTURBATIONS:
        predictions["linear_pathways"] = _unseen(y.T, every, asked, pathway_embedding(every, gene_sets), seed)
    rng = generator(seed, "another gene")
    predictions["another_gene"] = {
        g: predictions["see"][str(rng.choice([o for o in predictions["see"] if o != g]))] for g in asked
    }
    rows: list[dict[str, Any]] = []
    for predictor, made in predictions.items():
        keys = {"study": name, "task": "perturbations", "generator": predictor, "regime": "all", "seed": seed}
        rows += [
            {**keys, "repeat": 0, "metric": metric, "value": float(value)}
            for metric, value in (("asked", len(asked)), ("refused", len(asked) - len(made)))
        ]
        for g, predicted in made.items():
            true = y[:, every.index(g)]
            use = np.isfinite(true) & (np.array(measured) != g)
            size = np.abs(true[use])
            changed = size >= np.quantile(size, 1 - CHANGED)
            one = {**keys, "repeat": asked.index(g)}
            rows += [
                one | {"metric": "pearson", "value": pearson(predicted[use], true[use])},
                one | {"metric": "changed_auroc", "value": auroc(np.abs(predicted[use]), changed)},
            ]
    return evaluation_table(rows)


def _linear(study: Study, asked: list[str], columns: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """What a knock-down (gene down by one unit) does by the operators and the baselines of the study."""
    names = ("see", f"see_pc{COMPONENTS}", "do_g", "do_g_shuffled_graph", "regulon_sign")
    out: dict[str, dict[str, np.ndarray]] = {n: {} for n in names}
    for g in asked:
        gene = study.ids[g]
        j = study.index[gene]
        if not study.model.varies[j]:
            continue
        out["see"][g] = -study.model.see(j)[columns]
        out[f"see_pc{COMPONENTS}"][g] = -study.model.see_without(j, study.components)[columns]
        for name, graph in (("do_g", study.graph), ("do_g_shuffled_graph", study.shuffled)):
            reached = study.reached(graph, [gene])
            if len(np.intersect1d(reached, columns)):
                out[name][g] = -study.model.do(j, reached)[columns]
        if g in out["do_g"]:
            out["regulon_sign"][g] = -regulon_sign(study.signs, j)[columns]
    return out


def _unseen(
    effects: np.ndarray, every: list[str], asked: list[str], embedding: np.ndarray, seed: int
) -> dict[str, np.ndarray]:
    """Effects of perturbations by linear predictors that did not see them."""
    filled = np.where(np.isfinite(effects), effects, np.nanmean(effects, axis=0))
    out = {}
    for train, test in KFold(10, shuffle=True, random_state=derive(seed, "perturbations")).split(filled):
        model = LinearPredictor.fit(filled[train], embedding[train], seed=seed)
        for i, made in zip(test, model.predict(embedding[test]), strict=True):
            if every[i] in asked:
                out[every[i]] = made
    return out
