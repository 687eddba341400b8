"""Pseudo-bulk: the cells of a line, summed."""

from __future__ import annotations

import logging
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

from ..core.blocks import row_blocks
from ..core.errors import UserError
from ..core.levels import MIXTURE, add_level
from ..core.seeds import generator

log = logging.getLogger(__name__)

#: Annotation that holds for a line as a whole.
PER_LINE = ("donor", "dataset", "condition", "technology", "context")


def pseudobulk(
    profiles: ad.AnnData,
    *,
    bootstraps: int = 5,
    cells: int = 0,
    min_cells: int = 10,
    mixtures: int = 0,
    depth: int = 0,
    single_cells: int = 0,
    seed: int,
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
    mixtures : int
        Further pseudo-bulks per condition: cells of two of its lines in random shares, as Scaden mixes cell types
        (Menden et al. 2020, Science Advances 6:eaba2619).
    depth : int
        Counts of every pseudo-bulk with more are thinned to about so many (binomial); 0 = as they are.
    single_cells : int
        Cells of each line that are kept as profiles of their own, at level ``cell``.
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

    def add(rows: np.ndarray, like: int, **own: Any) -> None:
        """Sum cells, each as often as it is named, annotated as the cell `like`."""
        weights.append(sparse.csr_matrix(np.bincount(rows, minlength=profiles.n_obs).astype(np.float64)))
        annotation.append({c: str(obs.iloc[like][c]) for c in PER_LINE} | {"n_cells": len(rows)} | own)

    for name in kept:
        rows = rows_of[name]
        rng = generator(seed, "pseudobulk", dataset, name)
        for bootstrap in range(bootstraps):
            add(rng.choice(rows, cells or len(rows)) if bootstrap else rows, rows[0], bootstrap=bootstrap)
    for condition in sorted({name.split("|", 1)[1] for name in kept}) if mixtures else ():
        lines = [name for name in kept if name.endswith(f"|{condition}")]
        rng = generator(seed, "mixtures", dataset, condition)
        for number in range(mixtures if len(lines) > 1 else 0):
            pair, share = rng.choice(len(lines), 2, replace=False), rng.random()
            own = [rows_of[lines[one]] for one in pair]
            drawn = [
                rng.choice(rows, max(1, round(part * (cells or len(rows)))))
                for rows, part in zip(own, (share, 1 - share), strict=True)
            ]
            add(np.concatenate(drawn), own[0][0], donor=f"{MIXTURE}{number}-{condition}", bootstrap=0)
    for name in kept if single_cells else ():
        rng = generator(seed, "single cells", dataset, name)
        for number, row in enumerate(np.sort(rng.permutation(rows_of[name])[:single_cells])):
            add(np.array([row]), row, bootstrap=number, aggregation="cell")
    weight = sparse.vstack(weights, format="csc")
    sums, start = np.zeros((len(weights), profiles.n_vars)), 0
    for block in row_blocks(profiles.X):
        sums += (weight[:, start : start + block.shape[0]] @ sparse.csr_matrix(block)).toarray()
        start += block.shape[0]
    counts = sparse.csr_matrix(sums)
    table = pd.DataFrame(annotation)
    single = np.zeros(len(table), dtype=bool)
    if single_cells:
        single = table["aggregation"].eq("cell").to_numpy()
    if depth:
        counts = _thinned(counts, depth, ~single, generator(seed, "depth", dataset))
    table["aggregation"] = np.where(single, "cell", "pseudobulk")
    several = obs["condition"].astype(str).groupby(obs["donor"].astype(str)).nunique().max() > 1
    names = table["donor"] + ("." + table["condition"] if several else "")
    table.index = dataset + ":" + names + np.where(single, ".c", ".b") + table["bootstrap"].astype(str)
    log.info("%d pseudo-bulks of %d lines, %d single cells", (~single).sum(), len(kept), single.sum())
    return ad.AnnData(
        counts,
        obs=add_level(table),
        var=profiles.var.copy(),
        uns=dict(profiles.uns),
        layers={"counts": counts.copy()},
    )


def _thinned(counts: sparse.csr_matrix, depth: int, rows: np.ndarray, rng: np.random.Generator) -> sparse.csr_matrix:
    """Counts of `rows` with more than `depth` of them thinned, molecule by molecule, to `depth` on average."""
    total = np.asarray(counts.sum(1)).ravel()
    share = np.where(rows & (total > depth), depth / np.maximum(total, 1), 1.0)
    out = counts.copy()
    out.data = rng.binomial(out.data.astype(np.int64), np.repeat(share, np.diff(out.indptr))).astype(counts.dtype)
    out.eliminate_zeros()
    return out
