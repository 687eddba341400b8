"""Sources of the dataset sheet that are downloaded: what they are called here, and how each kind is fetched."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from ..core.errors import UserError
from ..core.io import read_json
from . import catalogue, gdc
from .checksums import file_digest
from .fetch import fetch, provenance_path

log = logging.getLogger(__name__)

COLUMNS = ("source", "samples", "more_samples")
_GDC_FILES = {"source": "counts.tsv.gz", "samples": "samples.tsv"}


def is_downloaded(source: str) -> bool:
    """Whether a source has to be downloaded: an address, ``catalogue:<name>`` or ``gdc:<projects>``."""
    return source.startswith(("http://", "https://")) or catalogue.is_catalogued(source) or gdc.is_gdc(source)


def catalogued(settings: Mapping[str, Any]) -> dict[str, str]:
    """Files among the values of a section of the configuration that are downloaded: name in the catalogue -> source.

    Raises
    ------
    UserError
        If a name is unknown, or its file has to be downloaded by hand.
    """
    values = [v for value in settings.values() for v in (value if isinstance(value, list) else [value])]
    found = [v for v in values if isinstance(v, str) and catalogue.is_catalogued(v)]
    return {catalogue.resolve(source)["name"]: source for source in found}


def check(datasets: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """`datasets`, their downloaded sources understood; one from the GDC gets its sample table from there too.

    Raises
    ------
    UserError
        If a source is malformed, unknown, of a kind that cannot be downloaded, or has to be downloaded by hand.
    """
    checked = {}
    for name, row in datasets.items():
        for column in COLUMNS:
            source = row.get(column, "")
            if catalogue.is_catalogued(source):
                catalogue.resolve(source)
            elif gdc.is_gdc(source):
                gdc.parse_source(source)
            elif "://" in source and not source.startswith(("http://", "https://", "file://")):
                raise UserError(
                    f"sources of kind {source.partition('://')[0]!r} are not supported",
                    where=f"dataset {name!r}, column {column!r}",
                    remedy="give a path, or a file://, http:// or https:// address",
                )
        if gdc.is_gdc(row.get("samples", "")) and row["samples"] != row["source"]:
            raise UserError(
                "the sample table is of another GDC source than the matrix",
                where=f"dataset {name!r}, column 'samples'",
                remedy="leave it empty: the matrix brings its sample table",
            )
        _check_files(name, row)
        checked[name] = {**row, "samples": row.get("samples", row["source"])} if gdc.is_gdc(row["source"]) else row
    return checked


def _check_files(name: str, row: dict[str, Any]) -> None:
    """Two sources of a dataset do not become one file: its name is the end of the address."""
    of: dict[str, str] = {}
    for column in COLUMNS:
        source = row.get(column, "")
        if is_downloaded(source) and of.setdefault(path := destination(name, column, source), source) != source:
            raise UserError(
                f"another source of the dataset would be downloaded to {path}, too",
                where=f"dataset {name!r}, column {column!r}",
                remedy="give addresses that end in different names (before a question mark), e.g. "
                "https://zenodo.org/records/NUMBER/files/NAME, or download one yourself and give its path",
            )


def destination(dataset: str, column: str, source: str) -> str:
    """Path, in the working directory, of the file that a downloaded source becomes."""
    if gdc.is_gdc(source):
        return f"resources/downloads/_gdc/{dataset}/{_GDC_FILES[column]}"
    name = catalogue.resolve(source)["file"] if catalogue.is_catalogued(source) else Path(source.split("?")[0]).name
    return f"resources/downloads/{dataset}/{name}"


def ask_for_file(path: Path) -> NoReturn:
    """Say how a person gets a file that cannot be downloaded by a program."""
    for entry in catalogue.load_catalogue().values():
        if entry["access"] == "manual" and entry.get("file") == path.name:
            raise UserError(
                f"{path.name} ({entry['name']}) has to be downloaded by hand",
                where=str(path),
                remedy=" ".join(filter(None, (entry.get("url"), entry["notes"]))) + f" Put it at {path}.",
            )
    raise UserError("the file is not there", where=str(path), remedy="put it there, or correct the dataset sheet")


def of_file(row: dict[str, Any], file: str) -> dict[str, str]:
    """What the content of a dataset's downloaded file depends on: ``source`` as in its row, and what the catalogue has.

    Empty where no source of the row becomes a file of that name.
    """
    for column in COLUMNS:
        source = row.get(column, "")
        if is_downloaded(source) and Path(destination(row["dataset"], column, source)).name == file:
            entry = catalogue.resolve(source) if catalogue.is_catalogued(source) else {}
            return {"source": source} | {key: entry[key] for key in ("url", "sha256", "md5") if key in entry}
    return {}


def fetch_source(source: str, path: Path) -> dict[str, Any]:
    """Fetch an address or ``catalogue:<name>``, or nothing where `source` is empty; its provenance.

    Raises
    ------
    UserError
        As :func:`.fetch.fetch`, and if there is no source.
    """
    if not source:
        raise UserError(
            f"no source of the dataset is called {path.name!r}", where=str(path), remedy="check the dataset sheet"
        )
    return fetch_catalogued(source, path) if catalogue.is_catalogued(source) else fetch(source, path)


def fetch_catalogued(
    source: str, path: Path, *, offline: bool = False, entries: dict[str, dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Download ``catalogue:<name>`` to `path`, from its mirror if its address fails; its provenance.

    Size (bytes), SHA-256 and MD5 are checked where the catalogue has them. Where it has no checksum, that of the first
    download, in the provenance beside `path`, is expected of every later one.

    Raises
    ------
    UserError
        If neither address gives the file, or it is another file than the catalogue or the first download says.
    """
    entry = catalogue.resolve(source, entries)
    addresses = [entry[column] for column in ("url", "mirror") if column in entry]
    record = provenance_path(path)
    known = read_json(record) if record.is_file() else {}
    expected = entry.get("sha256", "")
    if not (expected or "md5" in entry) and known.get("source") in addresses:
        expected = known["sha256"]
    for address in addresses[:-1]:
        try:
            return _fetch_checked(address, path, entry, expected, offline)
        except UserError as error:
            log.warning("%s\nthe mirror is asked instead", error)
    return _fetch_checked(addresses[-1], path, entry, expected, offline)


def _fetch_checked(address: str, path: Path, entry: dict[str, Any], sha256: str, offline: bool) -> dict[str, Any]:
    """Fetch and check size and MD5; a wrong file is removed."""
    provenance = fetch(address, path, offline=offline, sha256=sha256)
    for key, value in (("bytes", path.stat().st_size), ("md5", file_digest(path, "md5") if "md5" in entry else "")):
        if key in entry and value != entry[key]:
            path.unlink()
            provenance_path(path).unlink(missing_ok=True)
            raise UserError(
                f"the file has {key} {value}, not {entry[key]}",
                where=address,
                remedy="the source sent another file or a damaged one: try again later, or correct the catalogue",
            )
    return provenance
