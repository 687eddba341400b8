"""Inputs of kinds that people reported in public: what is right, and the values cell by cell."""

from __future__ import annotations

import json

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import io as scipy_io
from support.in_memory import ingest_dataset, map_genes

from pseudocohort import configuration, study
from pseudocohort.command.main import main
from pseudocohort.core.errors import UserError
from pseudocohort.core.io import read_table, write_table
from pseudocohort.ingest.samples import judge_samples
from pseudocohort.prepare.cell_lines import LineNames, read_line_names
from pseudocohort.prepare.donors import assign_donors
from pseudocohort.prepare.harmonise import harmonise
from pseudocohort.prepare.log_scale import log2_expression
from pseudocohort.prepare.quality import control_samples


@pytest.fixture
def case(cases, project_root, monkeypatch):
    """Ingest a case by its number, as its study and sheet say; also its row, its settings and its folder."""
    monkeypatch.chdir(project_root)
    if not (project_root / "../shared/cases").is_dir():
        pytest.skip("the cases name files beside the checkout")

    class Case:
        def __init__(self, number: str) -> None:
            self.folder = next((cases / "ingest").glob(f"{number}_*"))

        @property
        def settings(self):
            own = study.read_study(self.folder / "study.yaml")
            prepare = configuration.complete(own, project_root / "workflow/schemas")["prepare"]
            return prepare | {"conditions": study.conditions_of({"prepare": prepare}, "x")}

        @property
        def row(self):
            config = {"datasets_sheet": self.folder / "sheet.tsv", "datasets": ["x"]}
            return study.read_datasets(config, project_root / "workflow/schemas/datasets.schema.yaml")["x"]

        def read(self) -> ad.AnnData:
            data = ingest_dataset(self.row, conditions=self.settings["conditions"])
            data.obs_names = data.obs_names.str.removeprefix("x:")
            return data

    return Case


def report_of(data):
    return json.loads(data.uns["pseudocohort"]["ingest_report"])


@pytest.fixture(scope="module")
def bulk_truth(cases):
    """The counts that most bulk cases are made of: genes × samples."""
    return pd.read_csv(next((cases / "ingest").glob("17_*")) / "x.tsv", sep="\t", index_col=0)


@pytest.fixture(scope="module")
def cell_truth(cases):
    """The counts that most single-cell cases are made of: cells × genes."""
    folder = next((cases / "ingest").glob("32_*")) / "m"
    ids = [line.split("\t")[0] for line in (folder / "features.tsv").read_text().splitlines()]
    cells = (folder / "barcodes.tsv").read_text().split()
    return pd.DataFrame(scipy_io.mmread(folder / "matrix.mtx").toarray().T, index=cells, columns=ids)


BULK = ("01", "07", "17", "20", "21", "23", "25", "29", "33", "41", "42", "46", "49", "50")


@pytest.mark.parametrize("number", BULK)
def test_every_sample_of_a_bulk_case_has_its_own_values(case, bulk_truth, number):
    data = case(number).read()
    np.testing.assert_array_equal(data.X, bulk_truth[data.obs_names].to_numpy().T)
    assert list(data.var["source_id"]) == list(bulk_truth.index)


@pytest.mark.parametrize(
    ("number", "samples"),
    [("01", 11), ("07", 10), ("17", 12), ("20", 6), ("21", 8), ("23", 12), ("25", 12), ("46", 12)],
)
def test_samples_that_enter_are_those_that_should(case, number, samples):
    data = case(number).read()
    assert data.n_obs == samples
    left = report_of(data)["left_out"]
    assert sum(reason["samples"] for reason in left) == 12 - samples == sum(len(reason["ids"]) for reason in left)


@pytest.mark.parametrize("number", ["31", "32", "35", "38", "43"])
def test_every_cell_of_a_single_cell_case_has_its_own_values(case, cell_truth, number):
    data = case(number).read()
    assert list(data.var["source_id"]) == list(cell_truth.columns)
    np.testing.assert_array_equal(data.X.toarray(), cell_truth.loc[data.obs_names].to_numpy())


def test_cells_by_genes_are_turned_as_declared(case):
    this = case("27")
    data = this.read()
    raw = scipy_io.mmread(this.folder / "m/matrix.mtx").toarray()  # cells × genes
    assert raw.shape[0] == raw.shape[1] == 40
    np.testing.assert_array_equal(data.X.toarray(), raw)


def test_antibody_counts_do_not_replace_the_gene(case, cell_truth):
    data = case("15").read()
    np.testing.assert_array_equal(data.X.toarray(), cell_truth.loc[data.obs_names].to_numpy())
    assert report_of(data)["not_read"] == {"features of the type Antibody Capture": 2}


def test_a_feature_called_na_keeps_its_name(case):
    this = case("51")
    names = [line.split("\t")[0] for line in (this.folder / "m/features.tsv").read_text().splitlines()]
    assert "NA" in names and list(this.read().var["source_id"]) == names


def test_log2_counts_are_counts_again(case, bulk_truth):
    data = case("03").read()
    np.testing.assert_array_equal(data.X, bulk_truth[data.obs_names].to_numpy().T)
    assert data.uns["pseudocohort"]["unit"] == "counts" and "log_offset" not in data.uns["pseudocohort"]


def test_labels_that_say_nothing_are_left_out_by_name(case):
    for number, label in (("20", "'None'"), ("21", "'[Not Available]'")):
        (reason,) = report_of(case(number).read())["left_out"]
        assert reason["reason"] == f"no condition: {label}"


def test_a_blank_label_is_called_blank():
    obs = pd.DataFrame({"condition": ["A", "", " "], "donor": ["", "p", "q"], "context": "tumour"}, index=list("abc"))
    found = judge_samples(obs, {}, "x")
    assert list(found["detail"]) == ["no donor: blank", "no condition: blank", "no condition: blank"]


def test_numeric_keys_of_the_map_are_used(case):
    assert set(case("17").read().obs["condition"]) == {"control", "case"}


@pytest.mark.parametrize("number", ["09", "10"])
def test_numeric_donors_reach_harmonised_profiles(case, table, tmp_path, number):
    this = case(number)
    raw = pd.read_csv(this.folder / "s.tsv", sep="\t", dtype=str).set_index("sample")["patient"]
    data = this.read()
    assert list(data.obs["donor"]) == list(raw[data.obs_names])
    settings = {**this.settings, "lines": LineNames(), "seed": 1}
    kept, _ = control_samples(data, this.row, settings, table)
    write_table(assign_donors({"x": kept.obs}, test_share=0.3, seed=1), tmp_path / "donors.tsv")
    donors = read_table(tmp_path / "donors.tsv")
    assert set(donors["donor"]) == set(raw)
    space = settings["gene_space"] | {"n": 60}
    profiles, genes = harmonise([kept], donors, space, table)
    assert profiles.n_vars == 60 and set(profiles.obs["donor"]) == set(raw)


def test_depmap_since_25q2_keeps_a_line_per_default_profile(case, table):
    this = case("39")
    raw = pd.read_csv(this.folder / "x.csv", index_col=0)
    raw = raw[raw["IsDefaultEntryForModel"].astype(str).str.lower().isin({"yes", "true", "1"})].set_index("ModelID")
    data = this.read()
    genes = raw.columns[raw.columns.str.contains(r"\(")]
    assert list(data.var["source_id"]) == list(genes) and data.n_obs == len(raw)
    np.testing.assert_array_equal(data.X, raw.loc[data.obs_names, genes].to_numpy().astype(np.float32))


def test_ids_with_a_second_suffix_are_known(case, table):
    mapped, report = map_genes(case("48").read(), "ensembl", "highest_mean", table)
    assert report["unknown"] == 0 and mapped.n_vars == 300


def test_aliases_in_latin1_are_read(case):
    this = case("35")
    assert read_line_names(this.settings["line_aliases"]).find("Müller") == "MCF7"


REFUSED = {
    "04": "single cells have to be counts",
    "11": "natural",
    "14": "z-scores",
    "18": r"'\+' \(4 samples\) has no letter",
    "26": "unknown column 'samples_column'",
    "28": "matrices that it has: counts",
    "44": "gzip-compressed",
    "45": "a zip archive",
}


@pytest.mark.parametrize("number", REFUSED)
def test_what_cannot_be_right_is_refused_by_name(case, number):
    with pytest.raises(UserError, match=REFUSED[number]) as caught:
        case(number).read()
    assert caught.value.where and caught.value.remedy


def test_h5ad_without_x_is_read_from_the_named_layer(case, bulk_truth):
    this = case("28")
    data = ingest_dataset(this.row | {"layer": "counts"}, conditions={"min_donors": 1})
    names = data.obs_names.str.removeprefix("x:")
    np.testing.assert_array_equal(np.asarray(data.X.todense() if hasattr(data.X, "todense") else data.X),
                                  bulk_truth[names].to_numpy().T)  # fmt: skip


def test_a_tab_in_the_study_file_is_named_with_its_line(case):
    with pytest.raises(UserError, match="no YAML") as caught:
        study.read_study(case("36").folder / "study.yaml")
    assert "line 7" in caught.value.where


def test_a_separator_at_the_end_of_lines_does_not_shift_values(case, bulk_truth):
    data = case("52").read()
    np.testing.assert_array_equal(data.X, bulk_truth[data.obs_names].to_numpy().T)


@pytest.fixture
def study_case(cases, project_root, monkeypatch):
    """A dataset of the sheet of ../shared/cases/study, with changes to its row."""
    monkeypatch.chdir(project_root)

    def read(name, **changes):
        config = {"datasets_sheet": cases / "study/sheet.tsv", "datasets": [name]}
        row = study.read_datasets(config, project_root / "workflow/schemas/datasets.schema.yaml")[name] | changes
        return row, ingest_dataset(row, conditions={"min_donors": 1})

    return read


def test_expected_counts_go_through_cpm_and_lose_their_depth(study_case):
    with pytest.raises(UserError, match="expected counts .* are declared as expected_counts"):
        study_case("expected_counts")
    _, data = study_case("expected_counts", unit="expected_counts")
    depth = np.asarray(data.X.sum(axis=1))
    assert depth.max() / depth.min() > 3.5
    means = log2_expression(data).mean(axis=1)
    assert np.ptp(means) < 0.2
    _, declared = study_case("expected_rsem")
    assert np.ptp(log2_expression(declared).mean(axis=1)) > 1.8
    (warning,) = report_of(declared)["unit_warnings"]
    assert "depth" in warning and "expected_counts" in warning


def test_blanks_are_described_as_a_whole_and_have_declared_ways_on(study_case, cases):
    with pytest.raises(UserError, match=r"220 values are missing, in 55 of \d+ genes and 4 of \d+ samples") as caught:
        study_case("blank")
    assert "drop_gene" in caught.value.remedy and "zero" in caught.value.remedy
    raw = pd.read_csv(cases / "study/blank.tsv", sep="\t", index_col=0)
    _, dropped = study_case("blank", missing="drop_gene")
    whole = raw.dropna()
    assert list(dropped.var["source_id"]) == list(whole.index)
    np.testing.assert_array_equal(dropped.X, whole.to_numpy().T.astype(np.float32))
    _, zero = study_case("blank", missing="zero")
    np.testing.assert_array_equal(zero.X, raw.fillna(0).to_numpy().T.astype(np.float32))
    for data, rule in ((dropped, "drop_gene"), (zero, "zero")):
        report = report_of(data)["missing"]
        assert (report["values"], report["genes"], report["samples"], report["rule"]) == (220, 55, 4, rule)


def test_a_current_symbol_keeps_its_own_values(study_case, cases, table):
    row, data = study_case("entrez")
    raw = pd.read_csv(cases / "study/entrez.tsv", sep="\t", index_col=0)
    mapped, report = map_genes(data, row["gene_ids"], "highest_mean", table)
    symbols = mapped.var["symbol"].tolist()
    assert report["unknown"] == 0
    for source in raw.index:
        symbol = source.split("|")[0]
        column = symbols.index(symbol) if symbol in symbols else None
        assert column is not None, source
        np.testing.assert_array_equal(mapped.X[:, column], raw.loc[source].to_numpy().astype(np.float32))


def test_the_rest_of_a_list_is_counted(study_case, table, capsys, cases, tmp_path):
    (tmp_path / "study.yaml").write_text(f"datasets_sheet: {cases / 'study/sheet.tsv'}\n")
    arguments = ["unknown", "--configfile", str(tmp_path / "study.yaml"), "--config", "seed=2"]
    assert main(["check", *arguments]) == 0
    assert "50 unknown" in (said := capsys.readouterr().out) and "and 42 more" in said
