"""Every unit to log2 expression."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anndata as ad
import numpy as np
from scipy import sparse

from ..core.blocks import row_blocks
from ..ingest.units import COUNTED, taken_back

#: Counts are brought to this library size (counts per million) before the logarithm.
LIBRARY = 1e6


def log2_expression(
    profiles: ad.AnnData,
    columns: np.ndarray | None = None,
    rows: np.ndarray | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Dense log2 expression (n × genes, float32, not below 0) of profiles on their source's unit.

    Counts, and expected counts, become log2(CPM + 1); linear TPM, FPKM, RSEM and CPM log2(x + 1); log2(x + offset) is
    taken back to x first, so that every source has the offset 1; variance-stabilised values stay (below 0 is cut).

    Parameters
    ----------
    profiles : AnnData
        ``X`` in memory or in the file.
    columns : ndarray of int, optional
        Positions of the genes wanted; library sizes are those of all genes.
    rows : ndarray of bool, optional
        Profiles wanted.
    out : ndarray (n × genes), float32, optional
        Where the result goes; may be ``profiles.X`` itself, if all of it is wanted.
    """
    rows = np.ones(profiles.n_obs, dtype=bool) if rows is None else rows
    if out is None:
        out = np.empty((int(rows.sum()), profiles.n_vars if columns is None else len(columns)), np.float32)
    filled = 0
    for part in log2_blocks(profiles, columns, rows):
        out[filled : filled + len(part)] = part
        filled += len(part)
    return out


def log2_blocks(
    profiles: ad.AnnData, columns: np.ndarray | None = None, rows: np.ndarray | None = None
) -> Iterator[np.ndarray]:
    """The same in blocks of profiles, float64: of a matrix of full size, that would not fit beside it."""
    for block in row_blocks(profiles.X, rows):
        part = _log2(block, profiles.uns["pseudocohort"])
        yield part if columns is None else part[:, columns]


def _log2(block: np.ndarray | sparse.csr_matrix, source: dict[str, Any]) -> np.ndarray:
    """Some profiles, float64."""
    x = (block.toarray() if sparse.issparse(block) else np.asarray(block)).astype(np.float64)
    if source["unit"] in COUNTED:
        library = x.sum(1, keepdims=True)
        x = x / np.where(library > 0, library, 1) * LIBRARY
    elif source["unit"] == "vst":
        return np.maximum(x, 0)
    elif "log_offset" in source:
        x = taken_back(x, float(source["log_offset"]))
    return np.log2(np.maximum(x, 0) + 1)


def library_sizes(profiles: ad.AnnData) -> np.ndarray:
    """Sum of counts of each profile (n,); 0 where the source holds no counts."""
    if profiles.uns["pseudocohort"]["unit"] not in COUNTED:
        return np.zeros(profiles.n_obs)
    sums = [np.asarray(block.sum(1), dtype=np.float64).ravel() for block in row_blocks(profiles.X)]
    return np.concatenate(sums)


def log_unit(profiles: ad.AnnData) -> str:
    """Name of the log scale that :func:`log2_expression` gives."""
    unit = profiles.uns["pseudocohort"]["unit"]
    return "vst" if unit == "vst" else f"log2({'cpm' if unit in COUNTED else unit} + 1)"
