"""Downloads of files by http(s): resumed, checked, with their provenance beside them."""

from __future__ import annotations

import gzip
import os
import shutil
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, MaxRetryError, ResponseError
from urllib3.util.retry import Retry

from ..core.errors import UserError
from ..core.io import full_disk_said, read_json, write_json
from ..core.logs import progress
from .checksums import announced_md5, figshare_mirror, file_digest, zenodo_md5

OFFLINE_VARIABLE = "PSEUDOCOHORT_OFFLINE"
CHUNK = 1 << 16
TIMEOUT = (20, 120)  # seconds to connect, and between two pieces of the body
_RESUMES = 3
_RETRIES = 5  # of a request that a server is too busy for
_BACKOFF = 1.0  # seconds: the pauses are 0, 2, 4, 8 and 16 times this, or what Retry-After says
BUSY = (202, 429, 500, 502, 503, 504)  # 202: accepted, but there is no content yet
#: What a transfer that breaks off raises, by way of requests or read directly.
TRANSFER_ERRORS = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError, HTTPError)
_CHALLENGE = "x-amzn-waf-action"  # of a firewall that wants to see a browser: 202 or 405 without content
_ARCHIVE = (".gz", ".tgz")
_PAGE = (".html", ".htm")
_STARTS = {".h5ad": b"\x89hdf", ".h5": b"\x89hdf", ".zip": b"pk", ".parquet": b"par1", ".gct": b"#1."}


def provenance_path(destination: Path) -> Path:
    """File beside `destination` that says where its content came from."""
    return destination.with_name(destination.name + ".provenance.json")


def is_offline(offline: bool) -> bool:
    """Whether the network is not to be used, by an argument or by the environment variable."""
    return offline or os.environ.get(OFFLINE_VARIABLE) == "1"


def describe(path: Path) -> dict[str, Any]:
    """``path``, ``bytes``, ``sha256`` and ``mtime`` (UTC, ISO 8601) of a file, for its provenance."""
    stat = path.stat()
    mtime = datetime.fromtimestamp(stat.st_mtime, UTC).isoformat(timespec="seconds")
    return {"path": str(path), "bytes": stat.st_size, "sha256": file_digest(path), "mtime": mtime}


def fetch(url: str, destination: Path, *, offline: bool = False, sha256: str = "") -> dict[str, Any]:
    """Download a file, and write its provenance beside it.

    An interrupted download resumes where it ended, the content is checked, and the file takes its name in one rename.
    A finished download is not repeated.

    Parameters
    ----------
    url : str
        ``http://`` or ``https://``.
    destination : Path
        File that the download becomes.
    offline : bool
        Never touch the network; so does the environment variable PSEUDOCOHORT_OFFLINE=1.
    sha256 : str
        Expected checksum of the file, if known.

    Returns
    -------
    dict
        ``source``, ``path``, ``bytes``, ``sha256``, ``mtime`` (UTC, ISO 8601), ``etag`` and ``last_modified`` as the
        server gave them, and ``server_md5``, the MD5 that the server announced (empty if it announced none), which the
        file has.

    Raises
    ------
    UserError
        If the source cannot be reached, is refused, is not what it should be, or offline forbids it.
    """
    known = _finished(url, destination)
    if known is not None:
        _check_sha256(known["sha256"], sha256, str(destination))
        return known
    if is_offline(offline):
        raise UserError(
            "the file was not downloaded yet, and the network is not to be used",
            where=url,
            remedy=f"unset {OFFLINE_VARIABLE}, or put the file at a local path and name that in the dataset sheet",
        )
    destination.parent.mkdir(parents=True, exist_ok=True)
    part = destination.with_name(destination.name + ".part")
    headers = _download(url, part)
    try:
        check_content(part, destination.name, url)
        provenance = {"source": url, **describe(part), "path": str(destination), **headers}
        _check_sha256(provenance["sha256"], sha256, url)
        if headers["server_md5"] and (found := file_digest(part, "md5")) != headers["server_md5"]:
            raise UserError(
                f"MD5 is {found}, and the server announced {headers['server_md5']}",
                where=url,
                remedy="the file was damaged on its way: run again",
            )
    except UserError:
        _discard(part)  # wrong content: a resumed download would never become right
        raise
    part.replace(destination)
    _validator_path(part).unlink(missing_ok=True)
    write_json(provenance, provenance_path(destination))
    return provenance


def _check_sha256(found: str, expected: str, where: str) -> None:
    if expected and found != expected.lower():
        raise UserError(
            f"SHA-256 is {found}, not {expected}",
            where=where,
            remedy="the file is damaged or another version: get it again, or correct the checksum",
        )


def _finished(url: str, destination: Path) -> dict[str, Any] | None:
    """Provenance of a download that is there already, of this address and still with its recorded checksum."""
    record = provenance_path(destination)
    if not (destination.is_file() and record.is_file()):
        return None
    known = read_json(record)
    return known if known.get("source") == url and known.get("sha256") == file_digest(destination) else None


class _Retry(Retry):
    """Repeats a request that a server is too busy for, and not one that is answered by a bot challenge."""

    def increment(self, method: Any = None, url: Any = None, response: Any = None, *args: Any, **kwargs: Any) -> Retry:
        if response is not None and _CHALLENGE in response.headers:
            raise MaxRetryError(args[1] if len(args) > 1 else kwargs.get("_pool"), url, ResponseError("bot challenge"))
        return super().increment(method, url, response, *args, **kwargs)


def new_session(retry: Retry | None = None) -> requests.Session:
    """Session without transport compression: checksums and resuming are of the bytes of a file themselves."""
    session = requests.Session()
    session.headers.update({"User-Agent": "pseudocohort", "Accept-Encoding": "identity"})
    for scheme in ("http://", "https://") if retry else ():
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    return session


def _validator_path(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _validator_path(part).unlink(missing_ok=True)


def _download(url: str, part: Path) -> dict[str, str]:
    """Download `url` to `part`, continuing what is there; the server's validators."""
    problem = ""
    retry = _Retry(total=_RETRIES, connect=1, backoff_factor=_BACKOFF, status_forcelist=BUSY, raise_on_status=False)
    with new_session(retry) as session:
        for _ in range(_RESUMES):
            try:
                return _download_once(session, url, part)
            except TRANSFER_ERRORS as error:
                problem = f"{type(error).__name__}: {error}"
            except requests.RequestException as error:  # redirected for ever, or to what is no http(s) address
                raise UserError(
                    f"the request failed: {error}", where=url,
                    remedy="open the address in a browser, and give the one that the file comes from in the end",
                ) from error  # fmt: skip
    raise UserError(f"the download broke off: {problem}", where=url, remedy="run again: it resumes where it ended")


def _download_once(session: requests.Session, url: str, part: Path) -> dict[str, str]:
    start = part.stat().st_size if part.exists() else 0
    validators = read_json(_validator_path(part)) if start and _validator_path(part).exists() else {}
    headers = {}
    if start and validators.get("if_range") and validators.get("url") == url:
        # If-Range: were the file changed at the server, it sends the whole new one instead of the rest of it.
        headers = {"Range": f"bytes={start}-", "If-Range": validators["if_range"]}
    with session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == 416:  # the part is as long as the file, or longer: begin again
            _discard(part)
            raise requests.ConnectionError("the server cannot continue the download at this length")
        if _CHALLENGE in response.headers:
            mirror = figshare_mirror(url)
            raise UserError(
                f"the server answered {response.status_code} without content: a bot challenge (AWS WAF), which only a "
                "browser can pass",
                where=url,
                remedy="waiting does not help: "
                + (f"take {mirror} instead, or open the address in a browser" if mirror else "open it in a browser")
                + ", and give the local path",
            )
        if response.status_code not in (200, 206):
            raise UserError(
                f"the server answered {response.status_code} {response.reason}",
                where=url,
                remedy="check the address in the dataset sheet; some sources need a manual download",
            )
        resumed = response.status_code == 206
        if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            _discard(part)
            raise requests.ConnectionError("the server continued the download at another place")
        # A server announces the MD5 of the whole file; some only when the whole is asked for.
        md5 = (
            announced_md5(response.headers, whole=not resumed)
            or validators.get("server_md5")
            or zenodo_md5(session, url)
        )
        validators = _validators(response) | {"server_md5": md5, "url": url}
        write_json(validators, _validator_path(part))
        announced = response.headers.get("Content-Length")
        _check_space(int(announced or 0), part, url)
        written = 0
        with (
            full_disk_said(part, "what came is kept, and the next run goes on from there"),
            part.open("ab" if resumed else "wb") as file,
            progress(
                desc=part.name.removesuffix(".part"), unit="B", unit_scale=True,
                total=int(announced) + start * resumed if announced else None, initial=start * resumed,
            ) as bar,
        ):  # fmt: skip
            # As they come: what a server calls a gzip-encoded text is the .gz file itself.
            for chunk in response.raw.stream(CHUNK, decode_content=False):
                file.write(chunk)
                written += len(chunk)
                bar.update(len(chunk))
        if announced and written != int(announced):
            raise requests.ConnectionError(f"{written} of {announced} bytes came")
    return {key: validators[key] for key in ("etag", "last_modified", "server_md5")}


def _check_space(needed: int, part: Path, url: str) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise UserError(
            f"{needed / 1e9:.2f} GB are to come, and {free / 1e9:.2f} GB are free in {part.parent}",
            where=url,
            remedy="free some space, or put the folder on a larger disk (a symbolic link will do), and run again",
        )


def _validators(response: requests.Response) -> dict[str, str]:
    etag, modified = response.headers.get("ETag", ""), response.headers.get("Last-Modified", "")
    strong = "" if etag.startswith("W/") else etag  # a weak ETag does not identify bytes (RFC 9110, 13.1.5)
    return {"etag": etag, "last_modified": modified, "if_range": strong or modified}


def is_page(start: bytes) -> bool:
    """Whether content that begins so is a web page."""
    return start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html"))


def check_content(path: Path, name: str, where: str) -> None:
    """Check that the file at `path`, to be called `name`, has content, is what its name says, and is whole if packed.

    Raises
    ------
    UserError
        If it is empty, an HTML page or another file instead of data, or a damaged or truncated gzip file.
    """
    if path.stat().st_size == 0:
        raise UserError("the server sent an empty file", where=where, remedy="try again later, or another mirror")
    with path.open("rb") as file:
        start = file.read(1024)
    if is_page(start) and not name.lower().endswith(_PAGE):
        raise UserError(
            "the server sent a web page (HTML) instead of data",
            where=where,
            remedy="open the address in a browser: it may ask for a login or a check; then use the file from there",
        )
    expected = _STARTS.get(Path(name.lower()).suffix, b"")
    start = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not start.startswith(expected):
        raise UserError(
            f"the file begins with {start[:16]!r}, and one of type {Path(name).suffix} begins with {expected!r}",
            where=where,
            remedy="check the address: what came is another file, or an error message in its place",
        )
    if name.lower().endswith(_ARCHIVE):
        try:
            with gzip.open(path, "rb") as file:
                while file.read(CHUNK):
                    pass
        except (EOFError, OSError, zlib.error) as error:
            raise UserError(
                f"the gzip file is truncated or damaged: {error}", where=where, remedy="download it again"
            ) from error
