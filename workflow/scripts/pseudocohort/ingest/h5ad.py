"""AnnData files."""

from __future__ import annotations

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

from ..errors import UserError
from .matrix import Matrix, check_ids


def read_h5ad(path: str | Path, *, exact: bool = False) -> Matrix:
    """Read ``X``, the ids and ``obs`` of an h5ad file.

    Raises
    ------
    UserError
        If the file is missing or no h5ad.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError("file not found", where=str(path), remedy="check the path in the dataset sheet and data_root")
    try:
        data = ad.read_h5ad(path)
    except (OSError, KeyError, ValueError) as error:
        raise UserError(f"cannot be read as h5ad: {error}", where=str(path), remedy="fetch the file again") from error
    check_ids(data.obs_names, "sample", str(path))
    x = sparse.csr_matrix(data.X) if sparse.issparse(data.X) else np.asarray(data.X)
    if not exact and np.issubdtype(x.dtype, np.floating):
        x = x.astype(np.float32)
    symbol = next((c for c in ("symbol", "gene_symbol", "gene_symbols", "feature_name") if c in data.var), None)
    symbols = pd.Index(data.var[symbol].astype(str)) if symbol else None
    return Matrix(x, data.obs_names.astype(str), data.var_names.astype(str), symbols, data.obs)
