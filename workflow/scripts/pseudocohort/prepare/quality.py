"""Quality control of one dataset: gene ids, then cells or samples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

from ..core import contracts
from ..core.blocks import row_blocks
from ..core.io import write_blocks
from .cell_lines import name_lines
from .gene_ids import gene_map, mapped_profiles
from .gene_table import GeneTable
from .sample_quality import judge_samples
from .tpm import to_tpm


def _report(adata: ad.AnnData, row: dict[str, Any], genes: dict[str, Any], lines: dict[str, Any]) -> dict[str, Any]:
    ingested = json.loads(adata.uns["pseudocohort"].get("ingest_report", "{}"))
    return {
        "dataset": row["dataset"],
        "kind": row["kind"],
        "unit": adata.uns["pseudocohort"]["unit_verdict"],
        "ingestion": {k: int(v) for k, v in adata.uns["pseudocohort"]["dropped"].items()},
        **{key: value for key, value in ingested.items() if value},
        "genes": genes,
        **({"cell_lines": lines} if lines["lines"] else {}),
    }


def _count(report: dict[str, Any], obs: pd.DataFrame) -> dict[str, Any]:
    conditions = {str(k): int(v) for k, v in obs["condition"].value_counts().items()}
    return report | {"profiles_per_condition": conditions, "donors": int(obs["donor"].nunique())}


def control_samples(
    adata: ad.AnnData, row: dict[str, Any], settings: dict[str, Any], gene_table: GeneTable
) -> tuple[ad.AnnData, dict[str, Any]]:
    """Bulk samples with Ensembl ids that pass quality control, and a report (JSON-able).

    Parameters
    ----------
    adata : AnnData
        Ingested profiles; ``X`` may stay in its file.
    row : dict
        Row of the dataset sheet: ``kind``, ``gene_ids``, ``convert``.
    settings : dict
        ``sample_quality``, ``gene_duplicates``, ``lines`` (known names of cell lines).
    gene_table : GeneTable
        Known genes.

    Raises
    ------
    UserError
        If gene ids are not of the declared type, or nothing passes.
    """
    adata.obs, lines = name_lines(adata.obs, settings["lines"])
    mapping = gene_map(adata, row["gene_ids"], settings["gene_duplicates"], gene_table)
    conversion = {}

    def mapped(keep: np.ndarray | None = None) -> ad.AnnData:
        profiles = mapped_profiles(adata, mapping, gene_table, keep)
        if row.get("convert") == "tpm":
            profiles, report = to_tpm(profiles, gene_table)
            conversion.setdefault("conversion", report)  # of all samples
        return profiles

    # Made twice, and held once: judging uses the values up.
    keep, outlier, samples = judge_samples(mapped(), settings["sample_quality"])
    kept = mapped(keep)
    kept.obs["outlier"] = outlier[keep]
    return kept, _count(_report(adata, row, mapping.report, lines) | conversion | {"samples": samples}, kept.obs)


def control_cells(
    adata: ad.AnnData, row: dict[str, Any], settings: dict[str, Any], gene_table: GeneTable, path: str | Path
) -> dict[str, Any]:
    """Write the cells with Ensembl ids that pass quality control to `path`, block by block; a report (JSON-able).

    Parameters
    ----------
    adata : AnnData
        Ingested cells; ``X`` may stay in its file.
    row : dict
        Row of the dataset sheet: ``kind``, ``gene_ids``.
    settings : dict
        ``cell_quality``, ``gene_duplicates``, ``lines`` (known names of cell lines), ``seed``.
    gene_table : GeneTable
        Known genes.
    path : path
        The file to write, which keeps ``contracts.PREPARED``.

    Raises
    ------
    UserError
        If gene ids are not of the declared type, or no cell passes.
    """
    from .cell_quality import choose_cells

    obs, lines = name_lines(adata.obs, settings["lines"])
    mapping = gene_map(adata, row["gene_ids"], settings["gene_duplicates"], gene_table)
    var = mapping.var(gene_table)

    def blocks(keep: np.ndarray | None = None) -> Iterator[sparse.csr_matrix]:
        for block in row_blocks(adata.X, keep):
            yield sparse.csr_matrix(mapping.apply(block))

    chosen = choose_cells(
        obs, blocks, settings["cell_quality"], var["symbol"], dataset=row["dataset"], seed=settings["seed"]
    )

    write_blocks(blocks(chosen.keep), chosen.obs, var, dict(adata.uns), path, contracts.PREPARED)
    return _count(_report(adata, row, mapping.report, lines) | {"cells": chosen.report}, chosen.obs)
