"""What would enter a study, said before anything trains."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pseudocohort.command.main import main

SHEET = (
    "dataset\tkind\tformat\torientation\tsource\tsamples\tgene_ids\tunit\tsample_column\tdonor_column\t"
    "condition_column\ttechnology\taggregation\tcontext\n"
    "{name}\tbulk\ttsv\tgenes_by_samples\t{source}\t{samples}\tsymbol\t{unit}\tsample\tdonor\ttype\tbulk\tbulk\t{context}\n"
)


@pytest.fixture
def check(tmp_path, project_root, monkeypatch, capsys):
    """Write a sheet of one dataset, check it, and give exit code and output."""
    monkeypatch.chdir(tmp_path)

    def run(name="mine", asked="mine", unit="counts", source=None, context="tumour"):
        genes = pd.read_csv(project_root / "resources/genes.tsv.gz", sep="\t")["symbol"].drop_duplicates()[:300]
        x = np.random.default_rng(1).poisson(5, (302, 12))
        ids = [*genes, "ERCC-00002", "NOT_A_GENE"]
        pd.DataFrame(x, index=ids, columns=[f"s{i}" for i in range(12)]).to_csv(tmp_path / "m.tsv", sep="\t")
        table = pd.DataFrame({"sample": [f"s{i}" for i in range(12)], "donor": "MCF-7", "type": ["A", "B"] * 6})
        table["donor"] = [f"T-{i // 2}" for i in range(12)]
        table.loc[0, "type"] = ""
        table.to_csv(tmp_path / "s.tsv", sep="\t", index=False)
        sheet = {"name": name, "unit": unit, "context": context, "samples": tmp_path / "s.tsv"}
        (tmp_path / "sheet.tsv").write_text(SHEET.format(source=source or tmp_path / "m.tsv", **sheet))
        (tmp_path / "study.yaml").write_text(f"datasets_sheet: {tmp_path / 'sheet.tsv'}\n")
        code = main(["check", asked, "--configfile", str(tmp_path / "study.yaml")])
        said = capsys.readouterr()
        return SimpleNamespace(returncode=code, stdout=said.out, stderr=said.err)

    return run


def test_samples_conditions_genes_and_losses_are_shown(check):
    done = check(context="in_vitro")
    assert done.returncode == 0, done.stderr
    text = done.stdout
    assert "mine: 11 profiles x 300 genes of 6 donors would enter" in text
    assert "300 genes of 302 ids; 1 unknown" in text and "unknown: NOT_A_GENE" in text
    assert "set aside as no genes: ERCC-00002" in text
    assert "left out  1 no condition or donor" in text
    assert "fewer than" not in text  # cell lines are as many as there are
    assert "whole numbers up to" in text and "6; 6 renamed" in text
    assert [line.split() for line in text.splitlines()[-2:]] == [
        ["A", "line_bulk", "5", "profiles", "of", "5", "donors"],
        ["B", "line_bulk", "6", "profiles", "of", "6", "donors"],
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"asked": "mien"}, "did you mean 'mine'"),
        ({"unit": "count"}, "did you mean 'counts'"),
        ({"unit": "vst"}, None),
        ({"source": "absent.tsv"}, "file not found"),
        ({"source": "catalogue:gtex_v8_tpm"}, "is not downloaded yet"),
    ],
)
def test_what_is_wrong_is_said_without_a_traceback(check, change, message):
    done = check(**change)
    assert "Traceback" not in done.stderr
    if message is None:
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode == 1 and message in done.stderr and not done.stdout


def test_rows_without_a_column_and_keys_without_a_label_are_said(check, tmp_path, capsys):
    check()
    with (tmp_path / "s.tsv").open("a") as table:
        table.write("S_12\tT-9\tA\n")
    matrix = (tmp_path / "m.tsv").read_text().replace("s11", "S.12", 1)
    (tmp_path / "m.tsv").write_text(matrix)
    with (tmp_path / "study.yaml").open("a") as settings:
        settings.write("prepare: {conditions: {exclude: [C]}}\n")
    assert main(["check", "mine", "--configfile", str(tmp_path / "study.yaml")]) == 0
    text = capsys.readouterr().out
    assert "no values for 2 rows of the sample table: s11, S_12" in text
    assert "'S.12' in the matrix seems to be 'S_12'" in text and "exclude: no sample has the label 'C'" in text


@pytest.mark.parametrize("declared", ["genes_by_samples", "samples_by_genes"])
def test_a_matrix_that_lies_the_other_way_round_is_named(check, tmp_path, capsys, declared):
    check()
    right = "samples_by_genes" if declared == "genes_by_samples" else "genes_by_samples"
    if right == "samples_by_genes":
        pd.read_csv(tmp_path / "m.tsv", sep="\t", index_col=0).T.to_csv(tmp_path / "m.tsv", sep="\t")
    sheet = (tmp_path / "sheet.tsv").read_text().replace("genes_by_samples", declared)
    (tmp_path / "sheet.tsv").write_text(sheet)
    assert main(["check", "mine", "--configfile", str(tmp_path / "study.yaml")]) == 1
    assert f"declare orientation {right}" in capsys.readouterr().err


def test_conditions_of_few_donors_are_named(check):
    text = check().stdout
    assert (
        "fewer than 10 donors, some of them held out, say little: A, B\n" in text
        and "prepare.conditions.exclude" in text
    )


def test_a_file_that_is_not_there_is_named_with_its_folder(check, tmp_path):
    assert f"where: {tmp_path / 'absent.tsv'}" in check(source="absent.tsv").stderr


def test_without_a_study_file_the_sheet_is_asked_for(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["check", "mine"]) == 1
    assert "--configfile" in capsys.readouterr().err
