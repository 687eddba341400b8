"""Mistakes that users make: one readable message, no traceback, nothing left behind that a later run would trust."""

from __future__ import annotations

import gzip

import pytest

SHEET_HEADER = "dataset\tkind\tformat\torientation\tsource\tsamples\tgene_ids\tunit\tlog_offset\tsample_column\tdonor_column\tcondition_column\ttechnology\taggregation\tcontext"  # noqa: E501
ROW = (
    "mine\tbulk\ttsv\tgenes_by_samples\tmatrix.tsv{gz}\tsamples.tsv\tsymbol\t{unit}\t\tsample\tdonor\t{condition}"
    "\tbulk\tbulk\ttumour"
)
SYMBOLS = ["TP53", "EGFR", "MYC", "BRCA1", "BRCA2", "KRAS", "PTEN", "RB1", "ESR1", "ERBB2"]
STUDY = """
study: mine
datasets_sheet: mine.tsv
datasets: [mine]
experiments: [privacy]
generators: [copy, mvn]
"""


@pytest.fixture
def project(tmp_path, copy_project):
    """A project with a small dataset of the user's own, to be broken by each test."""
    folder = copy_project(tmp_path / "p")
    samples = [f"s{i}" for i in range(12)]

    def write(matrix=None, sheet=None, unit="tpm", condition="subtype", gz=""):
        lines = ["gene\t" + "\t".join(samples)]
        for g, symbol in enumerate(SYMBOLS):
            lines.append(symbol + "\t" + "\t".join(str(round(3.5 * (g + 1) + i * 1.25, 2)) for i in range(12)))
        text = matrix("\n".join(lines) + "\n") if matrix else "\n".join(lines) + "\n"
        if gz:
            (folder / f"matrix.tsv{gz}").write_bytes(text if isinstance(text, bytes) else gzip.compress(text.encode()))
        else:
            (folder / "matrix.tsv").write_text(text)
        table = "sample\tdonor\tsubtype\n" + "".join(f"{s}\td{i}\t{'AB'[i % 2]}\n" for i, s in enumerate(samples))
        (folder / "samples.tsv").write_text(sheet(table) if sheet else table)
        (folder / "mine.tsv").write_text(f"{SHEET_HEADER}\n{ROW.format(unit=unit, condition=condition, gz=gz)}\n")
        (folder / "mine.yaml").write_text(STUDY)
        return folder

    return write


def truncated(text):
    packed = gzip.compress(text.encode() * 50)
    return packed[: len(packed) // 2]


CASES = {
    "good": ({}, None, None),
    "wrong delimiter": ({"matrix": lambda t: t.replace("\t", ";")}, "matrix.tsv", "delimiter"),
    "truncated gzip": ({"matrix": truncated, "gz": ".gz"}, "matrix.tsv.gz", "truncated"),
    "NaN": ({"matrix": lambda t: t.replace("\t4.75", "\tNaN", 1)}, "matrix.tsv", "s1"),
    "negative": ({"matrix": lambda t: t.replace("\t4.75", "\t-4.75", 1)}, "matrix.tsv", "-4.75"),
    "unit": ({"unit": "counts"}, "matrix.tsv", "counts"),
    "duplicated sample": ({"matrix": lambda t: t.replace("\ts1\t", "\ts0\t", 1)}, "matrix.tsv", "s0"),
    "sample table does not match": ({"sheet": lambda t: t.replace("\ns", "\nx")}, "samples.tsv", "s0"),
    "unknown column": ({"condition": "subtyp"}, "samples.tsv", "subtyp"),
    "one donor": ({"sheet": lambda t: t.replace("s1\td1\tB", "s1\td1\tC")}, "samples.tsv", "C"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_bad_files_stop_ingestion_with_one_message(project, snakemake, case):
    changes, file, value = CASES[case]
    folder = project(**changes)
    target = "results/mine/ingested/mine.h5ad"
    done = snakemake(folder, target, "--cores", "1", "--configfile", "mine.yaml", check=False)
    if file is None:
        assert done.returncode == 0, done.stderr
        assert (folder / target).exists()
        return
    assert done.returncode != 0
    log = (folder / "logs/mine/ingest/mine.log").read_text()
    assert file in log
    assert value.lower() in log.lower()
    assert "where:" in log
    assert "remedy:" in log
    assert "Traceback" not in log
    assert not (folder / target).exists()
    assert not list((folder / "results").rglob("*.tmp"))


def test_wrong_gene_ids_stop_quality_control(project, snakemake):
    folder = project(
        matrix=lambda t: "\n".join(f"probe_{line}" if k else line for k, line in enumerate(t.splitlines()))
    )
    target = "results/mine/prepared/quality/mine.h5ad"
    done = snakemake(folder, target, "--cores", "1", "--configfile", "mine.yaml", check=False)
    assert done.returncode != 0
    log = (folder / "logs/mine/quality_control/mine.log").read_text()
    assert "probe_TP53" in log
    assert "remedy:" in log
    assert "Traceback" not in log
    assert not (folder / target).exists()


def test_config_typo_stops_before_anything_runs(project, snakemake):
    folder = project()
    (folder / "mine.yaml").write_text(STUDY.replace("generators", "generatorz"))
    done = snakemake(folder, "--cores", "1", "--configfile", "mine.yaml", check=False)
    assert done.returncode != 0
    assert "did you mean 'generators'?" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / "results").exists()


def test_a_key_given_twice_stops_before_anything_runs(project, snakemake):
    folder = project()
    (folder / "mine.yaml").write_text(STUDY + "seed: 1\nseed: 2\n")
    done = snakemake(folder, "--cores", "1", "--configfile", "mine.yaml", check=False)
    assert done.returncode != 0 and "key 'seed' is given twice" in done.stderr and "mine.yaml, line" in done.stderr
    assert "Traceback" not in done.stderr
