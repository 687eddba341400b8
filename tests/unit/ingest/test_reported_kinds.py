"""Files of kinds that people report in public: read right, or refused with a remedy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import io as scipy_io
from scipy import sparse
from support.in_memory import check_unit, map_genes, toy

from pseudocohort.command.main import main
from pseudocohort.core.errors import UserError
from pseudocohort.ingest.matrix import Matrix
from pseudocohort.ingest.units import UnitCheck
from pseudocohort.prepare.cell_quality import read_labels
from pseudocohort.prepare.gene_ids import map_ids, spreadsheet_dates

BULK = {
    "dataset": "mine", "kind": "bulk", "format": "tsv", "orientation": "genes_by_samples", "source": "m.tsv",
    "samples": "s.tsv", "gene_ids": "symbol", "unit": "counts", "sample_column": "sample", "donor_column": "donor",
    "condition_column": "type", "technology": "bulk", "aggregation": "bulk", "context": "tumour",
}  # fmt: skip
CELLS = BULK | {
    "kind": "single_cell", "format": "mtx", "source": "m", "technology": "umi_3prime", "aggregation": "cell",
    "context": "in_vitro",
}  # fmt: skip


@pytest.fixture
def genes(table):
    """300 genes with a symbol: a frame of ``ensembl`` and ``symbol``."""
    known = table.genes[table.genes["symbol"] != ""].drop_duplicates("symbol").head(300)
    return known["symbol"].rename_axis("ensembl").reset_index()


@pytest.fixture
def counts(genes):
    """Genes × 12 samples."""
    rng = np.random.default_rng(1)
    x = rng.poisson(rng.lognormal(3, 1, (300, 1)), (300, 12))
    return pd.DataFrame(x, index=genes["symbol"].rename("gene"), columns=[f"s{i}" for i in range(12)])


SAMPLES = "sample\tdonor\ttype\n" + "".join(f"s{i}\tT-{i // 2}\t{'AB'[i % 2]}\n" for i in range(12))


@pytest.fixture
def check(tmp_path, monkeypatch, capsys):
    """Check a matrix (frame or text) and a sample table; what it says of them, and the exit code."""
    monkeypatch.chdir(tmp_path)

    def run(matrix=None, samples=SAMPLES, row=BULK):
        if matrix is not None:
            text = matrix if isinstance(matrix, str) else matrix.to_csv(sep="\t")
            (tmp_path / row["source"]).write_text(text)
        (tmp_path / row["samples"]).write_text(samples)
        (tmp_path / "sheet.tsv").write_text("\t".join(row) + "\n" + "\t".join(row.values()) + "\n")
        (tmp_path / "study.yaml").write_text("datasets_sheet: sheet.tsv\nprepare: {cell_quality: {min_counts: 1}}\n")
        code = main(["check", "mine", "--configfile", "study.yaml"])
        said = capsys.readouterr()
        assert "Warning" not in said.err
        return said.out + said.err, code

    return run


def write_cells(folder, genes, line="{ensembl}\t{symbol}\t{kind}\n", kinds=(), values=None):
    """A 10x folder of 60 cells, and its sample table."""
    folder.mkdir()
    x = np.random.default_rng(2).poisson(2, (len(genes), 60)) if values is None else values
    scipy_io.mmwrite(folder / "matrix.mtx", sparse.coo_matrix(x), field="integer")
    (folder / "barcodes.tsv").write_text("".join(f"c{i}-1\n" for i in range(60)))
    kinds = [*kinds, *["Gene Expression"] * (len(genes) - len(kinds))]
    rows = [line.format(ensembl=e, symbol=s, kind=k) for (e, s), k in zip(genes.to_numpy(), kinds, strict=True)]
    (folder / "features.tsv").write_text("".join(rows))
    return "sample\tdonor\ttype\n" + "".join(f"c{i}-1\tLINE{i % 3}\tA\n" for i in range(60))


# Doublets


@pytest.mark.parametrize("name", ["DF.classifications_0.25_0.09_137", "doublet_finder"])
def test_doubletfinder_labels_are_read_under_their_own_column_names(check, tmp_path, genes, name):
    samples = write_cells(tmp_path / "m", genes).splitlines()
    samples = [
        f"{line}\t{name if not i else 'Doublet' if i % 20 == 0 else 'Singlet'}" for i, line in enumerate(samples)
    ]
    text, code = check(samples="\n".join(samples) + "\n", row=CELLS | {"gene_ids": "ensembl", "doublet_column": name})
    assert code == 0 and "removed: 3 doublet" in text and "singlet: Singlet 57" in text


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["1"] * 9 + ["2"], "numbers 1, 2, which do not say what is a doublet"),
        (["2.0"] * 9 + ["1.0"], "numbers 1.0, 2.0"),
        (["0", "1", "2"] * 4, "numbers 0, 1, 2"),
        (["1"] * 10, "every cell is labelled a doublet, by '1'"),
        ([f"0.{i}1" for i in range(10)], "a doublet label that is not known"),
    ],
)
def test_doublet_labels_that_do_not_say_which_are_doublets_are_refused(labels, said):
    with pytest.raises(UserError, match=said) as refused:
        read_labels(pd.Series(labels), "mine")
    assert refused.value.remedy and "doublet_column" in refused.value.where


@pytest.mark.parametrize(
    ("labels", "doublets"),
    [
        (["0", "0", "1", "0"], 1),
        (["", "", "doublet", ""], 1),
        (["SNG-A", "SNG-B", "DBL-A-B-0.5", "SNG-A"], 1),
        (["True", "False", "False", "False"], 1),
    ],
)
def test_doublet_labels_of_every_tool_are_counted(labels, doublets):
    doublet, unclear, _ = read_labels(pd.Series(labels), "mine")
    assert doublet.sum() == doublets and not unclear.any()


# Features


@pytest.mark.parametrize(
    "line", ['"{ensembl}","{symbol}","{kind}"\n', "{ensembl},{symbol},{kind}\n", "{ensembl};{symbol};{kind}\n"]
)
@pytest.mark.parametrize("gene_ids", ["ensembl", "symbol"])
def test_features_separated_by_commas_keep_their_types(check, tmp_path, genes, line, gene_ids):
    antibodies = genes.head(4).assign(ensembl=lambda t: t["symbol"])  # antibodies have the symbol of their protein
    rows = pd.concat([antibodies, genes]) if gene_ids == "ensembl" else pd.concat([antibodies, genes]).iloc[:, [1, 0]]
    samples = write_cells(tmp_path / "m", rows, line, ["Antibody Capture"] * 4)
    text, code = check(samples=samples, row=CELLS | {"gene_ids": gene_ids})
    assert code == 0 and "4 features of the type Antibody Capture" in text
    assert "gene ids  300 genes of 300 ids; 0 unknown" in text


# Dates


def test_dates_in_place_of_symbols_are_named_with_the_remedy(check, counts, caplog):
    dates = ["44256", "2-Mar", "Mar-02", "2021-03-02", "44441.0", "Sep-11", "4-Oct", "3/2/2021"]
    counts.index = [*dates, *counts.index[8:]]
    text, code = check(counts)
    assert code == 0 and "292 genes of 300 ids; 8 unknown" in text
    assert f"such as MARCH1 and SEPT2: {', '.join(dates)}" in text and "MARCHF1, MTARC1, SEPTIN2, DELEC1" in text


def test_numbers_are_dates_only_if_most_of_them_are_days_of_such_symbols():
    assert spreadsheet_dates(pd.Series(["44256", "43900", "TP53", "44440"])).tolist() == [True, True, False, True]
    entrez = pd.Series(["7157", "1956", "44256", "55016", "51384", "672"])
    assert not spreadsheet_dates(entrez).any()


# Rows that are no samples


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.replace("s3\t", "\n\t\t\n  \ns3\t"), ""),
        (lambda t: t.replace("s6\t", "sample\tdonor\ttype\ns6\t"), "no values for 1 rows of the sample table: sample"),
        (lambda t: t + "Total\t12\t\n", "no values for 1 rows of the sample table: Total"),
        (lambda t: t + "* T-5 was sampled twice\n", "* T-5 was sampled twice"),
    ],
)
def test_rows_of_a_sample_table_that_are_no_samples_are_left_out_and_named(check, counts, change, said):
    text, code = check(counts, change(SAMPLES))
    assert code == 0 and "12 profiles x 300 genes of 6 donors" in text and said in text
    assert bool(said) == ("note " in text)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t + "\tTotal\t12\n", "or remove it if it is a total or a note"),
        (lambda t: "Supplementary Table 1. Samples\n" + t, "remove a title above the header"),
        (lambda t: "Table S1\t\t\n\n" + t, "remove a title above the header"),
    ],
)
def test_titles_and_totals_that_cannot_be_told_from_samples_are_refused(check, counts, change, said):
    text, code = check(counts, change(SAMPLES))
    assert code == 1 and said in text


# Further kinds


def test_long_ids_that_a_spreadsheet_has_rounded_are_explained(check, counts):
    text, code = check(counts, SAMPLES.replace("\ns", "\n1.23457E+11\t").replace("E+11\t0", "E+11", 1))
    assert code == 1
    text, code = check(counts, "sample\tdonor\ttype\n1.23457E+11\ta\tA\n1.23457E+11\tb\tA\n")
    assert code == 1 and "a spreadsheet has rounded long numbers" in text


def test_the_logarithm_of_zero_is_explained(check, counts):
    counts.iloc[3, 2] = 0
    with np.errstate(divide="ignore"):
        text, code = check(np.log2(counts), row=BULK | {"unit": "tpm", "log_offset": "1"})
    assert code == 1 and "the logarithm of 0" in text and "log_offset 1" in text


def matrix_of(frame):
    return Matrix(frame.to_numpy(dtype=float).T, frame.columns, frame.index)


def warnings_of(frame, unit, offset=None):
    check = UnitCheck(unit, offset, "file")
    for by, blocks in (("samples", np.array_split(np.arange(frame.shape[1]), 2)), ("genes", [np.arange(12)])):
        check = UnitCheck(unit, offset, "file")
        for columns in blocks:
            check.add(matrix_of(frame.iloc[:, columns]), by)
        check.verdict()
    return " ".join(check.warnings)


def test_rounded_tpm_and_scaled_counts_that_are_declared_counts_are_a_warning(counts):
    assert "rounded" not in warnings_of(counts, "counts")
    for total, name in ((1e6, "million"), (1e4, "ten thousand")):
        scaled = (counts / counts.sum() * total).round()
        scaled.loc[scaled.sum(axis=1).idxmax()] += total - scaled.sum()  # whole, and the very same sums
        assert f"all samples sum to a {name}: are these counts" in warnings_of(scaled, "counts")


def test_samples_on_another_scale_than_the_others_are_named(counts):
    linear, logs = counts * 7.31, np.log2(counts * 7.31 + 1)
    mixed = pd.concat([logs.iloc[:, :3], linear.iloc[:, 3:]], axis=1)
    assert "in 3 samples (s0, s1, s2) the largest value is" in warnings_of(mixed, "fpkm")
    few = pd.concat([linear.iloc[:, :3].clip(upper=39), logs.iloc[:, 3:]], axis=1)
    assert "in 3 samples (s0, s1, s2) the largest value is 39" in warnings_of(few, "fpkm", 1.0)
    for frame, offset in ((linear, None), (logs, 1.0)):
        assert "mixed" not in warnings_of(frame, "fpkm", offset)
    assert check_unit(matrix_of(linear), "fpkm", None, "file")


def test_na_is_no_gene_though_it_is_an_alias(table):
    assert table.by_symbol["NA"] == table.by_symbol["XK"]
    assert map_ids(pd.Series(["NA", "XK", "NA|7504"]), "symbol", table).tolist() == ["", table.by_symbol["XK"], ""]
    assert map_ids(pd.Series(["NA|7157"]), "symbol_entrez", table).tolist() == [table.by_symbol["TP53"]]


def test_characters_without_width_are_no_part_of_a_name(check, counts):
    marked = counts.to_csv(sep="\t").replace(f"\n{counts.index[4]}\t", f"\n{counts.index[4]}\u200b\t")
    marked = marked.replace("\ts7\t", "\ts7\u200b\t")
    samples = SAMPLES.replace("s3\t", "s3\u200b\t").replace("s4\t", "\ufeffs4\t").replace("\tB\n", "\tB\u200b\n", 2)
    text, code = check(marked, samples)
    assert code == 0 and "12 profiles x 300 genes" in text and "0 unknown" in text


def test_blanks_after_commas_do_not_hide_quotes(check, counts):
    samples = SAMPLES.replace("\t", ", ").replace(", A", ', "A, primary"')
    text, code = check(counts, samples, BULK | {"samples": "s.csv"})
    assert code == 0 and "A_primary" in text.replace(",_", "_")


def test_a_second_header_line_leads_to_annotation_rows(check, counts):
    head, _, body = counts.to_csv(sep="\t").partition("\n")
    matrix = f"{head}\ngroup\t" + "\t".join(["control", "case"] * 6) + f"\n{body}"
    text, code = check(matrix)
    assert code == 1 and "'control' is not a number" in text and "annotation_rows" in text
    text, code = check(matrix, row=BULK | {"annotation_rows": "1"})
    assert code == 0 and "12 profiles x 300 genes" in text


def test_as_many_columns_as_a_spreadsheet_holds_are_said(check, counts):
    values = np.tile(counts.to_numpy(), 22)[:, :255]
    wide = pd.DataFrame(values, index=counts.index, columns=[f"c{i}" for i in range(255)])
    samples = "sample\tdonor\ttype\n" + "".join(f"c{i}\tL{i % 3}\tA\n" for i in range(300))
    text, code = check(wide, samples)
    assert code == 0 and "no values for 45 rows" in text and "256 columns are what a spreadsheet holds" in text


def test_symbols_in_small_letters_are_explained(counts, table):
    with pytest.raises(UserError, match="are not known as symbol") as refused:
        map_genes(toy([name.lower() for name in counts.index]), "symbol", "first", table)
    assert "in capitals" in refused.value.remedy


def test_a_sample_without_reads_is_left_out_without_a_warning_of_numpy(check, counts):
    counts["s9"] = 0
    text, code = check(counts)
    assert code == 0 and "removed for few genes: mine:s9" in text
