"""Public sources by name: the catalogue ``config/data_versions.tsv``, and what ``catalogue:<name>`` stands for."""

from __future__ import annotations

import csv
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ..core.errors import UserError
from ..core.validation import nearest, validate

PREFIX = "catalogue:"
_PROJECT = Path(__file__).parents[4]
CATALOGUE = _PROJECT / "config" / "data_versions.tsv"
SCHEMA = _PROJECT / "workflow" / "schemas" / "data_versions.schema.yaml"
_FIELD = re.compile(r"\{(\w+)(\[-2:\])?\}")
_VALUE = re.compile(r"[A-Za-z0-9_.+-]+")


@cache
def load_catalogue(path: str | Path = CATALOGUE) -> dict[str, dict[str, Any]]:
    """Sources by name; empty cells are left out, ``bytes`` is an int and ``log_offset`` a float.

    Raises
    ------
    UserError
        If the table is missing, a name has two rows, or a row breaks the schema.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError("no catalogue of sources", where=str(path), remedy="restore config/data_versions.tsv")
    catalogue: dict[str, dict[str, Any]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for cells in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE, restkey="more cells than columns"):
            row: dict[str, Any] = {key: value for key, value in cells.items() if value}
            where = f"{path}, row {row.get('name', '')!r}"
            for column, number in (("bytes", int), ("log_offset", float)):
                if column in row:
                    try:
                        row[column] = number(row[column])
                    except ValueError:
                        raise UserError(
                            f"{row[column]!r} is not a number", where=f"{where}, {column}", remedy="correct the cell"
                        ) from None
            validate(row, SCHEMA, where)
            if row["name"] in catalogue:
                raise UserError(f"source {row['name']!r} has two rows", where=str(path), remedy="names must be unique")
            catalogue[row["name"]] = row
    return catalogue


def lookup(name: str, catalogue: dict[str, dict[str, Any]] | None = None) -> dict[str, Any]:
    """The row of a source.

    Raises
    ------
    UserError
        If there is none of that name; close names are offered.
    """
    catalogue = load_catalogue() if catalogue is None else catalogue
    if name not in catalogue:
        hint = nearest(name, list(catalogue)).rstrip() or f"there are: {', '.join(catalogue)}"
        raise UserError(f"source {name!r} is not in the catalogue", where="config/data_versions.tsv", remedy=hint)
    return catalogue[name]


def is_catalogued(source: str) -> bool:
    """Whether a source is written ``catalogue:<name>``."""
    return source.startswith(PREFIX)


def name_of(source: str) -> str:
    """Name of a source that is written ``catalogue:<name>``."""
    return source.removeprefix(PREFIX).partition("?")[0]


def resolve(source: str, catalogue: dict[str, dict[str, Any]] | None = None) -> dict[str, Any]:
    """The row that ``catalogue:<name>[?NAME=VALUE&...]`` stands for, its addresses filled in and ``file`` set.

    Raises
    ------
    UserError
        If the name is unknown, a value is missing, strange or not asked for, or the source is not one to download.
    """
    name, _, query = source.removeprefix(PREFIX).partition("?")
    entry = dict(lookup(name, catalogue))
    if entry["access"] == "manual":
        raise UserError(
            f"source {name!r} has to be downloaded by hand",
            where=source,
            remedy=" ".join(filter(None, (entry.get("url"), entry["notes"])))
            + " Then give the local path in the dataset sheet instead, e.g. {data_root}/"
            + entry.get("file", "FILE"),
        )
    if entry.get("format") == "api":
        raise UserError(f"source {name!r} is not one file", where=source, remedy=entry.get("notes", ""))
    given = dict(pair.partition("=")[::2] for pair in query.split("&") if pair)
    wanted = {m[1] for m in _FIELD.finditer(entry["url"])}
    if given.keys() != wanted or not all(_VALUE.fullmatch(value) for value in given.values()):
        form = "&".join(f"{field}=VALUE" for field in sorted(wanted))
        raise UserError(
            f"source {name!r} does not take {query!r}",
            where=source,
            remedy=f"write {PREFIX}{name}{'?' if form else ''}{form}; letters, digits and _ . + - only",
        )
    for column in ("url", "mirror"):
        if column in entry:
            entry[column] = _FIELD.sub(lambda m: given[m[1]][-2:] if m[2] else given[m[1]], entry[column])
    entry.setdefault("file", Path(unquote(urlsplit(entry["url"]).path)).name)
    return entry
