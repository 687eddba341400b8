"""Blockwise reading and writing, beside pandas, scipy and the in-memory route."""

from __future__ import annotations

import gzip
import io

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import io as scipy_io
from scipy import sparse
from support.in_memory import ingest_dataset, read_delimited

from pseudocohort.core import blocks, contracts
from pseudocohort.core import io as profile_io
from pseudocohort.core.errors import UserError
from pseudocohort.ingest import delimited, text
from pseudocohort.ingest.dataset import ingest_to_file
from pseudocohort.ingest.delimited import open_delimited
from pseudocohort.ingest.matrix import read_all
from pseudocohort.ingest.tenx import TenxEntries

NUMBERS = st.one_of(
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr),
    st.floats(-1e9, 1e9).map(repr),
    st.floats(-1e9, 1e9).map(lambda v: f"{v:.3e}"),
    st.decimals(-1000, 1000, places=4).map(str),
    st.integers(-(2**63), 2**64).map(str),
    st.sampled_from(
        ["", "NA", "NaN", "nan", "0", "-0.0", "+1.5", ".5", "5.", "007", " 2", '"3.25"', "1E5", "16777217"]
    ),
)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_numbers_are_those_of_pandas(tmp_path_factory, data):
    n, p = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 5))
    rows = [[data.draw(NUMBERS) for _ in range(n)] for _ in range(p)]
    end = data.draw(st.sampled_from(["\n", "\r\n"]))
    lines = ["\t".join(["gene", *(f"s{i}" for i in range(n))])] + ["\t".join([f"g{j}", *r]) for j, r in enumerate(rows)]
    path = tmp_path_factory.mktemp("m") / "m.tsv"
    content = end.join(lines) + data.draw(st.sampled_from(["", end, end + end]))
    path.write_bytes(content.encode())
    theirs = pd.read_csv(
        io.StringIO(content), sep="\t", index_col=0, keep_default_na=False, na_values=["", "NA", "NaN", "nan"],
        float_precision="round_trip", dtype={f"s{i}": np.float64 for i in range(n)},
    )  # fmt: skip
    for exact, dtype in ((False, np.float32), (True, np.float64)):
        ours = read_delimited(path, format="tsv", orientation="genes_by_samples", exact=exact)
        assert ours.x.dtype == dtype
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(ours.x.T, theirs.to_numpy().astype(dtype))


REAL = (
    "tcga-paired/expression.tsv.gz",
    "gtex/expression.tsv.gz",
    "tcga-brca/expression.tsv.gz",
    "bulk-cell-lines/pson_expr_tpm_df.tsv.gz",
    "lung-cell-lines/sc_celseq2.count.csv.gz",
    "lung-cell-lines/sc_celseq2_5cl_p1.count.csv.gz",
    "lung-cell-lines/sc_dropseq.count.csv.gz",
)


@pytest.mark.parametrize("name", REAL)
def test_real_files_are_read_as_by_pandas(data_root, name):
    format = "csv" if ".csv" in name else "tsv"
    ours = read_delimited(data_root / name, format=format, orientation="genes_by_samples")
    theirs = pd.read_csv(
        data_root / name, sep="," if format == "csv" else "\t", index_col=0, float_precision="round_trip"
    )
    np.testing.assert_array_equal(ours.x.T, theirs.to_numpy().astype(np.float32))
    assert list(ours.genes) == list(theirs.index.astype(str)) and list(ours.samples) == list(theirs.columns)


@pytest.fixture
def small_pieces(monkeypatch):
    """Pieces of a few bytes and blocks of a few lines, so that small files have many of both."""
    monkeypatch.setattr(text, "PIECE", 50)
    monkeypatch.setattr(delimited, "lines_per_block", lambda columns, multiple=128: 3)


@pytest.mark.parametrize("orientation", ["genes_by_samples", "samples_by_genes"])
@pytest.mark.parametrize("packed", [False, True])
def test_wanted_samples_in_pieces(tmp_path, small_pieces, orientation, packed):
    x = np.random.default_rng(1).integers(0, 1000, (11, 17)) / 8
    frame = pd.DataFrame(x, index=[f"s{i}" for i in range(11)], columns=[f"g{j}" for j in range(17)])
    path = tmp_path / "m.csv"
    content = (frame.T if orientation == "genes_by_samples" else frame).to_csv().encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    source = open_delimited(path, format="csv", orientation=orientation)
    wanted = np.array([1, 4, 5, 10])
    parts = list(source.blocks(wanted))
    assert len(parts) > 2
    joined = read_all(source)
    np.testing.assert_array_equal(joined.x, x)
    axis = 1 if source.by == "genes" else 0
    np.testing.assert_array_equal(np.concatenate([part.x for part in parts], axis=axis), x[wanted])


@pytest.mark.parametrize(
    ("content", "message", "where"),
    [
        ("g\ts1\ts2\na\t1\t2\nb\t1\t1_0\n", "'1_0' is not a number", "line 3, column 's2'"),
        ("g\ts1\ts2\na\t1\t2\n\nb\t1\n", "2 fields where 3", "line 4"),
        ("g\ts1\ts2\na\t1\t2\nb\t1\t2\t3\n", "4 fields where 3", "line 3"),
        ("g\ts1\ts2\na\t1\t2\nb\t0x1\t3\n", "'0x1' is not a number", "line 3, column 's1'"),
    ],
)
def test_the_offending_line_is_named(tmp_path, content, message, where):
    (tmp_path / "m.tsv").write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        read_delimited(tmp_path / "m.tsv", format="tsv", orientation="genes_by_samples")
    assert caught.value.where.endswith(where)


ROW = {
    "dataset": "mine", "kind": "bulk", "gene_ids": "symbol", "unit": "counts", "donor_column": "patient",
    "sample_column": "sample", "condition_column": "type", "technology": "bulk", "aggregation": "bulk",
    "context": "tumour",
}  # fmt: skip


def counts_of(n=40, p=30, seed=0):
    return np.random.default_rng(seed).poisson(1.0, (n, p))


def write_dataset(folder, format, x, genes):
    """A dataset in a format, every third sample without annotation."""
    samples = [f"s{i}" for i in range(len(x))]
    table = pd.DataFrame({"sample": samples, "patient": [f"p{i // 2}" for i in range(len(x))], "type": "A"})
    table[np.arange(len(x)) % 3 > 0].to_csv(folder / "samples.tsv", sep="\t", index=False)
    row = ROW | {"format": format, "orientation": "genes_by_samples", "samples": str(folder / "samples.tsv")}
    path = folder / "matrix"
    if format == "gct":
        lines = ["#1.2", f"{x.shape[1]}\t{len(x)}", "\t".join(["Name", "Description", *samples])]
        lines += ["\t".join([g, f"d{j}", *map(str, x[:, j])]) for j, g in enumerate(genes)]
        path.write_text("\n".join(lines) + "\n")
    elif format == "tsv":
        pd.DataFrame(x.T, index=genes, columns=samples).to_csv(path, sep="\t")
    elif format == "csv":
        row["orientation"] = "samples_by_genes"
        pd.DataFrame(x, index=samples, columns=genes).to_csv(path)
    elif format == "mtx":
        path.mkdir()
        scipy_io.mmwrite(path / "matrix.mtx", sparse.csc_matrix(x.T).tocoo())
        (path / "barcodes.tsv").write_text("".join(f"{s}\n" for s in samples))
        (path / "genes.tsv").write_text("".join(f"{g}\t{g}\n" for g in genes))
    else:
        matrix = sparse.csr_matrix(x) if format == "h5ad" else sparse.csc_matrix(x)
        data = ad.AnnData(matrix, obs=table.set_index("sample", drop=False).rename_axis(None))
        data.var_names = genes
        data.write_h5ad(path)
        row["format"] = "h5ad"
    return row | {"source": str(path)}


@pytest.mark.parametrize("kind", ["bulk", "single_cell"])
@pytest.mark.parametrize("format", ["gct", "tsv", "csv", "mtx", "h5ad", "h5ad csc"])
def test_file_written_in_blocks_is_the_matrix_in_memory(tmp_path, small_pieces, monkeypatch, format, kind):
    monkeypatch.setattr("pseudocohort.ingest.dataset.CELLS_AT_A_TIME", 7)
    monkeypatch.setattr(blocks, "BLOCK", 100)
    x = counts_of()
    x[4, 7] = 2**24 + 1  # in the file's middle: what is written by then is float32
    genes = [f"g{j // 2}" for j in range(30)]
    genes = genes if format == "tsv" else [f"g{j}" for j in range(30)]
    row = write_dataset(tmp_path, format, x, genes) | {"kind": kind}
    memory = ingest_dataset(row, conditions={"min_donors": 1})
    ingest_to_file(row, tmp_path / "out.h5ad", conditions={"min_donors": 1})
    written = profile_io.read_profiles(tmp_path / "out.h5ad", contracts.INGESTED)
    values = written.X.toarray() if sparse.issparse(written.X) else written.X
    kept = np.arange(40) % 3 > 0
    np.testing.assert_array_equal(values, x[kept])
    assert values.dtype == np.float64
    pd.testing.assert_frame_equal(written.obs.astype(str), memory.obs.astype(str))
    pd.testing.assert_frame_equal(written.var.astype(str), memory.var.astype(str))
    assert written.uns["pseudocohort"]["unit_verdict"] == memory.uns["pseudocohort"]["unit_verdict"]
    assert written.uns["pseudocohort"]["dropped"] == memory.uns["pseudocohort"]["dropped"]
    assert sparse.issparse(written.X) == (kind == "single_cell" and format != "csv" or format[:4] in ("mtx", "h5ad"))


def test_failed_ingestion_leaves_no_file(tmp_path):
    row = write_dataset(tmp_path, "tsv", counts_of() + 0.5, [f"g{j}" for j in range(30)])
    with pytest.raises(UserError, match="not whole"):
        ingest_to_file(row, tmp_path / "out.h5ad", conditions={"min_donors": 1})
    assert not list(tmp_path.glob("*out.h5ad*"))


def write_tenx(folder, entries, shape=(5, 6), announced=None):
    announced = len(entries) if announced is None else announced
    head = f"%%MatrixMarket matrix coordinate integer general\n%made by hand\n{shape[0]} {shape[1]} {announced}\n"
    (folder / "matrix.mtx").write_text(head + "".join(f"{g} {c} {v}\n" for g, c, v in entries))
    (folder / "barcodes.tsv").write_text("".join(f"c{i}\n" for i in range(shape[1])))
    (folder / "genes.tsv").write_text("".join(f"g{i}\n" for i in range(shape[0])))


def test_cells_without_entries_and_entries_in_any_order(tmp_path, small_pieces):
    entries = [(1, 2, 3), (5, 2, 1), (2, 4, 7), (3, 5, 9), (1, 5, 8)]
    expected = np.zeros((6, 5))
    for gene, cell, value in entries:
        expected[cell - 1, gene - 1] = value
    for order in (entries, sorted(entries)):
        write_tenx(tmp_path, order)
        parts = list(TenxEntries(tmp_path).blocks(np.array([0, 1, 4, 5])))
        np.testing.assert_array_equal(sparse.vstack([p.x for p in parts]).toarray(), expected[[0, 1, 4, 5]])
        assert [s for p in parts for s in p.samples] == ["c0", "c1", "c4", "c5"]


@pytest.mark.parametrize(
    ("entries", "announced", "message"),
    [
        ([(1, 1, 1), (2, 1, 1)], 3, "2 entries where 3 are announced"),
        ([(1, 1, 1), (9, 1, 1)], 2, "9 1 lies outside 5 x 6"),
        ([(0, 1, 1), (4, 1, 1)], 2, "0 1 lies outside 5 x 6; rows and columns seem to be counted from 0"),
        ([(1, 1, 1), (2, 1, "many")], 2, "'2 1 many' is not a row"),
        ([(1, 1, 1), (2, 1, "")], 2, "is not a row"),
    ],
)
def test_broken_matrix_market_files_are_refused(tmp_path, entries, announced, message):
    write_tenx(tmp_path, entries, announced=announced)
    with pytest.raises(UserError, match=message):
        list(TenxEntries(tmp_path).blocks(np.arange(6)))
