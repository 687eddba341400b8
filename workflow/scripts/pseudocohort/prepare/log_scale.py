"""Every unit to log2 expression."""

from __future__ import annotations

import anndata as ad
import numpy as np
from scipy import sparse

#: Counts are brought to this library size (counts per million) before the logarithm.
LIBRARY = 1e6
#: Units whose samples are normalised already.
NORMALISED = ("tpm", "fpkm", "rsem", "cpm")


def log2_expression(profiles: ad.AnnData) -> np.ndarray:
    """Dense log2 expression (n × genes, float32, not below 0) of profiles on their source's unit.

    Counts become log2(CPM + 1); linear TPM, FPKM, RSEM and CPM log2(x + 1); log2(x + offset) is taken back to x first,
    so that every source has the offset 1; variance-stabilised values stay (below 0 is cut).
    """
    source = profiles.uns["pseudocohort"]
    x = profiles.X.toarray() if sparse.issparse(profiles.X) else np.asarray(profiles.X)
    x = x.astype(np.float64)
    if source["unit"] == "counts":
        library = x.sum(1, keepdims=True)
        x = x / np.where(library > 0, library, 1) * LIBRARY
    elif source["unit"] == "vst":
        return np.maximum(x, 0).astype(np.float32)
    elif "log_offset" in source:
        x = np.exp2(x) - float(source["log_offset"])
    return np.log2(np.maximum(x, 0) + 1).astype(np.float32)


def library_sizes(profiles: ad.AnnData) -> np.ndarray:
    """Sum of counts of each profile (n,); 0 where the source holds no counts."""
    if profiles.uns["pseudocohort"]["unit"] != "counts":
        return np.zeros(profiles.n_obs)
    return np.asarray(profiles.X.sum(1), dtype=np.float64).ravel()


def log_unit(profiles: ad.AnnData) -> str:
    """Name of the log scale that :func:`log2_expression` gives."""
    unit = profiles.uns["pseudocohort"]["unit"]
    return "vst" if unit == "vst" else f"log2({'cpm' if unit == 'counts' else unit} + 1)"
