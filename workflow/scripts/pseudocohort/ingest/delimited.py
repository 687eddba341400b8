"""Tables of numbers: TSV and CSV, gzipped or not, genes × samples or samples × genes."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd

from ..errors import UserError
from .matrix import Matrix, check_ids
from .text import open_text, readable

SEPARATORS = {"tsv": "\t", "csv": ","}
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


def _bad_cell(
    path: Path, separator: str, skip: int, columns: list[str], text_columns: tuple[str, ...], error: Exception
) -> UserError:
    """The first field that is not a number, found by a second, slow reading."""
    with open_text(path) as file:
        for _ in range(skip):
            file.readline()
        for number, line in enumerate(file, skip + 1):
            fields = _fields(line, separator)
            if len(fields) != len(columns) + 1:
                return UserError(
                    f"{len(fields)} fields where {len(columns) + 1} are expected",
                    where=f"{path}, line {number}",
                    remedy="the file is cut or malformed; fetch it again",
                )
            for column, field in zip(columns, fields[1:], strict=True):
                if column in text_columns:
                    continue
                try:
                    float(field or "nan")
                except ValueError:
                    return UserError(
                        f"{field!r} is not a number",
                        where=f"{path}, line {number}, column {column!r}",
                        remedy="remove columns that are not samples, or correct the value",
                    )
    return UserError(f"cannot be read: {error}", where=str(path), remedy="fetch the file again")


def read_values(
    path: Path, separator: str, columns: list[str], skip: int, exact: bool, text_columns: tuple[str, ...] = ()
) -> pd.DataFrame:
    """Numbers of a table whose first column is the row id; `skip` lines (with the header) are left out.

    `exact` keeps float64, for counts beyond 2^24, which float32 cannot hold.
    """
    dtype = np.float64 if exact else np.float32
    try:
        with open_text(path) as file, readable(path):
            table = pd.read_csv(
                file,
                sep=separator,
                header=None,
                skiprows=skip,
                index_col=0,
                names=["", *columns],
                dtype={c: str if c in text_columns else dtype for c in columns} | {"": str},
                keep_default_na=False,
                na_values=["", "NA", "NaN", "nan"],
            )
    except (ValueError, pd.errors.ParserError) as error:
        raise _bad_cell(path, separator, skip, columns, text_columns, error) from error
    # pandas fills up short lines: a cut file would pass for one with missing values at its end.
    if len(table) and pd.isna(table.iloc[-1, -1]) and columns[-1] not in text_columns:
        error = _bad_cell(path, separator, skip, columns, text_columns, ValueError("short lines"))
        if "fields" in error.what:
            raise error
    return table


def read_delimited(path: str | Path, *, format: str, orientation: str, exact: bool = False) -> Matrix:
    """Read a TSV or CSV matrix.

    Parameters
    ----------
    path : path
        The file.
    format : {'tsv', 'csv'}
        Its declared delimiter.
    orientation : {'genes_by_samples', 'samples_by_genes'}
        Declared, never guessed.
    exact : bool
        Keep float64 (raw counts).

    Raises
    ------
    UserError
        For a wrong delimiter, duplicated ids, cells that are no numbers, lines of the wrong length, broken gzip.
    """
    path, separator = Path(path), SEPARATORS[format]
    with open_text(path) as file:
        header, width = header_and_width(file, separator, str(path))
    # R writes no name for the column of row names: its header has one field less.
    columns = header if len(header) == width - 1 else header[1:]
    if len(columns) != width - 1:
        raise UserError(
            f"the header has {len(header)} fields, the first data line {width}",
            where=f"{path}, lines 1 and 2",
            remedy="the file is cut or malformed; fetch it again",
        )
    by_genes = orientation == "genes_by_samples"
    if by_genes:
        check_ids(pd.Index(columns), "sample", f"{path}, line 1")
        table = read_values(path, separator, columns, 1, exact)
        return Matrix(np.ascontiguousarray(table.to_numpy().T), pd.Index(columns), table.index.astype(str))
    # Genes may repeat; pandas needs unique names to read by.
    table = read_values(path, separator, [str(i) for i in range(len(columns))], 1, exact)
    check_ids(table.index, "sample", str(path))
    return Matrix(table.to_numpy(), table.index.astype(str), pd.Index(columns))
