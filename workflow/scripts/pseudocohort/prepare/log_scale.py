"""Every unit to log2 expression."""

from __future__ import annotations

from typing import Any

import anndata as ad
import numpy as np
from scipy import sparse

from ..core.blocks import row_blocks

#: Counts are brought to this library size (counts per million) before the logarithm.
LIBRARY = 1e6
#: Units that hold a sample's sequencing depth.
COUNTED = ("counts", "expected_counts")


def log2_expression(profiles: ad.AnnData) -> np.ndarray:
    """Dense log2 expression (n × genes, float32, not below 0) of profiles on their source's unit.

    Counts, and expected counts, become log2(CPM + 1); linear TPM, FPKM, RSEM and CPM log2(x + 1); log2(x + offset) is
    taken back to x first, so that every source has the offset 1; variance-stabilised values stay (below 0 is cut).
    """
    source = profiles.uns["pseudocohort"]
    out, start = np.empty(profiles.shape, np.float32), 0
    # In blocks: float64 of a matrix of full size would not fit beside it.
    for block in row_blocks(profiles.X):
        out[start : start + block.shape[0]] = _log2(block, source)
        start += block.shape[0]
    return out


def _log2(block: np.ndarray | sparse.csr_matrix, source: dict[str, Any]) -> np.ndarray:
    """Some profiles, float64."""
    x = (block.toarray() if sparse.issparse(block) else np.asarray(block)).astype(np.float64)
    if source["unit"] in COUNTED:
        library = x.sum(1, keepdims=True)
        x = x / np.where(library > 0, library, 1) * LIBRARY
    elif source["unit"] == "vst":
        return np.maximum(x, 0)
    elif "log_offset" in source:
        x = np.exp2(x) - float(source["log_offset"])
    return np.log2(np.maximum(x, 0) + 1)


def library_sizes(profiles: ad.AnnData) -> np.ndarray:
    """Sum of counts of each profile (n,); 0 where the source holds no counts."""
    if profiles.uns["pseudocohort"]["unit"] not in COUNTED:
        return np.zeros(profiles.n_obs)
    return np.asarray(profiles.X.sum(1), dtype=np.float64).ravel()


def log_unit(profiles: ad.AnnData) -> str:
    """Name of the log scale that :func:`log2_expression` gives."""
    unit = profiles.uns["pseudocohort"]["unit"]
    return "vst" if unit == "vst" else f"log2({'cpm' if unit in COUNTED else unit} + 1)"
