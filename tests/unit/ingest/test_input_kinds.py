"""Kinds of input that used to go wrong in silence, as properties of random small matrices: values cell by cell."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zipfile

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from support.in_memory import (
    check_unit,
    ingest_dataset,
    map_genes,
    matrix_of,
    obs_of,
    read_delimited,
    read_gct,
    read_h5ad,
    read_tenx,
    select_conditions,
    toy,
)

from pseudocohort import study
from pseudocohort.core.errors import UserError
from pseudocohort.ingest.delimited import open_delimited
from pseudocohort.ingest.features import genes_among
from pseudocohort.ingest.matrix import read_all
from pseudocohort.ingest.missing import is_absent
from pseudocohort.ingest.samples import near_duplicate_labels, read_samples, spelled_otherwise
from pseudocohort.ingest.text import look_at
from pseudocohort.ingest.units import UnitCheck
from pseudocohort.prepare.cell_quality import read_labels
from pseudocohort.prepare.gene_ids import DATE, map_and_compare, map_ids

SHAPES = {"n": st.integers(1, 6), "p": st.integers(1, 6), "seed": st.integers(0, 10**6)}


def values(n, p, seed):
    """Random values whose neighbours differ."""
    return np.random.default_rng(seed).permutation(n * p).reshape(n, p) + 1.0


def lines_of(x, separator, corner):
    """A table of genes × samples, as fields joined by a separator."""
    head = (["gene"] if corner else []) + [f"s{i}" for i in range(len(x))]
    rows = [[f"g{j}", *(f"{v:g}" for v in x[:, j])] for j in range(x.shape[1])]
    return [separator.join(head)] + [separator.join(row) for row in rows]


@given(
    **SHAPES, ends=st.lists(st.integers(0, 2), min_size=7, max_size=7), corner=st.booleans(), sep=st.sampled_from("\t,")
)
@settings(max_examples=40)
def test_separators_at_line_ends_never_shift_a_value(tmp_path_factory, n, p, seed, ends, corner, sep):
    x = values(n, p, seed)
    lines = lines_of(x, sep, corner)
    lines = [line + sep * ends[k % 7] for k, line in enumerate(lines)]
    path = tmp_path_factory.mktemp("m") / "m"
    path.write_text("\n".join(lines) + "\n")
    try:
        matrix = read_delimited(path, format="csv" if sep == "," else "tsv", orientation="genes_by_samples")
    except UserError:
        # R's header has no name for the ids: with a separator at its own end only, the last column may have no name.
        nameless = ends[0] and not ends[1]
        assert not corner and (nameless or n == 1)
        return
    assert list(matrix.samples) == [f"s{i}" for i in range(n)]
    np.testing.assert_array_equal(matrix.x, x)


def test_one_field_more_that_is_filled_is_row_names_and_never_a_neighbour(tmp_path):
    (tmp_path / "s.tsv").write_text("a\tb\nr1\t1\t2\t\nr2\t3\t4\n")
    assert read_samples(tmp_path / "s.tsv").to_numpy().tolist() == [["r1", "1", "2"], ["r2", "3", "4"]]
    (tmp_path / "s.tsv").write_text("a\tb\nr1\t1\t\nr2\t3\t\n")
    assert read_samples(tmp_path / "s.tsv").to_numpy().tolist() == [["r1", "1"], ["r2", "3"]]
    (tmp_path / "s.tsv").write_text("a\tb\nr1\t1\t2\t3\n")
    with pytest.raises(UserError, match="2 fields, a data line 4"):
        read_samples(tmp_path / "s.tsv")
    (tmp_path / "m.tsv").write_text("g\ts1\ts2\t\na\t1\t2\t3\n")
    with pytest.raises(UserError, match="without a name"):
        read_delimited(tmp_path / "m.tsv", format="tsv", orientation="genes_by_samples")


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"]
PACKERS = {"": bytes, "gz": gzip.compress, "gzgz": lambda b: gzip.compress(gzip.compress(b)), "bz2": bz2.compress,
           "xz": lzma.compress}  # fmt: skip


@given(**SHAPES, encoding=st.sampled_from(ENCODINGS), end=st.sampled_from(["\n", "\r\n", "\r"]),
       pack=st.sampled_from(list(PACKERS)), comments=st.integers(0, 2))  # fmt: skip
@settings(max_examples=40)
def test_encodings_line_ends_compressions_and_comments(tmp_path_factory, n, p, seed, encoding, end, pack, comments):
    x = values(n, p, seed)
    lines = ["# Program: é"] * comments + [line.replace("s", "é") for line in lines_of(x, "\t", True)]
    folder = tmp_path_factory.mktemp("m")
    (folder / "m").write_bytes(PACKERS[pack]((end.join(lines) + end).encode(encoding)))
    matrix = read_delimited(folder / "m", format="tsv", orientation="genes_by_samples")
    assert list(matrix.samples) == [f"é{i}" for i in range(n)]
    np.testing.assert_array_equal(matrix.x, x)
    table = end.join(["sample\tpatient", *(f"é{i}\tp{i} " for i in range(n))])
    (folder / "s.tsv").write_bytes(PACKERS[pack](table.encode(encoding)))
    assert read_samples(folder / "s.tsv")["sample"].tolist() == [f"é{i}" for i in range(n)]


def zipped(name):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(name, "x\n")
    return buffer.getvalue()


OTHER = {
    "a zip archive": zipped("m.tsv"), "Excel workbook (xlsx)": zipped("[Content_Types].xml"),
    "an HTML page": b"\n<!DOCTYPE html><html><body>Sign in</body></html>",
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 3\n",
    "an R workspace": gzip.compress(b"RDX3\nX\n\0\0\0\3"), "an R object (rds)": gzip.compress(b"X\n\0\0\0\3\0\4"),
    "a tar archive": b"m.tsv" + b"\0" * 252 + b"ustar" + b"\0" * 250, "zstd": b"\x28\xb5\x2f\xfd\0\0",
    "old Excel": b"\xd0\xcf\x11\xe0\xa1\xb1", "a PDF": b"%PDF-1.4\n", "a Parquet": b"PAR1xx",
    "a Feather": b"ARROW1\0\0", "JSON": b'{"error": 404}',
    "an XML document": b"<?xml version='1.0'?><Error/>", "binary": b"gene\ts1\0\0\0\1\2\0\n",
    "HDF5": b"\x89HDF\r\n\x1a\n",
}  # fmt: skip


@pytest.mark.parametrize("kind", OTHER)
@pytest.mark.parametrize(
    "reader",
    [
        lambda p: read_delimited(p, format="tsv", orientation="genes_by_samples"), read_gct, read_samples, read_h5ad,
        study.read_study, lambda p: study.read_sheet(p, ["dataset"]),
    ],
)  # fmt: skip
def test_what_is_no_text_is_named(tmp_path, kind, reader):
    (tmp_path / "f.tsv").write_bytes(OTHER[kind])
    with pytest.raises(UserError) as caught:
        reader(tmp_path / "f.tsv")
    assert kind in caught.value.what or (kind == "HDF5" and "h5ad" in str(caught.value))
    assert "f.tsv" in caught.value.where and caught.value.remedy


def test_r_files_come_with_the_lines_that_convert_them(tmp_path):
    (tmp_path / "x.rds").write_bytes(OTHER["an R object (rds)"])
    assert "readRDS" in look_at(tmp_path / "x.rds").remedy


def panel(seed, n=12, p=400):
    """TPM of p genes that sum to a million."""
    x = np.random.default_rng(seed).lognormal(3, 2, (n, p))
    return x / x.sum(axis=1, keepdims=True) * 1e6


def alike(seed, n=12, p=400):
    """TPM of samples that share the levels of their genes, as those of a study do."""
    rng = np.random.default_rng(seed)
    x = rng.lognormal(3, 2, p) * rng.lognormal(0, 0.3, (n, p))
    return x / x.sum(axis=1, keepdims=True) * 1e6


@given(seed=st.integers(0, 10**6), base=st.sampled_from([np.e, 10.0]), unit=st.sampled_from(["tpm", "cpm"]))
@settings(max_examples=8)
def test_logarithms_of_another_base_are_refused_by_name(seed, base, unit):
    x = panel(seed)
    assert "a whole transcriptome" in check_unit(matrix_of(np.log2(x + 1)), unit, 1.0, "file")
    with pytest.raises(UserError, match="natural" if base < 3 else "decimal"):
        check_unit(matrix_of(np.log(x + 1) / np.log(base)), unit, 1.0, "file")


@given(seed=st.integers(0, 10**6), digits=st.integers(3, 8), single=st.booleans(), offset=st.sampled_from([1.0, 0.5]))
@settings(max_examples=8)
def test_log_counts_are_taken_back_or_refused(seed, digits, single, offset):
    counts = (
        np.random.default_rng(seed).poisson(np.random.default_rng(seed).gamma(0.5, 60, 300), (12, 300)).astype(float)
    )
    logs = np.round(np.log2(counts + offset), digits)
    check = UnitCheck("counts", offset, "file")
    block = matrix_of(logs.astype(np.float32) if single else logs)
    check.add(block, "samples")
    if digits > 4:
        np.testing.assert_array_equal(check.counts(block).x, counts)
    assert "taken back to counts" in check.verdict()
    with pytest.raises(UserError, match="more than a million"):
        check_unit(matrix_of(np.log2(counts * 1e3 + 1)), "tpm", 1.0, "file")
    with pytest.raises(UserError, match="whole as natural"):
        check_unit(matrix_of(np.log(counts + 1)), "counts", 1.0, "file")
    with pytest.raises(UserError, match="expected_counts"):
        check_unit(matrix_of(np.log2(counts * 1.37 + 1)), "counts", 1.0, "file")
    assert check_unit(matrix_of(np.log2(counts * 1.37 + 1)), "expected_counts", 1.0, "file")


@given(seed=st.integers(0, 10**6), offset=st.sampled_from([None, 0.001]))
@settings(max_examples=8)
def test_z_scores_are_refused(seed, offset):
    logs = np.log2(panel(seed, 20) + 1)
    z = (logs - logs.mean(0)) / logs.std(0)
    with pytest.raises(UserError, match="z-scores|scaled"):
        check_unit(matrix_of(z), "vst" if offset is None else "tpm", offset, "file")
    assert check_unit(matrix_of(logs), "vst", None, "file")


@given(seed=st.integers(0, 10**6), unit=st.sampled_from(["rsem", "fpkm"]))
@settings(max_examples=8)
def test_depth_that_is_left_in_is_a_warning(seed, unit):
    x, depth = alike(seed), 2.0 ** (np.arange(12) % 3)
    for log_offset in (None, 1.0):
        for data, warned in ((x, False), (x * depth[:, None], True)):
            check = UnitCheck(unit, log_offset, "file")
            check.add(matrix_of(data if log_offset is None else np.log2(data + 1)), "samples")
            check.verdict()
            assert bool(check.warnings) == warned


ABSENT = [
    "<NA>", "[Not Available]", "[Not Applicable]", "Not Applicable", "NULL", "null", "N/A", "#N/A", "'--", "--", "",
    "nan", "NaN", "[Unknown]", "not reported", "Not Reported", "<not provided>", "[Not Evaluated]", "NaT", "none",
]  # fmt: skip


@given(words=st.lists(st.sampled_from(ABSENT), min_size=1, max_size=6), where=st.sampled_from(["condition", "donor"]))
def test_words_for_missing_never_become_a_class_or_a_donor(words, where):
    obs = obs_of(["A"] * 4 + ["B"] * len(words))
    obs.loc[obs.index[4:], where] = words
    kept, dropped = select_conditions(obs, {"min_donors": 1}, "file")
    assert list(kept.index) == ["s0", "s1", "s2", "s3"] and dropped["no condition or donor"] == len(words)


@pytest.mark.parametrize("label", ["<N%A>", "N*A", "Nône"])
def test_a_class_whose_name_would_say_that_it_is_missing_is_refused(label):
    with pytest.raises(UserError, match="which says that there is none"):
        select_conditions(obs_of(["A", "A", label]), {"min_donors": 1}, "file")


@pytest.mark.parametrize("label", ["+", "?", "肿瘤", "***"])
def test_a_class_without_latin_letters_is_refused_by_name_and_can_be_mapped(label):
    obs = obs_of(["A", "A", label, label])
    with pytest.raises(UserError, match="has no letter or digit") as caught:
        select_conditions(obs, {"min_donors": 1}, "file")
    assert repr(label) in caught.value.what and "map" in caught.value.remedy
    kept, _ = select_conditions(obs, {"min_donors": 1, "map": {label: "B"}}, "file")
    assert set(kept["condition"]) == {"A", "B"}
    kept, _ = select_conditions(obs_of(["A", "None"]), {"min_donors": 1, "map": {"None": "no_metastasis"}}, "file")
    assert set(kept["condition"]) == {"A", "no_metastasis"}


@pytest.mark.parametrize(
    ("labels", "mapping"),
    [(["0", "1"], {0: "a", 1: "b"}), (["0.0", "1.0"], {0: "a", 1: "b"}),
     (["yes", "no"], {True: "a", False: "b"}),
     (["True", "FALSE"], {True: "a", False: "b"}), (["1.5", "2"], {1.5: "a", 2: "b"}),
     ([" x", "y "], {"x": "a", "y": "b"})],
)  # fmt: skip
def test_numbers_and_yes_as_keys_of_the_map(labels, mapping):
    kept, _ = select_conditions(obs_of(labels), {"min_donors": 1, "map": mapping}, "file")
    assert list(kept["condition"]) == ["a", "b"]
    kept, _ = select_conditions(obs_of(labels), {"min_donors": 1, "exclude": list(mapping)[:1]}, "file")
    assert len(kept) == 1


@given(data=st.data(), **SHAPES)
@settings(max_examples=40)
def test_nullable_columns_of_an_h5ad_are_text_without_words_for_missing(tmp_path_factory, data, n, p, seed):
    kinds = {
        "string": (["a", "b"], "string"), "int": ([1001, 7], "Int64"), "bool": ([True, False], "boolean"),
        "category": (["x", "y"], "category"), "float": ([1001.0, 0.5], "float64"),
    }  # fmt: skip
    columns, expected = {}, {}
    for name, (choices, dtype) in kinds.items():
        drawn = data.draw(st.lists(st.sampled_from([*choices, None]), min_size=n, max_size=n))
        columns[name] = pd.Series(drawn, dtype=dtype if dtype != "category" else "object").astype(dtype)
        expected[name] = ["" if v is None else f"{v:g}" if isinstance(v, float) else str(v) for v in drawn]
    names = [f"c{i}" for i in range(n)]
    obs = pd.DataFrame(columns).set_axis(names, axis=0)
    x = values(n, p, seed)
    matrix = data.draw(st.sampled_from([np.asarray, sparse.csr_matrix, sparse.csc_matrix]))(x)
    written = ad.AnnData(matrix, obs=obs, var=pd.DataFrame(index=[f"g{j}" for j in range(p)]))
    written.layers["twice"] = 2 * x
    written.raw = written.copy()
    path = tmp_path_factory.mktemp("h") / "m.h5ad"
    with ad.settings.override(allow_write_nullable_strings=True):
        written.write_h5ad(path)
    with h5py.File(path, "r+") as file:  # what stands elsewhere does not matter
        file.create_group("uns/odd").attrs.update({"encoding-type": "future-thing", "encoding-version": "9"})
    for layer, factor in (("X", 1), ("raw", 1), ("twice", 2)):
        ours = read_h5ad(path, layer=layer)
        np.testing.assert_array_equal(ours.x.toarray() if sparse.issparse(ours.x) else ours.x, factor * x)
        for name, words in expected.items():
            assert ours.obs[name].tolist() == words
    with pytest.raises(UserError, match="X, raw, twice"):
        read_h5ad(path, layer="counts")


@pytest.mark.parametrize(
    ("groups", "name"),
    [
        (["matrix/barcodes", "matrix/indptr"], "a 10x HDF5 matrix"),
        (["row_attrs", "col_attrs"], "a loom file"),
        (["mod"], "an h5mu file"),
        (["something"], "no h5ad"),
    ],
)
def test_other_hdf5_files_are_named(tmp_path, groups, name):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for group in groups:
            file.create_group(group)
    with pytest.raises(UserError, match=name) as caught:
        read_h5ad(tmp_path / "x.h5")
    assert caught.value.remedy


TYPES = ["Gene Expression", "Antibody Capture", "Peaks", "CRISPR Guide Capture"]


@given(data=st.data(), **SHAPES, turned=st.booleans(), blank=st.sampled_from([" ", "\t", "   "]))
@settings(max_examples=40)
def test_only_gene_expression_of_a_tenx_folder_is_read_either_way_round(
    tmp_path_factory, data, n, p, seed, turned, blank
):
    types = data.draw(st.lists(st.sampled_from(TYPES), min_size=p, max_size=p))
    x = np.random.default_rng(seed).poisson(1, (n, p))
    folder = tmp_path_factory.mktemp("t")
    matrix = x if turned else x.T
    entries = [(i + 1, j + 1, matrix[i, j]) for j in range(matrix.shape[1]) for i in range(len(matrix)) if matrix[i, j]]
    lines = ["%%MatrixMarket matrix coordinate integer general", f"{matrix.shape[0]} {matrix.shape[1]} {len(entries)}"]
    (folder / "matrix.mtx").write_text("\n".join([*lines, *(blank.join(map(str, e)) for e in entries)]) + " \n")
    ragged = [f'NA{j}\t5" end\t{kind}' + "\tchr1\t1\t2" * (kind == "Peaks") for j, kind in enumerate(types)]
    (folder / "features.tsv").write_text("\n".join(ragged) + "\n")
    (folder / "barcodes.tsv").write_text("".join(f"c{i} \n" for i in range(n)))
    declared = "samples_by_genes" if turned else "genes_by_samples"
    keep = [kind == TYPES[0] for kind in types]
    if not any(keep):
        with pytest.raises(UserError, match="Gene Expression"):
            read_tenx(folder, orientation=declared)
        return
    ours = read_tenx(folder, orientation=declared)
    np.testing.assert_array_equal(ours.x.toarray(), x[:, keep])
    assert list(ours.genes) == [f"NA{j}" for j, k in enumerate(keep) if k] and list(ours.samples) == [
        f"c{i}" for i in range(n)
    ]
    if n != p:
        with pytest.raises(UserError, match="declare orientation" if declared else "") as caught:
            read_tenx(folder, orientation="genes_by_samples" if turned else "samples_by_genes")
        assert declared in caught.value.remedy


ROW = {
    "dataset": "x", "kind": "bulk", "format": "tsv", "orientation": "genes_by_samples", "gene_ids": "symbol",
    "unit": "rsem", "sample_column": "sample", "donor_column": "patient", "condition_column": "type",
    "technology": "bulk", "aggregation": "bulk", "context": "tumour",
}  # fmt: skip


@given(data=st.data(), n=st.integers(2, 6), p=st.integers(2, 6), seed=st.integers(0, 999),
       blank=st.sampled_from(["", "NA", "NULL", "n/a", "#N/A", "<NA>"]), turned=st.booleans())  # fmt: skip
@settings(max_examples=40)
def test_missing_values_are_counted_dropped_or_zero_as_declared(tmp_path_factory, data, n, p, seed, blank, turned):
    x = values(n, p, seed)
    holes = np.array(data.draw(st.lists(st.booleans(), min_size=n * p, max_size=n * p))).reshape(n, p)
    holes[0] = False
    folder = tmp_path_factory.mktemp("m")
    cells = np.where(holes, blank, x.astype(int).astype(str).astype(object))
    frame = pd.DataFrame(cells, index=[f"s{i}" for i in range(n)], columns=[f"g{j}" for j in range(p)])
    (frame if turned else frame.T).to_csv(folder / "m.tsv", sep="\t", index_label="id")
    pd.DataFrame({"sample": frame.index, "patient": [1000 + i for i in range(n)], "type": "A"}).to_csv(
        folder / "s.tsv", sep="\t", index=False
    )
    row = ROW | {"source": str(folder / "m.tsv"), "samples": str(folder / "s.tsv")}
    row["orientation"] = "samples_by_genes" if turned else "genes_by_samples"
    if holes.any():
        with pytest.raises(UserError, match=f"{holes.sum()} values are missing, in {holes.any(0).sum()} of {p} genes"):
            ingest_dataset(row, conditions={"min_donors": 1})
    zero = ingest_dataset(row | {"missing": "zero"}, conditions={"min_donors": 1})
    np.testing.assert_array_equal(zero.X, np.where(holes, 0, x))
    assert list(zero.obs["donor"]) == [str(1000 + i) for i in range(n)]
    keep = ~holes.any(0)
    if keep.any():
        dropped = ingest_dataset(row | {"missing": "drop_gene"}, conditions={"min_donors": 1})
        np.testing.assert_array_equal(dropped.X, x[:, keep])
    else:
        with pytest.raises(UserError, match="no gene has a value in every sample"):
            ingest_dataset(row | {"missing": "drop_gene"}, conditions={"min_donors": 1})


@pytest.fixture(scope="module")
def entrez(data_root):
    path = data_root / "gene-annotation/entrez_gene_2022-09-12.tsv.gz"
    return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)


def test_every_right_pair_of_symbol_entrez_and_ensembl_leads_to_itself(table, entrez):
    pairs = entrez.assign(ensembl=entrez["ensembl"].str.split("|")).explode("ensembl").reset_index(drop=True)
    right = pairs[pairs["ensembl"].map(table.genes["symbol"]) == pairs["symbol"]].reset_index(drop=True)
    assert len(right) > 32_000
    assert (map_ids(right["ensembl"], "ensembl", table) == right["ensembl"]).all()
    # Nine Entrez genes have two genes of GENCODE with their symbol: one of them is meant.
    one = ~right["entrez"].duplicated(keep=False)
    assert (~one).sum() <= 18
    for ids, kind in (
        (right["symbol"] + "|" + right["entrez"], "symbol_entrez"), (right["entrez"], "symbol_entrez"),
        (right["symbol"] + " (" + right["entrez"] + ")", "symbol_entrez"), (right["symbol"], "symbol"),
        (right["entrez"], "entrez"), ("?|" + right["entrez"], "symbol_entrez"),
    ):  # fmt: skip
        mapped, disagrees = map_and_compare(ids, kind, table)
        assert (mapped[one] == right["ensembl"][one]).all() and not disagrees.any()
        assert (mapped[~one].map(table.genes["symbol"]) == right["symbol"][~one]).all()


def test_an_alias_of_several_genes_says_nothing_and_a_current_symbol_wins(table, entrez):
    aliases = entrez["aliases"].str.split("|").explode()
    several = aliases[aliases.duplicated(keep=False) & (aliases != "")].unique()
    current = set(table.genes["symbol"])
    ambiguous = pd.Series([a for a in several if a not in current and a not in set(entrez["symbol"])])
    assert len(ambiguous) > 1000 and (map_ids(ambiguous, "symbol", table) == "").all()
    known = {"TACSTD1": "EPCAM", "SGK": "SGK1", "H3F3A": "H3-3A", "HARS": "HARS1", "TMEM16A": "ANO1"}
    found = map_ids(pd.Series(list(known)), "symbol", table).map(table.genes["symbol"])
    assert list(found) == list(known.values())
    mapped, disagrees = map_and_compare(pd.Series(["TP53|1956", "LEPR|54741", "NOTAGENE|7157"]), "symbol_entrez", table)
    assert list(mapped.map(table.genes["symbol"])) == ["TP53", "LEPR", "TP53"]
    assert list(disagrees) == [True, True, False]


@pytest.mark.parametrize(
    ("kind", "spelling"),
    [
        *(("ensembl", s) for s in (
            "{e}", "{e}.5", "{e}.5_2", "GRCh38_{e}", "GRCh38_{e}.1", "hg19_{e}", "{e}|{s}", "{e}_{s}", "{s} ({e})",
            "{s}|{e}", "{s}_{e}", "{e}.5|{s}", " {e} ", "{e}\t", "gene:{e}", '"{e}"',
        )),
        *(("symbol", s) for s in ("{s}", "{s} ", "GRCh38_{s}", "hg19_{s}")),
        *(("symbol_entrez", s) for s in (
            "{s}|{z}", "{s} ({z})", "{s} ({z}.0)", "?|{z}", "{z}", " {s} | {z} ", "{s}", "{s}|{z} ", "{z}.0",
        )),
        ("entrez", "{z}"), ("entrez", "{z}.0"),
    ],
)  # fmt: skip
def test_spellings_of_gene_ids(table, kind, spelling):
    genes = table.genes[table.genes["entrez"].notna() & ~table.genes["symbol"].duplicated(keep=False)].iloc[::97]
    ids = pd.Series(
        [
            spelling.format(e=e, s=row.symbol, z=int(float(row.entrez)))
            for e, row in zip(genes.index, genes.itertuples(), strict=True)
        ]
    )
    assert list(map_ids(ids, kind, table)) == list(genes.index)


@pytest.mark.parametrize(
    ("kind", "ids"),
    [("ensembl", ["ENSMUSG00000059552", "ENSMUSG00000020122.5", "ENSG00000141510"]),
     ("ensembl", ["mm10_ENSMUSG00000059552", "mm10___ENSMUSG00000020122", "GRCh38_ENSG00000141510"]),
     ("symbol", ["Trp53", "Egfr", "Brca1", "Myc", "Kras", "TP53"])],
)  # fmt: skip
def test_mouse_genes_are_named_with_a_remedy(table, kind, ids):
    with pytest.raises(UserError, match="mouse") as caught:
        map_genes(toy(ids), kind, "first", table)
    assert "ortholog" in caught.value.remedy


def test_a_wrong_id_type_is_answered_with_the_right_one_and_few_foreign_genes_are_counted(table):
    with pytest.raises(UserError) as caught:
        map_genes(toy(["TP53|7157", "EGFR|1956", "MYC|4609"]), "symbol", "first", table)
    assert "symbol_entrez" in caught.value.remedy
    _, report = map_genes(toy(["GRCh38_ENSG00000141510", "GRCh38_ENSG00000146648", "mm10_ENSMUSG00000059552"]),
                          "ensembl", "first", table)  # fmt: skip
    assert report["other_species"] == report["unknown"] == 1
    _, report = map_genes(toy(["TP53", "EGFR", "1-Mar", "TP53|1956"]), "symbol_entrez", "first", table)
    assert report["spreadsheet_dates"] == ["1-Mar"] and report["disagreements"] == 1


WORDS = ["SNG", "DBL", "singlet", "Doublet", "heterotypic", "AMB", "ambiguous", "Negative", ""]


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=30))
def test_doublet_words_that_are_not_known_are_never_singlets(words):
    labels = pd.Series(words)
    unknown = labels.isin(["AMB", "ambiguous", "Negative"])
    if unknown.sum() > 0.5 * max((labels != "").sum(), 1):
        with pytest.raises(UserError, match="doublet label that is not known"):
            read_labels(labels, "x")
        return
    doublet, unclear, found = read_labels(labels, "x")
    np.testing.assert_array_equal(doublet, labels.isin(["DBL", "Doublet", "heterotypic"]))
    np.testing.assert_array_equal(unclear, unknown)
    assert sum(sum(kind.values()) for kind in found.values()) == len(words)


def test_a_plate_is_no_doublet_column():
    with pytest.raises(UserError, match="'p1'"):
        read_labels(pd.Series(["p1", "p2", "p1"]), "x")


def test_words_that_say_nothing_are_recognised_in_any_dress():
    assert is_absent(pd.Series(ABSENT)).all()
    assert not is_absent(pd.Series(["+", "?", "A", "0", "normal", "negative", "no", "肿瘤"])).any()


def test_rows_of_nothing_but_separators_are_blank_lines(tmp_path):
    (tmp_path / "m.csv").write_text("g,a,b\n,,\ng1,1,2\n , ,\n\ng2,3,4\n,,\n")
    matrix = read_delimited(tmp_path / "m.csv", format="csv", orientation="genes_by_samples")
    assert list(matrix.genes) == ["g1", "g2"] and matrix.x.tolist() == [[1, 3], [2, 4]]


@pytest.mark.parametrize("lines", [1, 2, 4])
def test_comment_lines_that_look_like_headers_are_comments_if_there_are_several(tmp_path, lines):
    """cBioPortal's clinical tables begin with four of them."""
    top = ["#Patient Identifier\tSample Identifier", "#The patient\tThe sample", "#STRING\tSTRING", "#1\t1"][:lines]
    header = ["PATIENT_ID\tSAMPLE_ID"] if lines > 1 else []
    (tmp_path / "s.txt").write_text("\n".join([*top, *header, "P1\tS1", "P2\tS2"]) + "\n")
    table = read_samples(tmp_path / "s.txt")
    assert table.shape == (2, 2) and table.iloc[1].tolist() == ["P2", "S2"]
    assert lines == 1 or list(table) == ["PATIENT_ID", "SAMPLE_ID"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1,234,567", "without signs between thousands"),
        ("1'234", "without signs between thousands"),
        ("12,5", "a decimal comma has to be a point"),
        ("-1,5e+03", "a decimal comma has to be a point"),
    ],
)
def test_numbers_of_other_countries_are_explained(tmp_path, text, said):
    (tmp_path / "m.tsv").write_text(f"g\ta\tb\ng1\t1\t{text}\n")
    with pytest.raises(UserError, match=said):
        read_delimited(tmp_path / "m.tsv", format="tsv", orientation="genes_by_samples")


def test_a_series_matrix_of_geo_is_named(tmp_path):
    text = '!Series_title\t"A"\n!Sample_title\t"a"\n!series_matrix_table_begin\n"ID_REF"\t"GSM1"\n"g"\t1\n'
    (tmp_path / "m.txt").write_text(text)
    with pytest.raises(UserError, match="series matrix"):
        read_delimited(tmp_path / "m.txt", format="tsv", orientation="genes_by_samples")


@pytest.mark.parametrize("line", ["ModelID", "model_id", "depmap_id"])
def test_any_columns_before_the_genes_of_depmap_are_left_aside(tmp_path, line):
    text = f"{line},cell_line_display_name,lineage_1,TP53 (7157),X (ENSG00000000003)\nACH-1,A,Lung,1.5,2.5\n"
    (tmp_path / "m.csv").write_text(text)
    matrix = read_delimited(tmp_path / "m.csv", format="csv", orientation="samples_by_genes")
    assert list(matrix.samples) == ["ACH-1"] and matrix.x.tolist() == [[1.5, 2.5]]


def expression(seed, p=400, n=8):
    """TPM with zeros, each sample a million."""
    rng = np.random.default_rng(seed)
    x = rng.lognormal(2, 2, (n, p)) * (rng.random((n, p)) > 0.2)
    return x / x.sum(1, keepdims=True) * 1e6


@given(seed=st.integers(0, 10**6), offsets=st.permutations([1.0, 0.1, 0.01, 0.001]))
@settings(max_examples=10)
def test_another_offset_than_the_declared_one_is_refused(seed, offsets):
    true, declared = offsets[:2]
    logs = matrix_of(np.log2(expression(seed) + true).astype(np.float32))
    check_unit(logs, "tpm", true, "f")
    with pytest.raises(UserError, match="log_offset|below log2"):
        check_unit(logs, "tpm", declared, "f")


@pytest.mark.parametrize("unit", ["rsem", "fpkm", "tpm"])
@pytest.mark.parametrize(("name", "log"), [("natural", np.log1p), ("decimal", lambda x: np.log10(x + 1))])
def test_logarithms_of_counts_and_of_scaled_counts_are_found_under_any_unit(unit, name, log):
    counts = np.random.default_rng(3).poisson(expression(3) / 3)
    with pytest.raises(UserError, match=name):
        check_unit(matrix_of(log(counts).astype(np.float32)), unit, 1, "f")
    with pytest.raises(UserError, match=f"{name}|look scaled"):
        check_unit(matrix_of(log(expression(4) / 100).astype(np.float32)), unit, 1, "f")


def test_values_beyond_any_library_are_refused():
    x = np.full((3, 5), 7.0)
    x[1, 2] = 1e300
    with pytest.raises(UserError, match="more than any library") as refused:
        check_unit(matrix_of(x), "counts", None, "f")
    assert "'g2'" in refused.value.where and "'s1'" in refused.value.where


@pytest.mark.parametrize(
    "word", ["\\N", "#NUM!", "n/d", "not-reported", "Not Tested", "missing: not collected", "not applicable: x", "tbd"]
)
def test_further_words_for_missing(word):
    assert is_absent(pd.Series([word])).all()


def test_a_donor_without_a_letter_or_digit_is_nobody():
    labels = pd.Series(["?", "—", "P1", "7"])
    assert is_absent(labels, donors=True).tolist() == [True, True, False, False]
    assert not is_absent(labels).any()


@pytest.mark.parametrize(
    ("matrix", "samples", "said"),
    [
        (["X1001", "X1002"], ["1001", "1002"], "check.names"),
        (["A.1", "A.2"], ["A-1", "A-2"], "check.names"),
        (["s1", "s2"], ["S1", "S2"], "write them alike"),
        (["7", "8"], ["007", "008"], "zeros"),
        (["S1_R1", "S2_R1"], ["S1", "S2"], "cutting the longer"),
        (["AACG-1", "AACT-1"], ["AACG", "AACT"], "cutting the longer"),
        (["a", "b"], ["c", "d"], "^$"),
        (["c0", "c1", "c11"], ["c0-1", "c1-1", "c11-1"], "'c0' in the matrix may be 'c0-1'"),
        (["TP53", "EGFR", "NEURL1-AS1", "MYC"], ["s0", "s1", "s2", "s3"], "^$"),
    ],
)
def test_ids_that_two_files_write_differently_are_named(matrix, samples, said):
    assert re.search(said, spelled_otherwise(matrix, samples))


def test_transcripts_and_exons_never_stand_for_their_gene(table):
    ids = [f"ENST{i:011d}.1|ENSG{i:011d}.2|X-201|X|" for i in range(3)]
    ids += ["ENSG00000141510:E001", "ENSG00000141510.5:012"]
    assert (map_ids(pd.Series(ids), "ensembl", table) == "").all()
    with pytest.raises(UserError, match="transcripts or exons"):
        map_genes(toy(ids), "ensembl", "highest_mean", table)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("symbol", "ENSG00000141510"), ("ensembl", "ensg00000141510.3"), ("entrez", "7157_at"),
        ("entrez", "GeneID:7157"), ("symbol", "TP53"),
    ],
)  # fmt: skip
def test_further_spellings_of_gene_ids(table, kind, name):
    assert map_ids(pd.Series([name]), kind, table).tolist() == ["ENSG00000141510"]
    capitals = map_ids(pd.Series(["C1ORF112", "C1orf112"]), "symbol", table)
    assert capitals.nunique() == 1 and (capitals != "").all()


def test_a_mixture_of_kinds_of_ids_is_counted(table):
    ids = ["ENSG00000141510", "ENSG00000000003", "ENSG00000000005", "EGFR"]
    assert map_genes(toy(ids), "ensembl", "first", table)[1]["known_as"] == {"symbol": 1}


@pytest.mark.parametrize("date", ["1-Mar", "01-Mar-23", "2. Sep", "1-mars", "3/1/2023", "2023-03-01 00:00:00", "1-Dez"])
def test_dates_of_spreadsheets_are_recognised(date):
    assert DATE.match(date)


def test_a_folder_of_one_matrix_with_a_prefix_is_read_and_of_several_refused(tmp_path):
    def write(name):
        (tmp_path / f"{name}matrix.mtx").write_text("%%MatrixMarket matrix coordinate integer general\n1 2 1\n1 2 5\n")
        (tmp_path / f"{name}genes.tsv").write_text("g1\n")
        (tmp_path / f"{name}barcodes.tsv").write_text("c1\nc2\n")

    write("GSM1_")
    assert read_tenx(tmp_path).x.toarray().tolist() == [[0], [5]]
    write("GSM2_")
    with pytest.raises(UserError, match="several matrices"):
        read_tenx(tmp_path)


def test_a_key_given_twice_in_a_study_file_is_refused(tmp_path):
    (tmp_path / "s.yaml").write_text("study: t\nprepare: {seed: 1}\nprepare: {}\n")
    with pytest.raises(UserError, match="'prepare' is given twice") as refused:
        study.read_study(tmp_path / "s.yaml")
    assert "line 3" in refused.value.where


def test_a_unit_that_does_not_fit_names_the_other_matrices_of_an_h5ad(tmp_path):
    counts = np.random.default_rng(1).poisson(20, (12, 250)).astype(np.float32)
    obs = pd.DataFrame(
        {"donor": [f"P{i}" for i in range(12)], "type": ["A", "B"] * 6}, index=[f"S{i}" for i in range(12)]
    )
    made = ad.AnnData(np.log1p(counts), obs=obs, var=pd.DataFrame(index=[f"G{i}" for i in range(250)]))
    made.layers["counts"] = counts
    made.write_h5ad(tmp_path / "a.h5ad")
    row = {
        "dataset": "a", "kind": "bulk", "format": "h5ad", "orientation": "samples_by_genes",
        "source": str(tmp_path / "a.h5ad"),
        "gene_ids": "symbol", "unit": "counts", "donor_column": "donor", "condition_column": "type",
        "technology": "bulk", "aggregation": "bulk", "context": "tumour",
    }  # fmt: skip
    with pytest.raises(UserError) as caught:
        ingest_dataset(row, conditions={"min_donors": 1})
    assert "the file also holds counts: name one under 'layer'" in caught.value.remedy
    assert ingest_dataset(row | {"layer": "counts"}, conditions={"min_donors": 1}).n_obs == 12


@pytest.mark.parametrize("sparse_x", [False, True])
def test_an_h5ad_of_anndata_0_6_keeps_its_ids_its_labels_and_its_raw_counts(tmp_path, sparse_x):
    x, path = values(4, 3, 1), tmp_path / "old.h5ad"
    with h5py.File(path, "w") as file:
        file["X"] = np.log1p(x)
        file["raw.X"] = x
        if sparse_x:
            del file["raw.X"]
            group, csr = file.create_group("raw.X"), sparse.csr_matrix(x)
            group["data"], group["indices"], group["indptr"] = csr.data, csr.indices, csr.indptr
            group.attrs["h5sparse_format"], group.attrs["h5sparse_shape"] = "csr", x.shape
        rows = [(f"s{i}".encode(), f"p{i}".encode(), code) for i, code in enumerate([1, 0, 1, -1])]
        file["obs"] = np.array(rows, dtype=[("index", "S4"), ("patient", "S4"), ("type", "i1")])
        file["var"] = file["raw.var"] = np.array([(f"g{j}".encode(),) for j in range(3)], dtype=[("names", "S4")])
        file["uns/type_categories"] = np.array([b"tumour", b"normal"])
    matrix = read_h5ad(path, layer="raw")
    np.testing.assert_array_equal(matrix.x.toarray() if sparse_x else matrix.x, x)
    assert list(matrix.samples) == ["s0", "s1", "s2", "s3"] and list(matrix.genes) == ["g0", "g1", "g2"]
    assert list(matrix.obs["type"]) == ["normal", "tumour", "normal", ""]


def test_an_h5ad_without_encodings_keeps_its_ids(tmp_path):
    obs = pd.DataFrame({"patient": ["a", "b"]}, index=pd.Index(["s0", "s1"], name="sample"))
    ad.AnnData(values(2, 3, 1), obs=obs, var=pd.DataFrame(index=list("xyz"))).write_h5ad(tmp_path / "a.h5ad")
    with h5py.File(tmp_path / "a.h5ad", "a") as file:
        for name in ("encoding-type", "encoding-version"):
            del file["obs"].attrs[name]
    assert list(read_h5ad(tmp_path / "a.h5ad").samples) == ["s0", "s1"]


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("kind", ["entrez", "symbol_entrez", "symbol"])
def test_row_numbers_are_never_taken_for_entrez_ids(table, kind, start):
    with pytest.raises(UserError, match="row numbers"):
        map_genes(toy([str(i) for i in range(start, start + 20)]), kind, "first", table)


def test_a_second_row_of_a_gene_never_becomes_another_gene_that_has_its_name_as_an_alias(table):
    assert map_ids(pd.Series(["NEDD4-2"]), "symbol", table)[0] == table.by_symbol["NEDD4L"]
    ids = ["NEDD4", "NEDD4-1", "NEDD4-2", "NKX2-1", "MGAT1", "MGAT1.2"]  # as scanpy and pandas number them
    mapped = map_ids(pd.Series(ids), "symbol", table)
    assert list(mapped) == [table.by_symbol[s] if s in table.current else "" for s in ids]


def test_probes_of_a_microarray_are_named(table):
    for ids in (["1007_s_at", "200000_at", "AFFX-BioB-3_at"], ["ILMN_1343291", "ILMN_1343295"], ["A_23_P100001"]):
        with pytest.raises(UserError, match="probes of a microarray"):
            map_genes(toy(ids), "symbol", "first", table)


@given(**SHAPES, text=st.sampled_from(['kinase, ""alpha"", beta', 'a ""b""', '""', "x, y", '"",""']))
@settings(max_examples=20)
def test_doubled_quotes_and_separators_within_quotes_stay_in_their_field(tmp_path_factory, n, p, seed, text):
    x = values(n, p, seed)
    lines = [",".join(["gene", "description", *(f"s{i}" for i in range(n))])]
    lines += [",".join([f'"g{j}, {text}"', f'"{text}"', *(f'"{v:g}"' for v in x[:, j])]) for j in range(p)]
    path = tmp_path_factory.mktemp("m") / "m.csv"
    path.write_text("\n".join(lines) + "\n")
    source = open_delimited(path, format="csv", orientation="genes_by_samples")
    matrix = read_all(source, np.arange(1, n + 1))
    frame = pd.read_csv(path, index_col=0)
    assert list(matrix.genes) == list(frame.index)
    np.testing.assert_array_equal(matrix.x, frame.iloc[:, 1:].to_numpy().T)


def test_a_lone_quote_is_part_of_its_field(tmp_path):
    (tmp_path / "m.tsv").write_text('gene\tdescription\ts0\ts1\n"G1\t5 end\t1\t2\nG2\t"x\t3\t4\n')
    source = open_delimited(tmp_path / "m.tsv", format="tsv", orientation="genes_by_samples")
    matrix = read_all(source, np.array([1, 2]))
    assert list(matrix.genes) == ['"G1', "G2"] and matrix.x.tolist() == [[1, 3], [2, 4]]


def test_a_stray_separator_in_one_row_never_shifts_the_names_of_a_sample_table(tmp_path):
    (tmp_path / "s.tsv").write_text("id\tpatient\ttype\ns1\tp1\tA\ns2\tp2\tA\tB\ns3\tp3\tB\n")
    with pytest.raises(UserError, match="4 fields, where the header and line 2 have 3") as caught:
        read_samples(tmp_path / "s.tsv")
    assert caught.value.where.endswith("line 3")


def test_points_between_thousands_are_refused_and_three_decimals_are_not():
    counts = np.random.default_rng(1).lognormal(6, 1.5, (12, 300)).round().clip(1, 999_999)
    dotted = np.where(counts >= 1000, np.round(counts / 1000, 3), counts)
    for unit in ("expected_counts", "rsem", "fpkm"):
        for block in (dotted, dotted.astype(np.float32)):
            with pytest.raises(UserError, match="between thousands"):
                check_unit(matrix_of(block), unit, None, "file")
        assert check_unit(matrix_of(counts), unit, None, "file")
        assert check_unit(matrix_of(np.round(counts / 1000, 3).clip(1)), unit, None, "file")
        assert check_unit(matrix_of(np.round(counts / 7, 3)), unit, None, "file")


def test_a_sample_table_is_read_by_its_name_in_capitals_and_another_separator_is_explained(tmp_path):
    (tmp_path / "S.CSV").write_text("id,patient\ns1,p1\n")
    assert read_samples(tmp_path / "S.CSV").to_numpy().tolist() == [["s1", "p1"]]
    (tmp_path / "s.txt").write_text("id,patient\ns1,p1\n")
    with pytest.raises(UserError, match="comma-separated") as caught:
        read_samples(tmp_path / "s.txt")
    assert "named .csv" in caught.value.remedy
    (tmp_path / "s.csv").write_text("Sample ID;Patient No. in the list\ns 1;p 1\n")  # blanks in names are no delimiter
    with pytest.raises(UserError, match="semicolon-separated"):
        read_samples(tmp_path / "s.csv")


def test_donors_and_conditions_that_differ_in_capitals_blanks_or_zeros_only_are_said():
    obs = pd.DataFrame({"donor": ["007", "7", "p1", "P1", "70", "a b"], "condition": ["Tumor", "tumor", *"abcd"]})
    donors, conditions = near_duplicate_labels(obs)
    assert donors.endswith("'007', '7'; 'P1', 'p1'") and conditions.endswith("'Tumor', 'tumor'")
    assert near_duplicate_labels(obs.iloc[[0, 2, 4, 5]]) == []


@pytest.mark.parametrize(
    ("alike", "different"),
    [
        (["1001", "1001.0"], ["1.5", "15"]),
        (["P-1", "P_1", "P1"], ["P1-1", "P11"]),
        (["Müller", "Mu\u0308ller"], ["Müller", "Muller"]),
        (["non-tumour", "non\N{EN DASH}tumour"], ["CD4+", "CD4-", "CD4"]),
    ],
)
def test_donors_in_another_spelling_are_said(alike, different):
    for donors, said in ((alike, True), (different, False)):
        obs = pd.DataFrame({"donor": donors, "condition": "A"})
        assert bool(near_duplicate_labels(obs)) == said


@pytest.mark.parametrize(
    ("samples", "patient"),
    [
        (["TCGA-A0-0001-01A", "TCGA-A0-0001-11A", "TCGA-A1-0001-01A"], "TCGA-A0-0001"),
        (["GTEX-1117F-0226-SM-5GZZ7", "GTEX-1117F-0426-SM-5EGHI", "GTEX-111CU-1"], "GTEX-1117F"),
    ],
)
def test_samples_that_are_called_donors_are_said_where_a_patient_has_several(samples, patient):
    (note,) = near_duplicate_labels(pd.DataFrame({"donor": samples, "condition": "A"}))
    assert f"2 donors are samples of 1 patients ('{samples[0]}' of {patient})" in note
    assert near_duplicate_labels(pd.DataFrame({"donor": samples[1:], "condition": "A"})) == []


@pytest.mark.parametrize("offset", [None, 1.0])
def test_fpkm_that_are_called_tpm_are_a_warning(offset):
    tpm = alike(1, p=12_500)
    fpkm = tpm * np.random.default_rng(1).uniform(0.3, 0.75, (12, 1))
    for x, unit, warned in ((tpm, "tpm", False), (0.8 * tpm, "tpm", False), (fpkm, "tpm", True), (fpkm, "fpkm", False)):
        check = UnitCheck(unit, offset, "file")
        check.add(matrix_of(x if offset is None else np.log2(x + 1)), "samples")
        check.verdict()
        assert any("FPKM" in warning for warning in check.warnings) == warned


@pytest.mark.parametrize(
    "types",
    [["", "", "Antibody Capture"], ["gene_expression", "gene_expression", "antibody_capture"], ["RNA", "RNA", "ADT"]],
)
def test_antibodies_are_no_genes_however_the_types_are_written(types):
    keep, others = genes_among(pd.Series(types), "file")
    assert keep.tolist() == [True, True, False] and sum(others.values()) == 1
