"""Fields of delimited text: comments, the header, and the one rule for lines with more fields than it."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..core.errors import UserError
from .text import open_text, read_text, without_marks

SEPARATORS = {"tsv": "\t", "csv": ","}
#: Beginnings of files of GEO that hold annotation and values one after the other.
GEO = ("!series_", "!sample_", "^database", "^series", "^sample", "^platform", "^dataset")
NAMES = {"\t": "tab", ",": "comma", ";": "semicolon", " ": "space"}
SEMICOLONS = (
    "write it with tabs or commas, and with points for decimals (R: write.csv, not write.csv2; a spreadsheet: "
    "tab-separated text)"
)
#: Name of a first column that has none.
ROW_NAMES = "row_names"
#: Lines, and characters of them, that are looked at where the first one does not decide.
LINES, CHARACTERS = 2000, 1 << 23
csv.field_size_limit(1 << 27)


def split(line: str, separator: str) -> list[str]:
    """Fields of one line; quotes around a field are left out, a lone one is part of it."""
    line = line.rstrip("\r\n")
    try:
        return next(csv.reader([line], delimiter=separator, strict=True), [])
    except csv.Error:
        fields = line.split(separator)
        return [f[1:-1] if len(f) > 1 and f[0] == f[-1] == '"' else f for f in fields]


def is_comment(line: str, after: str, separator: str) -> bool:
    """Whether a line at the top of a file is a comment, and not a header that begins with ``#``.

    ``#sample<TAB>patient`` is a header: no blank follows the sign, or the line has three fields or more, and it has as
    many fields as the next line.
    """
    if not line.startswith("#"):
        return False
    fields, width = len(split(line, separator)), len(split(after, separator))
    header = line[1:2] not in ("#", " ", "") or fields > 2
    return not (header and fields > 1 and width - fields in (0, 1) and not after.startswith("#"))


@dataclass(frozen=True)
class Layout:
    """Where the data of a delimited file begin, and what its fields are.

    Attributes
    ----------
    names : list of str
        Name of each field of a data line; the first is empty if the header has none for it (R's row names).
    skip : int
        Lines before the first line of data: comments, blank lines and the header.
    """

    names: list[str]
    skip: int


def fit(header: list[str], lines: Iterable[list[str]], where: str) -> list[str]:
    """Names of the fields of a data line.

    A header has a name for each field, or, as R writes it, one less: the ids of the lines have none. A line with more
    fields is right only if the fields too many are empty, separators at its end. So where lines have one field more
    than the header, and the last is empty in all of them, it is a separator at the end; if it is filled in one, the
    header is R's.

    Parameters
    ----------
    header : list of str
        Fields of the header.
    lines : iterable of list of str
        Fields of data lines; read only as far as needed.
    where : str
        File, for messages.

    Raises
    ------
    UserError
        If there is no line, or neither fits.
    """
    names = list(header)
    while names and not names[-1].strip():
        names.pop()
    unnamed, width = len(header) - len(names), len(names)
    for fields in lines:
        filled = len(fields)
        while filled > width and not fields[filled - 1].strip():
            filled -= 1
        if filled == width + 1 and (not unnamed or len(fields) > filled):
            return ["", *names]
        if filled > width:
            nameless = f", the last {unnamed} without a name" if unnamed else ""
            raise UserError(
                f"the header has {len(header)} fields{nameless}, a data line {filled}",
                where=where,
                remedy="give every column a name, or remove a title above the header; if the file is cut or malformed, "
                "fetch it again",
            )
        if len(fields) <= width:  # too few is for the caller to refuse, who names the line
            break
    return names


def _top(file: Iterator[str], separator: str) -> tuple[str, str, int, int]:
    """Header, first data line, and how many lines come before each."""
    before, line, number = "", next(file, ""), 0
    alike = 0  # lines with # and as many fields: one may be the header, several are comments, as cBioPortal has four
    while line and (not line.strip() or line.startswith("#") or line.lower().startswith("sep=")):
        same = line.count(separator) == before.count(separator) and before.startswith("#")
        alike = alike + 1 if same and line.startswith("#") else 0
        before, line, number = line, next(file, ""), number + 1
    if before.startswith("#") and not alike and not is_comment(before, line, separator):
        return before, line, number - 1, number
    header, line, skip = line, next(file, ""), number + 1
    while line and not line.strip():
        line, skip = next(file, ""), skip + 1
    return header, line, number, skip


def layout_of(path: str | Path, separator: str) -> Layout:
    """Layout of a delimited file: comments at its top, the header and the rule of :func:`fit`.

    Raises
    ------
    UserError
        If the delimiter is not the declared one, or there is no data line.
    """
    where = str(path)
    with open_text(path) as file:
        header, first, number, skip = _top(file, separator)
        fields = split(header, separator)
        if header.lower().startswith(GEO):
            raise UserError(
                "this is a series matrix or SOFT file of GEO: annotation of the samples, and a table below it",
                where=where,
                remedy=f"keep the table (zcat -f {Path(path).name} | grep -v '^[!^#]' > matrix.tsv), and name this "
                "file under 'samples', as it is; of RNA-seq the table is empty, and the values are in files beside it",
            )
        check_delimiter(fields, header, separator, f"{where}, line {number + 1}", first)
        if not first.strip():
            raise UserError("no line after the header", where=where, remedy="fetch the file again")

        nothing = f"{separator} \t\r\n"

        def lines() -> Iterator[list[str]]:
            seen = len(first)
            if first.strip(nothing):
                yield split(first, separator)
            for line in itertools.islice(file, LINES):
                seen += len(line)
                if seen > CHARACTERS:
                    return
                if line.strip(nothing):
                    yield split(line, separator)

        names = fit(fields, lines(), where)
    return Layout([without_marks(name).strip() for name in names], skip)


def check_delimiter(
    fields: list[str],
    header: str,
    separator: str,
    where: str,
    after: str,
    remedy: str = "declare the right format (tsv or csv) in the dataset sheet, or convert the file",
) -> None:
    """Refuse a header of a single field; `after` is the line below it."""
    if len(fields) < 2:
        # Names have blanks in them: a header is of blanks only where it has no other delimiter.
        other = max((s for s in NAMES if s != separator), key=lambda s: (s != " " and s in header, header.count(s)))
        # Decimal commas are no delimiters where both lines have as many fields with another one.
        alike = other != " " and other in header and len(split(after, other)) - len(split(header, other)) in (0, 1)
        if after.count(separator) > 1 and not alike:
            raise UserError(
                f"the first line has one field, and the next {after.count(separator) + 1}",
                where=where,
                remedy="remove a title above the header, or put # before it",
            )
        hint = f"; it looks {NAMES[other]}-separated" if header.count(other) else ""
        remedy = SEMICOLONS if other == ";" and other in header else remedy
        raise UserError(f"one column only with the delimiter {NAMES[separator]!r}{hint}", where=where, remedy=remedy)


def _rows(lines: list[str], separator: str, where: str) -> list[tuple[int, list[str]]]:
    """Rows of lines with the numbers of their lines; in tab-separated text, quotes that do not pair are text.

    Quotes that open in one row and close in another do not pair, though a reader of CSV makes one field of it all.
    """
    for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE) if separator == "\t" else (csv.QUOTE_MINIMAL,):
        reader = csv.reader(lines, delimiter=separator, strict=True, quoting=quoting, skipinitialspace=separator == ",")
        try:
            rows = [(reader.line_num, row) for row in reader]
        except csv.Error as error:
            failed = f"{where}, line {reader.line_num}", str(error)
            continue
        start = _quoted_rows(lines, rows, separator)
        if start < 0:
            return rows
        failed = f"{where}, line {start}", "a quote opens here and closes in a later row"
    raise UserError(
        f"cannot be read: {failed[1]}", where=failed[0], remedy="correct the quotes, or fetch the file again"
    )


def _quoted_rows(lines: list[str], rows: list[tuple[int, list[str]]], separator: str) -> int:
    """Number of the line where a quoted field begins that holds whole rows; -1 if there is none."""
    width, before = len(rows[0][1]) if rows else 0, 0
    for number, row in rows:
        inside = lines[before:number]
        whole = sum(line.count(separator) in (width - 1, width) for line in inside)
        if whole > 1 and 2 * whole >= len(inside) and width > 1 and any("\n" in cell for cell in row):
            return before + 1
        before = number
    return -1


def read_frame(
    path: str | Path,
    separator: str,
    expected: str = "a table of text",
    *,
    single: bool = False,
    remedy: str = "write it with the delimiter that is expected",
) -> pd.DataFrame:
    """A small table (samples, a sheet, aliases), all columns as text without blanks at the ends.

    Parameters
    ----------
    path : path
        The file.
    separator : str
        One character.
    expected : str
        What the file is to be, for messages.
    single : bool
        A table of one column is none with the wrong separator.
    remedy : str
        What to do about the wrong separator.

    Raises
    ------
    UserError
        If it is missing, empty, no text, has a single column, repeats a name, or a line has too many fields.
    """
    where = str(path)
    lines = [line + "\n" for line in read_text(path, expected).split("\n")]
    header, first, start, _ = _top(iter(lines), separator)
    if not (single and header.strip()):
        check_delimiter(split(header, separator), header, separator, f"{where}, line {start + 1}", first, remedy)
    rows = _rows(lines[start:], separator, where)
    fields, body = rows[0][1], [(n + start, row) for n, row in rows[1:] if any(cell.strip() for cell in row)]
    if not body:
        raise UserError("no line after the header", where=where, remedy="fetch the file again")
    # Rows with one field too many that is filled come first, so that one such row in a whole table decides.
    rows_of_data = sorted(
        (row for _, row in body), key=lambda row: not (len(row) == len(fields) + 1 and row[-1].strip())
    )
    names = fit(fields, rows_of_data, where)
    if names[0] == "" and len(names) > len(fields):
        # R writes a field more in every line; one in some lines is a stray separator, and all names would shift.
        lacking = next((number for number, row in body if len(row) < len(names)), 0)
        if lacking:
            more = next(number for number, row in body if len(row) > len(fields))
            raise UserError(
                f"{len(names)} fields, where the header and line {lacking} have {len(fields)} or fewer",
                where=f"{where}, line {more}",
                remedy="correct the line: a separator too many, or a text with one that has to be in quotes",
            )
    names = [name.strip() for name in names]
    names[0] = names[0] or ROW_NAMES
    if repeated := {name for name in names if names.count(name) > 1}:
        raise UserError(
            f"column {sorted(repeated)[0]!r} occurs more than once", where=where, remedy="rename one of the columns"
        )
    if "" in names:
        raise UserError(
            f"column number {names.index('') + 1} has no name", where=where, remedy="give every column a name"
        )
    table = []
    for number, row in body:
        if any(cell.strip() for cell in row[len(names) :]):
            raise UserError(
                f"{len(row)} fields where {len(names)} are expected",
                where=f"{where}, line {number}",
                remedy="the file is cut or malformed; correct it, or fetch it again",
            )
        # Spreadsheets leave out separators after the last filled cell.
        table.append([cell.strip() for cell in row[: len(names)]] + [""] * (len(names) - len(row)))
    return pd.DataFrame(table, columns=names, dtype=object)
