"""Readers, sample sheets and units, on files as they come and on broken ones."""

from __future__ import annotations

import gzip

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import io as scipy_io
from scipy import sparse
from support.in_memory import (
    check_unit,
    ingest_dataset,
    matrix_of,
    obs_of,
    read_delimited,
    read_gct,
    read_h5ad,
    read_tenx,
    select_conditions,
)

from pseudocohort.core import contracts
from pseudocohort.core.errors import UserError
from pseudocohort.ingest.samples import column_of, name_of_condition, read_samples

GENES = ["TP53", "EGFR", "MYC"]
SAMPLES = ["s1", "s2", "s3", "s4"]
X = np.array([[1.0, 2.5, 0.0], [30.0, 4.0, 2.0], [7.0, 800.0, 1.0], [3.0, 2.0, 5.0]], dtype=np.float32)


def tsv(x=X, genes=GENES, samples=SAMPLES, sep="\t", corner="gene"):
    lines = [sep.join(([corner] if corner is not None else []) + list(samples))]
    lines += [sep.join([g, *(f"{v:g}" for v in x[:, j])]) for j, g in enumerate(genes)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("format", "sep"), [("tsv", "\t"), ("csv", ",")])
@pytest.mark.parametrize("corner", ["gene", None])
def test_delimited_genes_by_samples(tmp_path, packed, format, sep, corner):
    path = tmp_path / "m.txt"
    text = tsv(sep=sep, corner=corner).encode()
    path.write_bytes(gzip.compress(text) if packed else text)
    matrix = read_delimited(path, format=format, orientation="genes_by_samples")
    assert list(matrix.samples) == SAMPLES and list(matrix.genes) == GENES
    np.testing.assert_array_equal(matrix.x, X)


def test_delimited_samples_by_genes_with_repeated_genes(tmp_path):
    path = tmp_path / "m.tsv"
    path.write_text("id\tTP53\tTP53\tMYC\ns1\t1\t2\t3\ns2\t4\t5\t6\n")
    matrix = read_delimited(path, format="tsv", orientation="samples_by_genes")
    assert list(matrix.genes) == ["TP53", "TP53", "MYC"]
    np.testing.assert_array_equal(matrix.x, [[1, 2, 3], [4, 5, 6]])


def test_counts_beyond_float32_stay_exact(tmp_path):
    path = tmp_path / "m.tsv"
    path.write_text("gene\ts1\nTP53\t16777217\n")
    matrix = read_delimited(path, format="tsv", orientation="genes_by_samples", exact=True)
    assert matrix.x[0, 0] == 16777217


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_delimited_round_trip(tmp_path_factory, n, p, seed):
    x = np.random.default_rng(seed).integers(0, 1000, (n, p)).astype(float) / 8
    path = tmp_path_factory.mktemp("m") / "m.tsv"
    frame = pd.DataFrame(x.T, index=[f"g{j}" for j in range(p)], columns=[f"s{i}" for i in range(n)])
    frame.to_csv(path, sep="\t")
    np.testing.assert_allclose(read_delimited(path, format="tsv", orientation="genes_by_samples").x, x, rtol=1e-6)


def test_gct(tmp_path):
    path = tmp_path / "m.gct"
    header = "#1.2\n3\t4\nName\tDescription\t" + "\t".join(SAMPLES) + "\n"
    rows = [f"ENSG0000000000{j}.1\t{g}\t" + "\t".join(f"{v:g}" for v in X[:, j]) for j, g in enumerate(GENES)]
    path.write_text(header + "\n".join(rows) + "\n")
    matrix = read_gct(path)
    np.testing.assert_array_equal(matrix.x, X)
    assert list(matrix.symbols) == GENES and matrix.genes[0] == "ENSG00000000000.1"
    path.write_text(header + "\n".join(rows[:2]) + "\n")
    with pytest.raises(UserError, match="2 genes where line 2 announces 3"):
        read_gct(path)
    path.write_text("Name\tDescription\n")
    with pytest.raises(UserError, match="#1.2"):
        read_gct(path)


@pytest.mark.parametrize("packed", [False, True])
def test_tenx_agrees_with_scanpy(tmp_path, packed):
    counts = sparse.random(20, 12, density=0.3, random_state=1, data_rvs=lambda n: np.arange(1, n + 1)).astype(int)
    scipy_io.mmwrite(tmp_path / "matrix.mtx", counts.tocoo())
    (tmp_path / "barcodes.tsv").write_text("".join(f"AAAC{i}-1\n" for i in range(12)))
    names = "features.tsv" if packed else "genes.tsv"
    tail = "\tGene Expression" if packed else ""
    (tmp_path / names).write_text("".join(f"ENSG{i:011d}\tG{i}{tail}\n" for i in range(20)))
    if packed:
        for name in ("matrix.mtx", "barcodes.tsv", names):
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress((tmp_path / name).read_bytes()))
            (tmp_path / name).unlink()
    ours, theirs = read_tenx(tmp_path), sc.read_10x_mtx(tmp_path, var_names="gene_ids")
    np.testing.assert_array_equal(ours.x.toarray(), theirs.X.toarray())
    assert list(ours.samples) == list(theirs.obs_names) and list(ours.genes) == list(theirs.var_names)


def test_h5ad(tmp_path):
    data = ad.AnnData(sparse.csr_matrix(X), obs=pd.DataFrame({"line": list("abcd")}, index=SAMPLES))
    data.var_names = GENES
    data.write_h5ad(tmp_path / "m.h5ad")
    matrix = read_h5ad(tmp_path / "m.h5ad")
    np.testing.assert_array_equal(matrix.x.toarray(), X)
    assert list(matrix.obs["line"]) == list("abcd")
    (tmp_path / "bad.h5ad").write_bytes(b"not hdf5")
    with pytest.raises(UserError, match="h5ad"):
        read_h5ad(tmp_path / "bad.h5ad")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.replace("\t", ";"), "semicolon-separated"),
        (lambda t: t.replace("\t30\t", "\tmany\t"), "'many' is not a number"),
        (lambda t: t.replace("s2", "s1"), "'s1' occurs more than once"),
        (lambda t: t[: len(t) - 4], "fields where"),
        (lambda t: t.splitlines()[0] + "\n", "no line after the header"),
        (lambda t: "", "empty"),
    ],
)
def test_broken_tables_are_refused_with_file_and_place(tmp_path, change, message):
    path = tmp_path / "m.tsv"
    path.write_text(change(tsv()))
    with pytest.raises(UserError, match=message) as caught:
        read_delimited(path, format="tsv", orientation="genes_by_samples")
    assert "m.tsv" in caught.value.where and caught.value.remedy


def test_truncated_gzip_is_refused(tmp_path):
    path = tmp_path / "m.tsv.gz"
    packed = gzip.compress(tsv().encode() * 100)
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(UserError, match="truncated"):
        read_delimited(path, format="tsv", orientation="genes_by_samples")


def test_latin1_sample_table(tmp_path):
    path = tmp_path / "s.tsv"
    path.write_bytes("sample\tsite\ns1\tMünchen\n".encode("latin-1"))
    assert read_samples(path)["site"][0] == "München"


@pytest.mark.parametrize(
    ("x", "unit", "offset", "message"),
    [
        ([[1.5, 2.0]], "counts", None, "not whole"),
        ([[-1.0, 2.0]], "tpm", None, "negative value -1"),
        ([[-9.0, 2.0]], "tpm", 1.0, "below log2"),
        ([[900.0, 2.0]], "tpm", 1.0, "largest value is 900"),
        (np.full((2, 300), 9.0), "tpm", None, "look like logarithms"),
        (np.full((2, 300), 9e3), "tpm", None, "more than a million"),
        ([[99.0]], "vst", None, "variance-stabilised"),
    ],
)
def test_unit_that_values_contradict_is_refused(x, unit, offset, message):
    with pytest.raises(UserError, match=message):
        check_unit(matrix_of(x), unit, offset, "file")


@pytest.mark.parametrize(
    ("x", "unit", "offset"),
    [
        ([[3.0, 0.0]], "counts", None),
        ([[0.0, 12.0]], "rsem", 1.0),
        ([[-9.97, 3.0]], "tpm", 0.001),
        ([[7.0]], "vst", None),
    ],
)
def test_plausible_units_pass_with_a_verdict(x, unit, offset):
    assert check_unit(matrix_of(x), unit, offset, "file")


def test_condition_names_become_path_parts():
    assert name_of_condition("Adipose Tissue") == "Adipose_Tissue"
    assert name_of_condition("../../etc") == "etc"
    assert name_of_condition("Lung (left) / right") == "Lung_left_right"


@given(st.text(max_size=30))
@settings(max_examples=200, deadline=None)
def test_condition_names_keep_the_contract_or_are_empty(label):
    name = name_of_condition(label)
    assert name == "" or contracts.NAME.match(name)


def test_conditions_are_mapped_excluded_and_counted():
    obs = obs_of(["A", "A", "b", "b", "X", "<not provided>", ""])
    kept, dropped = select_conditions(obs, {"map": {"b": "B"}, "exclude": ["X"], "min_donors": 2}, "sheet")
    assert kept["condition"].value_counts().to_dict() == {"A": 2, "B": 2}
    assert dropped == {"no condition or donor": 2, "condition excluded": 1, "context not listed": 0}
    assert set(kept["level"]) == {"tumour"}


def test_condition_with_one_donor_stops_with_a_remedy():
    with pytest.raises(UserError, match="'B' has 1 donor") as caught:
        select_conditions(obs_of(["A", "A", "B", "B"], ["d1", "d2", "d3", "d3"]), {"min_donors": 2}, "sheet")
    assert "exclude" in caught.value.remedy


def test_two_labels_that_become_one_name_are_refused():
    with pytest.raises(UserError, match="both written 'A_B'"):
        select_conditions(obs_of(["A B", "A/B"]), {"min_donors": 1}, "sheet")


ROW = {
    "dataset": "mine", "kind": "bulk", "format": "tsv", "orientation": "genes_by_samples", "gene_ids": "symbol",
    "unit": "tpm", "sample_column": "sample", "donor_column": "patient", "condition_column": "type",
    "technology": "bulk", "aggregation": "bulk", "context": "@status:cancer=tumour,healthy=normal",
}  # fmt: skip


@pytest.fixture
def row(tmp_path):
    (tmp_path / "m.tsv").write_text(tsv())
    (tmp_path / "s.tsv").write_text(
        "sample\tpatient\ttype\tstatus\ns2\tp2\tlung\tcancer\ns1\tp1\tlung\thealthy\ns3\tp3\tskin\tcancer\n"
    )
    return ROW | {"source": str(tmp_path / "m.tsv"), "samples": str(tmp_path / "s.tsv")}


def test_dataset_is_joined_and_keeps_the_contract(row):
    data = ingest_dataset(row, conditions={"min_donors": 1})
    contracts.INGESTED.check(data, "test")
    assert list(data.obs_names) == ["mine:s1", "mine:s2", "mine:s3"]
    assert list(data.obs["level"]) == ["normal", "tumour", "tumour"]
    np.testing.assert_array_equal(data.X, X[:3])
    assert data.uns["pseudocohort"]["dropped"]["not in the sample table"] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"donor_column": "patiend"}, "no column 'patiend'"),
        ({"context": "@state:a=tumour"}, "no column 'state'"),
        ({"context": "@status:a=tumor"}, "not of the form"),
        ({"context": "@status:a=tumour"}, "no sample has a listed value"),
        ({"sample_column": "patient"}, "not in the sample table"),
    ],
)
def test_wrong_columns_are_named(row, change, message):
    with pytest.raises(UserError, match=message):
        ingest_dataset(row | change, conditions={"min_donors": 1})


def test_donor_is_taken_from_a_part_of_an_id(row):
    data = ingest_dataset(row | {"donor_column": "@patient:^p(.)"}, conditions={"min_donors": 1})
    assert list(data.obs["donor"]) == ["1", "2", "3"]
    for pattern, message in (("^q(.)", "matches no value"), ("^p.", "has 0 groups"), ("^p(", "is no pattern")):
        with pytest.raises(UserError, match=message):
            ingest_dataset(row | {"donor_column": f"@patient:{pattern}"}, conditions={"min_donors": 1})


def test_nan_names_gene_and_sample(row, tmp_path):
    (tmp_path / "m.tsv").write_text(tsv().replace("\t30\t", "\tNaN\t"))
    with pytest.raises(UserError, match=r"gene 'TP53' in sample 's2'"):
        ingest_dataset(row, conditions={"min_donors": 1})


def test_row_names_without_a_header_are_the_samples(tmp_path):
    """R's write.csv: one column name fewer than columns; the first column names the samples."""
    path = tmp_path / "metadata.csv"
    path.write_text('"batch","line"\n"A1","p1","H1975"\n"A2","p1","A549"\n')
    table = read_samples(path)
    assert list(table.columns) == ["row_names", "batch", "line"]
    assert table["row_names"].tolist() == ["A1", "A2"]


def test_condition_that_is_the_same_for_all_samples(row):
    table = pd.DataFrame({"line": ["x", "y"]})
    constant = {**row, "condition_column": "=LUAD"}
    assert column_of(table, constant, "condition_column", "samples.tsv").tolist() == ["LUAD", "LUAD"]
