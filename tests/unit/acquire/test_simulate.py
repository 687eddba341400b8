"""The simulator: public formats that other libraries read, and a truth that re-simulation agrees with."""

from __future__ import annotations

import copy
import hashlib
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import yaml
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from pseudocohort.acquire.simulate import observe
from pseudocohort.acquire.simulate.model import Model, do_truth, make_model
from pseudocohort.acquire.simulate.write import dependencies, do_effects, graph_table, noisy_graph, simulate
from pseudocohort.core.errors import UserError
from pseudocohort.intervene.dependency import read_tiers

SMALL = {
    "tumours": 10, "matched_normals": 6, "normals": 8, "normal_subjects": 16, "lines": 3, "cells": 12,
    "doublets": 5, "low_quality_cells": 4, "reference": 300,
}  # fmt: skip


@pytest.fixture(scope="module")
def parameters(project_root: Path) -> dict[str, Any]:
    return yaml.safe_load((project_root / "resources" / "demo_parameters.yaml").read_text())


@pytest.fixture(scope="module")
def small(parameters: dict[str, Any]) -> dict[str, Any]:
    return {**parameters, "sizes": SMALL}


@pytest.fixture(scope="module")
def raw(small: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    simulate(folder, seed=5, parameters=small)
    return folder


@pytest.fixture(scope="module")
def model(parameters: dict[str, Any]) -> Model:
    return make_model(parameters, 5)


def read_gct(path: Path) -> pd.DataFrame:
    lines = path.read_text().splitlines()
    assert lines[0] == "#1.2"
    n_genes, n_samples = map(int, lines[1].split("\t"))
    table = pd.DataFrame([line.split("\t") for line in lines[3:]], columns=lines[2].split("\t"))
    assert table.shape == (n_genes, n_samples + 2)
    return table


def digests(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_files(raw: Path) -> None:
    assert set(digests(raw)) == {
        "normal.gct", "normal_attributes.tsv", "tumour.tsv.gz", "tumour_phenotype.tsv", "line_bulk.h5ad",
        "cells/matrix.mtx.gz", "cells/features.tsv.gz", "cells/barcodes.tsv.gz", "cells/metadata.tsv",
        "truth/graph.tsv", "truth/graph_noisy.tsv", "truth/do_effects.tsv.gz", "truth/dependencies.csv",
        "truth/parameters.json",
    }  # fmt: skip


def test_same_seed_same_bytes_other_seed_other_data(raw: Path, small: dict[str, Any], tmp_path: Path) -> None:
    simulate(tmp_path / "same", seed=5, parameters=copy.deepcopy(small))
    simulate(tmp_path / "other", seed=6, parameters=small)
    assert digests(tmp_path / "same") == digests(raw)
    other = digests(tmp_path / "other")
    fixed = {name for name, digest in digests(raw).items() if other[name] == digest}
    assert fixed == {"cells/features.tsv.gz"}


def test_normals(raw: Path) -> None:
    table = read_gct(raw / "normal.gct")
    attributes = pd.read_csv(raw / "normal_attributes.tsv", sep="\t")
    assert list(table.columns[:2]) == ["Name", "Description"]
    assert list(table.columns[2:]) == list(attributes["SAMPID"])
    assert table["Name"].str.fullmatch(r"ENSG\d{11}\.\d+").all()
    assert (table.iloc[:, 2:].astype(float) > 0).all(axis=None)
    assert attributes["SAMPID"].is_unique
    assert attributes["SMTS"].value_counts().eq(SMALL["normals"]).all()
    per_subject = attributes.groupby("SUBJID")["SMTS"].agg(["size", "nunique"])
    assert (per_subject["size"] == per_subject["nunique"]).all()
    assert (per_subject["size"] > 1).any(), "no subject gave two tissues"
    assert attributes.groupby("SUBJID")["SEX"].nunique().eq(1).all()


def test_tumours(raw: Path) -> None:
    table = pd.read_csv(raw / "tumour.tsv.gz", sep="\t", index_col=0)
    phenotype = pd.read_csv(raw / "tumour_phenotype.tsv", sep="\t")
    assert list(table.columns) == list(phenotype["sample"])
    assert table.index.is_unique and "MYC" in table.index
    assert (2**table - 0.001 > 0).all(axis=None)
    tumours = phenotype[phenotype["sample_type"] == "tumor"]
    normals = phenotype[phenotype["sample_type"] == "normal"]
    assert tumours["patient"].is_unique
    assert tumours["tissue"].value_counts().eq(SMALL["tumours"]).all()
    assert len(normals) == SMALL["matched_normals"]
    paired = normals.merge(tumours, on="patient", suffixes=("", "_tumour"))
    assert len(paired) == len(normals)
    assert (paired["tissue"] == paired["tissue_tumour"]).all()
    assert normals["tissue"].nunique() == 4


def test_cells_are_read_by_scanpy(raw: Path) -> None:
    cells = sc.read_10x_mtx(raw / "cells", var_names="gene_ids")
    metadata = pd.read_csv(raw / "cells" / "metadata.tsv", sep="\t", index_col="barcode")
    assert list(cells.obs_names) == list(metadata.index)
    counts = cells.X.toarray()
    assert (counts == np.round(counts)).all() and counts.min() == 0
    mitochondrial = cells.var["gene_symbols"].str.startswith("MT-").to_numpy()
    assert mitochondrial.sum() == 13
    share = counts[:, mitochondrial].sum(1) / counts.sum(1)
    assert (share > 0.25).sum() == SMALL["low_quality_cells"]
    assert (metadata["doublet"] == "doublet").sum() == SMALL["doublets"]
    depth = pd.Series(counts.sum(1), index=metadata.index)
    good = (share <= 0.25) & (metadata["doublet"] == "singlet").to_numpy()
    assert depth[metadata["doublet"] == "doublet"].median() > 1.4 * depth[good].median()


def test_lines_are_the_same_in_both_files(raw: Path) -> None:
    bulk = ad.read_h5ad(raw / "line_bulk.h5ad")
    metadata = pd.read_csv(raw / "cells" / "metadata.tsv", sep="\t")
    lines = metadata.drop_duplicates("cell_line").set_index("cell_line")["tissue"].sort_index()
    assert lines.equals(bulk.obs.set_index("cell_line")["tissue"].astype(str).sort_index().rename("tissue"))
    assert np.issubdtype(bulk.X.dtype, np.integer)
    # A line's pseudo-bulk is closer to its own bulk than to that of any other line, once each gene is centred.
    cells = sc.read_10x_mtx(raw / "cells", var_names="gene_ids")
    singlet = (metadata["doublet"] == "singlet").to_numpy()
    sums = pd.DataFrame(cells.X.toarray()[singlet]).groupby(metadata["cell_line"][singlet].to_numpy()).sum()
    assert list(cells.var_names) == list(bulk.var_names)

    def log_cpm(x: np.ndarray) -> np.ndarray:
        y = np.log2(1e6 * x / x.sum(1, keepdims=True) + 1)
        return y - y.mean(0)

    own = log_cpm(bulk[[f"{line}-bulk" for line in sums.index]].X.astype(float))
    correlation = np.corrcoef(log_cpm(sums.to_numpy(float)), own)[: len(sums), len(sums) :]
    assert (correlation.argmax(1) == np.arange(len(sums))).mean() > 0.9


def resimulate(model: Model, exogenous: np.ndarray, gene: int = -1, value: float = 0.0) -> np.ndarray:
    """Gene after gene in topological order, with an optional do(gene := value)."""
    x = np.zeros_like(exogenous)
    for i in range(len(model.base)):
        x[:, i] = model.base[i] + (x - model.base) @ model.weights[i] + exogenous[:, i]
        if i == gene:
            x[:, i] = value
    return x


def test_do_truth_is_what_a_resimulation_gives(model: Model) -> None:
    rng = np.random.default_rng(0)
    n = 5
    subtypes, donors = model.draw_subtypes(rng, n), model.draw_donors(rng, n)
    u = model.exogenous(rng, np.arange(n) % 4, "tumour", subtypes, donors)
    before = resimulate(model, u)
    np.testing.assert_allclose(model.states(u), before, atol=1e-9)
    assert (np.triu(model.weights) == 0).all(), "the gene order is not topological"
    for gene in model.regulators[::5]:
        after = resimulate(model, u, gene, 2.0)
        expected = np.stack([do_truth(model, gene, 2.0 - x) for x in before[:, gene]])
        np.testing.assert_allclose(after - before, expected, atol=1e-9)


def test_do_effects_table(model: Model) -> None:
    table = do_effects(model, np.random.default_rng(0))
    ids = model.genes["gene_id"].str.split(".").str[0]
    assert len(table) == 40 * 4 * 2 * len(ids)
    own = table[table["gene"] == table["target"]]
    assert (own["delta"] < -0.5).all()
    edges = graph_table(model)
    children = edges.groupby("regulator")["target"].apply(set).to_dict()
    symbol = dict(zip(ids, model.genes["symbol"], strict=True))
    for gene, part in table[(table["condition"] == "liver") & (table["context"] == "normal")].groupby("gene"):
        reached: set[str] = set()
        front = {symbol[gene]}
        while front:
            front = set().union(*(children.get(g, set()) for g in front)) - reached
            reached |= front
        changed = {symbol[t] for t in part.loc[part["delta"].abs() > 1e-9, "target"]} - {symbol[gene]}
        assert changed == reached


def test_lines_depend_on_regulators_that_they_express(model: Model) -> None:
    rng = np.random.default_rng(0)
    x = model.states(np.stack([model.line_exogenous(rng, i % 4, 0) for i in range(400)]))
    names = [f"L{i}_{model.conditions[i % 4].upper()}" for i in range(len(x))]
    tiers = dependencies(model, pd.DataFrame(x, index=names), rng)
    assert set(np.unique(tiers)) == {0, 1, 2}
    column = {s: i for i, s in enumerate(model.genes["symbol"])}
    role = model.genes.set_index("symbol")["role"]
    auc = {g: roc_auc_score(row > 0, x[:, column[g]]) for g, row in tiers.iloc[:80].iterrows()}
    assert [role[g] for g in auc] == ["regulator"] * 40 + ["target"] * 40
    assert min(a for g, a in auc.items() if role[g] == "regulator") > 0.9
    assert np.mean([a for g, a in auc.items() if role[g] == "target"]) == pytest.approx(0.5, abs=0.02)
    assert (tiers.iloc[80:] == 2).mean(axis=None) > 0.9


def test_dependencies_are_read_as_depmaps_tiers(raw: Path) -> None:
    read = read_tiers([raw / "truth" / "dependencies.csv"])
    assert read.lineages() == ["breast", "colon", "liver", "lung"]
    assert read.lineage.value_counts().eq(SMALL["lines"]).all()
    lines = pd.read_csv(raw / "cells" / "metadata.tsv", sep="\t")["cell_line"].unique()
    assert {c.split("_")[0] for c in read.dependent} == set(lines)


def test_sign_of_an_edge_is_that_of_its_weight(model: Model) -> None:
    row = {s: i for i, s in enumerate(model.genes["symbol"])}
    edges = graph_table(model)
    weights = model.weights[edges["target"].map(row), edges["regulator"].map(row)]
    assert (np.sign(weights) == edges["sign"]).all()
    assert len(edges) == np.count_nonzero(model.weights)
    assert np.abs(weights).min() >= model.parameters["graph"]["min_weight"]


def test_noisy_graph_has_its_precision_and_recall(model: Model) -> None:
    true = set(map(tuple, graph_table(model)[["regulator", "target"]].to_numpy()))
    noisy_table = noisy_graph(model, np.random.default_rng(1))
    noisy = set(map(tuple, noisy_table[["regulator", "target"]].to_numpy()))
    assert len(noisy) == len(noisy_table)
    assert len(true & noisy) / len(noisy) == pytest.approx(0.5, abs=0.01)
    assert len(true & noisy) / len(true) == pytest.approx(0.5, abs=0.01)


def test_umi_counts_are_negative_binomial() -> None:
    rng = np.random.default_rng(0)
    n, dispersion = 40_000, 0.3
    states = np.tile(np.log2([6.0, 3.0, 1.0, 5.0]), (n, 1))
    counts = observe.umi_counts(
        states, rng, mitochondrial=np.array([False, False, False, True]), library_size=np.full(n, 200.0),
        mitochondrial_share=np.full(n, 0.1), dispersion=dispersion,
    )  # fmt: skip
    mean = np.array([108.0, 54.0, 18.0, 20.0])
    np.testing.assert_allclose(counts.mean(0), mean, rtol=0.02)
    np.testing.assert_allclose(counts.var(0), mean + dispersion * mean**2, rtol=0.05)


def test_bulk_tpm_is_the_state_up_to_noise() -> None:
    states = np.random.default_rng(0).normal(6, 1, (50, 30))
    rng = np.random.default_rng(1)
    np.testing.assert_allclose(np.log2(observe.bulk_tpm(states, rng, noise=0.0, offset=0.5)), states + 0.5)
    noise = np.log2(observe.bulk_tpm(states, rng, noise=0.2)) - states
    assert noise.std() == pytest.approx(0.2, rel=0.05)


def test_conditions_are_no_gaussians(model: Model) -> None:
    # Two subtypes: within a tumour type, the first component tells them apart far better than chance.
    rng = np.random.default_rng(2)
    n = 400
    subtype = model.draw_subtypes(rng, n)
    x = model.states(model.exogenous(rng, np.zeros(n, int), "tumour", subtype, model.draw_donors(rng, n)))
    shift = x[subtype == 1].mean(0) - x[subtype == 0].mean(0)
    expected = model.total @ (model.subtype[0, 1] - model.subtype[0, 0])
    assert np.corrcoef(shift, expected)[0, 1] > 0.9
    share = model.parameters["effects"]["subtype_share"]
    np.testing.assert_allclose((1 - share) * model.subtype[:, 0] + share * model.subtype[:, 1], 0, atol=1e-12)


def test_cells_help_at_one_tumour_per_class_and_less_than_many_tumours(
    parameters: dict[str, Any], tmp_path: Path
) -> None:
    simulate(tmp_path, seed=parameters["seed"], parameters=parameters)
    phenotype = pd.read_csv(tmp_path / "tumour_phenotype.tsv", sep="\t")
    tumour = (phenotype["sample_type"] == "tumor").to_numpy()
    x = pd.read_csv(tmp_path / "tumour.tsv.gz", sep="\t", index_col=0).to_numpy().T[tumour]
    y = phenotype["tissue"][tumour].to_numpy()
    cells = sc.read_10x_mtx(tmp_path / "cells")
    metadata = pd.read_csv(tmp_path / "cells" / "metadata.tsv", sep="\t")
    use = (metadata["doublet"] == "singlet").to_numpy() & (np.asarray(cells.X.sum(1)).ravel() > 800)
    sums = pd.DataFrame(cells.X.toarray()[use]).groupby(metadata["cell_line"][use].to_numpy()).sum()
    lines_y = metadata.groupby("cell_line")["tissue"].first()[sums.index].to_numpy()
    lines = np.log2(1e6 * sums.to_numpy() / sums.to_numpy().sum(1, keepdims=True) + 1)
    lines = (lines - lines.mean(0)) / (lines.std(0) + 0.1)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(x))
    test, train = order[:80], order[80:]
    x = (x - x[train].mean(0)) / (x[train].std(0) + 0.1)

    def accuracy(rows: np.ndarray, with_lines: bool) -> float:
        a, b = x[rows], y[rows]
        if with_lines:
            a, b = np.vstack([a, lines]), np.concatenate([b, lines_y])
        fitted = LogisticRegression(C=0.1, max_iter=200).fit(a, b)
        return balanced_accuracy_score(y[test], fitted.predict(x[test]))

    draws = []
    for _ in range(8):
        one = np.concatenate([rng.permutation(train[y[train] == c])[:1] for c in np.unique(y)])
        draws.append([accuracy(one, False), accuracy(one, True)])
    alone, combined = np.mean(draws, axis=0)
    assert 0.5 < alone < 0.8
    assert combined > alone + 0.08
    assert accuracy(train, False) > 0.95 > combined


def test_bad_parameters(small: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'graph' is missing"):
        simulate(tmp_path, seed=1, parameters={k: v for k, v in small.items() if k != "graph"})
    with pytest.raises(UserError, match="nowhere.tsv"):
        simulate(tmp_path, seed=1, parameters={**small, "genes": "nowhere.tsv"})
    (tmp_path / "genes.tsv").write_text("gene_id\tsymbol\nENSG00000118689.15\tFOXO3\n")
    with pytest.raises(UserError, match="missing column.*role"):
        simulate(tmp_path, seed=1, parameters={**small, "genes": str(tmp_path / "genes.tsv")})
