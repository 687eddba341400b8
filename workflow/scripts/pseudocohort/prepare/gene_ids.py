"""Gene ids of a source to unversioned Ensembl ids."""

from __future__ import annotations

from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

from ..errors import UserError
from .gene_table import GeneTable

#: Rows of count files that are no genes: spike-ins, counters of STAR and HTSeq, gene lengths.
NO_GENES = r"^(?:ERCC-\d+|N_\w+|__\w+|length|gene_?length)$"
#: Versions are stripped; the copies of the pseudo-autosomal region on Y are genes of their own in GENCODE, not here.
VERSION = r"\.\d+(?:_PAR_Y)?$"
ENSEMBL = r"^ENSG\d{11}$"


def map_ids(ids: pd.Series, kind: str, table: GeneTable) -> pd.Series:
    """Ensembl id of each source id; empty where there is none.

    Parameters
    ----------
    ids : Series of str
        Ids as in the source.
    kind : {'ensembl', 'symbol', 'symbol_entrez'}
        Declared in the dataset sheet. ``symbol_entrez`` are TCGA's ``TP53|7157`` (``?|100130426`` has an Entrez id
        only) and DepMap's ``TP53 (7157)``; the Entrez id is looked up first.
    table : GeneTable
        Known genes.
    """
    if kind == "ensembl":
        bare = ids.str.replace(VERSION, "", regex=True)
        par_y = ids.str.endswith("_PAR_Y")
        return bare.where(bare.str.match(ENSEMBL) & ~par_y, "")
    if kind == "symbol":
        return ids.str.strip().map(table.by_symbol).fillna("")
    parts = ids.str.extract(r"^\s*(?P<symbol>[^|(]*?)\s*[|(]\s*(?P<entrez>\d+)\)?\s*$")
    symbol = parts["symbol"].fillna(ids)
    return parts["entrez"].map(table.by_entrez).fillna(symbol.map(table.by_symbol)).fillna("")


def _collapse(x: np.ndarray | sparse.csr_matrix, target: np.ndarray, rule: str) -> tuple[np.ndarray, Any]:
    """First position of each target and the matrix with one column per target."""
    names, first, codes = np.unique(target, return_index=True, return_inverse=True)
    if rule == "sum":
        spread = sparse.csr_matrix(
            (np.ones(len(codes)), (np.arange(len(codes)), codes)), shape=(len(codes), len(names))
        )
        summed = x @ spread
        return first, (summed.tocsr() if sparse.issparse(summed) else np.asarray(summed)).astype(x.dtype)
    if rule == "highest_mean":
        mean = np.asarray(x.mean(axis=0)).ravel()
        order = np.lexsort((np.arange(len(codes)), -mean, codes))
        first = order[np.r_[True, np.diff(codes[order]) > 0]]
    return first, x[:, first]


def map_genes(adata: ad.AnnData, kind: str, rule: str, table: GeneTable) -> tuple[ad.AnnData, dict[str, Any]]:
    """Profiles with unversioned Ensembl ids, and a report of what became of the source's ids.

    Parameters
    ----------
    adata : AnnData
        Ingested profiles; ``var["source_id"]`` holds the ids as in the source.
    kind : {'ensembl', 'symbol', 'symbol_entrez'}
        Declared id type.
    rule : {'highest_mean', 'sum', 'first'}
        What to do with several rows of one gene: keep the one with the highest mean, add them (linear units only), or
        keep the first.
    table : GeneTable
        Known genes.

    Raises
    ------
    UserError
        If fewer than half of the ids are known, or values on log scale are to be summed.
    """
    ids = adata.var["source_id"].astype(str).reset_index(drop=True)
    source = adata.uns["pseudocohort"]
    set_aside = ids.str.match(NO_GENES).to_numpy()
    target = map_ids(ids, kind, table).to_numpy(dtype=str)
    target[set_aside] = ""
    unknown = (target == "") & ~set_aside
    if unknown.sum() > 0.5 * (~set_aside).sum():
        raise UserError(
            f"{unknown.sum()} of {(~set_aside).sum()} gene ids are not known as {kind}; the first is "
            f"{ids[unknown].iloc[0]!r}",
            where=f"{source['source']} (dataset {source['dataset']!r})",
            remedy="declare the right gene_ids in the dataset sheet (ensembl, symbol or symbol_entrez)",
        )
    known = np.flatnonzero(target != "")
    repeated = len(known) - len(np.unique(target[known]))
    if repeated and rule == "sum" and "log_offset" in source:
        raise UserError(
            f"{repeated} rows repeat a gene, and values on log scale cannot be summed",
            where=f"dataset {source['dataset']!r}, prepare.gene_duplicates",
            remedy="use highest_mean or first",
        )
    first, x = _collapse(adata.X[:, known], target[known], rule)
    genes = pd.Index(target[known][first], dtype=str)
    var = pd.DataFrame({"symbol": table.symbol(genes).to_numpy(dtype=str)}, index=genes)
    out = ad.AnnData(x, obs=adata.obs.copy(), var=var, uns=dict(adata.uns))
    report = {
        "ids": len(ids),
        "genes": len(genes),
        "set_aside": ids[set_aside].tolist()[:20],
        "unknown": int(unknown.sum()),
        "unknown_examples": ids[unknown].tolist()[:20],
        "repeated": repeated,
        "rule": rule,
    }
    return out, report
