"""Which cells are good enough, by scanpy's metrics."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import scanpy as sc
from scipy import sparse

from ..core.errors import UserError
from ..ingest.missing import is_absent

log = logging.getLogger(__name__)

#: Words with which sources label doublets (demuxlet, Scrublet, DoubletFinder, scDblFinder, hashing), and singlets.
DOUBLETS = {
    "doublet", "doublets", "dbl", "true", "1", "1.0", "yes", "t", "y", "multiplet", "multiplets", "heterotypic",
    "homotypic", "heterotypic doublet", "homotypic doublet", "doublet_high", "doublet_hi", "predicted doublet",
    "high confidence doublet",
}  # fmt: skip
SINGLETS = {
    "singlet", "singlets", "sng", "false", "0", "0.0", "no", "f", "n", "single", "not doublet", "predicted singlet",
}  # fmt: skip
#: What a cell is whose label is neither.
UNCLEAR = "doublet label unclear"
#: Scrublet needs enough cells to simulate doublets from.
FEWEST_FOR_SCRUBLET = 50


def read_labels(labels: pd.Series, dataset: str) -> tuple[np.ndarray, np.ndarray, dict[str, dict[str, int]]]:
    """Which cells are labelled doublets, which have a label that is neither doublet nor singlet, and the words found.

    A cell without any label counts as a singlet, and is counted in the report.

    Parameters
    ----------
    labels : Series
        The sheet's doublet column.
    dataset : str
        Name, for messages.

    Raises
    ------
    UserError
        If most labels are no known word, or numbers that do not say which are doublets: the column says something
        else.
    """
    where = f"dataset {dataset!r}, column 'doublet_column'"
    # demuxlet's column BEST says the kind, and then of whom the cell is: DBL-A-B-0.5.
    text = labels.astype(str).str.strip().str.replace(r"^(SNG|DBL|AMB)-.*", r"\1", regex=True)
    words = text.str.lower().str.replace(r"\s+", " ", regex=True)
    coded = sorted(word for word in words.unique() if re.fullmatch(r"[0-9](\.0)?", word))
    if coded and coded[-1] >= "2":
        raise UserError(
            f"the doublet labels are the numbers {', '.join(coded)}, which do not say what is a doublet: 2 may be a "
            "number of cells, or a singlet as the second of two words in the alphabet",
            where=where,
            remedy="write the words (in R: as.character(factor)), or 0 for singlets and 1 for doublets",
        )
    absent = is_absent(text).to_numpy() & ~words.eq("unassigned").to_numpy()
    doublet, singlet = words.isin(DOUBLETS).to_numpy(), words.isin(SINGLETS).to_numpy()
    unclear = ~(doublet | singlet | absent)
    if coded and words.isin(["1", "1.0"]).all():
        raise UserError(
            f"every cell is labelled a doublet, by {coded[0]!r}",
            where=where,
            remedy="1 is a doublet and 0 a singlet: correct the column, or leave doublet_column empty",
        )
    found = {
        kind: {str(word): int(n) for word, n in text[hit].value_counts().items()}
        for kind, hit in (("doublet", doublet), ("singlet", singlet), ("unclear", unclear), ("no label", absent))
        if hit.any()
    }
    if unclear.sum() > 0.5 * max((~absent).sum(), 1):
        some = ", ".join(repr(word) for word in list(found["unclear"])[:6])
        raise UserError(
            f"{unclear.sum():,} of {len(labels):,} cells have a doublet label that is not known: {some}",
            where=where,
            remedy="name a column of words such as singlet and doublet, SNG and DBL, true and false (of DoubletFinder "
            "DF.classifications..., not the score pANN...); or leave it empty",
        )
    if unclear.any():
        log.warning(
            "%s: %d cells whose doublet label is no known word are left out: %s",
            dataset,
            unclear.sum(),
            found["unclear"],
        )
    return doublet, unclear, found


def _doublets(
    obs: pd.DataFrame, how: str, cells: Callable[[], ad.AnnData], seed: int, dataset: str
) -> tuple[np.ndarray, np.ndarray, dict[str, dict[str, int]]]:
    none = np.zeros(len(obs), dtype=bool)
    if how == "label" and "doublet" in obs:
        return read_labels(obs["doublet"], dataset)
    if how == "scrublet" and len(obs) >= FEWEST_FOR_SCRUBLET:
        scored = sc.pp.scrublet(cells(), random_state=seed, copy=True, verbose=False)
        return scored.obs["predicted_doublet"].to_numpy(dtype=bool), none, {}
    return none, none, {}


def measure_cells(blocks: Iterable[Any], symbols: pd.Series) -> pd.DataFrame:
    """``total_counts``, ``n_genes`` and ``mitochondrial`` (percent) of each cell, by scanpy's metrics.

    Parameters
    ----------
    blocks : iterable of csr_matrix
        Raw counts, some cells at a time.
    symbols : Series
        Symbol of each gene; mitochondrial ones begin with ``MT-``.
    """
    genes = pd.DataFrame({"mitochondrial": symbols.str.upper().str.startswith("MT-").to_numpy(dtype=bool)})
    genes.index = genes.index.astype(str)
    names = {
        "total_counts": "total_counts",
        "n_genes_by_counts": "n_genes",
        "pct_counts_mitochondrial": "mitochondrial",
    }
    tables = []
    for block in blocks:
        work = ad.AnnData(block, var=genes.copy())
        sc.pp.calculate_qc_metrics(work, qc_vars=["mitochondrial"], percent_top=None, log1p=False, inplace=True)
        tables.append(work.obs[list(names)].rename(columns=names))
    return pd.concat(tables, ignore_index=True)


def judge_cells(
    metrics: pd.DataFrame,
    doublet: np.ndarray,
    unclear: np.ndarray,
    settings: dict[str, Any],
    dataset: str,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Which cells pass, and a report of how many did not and why.

    Raises
    ------
    UserError
        If no cell passes.
    """
    reasons = {
        "few counts": (metrics["total_counts"] < settings["min_counts"]).to_numpy(),
        "few genes": (metrics["n_genes"] < settings["min_genes"]).to_numpy(),
        "mitochondrial": (metrics["mitochondrial"].fillna(0) > 100 * settings["max_mitochondrial_share"]).to_numpy(),
        "doublet": doublet,
    }
    if unclear.any():
        reasons[UNCLEAR] = unclear
    keep = ~np.any(list(reasons.values()), axis=0)
    report = {
        "cells": len(metrics),
        "kept": int(keep.sum()),
        "removed": {reason: int(hit.sum()) for reason, hit in reasons.items()},
        "median_counts": float(metrics["total_counts"].median()),
        "median_genes": float(metrics["n_genes"].median()),
    }
    if not keep.any():
        worst = max(report["removed"], key=report["removed"].get)
        raise UserError(
            f"no cell of {len(metrics)} passes quality control; most fail for {worst!r} "
            f"(median counts {report['median_counts']:.0f}, genes {report['median_genes']:.0f})",
            where=f"dataset {dataset!r}, prepare.cell_quality",
            remedy="lower the thresholds, or check the declared unit",
        )
    log.info("%d of %d cells kept; removed: %s", report["kept"], len(metrics), report["removed"])
    return keep, report


@dataclass(frozen=True)
class KeptCells:
    """Cells that pass: their positions, their annotation with ``total_counts`` and ``n_genes``, and the report."""

    keep: np.ndarray
    obs: pd.DataFrame
    report: dict[str, Any]


def choose_cells(
    obs: pd.DataFrame,
    blocks: Callable[[], Iterable[Any]],
    settings: dict[str, Any],
    symbols: pd.Series,
    *,
    dataset: str,
    seed: int,
) -> KeptCells:
    """Cells that pass, with their raw counts (mapped to genes) given in blocks as often as asked for.

    Parameters
    ----------
    obs : DataFrame
        Annotation of all cells.
    blocks : callable
        Gives the counts of all cells in order, some at a time (CSR).
    settings : dict
        ``min_counts``, ``min_genes``, ``max_mitochondrial_share`` (0 to 1), ``doublets`` (``label``: the sheet's
        doublet column; ``scrublet``: Wolock et al. 2019, Cell Systems 8:281, with all cells in memory; ``none``).
    symbols : Series
        Symbol of each gene.
    dataset : str
        Name, for messages.
    seed : int
        Seed of Scrublet.
    """
    metrics = measure_cells(blocks(), symbols)

    def in_memory() -> ad.AnnData:
        return ad.AnnData(sparse.vstack([sparse.csr_matrix(block) for block in blocks()], format="csr"))

    doublet, unclear, words = _doublets(obs, settings["doublets"], in_memory, seed, dataset)
    keep, report = judge_cells(metrics, doublet, unclear, settings, dataset)
    if words:
        report["doublet_labels"] = words
    kept = obs[keep].copy()
    kept["total_counts"] = metrics["total_counts"].to_numpy()[keep]
    kept["n_genes"] = metrics["n_genes"].to_numpy()[keep]
    return KeptCells(keep, kept, report)
