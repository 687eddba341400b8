"""Gene ids, quality control, pseudo-bulk, held-out donors and the gene space."""

from __future__ import annotations

import tracemalloc

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from support.in_memory import filter_cells, map_genes

from pseudocohort.core import contracts
from pseudocohort.core import io as profile_io
from pseudocohort.core.errors import UserError
from pseudocohort.prepare.cell_lines import LineNames
from pseudocohort.prepare.donors import assign_donors
from pseudocohort.prepare.gene_ids import map_ids
from pseudocohort.prepare.harmonise import harmonise, harmonise_to_file
from pseudocohort.prepare.log_scale import log2_expression
from pseudocohort.prepare.pseudobulk import pseudobulk
from pseudocohort.prepare.quality import control_cells, control_samples
from pseudocohort.prepare.sample_quality import median_correlation, stands_out

QUALITY = {"min_counts": 10, "min_genes": 3, "max_mitochondrial_share": 0.2, "doublets": "label"}


def test_shipped_table_knows_well_known_genes(table):
    assert len(table.genes) > 55_000
    assert table.genes.index.is_unique and table.genes.index.str.match(r"^ENSG\d{11}$").all()
    assert table.by_symbol["TP53"] == "ENSG00000141510"
    assert table.by_entrez["7157"] == "ENSG00000141510"
    assert table.symbol(pd.Index(["ENSG00000141510"])).iloc[0] == "TP53"
    assert 900 < table.genes["landmark"].sum() <= 978


def test_ids_of_every_kind_reach_tp53(table):
    tp53 = "ENSG00000141510"
    ids = pd.Series(["ENSG00000141510.18", "ENSG00000141510", "ENSG00000182378.15_PAR_Y", "TP53"])
    assert list(map_ids(ids, "ensembl", table)) == [tp53, tp53, "", ""]
    assert list(map_ids(pd.Series(["TP53", "tp53x"]), "symbol", table)) == [tp53, ""]
    ids = pd.Series(["TP53|7157", "?|7157", "TP53 (7157)", "TP53", "?|999999999"])
    assert list(map_ids(ids, "symbol_entrez", table)) == [tp53] * 4 + [""]


def test_previous_symbols_are_found_unless_ambiguous(table):
    assert table.by_symbol["C1orf201"] == table.by_symbol["STPG1"]
    assert table.by_symbol.index.is_unique


def ingested(x, ids, obs=None, unit="counts", **uns):
    x = np.asarray(x) if not sparse.issparse(x) else x
    n = x.shape[0]
    table = pd.DataFrame(
        {
            "donor": [f"d{i}" for i in range(n)], "dataset": "toy", "condition": "A", "technology": "bulk",
            "aggregation": "bulk", "context": "tumour", "level": "tumour",
        },
        index=[f"toy:s{i}" for i in range(n)],
    )  # fmt: skip
    table = table.assign(**(obs or {}))
    var = pd.DataFrame({"source_id": ids}, index=[f"{g}#{i}" for i, g in enumerate(ids)])
    uns = {"unit": unit, "dataset": "toy", "source": "toy.tsv", "unit_verdict": "", "dropped": {}, **uns}
    return ad.AnnData(x, obs=table, var=var, uns={"pseudocohort": uns})


@pytest.mark.parametrize(("rule", "expected"), [("highest_mean", [9, 9]), ("sum", [10, 12]), ("first", [1, 3])])
@pytest.mark.parametrize("as_sparse", [False, True])
def test_repeated_genes_follow_the_declared_rule(table, rule, expected, as_sparse):
    x = np.array([[1.0, 9.0, 4.0], [3.0, 9.0, 5.0]], dtype=np.float32)
    data = ingested(sparse.csr_matrix(x) if as_sparse else x, ["TP53", "TP53", "EGFR"])
    out, report = map_genes(data, "symbol", rule, table)
    values = out[:, "ENSG00000141510"].X
    np.testing.assert_array_equal((values.toarray() if as_sparse else values).ravel(), expected)
    assert report["repeated"] == 1 and report["genes"] == 2


def test_rows_that_are_no_genes_are_set_aside(table):
    ids = ["TP53", "EGFR", "ERCC-00002", "N_unmapped", "__no_feature", "length"]
    out, report = map_genes(ingested(np.ones((1, 6)), ids), "symbol", "sum", table)
    assert out.n_vars == 2 and report["set_aside"] == ids[2:] and report["unknown"] == 0


def test_copies_on_y_are_set_aside_and_do_not_replace_the_gene(table):
    ids = ["ENSG00000182378.15", "ENSG00000182378.15_PAR_Y", "ENSGR0000182378.10", "ENSG00000141510.18"]
    out, report = map_genes(ingested(np.array([[1, 9, 8, 2]]), ids), "ensembl", "highest_mean", table)
    np.testing.assert_array_equal(out[:, "ENSG00000182378"].X, [[1]])
    assert report["set_aside"] == ids[1:3] and report["unknown"] == report["repeated"] == 0


@pytest.mark.parametrize("copy", ["ENSG00000182378.15-PAR-Y", "ENSG00000182378.15.PAR.Y", "ENSG00000182378_PAR_Y"])
@pytest.mark.parametrize("rule", ["sum", "highest_mean"])
def test_copies_on_y_are_known_in_the_spellings_of_seurat_and_r(table, copy, rule):
    ids = ["ENSG00000182378.15", copy, "ENSG00000141510.18"]
    out, report = map_genes(ingested(np.array([[1, 9, 2]]), ids), "ensembl", rule, table)
    np.testing.assert_array_equal(out[:, "ENSG00000182378"].X, [[1]])
    assert report["set_aside"] == [copy] and report["unknown"] == report["repeated"] == 0


@pytest.mark.parametrize("rule", ["sum", "highest_mean", "first"])
@pytest.mark.parametrize(
    ("kind", "ids"),
    [
        ("symbol", ["CTAGE5", "MIA2", "TP53"]),  # hg19 has both, and CTAGE5 is an alias of MIA2 today
        ("symbol_entrez", ["AGAP8|728404", "AGAP4|119016", "TP53|7157"]),
        ("symbol_entrez", ["SLC35E2|9906", "SLC35E2|728661", "TP53|7157"]),  # TCGA's two genes of one name
        ("symbol", ["CTAGE5", "ENSG00000150527.17", "TP53"]),
    ],
)
def test_an_alias_never_stands_in_for_a_gene_that_has_a_row_of_its_own(table, kind, ids, rule):
    gene = map_ids(pd.Series(ids[1:2]), kind, table)[0]
    out, report = map_genes(ingested(np.array([[371, 1, 2]]), ids), kind, rule, table)
    np.testing.assert_array_equal(out[:, gene].X, [[1]])
    assert report["aliases_beside"] == 1 and report["unknown"] == report["repeated"] == 0
    assert report["alias_examples"] == [f"{ids[0]} ({table.genes.loc[gene, 'symbol']})"]
    alone, report = map_genes(ingested(np.array([[371, 2]]), [ids[0], ids[2]]), kind, rule, table)
    np.testing.assert_array_equal(alone[:, gene].X, [[371]])
    assert report["aliases_beside"] == 0


@pytest.mark.parametrize("rule", ["sum", "highest_mean", "first"])
@pytest.mark.parametrize("as_sparse", [False, True])
def test_genes_of_a_matrix_in_a_file_are_mapped_as_in_memory(tmp_path, table, monkeypatch, rule, as_sparse):
    monkeypatch.setattr("pseudocohort.core.blocks.BLOCK", 10)
    x = np.random.default_rng(1).poisson(3, (12, 4)).astype(np.float32)
    data = ingested(sparse.csr_matrix(x) if as_sparse else x, ["TP53", "EGFR", "TP53", "MYC"])
    data.write_h5ad(tmp_path / "m.h5ad")
    (here, expected), (there, report) = (
        map_genes(part, "symbol", rule, table) for part in (data, ad.read_h5ad(tmp_path / "m.h5ad", backed="r"))
    )
    dense = [part.X.toarray() if sparse.issparse(part.X) else part.X for part in (here, there)]
    np.testing.assert_array_equal(*dense)
    assert report == expected


def test_wrong_id_type_is_refused_by_name(table):
    with pytest.raises(UserError, match="probe_1"):
        map_genes(ingested(np.ones((1, 3)), ["probe_1", "probe_2", "TP53"]), "symbol", "first", table)
    with pytest.raises(UserError, match="log scale cannot be summed"):
        map_genes(ingested(np.ones((1, 2)), ["TP53", "TP53"], unit="tpm", log_offset=1.0), "symbol", "sum", table)


def cells(seed=0, n=60, p=40):
    rng = np.random.default_rng(seed)
    x = sparse.csr_matrix(rng.poisson(1.5, (n, p)).astype(np.float32))
    obs = {
        "donor": [f"line{i % 3}" for i in range(n)], "condition": [f"C{i % 3 % 2}" for i in range(n)],
        "aggregation": "cell", "context": "in_vitro", "technology": "umi_3prime", "level": "cell",
    }  # fmt: skip
    data = ingested(x, [f"ENSG{i:011d}" for i in range(p)], obs)
    data.var_names = [f"ENSG{i:011d}" for i in range(p)]
    data.var["symbol"] = ["MT-CO1", *(f"G{i}" for i in range(1, p))]
    return data


def test_cells_are_filtered_as_by_scanpys_metrics():
    data = cells()
    x = data.X.toarray()
    x[0] = 0  # empty
    x[1, 0] = 500  # mitochondrial
    data.X = sparse.csr_matrix(x)
    data.obs["doublet"] = ["doublet" if i == 2 else "singlet" for i in range(data.n_obs)]
    kept, report = filter_cells(data, QUALITY, data.var["symbol"], seed=1)
    data.var["mt"] = data.var["symbol"].str.startswith("MT-")
    expected, _ = sc.pp.calculate_qc_metrics(data, qc_vars=["mt"], percent_top=None, log1p=False)
    good = (
        (expected["total_counts"] >= 10)
        & (expected["n_genes_by_counts"] >= 3)
        & (expected["pct_counts_mt"].fillna(0) <= 20)
    )
    good.iloc[2] = False
    assert list(kept.obs_names) == list(data.obs_names[good])
    assert report["removed"]["doublet"] == 1 and report["removed"]["mitochondrial"] >= 1


def test_cells_in_a_file_are_controlled_and_summed_as_in_memory(tmp_path, table, monkeypatch):
    monkeypatch.setattr("pseudocohort.core.blocks.BLOCK", 500)
    symbols = ["MT-CO1", "TP53", "TP53", "EGFR", *table.genes["symbol"].iloc[:36]]
    data = cells()
    data.obs["donor"] = data.obs["donor"].str.upper()
    data.var["source_id"] = symbols
    data.obs["doublet"] = ["doublet" if i == 2 else "singlet" for i in range(data.n_obs)]
    data.write_h5ad(tmp_path / "in.h5ad")
    row = {"dataset": "toy", "kind": "single_cell", "gene_ids": "symbol"}
    for rule in ("sum", "highest_mean"):
        settings = {"cell_quality": QUALITY, "gene_duplicates": rule, "seed": 1, "lines": LineNames()}
        opened = profile_io.read_profiles(tmp_path / "in.h5ad", contracts.INGESTED, backed=True)
        report = control_cells(opened, row, settings, table, tmp_path / "out.h5ad")
        mapped, genes = map_genes(data, "symbol", rule, table)
        expected, judged = filter_cells(mapped, settings["cell_quality"], mapped.var["symbol"], 1)
        written = profile_io.read_profiles(tmp_path / "out.h5ad", contracts.PREPARED)
        np.testing.assert_array_equal(written.X.toarray(), expected.X.toarray())
        pd.testing.assert_frame_equal(written.obs.astype(str), expected.obs.astype(str))
        assert report["cells"] == judged and report["genes"] == genes and genes["repeated"] == 1
        in_file = profile_io.read_profiles(tmp_path / "out.h5ad", contracts.PREPARED, backed=True)
        summed, again = (pseudobulk(part, bootstraps=3, min_cells=5, seed=1) for part in (in_file, expected))
        np.testing.assert_array_equal(summed.X.toarray(), again.X.toarray())


def test_no_cell_left_is_an_error():
    data = cells()
    with pytest.raises(UserError, match="no cell of 60 passes"):
        filter_cells(data, QUALITY | {"min_counts": 10**6}, data.var["symbol"], seed=1)


def test_scrublet_removes_planted_doublets():
    rng = np.random.default_rng(3)
    programmes = rng.gamma(0.3, 3, (4, 1000))
    single = rng.poisson(programmes[rng.integers(0, 4, 500)])
    pairs = np.array([rng.choice(4, 2, replace=False) for _ in range(40)])
    doubled = rng.poisson(programmes[pairs[:, 0]] + programmes[pairs[:, 1]])
    data = cells(n=540, p=1000)
    data.X = sparse.csr_matrix(np.concatenate([single, doubled]).astype(np.float32))
    settings = QUALITY | {"doublets": "scrublet", "min_counts": 0, "max_mitochondrial_share": 1.0}
    kept, report = filter_cells(data, settings, data.var["symbol"], seed=1)
    caught = set(data.obs_names[500:]) - set(kept.obs_names)
    assert len(caught) > 30
    assert report["removed"]["doublet"] - len(caught) < 10


def test_first_pseudobulk_is_scanpys_sum():
    data = cells()
    bulk = pseudobulk(data, bootstraps=3, cells=0, min_cells=5, seed=1)
    first = bulk[bulk.obs["bootstrap"] == 0]
    expected = sc.get.aggregate(data, by="donor", func="sum")
    order = expected.obs_names.get_indexer(first.obs["donor"])
    np.testing.assert_array_equal(first.X.toarray(), np.asarray(expected.layers["sum"])[order])
    np.testing.assert_array_equal(bulk.layers["counts"].toarray(), bulk.X.toarray())
    contracts.PREPARED.check(bulk, "test")
    assert set(bulk.obs["level"]) == {"pseudobulk"}


def test_bootstraps_draw_the_declared_cells_and_ignore_other_lines():
    data = cells()
    bulk = pseudobulk(data, bootstraps=4, cells=7, min_cells=5, seed=1)
    assert set(bulk.obs.loc[bulk.obs["bootstrap"] > 0, "n_cells"]) == {7}
    alone = pseudobulk(data[data.obs["donor"] == "line1"].copy(), bootstraps=4, cells=7, min_cells=5, seed=1)
    np.testing.assert_array_equal(bulk[alone.obs_names].X.toarray(), alone.X.toarray())
    with pytest.raises(UserError, match="no line has 100 cells"):
        pseudobulk(data, min_cells=100, seed=1)


def donors_table(n, conditions, context="tumour", dataset="a"):
    return pd.DataFrame(
        {
            "donor": [f"{dataset}{i}" for i in range(n)], "dataset": dataset,
            "condition": [f"C{i % conditions}" for i in range(n)], "context": context,
        }
    )  # fmt: skip


@given(st.integers(8, 60), st.integers(1, 4), st.floats(0.05, 0.9), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_every_condition_has_donors_on_both_sides(n, conditions, share, seed):
    table = donors_table(n, conditions)
    donors = assign_donors({"a": table}, test_share=share, seed=seed)
    assert len(donors) == n and donors["donor"].is_unique
    split = table.merge(donors, on="donor").groupby("condition")["split"].agg(set)
    sizes = table["condition"].value_counts()
    assert all(split[c] == {"train", "test"} for c in split.index if sizes[c] > 1)


def test_lines_are_never_held_out_and_donors_keep_one_side():
    tissue, lines = donors_table(20, 2), donors_table(10, 2, "in_vitro", "line")
    again = tissue.assign(dataset="b")
    donors = assign_donors({"a": tissue, "b": again, "line": lines}, test_share=0.3, seed=1)
    assert set(donors.loc[donors["dataset"] == "line", "split"]) == {"train"}
    assert (donors[donors["dataset"] != "line"].groupby("donor")["split"].nunique() == 1).all()
    shuffled = assign_donors(
        {"line": lines, "b": again, "a": tissue.sample(frac=1, random_state=1)}, test_share=0.3, seed=1
    )
    pd.testing.assert_frame_equal(donors, shuffled)


def test_genes_are_chosen_on_lines_and_on_patients_that_are_not_held_out():
    tissue, lines = donors_table(20, 2), donors_table(10, 2, "in_vitro", "line")
    donors = assign_donors({"a": tissue, "line": lines}, test_share=0.3, seed=1).set_index("donor")
    assert set(donors.loc[donors["dataset"] == "line", "genes"]) == {"yes"}
    patients = donors[donors["dataset"] == "a"]
    assert set(patients.loc[patients["split"] == "test", "genes"]) == {"no"}
    assert set(patients.loc[patients["split"] == "train", "genes"]) == {"yes", "no"}
    few = assign_donors({"a": donors_table(4, 2)}, test_share=0.3, seed=1)
    assert (few["genes"] == few["split"].map({"train": "yes", "test": "no"})).all()


@pytest.mark.parametrize(
    ("unit", "offset", "x", "expected"),
    [
        ("counts", None, [[1.0, 3.0]], np.log2([[250_001, 750_001]])),
        ("tpm", None, [[0.0, 7.0]], [[0, 3]]),
        ("tpm", 0.001, np.log2([[0.001, 7.001]]), [[0, 3]]),
        ("rsem", 1.0, [[0.0, 3.0]], [[0, 3]]),
        ("vst", None, [[-1.0, 3.0]], [[0, 3]]),
    ],
)
def test_log_scale_of_every_unit(unit, offset, x, expected):
    extra = {} if offset is None else {"log_offset": offset}
    data = ingested(np.asarray(x, dtype=np.float32), ["a", "b"], unit=unit, **extra)
    np.testing.assert_allclose(log2_expression(data), expected, atol=1e-4)


def test_outliers_stand_out_within_their_own_condition():
    rng = np.random.default_rng(1)
    profile = rng.normal(size=(2, 300))
    groups = np.repeat([0, 1], 20)
    x = profile[groups] + rng.normal(size=(40, 300)) * np.where(groups == 0, 0.3, 1.5)[:, None]
    x[5] = profile[1]
    flagged = stands_out(median_correlation(x, groups), groups, 6)
    assert list(np.flatnonzero(flagged)) == [5]


def test_gene_space_is_chosen_on_training_donors_only(table):
    rng = np.random.default_rng(1)
    ids = list(table.landmarks[:50])
    data = ingested(rng.gamma(2, 20, (40, 50)).astype(np.float32), ids, unit="tpm")
    data.var_names = ids
    donors = pd.DataFrame(
        {
            "donor": data.obs["donor"],
            "dataset": "toy",
            "split": ["test"] * 10 + ["train"] * 30,
            "genes": ["no"] * 10 + ["yes"] * 30,
        }
    )
    space = {"kind": "most_variable", "n": 20, "min_median": 0, "min_sd": 0, "min_cell_level_mean": 0}
    first, genes = harmonise([data], donors, space, table)
    contracts.HARMONISED.check(first, "test")
    assert first.n_vars == 20 and genes["kept"].sum() == 20
    changed = data.copy()
    changed.X[:10] *= rng.gamma(1, 100, (10, 50))
    second, _ = harmonise([changed], donors, space, table)
    assert list(first.var_names) == list(second.var_names)
    landmark, _ = harmonise([data], donors, space | {"kind": "landmark"}, table)
    assert set(landmark.var_names) <= set(table.landmarks)
    with pytest.raises(UserError, match="expression filter"):
        harmonise([data], donors, space | {"min_median": 99}, table)


@pytest.mark.parametrize("unit", ["tpm", "counts"])
def test_one_gene_space_of_files_is_that_of_matrices_in_memory(table, tmp_path, monkeypatch, unit):
    """Read in blocks, genes judged a few at a time; library sizes are those before genes are dropped."""
    rng = np.random.default_rng(1)
    ids = list(table.landmarks[:60])
    parts = []
    for name, chosen in (("one", ids[:50]), ("two", ids[10:][::-1])):
        values = rng.poisson(rng.gamma(2, 20, (30, 50))).astype(np.float32)
        part = ingested(values if name == "one" else sparse.csr_matrix(values), chosen, unit=unit)
        part.var_names, part.obs_names = chosen, [f"{name}:{i}" for i in range(30)]
        part.obs["donor"], part.obs["dataset"] = [f"{name}{i}" for i in range(30)], name
        part.uns["pseudocohort"]["dataset"] = name
        part.write_h5ad(tmp_path / f"{name}.h5ad")
        parts.append(part)
    donors = pd.concat([p.obs[["donor", "dataset"]] for p in parts]).assign(split="train", genes=["yes", "no"] * 30)
    space = {"kind": "most_variable", "n": 20, "min_median": 0, "min_sd": 0, "min_cell_level_mean": 0}
    expected, genes = harmonise(parts, donors, space, table)
    by_hand = np.concatenate([log2_expression(p)[:, p.var_names.get_indexer(expected.var_names)] for p in parts])
    np.testing.assert_array_equal(expected.X, by_hand)
    sums = np.concatenate([np.asarray(p.X.sum(1)).ravel() for p in parts])
    assert list(expected.obs["library_size"]) == list(sums if unit == "counts" else 0 * sums)
    monkeypatch.setattr("pseudocohort.core.blocks.BLOCK", 130)
    monkeypatch.setattr("pseudocohort.prepare.harmonise.AT_A_TIME", 7)
    files = [ad.read_h5ad(tmp_path / f"{name}.h5ad", backed="r") for name in ("one", "two")]
    found, again = harmonise(files, donors, space, table)
    np.testing.assert_array_equal(found.X, expected.X)
    pd.testing.assert_frame_equal(again, genes)
    pd.testing.assert_frame_equal(found.obs, expected.obs)
    # Written block by block, the file is the one that is written of profiles in memory.
    profile_io.write_profiles(expected, tmp_path / "held.h5ad", contracts.HARMONISED, compressed=False)
    harmonise_to_file(files, donors, space, table, tmp_path / "written.h5ad")
    held, written = (
        profile_io.read_profiles(tmp_path / f"{name}.h5ad", contracts.HARMONISED) for name in ("held", "written")
    )
    np.testing.assert_array_equal(written.X, held.X)
    pd.testing.assert_frame_equal(written.obs, held.obs)
    pd.testing.assert_frame_equal(written.var, held.var)
    assert written.uns == held.uns and written.X.dtype == np.float32
    with h5py.File(tmp_path / "written.h5ad") as file:
        assert file["X"].chunks is None  # single rows are read fast


def test_the_profiles_of_all_genes_are_never_held(table, tmp_path):
    """Only those that genes are chosen on are, which are few here."""
    ids = list(table.genes.index[:2000])
    data = ingested(np.random.default_rng(1).gamma(2, 20, (3000, 2000)).astype(np.float32), ids, unit="tpm")
    data.var_names = ids
    data.write_h5ad(tmp_path / "big.h5ad")
    donors = data.obs[["donor", "dataset"]].assign(split="train", genes=["yes"] * 30 + ["no"] * 2970)
    del data
    space = {"kind": "all", "min_median": -1e9, "min_sd": 0.05, "min_cell_level_mean": 0}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pseudocohort.core.blocks.BLOCK", 1 << 16)
        files = [ad.read_h5ad(tmp_path / "big.h5ad", backed="r")]
        tracemalloc.start()
        harmonise_to_file(files, donors, space, table, tmp_path / "written.h5ad")
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert (tmp_path / "written.h5ad").stat().st_size > 3000 * 2000 * 4
    assert most < 3000 * 2000 * 4 / 2


def test_samples_that_are_judged_keep_their_values(table, tmp_path, monkeypatch):
    """Judging uses a matrix up; what is kept is read again, without the samples that are removed."""
    rng = np.random.default_rng(1)
    values = rng.poisson(rng.gamma(2, 20, (20, 300))).astype(np.float32)
    values[4, 5:] = 0
    symbols = list(table.symbol(table.landmarks[:300]))
    data = ingested(values, symbols)
    data.uns["pseudocohort"] |= {"unit_verdict": "counts", "dropped": {}}
    data.obs_names = [f"toy:{i}" for i in range(20)]
    data.write_h5ad(tmp_path / "m.h5ad")
    row = {"dataset": "toy", "kind": "bulk", "gene_ids": "symbol"}
    settings = {
        "sample_quality": {"min_detected_genes": 100, "max_correlation_outlier_mads": 6},
        "gene_duplicates": "highest_mean",
        "lines": LineNames(),
    }
    monkeypatch.setattr("pseudocohort.core.blocks.BLOCK", 1000)
    kept, report = control_samples(ad.read_h5ad(tmp_path / "m.h5ad", backed="r"), row, settings, table)
    assert report["samples"]["removed"] == ["toy:4"] and kept.n_obs == 19 == len(kept.obs["outlier"])
    mapped, _ = map_genes(data, "symbol", "highest_mean", table)
    np.testing.assert_array_equal(kept.X, np.delete(mapped.X, 4, axis=0))
    r = np.corrcoef(log2_expression(mapped).astype(float))
    np.fill_diagonal(r, np.nan)
    np.testing.assert_allclose(
        median_correlation(log2_expression(mapped), np.zeros(20)), np.nanmedian(r, axis=1), atol=1e-12
    )


def test_datasets_without_a_common_gene_are_refused(table):
    a, b = (ingested(np.ones((4, 3), np.float32), ids, unit="tpm") for ids in (["a", "b", "c"], ["d", "e", "f"]))
    a.var_names, b.var_names = table.genes.index[:3], table.genes.index[3:6]
    donors = pd.DataFrame({"donor": a.obs["donor"], "dataset": "toy", "split": "train", "genes": "yes"})
    with pytest.raises(UserError, match="no gene is in all datasets"):
        harmonise([a, b], donors, {"kind": "all", "min_median": 0, "min_sd": 0, "min_cell_level_mean": 0}, table)


def test_mixtures_thinning_and_single_cells():
    data = cells()
    plain = pseudobulk(data, bootstraps=2, min_cells=5, seed=1)
    full = pseudobulk(data, bootstraps=2, min_cells=5, mixtures=3, depth=500, single_cells=4, seed=1)
    contracts.PREPARED.check(full, "test")
    of_cells = full[(full.obs["level"] == "cell").to_numpy()]
    lines = plain.obs["donor"].nunique()
    assert of_cells.n_obs == 4 * lines
    for name in of_cells.obs_names:  # every one is a cell of its line, untouched
        own = data[(data.obs["donor"] == of_cells.obs.loc[name, "donor"]).to_numpy()].X.toarray()
        assert (own == of_cells[name].X.toarray()).all(axis=1).any()
    mixed = full.obs["donor"].str.startswith("mixture:").to_numpy()
    assert mixed.sum() == 3 * full.obs.loc[mixed, "condition"].nunique() > 0
    bulk = (full.obs["level"] == "pseudobulk").to_numpy()
    total = np.asarray(full.X[bulk].sum(1)).ravel()
    assert (np.asarray(plain.X.sum(1)).ravel() > 600).all()
    assert (np.abs(total - 500) < 6 * np.sqrt(500)).all()
    shared = [n for n in plain.obs_names if n in full.obs_names]
    assert len(shared) == plain.n_obs
    assert (full[shared].X.toarray() <= plain[shared].X.toarray()).all()
