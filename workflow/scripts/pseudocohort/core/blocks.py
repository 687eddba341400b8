"""Matrices too large for memory: read in blocks of rows, written to an h5ad file as blocks come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
from anndata.io import write_elem
from scipy import sparse

#: float32 holds every whole number up to here.
EXACT_IN_FLOAT32 = 2**24
#: Values of a block of rows.
BLOCK = 1 << 24
#: Side of a chunk of a dense matrix in the file: a block of genes is written, a block of profiles read.
CHUNK = (1024, 128)
_SPARSE_CHUNK = 1 << 18
_ARRAY = {"encoding-type": "array", "encoding-version": "0.2.0"}
_GROUPS = ("layers", "obsm", "varm", "obsp", "varp")


def row_blocks(x: Any, keep: np.ndarray | None = None) -> Iterator[np.ndarray | sparse.csr_matrix]:
    """Blocks of rows of a matrix, in memory, in order, with about ``BLOCK`` stored values each.

    Parameters
    ----------
    x : ndarray, csr_matrix, Dataset or CSRDataset
        Dense or sparse, in memory or in a file.
    keep : ndarray of bool, optional
        Rows that are wanted; blocks without any are left out.
    """
    rows, columns = x.shape
    filled = 1.0
    if hasattr(x, "indptr") or not isinstance(x, np.ndarray | h5py.Dataset):
        stored = x.nnz if sparse.issparse(x) else int(x.group["indptr"][-1])
        filled = max(stored / max(rows * columns, 1), 1e-9)
    step = int(min(max(BLOCK / max(columns * filled, 1), 1), max(rows, 1)))
    for start in range(0, rows, step):
        stop = min(start + step, rows)
        if keep is None or keep[start:stop].all():
            yield x[start:stop]
        elif keep[start:stop].any():
            yield x[start:stop][keep[start:stop]]


def needs_float64(values: np.ndarray) -> bool:
    """Whether float32 would lose digits of whole numbers."""
    if not values.size or (np.issubdtype(values.dtype, np.floating) and values.dtype.itemsize <= 4):
        return False
    return bool(np.abs(values).max() > EXACT_IN_FLOAT32)


def _widened(parent: h5py.Group, name: str, wide: h5py.Dataset, step: int) -> h5py.Dataset:
    """A dataset of float32 replaced by one of float64, which takes its values."""
    for start in range(0, len(wide), step):
        wide[start : start + step] = parent[name][start : start + step]
    del parent[name]
    parent.move(wide.name.rpartition("/")[2], name)
    return parent[name]


class DenseWriter:
    """``X`` of an open h5ad file, dense, written as blocks of genes or of profiles.

    Values are float32 until one needs float64; what is written by then is exact in both.

    Parameters
    ----------
    file : h5py.File
        Open for writing.
    profiles, genes : int or None
        Size; one of them may be unknown, and grows with the blocks.
    """

    def __init__(self, file: h5py.File, profiles: int | None, genes: int | None) -> None:
        self.file = file
        self.grows = 1 if genes is None else 0
        self.shape = [profiles or 0, genes or 0]
        self.dataset = self._create("X", np.float32)
        self.filled = 0

    def _create(self, name: str, dtype: type) -> h5py.Dataset:
        limit: list[int | None] = list(self.shape)
        limit[self.grows] = None
        chunks = tuple(max(min(c, s or c), 1) for c, s in zip(CHUNK, self.shape, strict=True))
        return self.file.create_dataset(name, tuple(self.shape), dtype, maxshape=tuple(limit), chunks=chunks)

    def add(self, block: np.ndarray) -> None:
        """Append a block (profiles × genes)."""
        if self.dataset.dtype == np.float32 and needs_float64(block):
            step = max(BLOCK // max(self.shape[1], 1), 1)
            self.dataset = _widened(self.file, "X", self._create("X64", np.float64), step)
        start, self.filled = self.filled, self.filled + block.shape[self.grows]
        self.shape[self.grows] = self.filled
        self.dataset.resize(self.filled, axis=self.grows)
        if self.grows:
            self.dataset[:, start:] = block
        else:
            self.dataset[start:] = block

    def close(self) -> None:
        """Mark the matrix as anndata's."""
        self.dataset.attrs.update(_ARRAY)


class RowWriter:
    """``X`` of an open h5ad file, dense float32 in one piece, so that single rows are read fast; written as blocks.

    Parameters
    ----------
    file : h5py.File
        Open for writing.
    profiles, genes : int
        Size.
    """

    def __init__(self, file: h5py.File, profiles: int, genes: int) -> None:
        self.dataset, self.filled = file.create_dataset("X", (profiles, genes), np.float32), 0

    def add(self, block: np.ndarray) -> None:
        """Append rows (profiles × genes)."""
        self.dataset[self.filled : self.filled + len(block)] = block
        self.filled += len(block)

    def close(self) -> None:
        """Mark the matrix as anndata's."""
        self.dataset.attrs.update(_ARRAY)


class SparseWriter:
    """``X`` of an open h5ad file, CSR, written as blocks of profiles.

    Parameters
    ----------
    file : h5py.File
        Open for writing.
    genes : int
        Columns.
    """

    def __init__(self, file: h5py.File, genes: int) -> None:
        self.group, self.genes = file.create_group("X"), genes
        self.sizes: list[np.ndarray] = []
        for name, dtype in (("data", np.float32), ("indices", np.int32)):
            self._create(name, dtype, 0)

    def _create(self, name: str, dtype: type, size: int) -> h5py.Dataset:
        # Small whole numbers shrink to a third at no cost in time.
        return self.group.create_dataset(
            name, (size,), dtype, maxshape=(None,), chunks=(_SPARSE_CHUNK,), compression="lzf"
        )

    def _append(self, name: str, values: np.ndarray) -> None:
        dataset = self.group[name]
        start = len(dataset)
        dataset.resize(start + len(values), axis=0)
        dataset[start:] = values

    def add(self, block: sparse.csr_matrix) -> None:
        """Append rows (profiles × genes)."""
        data = block.data
        if self.group["data"].dtype == np.float32 and needs_float64(data):
            _widened(self.group, "data", self._create("data64", np.float64, len(self.group["data"])), BLOCK)
        self._append("data", data)
        self._append("indices", block.indices)
        self.sizes.append(np.diff(block.indptr).astype(np.int64))

    def close(self) -> None:
        """Write the row pointers and mark the matrix as anndata's."""
        sizes = np.concatenate([np.zeros(1, np.int64), *self.sizes])
        self.group["indptr"] = np.cumsum(sizes)
        self.group.attrs.update(
            {"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": (len(sizes) - 1, self.genes)}
        )


def write_annotation(file: h5py.File, obs: Any, var: Any, uns: dict[str, Any]) -> None:
    """Everything of an h5ad file but ``X``."""
    file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
    for name, content in {"obs": obs, "var": var, "uns": uns, **{group: {} for group in _GROUPS}}.items():
        write_elem(file, name, content)
