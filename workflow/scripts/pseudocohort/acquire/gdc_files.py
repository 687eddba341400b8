"""Files of the GDC by their ids: in archives or one by one, each checked against its MD5, none fetched twice."""

from __future__ import annotations

import hashlib
import io
import logging
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any

from ..core.errors import UserError
from ..core.io import atomic
from ..core.logs import progress
from .checksums import file_digest
from .fetch import CHUNK, TRANSFER_ERRORS
from .gdc_api import Client

log = logging.getLogger(__name__)

BATCH = 40  # files per archive: some 160 MB before compression
_ROUNDS = 4  # rounds in a row that may bring no new file

_BROKEN = (*TRANSFER_ERRORS, tarfile.TarError, EOFError, zlib.error)


class _DamagedFileError(Exception):
    """Content that does not have the size or MD5 that the GDC lists."""


def cached(entry: dict[str, Any], folder: Path) -> Path:
    """Where a listed file lies once it is downloaded."""
    return folder / f"{entry['file_id']}.tsv"


def is_finished(entry: dict[str, Any], folder: Path) -> bool:
    """Whether a listed file is there, with the size (bytes) and MD5 of the listing."""
    path = cached(entry, folder)
    return path.is_file() and path.stat().st_size == entry["bytes"] and file_digest(path, "md5") == entry["md5"]


def download_files(files: Sequence[dict[str, Any]], folder: Path, client: Client, *, batch: int = BATCH) -> int:
    """Bring all of `files` into `folder`; the number of files downloaded.

    Finished files are kept, also when the transfer or the program ends early: a later call asks for the missing ones.

    Parameters
    ----------
    files : sequence of dict
        Each with ``file_id``, ``file_name``, ``bytes`` and ``md5``.
    folder : Path
        Holds ``<file_id>.tsv``; may be shared by data sets.
    client : Client
        The GDC's API.
    batch : int
        Files per archive; 1 asks for each file by itself.

    Raises
    ------
    UserError
        If the server refuses, an archive holds unsafe paths, or files stay damaged or missing.
    """
    missing = [entry for entry in files if not is_finished(entry, folder)]
    for entry in missing:
        cached(entry, folder).unlink(missing_ok=True)  # one that is there is not what the listing says
    total, fruitless, problem = len(missing), 0, ""
    log.info("%d of %d files are there, %d to download", len(files) - total, len(files), total)
    with progress(desc="GDC files", unit="file", total=total) as bar:
        while missing:
            before = len(missing)
            for start in range(0, before, batch):
                part = missing[start : start + batch]
                problem = _download(part, folder, client, bar) or problem
            missing = [entry for entry in missing if not cached(entry, folder).is_file()]
            fruitless = 0 if len(missing) < before else fruitless + 1
            if missing and fruitless == _ROUNDS:
                raise UserError(
                    f"{len(missing)} of {len(files)} files could not be downloaded whole: {problem or 'not sent'}",
                    where=f"{client.api}/data/{missing[0]['file_id']}",
                    remedy="run again later: finished files are kept",
                )
            if missing:
                client.wait(fruitless)
    return total


def _download(files: Sequence[dict[str, Any]], folder: Path, client: Client, bar: Any) -> str:
    """Ask once for `files` and keep those that came whole; what went wrong, if anything."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if len(files) == 1:
            with client.open(f"data/{files[0]['file_id']}") as body:
                _keep(body, files[0], folder)
            bar.update()
            return ""
        with client.open("data", {"ids": [entry["file_id"] for entry in files]}) as body:
            return _unpack(body, files, folder, bar)
    except _DamagedFileError as error:
        problem = str(error)
    except _BROKEN as error:
        problem = f"the transfer broke off ({type(error).__name__}: {error})"
    log.info("%s", problem)
    return problem


def _unpack(body: io.BufferedReader, files: Sequence[dict[str, Any]], folder: Path, bar: Any) -> str:
    """Keep the asked files of an archive as it comes in; no path of the archive is ever written to."""
    wanted = {(entry["file_id"], entry["file_name"]): entry for entry in files}
    problem = ""
    with tarfile.open(fileobj=body, mode="r|*") as archive:
        for member in archive:
            parts = _safe_parts(member)
            entry = wanted.get(parts) if member.isfile() else None
            content = archive.extractfile(member) if entry else None
            if entry is None or content is None:
                continue  # MANIFEST.txt, annotations, folders
            try:
                _keep(content, entry, folder)
                bar.update()
            except _DamagedFileError as error:
                problem = str(error)
                log.info("%s", problem)
    return problem


def _safe_parts(member: tarfile.TarInfo) -> tuple[str, ...]:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\\" in member.name or not (member.isfile() or member.isdir()):
        raise UserError(
            f"the archive holds an unsafe member: {member.name!r}",
            where="archive from the GDC",
            remedy="nothing of it was written outside; check that the address of the API is the GDC's",
        )
    return path.parts


def _keep(content: IO[bytes], entry: dict[str, Any], folder: Path) -> None:
    digest, size = hashlib.md5(usedforsecurity=False), 0
    with atomic(cached(entry, folder)) as temporary:
        with temporary.open("wb") as file:
            while chunk := content.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
                file.write(chunk)
        if size != entry["bytes"] or digest.hexdigest() != entry["md5"]:
            raise _DamagedFileError(
                f"file {entry['file_id']} came with {size} bytes and MD5 {digest.hexdigest()}, "
                f"listed are {entry['bytes']} and {entry['md5']}"
            )
