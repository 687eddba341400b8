"""Sources of profiles: what is confounded is said and refused, harmonisation keeps the classes apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from support.in_memory import ingest_dataset, map_genes
from support.sources import TOIL, cohort

from pseudocohort.core.errors import UserError
from pseudocohort.prepare.batch import (
    components,
    fit_sources,
    group_of,
    harmonise_sources,
    shared_donors,
    single_source,
    source_of,
    sources_table,
)
from pseudocohort.prepare.gene_table import load_gene_table
from pseudocohort.prepare.log_scale import log2_expression
from pseudocohort.prepare.source_signal import source_signal
from pseudocohort.study import read_datasets

ROOT = Path(__file__).parents[3]


EVERY = slice(None)


def _mean(x, obs, **where):
    rows = np.ones(len(obs), dtype=bool)
    for column, value in where.items():
        rows &= (obs[column] == value).to_numpy()
    return x[rows].mean(0)


@pytest.mark.parametrize("method", ["linear", "location_scale"])
def test_the_source_goes_and_the_difference_of_classes_stays(method: str) -> None:
    x, obs, mean, _ = cohort(TOIL)
    train = np.ones(len(x), dtype=bool)
    before = source_signal(x, obs, seed=1)
    assert (before["pc1_auc"] == 1).all() and (before["classifier_auc"] > 0.99).all() and len(before) == 2
    out, report = harmonise_sources(x, obs, train, method)
    after = source_signal(out, obs, seed=1)
    assert (after["classifier_auc"] < 0.65).all() and (after["pc1_auc"] < 0.75).all()
    assert (after["shift"] < 0.3 * before["shift"].min()).all()
    assert report["scopes"]["tissue"]["sources"] == ["GTEx", "TCGA"] and report["scopes"]["tissue"]["cut"] == 0
    # Tumours are of one source only: against healthy tissue of the other one they now show the true difference.
    for condition in ("KIRC", "LIHC"):
        truth = mean[condition, "tumour"] - mean[condition, "normal"]
        where = {"condition": condition, "level": "normal", "source": "GTEx"}
        raw = _mean(x, obs, condition=condition, level="tumour") - _mean(x, obs, **where)
        got = _mean(out, obs, condition=condition, level="tumour") - _mean(out, obs, **where)
        assert np.corrcoef(got, truth)[0, 1] > 0.98 > 0.9 > np.corrcoef(raw, truth)[0, 1]
        assert np.abs(got - truth).mean() < 0.2 < 0.5 < np.abs(raw - truth).mean()
    assert np.shares_memory(harmonise_sources(x, obs, train, "none")[0], x)


def test_linear_is_the_batch_term_of_ordinary_least_squares() -> None:
    x, obs, *_ = cohort(TOIL, seed=2, genes=5)
    shared = (obs["level"] == "normal").to_numpy()
    design = np.column_stack(
        [(obs["condition"] == c) for c in ("KIRC", "LIHC")] + [np.where(obs["source"] == "GTEx", 1.0, -1.0)]
    ).astype(float)[shared]
    fitted = fit_sources(x, group_of(obs), obs["source"].to_numpy(), "linear")
    for gene in range(5):
        ols = sm.OLS(x[shared, gene].astype(float), design).fit()
        assert fitted["GTEx"].shift[gene] == pytest.approx(ols.params[2], abs=1e-6)
        assert fitted["TCGA"].shift[gene] == pytest.approx(-ols.params[2], abs=1e-6)
        assert fitted["TCGA"].centre[gene] == pytest.approx(ols.params[:2].mean(), abs=1e-6)
    # Whole tumours and normals of limma::removeBatchEffect(design = ~ condition): the same term is taken away.
    out, _ = harmonise_sources(x, obs, np.ones(len(x), bool), "linear")
    gtex = (obs["source"] == "GTEx").to_numpy()
    np.testing.assert_allclose(out[gtex], x[gtex] - fitted["GTEx"].shift, atol=1e-5)


def test_location_scale_brings_spreads_together() -> None:
    cells = {("A", "normal", "a"): 400, ("A", "normal", "b"): 400, ("B", "normal", "a"): 300, ("B", "normal", "b"): 300}
    x, obs, *_ = cohort(cells, seed=3, scale=3.0)

    def ratio(values):
        sds = [values[((obs.source == s) & (obs.condition == "A")).to_numpy()].std(0) for s in ("b", "a")]
        return float(np.median(sds[0] / sds[1]))

    train = np.ones(len(x), bool)
    linear, both = (harmonise_sources(x, obs, train, m)[0] for m in ("linear", "location_scale"))
    assert ratio(x) == pytest.approx(3, rel=0.1) and ratio(linear) == pytest.approx(3, rel=0.1)
    assert ratio(both) == pytest.approx(1, abs=0.1)


def test_held_out_profiles_change_nothing_that_is_fitted() -> None:
    x, obs, *_ = cohort(TOIL, seed=4)
    train = np.arange(len(x)) % 3 > 0
    out, _ = harmonise_sources(x, obs, train, "location_scale")
    spoilt = x.copy()
    spoilt[~train] += 5
    other, _ = harmonise_sources(spoilt, obs, train, "location_scale")
    np.testing.assert_array_equal(out[train], other[train])
    # Nor does the label of a held-out profile: the change depends on its source alone.
    renamed = obs.copy()
    held = np.flatnonzero(~train & (obs["level"] == "normal").to_numpy())
    renamed.iloc[held, renamed.columns.get_loc("level")] = "tumour"
    np.testing.assert_array_equal(harmonise_sources(x, renamed, train, "location_scale")[0], out)


@pytest.mark.parametrize("method", ["linear", "location_scale"])
def test_confounded_sources_are_refused_with_their_names(method: str) -> None:
    cells = {k: n for k, n in TOIL.items() if k not in {("KIRC", "normal", "TCGA"), ("LIHC", "normal", "TCGA")}}
    x, obs, *_ = cohort(cells)
    with pytest.raises(UserError, match="GTEx|TCGA") as error:
        harmonise_sources(x, obs, np.ones(len(x), bool), method)
    assert "cannot be told" in str(error.value) and "dataset_maps" in error.value.remedy
    # Shared by held-out donors only is not shared: nothing could be fitted.
    x, obs, *_ = cohort(TOIL)
    train = ~((obs["source"] == "TCGA") & (obs["level"] == "normal")).to_numpy()
    with pytest.raises(UserError, match="cannot be told"):
        harmonise_sources(x, obs, train, method)
    x, obs, *_ = cohort({k: n for k, n in TOIL.items() if k[2] == "TCGA"})
    with pytest.raises(UserError, match="nothing to harmonise"):
        harmonise_sources(x, obs, np.ones(len(x), bool), method)


def test_lines_are_harmonised_line_by_line() -> None:
    """Two plates with other lines: what is common is estimated on the shared lines, not on the plates' means."""
    cells = {(f"L{i}", "pseudobulk", s): 3 for i in range(5) for s in ("p1", "p2") if i < 4 or s == "p1"}
    x, obs, _, added = cohort(cells, seed=6)
    obs["donor"], obs["condition"] = obs["condition"], "LUAD"
    out, _ = harmonise_sources(x, obs, np.ones(len(x), bool), "linear")
    fitted = fit_sources(x, group_of(obs), obs["source"].to_numpy(), "linear")
    truth = (added["p1"] - added["p2"]) / 2
    assert np.corrcoef(fitted["p1"].shift, truth)[0, 1] > 0.95
    shared = (obs["donor"] != "L4").to_numpy()
    difference = [out[shared & (obs["source"] == s).to_numpy()].mean(0) for s in ("p1", "p2")]
    np.testing.assert_allclose(*difference, atol=1e-4)
    # The mixtures of two datasets have the same numbers, and other cells.
    mixed = obs.assign(donor="mixture:0-LUAD", dataset=obs["source"])
    assert shared_donors(mixed, mixed["source"].to_numpy()).loc["p1", "p2"] == 0


@given(st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_components_are_those_of_a_graph(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shared = np.triu(rng.integers(0, 6, (n, n)), 1)
    names = [f"s{i}" for i in range(n)]
    table = pd.DataFrame(shared + shared.T, names, names)
    reach = np.linalg.matrix_power(((table >= 3) | np.eye(n, dtype=bool)).astype(int), n) > 0
    expected = {frozenset(np.array(names)[row]) for row in reach}
    found = components(table)
    assert {frozenset(part) for part in found} == expected and sum(map(len, found)) == n


def test_sources_by_pattern_and_by_column() -> None:
    obs = pd.DataFrame(
        {"dataset": ["tcga_a", "tcga_b", "gtex", "toil", "toil"], "study": ["", "", "", "TCGA", "GTEX"]},
        index=list("abcde"),
    )
    found = source_of(obs, {"tcga_*": "TCGA", "toil": "@study"})
    assert list(found) == ["TCGA", "TCGA", "gtex", "TCGA", "GTEX"]
    with pytest.raises(UserError, match="keeps no column 'hub'"):
        source_of(obs, {"toil": "@hub"})
    with pytest.raises(UserError, match="1 samples of dataset 'gtex' have no 'study'; the first is 'c'"):
        source_of(obs, {"gtex": "@study"})


def test_confounding_is_said_for_conditions_and_for_tumour_against_normal() -> None:
    cells = {("A", "tumour", "x"): 5, ("B", "tumour", "x"): 5, ("C", "tumour", "y"): 5, ("A", "normal", "y"): 5}
    _, obs, *_ = cohort(cells)
    found = single_source(sources_table(obs))
    assert {(r["kind"], r["where"]) for r in found} == {("conditions", "tumour"), ("contexts", "A")}
    assert "A, B (x) and C (y)" in found[0]["what"]
    _, obs, *_ = cohort(TOIL)
    assert single_source(sources_table(obs)) == []
    assert sources_table(obs)["profiles"].sum() == len(obs)


def test_no_signal_where_there_is_none_and_small_groups_are_not_judged() -> None:
    x, obs, *_ = cohort(TOIL, shift=0.0, seed=8)
    found = source_signal(x, obs, seed=1)
    assert (found["classifier_auc"].between(0.2, 0.75)).all() and (found["pc1_auc"] < 0.75).all()
    few = obs.copy()
    few["donor"] = "one"
    assert source_signal(x, few, seed=1).empty


def test_real_normals_of_tcga_and_gtex_come_together_in_an_organ_that_was_not_fitted(data_root: Path) -> None:
    """RSEM of TCGA's adjacent normals, TPM of GTEx: what is learned on four organs holds in the fifth."""
    organs = {"Lung": "LUAD", "Liver": "LIHC", "Prostate": "PRAD", "Thyroid": "THCA", "Breast": "BRCA"}
    config = {
        "datasets_sheet": ROOT / "config/datasets.tsv",
        "datasets": ["tcga_paired", "gtex"],
        "data_root": str(data_root),
    }
    genes, parts = load_gene_table(ROOT / "resources/genes.tsv.gz"), []
    for row in read_datasets(config, ROOT / "workflow/schemas/datasets.schema.yaml").values():
        conditions = {"map": organs if row["dataset"] == "gtex" else {}}
        data, _ = map_genes(ingest_dataset(row, conditions=conditions), row["gene_ids"], "highest_mean", genes)
        parts.append(data[data.obs["condition"].isin(list(organs.values())) & (data.obs["level"] == "normal")].copy())
    common = parts[0].var_names.intersection(parts[1].var_names)
    x = np.concatenate([log2_expression(p[:, common].copy()) for p in parts])
    obs = pd.concat([p.obs for p in parts]).assign(source=lambda o: o["dataset"].astype(str))
    assert source_signal(x, obs, seed=1)["pc1_auc"].eq(1).all()
    source, condition = obs["source"].to_numpy(), obs["condition"].astype(str).to_numpy()
    for organ in organs.values():
        others = condition != organ
        out = x.copy()
        for name, adjustment in fit_sources(x[others], group_of(obs)[others], source[others], "linear").items():
            out[source == name] = adjustment.apply(x[source == name])
        shift = [
            np.abs(np.subtract(*(v[(condition == organ) & (source == s)].mean(0) for s in ("gtex", "tcga_paired"))))
            for v in (x, out)
        ]
        assert shift[1].mean() < 0.3 * shift[0].mean(), organ
