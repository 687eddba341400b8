"""Which features of a single-cell matrix are genes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..core.errors import UserError

#: What 10x calls the features that are genes, and those that are not (Cell Ranger, Cell Ranger ARC).
GENES = "gene expression"
OTHERS = {
    "antibody capture", "crispr guide capture", "multiplexing capture", "custom", "peaks", "vdj", "vdj-t", "vdj-b",
    "antigen capture", "cell hashing", "hto", "adt", "protein",
}  # fmt: skip


def genes_among(types: pd.Series, where: str) -> tuple[np.ndarray, dict[str, int]]:
    """Which features are genes by their declared type, and how many others there are of each.

    A feature counts if its type is ``Gene Expression``. Where no feature has that type, all count that are not of a
    type that is known to be another: the column may say something else.

    Parameters
    ----------
    types : Series of str
        Third column of ``features.tsv``, or ``feature_types`` of an h5ad; empty where there is none.

    Raises
    ------
    UserError
        If all features are of other types.
    """
    words = types.fillna("").astype(str).str.strip(' \t"')
    lower = words.str.lower().str.replace("_", " ")
    if not (lower == GENES).any():
        if not lower.isin(OTHERS).any():
            return np.ones(len(words), dtype=bool), {}
        if len(lower) and lower.isin(OTHERS).all():
            raise UserError(
                f"no feature is of the type 'Gene Expression'; there are: {', '.join(sorted(words.unique()))}",
                where=where,
                remedy="give the matrix of the genes",
            )
        keep = ~lower.isin(OTHERS).to_numpy()
    else:
        keep = (lower == GENES).to_numpy()
    others = words[~keep].replace("", "without a type").value_counts()
    return keep, {f"features of the type {kind}": int(n) for kind, n in sorted(others.items())}
