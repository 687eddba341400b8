"""Tables of numbers: TSV and CSV, gzipped or not, genes × samples or samples × genes, read in one pass."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd

from ..core.errors import UserError
from . import numbers
from .matrix import Matrix, check_ids, read_all
from .text import encoding_of, is_gzip, line_blocks, open_text

SEPARATORS = {"tsv": "\t", "csv": ","}
#: Lines before the header that begin so are left out (recount3 has two).
COMMENT = "##"
NAMES = {"\t": "tab", ",": "comma", ";": "semicolon", " ": "space"}


def _fields(line: str, separator: str) -> list[str]:
    return next(csv.reader([line.rstrip("\r\n")], delimiter=separator))


def header_and_width(file: IO[str], separator: str, where: str) -> tuple[list[str], int]:
    """Fields of the header and the number of fields of the first data line; the file is left after the header.

    Raises
    ------
    UserError
        If the delimiter is not the declared one, or there is no data line.
    """
    header = file.readline()
    if len(_fields(header, separator)) < 2:
        other = max((s for s in NAMES if s != separator), key=header.count)
        hint = f"; it looks {NAMES[other]}-separated" if header.count(other) else ""
        raise UserError(
            f"one column only with the delimiter {NAMES[separator]!r}{hint}",
            where=f"{where}, line 1",
            remedy="declare the right format (tsv or csv) in the dataset sheet, or convert the file",
        )
    position = file.tell()
    first = file.readline()
    if not first.strip():
        raise UserError("no line after the header", where=where, remedy="fetch the file again")
    file.seek(position)
    return _fields(header, separator), len(_fields(first, separator))


@dataclass
class TextTable:
    """Lines of numbers under an id, parsed in blocks.

    Attributes
    ----------
    path : Path
        The file.
    separator : str
        One character.
    columns : list of str
        Names of the fields after the id, for messages.
    skip : int
        Lines before the numbers.
    note : bool
        Whether the first of `columns` is text (GCT's Description).
    """

    path: Path
    separator: str
    columns: list[str]
    skip: int
    note: bool = False

    def _refuse(self, what: str, piece: bytes, lines: int, position: int, column: str = "") -> UserError:
        number = self.skip + lines + piece.count(b"\n", 0, position) + 1
        where = f"{self.path}, line {number}" + (f", column {column!r}" if column else "")
        if column:
            return UserError(what, where=where, remedy="remove columns that are not samples, or correct the value")
        return UserError(what, where=where, remedy="the file is cut or malformed; fetch it again")

    def blocks(self, place: np.ndarray, lines_per_block: int, dtype: type) -> Iterator[tuple[list, list, np.ndarray]]:
        """Ids, notes and values of blocks of lines.

        Parameters
        ----------
        place : ndarray of int64
            For each of `columns`, the column of the block that it goes to, or ``numbers.SKIP``.
        lines_per_block : int
            Lines of every block but the last.
        dtype : type
            float32, or float64 for counts beyond 2^24.

        Raises
        ------
        UserError
            Naming line and column of a field that is no number, or the line that has too few or too many fields.
        """
        first = [numbers.ID, numbers.NOTE] if self.note else [numbers.ID]
        target = np.concatenate([np.array(first, np.int64), np.asarray(place, np.int64)[len(first) - 1 :]])
        width = int(max(target.max() + 1, 0))
        name_of = {int(t): c for t, c in zip(place, self.columns, strict=True) if t >= 0}
        encoding = encoding_of(self.path, is_gzip(self.path))
        spans, notes = np.empty((lines_per_block, 2), np.int64), np.empty((lines_per_block, 2), np.int64)
        odd = np.empty((max(2 * len(target), 1 << 14), 4), np.int64)
        names: list[str] = []
        texts: list[str] = []
        values, filled, lines = np.empty((lines_per_block, width), dtype), 0, 0
        for piece in line_blocks(self.path, self.skip):
            buffer, position, code = np.frombuffer(piece, np.uint8), 0, numbers.FULL
            while code == numbers.FULL:
                code, rows, strange, position, found = numbers.parse_lines(
                    buffer, position, len(buffer), ord(self.separator), target, dtype is np.float32,
                    values[filled:], spans, notes, odd,
                )  # fmt: skip
                for row, column, begin, end in odd[:strange].tolist():
                    text = piece[begin:end].decode(encoding, "replace").strip().strip('"')
                    try:
                        values[filled + row, column] = float(text.replace("_", "?"))
                    except ValueError:
                        raise self._refuse(f"{text!r} is not a number", piece, lines, begin, name_of[column]) from None
                if code == numbers.FIELDS:
                    what = f"{found} fields where {len(target)} are expected"
                    raise self._refuse(what, piece, lines, position)
                names += [piece[a:b].decode(encoding) for a, b in spans[:rows].tolist()]
                if self.note:
                    texts += [piece[a:b].decode(encoding) for a, b in notes[:rows].tolist()]
                filled += rows
                if filled == lines_per_block:
                    yield names, texts, values
                    names, texts = [], []
                    values, filled = np.empty((lines_per_block, width), dtype), 0
            lines += piece.count(b"\n")
        if filled:
            yield names, texts, values[:filled]


def lines_per_block(columns: int, multiple: int = 128) -> int:
    """Lines whose values fill some tens of megabytes, a multiple of what the file format of profiles likes."""
    return max((1 << 23) // max(columns, 1) // multiple, 1) * multiple


class GeneLines:
    """Genes × samples: a gene per line.

    Parameters
    ----------
    table : TextTable
        The lines.
    samples : list of str
        Sample ids, in the order of the fields.
    exact : bool
        Parse to float64 (raw counts).
    """

    by = "genes"

    def __init__(self, table: TextTable, samples: list[str], exact: bool, obs: pd.DataFrame | None = None) -> None:
        self.table, self.samples, self.obs = table, pd.Index(samples, dtype=object), obs
        self.dtype = np.float64 if exact else np.float32

    def blocks(self, wanted: np.ndarray) -> Iterator[Matrix]:
        """Blocks of genes for the samples at the positions `wanted`."""
        place = np.full(len(self.table.columns), numbers.SKIP, np.int64)
        place[wanted + self.table.note] = np.arange(len(wanted))
        samples = self.samples[wanted]
        for ids, notes, values in self.table.blocks(place, lines_per_block(len(wanted)), self.dtype):
            symbols = pd.Index(notes, dtype=object) if self.table.note else None
            yield Matrix(values.T, samples, pd.Index(ids, dtype=object), symbols)


class SampleLines:
    """Samples × genes: a sample per line. The ids are read first, so that the caller can choose.

    Parameters
    ----------
    table : TextTable
        The lines.
    exact : bool
        Parse to float64 (raw counts).
    """

    by = "samples"
    obs = None

    def __init__(self, table: TextTable, exact: bool) -> None:
        self.table, self.dtype = table, np.float64 if exact else np.float32
        nothing = np.full(len(table.columns), numbers.SKIP, np.int64)
        ids = [name for names, _, _ in table.blocks(nothing, 1 << 12, np.float32) for name in names]
        self.samples = pd.Index(ids, dtype=object)
        check_ids(self.samples, "sample", str(table.path))

    def blocks(self, wanted: np.ndarray) -> Iterator[Matrix]:
        """Blocks of the samples at the positions `wanted`, with all genes."""
        genes = pd.Index(self.table.columns, dtype=object)
        keep = np.zeros(len(self.samples), dtype=bool)
        keep[wanted] = True
        start = 0
        for ids, _, values in self.table.blocks(np.arange(len(genes)), lines_per_block(len(genes), 1), self.dtype):
            chosen = keep[start : start + len(ids)]
            start += len(ids)
            if chosen.any():
                yield Matrix(values[chosen], pd.Index(ids, dtype=object)[chosen], genes)


def annotation_rows(path: Path, separator: str, skip: int, count: int, width: int) -> pd.DataFrame:
    """Annotation of the samples in the `count` lines below the header: samples × lines, named by their first fields.

    Kinker et al. 2020 publish their counts so: ``Cell_line`` and ``Pool_ID`` come before the genes.
    """
    with open_text(path) as file:
        for _ in range(skip):
            file.readline()
        rows = [_fields(file.readline(), separator) for _ in range(count)]
    for number, row in enumerate(rows, skip + 1):
        if len(row) != width:
            raise UserError(
                f"{len(row)} fields where {width} are expected",
                where=f"{path}, line {number}",
                remedy="correct annotation_rows in the dataset sheet, or fetch the file again",
            )
    return pd.DataFrame({row[0]: row[1:] for row in rows})


def open_delimited(
    path: str | Path, *, format: str, orientation: str, exact: bool = False, annotation: int = 0
) -> GeneLines | SampleLines:
    """Open a TSV or CSV matrix.

    Parameters
    ----------
    path : path
        The file.
    format : {'tsv', 'csv'}
        Its declared delimiter.
    orientation : {'genes_by_samples', 'samples_by_genes'}
        Declared, never guessed.
    exact : bool
        Parse to float64 (raw counts).
    annotation : int
        Lines below the header that annotate the samples (genes × samples only).

    Raises
    ------
    UserError
        For a wrong delimiter, duplicated ids, cells that are no numbers, lines of the wrong length, broken gzip.
    """
    path, separator = Path(path), SEPARATORS[format]
    with open_text(path) as file:
        comments, position = 0, 0
        while file.readline().startswith(COMMENT):
            comments, position = comments + 1, file.tell()
        file.seek(position)
        header, width = header_and_width(file, separator, str(path))
    # R writes no name for the column of row names: its header has one field less.
    columns = header if len(header) == width - 1 else header[1:]
    if len(columns) != width - 1:
        raise UserError(
            f"the header has {len(header)} fields, the first data line {width}",
            where=f"{path}, lines 1 and 2",
            remedy="the file is cut or malformed; fetch it again",
        )
    if orientation == "samples_by_genes":
        if annotation:
            raise UserError(
                "annotation_rows is for genes_by_samples only", where=str(path), remedy="leave annotation_rows empty"
            )
        return SampleLines(TextTable(path, separator, columns, comments + 1), exact)
    check_ids(pd.Index(columns), "sample", f"{path}, line 1")
    obs = None
    if annotation:
        obs = annotation_rows(path, separator, comments + 1, annotation, width).set_axis(pd.Index(columns), axis=0)
    return GeneLines(TextTable(path, separator, columns, comments + 1 + annotation), columns, exact, obs)


def read_delimited(path: str | Path, *, format: str, orientation: str, exact: bool = False) -> Matrix:
    """All of a TSV or CSV matrix, in memory; see :func:`open_delimited`."""
    return read_all(open_delimited(path, format=format, orientation=orientation, exact=exact))
