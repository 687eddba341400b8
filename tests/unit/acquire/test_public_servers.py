"""Downloads from servers on loopback that behave like the public ones, on their bad days too, and what is left then."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from support.servers import Handler, Server, serving

from pseudocohort.acquire import checksums
from pseudocohort.acquire import fetch as module
from pseudocohort.acquire.fetch import fetch
from pseudocohort.core.errors import UserError
from pseudocohort.core.io import atomic

RANDOM = np.random.default_rng(0).integers(0, 256, 400_000, dtype=np.uint8).tobytes()
GCT = gzip.compress(b"#1.2\n2\t1\nName\tDescription\tGTEX-1\nENSG1.1\tA\t0.1\nENSG2.1\tB\t2\n", mtime=0)
BULK = gzip.compress(RANDOM[:100_000], mtime=0)
PHENOTYPE = gzip.compress("sample\tprimary\nTCGA-1\tMelanoma na\xefve\n".encode("latin-1"), mtime=0)
DEPMAP = b",TP53 (7157),MYC (4609)\nACH-000001,1.5,2.5\n"
PAGE = b"<!DOCTYPE html><html><title>Just a moment...</title></html>"
H5AD = b"\x89HDF\r\n\x1a\n" + RANDOM


class Servers(Server):
    """Several public sources under one address, one folder each; counts and records what it was asked."""

    def __init__(self) -> None:
        super().__init__(Answers)
        self.asked: Counter[str] = Counter()
        self.ranges: list[str | None] = []
        self.go_on = threading.Event()
        self.go_on.set()

    def handle_error(self, *_: object) -> None:
        """A client that goes away is part of the tests."""


class Answers(Handler):
    server: Servers

    def do_GET(self) -> None:
        source = self.path.split("/")[1]
        self.server.asked[self.path] += 1
        self.server.ranges.append(self.headers.get("Range"))
        getattr(self, source)(self.server.asked[self.path])

    def xena(self, _: int) -> None:
        """A hub in a bucket: a gzip file in latin-1, called text, with a strong ETag."""
        self.answer(PHENOTYPE, {"ETag": '"5f"', "Content-Type": "text/plain"})

    def gtex(self, time: int) -> None:
        """A bucket that is out of order once, and says that its .gz file is of type gzip."""
        if time == 1:
            self.send_error(503)
        else:
            md5 = base64.b64encode(hashlib.md5(GCT if "damaged" not in self.path else DEPMAP).digest()).decode()
            hashes = f"crc32c=AAAA==, md5={md5}"
            self.answer(GCT, {"ETag": '"7a"', "x-goog-hash": hashes, "Content-Type": "application/gzip"})

    def challenge(self, _: int) -> None:
        """A firewall that wants to see a browser: 202 with nothing, for ever."""
        self.answer(b"", {"x-amzn-waf-action": "challenge"}, status=202)

    def records(self, _: int) -> None:
        """zenodo as it is: a file, and beside it the listing of the record with MD5s."""
        self.answer(H5AD, {"ETag": '"b0"'}, most=150_000 if self.server.asked[self.path] == 1 else None)

    def api(self, _: int) -> None:
        right = hashlib.md5(H5AD).hexdigest() if self.path.endswith("/77") else "0" * 32
        listing = {"files": [{"key": "a b.h5ad", "checksum": f"md5:{right}"}]}
        self.answer(json.dumps(listing).encode() if "/79" not in self.path else b"<html>", {})

    def figshare(self, time: int) -> None:
        """Twice 202 with nothing, then a redirection to the store."""
        if time <= 2:
            self.answer(b"", {}, status=202)
        else:
            self.send_response(302)
            self.send_header("Location", self.server.url("/store/expression.csv?X-Amz-Expires=10"))
            self.end_headers()

    def store(self, _: int) -> None:
        self.answer(DEPMAP, {"ETag": '"9c"', "Content-Disposition": 'attachment; filename="x.csv"'})

    def depmap(self, _: int) -> None:
        """A portal that wants to see a person first: 200, and a page."""
        self.answer(PAGE, {"Content-Type": "text/html"})

    def zenodo(self, time: int) -> None:
        """Too many requests, then a body that breaks off, then the rest of it."""
        if time == 1:
            self.answer(b"", {"Retry-After": "0"}, status=429)
        else:
            self.answer(H5AD, {"ETag": '"e1"'}, most=150_000 if time == 2 else None)

    def damaged(self, _: int) -> None:
        body = bytearray(gzip.compress(RANDOM, mtime=0))
        body[200_000] ^= 1
        self.answer(bytes(body), {"ETag": '"d1"'})

    def slow(self, _: int) -> None:
        """Half of the body, and the other half when the test says so."""
        self.answer(H5AD, {"ETag": '"51"'}, pause=(200_000, self.server.go_on))

    def unannounced(self, _: int) -> None:
        """No length given: the body ends where the connection ends."""
        self.answer(H5AD, {"ETag": '"aa"'}, length=False)

    def encoded(self, time: int) -> None:
        """A server that takes a .gz file for a text that it sends packed; breaks off once."""
        headers = {"ETag": '"ee"', "Content-Encoding": "gzip", "Content-Type": "text/tab-separated-values"}
        self.answer(BULK, headers, most=40_000 if time == 1 else None)

    def elsewhere(self, _: int) -> None:
        """A redirection: for ever, or to what is no address of the web."""
        self.send_response(302)
        self.send_header("Location", "ftp://example.org/x.tsv" if "ftp" in self.path else self.path)
        self.end_headers()


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Servers]:
    monkeypatch.setattr(module, "_BACKOFF", 0.01)
    with serving(Servers(), monkeypatch) as running:
        yield running
        running.go_on.set()


@pytest.mark.parametrize(
    ("path", "content", "requests"),
    [
        ("/xena/TcgaTargetGTEX_phenotype.txt.gz", PHENOTYPE, 1),
        ("/gtex/gene_tpm.gct.gz", GCT, 2),
        ("/figshare/expression.csv", DEPMAP, 3),
        ("/zenodo/norman.h5ad", H5AD, 3),
        ("/encoded/expression.tsv.gz", BULK, 2),
    ],
)
def test_the_right_file_comes_in_the_end(
    servers: Servers, tmp_path: Path, path: str, content: bytes, requests: int
) -> None:
    target = tmp_path / Path(path).name
    provenance = fetch(servers.url(path), target)
    assert target.read_bytes() == content and servers.asked[path] == requests
    assert provenance["sha256"] == hashlib.sha256(content).hexdigest()
    assert {p.name for p in tmp_path.iterdir()} == {target.name, f"{target.name}.provenance.json"}
    fetch(servers.url(path), target)
    assert servers.asked[path] == requests


@pytest.mark.parametrize(
    ("path", "sha256", "said"),
    [
        ("/depmap/OmicsExpression.csv", "", "a web page"),
        ("/damaged/expression.tsv.gz", "", "truncated or damaged"),
        ("/store/expression.csv", "0" * 64, "SHA-256"),
        ("/store/cells.h5ad", "", "begins with b',tp53"),
        ("/gtex/damaged.gct.gz", "", "the server announced"),
    ],
)
def test_a_wrong_file_is_said_and_not_kept(servers: Servers, tmp_path: Path, path: str, sha256: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        fetch(servers.url(path), tmp_path / Path(path).name, sha256=sha256)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["/elsewhere/x.tsv", "/elsewhere/ftp.tsv"])
def test_a_redirection_that_leads_nowhere_is_said(servers: Servers, tmp_path: Path, path: str) -> None:
    with pytest.raises(UserError, match="the request failed") as error:
        fetch(servers.url(path), tmp_path / "x.tsv")
    assert error.value.remedy and list(tmp_path.iterdir()) == []


def test_half_a_file_of_another_address_is_not_continued(servers: Servers, tmp_path: Path) -> None:
    """The sheet's address was corrected after the wrong file had come in part; its validator is the same."""
    target, part = tmp_path / "cells.h5ad", tmp_path / "cells.h5ad.part"
    part.write_bytes(b"of another file")
    kept = {"etag": '"aa"', "last_modified": "", "if_range": '"aa"', "server_md5": "", "url": servers.url("/old")}
    (tmp_path / "cells.h5ad.part.json").write_text(json.dumps(kept))
    fetch(servers.url("/unannounced/cells.h5ad"), target)
    assert target.read_bytes() == H5AD and servers.ranges == [None]


def test_a_file_that_never_gets_ready(servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRIES", 1)
    with pytest.raises(UserError, match="answered 202"):
        fetch(servers.url("/figshare/expression.csv"), tmp_path / "expression.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_bot_challenge_is_named_at_once_with_the_mirror(servers: Servers, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"202 without content: a bot challenge \(AWS WAF\)") as error:
        fetch(servers.url("/challenge/ndownloader/files/51065489"), tmp_path / "expression.csv")
    assert servers.asked["/challenge/ndownloader/files/51065489"] == 1  # waiting does not help
    assert "waiting does not help" in error.value.remedy and list(tmp_path.iterdir()) == []
    for address in (
        "https://figshare.com/ndownloader/files/51065489",
        "https://ndownloader.figshare.com/files/51065489",
    ):
        assert checksums.figshare_mirror(address) == "https://api.figshare.com/v2/file/download/51065489"
    assert checksums.figshare_mirror("https://example.org/files/1") == ""


@pytest.mark.parametrize(("record", "said"), [("77", ""), ("78", "announced 0000"), ("79", "")])
def test_checksums_of_a_zenodo_record_are_those_of_its_listing(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: str, said: str
) -> None:
    here = re.escape(servers.url(""))
    monkeypatch.setattr(checksums, "_ZENODO", re.compile(rf"^({here})/records?/([0-9]+)/files/([^?#]+)"))
    target, url = tmp_path / "a.h5ad", servers.url(f"/records/{record}/files/a%20b.h5ad")
    if said:
        with pytest.raises(UserError, match=said):
            fetch(url, target)
        assert list(tmp_path.iterdir()) == []
    else:
        provenance = fetch(url, target)
        expected = hashlib.md5(H5AD).hexdigest() if record == "77" else ""  # 79: the listing is a page
        assert provenance["server_md5"] == expected and target.read_bytes() == H5AD
        assert servers.asked[f"/records/{record}/files/a%20b.h5ad"] == 2  # broken off once, resumed


def test_announced_checksums_are_read_in_every_spelling() -> None:
    md5 = hashlib.md5(b"x").hexdigest()
    encoded = base64.b64encode(hashlib.md5(b"x").digest()).decode()
    assert checksums.announced_md5({"x-goog-hash": f"crc32c=AAAAAA==, md5={encoded}"}, whole=False) == md5
    assert checksums.announced_md5({"Content-MD5": encoded}, whole=True) == md5
    assert checksums.announced_md5({"Content-MD5": encoded}, whole=False) == ""  # of the part, not of the file
    assert checksums.announced_md5({"ETag": f'"md5:{md5}"'}, whole=False) == md5
    packed = {"x-goog-hash": f"md5={encoded}", "x-goog-stored-content-encoding": "gzip"}  # and sent unpacked
    for strange in ({}, packed, {"x-goog-hash": "crc32c=AAAA=="}, {"Content-MD5": "?"}, {"ETag": f'"{md5}"'}):
        assert checksums.announced_md5(strange, whole=True) == ""


JOB = """
import sys
from pathlib import Path
from pseudocohort.acquire.fetch import fetch
fetch(sys.argv[1], Path(sys.argv[2]))
"""


def test_killed_in_the_middle_of_a_file_it_goes_on_from_there(
    servers: Servers, tmp_path: Path, project_root: Path
) -> None:
    target, part = tmp_path / "a.h5ad", tmp_path / "a.h5ad.part"
    command = [sys.executable, "-c", JOB, servers.url("/slow/a.h5ad"), str(target)]
    environment = os.environ | {"PYTHONPATH": str(project_root / "workflow/scripts")}
    servers.go_on.clear()
    job = subprocess.Popen(command, env=environment)
    for _ in range(1200):
        if part.exists() and part.stat().st_size >= 3 << 16:
            break
        assert job.poll() is None, "the job ended before it could be killed"
        time.sleep(0.05)
    job.send_signal(signal.SIGKILL)
    job.wait()
    assert not target.exists() and 0 < part.stat().st_size < len(H5AD)
    kept = part.stat().st_size
    servers.go_on.set()
    subprocess.run(command, env=environment, check=True)
    assert target.read_bytes() == H5AD and servers.ranges == [None, f"bytes={kept}-"]
    assert not part.exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """A file system of so many KiB, mounted in memory; mounting again changes its size."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(kib: int, *, again: bool = False) -> Path:
        options = f"{'remount,' if again else ''}size={kib}k"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True)
        if done.returncode != 0:
            pytest.skip("file systems cannot be mounted here")
        return folder

    yield mount
    subprocess.run(["umount", str(folder)], capture_output=True)


def test_full_disk_is_foreseen_when_the_length_is_known(servers: Servers, small_disk: Callable[..., Path]) -> None:
    disk = small_disk(200)
    with pytest.raises(UserError, match="GB are to come, and .* GB are free"):
        fetch(servers.url("/slow/a.h5ad"), disk / "a.h5ad")
    assert sum(p.stat().st_size for p in disk.iterdir()) < 1000


def test_full_disk_in_the_middle_keeps_what_came(servers: Servers, small_disk: Callable[..., Path]) -> None:
    disk = small_disk(200)
    with pytest.raises(UserError, match="the disk is full.*what came is kept"):
        fetch(servers.url("/unannounced/a.h5ad"), disk / "a.h5ad")
    assert not (disk / "a.h5ad").exists() and (disk / "a.h5ad.part").stat().st_size > 100_000
    small_disk(2000, again=True)
    fetch(servers.url("/unannounced/a.h5ad"), disk / "a.h5ad")
    assert (disk / "a.h5ad").read_bytes() == H5AD and servers.ranges[1] is not None


def test_full_disk_leaves_no_half_written_output(small_disk: Callable[..., Path]) -> None:
    disk = small_disk(200)
    (disk / "table.tsv").write_text("whole\n")
    with pytest.raises(UserError, match="the disk is full"), atomic(disk / "table.tsv") as temporary:
        temporary.write_bytes(RANDOM)
    assert [p.name for p in disk.iterdir()] == ["table.tsv"] and (disk / "table.tsv").read_text() == "whole\n"
