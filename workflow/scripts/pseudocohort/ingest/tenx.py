"""The 10x folder: matrix.mtx, genes or features, barcodes; gzipped or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import io as scipy_io
from scipy import sparse

from ..core.errors import UserError
from . import numbers
from .matrix import Matrix, check_ids, read_all
from .text import line_blocks, open_text, readable


def _find(folder: Path, *names: str) -> Path:
    for name in names:
        for candidate in (folder / name, folder / f"{name}.gz"):
            if candidate.is_file():
                return candidate
    raise UserError(
        f"no {' or '.join(names)} (.gz)",
        where=str(folder),
        remedy="give the folder that holds matrix, features, barcodes",
    )


class TenxEntries:
    """Cells × genes from a 10x folder (genes × cells in the file), CSR, in blocks of cells.

    10x and what writes like it sort the entries by cell, so that a cell is complete as soon as the next one begins.
    Entries in another order are read at once, by scipy.

    Parameters
    ----------
    path : path
        The folder.

    Raises
    ------
    UserError
        If a file is missing or the three do not agree.
    """

    by = "samples"
    obs = None

    def __init__(self, path: str | Path) -> None:
        folder = Path(path)
        self.path = _find(folder, "matrix.mtx")
        features_file = _find(folder, "features.tsv", "genes.tsv")
        barcodes_file = _find(folder, "barcodes.tsv")
        with open_text(features_file) as file:
            features = pd.read_csv(file, sep="\t", header=None, dtype=str)
        with open_text(barcodes_file) as file:
            self.samples = pd.Index(pd.read_csv(file, sep="\t", header=None, dtype=str)[0])
        check_ids(self.samples, "barcode", str(barcodes_file))
        self.genes = pd.Index(features[0])
        self.symbols = pd.Index(features[1]) if features.shape[1] > 1 else None
        self._read_head()
        if self.shape != (len(self.genes), len(self.samples)):
            raise UserError(
                f"{self.shape[0]} genes x {self.shape[1]} cells, but {len(self.genes)} features and "
                f"{len(self.samples)} barcodes",
                where=str(self.path),
                remedy="the three files are not of one experiment; fetch them again",
            )

    def _refuse(self, what: str, where: str = "") -> UserError:
        return UserError(what, where=f"{self.path}{where}", remedy="fetch the file again")

    def _read_head(self) -> None:
        """Type of the numbers, size of the matrix, and the number of lines before the entries."""
        with open_text(self.path) as file:
            words = file.readline().lower().split()
            if words[:3] != ["%%matrixmarket", "matrix", "coordinate"] or words[3:] not in (
                ["integer", "general"],
                ["real", "general"],
            ):
                raise self._refuse("cannot be read: not a Matrix Market file of integer or real entries", ", line 1")
            self.dtype = np.int64 if words[3] == "integer" else np.float32
            self.skip, line = 2, file.readline()
            while line.startswith("%"):
                self.skip, line = self.skip + 1, file.readline()
        try:
            genes, cells, self.entries = (int(v) for v in line.split())
        except ValueError:
            raise self._refuse(f"{line.strip()[:40]!r} are no dimensions", f", line {self.skip}") from None
        self.shape = (genes, cells)

    def _pieces(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Cell, gene (both from 0) and value of the entries, in the order of the file."""
        place = np.arange(3, dtype=np.int64)
        none = np.empty((0, 2), np.int64)
        odd = np.empty((3, 4), np.int64)
        seen = 0
        for piece in line_blocks(self.path, self.skip):
            buffer = np.frombuffer(piece, np.uint8)
            out = np.empty((piece.count(b"\n"), 3), np.float64)
            code, rows, strange, position, _ = numbers.parse_lines(
                buffer, 0, len(buffer), ord(" "), place, False, out, none, none, odd
            )
            if code != numbers.DONE or strange or np.isnan(out[:rows]).any():
                bad = int(odd[0, 2]) if strange else position
                start = piece.rfind(b"\n", 0, bad) + 1
                text = piece[start : piece.find(b"\n", start)].decode("utf-8", "replace")
                raise self._refuse(f"cannot be read: {text[:40]!r} is not a row, a column and a value")
            seen += rows
            gene, cell = out[:rows, 0].astype(np.int64) - 1, out[:rows, 1].astype(np.int64) - 1
            outside = (gene < 0) | (gene >= self.shape[0]) | (cell < 0) | (cell >= self.shape[1])
            if outside.any():
                at = int(outside.argmax())
                inside = f"{self.shape[0]} x {self.shape[1]}"
                raise self._refuse(f"entry {gene[at] + 1} {cell[at] + 1} lies outside {inside}")
            yield cell, gene.astype(np.int32), out[:rows, 2].astype(self.dtype)
        if seen != self.entries:
            raise self._refuse(f"cannot be read: {seen} entries where {self.entries} are announced")

    def _at_once(self, keep: np.ndarray) -> Matrix:
        try:
            with readable(self.path):
                x = sparse.csr_matrix(scipy_io.mmread(self.path).T)
        except ValueError as error:
            raise self._refuse(f"cannot be read: {error}") from error
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
            return Matrix(x, self.samples[start:stop][chosen], self.genes, self.symbols)

        for piece in self._pieces():
            parts = tuple(np.concatenate(pair) for pair in zip(rest, piece, strict=True)) if rest else piece
            cell = parts[0]
            if len(cell) and (np.any(np.diff(cell) < 0) or cell[0] < start):
                if start:
                    raise UserError(
                        "entries are sorted by cell at first, and not further down",
                        where=str(self.path),
                        remedy="sort the entries by their second column",
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


def read_tenx(path: str | Path) -> Matrix:
    """All of a 10x folder, in memory; see :class:`TenxEntries`."""
    return read_all(TenxEntries(path))
