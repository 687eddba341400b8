"""The public file formats of the demo's raw files; same content, same bytes."""

from __future__ import annotations

import gzip
import io as text_io
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
from scipy import io as scipy_io
from scipy import sparse

from ...core.io import atomic


def write_bytes(content: bytes, path: Path) -> None:
    """Write `content` to `path` in one rename; gzip-compressed, without time stamp or name, where it ends in .gz."""
    if path.suffix == ".gz":
        content = gzip.compress(content, compresslevel=6, mtime=0)
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def write_tsv(table: pd.DataFrame, path: Path, *, header: bool = True, float_format: str | None = None) -> None:
    """Write a table as TSV (± gz)."""
    text = table.to_csv(sep="\t", index=False, header=header, float_format=float_format, lineterminator="\n")
    write_bytes(text.encode(), path)


def write_gct(tpm: np.ndarray, samples: list[str], genes: pd.DataFrame, path: Path) -> None:
    """GCT 1.2: dimensions, then Name (versioned Ensembl id), Description (symbol) and one column per sample.

    Parameters
    ----------
    tpm : ndarray (n, G)
        TPM of the samples.
    samples : list of str (n)
    genes : DataFrame
        ``gene_id`` and ``symbol`` of the G genes.
    path : Path
    """
    table = pd.DataFrame(tpm.T, columns=samples)
    table.insert(0, "Name", genes["gene_id"].to_numpy())
    table.insert(1, "Description", genes["symbol"].to_numpy())
    body = table.to_csv(sep="\t", index=False, float_format="%.4g", lineterminator="\n")
    write_bytes(f"#1.2\n{len(genes)}\t{len(samples)}\n{body}".encode(), path)


def write_xena(tpm: np.ndarray, samples: list[str], genes: pd.DataFrame, path: Path) -> None:
    """Xena-style matrix: symbols × samples, log2(TPM + 0.001), four decimals."""
    table = pd.DataFrame(np.log2(tpm.T + 0.001), columns=samples)
    table.insert(0, "sample", genes["symbol"].to_numpy())
    write_tsv(table, path, float_format="%.4f")


def write_tenx(counts: np.ndarray, metadata: pd.DataFrame, genes: pd.DataFrame, folder: Path) -> None:
    """10x folder: ``matrix.mtx.gz`` (genes × cells), ``features.tsv.gz``, ``barcodes.tsv.gz``, and ``metadata.tsv``.

    Parameters
    ----------
    counts : ndarray of int (n, G)
        UMI counts of the cells.
    metadata : DataFrame
        One row per cell; column ``barcode`` first.
    genes : DataFrame
        ``gene_id`` and ``symbol`` of the G genes.
    folder : Path
    """
    buffer = text_io.BytesIO()
    scipy_io.mmwrite(buffer, sparse.coo_matrix(counts.T), field="integer", symmetry="general")
    write_bytes(buffer.getvalue(), folder / "matrix.mtx.gz")
    features = pd.DataFrame(
        {"id": genes["gene_id"].str.split(".").str[0], "symbol": genes["symbol"], "kind": "Gene Expression"}
    )
    write_tsv(features, folder / "features.tsv.gz", header=False)
    write_tsv(metadata[["barcode"]], folder / "barcodes.tsv.gz", header=False)
    write_tsv(metadata, folder / "metadata.tsv")


def write_counts_h5ad(counts: np.ndarray, obs: pd.DataFrame, genes: pd.DataFrame, path: Path) -> None:
    """AnnData file of counts (n, G): obs as given (its index names the samples), var = Ensembl ids and symbols."""
    var = pd.DataFrame({"symbol": genes["symbol"].to_numpy()}, index=genes["gene_id"].str.split(".").str[0].to_numpy())
    with atomic(path) as temporary:
        ad.AnnData(X=counts, obs=obs, var=var).write_h5ad(temporary)
