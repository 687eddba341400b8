"""AnnData files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
from anndata.abc import CSRDataset
from scipy import sparse

from ..core.blocks import row_blocks
from ..core.errors import UserError
from .matrix import Matrix, check_ids, read_all
from .text import check_file

SYMBOL_COLUMNS = ("symbol", "gene_symbol", "gene_symbols", "feature_name")


class H5adRows:
    """Profiles of an h5ad file, in blocks; ``X`` stays in the file if it is CSR or dense there.

    Parameters
    ----------
    path : path
        The file.
    exact : bool
        Keep the values' type (raw counts); else float32.

    Raises
    ------
    UserError
        If the file is missing or no h5ad.
    """

    by = "samples"

    def __init__(self, path: str | Path, *, exact: bool = False) -> None:
        path, self.exact = Path(path), exact
        check_file(path)
        try:
            self.data = ad.read_h5ad(path, backed="r")
        except (OSError, KeyError, ValueError) as error:
            raise UserError(
                f"cannot be read as h5ad: {error}", where=str(path), remedy="fetch the file again"
            ) from error
        check_ids(self.data.obs_names, "sample", str(path))
        self.samples, self.obs = self.data.obs_names.astype(str), self.data.obs
        self.x = self.data.X
        if not isinstance(self.x, CSRDataset | h5py.Dataset):
            # CSC, by genes: rows of it cannot be had without reading all of it.
            self.x = sparse.csr_matrix(self.data.to_memory().X)

    def blocks(self, wanted: np.ndarray) -> Iterator[Matrix]:
        """Blocks of the profiles at the positions `wanted`, with all genes."""
        var = self.data.var
        genes = self.data.var_names.astype(str)
        symbol = next((c for c in SYMBOL_COLUMNS if c in var), None)
        symbols = pd.Index(var[symbol].astype(str)) if symbol else None
        keep = np.zeros(len(self.samples), dtype=bool)
        keep[wanted] = True
        start = 0
        for block in row_blocks(self.x):
            chosen = keep[start : start + block.shape[0]]
            x = block[chosen] if not chosen.all() else block
            x = sparse.csr_matrix(x) if sparse.issparse(x) else np.asarray(x)
            if not self.exact and np.issubdtype(x.dtype, np.floating):
                x = x.astype(np.float32)
            samples = self.samples[start : start + block.shape[0]][chosen]
            start += block.shape[0]
            if len(samples):
                yield Matrix(x, samples, genes, symbols)


def read_h5ad(path: str | Path, *, exact: bool = False) -> Matrix:
    """All of an h5ad file, in memory; see :class:`H5adRows`."""
    return read_all(H5adRows(path, exact=exact))
