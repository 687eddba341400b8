"""The catalogue of public sources, and downloads by its names, against a server on loopback."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.servers import Handler, Server, serving

from pseudocohort.acquire import sources
from pseudocohort.acquire.catalogue import CATALOGUE, load_catalogue, lookup, resolve
from pseudocohort.acquire.fetch import provenance_path
from pseudocohort.core.errors import UserError
from pseudocohort.intervene.questions import resolved

CATALOGUED = load_catalogue()
DATA = b"regulator,target,sign\nMYC,TERT,1\n"


class FileServer(Server):
    """Server with files, path -> bytes; records what it was asked."""

    def __init__(self) -> None:
        super().__init__(Answers)
        self.files: dict[str, bytes] = {"/a.csv": DATA}
        self.empty_202: set[str] = set()
        self.seen: list[str] = []


class Answers(Handler):
    server: FileServer

    def do_GET(self) -> None:
        self.server.seen.append(self.path)
        body = self.server.files.get(self.path, b"")
        self.answer(body, status=202 if self.path in self.server.empty_202 else 200 if body else 404)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setattr("pseudocohort.acquire.fetch._RETRIES", 0)
    with serving(FileServer(), monkeypatch) as running:
        yield running


def entries(server: FileServer, **changes: Any) -> dict[str, dict[str, Any]]:
    row = {"name": "edges", "kind": "network", "url": server.url("/a.csv"), "access": "open", **changes}
    return {"edges": row}


def write(path: Path, **cells: str) -> Path:
    row = {"name": "a", "kind": "bulk", "url": "https://example.org/a", "licence": "CC0", "citation": "A", **cells}
    row = {"access": "open", **row}
    path.write_text("\t".join(row) + "\n" + "\t".join(row.values()) + "\n")
    return path


def test_every_row_is_complete() -> None:
    with CATALOGUE.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert [row["name"] for row in rows] == list(CATALOGUED)
    assert len(rows) > 20
    for row in rows:
        assert row["licence"].strip() and row["citation"].strip(), row["name"]
        assert row["access"] == "manual" or row["url"], row["name"]
        assert None not in row and None not in row.values(), row["name"]  # as many cells as columns


@pytest.mark.parametrize(
    "name",
    [
        "gdc_star_counts", "tcga_pancanatlas", "xena_toil_tpm", "xena_toil_counts", "xena_toil_phenotype",
        "xena_gdc_star_tpm", "gtex_v8_tpm", "gtex_v8_counts", "gtex_v10_tpm", "gtex_v10_attributes", "recount3_tcga",
        "recount3_gtex", "depmap_expression", "depmap_models", "depmap_gene_effect", "kinker2020_counts", "mix_seq",
        "sc_mixology_10x_5cl", "breast_line_atlas", "scperturb", "collectri", "knocktf_expression",
        "gtex_v10_subjects", "gtex_v11_tpm",
        "gtex_v11_subjects", "ccle2018_counts", "ccle2018_lines", "mix_seq_scperturb", "recount3_tcga_qc",
        "xena_tcga_hiseqv2", "xena_tcga_clinical", "sc_mixology_counts", "tcga_pancanatlas_quality",
    ],
)  # fmt: skip
def test_the_sources_asked_for_are_there(name: str) -> None:
    assert lookup(name)["name"] == name


def test_what_was_found_wrong_in_the_catalogue_stays_right() -> None:
    """Facts checked against public code (see docs/data-sources.md)."""
    assert lookup("sc_mixology_10x_5cl")["gene_ids"] == "symbol"
    assert lookup("recount3_tcga")["unit"] == "coverage"
    gene_effect = lookup("depmap_gene_effect")
    assert gene_effect["access"] == "open" and gene_effect["version"] == "24Q4" and gene_effect["bytes"] == 428678699
    for name in ("depmap_expression", "depmap_models", "depmap_gene_effect"):
        number = lookup(name)["url"].rsplit("/", 1)[1]
        assert lookup(name)["mirror"] == f"https://api.figshare.com/v2/file/download/{number}"
    assert "907" in lookup("knocktf_expression")["notes"] and "207 lines" in lookup("kinker2020_counts")["notes"]
    for name, row in CATALOGUED.items():
        if "zenodo.org" in row.get("url", "") or "storage.googleapis.com" in row.get("url", ""):
            assert "No checksum is published" not in row.get("notes", ""), name


@pytest.mark.parametrize("name", [n for n, row in CATALOGUED.items() if row["access"] == "open"])
def test_open_sources_become_an_address_and_a_file(name: str) -> None:
    fields = sorted(set(re.findall(r"\{(\w+)", CATALOGUED[name]["url"])))
    if CATALOGUED[name].get("format") == "api":
        with pytest.raises(UserError, match="not one file") as error:
            resolve(f"catalogue:{name}")
        assert "gdc:" in error.value.remedy
        return
    source = f"catalogue:{name}" + ("?" + "&".join(f"{f}=VALUE" for f in fields) if fields else "")
    entry = resolve(source)
    assert re.fullmatch(r"https://[^{}\s]+", entry["url"])
    assert re.fullmatch(r"[A-Za-z0-9_.+-]+\.[a-z0-9]+", entry["file"])


@pytest.mark.parametrize("name", [n for n, row in CATALOGUED.items() if row["access"] == "manual"])
def test_manual_sources_say_what_to_do(name: str) -> None:
    with pytest.raises(UserError, match="by hand") as error:
        resolve(f"catalogue:{name}")
    assert CATALOGUED[name]["notes"] in error.value.remedy and "{data_root}" in error.value.remedy


def test_close_names_are_offered() -> None:
    with pytest.raises(UserError, match="'gtex_v8_tmp' is not in the catalogue") as error:
        lookup("gtex_v8_tmp")
    assert "did you mean 'gtex_v8_tpm'" in error.value.remedy
    with pytest.raises(UserError) as error:
        lookup("qqqq")
    assert "there are: gdc_star_counts" in error.value.remedy


def test_fields_of_an_address() -> None:
    assert resolve("catalogue:xena_gdc_star_tpm?cohort=TCGA-LUAD")["file"] == "TCGA-LUAD.star_tpm.tsv.gz"
    url = resolve("catalogue:recount3_gtex?project=BREAST")["url"]
    assert url.endswith("/gtex/gene_sums/ST/BREAST/gtex.gene_sums.BREAST.G026.gz")


@pytest.mark.parametrize(
    "source",
    [
        "catalogue:xena_gdc_star_tpm",
        "catalogue:xena_gdc_star_tpm?tissue=TCGA-LUAD",
        "catalogue:xena_gdc_star_tpm?cohort=../x",
        "catalogue:xena_gdc_star_tpm?cohort=",
        "catalogue:gtex_v8_tpm?cohort=TCGA-LUAD",
    ],
)
def test_wrong_fields(source: str) -> None:
    with pytest.raises(UserError, match="does not take") as error:
        resolve(source)
    assert error.value.remedy.startswith("write catalogue:")


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"bytes": "many"}, "'many' is not a number"),
        ({"md5": "xyz"}, "'xyz' is not allowed"),
        ({"licence": ""}, "'licence' is missing"),
        ({"citation": ""}, "'citation' is missing"),
        ({"access": "closed"}, "'closed' is not allowed"),
        ({"url": ""}, "'url' is missing"),
        ({"access": "manual"}, "'notes' is missing"),
        ({"colour": "red"}, "unknown key 'colour'"),
    ],
)
def test_rows_that_are_wrong(tmp_path: Path, cells: dict[str, str], said: str) -> None:
    assert load_catalogue(write(tmp_path / "good.tsv"))["a"]["url"] == "https://example.org/a"
    with pytest.raises(UserError, match=said):
        load_catalogue(write(tmp_path / "bad.tsv", **cells))


def test_repeated_names_and_no_table(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv")
    path.write_text(path.read_text() + path.read_text().splitlines()[1] + "\n")
    with pytest.raises(UserError, match="two rows"):
        load_catalogue(path)
    with pytest.raises(UserError, match="no catalogue"):
        load_catalogue(tmp_path / "other.tsv")


def test_download_is_checked(server: FileServer, tmp_path: Path) -> None:
    good = {"bytes": len(DATA), "md5": hashlib.md5(DATA).hexdigest()}
    path = tmp_path / "a.csv"
    provenance = sources.fetch_catalogued("catalogue:edges", path, entries=entries(server, **good))
    assert path.read_bytes() == DATA and provenance["sha256"] == hashlib.sha256(DATA).hexdigest()
    for wrong in ({"bytes": 5}, {"md5": "0" * 32}):
        with pytest.raises(UserError, match=f"the file has {next(iter(wrong))}"):
            sources.fetch_catalogued("catalogue:edges", path, entries=entries(server, **good | wrong))
        assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError, match="SHA-256"):
        sources.fetch_catalogued("catalogue:edges", path, entries=entries(server, sha256="0" * 64))
    assert list(tmp_path.iterdir()) == []


def test_first_checksum_is_expected_ever_after(server: FileServer, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    sources.fetch_catalogued("catalogue:edges", path, entries=entries(server))
    path.unlink()  # as Snakemake does before it runs a rule again
    server.files["/a.csv"] = DATA + b"MYC,NPM1,1\n"
    with pytest.raises(UserError, match="SHA-256"):
        sources.fetch_catalogued("catalogue:edges", path, entries=entries(server))
    assert not path.exists()
    provenance_path(path).unlink()
    sources.fetch_catalogued("catalogue:edges", path, entries=entries(server))
    assert path.read_bytes() == server.files["/a.csv"]


@pytest.mark.parametrize("trap", ["page", "empty 202", "missing"])
def test_mirror_is_asked_when_the_address_fails(server: FileServer, tmp_path: Path, trap: str) -> None:
    server.files["/b.csv"] = DATA
    server.files["/a.csv"] = b"<html>login</html>" if trap == "page" else b""
    server.empty_202 = {"/a.csv"} if trap == "empty 202" else set()
    path = tmp_path / "a.csv"
    with pytest.raises(UserError, match={"page": "web page", "empty 202": "202", "missing": "404"}[trap]):
        sources.fetch_catalogued("catalogue:edges", path, entries=entries(server))
    assert not path.exists()
    mirrored = entries(server, mirror=server.url("/b.csv"))
    provenance = sources.fetch_catalogued("catalogue:edges", path, entries=mirrored)
    assert provenance["source"] == server.url("/b.csv") and path.read_bytes() == DATA
    assert server.seen == ["/a.csv", "/a.csv", "/b.csv"]


def test_offline_never_asks(server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PSEUDOCOHORT_OFFLINE", "1")
    mirrored = entries(server, mirror=server.url("/b.csv"))
    with pytest.raises(UserError, match="network is not to be used"):
        sources.fetch_catalogued("catalogue:edges", tmp_path / "a.csv", entries=mirrored)
    assert server.seen == []


def test_rows_of_the_dataset_sheet(server: FileServer, tmp_path: Path) -> None:
    rows = sources.check(
        {
            "a": {"dataset": "a", "source": "gdc:TCGA-BRCA"},
            "b": {"dataset": "b", "source": "catalogue:gtex_v8_tpm", "samples": "catalogue:gtex_v8_attributes"},
            "c": {"dataset": "c", "source": server.url("/a.csv") + "?version=1", "samples": "local.tsv"},
        }
    )
    assert rows["a"]["samples"] == "gdc:TCGA-BRCA" and rows["c"]["samples"] == "local.tsv"
    assert {sources.destination("a", c, rows["a"][c]) for c in ("source", "samples")} == {
        "resources/downloads/_gdc/a/counts.tsv.gz",
        "resources/downloads/_gdc/a/samples.tsv",
    }
    assert sources.destination("b", "samples", rows["b"]["samples"]) == (
        "resources/downloads/b/GTEx_Analysis_v8_Annotations_SampleAttributesDS.txt"
    )
    assert sources.destination("c", "source", rows["c"]["source"]) == "resources/downloads/c/a.csv"
    assert not sources.is_downloaded("local.tsv") and not sources.is_downloaded("{data_root}/x")
    server.files["/a.csv?version=1"] = DATA
    given = sources.of_file(rows["c"], "a.csv")
    provenance = sources.fetch_source(given["source"], tmp_path / "a.csv")
    assert json.loads(provenance_path(tmp_path / "a.csv").read_text()) == provenance
    # Only what the file's content depends on: for anything else no download is repeated.
    assert given == {"source": rows["c"]["source"]} == sources.of_file(rows["c"] | {"covariates": "age"}, "a.csv")
    entry = CATALOGUED["gtex_v8_tpm"]
    given = sources.of_file(rows["b"], Path(sources.destination("b", "source", rows["b"]["source"])).name)
    assert given["url"] == entry["url"] and given.get("sha256") == entry.get("sha256")
    assert sources.of_file(rows["c"], "local.tsv") == {}
    with pytest.raises(UserError, match="no source of the dataset is called"):
        sources.fetch_source("", tmp_path / "local.tsv")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"source": "catalogue:gtex_v9_tpm"}, "not in the catalogue"),
        ({"source": "catalogue:mix_seq"}, "by hand"),
        ({"source": "x.tsv", "samples": "catalogue:nothing"}, "not in the catalogue"),
        ({"source": "gdc:TCGA-BRCA?x=1"}, "not of the form"),
        ({"source": "gdc:TCGA-BRCA", "samples": "gdc:TCGA-LUAD"}, "another GDC source"),
        ({"source": "x.tsv", "samples": "gdc:TCGA-LUAD"}, "another GDC source"),
        ({"source": "https://a.org/get?file=x.tsv", "samples": "https://a.org/get?file=s.tsv"}, "downloads/a/get, too"),
    ],
)
def test_rows_that_cannot_be_fetched(row: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said) as error:
        sources.check({"a": {"dataset": "a", **row}})
    assert error.value.remedy


def test_a_row_by_catalogue_name_works(server: FileServer, tmp_path: Path, copy_project: Any, snakemake: Any) -> None:
    """``catalogue:<name>`` in the sheet becomes a file, by Snakemake; a manual source stops the plan."""
    folder = copy_project(tmp_path / "project")
    table = folder / "config" / "data_versions.tsv"
    text, url = table.read_text(), CATALOGUED["hallmark"]["url"]
    assert text.count(url) == 1
    table.write_text(text.replace(url, server.url("/a.csv")))
    header, *rows = (folder / "config" / "datasets.tsv").read_text().splitlines()
    cells = dict(zip(header.split("\t"), rows[0].split("\t"), strict=True))
    study = ["--configfile", "config/demo.yaml", "--config", "datasets_sheet=sheet.tsv"]
    for source in ("catalogue:mix_seq", "catalogue:hallmark"):
        given = cells | {"dataset": "demo_normal", "source": source}
        (folder / "sheet.tsv").write_text("\n".join([header, "\t".join(given.values()), *rows[1:]]) + "\n")
        target = "resources/downloads/demo_normal/a.csv"
        done = snakemake(folder, "--cores", "1", *study, "--", target, check=source == "catalogue:hallmark")
        if source == "catalogue:mix_seq":
            assert done.returncode != 0 and "figshare article 10298696" in done.stderr
    assert (folder / target).read_bytes() == DATA
    # Another column of the row is edited: the download stays.
    sheet = (folder / "sheet.tsv").read_text()
    assert cells["covariates"] != "AGE"
    given |= {"covariates": "AGE,SEX"}
    (folder / "sheet.tsv").write_text("\n".join([header, "\t".join(given.values()), *rows[1:]]) + "\n")
    assert (folder / "sheet.tsv").read_text() != sheet
    done = snakemake(folder, "--cores", "1", *study, "-n", "--", target)
    assert "Nothing to be done" in done.stdout + done.stderr
    assert server.seen == ["/a.csv"]


def test_a_graph_by_catalogue_name_works(server: FileServer, tmp_path: Path, copy_project: Any, snakemake: Any) -> None:
    """``interventions.graph: catalogue:<name>`` is downloaded and checked, and answers come from that file."""
    folder = copy_project(tmp_path / "project")
    table = folder / "config" / "data_versions.tsv"
    entry = CATALOGUED["collectri"]
    assert entry["md5"] and entry["bytes"]
    text = (
        table.read_text()
        .replace(entry["url"], server.url("/a.csv"))
        .replace(entry["md5"], hashlib.md5(DATA).hexdigest())
    )
    table.write_text(text.replace(str(entry["bytes"]), str(len(DATA))))
    (folder / "more.yaml").write_text("interventions: {graph: 'catalogue:collectri'}")
    study = ["--configfile", "config/demo.yaml", "more.yaml"]
    target = "resources/downloads/collectri/a.csv"
    snakemake(folder, "--cores", "1", *study, "--", target)
    assert (folder / target).read_bytes() == DATA
    plan = snakemake(folder, "--cores", "1", *study, "-n", "--", "intervene")
    assert target in plan.stdout + plan.stderr


def test_files_of_a_section_by_catalogue_name() -> None:
    section = {"graph": "catalogue:collectri", "dependencies": ["x.csv", "catalogue:hallmark"], "max_depth": 1}
    assert sources.catalogued(section) == {"collectri": "catalogue:collectri", "hallmark": "catalogue:hallmark"}
    assert resolved("catalogue:collectri", "/data") == "resources/downloads/collectri/CollecTRI_regulons.csv"
    assert resolved("{data_root}/x.tsv", "/data/") == "/data/x.tsv"
    with pytest.raises(UserError, match="'colectri' is not in the catalogue") as error:
        sources.catalogued({"graph": "catalogue:colectri"})
    assert "'collectri'" in error.value.remedy
