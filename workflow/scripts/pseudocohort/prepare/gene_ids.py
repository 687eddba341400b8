"""Gene ids of a source to unversioned Ensembl ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import anndata as ad
import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from ..core.blocks import row_blocks
from ..core.errors import UserError
from .gene_table import GeneTable

#: Rows that are no genes: spike-ins, counters of STAR and HTSeq, gene lengths, and the copies of the pseudo-autosomal
#: region on Y, which GENCODE lists beside those on X (``ENSGR...`` before release 25).
NO_GENES = (
    r"^(?:ERCC-\d+|N_\w+|__\w+|[Ll]ength|gene_?length"
    r"|no_feature|ambiguous|too_low_aQual|not_aligned|alignment_not_unique"
    r"|ENSG\d{11}\.\d+_PAR_Y|ENSGR\d{10}(?:\.\d+)?)$"
)
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


@dataclass(frozen=True)
class GeneMap:
    """What becomes of a source's columns.

    Attributes
    ----------
    genes : Index
        Ensembl ids, sorted, one per gene.
    columns : ndarray of int64
        For ``highest_mean`` and ``first``: the source's column of each gene. For ``sum``: all columns with a gene.
    codes : ndarray of int64
        For ``sum``: position in `genes` of each of `columns`; else empty.
    report : dict
        What became of the source's ids, JSON-able.
    """

    genes: pd.Index
    columns: np.ndarray
    codes: np.ndarray
    report: dict[str, Any]

    def apply(self, x: np.ndarray | sparse.csr_matrix) -> np.ndarray | sparse.csr_matrix:
        """Block of profiles (n × source columns) as n × genes, of the same type."""
        chosen = x[:, self.columns]
        if not len(self.codes):
            return chosen
        shape = (len(self.codes), len(self.genes))
        spread = sparse.csr_matrix((np.ones(shape[0]), (np.arange(shape[0]), self.codes)), shape=shape)
        summed = chosen @ spread
        return (summed.tocsr() if sparse.issparse(summed) else np.asarray(summed)).astype(x.dtype)

    def var(self, table: GeneTable) -> pd.DataFrame:
        """Annotation of the genes."""
        return pd.DataFrame({"symbol": table.symbol(self.genes).to_numpy(dtype=str)}, index=self.genes)


def _means(x: Any) -> np.ndarray:
    """Mean of each column of a matrix, in memory or in a file."""
    total = sum(np.asarray(block.sum(axis=0, dtype=np.float64)).ravel() for block in row_blocks(x))
    return total / x.shape[0]


def gene_map(adata: ad.AnnData, kind: str, rule: str, table: GeneTable) -> GeneMap:
    """How the columns of ingested profiles become unversioned Ensembl ids.

    Parameters
    ----------
    adata : AnnData
        Ingested profiles, ``X`` in memory or in the file; ``var["source_id"]`` holds the ids as in the source.
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
    genes, first, codes = np.unique(target[known], return_index=True, return_inverse=True)
    columns = known[first]
    if repeated and rule == "sum":
        columns = known
    elif repeated and rule == "highest_mean":
        mean = _means(adata.X)[known]
        order = np.lexsort((np.arange(len(codes)), -mean, codes))
        columns = known[order[np.r_[True, np.diff(codes[order]) > 0]]]
    report = {
        "ids": len(ids),
        "genes": len(genes),
        "set_aside": ids[set_aside].tolist()[:20],
        "unknown": int(unknown.sum()),
        "unknown_examples": ids[unknown].tolist()[:20],
        "repeated": repeated,
        "rule": rule,
    }
    summed = codes if repeated and rule == "sum" else np.empty(0, np.int64)
    return GeneMap(pd.Index(genes, dtype=str), columns, summed, report)


def map_genes(adata: ad.AnnData, kind: str, rule: str, table: GeneTable) -> tuple[ad.AnnData, dict[str, Any]]:
    """Profiles with unversioned Ensembl ids, in memory, and a report; see :func:`gene_map`."""
    mapping = gene_map(adata, kind, rule, table)
    x, start = adata.X, 0
    # In blocks: rows of a matrix that stays in its file, and no second copy of one of full size.
    if isinstance(x, np.ndarray | h5py.Dataset):
        mapped = np.empty((adata.n_obs, len(mapping.genes)), x.dtype)
        for block in row_blocks(x):
            part = mapping.apply(block)
            mapped[start : start + len(block)] = part.toarray() if sparse.issparse(part) else part
            start += len(block)
    else:
        mapped = sparse.vstack([mapping.apply(block) for block in row_blocks(x)], format="csr")
    out = ad.AnnData(mapped, obs=adata.obs.copy(), var=mapping.var(table), uns=dict(adata.uns))
    return out, mapping.report
