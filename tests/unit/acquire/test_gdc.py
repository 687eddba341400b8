"""STAR counts from the GDC, against a server on loopback that behaves like its API, traps included."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anndata as ad
import pandas as pd
import pytest
import yaml
from gdc_server import GENES, Gdc, star_file
from support.servers import serving

from pseudocohort.acquire import gdc, gdc_files
from pseudocohort.acquire.fetch import provenance_path
from pseudocohort.acquire.gdc_api import Client
from pseudocohort.acquire.gdc_counts import read_counts, sample_table
from pseudocohort.acquire.gdc_entries import SAMPLE_TYPES, preference, sample_type_of
from pseudocohort.core.errors import UserError

PAGE = b"\n<!DOCTYPE html><html>maintenance</html>"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gdc]:
    with serving(Gdc(), monkeypatch) as running:
        yield running


@pytest.fixture
def cohort(server: Gdc) -> list[str]:
    """Three patients: a tumour and a normal, a tumour with two aliquots, a metastasis."""
    return [
        server.add("TCGA-AA-0001-01A-11R-A111-07", (1, 2, 3)),
        server.add("TCGA-AA-0001-11A-11R-A111-07", (4, 5, 6)),
        server.add("TCGA-AA-0002-01A-11R-A222-07", (7, 8, 9)),
        server.add("TCGA-AA-0002-01A-11R-A111-07", (10, 11, 12)),
        server.add("TCGA-AA-0003-06A-11R-A111-07", (13, 14, 15)),
    ]


def acquire(server: Gdc, folder: Path, source: str = "gdc:TCGA-AAAA?aliquots=all", **options: Any) -> dict[str, Any]:
    options.setdefault("client", server.client())
    return gdc.acquire(
        source,
        folder / "out" / "counts.tsv.gz",
        folder / "out" / "samples.tsv",
        cache=folder / "files",
        api=server.api,
        **options,
    )


def matrix(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "out" / "counts.tsv.gz", sep="\t", index_col=0)


def listed(server: Gdc, source: str = "gdc:TCGA-AAAA", **options: Any) -> list[dict[str, Any]]:
    return gdc.list_files(gdc.parse_source(source), server.client(), **options)


def test_matrix_samples_and_provenance(server: Gdc, cohort: list[str], tmp_path: Path) -> None:
    provenance = acquire(server, tmp_path)
    counts = matrix(tmp_path)
    assert tuple(counts.index) == GENES and counts.index.name == "gene_id"
    assert counts.to_dict("list") == {
        "TCGA-AA-0001-01A-11R-A111-07": [1, 2, 3],
        "TCGA-AA-0001-11A-11R-A111-07": [4, 5, 6],
        "TCGA-AA-0002-01A-11R-A111-07": [10, 11, 12],
        "TCGA-AA-0002-01A-11R-A222-07": [7, 8, 9],
    }
    samples = pd.read_csv(tmp_path / "out" / "samples.tsv", sep="\t", dtype=str)
    assert list(samples["sample_id"]) == list(counts.columns)
    assert list(samples["patient"]) == ["TCGA-AA-0001", "TCGA-AA-0001", "TCGA-AA-0002", "TCGA-AA-0002"]
    assert list(samples["sample_type"]) == ["01", "11", "01", "01"]
    assert list(samples["replicate"]) == ["1", "1", "2", "1"]
    assert set(samples["project"]) == {"TCGA-AAAA"}
    assert list(samples["file_id"]) == [cohort[0], cohort[1], cohort[3], cohort[2]]
    packed = (tmp_path / "out" / "counts.tsv.gz").read_bytes()
    assert provenance["sha256"] == hashlib.sha256(packed).hexdigest() and provenance["bytes"] == len(packed)
    assert provenance["data_release"] == "Data Release 0.0" and provenance["files"] == 4
    assert json.loads(provenance_path(tmp_path / "out" / "counts.tsv.gz").read_text()) == provenance
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert provenance["left_out"] == {}
    assert {e["file_id"]: (e["md5"], e["bytes"]) for e in manifest["files"]} == {
        hit["file_id"]: (hit["md5sum"], hit["file_size"]) for hit in server.hits[:4]
    }
    assert not list(tmp_path.rglob("*.tmp"))


def test_one_aliquot_of_a_sample_is_taken_unless_all_are_asked_for(
    server: Gdc, cohort: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The one that the Broad Institute's Firehose would take: analyte H, R, T, then the highest plate."""
    total = server.add("TCGA-AA-0002-01A-11T-A333-07", (9, 9, 9))
    provenance = acquire(server, tmp_path, "gdc:TCGA-AAAA")
    assert list(matrix(tmp_path).columns) == [
        "TCGA-AA-0001-01A-11R-A111-07", "TCGA-AA-0001-11A-11R-A111-07", "TCGA-AA-0002-01A-11R-A222-07",
    ]  # fmt: skip
    assert provenance["left_out"] == {"further aliquot of a sample": 2} and provenance["files"] == 3
    assert "2 of 5 files are left out: further aliquot" in caplog.text
    assert total not in sum(server.asked_ids(), [])
    every = acquire(server, tmp_path)
    assert every["left_out"] == {} and matrix(tmp_path).shape == (3, 5)


def test_samples_in_formalin_are_marked_and_left_out_by_default(server: Gdc, cohort: list[str], tmp_path: Path) -> None:
    said = server.add("TCGA-AA-0001-01B-11R-A999-07", (50, 60, 70))
    server.hits[-1]["cases"][0]["samples"][0]["preservation_method"] = "FFPE"
    server.hits[0]["cases"][0]["samples"][0]["preservation_method"] = "OCT"
    server.add("TCGA-AA-0004-01A-11R-A999-07", (51, 61, 71))
    server.hits[-1]["cases"][0]["samples"][0]["portions"] = [{"is_ffpe": False}, {"is_ffpe": True}]
    assert acquire(server, tmp_path)["left_out"] == {"fixed in formalin (FFPE)": 2}
    assert not any("A999" in name for name in matrix(tmp_path))
    kept = acquire(server, tmp_path, "gdc:TCGA-AAAA?ffpe=keep&aliquots=all")
    samples = pd.read_csv(tmp_path / "out" / "samples.tsv", sep="\t", dtype=str, keep_default_na=False)
    preservation = samples.set_index("sample_id")["preservation"]
    assert kept["left_out"] == {} and preservation["TCGA-AA-0001-01B-11R-A999-07"] == "FFPE"
    assert preservation["TCGA-AA-0001-01A-11R-A111-07"] == "OCT"
    assert preservation["TCGA-AA-0002-01A-11R-A111-07"] == "" and said in set(samples["file_id"])
    # Of one sample a frozen aliquot is preferred, whatever its plate.
    frozen, fixed = ({"preservation": p, "aliquot": a, "file_id": "x"} for p, a in (("", "A-11R-A111-"), ("FFPE", "Z")))
    assert preference(frozen) < preference(fixed)
    server.hits = [hit for hit in server.hits if hit["file_id"] == said]
    with pytest.raises(UserError, match="left out; the first: fixed in formalin") as error:
        acquire(server, tmp_path, "gdc:TCGA-AAAA?samples=01")
    assert "ffpe=keep" in error.value.remedy


def test_the_sample_type_is_that_of_the_barcode_where_the_field_is_gone(server: Gdc, cohort: list[str]) -> None:
    for hit in server.hits:
        del hit["cases"][0]["samples"][0]["sample_type"]
    files = listed(server)
    assert sorted(e["sample_type"] for e in files) == ["01", "01", "01", "11"]
    assert {e["sample_type_name"] for e in files} == {"Primary Tumor", "Solid Tissue Normal"}
    server.hits[0]["cases"][0]["samples"][0]["sample_type"] = "Something new"  # a name that is not known
    assert len(listed(server)) == 4
    asked = [part["content"]["field"] for part in server.requests[0][1]["filters"]["content"]]
    assert not any("sample_type" in field for field in asked)
    assert sample_type_of("TARGET-20-PABHET-09A-01R") == "09" and sample_type_of("TCGA-AA-0001-11A") == "11"
    assert sample_type_of("C3L-00004-01") == sample_type_of("CPT0000140004") == ""


def test_a_pooled_aliquot_is_not_taken_for_the_first_of_its_samples(server: Gdc, tmp_path: Path) -> None:
    def pooled(name: str, *samples: tuple[str, str]) -> None:
        server.add(f"TCGA-AA-{name}-01A-11R-A111-07", (1, 2, 3))
        server.hits[-1]["associated_entities"] = [{"entity_submitter_id": f"CPT000{name}"}]
        server.hits[-1]["cases"][0]["samples"] = [{"submitter_id": s, "sample_type": t} for s, t in samples]

    tumour, normal = SAMPLE_TYPES["01"], SAMPLE_TYPES["11"]
    pooled("0001", ("C3L-1-02", tumour), ("C3L-1-01", tumour))
    pooled("0002", ("C3L-2-01", tumour), ("C3L-2-06", normal))
    pooled("0003", ("C3L-3-01", tumour))
    server.add("TCGA-AA-0004-01A-11R-A111-07", (1, 2, 3))
    server.hits[-1]["cases"].append(server.hits[-1]["cases"][0] | {"submitter_id": "TCGA-AA-0005"})
    provenance = acquire(server, tmp_path)
    assert provenance["left_out"] == {"pooled of samples of several kinds": 2}
    samples = pd.read_csv(tmp_path / "out" / "samples.tsv", sep="\t", dtype=str)
    assert dict(zip(samples["sample_id"], samples["sample"], strict=True)) == {
        "CPT0000001": "C3L-1-01+C3L-1-02", "CPT0000003": "C3L-3-01",
    }  # fmt: skip


def test_a_refusal_names_what_the_api_says(server: Gdc, cohort: list[str]) -> None:
    server.statuses = [(400, json.dumps({"message": "unrecognized field: cases.samples.sample_type"}).encode())]
    with pytest.raises(UserError, match="400 Bad Request: unrecognized field: cases.samples.sample_type") as error:
        listed(server)
    assert "renamed" in error.value.remedy


def test_sex_and_age_of_the_patients_are_in_the_sample_table(server: Gdc, cohort: list[str], tmp_path: Path) -> None:
    for hit, demographic in zip(
        server.hits,
        [
            {"sex_at_birth": "female", "age_at_index": 61},
            {"gender": "Male", "age_at_index": None},  # an older release
            None,
            {"sex_at_birth": "not reported", "gender": None},
            {},
        ],
        strict=True,
    ):
        hit["cases"][0]["demographic"] = demographic
    acquire(server, tmp_path)
    asked = [body["fields"].split(",") for path, body in server.requests if path == "/files"]
    assert all("cases.demographic.sex_at_birth" in fields for fields in asked)
    samples = pd.read_csv(tmp_path / "out" / "samples.tsv", sep="\t", dtype=str, keep_default_na=False)
    assert list(samples["sex"]) == ["female", "male", "", ""]
    assert list(samples["age"]) == ["61", "", "", ""]


def test_finished_is_not_repeated_and_changed_is(server: Gdc, cohort: list[str], tmp_path: Path) -> None:
    first = acquire(server, tmp_path)
    asked = len(server.requests)
    assert acquire(server, tmp_path) == first and len(server.requests) == asked
    (tmp_path / "out" / "counts.tsv.gz").write_bytes(b"changed")
    assert acquire(server, tmp_path)["sha256"] == first["sha256"]
    assert len(server.asked_ids()) == 1  # listed again, but every file is there


def test_a_damaged_file_of_the_cache_is_fetched_again(server: Gdc, cohort: list[str], tmp_path: Path) -> None:
    acquire(server, tmp_path)
    path = tmp_path / "files" / f"{cohort[2]}.tsv"
    path.write_bytes(path.read_bytes().replace(b"900", b"902"))  # same size
    (tmp_path / "out" / "samples.tsv").unlink()
    acquire(server, tmp_path)
    assert server.asked_ids()[1:] == [[cohort[2]]]
    assert path.read_bytes() == server.content[cohort[2]]


def test_listing_is_paged(server: Gdc, cohort: list[str]) -> None:
    files = listed(server, page=3)
    assert [entry["file_id"] for entry in files] == sorted(cohort[:4])
    assert [(body["from"], body["size"]) for _, body in server.requests] == [(0, 3), (3, 3)]


def test_listing_that_changes_between_pages(server: Gdc, cohort: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = server.selected
    # The order differs from request to request: one file comes twice, another never.
    monkeypatch.setattr(server, "selected", lambda filters: whole(filters)[:: 1 if len(server.requests) == 1 else -1])
    with pytest.raises(UserError, match="announces 5 files, 3 came"):
        listed(server, page=3)


def test_controlled_files_are_left_out(server: Gdc, cohort: list[str], tmp_path: Path) -> None:
    secret = server.add("TCGA-AA-0009-01A-11R-A111-07", (0, 0, 0), access="controlled")
    assert secret not in {entry["file_id"] for entry in listed(server)}  # by the filter
    server.ignore_access = True
    assert secret in {hit["file_id"] for hit in server.selected(gdc.parse_source("gdc:TCGA-AAAA").filters("TCGA-AAAA"))}
    acquire(server, tmp_path)
    assert all(secret not in ids for ids in server.asked_ids())
    assert "TCGA-AA-0009-01A-11R-A111-07" not in matrix(tmp_path)


def test_sample_types_and_projects_are_filtered(server: Gdc, cohort: list[str]) -> None:
    server.add("TCGA-BB-0001-06A-11R-A111-07", (1, 1, 1), project="TCGA-BBBB")
    assert [entry["file_id"] for entry in listed(server, "gdc:TCGA-AAAA?samples=06")] == [cohort[4]]
    with pytest.raises(UserError, match="no open STAR") as error:
        listed(server, "gdc:TCGA-BBBB")
    assert "?samples=CODE" in error.value.remedy and "06 (Metastatic)" in error.value.remedy


def test_union_takes_each_file_once(server: Gdc, cohort: list[str], tmp_path: Path) -> None:
    other = server.add("TCGA-BB-0001-01A-11R-A111-07", (20, 21, 22), project="TCGA-BBBB")
    server.hits[0]["listed_in"] = ["TCGA-AAAA", "TCGA-BBBB"]
    acquire(server, tmp_path, "gdc:TCGA-AAAA+TCGA-BBBB+TCGA-AAAA?aliquots=all")
    assert sorted(sum(server.asked_ids(), [])) == sorted([*cohort[:4], other])
    assert matrix(tmp_path).shape == (3, 5)
    assert server.asked("/files") == 2


def test_firehose_unions_become_projects() -> None:
    assert gdc.parse_source("gdc:COADREAD+TCGA-READ").projects == ("TCGA-COAD", "TCGA-READ")
    assert gdc.parse_source("gdc:TCGA-BRCA").sample_types == ("01", "11")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("gdc:", "not of the form"),
        ("gdc:TCGA-BRCA?workflow=HTSeq", "not of the form"),
        ("gdc:TCGA-BRCA/../x", "not of the form"),
        ("gdc:TCGA-BRCA?samples=98", "'98' is not known"),
        ("gdc:TCGA-BRCA?ffpe=maybe", "not of the form"),
        ("gdc:TCGA-BRCA?samples=01&aliquots=two", "not of the form"),
    ],
)
def test_malformed_sources(source: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as error:
        gdc.parse_source(source)
    assert error.value.remedy


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again(server: Gdc, cohort: list[str], tmp_path: Path, status: int) -> None:
    server.statuses = [(status, b"busy"), (status, b"busy")]
    acquire(server, tmp_path)
    assert matrix(tmp_path).shape == (3, 4)
    assert server.asked("/status") == 3


def test_a_server_that_stays_busy(server: Gdc, cohort: list[str]) -> None:
    server.statuses = [(429, b"busy")] * 5
    with pytest.raises(UserError, match="answered 429"):
        gdc.list_files(gdc.parse_source("gdc:TCGA-AAAA"), server.client(attempts=5))
    assert len(server.requests) == 5


def test_pauses_grow_and_follow_retry_after(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("pseudocohort.acquire.gdc_api.time.sleep", slept.append)
    client = Client("http://127.0.0.1:9", pause=1)
    for attempt, asked in enumerate(["", "", "30", "Wed, 21 Oct 2015", "9999"]):
        client.wait(attempt, asked)
    assert slept == [1, 2, 30, 8, 60]


def test_refusal_is_not_repeated(server: Gdc) -> None:
    server.statuses = [(403, b"no")]
    with pytest.raises(UserError, match="answered 403"):
        server.client().json("files", {})
    assert len(server.requests) == 1


def test_empty_202(server: Gdc, cohort: list[str], tmp_path: Path) -> None:
    server.statuses = [(202, b"")] * 3
    with pytest.raises(UserError, match="202 Accepted, without content, 3 times") as error:
        acquire(server, tmp_path)
    assert "later" in error.value.remedy
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("body", "said"), [(PAGE, "web page"), (b"", "empty answer"), (b"[]", "no JSON object")])
def test_wrong_answers_with_status_200(server: Gdc, tmp_path: Path, body: bytes, said: str) -> None:
    server.statuses = [(200, body)] * 3
    with pytest.raises(UserError, match=said):
        acquire(server, tmp_path)


def test_page_instead_of_data(server: Gdc, cohort: list[str], tmp_path: Path) -> None:
    files = listed(server)
    for part in (files, files[:1]):
        server.statuses = [(200, PAGE)]
        with pytest.raises(UserError, match="web page"):
            gdc_files.download_files(part, tmp_path / "files", server.client())
    assert list((tmp_path / "files").iterdir()) == []


def test_listing_without_pagination(server: Gdc) -> None:
    server.statuses = [(200, b'{"warnings": {"filters": "unrecognized"}}')]
    with pytest.raises(UserError, match="unrecognized"):
        listed(server)


def test_strange_file_ids_are_refused(server: Gdc, cohort: list[str]) -> None:
    server.hits[0]["file_id"] = "../../evil"
    with pytest.raises(UserError, match="no file id"):
        listed(server)


def test_truncated_archive_keeps_what_came(server: Gdc, tmp_path: Path) -> None:
    genes = tuple(f"ENSG{i:011d}.1" for i in range(1800))  # longer than the pieces that a transfer comes in
    for patient in range(4):
        server.add(f"TCGA-AA-000{patient}-01A-11R-A111-07", (patient,) * 1800, genes=genes)
    files = listed(server)
    size = files[0]["bytes"]
    assert size > 100_000
    server.cut_at = [int(2.8 * size)]
    assert gdc_files.download_files(files, tmp_path, server.client()) == 4
    ids = [entry["file_id"] for entry in files]
    assert server.asked_ids() == [ids, ids[2:]]
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {f"{i}.tsv": server.content[i] for i in ids}


def test_interrupted_run_resumes_with_the_missing(server: Gdc, cohort: list[str], tmp_path: Path) -> None:
    broken = cohort[1]
    server.always_spoilt = {broken}
    with pytest.raises(UserError, match="1 of 4 files could not be downloaded whole.*MD5") as error:
        acquire(server, tmp_path)
    assert "finished files are kept" in error.value.remedy
    assert not (tmp_path / "out" / "counts.tsv.gz").exists()
    assert {p.stem for p in (tmp_path / "files").iterdir()} == set(cohort[:4]) - {broken}
    server.always_spoilt, server.requests = set(), []
    acquire(server, tmp_path)
    assert server.asked_ids() == [[broken]]
    assert matrix(tmp_path).shape == (3, 4)


def test_stopped_program_resumes_with_the_missing(
    server: Gdc, cohort: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, kept = gdc_files._keep, []

    def stop_at_third(content: Any, entry: dict[str, Any], folder: Path) -> None:
        if len(kept) == 2:
            raise KeyboardInterrupt
        keep(content, entry, folder)
        kept.append(entry["file_id"])

    with monkeypatch.context() as patch:
        patch.setattr(gdc_files, "_keep", stop_at_third)
        with pytest.raises(KeyboardInterrupt):
            acquire(server, tmp_path)
    server.requests = []
    acquire(server, tmp_path)
    assert [sorted(ids) for ids in server.asked_ids()] == [sorted(set(cohort[:4]) - set(kept))]


@pytest.mark.parametrize("batch", [1, 4])
def test_wrong_md5_once(server: Gdc, cohort: list[str], tmp_path: Path, batch: int) -> None:
    server.spoilt = {cohort[0]}
    gdc_files.download_files(listed(server), tmp_path, server.client(), batch=batch)
    assert [ids for ids in server.asked_ids() if cohort[0] in ids][1:] == [[cohort[0]]]
    assert len(server.asked_ids()) == {1: 5, 4: 2}[batch]
    assert (tmp_path / f"{cohort[0]}.tsv").read_bytes() == server.content[cohort[0]]


def test_truncated_single_file(server: Gdc, cohort: list[str], tmp_path: Path) -> None:
    server.cut_at = [100]
    gdc_files.download_files(listed(server)[:1], tmp_path, server.client())
    assert len(server.asked_ids()) == 2
    assert [p.suffix for p in tmp_path.iterdir()] == [".tsv"]


@pytest.mark.parametrize("name", ["../evil.tsv", "/evil.tsv", "a/../../evil.tsv", "..\\evil.tsv"])
def test_unsafe_paths_of_an_archive(server: Gdc, cohort: list[str], tmp_path: Path, name: str) -> None:
    member = tarfile.TarInfo(name)
    member.size = 4
    server.extra = [member]
    with pytest.raises(UserError, match="unsafe member"):
        acquire(server, tmp_path)
    assert not list(tmp_path.rglob("*evil*")) and not list(tmp_path.parent.glob("*evil*"))


def test_links_in_an_archive(server: Gdc, cohort: list[str], tmp_path: Path) -> None:
    member = tarfile.TarInfo("link")
    member.type, member.linkname = tarfile.SYMTYPE, "/etc"
    server.extra = [member]
    with pytest.raises(UserError, match="unsafe member: 'link'"):
        acquire(server, tmp_path)


def test_offline(server: Gdc, cohort: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="not downloaded yet"):
        acquire(server, tmp_path, offline=True)
    monkeypatch.setenv("PSEUDOCOHORT_OFFLINE", "1")
    with pytest.raises(UserError, match="not downloaded yet"):
        acquire(server, tmp_path)
    assert server.requests == []
    monkeypatch.delenv("PSEUDOCOHORT_OFFLINE")
    first = acquire(server, tmp_path)
    asked = len(server.requests)
    (tmp_path / "out" / "counts.tsv.gz").unlink()  # as Snakemake does before it runs a rule again
    assert acquire(server, tmp_path, offline=True)["sha256"] == first["sha256"]
    with pytest.raises(UserError, match="not downloaded yet"):
        acquire(server, tmp_path, "gdc:TCGA-AAAA?samples=06", offline=True)
    (tmp_path / "out" / "counts.tsv.gz").unlink()
    (tmp_path / "files" / f"{cohort[0]}.tsv").unlink()
    with pytest.raises(UserError, match="1 of its files"):
        acquire(server, tmp_path, offline=True)
    assert len(server.requests) == asked


def test_unreachable_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Gdc() as closed:
        client = closed.client()
    with pytest.raises(UserError, match="cannot be reached"):
        client.json("status")


def test_gene_order_may_differ_but_not_the_genes(server: Gdc, tmp_path: Path) -> None:
    server.add("TCGA-AA-0001-01A-11R-A111-07", (1, 2, 3))
    server.add("TCGA-AA-0002-01A-11R-A111-07", (6, 5, 4), genes=GENES[::-1])
    acquire(server, tmp_path)
    assert list(matrix(tmp_path)["TCGA-AA-0002-01A-11R-A111-07"]) == [4, 5, 6]
    server.add("TCGA-AA-0003-01A-11R-A111-07", (6, 5), genes=GENES[:2])
    (tmp_path / "out" / "counts.tsv.gz").unlink()
    with pytest.raises(UserError, match="its 2 genes are not the 3"):
        acquire(server, tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (star_file((1, 2, 3)).replace(b"\t2\t", b"\t2.5\t"), "holds no counts"),
        (star_file((1, 2, 3)).replace(b"\t2\t", b"\t-2\t"), "holds no counts"),
        (star_file((1, 2, 1 << 31)), "holds no counts"),
        (star_file((1, 2, 3)).replace(b"unstranded\t", b"other\t"), "no table of STAR counts"),
        (b"# only a comment\n", "no table of STAR counts"),
        (star_file((1, 2, 3), (GENES[0], GENES[1], GENES[0])), "has two rows"),
    ],
)
def test_files_that_are_no_counts(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.tsv").write_bytes(content)
    with pytest.raises(UserError, match=said):
        read_counts(tmp_path / "a.tsv")


def test_two_files_of_one_aliquot_are_both_kept(server: Gdc) -> None:
    server.add("TCGA-AA-0001-01A-11R-A111-07", (1, 2, 3))
    server.add("TCGA-AA-0001-01A-11R-A111-07", (4, 5, 6))
    files = listed(server)
    table = sample_table(files[::-1])
    assert list(table["sample_id"]) == ["TCGA-AA-0001-01A-11R-A111-07", "TCGA-AA-0001-01A-11R-A111-07.2"]
    assert list(table["file_id"]) == sorted(entry["file_id"] for entry in files)
    assert list(table["replicate"]) == [1, 2]


def test_a_row_of_the_dataset_sheet_works(server: Gdc, tmp_path: Path, copy_project: Any, snakemake: Any) -> None:
    """From ``gdc:TCGA-AAAA`` in the sheet to ingested profiles, by Snakemake."""
    for patient in range(3):
        for code in ("01", "11"):
            server.add(f"TCGA-AA-000{patient}-{code}A-11R-A111-07", (100 + patient, 200, 300 + int(code)))
    folder = copy_project(tmp_path / "project")
    catalogue = folder / "config" / "data_versions.tsv"
    text = catalogue.read_text()
    assert text.count("https://api.gdc.cancer.gov\t") == 1
    catalogue.write_text(text.replace("https://api.gdc.cancer.gov\t", f"{server.api}\t"))
    row = {
        "dataset": "cohort", "kind": "bulk", "format": "tsv", "orientation": "genes_by_samples",
        "source": "gdc:TCGA-AAAA", "gene_ids": "ensembl", "unit": "counts", "sample_column": "sample_id",
        "donor_column": "patient", "condition_column": "project", "technology": "bulk", "aggregation": "bulk",
        "context": "@sample_type:01=tumour,11=normal",
    }  # fmt: skip
    sheet = pd.read_csv(folder / "config" / "datasets.tsv", sep="\t", dtype=str)
    pd.concat([sheet, pd.DataFrame([row])]).to_csv(folder / "sheet.tsv", sep="\t", index=False)
    (folder / "study.yaml").write_text(
        "datasets_sheet: sheet.tsv\ndatasets: [demo_normal, demo_tumour, demo_cells, demo_line_bulk, cohort]\n"
    )
    snakemake(
        folder, "--cores", "1", "--configfile", "config/demo.yaml", "study.yaml",
        "--", "results/demo/ingested/cohort.h5ad",
    )  # fmt: skip
    profiles = ad.read_h5ad(folder / "results/demo/ingested/cohort.h5ad")
    assert profiles.shape == (6, 3)
    assert set(profiles.obs["donor"]) == {f"TCGA-AA-000{i}" for i in range(3)}
    assert dict(profiles.obs["level"].value_counts()) == {"tumour": 3, "normal": 3}
    assert list((folder / "resources/downloads/_gdc/cohort").glob("counts.tsv.gz.provenance.json"))


def test_profiles_let_one_job_ask_the_gdc_at_a_time(project_root: Path) -> None:
    rule = (project_root / "workflow/rules/acquire.smk").read_text().partition("rule download_gdc:")[2]
    assert "gdc=1," in rule.partition("rule ")[0]
    profiles = list((project_root / "profiles").glob("*/profile*.yaml"))
    assert len(profiles) == 3
    for profile in profiles:
        assert "gdc=1" in yaml.safe_load(profile.read_text())["resources"], profile
