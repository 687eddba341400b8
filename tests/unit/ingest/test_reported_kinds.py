"""Files of kinds that people report in public: read right, or refused with a remedy."""

from __future__ import annotations

import gzip
import re

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import io as scipy_io
from scipy import sparse
from support.in_memory import check_unit, map_genes, toy

from pseudocohort.command.main import main
from pseudocohort.core.errors import UserError
from pseudocohort.ingest.matrix import Matrix, read_all
from pseudocohort.ingest.samples import read_samples
from pseudocohort.ingest.tenx_hdf5 import TenxHdf5
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

    def run(matrix=None, samples=SAMPLES, row=BULK, prepare="cell_quality: {min_counts: 1}"):
        if matrix is not None:
            text = matrix if isinstance(matrix, str) else matrix.to_csv(sep="\t")
            (tmp_path / row["source"]).write_text(text)
        (tmp_path / row["samples"]).write_text(samples)
        (tmp_path / "sheet.tsv").write_text("\t".join(row) + "\n" + "\t".join(row.values()) + "\n")
        (tmp_path / "study.yaml").write_text(f"datasets_sheet: sheet.tsv\nprepare: {{{prepare}}}\n")
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


def transcriptome(counts, offset=None, genes=300):
    """TPM of the counts, of which some are 0; or their logarithms."""
    tpm = counts.mask(counts < counts.quantile(0.1), 0) / counts.sum() * 1e6
    tpm = (tpm / tpm.sum() * 1e6).head(genes)
    return tpm if offset is None else np.log2(tpm + offset)


def changed(frame, others, samples=4):
    """The first samples of a second frame among those of the first."""
    return pd.concat([others.iloc[:, :samples], frame.iloc[:, samples:]], axis=1)


def test_a_batch_of_another_unit_than_the_other_samples_is_named(counts):
    tpm = transcriptome(counts)
    scaled = (counts / counts.sum() * 1e6).round()
    first = r"\(s0, s1, s2 and 1 more\)"
    for frame, unit, offset, said in (
        (changed(counts, scaled), "counts", None, f"values of 4 samples {first} sum to a million: TPM or CPM, rounded"),
        (changed(counts, tpm), "expected_counts", None, f"4 samples {first} sum to a million: TPM or CPM among counts"),
        (changed(tpm, 200 * counts), "tpm", None, f"4 samples {first} sum to more than a million: another unit"),
        (changed(np.log2(tpm + 1), np.log(tpm + 1)), "tpm", 1.0, f"4 samples {first} sum to a million if .* natural"),
        (changed(np.log2(tpm + 0.001), np.log2(tpm + 1)), "tpm", 0.001, f"4 samples {first} the smallest value is 0,"),
        (changed(tpm, tpm * 1e-6, 1), "fpkm", None, r"1 sample \(s0\) the largest value is .*another scale"),
        (changed(tpm, tpm * 1e6, 1), "rsem", None, r"1 sample \(s0\) the largest value is .*another scale"),
    ):
        assert re.search(said, warnings_of(frame, unit, offset)), said
    by_chance = changed(np.log2(tpm / 9 + 1), np.log2(tpm + 1), 3)  # some genes, which sum to anything
    by_chance.iloc[:, 3:7] = np.log(tpm + 1).iloc[:, 3:7]
    assert "natural" not in warnings_of(by_chance, "tpm", 1.0)
    for frame, unit, offset in (
        (counts, "counts", None), (tpm, "tpm", None), (counts * 1.37, "expected_counts", None),
        (np.log2(tpm + 1), "tpm", 1.0), (np.log2(tpm + 0.001).round(2), "tpm", 0.001),
    ):  # fmt: skip
        assert warnings_of(frame, unit, offset) == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x: np.log2(x + 1).round(), "logarithms, rounded"),
        (lambda x: (x > 20).astype(float), "detected or not"),
        (lambda x: x.rank(method="first"), "all samples sum to 45,150: ranks"),
    ],
)
def test_whole_numbers_that_are_no_counts_are_a_warning(counts, change, said):
    assert said in warnings_of(change(counts), "counts")


def test_shares_and_per_cent_are_no_tpm(counts):
    tpm = transcriptome(counts)
    for divisor, said in ((1e4, "a hundred"), (1e6, "a total of 1")):
        with pytest.raises(UserError, match=f"all samples sum to {said}") as refused:
            check_unit(matrix_of(tpm / divisor), "tpm", None, "file")
        assert "multiply" in refused.value.remedy
    tpm.iloc[0] = 40 * tpm.max()  # one gene above the limit of logarithms
    assert "all samples sum to a hundred, not to a million" in warnings_of(tpm / tpm.sum() * 100, "tpm")


def test_ranks_and_quantile_normalised_values_are_a_warning(counts):
    ranks = counts.rank(method="first") * 7.3
    assert "the largest value is 2190 in every sample: ranks" in warnings_of(ranks, "fpkm")


def test_units_of_a_small_panel_are_taken_as_declared_with_a_word(counts):
    panel = transcriptome(counts, genes=60)
    assert "60 genes are too few to check sums and logarithms" in warnings_of(panel, "tpm")
    assert "look like logarithms" in warnings_of(np.log2(panel + 1), "tpm")
    assert "seem to be mixed" in warnings_of(changed(panel, np.log2(panel + 1)), "tpm")
    assert "too few" not in warnings_of(counts.head(60), "counts")


def test_a_covariate_that_is_no_number_is_said_before_anything_runs(check, tmp_path, counts):
    samples = "".join(
        f"{line}\t{'age' if not i else '>90' if i == 4 else 50 + i}\n" for i, line in enumerate(SAMPLES.splitlines())
    )
    row = BULK | {"covariates": "age"}
    for kind, said in (("numeric", "'>90' of sample 'mine:s3' is not a number"), ("categorical", "12 profiles")):
        text, _ = check(counts, samples, row, f"covariates: {{age: {kind}}}")
        assert said in text


# Ids that are lost


@pytest.mark.parametrize("gene_ids", ["symbol", "entrez", "symbol_entrez"])
def test_a_sample_in_the_place_of_the_gene_ids_is_refused(check, counts, gene_ids):
    text, code = check(counts.to_csv(sep="\t", index=False), row=BULK | {"gene_ids": gene_ids})
    assert code == 1 and "is called 's0', which is a sample: the ids are lost" in text


def test_row_numbers_never_put_a_sample_in_the_place_of_its_neighbour(check, counts):
    numbers = "sample\tdonor\ttype\n" + "".join(f"{i + 1}\tT{i}\t{'AB'[i % 2]}\n" for i in range(12))
    text, code = check(counts.set_axis(range(12), axis=1), numbers)
    assert code == 1 and "samples count from 0 in the matrix and from 1 in the sample table" in text
    text, code = check(counts.set_axis(range(1, 13), axis=1), numbers)
    assert code == 0 and "12 profiles" in text
    text, code = check(counts.set_axis(range(12), axis=1))
    assert code == 1 and "the ids of the matrix count its samples" in text


def test_an_h5ad_that_is_transposed_is_named(check, tmp_path, counts):
    ad.AnnData(counts.astype(float)).write_h5ad(tmp_path / "m.h5ad")
    row = BULK | {"format": "h5ad", "orientation": "samples_by_genes", "source": "m.h5ad"}
    text, code = check(row=row)
    assert code == 1 and "its var holds the samples: transpose it" in text


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


@pytest.mark.parametrize("separator", ["\t", ","])
def test_quotes_that_open_in_one_row_and_close_in_another_never_swallow_rows(tmp_path, separator):
    rows = [["sample", "note", "type"], *([f"s{i}", "fine", "AB"[i % 2]] for i in range(12))]
    rows[3][1], rows[8][1] = '"unclear', 'or not"'
    rows[5] = rows[5][:2]  # spreadsheets leave out separators after the last filled cell
    path = tmp_path / ("s.csv" if separator == "," else "s.tsv")
    path.write_text("\n".join(separator.join(row) for row in rows) + "\n")
    if separator == ",":
        with pytest.raises(UserError, match="a quote opens here and closes in a later row") as refused:
            read_samples(path)
        assert refused.value.where.endswith("line 4")
    else:
        assert read_samples(path).to_numpy().tolist() == [*rows[1:5], [*rows[5], ""], *rows[6:]]
    rows[3][1], rows[8][1], rows[5] = '"two\nlines"', "fine", ["s4", "fine", "A"]
    path.write_text("\n".join(separator.join(row) for row in rows) + "\n")
    table = read_samples(path)
    assert table["note"][2] == "two\nlines" and len(table) == 12 and table["type"].tolist() == ["A", "B"] * 6


def test_a_context_that_differs_in_zeros_is_said(check, counts):
    samples = SAMPLES.replace("\n", "\t1\n").replace("type\t1", "type\tcode").replace("A\t1", "A\t11")
    text, code = check(counts, samples, BULK | {"context": "@code:01=tumour,11=normal"})
    assert code == 0 and "samples with code '1' are left out, as context lists '01'" in text


# Files of one sample, without a header, of other countries


@pytest.mark.parametrize(
    "columns",
    [
        ["gene_name", "gene_type", "unstranded", "stranded_first", "stranded_second", "tpm_unstranded"],
        ["Length", "EffectiveLength", "TPM", "NumReads"],
        ["length", "eff_length", "est_counts", "tpm"],
        ["transcript_id(s)", "length", "effective_length", "expected_count", "TPM", "FPKM"],
    ],
)
def test_the_file_of_one_sample_is_named(check, counts, columns):
    text, code = check(counts.iloc[:, : len(columns)].set_axis(columns, axis=1))
    assert code == 1 and "it is the file of one sample" in text and columns[-1] in text


@pytest.mark.parametrize("samples", [1, 12])
def test_a_matrix_without_a_header_is_explained(check, counts, samples):
    text, code = check(counts.iloc[:, :samples].to_csv(sep="\t", header=False))
    assert code == 1 and "put a header above them" in text


@pytest.mark.parametrize("what", ["matrix", "samples"])
def test_semicolons_are_named_whatever_the_decimals(check, counts, what):
    if what == "matrix":
        matrix = (counts + 0.5).to_csv(sep=";", decimal=",")
        text, code = check(matrix, row=BULK | {"format": "csv", "unit": "expected_counts"})
    else:
        text, code = check(counts, SAMPLES.replace("\t", ";").replace("T-", "1,"), BULK | {"samples": "s.csv"})
    assert code == 1 and "it looks semicolon-separated" in text and "write.csv2" in text


def test_a_title_above_tabs_is_no_header_of_semicolons(check, counts):
    text, code = check("Table S1; expression\n" + counts.to_csv(sep="\t"))
    assert code == 1 and "remove a title above the header" in text


def test_symbols_that_are_declared_entrez_are_called_symbols(counts, table):
    with pytest.raises(UserError) as refused:
        map_genes(toy(list(counts.index)), "entrez", "first", table)
    assert "declare gene_ids symbol" in refused.value.remedy


def test_a_count_that_is_not_whole_is_printed_so(counts):
    counts = counts + 1e-9
    with pytest.raises(UserError, match=r"value \d+\.0000000\d+ is not whole"):
        check_unit(matrix_of(counts), "counts", None, "file")


def test_the_prior_of_log_cpm_is_explained(counts):
    logs = np.log2((counts * 0.02 + 0.5) / (counts.sum() + 1) * 1e6 / 1e4)
    with pytest.raises(UserError) as refused:
        check_unit(matrix_of(logs), "cpm", 1.0, "file")
    assert "voom" in refused.value.remedy


# GEO

SERIES = """!Series_title\t"A study"

!Sample_title\t{titles}
!Sample_geo_accession\t{accessions}
!Sample_characteristics_ch1\t{tissues}
!Sample_characteristics_ch1\t{mixed}
!Sample_characteristics_ch2\t{mixed}
!Sample_relation\t{accessions}
!Sample_relation\t{titles}
!series_matrix_table_begin
"ID_REF"\t{accessions}
!series_matrix_table_end
"""


def series(n=12):
    def line(cells):
        return "\t".join(f'"{cell}"' for cell in cells)

    return SERIES.format(
        titles=line(f"s{i}, a \N{GREEK SMALL LETTER ALPHA}" for i in range(n)),
        accessions=line(f"s{i}" for i in range(n)),
        tissues=line(f"type: {'AB'[i % 2]}" for i in range(n)),
        mixed=line("" if i == 3 else f"donor: T:{i}" if i % 2 else f"title: t{i}" if i else "alone" for i in range(n)),
    )


def test_the_samples_of_a_series_matrix_are_read(check, tmp_path, counts):
    (tmp_path / "series.txt.gz").write_bytes(gzip.compress(series().encode()))
    table = read_samples(tmp_path / "series.txt.gz")
    assert list(table) == [
        "geo_accession", "title", "type", "characteristics_ch1", "donor", "title:ch1", "characteristics_ch2",
        "donor:ch2", "title:ch2", "relation", "relation.1",
    ]  # fmt: skip
    assert table["type"].tolist() == ["A", "B"] * 6 and table["title"][4] == "s4, a \N{GREEK SMALL LETTER ALPHA}"
    assert table["donor"].tolist() == ["" if i % 2 == 0 or i == 3 else f"T:{i}" for i in range(12)]
    assert table["title:ch1"].tolist() == ["", "", "t2", "", "t4", "", "t6", "", "t8", "", "t10", ""]
    row = {k: v for k, v in BULK.items() if k != "sample_column"} | {"donor_column": "title"}
    text, code = check(counts, series(), row)
    assert code == 0 and "12 profiles x 300 genes of 12 donors" in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (series().replace('\t"type: B"\n', "\n", 1), "11 samples, where 12 have an accession"),
        ("^SAMPLE = GSM1\n!Sample_title = x\n", "no sample of GEO is annotated here"),
        (series().replace("geo_accession", "other"), "no sample of GEO is annotated here"),
    ],
)
def test_a_series_matrix_that_is_cut_or_soft_is_refused(check, counts, text, said):
    text, code = check(counts, text)
    assert code == 1 and said in text


# Cell Ranger's HDF5


def write_hdf5(path, genes, x, version=3, genomes=("GRCh38",), antibodies=0):
    """A 10x HDF5 file of cells × genes, with antibodies behind the genes."""
    cells = np.array([f"c{i}-1" for i in range(len(x))], "S")
    names = [f"CD{i}" for i in range(antibodies)]
    x = sparse.csr_matrix(np.hstack([x, np.full((len(x), antibodies), 9)]))
    with h5py.File(path, "w") as file:
        for genome in genomes if version == 2 else ["matrix"]:
            group = file.create_group(genome)
            group["barcodes"], group["shape"] = cells, np.array(x.shape[::-1])
            group["data"], group["indices"], group["indptr"] = x.data, x.indices, x.indptr
            ids, symbols = ("genes", "gene_names") if version == 2 else ("features/id", "features/name")
            group[ids], group[symbols] = (np.array([*genes[c], *names], "S") for c in ("ensembl", "symbol"))
            if version == 3:
                group["features/feature_type"] = np.array(
                    ["Gene Expression"] * len(genes) + ["Antibody Capture"] * antibodies, "S"
                )


@pytest.mark.parametrize(
    ("version", "genomes", "antibodies"), [(3, (), 0), (3, (), 4), (2, ("hg19",), 0), (2, ("GRCh38", "mm10"), 0)]
)
def test_hdf5_of_cell_ranger_is_read_cell_by_cell(tmp_path, monkeypatch, genes, version, genomes, antibodies):
    x = np.random.default_rng(2).poisson(0.7, (60, 300))
    write_hdf5(tmp_path / "f.h5", genes, x, version, genomes, antibodies)
    for block in (1, 500, 1 << 24):
        monkeypatch.setattr("pseudocohort.ingest.tenx_hdf5.BLOCK", block)
        wanted = np.flatnonzero(np.arange(60) % 7)
        source = TenxHdf5(tmp_path / "f.h5", exact=True)
        matrix = read_all(source, wanted)
        np.testing.assert_array_equal(matrix.x.toarray(), x[wanted])
        assert list(matrix.samples) == [f"c{i}-1" for i in wanted] and list(matrix.genes) == genes["ensembl"].tolist()
        assert list(matrix.symbols) == genes["symbol"].tolist()
        assert sum(source.set_aside.values()) == antibodies + (len(genomes) > 1)


def test_hdf5_of_cell_ranger_in_a_sheet(check, tmp_path, genes):
    samples = write_cells(tmp_path / "m", genes)
    x = np.random.default_rng(2).poisson(2, (300, 60))
    write_hdf5(tmp_path / "f.h5", genes, x.T, antibodies=3)
    row = CELLS | {"gene_ids": "ensembl"}
    folder, _ = check(samples=samples, row=row)
    text, code = check(samples=samples, row=row | {"source": "f.h5"})
    assert code == 0 and "3 features of the type Antibody Capture" in text
    assert folder.splitlines()[0] == text.splitlines()[0] == "mine: 60 profiles x 300 genes of 3 donors would enter"


def damage_shape(file):
    del file["matrix/shape"]
    file["matrix/shape"] = [299, 60]


def damage_pointer(file):
    file["matrix/indptr"][3] = 10**6


def damage_index(file):
    file["matrix/indices"][7] = 10**4


def drop_data(file):
    del file["matrix/data"]


def two_genomes(file):
    file.move("matrix", "GRCh38")
    file.copy("GRCh38", "hg19")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (damage_shape, "299 genes x 60 cells, but 300 features"),
        (damage_pointer, "pointers are damaged"),
        (damage_index, "an index lies outside"),
        (drop_data, "cannot be read as a 10x HDF5 matrix"),
        (two_genomes, "several matrices: GRCh38, hg19"),
        (lambda file: file.move("matrix", "X/X"), "no 10x matrix"),
    ],
)
def test_hdf5_that_is_damaged_or_another_is_refused(check, tmp_path, genes, change, said):
    samples = write_cells(tmp_path / "m", genes)
    write_hdf5(tmp_path / "f.h5", genes, np.random.default_rng(2).poisson(2, (60, 300)))
    with h5py.File(tmp_path / "f.h5", "r+") as file:
        change(file)
    text, code = check(samples=samples, row=CELLS | {"gene_ids": "ensembl", "source": "f.h5"})
    assert code == 1 and said in text and "remedy" in text


def test_hdf5_of_cell_ranger_says_how_it_is_read(check, tmp_path, genes):
    samples = write_cells(tmp_path / "m", genes)
    (tmp_path / "d").mkdir()
    write_hdf5(tmp_path / "d/f.h5", genes, np.ones((60, 300), int))
    (tmp_path / "f.h5.gz").write_bytes(gzip.compress((tmp_path / "d/f.h5").read_bytes()))
    row = CELLS | {"gene_ids": "ensembl"}
    turned = {"orientation": "samples_by_genes", "source": "d/f.h5"}
    for change, said in (
        (turned | {"format": "h5ad"}, "declare format mtx"), (turned, "genes_by_samples by definition"),
        ({"source": "d"}, "give the path of f.h5"), ({"source": "f.h5.gz"}, "gunzip f.h5.gz"),
    ):  # fmt: skip
        text, code = check(samples=samples, row=row | change)
        assert code == 1 and said in text
