"""Fetching of local and http sources, against a server that the test starts on loopback."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.servers import Handler, Server, serving

from pseudocohort.acquire import sources
from pseudocohort.acquire.fetch import fetch
from pseudocohort.core.errors import UserError

DATA = gzip.compress(b"gene\tsample\n" + bytes(range(32, 127)) * 3000, compresslevel=0, mtime=0)


class FileServer(Server):
    """Server with scripted files: path -> bytes; counts and records what it was asked."""

    def __init__(self) -> None:
        super().__init__(Answers)
        self.files: dict[str, bytes] = {"/data.tsv.gz": DATA}
        self.etag = '"one"'
        self.cut_at: list[int] = []  # bodies are broken off after so many bytes, one entry per request
        self.seen: list[dict[str, str]] = []


class Answers(Handler):
    server: FileServer

    def do_GET(self) -> None:
        self.server.seen.append(dict(self.headers))
        body = self.server.files.get(self.path)
        if body is None:
            self.send_error(404)
            return
        cut = self.server.cut_at.pop(0) if self.server.cut_at else None
        self.answer(body, {"ETag": self.server.etag}, most=cut)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setattr("pseudocohort.acquire.fetch._BACKOFF", 0)
    with serving(FileServer(), monkeypatch) as running:
        yield running


@pytest.mark.parametrize("address", ["ftp://example.org/x.tsv", "s3://bucket/x.tsv"])
def test_addresses_of_other_kinds_are_refused(address: str) -> None:
    row = {"source": "x.tsv", "samples": address}
    with pytest.raises(UserError, match=f"'{address.split(':')[0]}' are not supported") as error:
        sources.check({"mine": row})
    assert error.value.remedy and "'samples'" in error.value.where
    assert sources.check({"mine": row | {"samples": "file:///x.tsv"}})


def test_download_and_reuse(server: FileServer, tmp_path: Path) -> None:
    target = tmp_path / "d" / "data.tsv.gz"
    provenance = fetch(server.url("/data.tsv.gz"), target)
    assert target.read_bytes() == DATA
    assert provenance["sha256"] == hashlib.sha256(DATA).hexdigest()
    assert provenance["etag"] == '"one"'
    assert sorted(p.name for p in target.parent.iterdir()) == ["data.tsv.gz", "data.tsv.gz.provenance.json"]
    assert fetch(server.url("/data.tsv.gz"), target, offline=True) == provenance
    assert len(server.seen) == 1
    target.write_bytes(b"changed")
    fetch(server.url("/data.tsv.gz"), target)
    assert target.read_bytes() == DATA and len(server.seen) == 2


def test_resumes_with_a_range(server: FileServer, tmp_path: Path) -> None:
    server.cut_at = [100_000]
    target = tmp_path / "data.tsv.gz"
    fetch(server.url("/data.tsv.gz"), target)
    assert target.read_bytes() == DATA
    assert [request.get("Range") for request in server.seen] == [None, "bytes=100000-"]  # every byte that came is kept


def test_a_later_run_resumes(server: FileServer, tmp_path: Path) -> None:
    server.cut_at = [70_000, 70_000, 70_000]
    target = tmp_path / "data.tsv.gz"
    with pytest.raises(UserError, match="broke off"):
        fetch(server.url("/data.tsv.gz"), target)
    assert not target.exists()
    assert (tmp_path / "data.tsv.gz.part").read_bytes() == DATA[:210_000]
    fetch(server.url("/data.tsv.gz"), target)
    assert server.seen[-1]["Range"] == "bytes=210000-"
    assert target.read_bytes() == DATA


def test_changed_file_is_downloaded_whole(server: FileServer, tmp_path: Path) -> None:
    server.cut_at = [70_000, 70_000, 70_000]
    target = tmp_path / "data.tsv.gz"
    with pytest.raises(UserError, match="broke off"):
        fetch(server.url("/data.tsv.gz"), target)
    server.etag, new = '"two"', gzip.compress(b"another", mtime=0)
    server.files["/data.tsv.gz"] = new
    fetch(server.url("/data.tsv.gz"), target)
    assert target.read_bytes() == new


def test_part_longer_than_the_file(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "data.tsv.gz.part").write_bytes(DATA + b"more")
    (tmp_path / "data.tsv.gz.part.json").write_text(
        json.dumps({"if_range": '"one"', "url": server.url("/data.tsv.gz")})
    )
    fetch(server.url("/data.tsv.gz"), tmp_path / "data.tsv.gz")
    assert (tmp_path / "data.tsv.gz").read_bytes() == DATA


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("page.csv", b"\n<!DOCTYPE html><html>check</html>", "web page"),
        ("empty.csv", b"", "empty file"),
        ("cut.tsv.gz", DATA[:-20], "truncated or damaged"),
        ("plain.tsv.gz", b"not gzip", "truncated or damaged"),
    ],
)
def test_wrong_content_leaves_nothing(server: FileServer, tmp_path: Path, name: str, body: bytes, said: str) -> None:
    server.files[f"/{name}"] = body
    with pytest.raises(UserError, match=said):
        fetch(server.url(f"/{name}"), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_missing_address_and_wrong_checksum(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="404"):
        fetch(server.url("/other"), tmp_path / "other")
    with pytest.raises(UserError, match="SHA-256"):
        fetch(server.url("/data.tsv.gz"), tmp_path / "data.tsv.gz", sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_offline_never_asks(server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="network is not to be used"):
        fetch(server.url("/data.tsv.gz"), tmp_path / "data.tsv.gz", offline=True)
    monkeypatch.setenv("PSEUDOCOHORT_OFFLINE", "1")
    with pytest.raises(UserError, match="PSEUDOCOHORT_OFFLINE"):
        fetch(server.url("/data.tsv.gz"), tmp_path / "data.tsv.gz")
    assert server.seen == []


def test_unreachable_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with FileServer() as closed:
        url = closed.url("/data.tsv.gz")
    with pytest.raises(UserError, match="broke off"):
        fetch(url, tmp_path / "data.tsv.gz")
