"""Cell Ranger's HDF5 matrix: filtered_feature_bc_matrix.h5 and its kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from ..core.blocks import BLOCK
from ..core.errors import UserError
from .features import genes_among
from .h5ad import BROKEN, as_text
from .matrix import Matrix, check_ids
from .text import look_at

#: Features: their ids, symbols and types, of Cell Ranger 3 and later, and of 2 and earlier.
IDS, SYMBOLS, TYPES = ("features/id", "genes"), ("features/name", "gene_names"), ("features/feature_type",)
#: Beginnings of the names of human genomes.
HUMAN = ("GRCh", "hg")


class TenxHdf5:
    """Cells × genes from a 10x HDF5 file, CSR, in blocks of cells.

    The file holds features × cells by columns, which is cells × features by rows. Since Cell Ranger 3 the group is
    called ``matrix``; until then there is one for each genome, of which the human one is read.

    Parameters
    ----------
    path : path
        The file.
    orientation : {'genes_by_samples', 'samples_by_genes'}
        Declared; the format is genes_by_samples.
    exact : bool
        Keep values that are no integers in float64 (raw counts).

    Raises
    ------
    UserError
        If the file is no 10x matrix, holds several and not one human one, or its parts do not agree.
    """

    by = "samples"
    obs = None

    def __init__(self, path: str | Path, *, orientation: str = "genes_by_samples", exact: bool = False) -> None:
        self.path, self.exact = Path(path), exact
        if orientation != "genes_by_samples":
            raise UserError(
                f"orientation {orientation} is declared, and 10x HDF5 is genes_by_samples by definition",
                where=str(path),
                remedy="declare genes_by_samples",
            )
        if layers := look_at(self.path).layers:
            raise UserError(
                f"this is {' and '.join(layers)}-compressed; HDF5 is read in place",
                where=str(path),
                remedy=f"unpack it: gunzip {self.path.name}" if layers == ("gzip",) else "unpack it",
            )
        try:
            self.group = self._group(h5py.File(self.path, "r"))
            ids, symbols, types = (self._column(*names) for names in (IDS, SYMBOLS, TYPES))
            self.samples = pd.Index(self._column("barcodes"), dtype=object)
            self.pointer = self.group["indptr"][:].astype(np.int64)
            shape, entries = tuple(self.group["shape"][:].tolist()), len(self.group["indices"])
            if entries != len(self.group["data"]) or self.group["data"].dtype.kind not in "iuf":
                raise ValueError("its entries are damaged")
            if {len(symbols), len(types)} - {0, len(ids)}:
                raise ValueError("features have more ids than symbols or types, or fewer")
        except BROKEN as error:
            raise self._broken(error) from error
        check_ids(self.samples, "barcode", str(path))
        if shape != (len(ids), len(self.samples)) or len(self.pointer) != len(self.samples) + 1:
            raise UserError(
                f"{shape[0]} genes x {shape[-1]} cells, but {len(ids)} features and {len(self.samples)} barcodes",
                where=str(path),
                remedy="fetch the file again",
            )
        if self.pointer[0] != 0 or self.pointer[-1] != entries or (np.diff(self.pointer) < 0).any():
            raise self._broken(ValueError("its pointers are damaged"))
        self.keep, others = genes_among(types if len(types) else pd.Series("", index=ids.index), str(path))
        self.set_aside |= others
        self.genes = pd.Index(ids[self.keep], dtype=object)
        self.symbols = pd.Index(symbols[self.keep], dtype=object) if len(symbols) == len(ids) else None

    def _broken(self, error: BaseException) -> UserError:
        reason = str(error).split("\n")[0][:200] or type(error).__name__
        return UserError(
            f"cannot be read as a 10x HDF5 matrix: {reason}", where=str(self.path), remedy="fetch the file again"
        )

    def _group(self, file: h5py.File) -> h5py.Group:
        groups = {n: g for n, g in file.items() if isinstance(g, h5py.Group) and "barcodes" in g and "indptr" in g}
        if not groups:
            remedy = "declare the right format: h5ad for an AnnData file"
            raise UserError(
                f"this is HDF5, but no 10x matrix (it holds {', '.join(sorted(file)[:6]) or 'nothing'})",
                where=str(self.path),
                remedy=remedy,
            )
        human = [name for name in groups if name.startswith(HUMAN)] if len(groups) > 1 else list(groups)
        if len(human) != 1:
            raise UserError(
                f"the file holds several matrices: {', '.join(sorted(groups))}",
                where=str(self.path),
                remedy="write the one that you mean as h5ad, in Python: scanpy.read_10x_h5(FILE, genome=NAME)",
            )
        self.set_aside = {f"matrices of the genome {name}": 1 for name in sorted(groups) if name != human[0]}
        return groups[human[0]]

    def _column(self, *names: str) -> pd.Series:
        """Texts of the first of these datasets that is there; empty if none is."""
        name = next((name for name in names if name in self.group), None)
        return as_text(self.group[name][:]) if name else pd.Series(dtype=object)

    def blocks(self, wanted: np.ndarray) -> Iterator[Matrix]:
        """Blocks of the cells at the positions `wanted`, with all genes."""
        keep = np.zeros(len(self.samples), dtype=bool)
        keep[wanted] = True
        data, every, start = self.group["data"], bool(self.keep.all()), 0
        dtype: Any = np.int64 if data.dtype.kind in "iu" else np.float64 if self.exact else np.float32
        while start < len(self.samples):
            stop = max(int(np.searchsorted(self.pointer, self.pointer[start] + BLOCK, "right")) - 1, start + 1)
            first, last = self.pointer[start], self.pointer[stop]
            chosen = keep[start:stop]
            if chosen.any():
                try:
                    index, values = self.group["indices"][first:last].astype(np.int64), data[first:last].astype(dtype)
                except BROKEN as error:
                    raise self._broken(error) from error
                if len(index) and (index.min() < 0 or index.max() >= len(self.keep)):
                    raise self._broken(ValueError("an index lies outside the matrix"))
                shape = (stop - start, len(self.keep))
                x = sparse.csr_matrix((values, index, self.pointer[start : stop + 1] - first), shape=shape)[chosen]
                x.sum_duplicates()
                x = x if every else x[:, self.keep]
                yield Matrix(x, self.samples[start:stop][chosen], self.genes, self.symbols)
            start = stop
