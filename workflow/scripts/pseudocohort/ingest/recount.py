"""recount3's coverage sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from ..core.errors import UserError


def counts_of_coverage(
    coverage: np.ndarray | sparse.csr_matrix, read_lengths: np.ndarray
) -> np.ndarray | sparse.csr_matrix:
    """Read counts from sums of base-pair coverage over a gene's exons.

    A read covers as many bases as it is long, so the sum is divided by the average mapped length of the sample's reads
    (both mates of a pair together) and rounded, as ``compute_read_counts`` of recount3 does (Wilks et al. 2021, Genome
    Biology 22:323).

    Parameters
    ----------
    coverage : ndarray or csr_matrix
        Samples × genes.
    read_lengths : ndarray
        One per sample, above 0.
    """
    if sparse.issparse(coverage):
        return (sparse.diags(1 / read_lengths) @ coverage).tocsr().rint()
    return np.rint(coverage / read_lengths[:, None])


def read_lengths(obs: pd.DataFrame, row: dict[str, Any]) -> pd.Series:
    """Average mapped length of each sample's reads; empty unless the unit is ``coverage``.

    Raises
    ------
    UserError
        If no column is declared, or a length is not a number above 0.
    """
    if row["unit"] != "coverage":
        return pd.Series(dtype=float)
    where = f"dataset {row['dataset']!r}, column 'read_length_column'"
    if "read_length_column" not in row:
        raise UserError(
            "coverage sums need the average length of the reads",
            where=where,
            remedy="name the column of the sample table, recount_qc.star.average_mapped_length in recount3's",
        )
    lengths = pd.to_numeric(obs["read_length"], errors="coerce")
    bad = ~(lengths > 0)
    if bad.any():
        sample = obs.index[bad][0]
        raise UserError(
            f"read length {obs.loc[sample, 'read_length']!r} of sample {sample!r} is not a number above 0",
            where=where,
            remedy="correct the sample table, or leave the sample out of it",
        )
    return lengths
