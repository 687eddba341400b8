"""The annotation of samples in a series matrix of GEO."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pandas as pd

from ..core.errors import UserError
from .fields import GEO, split
from .text import look_at, open_text

_LINE, _CHARACTERISTIC = "!sample_", re.compile(r"characteristics_ch(\d+)")


def is_series_matrix(path: str | Path) -> bool:
    """Whether a file begins as GEO's files do."""
    content = look_at(path)
    head = content.head[content.bom : content.bom + 1000].decode(content.encoding, "replace")
    return not content.kind and head.lstrip(' \t\r\n"').lower().startswith(GEO)


def read_series_matrix(path: str | Path) -> pd.DataFrame:
    """Sample table of a series matrix, all columns as text: a row for each sample, its accession first.

    ``!Sample_title`` becomes the column ``title``. A characteristic such as ``tissue: breast`` becomes the column
    ``tissue``, whichever line it is in (a second channel's: ``tissue:ch2``). A name that is taken gets a number.

    Raises
    ------
    UserError
        If there are no samples (SOFT files, which are written otherwise), or a line has too few or too many.
    """
    where = str(path)
    accessions: list[str] = []
    lines: list[tuple[int, str, list[str]]] = []
    with open_text(path) as file:
        for number, line in enumerate(file, 1):
            if line.lower().startswith("!series_matrix_table_begin"):
                break
            if line.lower().startswith(_LINE) and "\t" in line:
                name, *cells = split(line, "\t")
                lines.append((number, name[len(_LINE) :].strip(), [cell.strip() for cell in cells]))
                if lines[-1][1].lower() == "geo_accession":
                    accessions = lines[-1][2]
    if not accessions:
        raise UserError(
            "no sample of GEO is annotated here (!Sample_geo_accession and tabs)",
            where=where,
            remedy="give the series matrix (GSE..._series_matrix.txt.gz), or a table with a row for each sample",
        )
    table: dict[str, list[str]] = {"geo_accession": accessions}
    fields = {name for _, name, _ in lines}
    for number, name, cells in lines:
        if len(cells) != len(accessions):
            raise UserError(
                f"{len(cells)} samples, where {len(accessions)} have an accession",
                where=f"{where}, line {number}",
                remedy="the file is cut or malformed; fetch it again",
            )
        channel = _CHARACTERISTIC.fullmatch(name)
        if name.lower() == "geo_accession":
            continue
        if not channel:
            table[_free(name, table)] = cells
            continue
        for at, cell in enumerate(cells):
            key, colon, value = cell.partition(":")
            key = key.strip() if colon else name
            key = f"{key}:ch{channel[1]}" if colon and (channel[1] != "1" or key in fields) else key
            if not cell:
                continue
            column = table.setdefault(key, [""] * len(accessions))
            # A second value under one name stays beside the first.
            column[at] = "; ".join(filter(None, [column[at], value.strip() if colon else cell]))
    return pd.DataFrame(table, dtype=object)


def _free(name: str, taken: dict[str, list[str]]) -> str:
    numbered = (f"{name}.{number}" for number in itertools.count(1))
    return name if name not in taken else next(other for other in numbered if other not in taken)
