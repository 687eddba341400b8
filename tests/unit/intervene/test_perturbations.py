"""Measured perturbations as a truth: what their mean says of one left out, and the plate of knock-downs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from support import interventions as toy

from pseudocohort.experiments.interventions.perturbations import score
from pseudocohort.experiments.shared.statistics import summarise
from pseudocohort.intervene.graph import Graph, resolve
from pseudocohort.intervene.perturbations import read_perturbations
from pseudocohort.intervene.study import Study


def scored(study: Study, effects: pd.DataFrame) -> pd.DataFrame:
    table = score(study, effects, name="s", seed=1)
    return summarise(table[table["task"] == "perturbations"]).set_index(["generator", "metric"])


def test_the_mean_of_others_does_not_hold_the_one_that_is_predicted() -> None:
    """Effects that share nothing: the mean of three would go with each of them (r .58), that of the other two not."""
    study = Study.of(toy.cohort(), toy.graph(), depth=1, seed=1)
    symbols = [f"S{i}" for i in range(toy.G)]
    effects = pd.DataFrame(np.random.default_rng(0).normal(size=(toy.G, 3)), symbols, ["S0", "S1", "S2"])
    found = scored(study, effects)
    assert abs(found.loc[("mean_of_other_perturbations", "pearson"), "value"]) < 0.15
    assert found.loc[("mean_of_other_perturbations", "asked"), "value"] == 3
    shared = effects + np.random.default_rng(1).normal(size=(toy.G, 1))
    assert scored(study, shared).loc[("mean_of_other_perturbations", "pearson"), "value"] > 0.4


def test_the_plate_of_knock_downs(data_root, real_pairs) -> None:
    folder = data_root / "perturbation"
    edges = pd.read_csv(data_root / "gene-sets/dorothea_hs.tsv.gz", sep="\t")
    edges = edges[edges["confidence"].isin(list("ABC"))].assign(sign=np.sign(edges["mor"]).astype(int))
    graph = resolve(edges.rename(columns={"tf": "regulator"})[["regulator", "target", "sign"]], real_pairs.var)
    assert isinstance(graph, Graph)
    study = Study.of(real_pairs, graph, depth=1, seed=1)
    found = scored(study, read_perturbations(folder / "kd_gct.tsv.gz", folder / "kd_gct_columns.tsv"))
    others, see, do = (found.xs(name) for name in ("mean_of_other_perturbations", "see", "do_g"))
    assert {"no_change", "another_gene", "see_pc5", "do_g_shuffled_graph", "regulon_sign"} <= set(found.index.levels[0])
    assert others.loc["asked", "value"] == 78 and do.loc["refused", "value"] >= 75
    assert others.loc["pearson", "ci_low"] > 0.35 and others.loc["changed_auroc", "ci_low"] > 0.55
    assert see.loc["pearson", "ci_high"] < 0.15, "no claim that association knows knock-downs"
    assert found.loc[("no_change", "pearson"), "value"] == pytest.approx(0)
