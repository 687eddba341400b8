"""Tables of numbers: TSV and CSV, genes × samples or samples × genes, read in one pass."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..core.errors import UserError
from . import numbers
from .fields import SEPARATORS, layout_of, split
from .matrix import Matrix, check_ids
from .text import decoded, line_blocks, look_at_text, open_text, without_marks

#: Words for a number that is missing, beside those of :mod:`.numbers`: pandas' default list, in small letters.
MISSING = {
    "", "#n/a", "#n/a n/a", "#na", "-1.#ind", "-1.#qnan", "-nan", "1.#ind", "1.#qnan", "<na>", "n/a", "na", "null",
    "nan", "none",
}  # fmt: skip
#: Names of columns of DepMap's expression matrices since 25Q2 that come before the genes: ids of the line, the flag.
DEPMAP_ID = ("ModelID", "model_id", "depmap_id", "DepMap_ID")
DEPMAP_DEFAULT = ("IsDefaultEntryForModel", "is_default_entry", "is_default_entry_for_model")
#: DepMap's genes: ``TP53 (7157)``, ``TP53 (ENSG...)``.
DEPMAP_GENE = re.compile(r".+ \((?:\d+|ENSG\d+(?:\.\d+)?|Unknown|nan)\)$")
YES = {"true", "yes", "1", "1.0"}


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
        Names of the fields that are values, for messages.
    skip : int
        Lines before the numbers.
    leading : int
        Fields before the first value.
    id_at : int
        Which of these is the id.
    note_at : int
        Which of these is kept as text beside it (GCT's Description); -1 = none.
    id_name : str
        Name of the column of the id; empty if it has none.
    """

    path: Path
    separator: str
    columns: list[str]
    skip: int
    leading: int = 1
    id_at: int = 0
    note_at: int = -1
    id_name: str = ""

    def _refuse(self, what: str, piece: bytes, lines: int, position: int, column: str = "") -> UserError:
        before = lines + piece.count(b"\n", 0, position)
        where = f"{self.path}, line {self.skip + before + 1}" + (f", column {column!r}" if column else "")
        remedy = "the file is cut or malformed; fetch it again"
        if column:
            remedy = "remove columns that hold no expression, or correct the value"
            if not before:
                remedy += "; if the line annotates the samples, set annotation_rows in the dataset sheet"
        return UserError(what, where=where, remedy=remedy)

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
        first = np.full(self.leading, numbers.SKIP, np.int64)
        first[self.id_at] = numbers.ID
        if self.note_at >= 0:
            first[self.note_at] = numbers.NOTE
        target = np.concatenate([first, np.asarray(place, np.int64)])
        width = int(max(target.max() + 1, 0))
        name_of = {int(t): c for t, c in zip(place, self.columns, strict=True) if t >= 0}
        spans, notes = np.empty((lines_per_block, 2), np.int64), np.empty((lines_per_block, 2), np.int64)
        odd = np.empty((max(2 * len(target), 1 << 14), 4), np.int64)
        names: list[str] = []
        texts: list[str] = []
        values, filled, lines = np.empty((lines_per_block, width), dtype), 0, 0
        content = look_at_text(self.path)
        encoding = "utf-8" if content.recoded else content.encoding
        for piece in line_blocks(self.path, self.skip):
            buffer, position, code = np.frombuffer(piece, np.uint8), 0, numbers.FULL
            while code == numbers.FULL:
                code, rows, strange, position, found = numbers.parse_lines(
                    buffer, position, len(buffer), ord(self.separator), target, dtype is np.float32,
                    values[filled:], spans, notes, odd,
                )  # fmt: skip
                for row, column, begin, end in odd[:strange].tolist():
                    value = number_of(decoded(piece[begin:end]))
                    if value is None:
                        text = decoded(piece[begin:end]).strip().strip('"')
                        raise self._refuse(
                            f"{text[:60]!r} is not a number{_signs(text)}", piece, lines, begin, name_of[column]
                        )
                    with np.errstate(over="ignore"):
                        values[filled + row, column] = value
                if code == numbers.FIELDS:
                    what = f"{found} fields where {len(target)} are expected"
                    raise self._refuse(what, piece, lines, position)
                names += [clean(piece[a:b], encoding) for a, b in spans[:rows].tolist()]
                if self.note_at >= 0:
                    texts += [clean(piece[a:b], encoding) for a, b in notes[:rows].tolist()]
                filled += rows
                if filled == lines_per_block:
                    yield names, texts, values
                    names, texts = [], []
                    values, filled = np.empty((lines_per_block, width), dtype), 0
            lines += piece.count(b"\n")
        if filled:
            yield names, texts, values[:filled]


def _signs(text: str) -> str:
    """What to do with a number that is written with commas, or with signs between thousands."""
    if re.fullmatch(r"[+-]?\d{1,3}([,.' \u00a0\u2019\u202f]\d{3})+([.,]\d+)?", text):
        return "; write numbers without signs between thousands, and with a point for decimals"
    if re.fullmatch(r"[+-]?\d*,\d*([eE][+-]?\d+)?", text):
        return "; a decimal comma has to be a point"
    return ""


def clean(raw: bytes, encoding: str) -> str:
    """An id without blanks at its ends; doubled quotes within quotes are one."""
    return without_marks(raw.decode("latin-1") if encoding == "latin-1" else decoded(raw)).replace('""', '"').strip()


def number_of(text: str) -> float | None:
    """Value of a field that is no plain number: NaN for a word that says it is missing, None for any other text."""
    text = text.strip().strip('"').strip()
    if text.lower() in MISSING:
        return np.nan
    if not text.isascii() or "_" in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def lines_per_block(columns: int, multiple: int = 128) -> int:
    """Lines whose values fill some tens of megabytes, a multiple of what the file format of profiles likes."""
    return max((1 << 23) // max(columns, 1) // multiple, 1) * multiple


class GeneLines:
    """Genes × samples: a gene per line.

    Parameters
    ----------
    table : TextTable
        The lines.
    exact : bool
        Parse to float64 (raw counts).
    obs : DataFrame, optional
        Annotation of the samples that the file itself holds.
    """

    by = "genes"

    def __init__(self, table: TextTable, exact: bool, obs: pd.DataFrame | None = None) -> None:
        self.table, self.samples, self.obs = table, pd.Index(table.columns, dtype=object), obs
        self.dtype = np.float64 if exact else np.float32
        self.set_aside: dict[str, int] = {}

    def blocks(self, wanted: np.ndarray) -> Iterator[Matrix]:
        """Blocks of genes for the samples at the positions `wanted`."""
        place = np.full(len(self.table.columns), numbers.SKIP, np.int64)
        place[wanted] = np.arange(len(wanted))
        samples = self.samples[wanted]
        for ids, notes, values in self.table.blocks(place, lines_per_block(len(wanted)), self.dtype):
            symbols = pd.Index(notes, dtype=object) if self.table.note_at >= 0 else None
            yield Matrix(values.T, samples, pd.Index(ids, dtype=object), symbols)


class SampleLines:
    """Samples × genes: a sample per line. The ids are read first, so that the caller can choose.

    Parameters
    ----------
    table : TextTable
        The lines.
    default : bool
        The table's note says which lines count (DepMap's default profile of a line); the others are left out.
    exact : bool
        Parse to float64 (raw counts).
    """

    by = "samples"
    obs = None

    def __init__(self, table: TextTable, default: bool, exact: bool) -> None:
        self.table, self.dtype = table, np.float64 if exact else np.float32
        nothing = np.full(len(table.columns), numbers.SKIP, np.int64)
        ids: list[str] = []
        notes: list[str] = []
        for names, texts, _ in table.blocks(nothing, 1 << 12, np.float32):
            ids += names
            notes += texts
        self.counted = np.ones(len(ids), dtype=bool)
        if default:
            self.counted = np.array([note.lower() in YES for note in notes], dtype=bool)
        self.set_aside = {"profiles that are not the default of their line": int((~self.counted).sum())}
        self.samples = pd.Index(ids, dtype=object)[self.counted]
        check_ids(self.samples, "sample", str(table.path))

    def blocks(self, wanted: np.ndarray) -> Iterator[Matrix]:
        """Blocks of the samples at the positions `wanted`, with all genes."""
        genes = pd.Index(self.table.columns, dtype=object)
        keep = np.zeros(len(self.counted), dtype=bool)
        keep[np.flatnonzero(self.counted)[wanted]] = True
        start = 0
        for ids, _, values in self.table.blocks(np.arange(len(genes)), lines_per_block(len(genes), 1), self.dtype):
            chosen = keep[start : start + len(ids)]
            start += len(ids)
            if chosen.any():
                yield Matrix(values[chosen], pd.Index(ids, dtype=object)[chosen], genes)


def annotation_rows(
    path: Path, separator: str, skip: int, count: int, header: list[str], leading: int = 1
) -> pd.DataFrame:
    """Annotation of the samples in the `count` lines below the header: samples × lines, named by their first fields.

    Kinker et al. 2020 publish their counts so: ``Cell_line`` and ``Pool_ID`` come before the genes.
    """
    width = len(header)
    with open_text(path) as file:
        for _ in range(skip):
            file.readline()
        rows = [split(file.readline(), separator) for _ in range(count)]
    table = {}
    for number, row in enumerate(rows, skip + 1):
        if len(row) < width or any(cell.strip() for cell in row[width:]):
            raise UserError(
                f"{len(row)} fields where {width} are expected",
                where=f"{path}, line {number}",
                remedy="correct annotation_rows in the dataset sheet, or fetch the file again",
            )
        table[row[0].strip()] = [cell.strip() for cell in row[leading:width]]
    return pd.DataFrame(table, index=pd.Index(header[leading:]), dtype=object)


def _depmap(path: Path, separator: str, names: list[str], skip: int) -> tuple[TextTable, bool] | None:
    """The table if it is DepMap's of 25Q2 and later: columns with ids come before the genes, a line per profile."""
    leading = next((k for k, name in enumerate(names) if DEPMAP_GENE.match(name)), 0)
    line = next((names.index(name) for name in DEPMAP_ID if name in names[:leading]), -1)
    if line < 0:
        return None
    flag = next((names.index(name) for name in DEPMAP_DEFAULT if name in names[:leading]), -1)
    table = TextTable(path, separator, names[leading:], skip, leading, line, flag)
    return table, flag >= 0


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
        For a wrong delimiter, duplicated ids, cells that are no numbers, lines of the wrong length, a broken or other
        file than text.
    """
    path, separator = Path(path), SEPARATORS[format]
    layout = layout_of(path, separator)
    columns = layout.names[1:]
    if not columns:
        raise UserError("the header names no column of values", where=str(path), remedy="fetch the file again")
    if orientation == "samples_by_genes":
        if annotation:
            raise UserError(
                "annotation_rows is for genes_by_samples only", where=str(path), remedy="leave annotation_rows empty"
            )
        table = TextTable(path, separator, columns, layout.skip)
        return SampleLines(*(_depmap(path, separator, layout.names, layout.skip) or (table, False)), exact)
    check_ids(pd.Index(columns), "sample", f"{path}, header")
    obs = annotation_rows(path, separator, layout.skip, annotation, layout.names) if annotation else None
    table = TextTable(path, separator, columns, layout.skip + annotation, id_name=layout.names[0])
    return GeneLines(table, exact, obs)
