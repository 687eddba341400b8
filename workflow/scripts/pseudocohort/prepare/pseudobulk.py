"""Pseudo-bulk: the cells of a line, summed."""

from __future__ import annotations

import logging

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

from ..blocks import row_blocks
from ..errors import UserError
from ..levels import add_level
from ..seeds import generator

log = logging.getLogger(__name__)

#: Annotation that holds for a line as a whole.
PER_LINE = ("donor", "dataset", "condition", "technology", "context")


def pseudobulk(
    profiles: ad.AnnData, *, bootstraps: int = 5, cells: int = 0, min_cells: int = 10, seed: int
) -> ad.AnnData:
    """Sums of raw counts over the cells of each line and condition.

    Parameters
    ----------
    profiles : AnnData
        Raw counts (cells × genes); ``X`` may stay in its file.
    bootstraps : int
        Pseudo-bulks per line. The first sums all cells of the line once; each further one sums cells drawn with
        replacement, which shows how much a pseudo-bulk varies for want of cells.
    cells : int
        Cells drawn for each further pseudo-bulk; 0 = as many as the line has.
    min_cells : int
        Lines with fewer cells are left out.
    seed : int
        Master seed; the draw of a line does not depend on the other lines.

    Returns
    -------
    AnnData
        Pseudo-bulks × genes, sparse, raw counts in ``X`` and in the layer ``counts``; ``obs`` has ``n_cells`` and
        ``bootstrap`` (0 = all cells).

    Raises
    ------
    UserError
        If no line has enough cells.
    """
    obs = profiles.obs
    line = obs["donor"].astype(str) + "|" + obs["condition"].astype(str)
    sizes = line.value_counts().sort_index()
    kept = sizes.index[sizes >= min_cells]
    dataset = profiles.uns["pseudocohort"]["dataset"]
    if not len(kept):
        raise UserError(
            f"no line has {min_cells} cells; the largest has {sizes.max()}",
            where=f"dataset {dataset!r}, prepare.pseudobulk.min_cells",
            remedy="lower it, or check donor_column",
        )
    if len(kept) < len(sizes):
        log.warning(
            "%d of %d lines have fewer than %d cells and are left out", len(sizes) - len(kept), len(sizes), min_cells
        )
    rows_of = {name: np.flatnonzero(line.to_numpy() == name) for name in kept}
    weights, annotation = [], []
    for name in kept:
        rows = rows_of[name]
        rng = generator(seed, "pseudobulk", dataset, name)
        for bootstrap in range(bootstraps):
            weight = np.zeros(profiles.n_obs)
            if bootstrap == 0:
                weight[rows] = 1
            else:
                np.add.at(weight, rng.choice(rows, cells or len(rows)), 1)
            weights.append(sparse.csr_matrix(weight))
            first = obs.iloc[rows[0]]
            annotation.append(
                {c: str(first[c]) for c in PER_LINE} | {"n_cells": int(weight.sum()), "bootstrap": bootstrap}
            )
    weight = sparse.vstack(weights, format="csc")
    sums, start = np.zeros((len(weights), profiles.n_vars)), 0
    for block in row_blocks(profiles.X):
        sums += (weight[:, start : start + block.shape[0]] @ sparse.csr_matrix(block)).toarray()
        start += block.shape[0]
    counts = sparse.csr_matrix(sums)
    table = pd.DataFrame(annotation)
    table["aggregation"] = "pseudobulk"
    several = obs["condition"].astype(str).groupby(obs["donor"].astype(str)).nunique().max() > 1
    names = table["donor"] + ("." + table["condition"] if several else "")
    table.index = dataset + ":" + names + ".b" + table["bootstrap"].astype(str)
    log.info("%d pseudo-bulks of %d lines", len(table), len(kept))
    return ad.AnnData(
        counts,
        obs=add_level(table),
        var=profiles.var.copy(),
        uns=dict(profiles.uns),
        layers={"counts": counts.copy()},
    )
