"""AnnData files: X or a layer, obs and var are read; what is odd elsewhere does not matter."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from anndata._io.specs.registry import IORegistryError  # raised by read_elem; it has no public name
from anndata.abc import CSCDataset, CSRDataset
from anndata.io import read_elem, sparse_dataset
from scipy import sparse

from ..core.blocks import row_blocks
from ..core.errors import UserError
from .features import genes_among
from .matrix import Matrix, check_ids
from .text import look_at

SYMBOL_COLUMNS = ("symbol", "gene_symbol", "gene_symbols", "feature_name")
TYPE_COLUMN = "feature_types"
#: What HDF5 files, and anndata on them, raise for elements that are broken or newer than the library.
BROKEN = (
    OSError, KeyError, ValueError, TypeError, AttributeError, IndexError, RuntimeError, NotImplementedError,
    AssertionError, OverflowError, MemoryError, ImportError, struct.error, RecursionError, IORegistryError,
)  # fmt: skip
_TENX = "declare format mtx and orientation genes_by_samples: it is read as it is"
_LOOM = "convert it, in Python:\n          import anndata; anndata.io.read_loom(FILE).write_h5ad('matrix.h5ad')"
_MUDATA = "convert it, in Python:\n          import mudata; mudata.read(FILE)['rna'].write_h5ad('matrix.h5ad')"
_ARCHS4 = (
    "take the samples that you want out of it, in Python:\n          import archs4py\n"
    "          archs4py.data.samples(FILE, ['GSM1', 'GSM2']).to_csv('matrix.tsv', sep='\\t')"
)
_SEURAT = "convert it, in R:\n          library(SeuratDisk)\n          Convert(FILE, dest = 'h5ad')"


def _other_hdf5(file: h5py.File) -> tuple[str, str]:
    """What an HDF5 file that is no h5ad is, and what to do."""
    keys = set(file)
    if "mod" in keys:
        return "an h5mu file (MuData)", _MUDATA
    if {"row_attrs", "col_attrs"} <= keys:
        return "a loom file", _LOOM
    inner = [file[key] for key in keys if isinstance(file.get(key), h5py.Group)]
    if any("barcodes" in group and "indptr" in group for group in inner):
        return "a 10x HDF5 matrix (.h5 of Cell Ranger)", _TENX
    if {"data", "meta"} <= keys and "data/expression" in file:
        return "an ARCHS4 file", _ARCHS4
    if "assays" in keys and "cell.names" in keys:
        return "an h5Seurat file", _SEURAT
    return f"HDF5, but no h5ad (it holds {', '.join(sorted(keys)[:6]) or 'nothing'})", "give an AnnData file"


def as_text(values: Any) -> pd.Series:
    """Values of a column as text: missing ones are empty, whole numbers have no point, and NaN is no word."""
    values = pd.Series(values)
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    missing = values.isna().to_numpy()
    if pd.api.types.is_float_dtype(values.dtype):
        filled = values.fillna(0).to_numpy(dtype=np.float64)
        text = [str(int(v)) if np.isfinite(v) and v == int(v) and abs(v) < 2**53 else str(v) for v in filled]
    else:
        text = [_word(value) for value in values.astype(object)]
    return pd.Series(np.where(missing, "", np.array(text, dtype=object)), index=values.index, dtype=object)


def _word(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    if isinstance(value, float | np.floating) and np.isfinite(value) and value == int(value):
        return str(int(value))
    return str(value).strip()


class H5adRows:
    """Profiles of an h5ad file, in blocks; the values stay in the file if they are CSR or dense there.

    Parameters
    ----------
    path : path
        The file.
    exact : bool
        Keep the values' type (raw counts); else float32.
    layer : str
        ``X``, ``raw`` (with its own genes), or the name of a layer.

    Raises
    ------
    UserError
        If the file is missing, no h5ad, or has no such values.
    """

    by = "samples"
    #: Other matrices of the file, by the names that `layer` takes.
    others: list[str]

    def __init__(self, path: str | Path, *, exact: bool = False, layer: str = "X") -> None:
        self.path, self.exact = Path(path), exact
        content = look_at(self.path)
        if not content.kind:
            raise UserError(
                "cannot be read as h5ad: this is text, not HDF5",
                where=str(path),
                remedy="declare the right format in the dataset sheet, or fetch the file again",
            )
        if content.kind != "an HDF5 file":
            raise content.refusal("an h5ad file")
        if content.layers:
            raise UserError(
                f"this is {' and '.join(content.layers)}-compressed; HDF5 is read in place",
                where=str(path),
                remedy=f"unpack it: gunzip {self.path.name}" if content.layers == ("gzip",) else "unpack it",
            )
        try:
            self.file = h5py.File(self.path, "r")
        except BROKEN as error:
            raise self._broken("cannot be read as h5ad", error) from error
        if "obs" not in self.file or "var" not in self.file:
            kind, remedy = _other_hdf5(self.file)
            raise UserError(f"this is {kind}", where=str(path), remedy=remedy.replace("FILE", repr(str(path))))
        self.x, genes = self._values(layer)
        self.unreadable: dict[str, str] = {}
        self.obs = self._frame("obs")
        self.obs.attrs["unreadable"] = dict(self.unreadable)
        var = self._frame(genes)
        check_ids(self.obs.index, "sample", str(path))
        self.samples = self.obs.index
        if self.x.shape != (len(self.obs), len(var)):
            shape = " x ".join(map(str, self.x.shape))
            raise UserError(
                f"{layer} is {shape}, but obs has {len(self.obs)} rows and {genes} {len(var)}",
                where=str(path),
                remedy="the file is damaged; write it again with anndata",
            )
        types = var[TYPE_COLUMN] if TYPE_COLUMN in var else pd.Series("", index=range(len(var)))
        self.keep, self.set_aside = genes_among(types, str(path))
        symbol = next((c for c in SYMBOL_COLUMNS if c in var), None)
        self.symbols = pd.Index(var[symbol])[self.keep] if symbol else None
        self.genes = var.index[self.keep]

    def _broken(self, what: str, error: BaseException) -> UserError:
        reason = str(error).split("\n")[0][:200] or type(error).__name__
        remedy = "fetch the file again, or write it again with a current anndata"
        return UserError(f"{what}: {reason}", where=str(self.path), remedy=remedy)

    def _values(self, layer: str) -> tuple[Any, str]:
        """The matrix, still in the file if it can be read by rows, and which annotation holds its genes."""
        layers = sorted(self.file["layers"]) if isinstance(self.file.get("layers"), h5py.Group) else []
        raw, raw_genes = ("raw/X", "raw/var") if "raw/X" in self.file else ("raw.X", "raw.var")  # until anndata 0.6
        known = [name for name, there in (("X", "X" in self.file), ("raw", raw in self.file)) if there] + layers
        self.others = [name for name in known if name != layer]
        key, genes = {"X": ("X", "var"), "raw": (raw, raw_genes)}.get(layer, (f"layers/{layer}", "var"))
        element = self.file.get(key)
        null = isinstance(element, h5py.Dataset) and element.shape in (None, ())
        if element is None or null or (layer not in known):
            there = ", ".join(name for name in known if not (name == layer and null)) or "none"
            raise UserError(
                f"the file has no {layer}; matrices that it has: {there}",
                where=str(self.path),
                remedy="name one of them: column 'layer' of the dataset sheet, or --layer of the command"
                if there != "none"
                else "give a file that holds the values",
            )
        if genes not in self.file:
            raise UserError(f"the file has no {genes}", where=str(self.path), remedy="write it again with anndata")
        try:
            if isinstance(element, h5py.Group):
                element = sparse_dataset(element)
                _check_sparse(element)
                if isinstance(element, CSCDataset):
                    # By genes: rows of it cannot be had without reading all of it.
                    element = sparse.csr_matrix(element.to_memory())
        except BROKEN as error:
            raise self._broken(f"{layer} cannot be read", error) from error
        if not isinstance(element, CSRDataset | h5py.Dataset | sparse.csr_matrix) or len(element.shape) != 2:
            raise UserError(f"{layer} is no matrix", where=str(self.path), remedy="write it again with anndata")
        if element.dtype.kind not in "biuf":
            raise UserError(
                f"{layer} holds values of the type {element.dtype}, not numbers",
                where=str(self.path),
                remedy="name another layer, or write the file again with numbers",
            )
        return element, genes

    def _frame(self, key: str) -> pd.DataFrame:
        """Annotation as text, column by column; a column that cannot be read is left out and remembered."""
        element = self.file[key]
        try:
            version = element.attrs.get("encoding-version", "") if isinstance(element, h5py.Group) else ""
            if not isinstance(element, h5py.Group) or version != "0.2.0":
                frame = read_elem(element)
                if not isinstance(frame, pd.DataFrame):
                    frame = self._old_frame(pd.DataFrame.from_records(frame), element)
                table = {str(c): as_text(frame[c]).to_numpy() for c in frame}
                return pd.DataFrame(table, index=pd.Index(as_text(frame.index).to_numpy(), dtype=object))
            names = element.attrs["_index"]
            index = pd.Index(as_text(read_elem(element[names])).to_numpy(), dtype=object)
            columns = [str(c) for c in element.attrs.get("column-order", [])]
        except BROKEN as error:
            raise self._broken(f"{key} cannot be read", error) from error
        table = {}
        for column in columns:
            try:
                values = as_text(read_elem(element[column])).to_numpy()
                if len(values) != len(index):
                    raise ValueError(f"{len(values)} values for {len(index)} rows")
                table[column] = values
            except BROKEN as error:
                self.unreadable[column] = str(error).split("\n")[0][:120]
        return pd.DataFrame(table, index=index)

    def _old_frame(self, frame: pd.DataFrame, element: h5py.Dataset | h5py.Group) -> pd.DataFrame:
        """Annotation as anndata wrote it until 0.6: the first field is the index, names of categories are in uns."""
        named = element.attrs.get("_index", "")
        named = next((name for name in (named, "index", "_index") if name in frame), None)
        if named is None and isinstance(element, h5py.Group):
            raise KeyError("it does not say which of its columns is the index")
        for column in frame:
            names = self.file.get(f"uns/{column}_categories")
            if isinstance(names, h5py.Dataset) and names.ndim == 1 and frame[column].dtype.kind in "iu":
                frame[column] = pd.Categorical.from_codes(frame[column].to_numpy(), as_text(names[()]))
        return frame.set_index(frame.columns[0] if named is None else named)

    def blocks(self, wanted: np.ndarray) -> Iterator[Matrix]:
        """Blocks of the profiles at the positions `wanted`, with all genes."""
        keep = np.zeros(len(self.samples), dtype=bool)
        keep[wanted] = True
        samples, every = self.samples[keep], bool(self.keep.all())
        try:
            for block in row_blocks(self.x, keep):
                x = sparse.csr_matrix(block) if sparse.issparse(block) else np.asarray(block)
                if sparse.issparse(x):
                    if x.nnz and (x.indices.min() < 0 or x.indices.max() >= x.shape[1]):
                        raise ValueError("an index lies outside the matrix")
                    x.sum_duplicates()
                x = x if every else x[:, self.keep]
                if x.dtype.kind == "b":
                    x = x.astype(np.int8)
                if x.dtype == np.float16 or (not self.exact and np.issubdtype(x.dtype, np.floating)):
                    x = x.astype(np.float32)
                yield Matrix(x, samples[: x.shape[0]], self.genes, self.symbols)
                samples = samples[x.shape[0] :]
        except BROKEN as error:
            raise self._broken("the values cannot be read", error) from error


def _check_sparse(x: Any) -> None:
    """Refuse pointers and indices that lead out of a sparse matrix, which scipy would follow."""
    pointer = x.group["indptr"][:]
    major, minor = x.shape if isinstance(x, CSRDataset) else x.shape[::-1]
    entries = len(x.group["indices"])
    if len(pointer) != major + 1 or pointer[0] != 0 or pointer[-1] != entries or (np.diff(pointer) < 0).any():
        raise ValueError("its row pointers are damaged")
    if entries != len(x.group["data"]):
        raise ValueError("it has more indices than values, or fewer")
    # Rows of a CSR matrix are checked as they are read.
    for start in range(0, 0 if isinstance(x, CSRDataset) else entries, 1 << 24):
        part = x.group["indices"][start : start + (1 << 24)]
        if len(part) and (part.min() < 0 or part.max() >= minor):
            raise ValueError("an index lies outside the matrix")
