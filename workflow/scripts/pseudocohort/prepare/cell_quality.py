"""Which cells are good enough, by scanpy's metrics."""

from __future__ import annotations

import logging
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import scanpy as sc

from ..errors import UserError

log = logging.getLogger(__name__)

#: Words with which sources label doublets; anything else is a singlet.
DOUBLET_WORDS = {"doublet", "dbl", "true", "1", "yes", "multiplet"}
#: Scrublet needs enough cells to simulate doublets from.
FEWEST_FOR_SCRUBLET = 50


def _doublets(cells: ad.AnnData, how: str, seed: int) -> np.ndarray:
    if how == "label" and "doublet" in cells.obs:
        return cells.obs["doublet"].astype(str).str.strip().str.lower().isin(DOUBLET_WORDS).to_numpy()
    if how == "scrublet" and cells.n_obs >= FEWEST_FOR_SCRUBLET:
        scored = sc.pp.scrublet(cells, random_state=seed, copy=True, verbose=False)
        return scored.obs["predicted_doublet"].to_numpy(dtype=bool)
    return np.zeros(cells.n_obs, dtype=bool)


def filter_cells(
    cells: ad.AnnData, settings: dict[str, Any], symbols: pd.Series, seed: int
) -> tuple[ad.AnnData, dict[str, Any]]:
    """Cells that pass, and a report of how many did not and why.

    Parameters
    ----------
    cells : AnnData
        Raw counts (cells × genes).
    settings : dict
        ``min_counts``, ``min_genes``, ``max_mitochondrial_share`` (0 to 1), ``doublets`` (``label``: the sheet's
        doublet column; ``scrublet``: Wolock et al. 2019, Cell Systems 8:281; ``none``).
    symbols : Series
        Symbol of each gene; mitochondrial ones begin with ``MT-``.
    seed : int
        Seed of Scrublet.

    Raises
    ------
    UserError
        If no cell passes.
    """
    work = ad.AnnData(cells.X, obs=cells.obs[[]].copy(), var=pd.DataFrame(index=cells.var_names))
    work.var["mitochondrial"] = symbols.str.upper().str.startswith("MT-").to_numpy(dtype=bool)
    sc.pp.calculate_qc_metrics(work, qc_vars=["mitochondrial"], percent_top=None, log1p=False, inplace=True)
    reasons = {
        "few counts": (work.obs["total_counts"] < settings["min_counts"]).to_numpy(),
        "few genes": (work.obs["n_genes_by_counts"] < settings["min_genes"]).to_numpy(),
        "mitochondrial": (
            work.obs["pct_counts_mitochondrial"].fillna(0) > 100 * settings["max_mitochondrial_share"]
        ).to_numpy(),
        "doublet": _doublets(cells, settings["doublets"], seed),
    }
    keep = ~np.any(list(reasons.values()), axis=0)
    report = {
        "cells": cells.n_obs,
        "kept": int(keep.sum()),
        "removed": {reason: int(hit.sum()) for reason, hit in reasons.items()},
        "median_counts": float(work.obs["total_counts"].median()),
        "median_genes": float(work.obs["n_genes_by_counts"].median()),
    }
    if not keep.any():
        worst = max(report["removed"], key=report["removed"].get)
        raise UserError(
            f"no cell of {cells.n_obs} passes quality control; most fail for {worst!r} "
            f"(median counts {report['median_counts']:.0f}, genes {report['median_genes']:.0f})",
            where=f"dataset {cells.uns['pseudocohort']['dataset']!r}, prepare.cell_quality",
            remedy="lower the thresholds, or check the declared unit",
        )
    log.info("%d of %d cells kept; removed: %s", report["kept"], cells.n_obs, report["removed"])
    kept = cells[keep].copy()
    kept.obs["total_counts"] = work.obs["total_counts"].to_numpy()[keep]
    kept.obs["n_genes"] = work.obs["n_genes_by_counts"].to_numpy()[keep]
    return kept, report
