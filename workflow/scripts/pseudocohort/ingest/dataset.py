"""A dataset: its row of the sheet and its files in, profiles under the contract out."""

from __future__ import annotations

import logging
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

from ..errors import UserError
from .delimited import read_delimited
from .gct import read_gct
from .h5ad import read_h5ad
from .matrix import Matrix, check_values
from .samples import contract_obs, join_samples, read_samples, select_conditions
from .tenx import read_tenx
from .units import check_unit

log = logging.getLogger(__name__)

#: float32 holds every whole number up to here.
EXACT_IN_FLOAT32 = 2**24


def read_matrix(row: dict[str, Any]) -> Matrix:
    """Matrix of a dataset in its declared format.

    Raises
    ------
    UserError
        If the file is not what the row declares.
    """
    exact = row["unit"] == "counts"
    path = row["source"].removeprefix("file://")
    match row["format"]:
        case "gct":
            return read_gct(path, exact=exact)
        case "mtx":
            return read_tenx(path)
        case "h5ad":
            return read_h5ad(path, exact=exact)
        case format:
            return read_delimited(path, format=format, orientation=row["orientation"], exact=exact)


def sample_table(matrix: Matrix, row: dict[str, Any]) -> tuple[pd.DataFrame, str]:
    """Sample annotation in the matrix's order (rows without annotation left out), and the file that it is from.

    Raises
    ------
    UserError
        If there is none, or it does not match the matrix.
    """
    if "samples" in row:
        where = row["samples"].removeprefix("file://")
        return join_samples(read_samples(where), matrix.samples, row, where), where
    if matrix.obs is None:
        raise UserError(
            "no sample table is given, and the matrix holds no annotation of its own",
            where=f"dataset {row['dataset']!r}, column 'samples'",
            remedy="give a sample table in the dataset sheet",
        )
    return matrix.obs.astype(str), row["source"]


def smallest_exact(x: np.ndarray | sparse.csr_matrix) -> np.ndarray | sparse.csr_matrix:
    """`x` in float32 where that loses nothing, else in float64."""
    values = x.data if sparse.issparse(x) else x
    fits = not values.size or np.issubdtype(values.dtype, np.floating) and values.dtype.itemsize <= 4
    return x.astype(np.float32 if fits or np.abs(values).max() <= EXACT_IN_FLOAT32 else np.float64)


def ingest_dataset(row: dict[str, Any], *, conditions: dict[str, Any]) -> ad.AnnData:
    """Profiles of one dataset on the unit of its source.

    Parameters
    ----------
    row : dict
        Row of the dataset sheet, paths resolved.
    conditions : dict
        ``prepare.conditions`` of the configuration: ``map``, ``exclude``, ``min_donors``.

    Returns
    -------
    AnnData
        Keeps ``contracts.INGESTED``. Profile ids are ``<dataset>:<sample>``; ``uns["pseudocohort"]`` holds the unit,
        the verdict on it, the source and what was left out.

    Raises
    ------
    UserError
        If the files contradict the row, or each other.
    """
    matrix = read_matrix(row)
    where = row["source"]
    check_values(matrix, where)
    verdict = check_unit(matrix, row["unit"], row.get("log_offset"), where)
    log.info("%s: %d samples x %d genes; %s", row["dataset"], *matrix.x.shape, verdict)
    table, table_file = sample_table(matrix, row)
    obs, dropped = select_conditions(contract_obs(table, row, table_file), conditions, table_file)
    dropped["not in the sample table"] = len(matrix.samples) - len(table)
    for reason, count in dropped.items():
        if count:
            log.info("%s: %d left out: %s", row["dataset"], count, reason)
    order = matrix.samples.get_indexer(obs.index)
    # Ids of genes may repeat until they are mapped; the contract wants them unique, so repeats are numbered.
    genes = pd.Series(matrix.genes.astype(str))
    repeat = genes.groupby(genes).cumcount()
    var = pd.DataFrame(
        {"source_id": genes.to_numpy(dtype=str)},
        index=pd.Index(np.where(repeat == 0, genes, genes + "#" + repeat.astype(str)), dtype=str),
    )
    if matrix.symbols is not None:
        var["symbol"] = matrix.symbols.astype(str).to_numpy()
    obs.index = pd.Index((row["dataset"] + ":" + obs.index).to_numpy(dtype=object), dtype=str)
    uns = {
        "unit": row["unit"],
        "dataset": row["dataset"],
        "source": str(row["source"]),
        "citation": row.get("citation", ""),
        "unit_verdict": verdict,
        "dropped": dropped,
    }
    if "log_offset" in row:
        uns["log_offset"] = float(row["log_offset"])
    log.info("%s: %d profiles of %d conditions", row["dataset"], len(obs), obs["condition"].nunique())
    return ad.AnnData(smallest_exact(matrix.x[order]), obs=obs, var=var, uns={"pseudocohort": uns})
