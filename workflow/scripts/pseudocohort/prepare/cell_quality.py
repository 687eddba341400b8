"""Which cells are good enough, by scanpy's metrics."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import scanpy as sc
from scipy import sparse

from ..core.blocks import row_blocks
from ..core.errors import UserError

log = logging.getLogger(__name__)

#: Words with which sources label doublets; anything else is a singlet.
DOUBLET_WORDS = {"doublet", "dbl", "true", "1", "yes", "multiplet"}
#: Scrublet needs enough cells to simulate doublets from.
FEWEST_FOR_SCRUBLET = 50


def _doublets(obs: pd.DataFrame, how: str, cells: Callable[[], ad.AnnData], seed: int) -> np.ndarray:
    if how == "label" and "doublet" in obs:
        return obs["doublet"].astype(str).str.strip().str.lower().isin(DOUBLET_WORDS).to_numpy()
    if how == "scrublet" and len(obs) >= FEWEST_FOR_SCRUBLET:
        scored = sc.pp.scrublet(cells(), random_state=seed, copy=True, verbose=False)
        return scored.obs["predicted_doublet"].to_numpy(dtype=bool)
    return np.zeros(len(obs), dtype=bool)


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
    metrics: pd.DataFrame, doublet: np.ndarray, settings: dict[str, Any], dataset: str
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

    Raises
    ------
    UserError
        If no cell passes.
    """
    metrics = measure_cells(blocks(), symbols)

    def in_memory() -> ad.AnnData:
        return ad.AnnData(sparse.vstack([sparse.csr_matrix(block) for block in blocks()], format="csr"))

    keep, report = judge_cells(metrics, _doublets(obs, settings["doublets"], in_memory, seed), settings, dataset)
    kept = obs[keep].copy()
    kept["total_counts"] = metrics["total_counts"].to_numpy()[keep]
    kept["n_genes"] = metrics["n_genes"].to_numpy()[keep]
    return KeptCells(keep, kept, report)


def filter_cells(
    cells: ad.AnnData, settings: dict[str, Any], symbols: pd.Series, seed: int
) -> tuple[ad.AnnData, dict[str, Any]]:
    """Cells in memory that pass, and the report; see :func:`choose_cells`."""
    chosen = choose_cells(
        cells.obs,
        lambda: row_blocks(cells.X),
        settings,
        symbols,
        dataset=cells.uns["pseudocohort"]["dataset"],
        seed=seed,
    )
    kept = cells[chosen.keep].copy()
    kept.obs = chosen.obs
    return kept, chosen.report
