"""The 10x folder: matrix.mtx, genes or features, barcodes; compressed or not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from ..core.errors import UserError
from . import numbers
from .features import genes_among
from .fields import split
from .matrix import Matrix, check_ids
from .text import line_blocks, open_text, read_text

PACKED = ("", ".gz", ".bz2", ".xz")
FIELDS = {"integer", "real", "double"}


def _find(folder: Path, prefix: str, *names: str) -> Path:
    for name in names:
        for ending in PACKED:
            candidate = folder / f"{prefix}{name}{ending}"
            if candidate.is_file():
                return candidate
    others = sorted(file.name for file in folder.glob("*.h5"))
    raise UserError(
        f"no {' or '.join(prefix + name for name in names)} (.gz)",
        where=str(folder),
        remedy=f"give the path of {others[0]}, which is read too"
        if others and not prefix
        else "give the folder that holds matrix, features, barcodes; their names end so, and begin alike",
    )


def _folder_and_prefix(path: Path) -> tuple[Path, str]:
    """Folder and beginning of the names of the three files: ``GSM1_matrix.mtx.gz`` stands beside ``GSM1_genes.tsv``."""
    if path.is_dir() and not any((path / f"matrix.mtx{ending}").is_file() for ending in PACKED):
        found = sorted(file for ending in PACKED for file in path.glob(f"*matrix.mtx{ending}"))
        if len(found) > 1:
            raise UserError(
                f"the folder holds several matrices: {', '.join(file.name for file in found[:5])}",
                where=str(path),
                remedy="give the path of one of them, and a row of the sheet to each",
            )
        path = found[0] if found else path
    if not path.is_file():
        return path, ""
    match = re.fullmatch(r"(.*)matrix\.mtx(\.gz|\.bz2|\.xz)?", path.name)
    if not match:
        raise UserError(
            "this is a file, not a folder",
            where=str(path),
            remedy="give the folder that holds matrix, features, barcodes, or its ...matrix.mtx",
        )
    return path.parent, match[1]


def _parts(path: Path) -> tuple[Path, Path, Path]:
    """Matrix, features and barcodes."""
    folder, prefix = _folder_and_prefix(path)
    return (
        _find(folder, prefix, "matrix.mtx"),
        _find(folder, prefix, "features.tsv", "genes.tsv"),
        _find(folder, prefix, "barcodes.tsv"),
    )


def files_of(path: str) -> list[str]:
    """Files that a source is read from; the source itself where that is one file, or does not say."""
    try:
        return [str(part) for part in _parts(Path(path))]
    except UserError:
        return [path]


def lines_of(path: Path, others: str = "") -> list[list[str]]:
    """Fields of the lines of a features or barcodes file, quotes around a field left out.

    They are tab-separated; or separated by one of `others`, if no line has a tab, and all have as many of these.
    """
    text = read_text(path, "a list of features or barcodes").rstrip()
    lines = text.split("\n")
    for other in others if "\t" not in text else "":
        if other in lines[0] and len({len(split(line, other)) for line in lines}) == 1:
            return [[field.strip() for field in split(line, other)] for line in lines]
    return [[_bare(field) for field in line.split("\t")] for line in lines]


def _bare(field: str) -> str:
    field = field.strip()
    return field[1:-1] if len(field) > 1 and field[0] == field[-1] == '"' else field


class TenxEntries:
    """Cells × genes from a 10x folder, CSR, in blocks of cells.

    10x and what writes like it sort the entries by cell, so that a cell is complete as soon as the next one begins.
    Entries in another order are put together in memory.

    Parameters
    ----------
    path : path
        The folder, or its matrix file where the names have a prefix.
    orientation : {'genes_by_samples', 'samples_by_genes'}
        Whether rows of the matrix are genes, as 10x writes it, or cells.
    exact : bool
        Keep entries of type real in float64 (raw counts).

    Raises
    ------
    UserError
        If a file is missing or the three do not agree with each other and the declared orientation.
    """

    by = "samples"
    obs = None

    def __init__(self, path: str | Path, *, orientation: str = "genes_by_samples", exact: bool = False) -> None:
        self.path, features_file, barcodes_file = _parts(Path(path))
        features = lines_of(features_file, ",;")
        self.samples = pd.Index([fields[0] for fields in lines_of(barcodes_file)], dtype=object)
        check_ids(self.samples, "barcode", str(barcodes_file))
        types = pd.Series([fields[2] if len(fields) > 2 else "" for fields in features], dtype=object)
        self.keep, self.set_aside = genes_among(types, str(features_file))
        self.transposed, self.exact = orientation == "samples_by_genes", exact
        self._read_head()
        self._check_shape(len(features))
        kept = [fields for fields, keep in zip(features, self.keep, strict=True) if keep]
        self.genes = pd.Index([fields[0] for fields in kept], dtype=object)
        named = all(len(fields) > 1 for fields in kept)
        self.symbols = pd.Index([fields[1] for fields in kept], dtype=object) if named else None

    def _check_shape(self, features: int) -> None:
        expected, (rows, columns) = (features, len(self.samples)), ("genes", "cells")
        if self.transposed:
            expected, (rows, columns) = expected[::-1], ("cells", "genes")
        if self.shape == expected:
            return
        if self.shape == expected[::-1]:
            other = "genes_by_samples" if self.transposed else "samples_by_genes"
            raise UserError(
                f"the matrix has {self.shape[0]} rows and {self.shape[1]} columns: it is not {rows} x {columns}",
                where=str(self.path),
                remedy=f"declare orientation {other} in the dataset sheet",
            )
        raise UserError(
            f"{self.shape[0]} {rows} x {self.shape[1]} {columns}, but {features} features and "
            f"{len(self.samples)} barcodes",
            where=str(self.path),
            remedy="the three files are not of one experiment, or one has a header line; fetch them again",
        )

    def _refuse(self, what: str, where: str = "") -> UserError:
        return UserError(what, where=f"{self.path}{where}", remedy="fetch the file again")

    def _read_head(self) -> None:
        """Type of the numbers, size of the matrix, and the number of lines before the entries."""
        with open_text(self.path) as file:
            words = file.readline().lower().split()
            if words[:1] != ["%%matrixmarket"]:
                raise self._refuse("cannot be read: not a Matrix Market file", ", line 1")
            if words[1:3] != ["matrix", "coordinate"] or words[4:] != ["general"] or words[3] not in FIELDS:
                raise UserError(
                    f"cannot be read: Matrix Market of the kind {' '.join(words[1:])[:60]!r}; "
                    "coordinate integer general or coordinate real general is expected",
                    where=f"{self.path}, line 1",
                    remedy="write it so: scipy.io.mmwrite(FILE, scipy.sparse.coo_matrix(counts), symmetry='general')",
                )
            self.dtype = np.int64 if words[3] == "integer" else np.float64 if self.exact else np.float32
            self.skip, line = 2, file.readline()
            while line and (line.startswith("%") or not line.strip()):
                self.skip, line = self.skip + 1, file.readline()
        words = line.split()
        if len(words) != 3 or not all(word.isascii() and word.isdecimal() for word in words):
            raise self._refuse(f"{line.strip()[:40]!r} are no dimensions", f", line {self.skip}")
        rows, columns, self.entries = (int(word) for word in words)
        self.shape = (rows, columns)

    def _numbers(self, piece: bytes) -> tuple[np.ndarray, int]:
        """Row, column and value of the entries of whole lines, and where the first bad line begins, or -1."""
        place = np.arange(3, dtype=np.int64)
        none, odd = np.empty((0, 2), np.int64), np.empty((3, 4), np.int64)
        out = np.empty((piece.count(b"\n"), 3), np.float64)
        code, rows, strange, position, _ = numbers.parse_lines(
            np.frombuffer(piece, np.uint8), 0, len(piece), ord(" "), place, False, out, none, none, odd
        )
        if code != numbers.DONE or strange or np.isnan(out[:rows]).any():
            return out[:rows], int(odd[0, 2]) if strange else position
        return out[:rows], -1

    def _pieces(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Cell, gene (both from 0, features that are no genes left out) and value, in the order of the file."""
        position_of = np.cumsum(self.keep) - 1
        every = bool(self.keep.all())
        seen = 0
        for raw in line_blocks(self.path, self.skip):
            piece = raw
            out, bad = self._numbers(piece)
            if bad >= 0:  # the format allows any blanks between numbers
                piece = re.sub(rb"(?m)^ | $", b"", re.sub(rb"[ \t\r\f\v]+", b" ", raw))
                out, bad = self._numbers(piece)
            if bad >= 0:
                start = piece.rfind(b"\n", 0, bad) + 1
                text = piece[start : piece.find(b"\n", start)].decode("utf-8", "replace")
                raise self._refuse(f"cannot be read: {text[:40]!r} is not a row, a column and a value")
            seen += len(out)
            first, second, value = out[:, 0], out[:, 1], out[:, 2]
            outside = (first < 1) | (first > self.shape[0]) | (second < 1) | (second > self.shape[1])
            outside |= (first != np.floor(first)) | (second != np.floor(second))
            if outside.any():
                at = int(outside.argmax())
                inside = f"{self.shape[0]} x {self.shape[1]}"
                what = f"entry {first[at]:g} {second[at]:g} lies outside {inside}"
                if min(first.min(), second.min()) == 0:
                    what += "; rows and columns seem to be counted from 0, and Matrix Market counts from 1"
                raise self._refuse(what)
            if self.dtype is np.int64 and (odd := value != np.floor(value)).any():
                raise self._refuse(f"value {value[int(odd.argmax())]:g} is not whole, though integers are announced")
            cell, gene = (first, second) if self.transposed else (second, first)
            cell, gene = cell.astype(np.int64) - 1, gene.astype(np.int64) - 1
            if not every:
                chosen = self.keep[gene]
                cell, gene, value = cell[chosen], position_of[gene[chosen]], value[chosen]
            yield cell, gene.astype(np.int32), value.astype(self.dtype)
        if seen != self.entries:
            raise self._refuse(f"cannot be read: {seen} entries where {self.entries} are announced")

    def _at_once(self, keep: np.ndarray) -> Matrix:
        cell, gene, value = (np.concatenate(part) for part in zip(*self._pieces(), strict=True))
        x = sparse.csr_matrix((value, (cell, gene)), shape=(len(self.samples), len(self.genes)))
        return Matrix(x[keep], self.samples[keep], self.genes, self.symbols)

    def blocks(self, wanted: np.ndarray) -> Iterator[Matrix]:
        """Blocks of the cells at the positions `wanted`, with all genes."""
        keep = np.zeros(len(self.samples), dtype=bool)
        keep[wanted] = True
        rest: tuple[np.ndarray, ...] = ()
        start = 0

        def block(stop: int, cell: np.ndarray, gene: np.ndarray, value: np.ndarray) -> Matrix:
            pointer = np.concatenate([[0], np.cumsum(np.bincount(cell - start, minlength=stop - start))])
            x = sparse.csr_matrix((value, gene, pointer), shape=(stop - start, len(self.genes)))
            chosen = keep[start:stop]
            x = x if chosen.all() else x[chosen]
            if not x.has_canonical_format:
                x.sum_duplicates()  # an entry given twice counts as the sum, as for scipy
            return Matrix(x, self.samples[start:stop][chosen], self.genes, self.symbols)

        for piece in self._pieces():
            parts = tuple(np.concatenate(pair) for pair in zip(rest, piece, strict=True)) if rest else piece
            cell = parts[0]
            if len(cell) and (np.any(np.diff(cell) < 0) or cell[0] < start):
                if start:
                    raise UserError(
                        "entries are sorted by cell at first, and not further down",
                        where=str(self.path),
                        remedy=f"sort the entries by their {'first' if self.transposed else 'second'} column",
                    )
                yield self._at_once(keep)
                return
            stop = int(cell[-1]) if len(cell) else start
            done = int(np.searchsorted(cell, stop))
            rest = tuple(part[done:] for part in parts)
            if stop > start:
                if keep[start:stop].any():
                    yield block(stop, *(part[:done] for part in parts))
                start = stop
        if keep[start:].any():
            none = (np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, self.dtype))
            yield block(len(self.samples), *(rest or none))
