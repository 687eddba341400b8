"""Targets against statsmodels, scipy and scikit-learn, planted lineage regulators, and the tiers of DepMap."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import statsmodels.api as sm
from scipy import sparse
from sklearn.metrics import roc_auc_score
from statsmodels.stats.proportion import proportions_ztest
from support.interventions import GENES, LINEAGES, REGULATORS, G, cohort, dependencies, graph

from pseudocohort.core.contracts import check_evaluation
from pseudocohort.core.errors import UserError
from pseudocohort.experiments.interventions import targets as scoring
from pseudocohort.experiments.shared.statistics import summarise
from pseudocohort.intervene import targets
from pseudocohort.intervene.dependency import read_tiers
from pseudocohort.intervene.graph import Graph, resolve


def test_activity_is_the_t_of_a_univariate_linear_model() -> None:
    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=90), rng.choice([-1.0, 0, 0, 1], (90, 4))
    expected = [sm.OLS(values, sm.add_constant(weights[:, j])).fit().tvalues[1] for j in range(4)]
    np.testing.assert_allclose(targets.ulm(values, sparse.csc_array(weights)), expected, rtol=1e-9)


def test_welch_and_auroc_are_those_of_the_libraries() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(12, 5)), rng.normal(1, 2, size=(30, 5))
    np.testing.assert_allclose(targets.welch(a, b), scipy.stats.ttest_ind(a, b, equal_var=False).statistic)
    scores, hits = rng.integers(0, 5, 60).astype(float), rng.random(60) < 0.3
    assert scoring.auroc(scores, hits) == pytest.approx(roc_auc_score(hits, scores))
    strata = rng.integers(0, 3, 60)
    parts = [
        (roc_auc_score(hits[here], scores[here]), hits[here].sum() * (~hits[here]).sum())
        for here in (strata == s for s in range(3))
    ]
    expected = sum(a * n for a, n in parts) / sum(n for _, n in parts)
    assert scoring.auroc(scores, hits, strata) == pytest.approx(expected)


def test_selective_genes_by_the_test_of_two_proportions() -> None:
    known = dependencies()
    selective = known.selective("l1")
    assert set(selective.index[selective]) == {"S3", "S4", "S5"}
    assert known.pan_essential().to_numpy().nonzero()[0].tolist() == [G - 1]
    own = (known.lineage == "l1").to_numpy()
    for gene in range(15):
        row = known.dependent.iloc[gene].to_numpy()
        z = proportions_ztest([row[own].sum(), row[~own].sum()], [own.sum(), (~own).sum()])[0]
        difference = row[own].mean() - row[~own].mean()
        assert selective.iloc[gene] == (z > 3.5 and difference > 0.1)


def test_planted_regulators_are_ranked_first_with_intervals() -> None:
    profiles = cohort()
    tumour = (profiles.obs["level"] == "tumour").to_numpy()
    condition = profiles.obs["condition"].to_numpy(str)[tumour]
    every = targets.Cohort(np.asarray(profiles.X[tumour], float), condition)
    symbols = profiles.var["symbol"].to_numpy(str)
    signs = scoring.sign_matrix(graph(), GENES)
    table, panel = targets.rank(every.x[condition == "c2"], every, "c2", symbols, signs, seed=0)
    assert list(panel) == ["c0", "c1", "c3", "c4"]
    first = table.sort_values("rank")["symbol"][:3]
    assert set(first) == {"S6", "S7", "S8"}
    top = table.loc[6:8]
    assert (top["expression_difference"] - 2).abs().max() < 0.5
    assert (top["ci_low"] < top["expression_difference"]).all() and (top["ci_high"] > 1.5).all()
    assert (top["in_top_10"] == 1).all() and (top["rank_high"] <= 3).all()
    assert table["regulator"].sum() == REGULATORS and table.loc[REGULATORS:, "rank"].isna().all()
    again, _ = targets.rank(every.x[condition == "c2"], every, "c2", symbols, signs, seed=0)
    pd.testing.assert_frame_equal(table, again)


def test_what_cannot_be_ranked_is_refused() -> None:
    x = np.random.default_rng(0).normal(size=(60, G))
    few = targets.Cohort(x, np.repeat(["a", "b", "c"], 20))
    signs = scoring.sign_matrix(graph(), GENES)
    names = np.array(GENES)
    with pytest.raises(UserError, match="only 2 other conditions"):
        targets.rank(x[:20], few, "a", names, signs, seed=0)
    enough = targets.Cohort(x, np.repeat(["a", "b", "c", "d"], 15))
    with pytest.raises(UserError, match="only 4 profiles"):
        targets.rank(x[:4], enough, "a", names, signs, seed=0)
    with pytest.raises(UserError, match="0 of the study.s 200 genes have 5 targets"):
        targets.rank(x[:15], enough, "a", names, sparse.csc_array((G, G)), seed=0)


def test_reversal_by_hand() -> None:
    towards = np.array([-1.0, 3.0, 4.0])
    assert targets.reversal(np.array([1.0, 0, 0]), 0, towards) == 0
    assert targets.reversal(np.array([1.0, -3, -4]), 0, towards) == pytest.approx(100)
    assert targets.reversal(np.array([1.0, 0, 4]), 0, towards) < 0


def test_score_finds_planted_targets_and_no_others() -> None:
    profiles = cohort()
    table = scoring.score(profiles, graph(), dependencies(), LINEAGES, study="s", seed=1)
    check_evaluation(table, "test")
    value = summarise(table[table["regime"] == "all"]).set_index(["generator", "estimator", "metric"])["value"]
    ours = ("expression_difference", "regulators")
    assert value[*ours, "matched_minus_mismatched"] > 0.4 and value[*ours, "permutation_p"] <= 0.02
    assert value[*ours, "matched_stratified_auroc"] > 0.95
    popular = value["popularity", "regulators", "matched_minus_mismatched"]
    assert popular < 0.1
    swapped = dict(zip(LINEAGES, [*list(LINEAGES.values())[1:], "l0"], strict=True))
    wrong = scoring.score(profiles, graph(), dependencies(), swapped, study="s", seed=1)
    wrong = wrong[(wrong["regime"] == "all") & (wrong["estimator"] == "regulators")]
    wrong = wrong[(wrong["generator"] == ours[0]) & (wrong["metric"] == "matched_minus_mismatched")]
    mean = wrong["value"].mean()
    assert mean < 0, "regulators of another lineage are no hits of this one"


def test_popularity_wins_a_plain_auroc_and_nothing_within_its_strata_or_against_other_lineages() -> None:
    rng = np.random.default_rng(0)
    stratum = rng.integers(0, 4, 2000)
    popularity = np.array([0.0, 0.01, 0.05, 0.5])[stratum]
    hits = rng.random((3, 2000)) < np.array([0.01, 0.02, 0.1, 0.5])[stratum]
    keys = {"study": "s", "task": "targets", "generator": "popularity", "estimator": "regulators", "seed": 1}
    noise = popularity + 1e-3 * rng.random(2000)
    rows = scoring._scored(np.stack([noise] * 3), hits, np.stack([popularity] * 3), ["a", "b", "c"], keys)
    table = pd.DataFrame(rows)
    value = table[table["regime"] == "all"].groupby("metric")["value"].mean()
    assert value["matched_auroc"] > 0.8
    assert value["matched_stratified_auroc"] == pytest.approx(0.5, abs=0.05)
    assert value["matched_minus_mismatched"] == pytest.approx(0, abs=1e-9)


def test_genes_that_all_lines_depend_on_are_no_candidates() -> None:
    profiles, known = cohort(), dependencies()
    essential = [f"S{i}" for i in range(15, 20)]  # regulators without effect on any lineage's lines
    known.dependent.loc[essential] = 1.0
    assert set(essential) <= set(known.pan_essential().index[known.pan_essential()])
    here = ((profiles.obs["level"] == "tumour") & (profiles.obs["condition"] == "c0")).to_numpy()
    profiles.X[np.ix_(here, np.flatnonzero(profiles.var["symbol"].isin(essential)))] += 6
    table = scoring.score(profiles, graph(), known, LINEAGES, study="s", seed=1)
    rows = table[(table["regime"] == "c0") & (table["estimator"] == "regulators")]
    value = rows[rows["generator"] == "expression_difference"].set_index("metric")["value"]
    assert value["matched_auroc"] > 0.95


def test_bad_tables_of_dependencies(tmp_path) -> None:
    cases = {
        "no.csv": ("a,b\n1,2\n", "no column gene_name"),
        "line.csv": ("gene_name,entrez_id,ACH000001\nA,1,0\n", "NAME_LINEAGE"),
        "value.csv": ("gene_name,A_LUNG,B_LUNG\nA,1,0\nB,0,-0.7\n", "-0.7 is no tier"),
    }
    for name, (text, said) in cases.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(UserError, match=said):
            read_tiers([tmp_path / name])
    (tmp_path / "a.csv").write_text("gene_name,entrez_id,A_LUNG,B_SKIN\nX,1,2,0\nX,1,0,0\nY,2,,1.0\n")
    (tmp_path / "b.csv").write_text("gene_name,entrez_id,B_SKIN,C_SKIN\nX,1,2,1\nZ,2,0,1\n")
    found = read_tiers([tmp_path / "a.csv", tmp_path / "b.csv"])
    assert list(found.dependent.columns) == ["A_LUNG", "B_SKIN", "C_SKIN"]
    assert found.dependent.loc["X"].tolist() == [1, 0, 1] and np.isnan(found.dependent.loc["Y", "A_LUNG"])
    assert found.share("skin")["X"] == 0.5 and found.share("skin", others=True)["X"] == 1
    with pytest.raises(UserError, match="no line of lineage 'moon'"):
        scoring.score(cohort(), graph(), dependencies(), {"c0": "moon", "c1": "l1"}, study="s", seed=1)


@pytest.fixture(scope="module")
def regulons(data_root, real_pairs) -> Graph:
    table = pd.read_csv(data_root / "gene-sets/dorothea_hs.tsv.gz", sep="\t")
    table = table[table["confidence"].isin(list("ABC"))]
    edges = pd.DataFrame(
        {"regulator": table["tf"], "target": table["target"], "sign": np.sign(table["mor"]).astype(int)}
    )
    return resolve(edges, real_pairs.var)


def test_bars_on_six_cancers(data_root, real_pairs, regulons) -> None:
    folder = data_root / "perturbation"
    tiers = read_tiers([folder / f"depmap_crispr_tiers{part}.csv.gz" for part in ("", "_more_lineages")])
    lineages = {
        "BRCA": "breast",
        "KIRC": "kidney",
        "LIHC": "liver",
        "LUAD": "lung",
        "PRAD": "prostate",
        "THCA": "thyroid",
    }
    table = scoring.score(real_pairs, regulons, tiers, lineages, study="paired", seed=1)
    summary = summarise(table[table["regime"] == "all"]).set_index(["generator", "estimator", "metric"])
    ours = summary.loc[("expression_difference", "regulators", "matched_minus_mismatched")]
    assert ours["value"] >= 0.30 and ours["ci_low"] > 0
    assert summary.loc[("expression_difference", "regulators", "permutation_p"), "value"] <= 0.01
    reversal = summary.loc[("reversal", "regulators", "matched_minus_mismatched")]
    assert reversal["ci_low"] < 0, "DO|G has no usable signal of targets"
    others = summary.loc[("expression_difference", "non_regulators", "matched_minus_mismatched")]
    assert others["ci_low"] < 0


def test_oestrogen_receptor_in_luminal_and_basal_tumours(data_root, real_pairs, regulons) -> None:
    subtype = pd.read_csv(data_root / "tcga-brca/samples.tsv", sep="\t").drop_duplicates("patient")
    subtype = real_pairs.obs["donor"].map(subtype.set_index("patient")["pam50"]).to_numpy()
    tumour = (real_pairs.obs["level"] == "tumour").to_numpy()
    x, condition = np.asarray(real_pairs.X, float), real_pairs.obs["condition"].to_numpy(str)
    every = targets.Cohort(x[tumour], condition[tumour])
    signs = scoring.sign_matrix(regulons, list(real_pairs.var_names))
    symbols = real_pairs.var["symbol"].to_numpy(str)
    ranks = {}
    for name, kinds in {"luminal": ["LumA", "LumB"], "basal": ["Basal"]}.items():
        own = x[tumour & np.isin(subtype, kinds)]
        table, _ = targets.rank(own, every, "BRCA", symbols, signs, seed=0)
        assert table["regulator"].sum() > 140
        ranks[name] = table.set_index("symbol").loc["ESR1", "rank"]
    assert ranks["luminal"] <= 5 and ranks["basal"] > 30
