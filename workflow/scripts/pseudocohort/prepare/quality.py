"""Quality control of one dataset: gene ids, then cells or samples."""

from __future__ import annotations

from typing import Any

import anndata as ad

from .gene_ids import map_genes
from .gene_table import GeneTable
from .sample_quality import filter_samples


def quality_control(
    adata: ad.AnnData, row: dict[str, Any], settings: dict[str, Any], gene_table: GeneTable
) -> tuple[ad.AnnData, dict[str, Any]]:
    """Profiles with Ensembl ids that pass quality control, and a report (JSON-able).

    Parameters
    ----------
    adata : AnnData
        Ingested profiles.
    row : dict
        Row of the dataset sheet: ``kind``, ``gene_ids``.
    settings : dict
        ``cell_quality``, ``sample_quality``, ``gene_duplicates``, ``seed``.
    gene_table : GeneTable
        Known genes.

    Raises
    ------
    UserError
        If gene ids are not of the declared type, or nothing passes.
    """
    mapped, genes = map_genes(adata, row["gene_ids"], settings["gene_duplicates"], gene_table)
    report: dict[str, Any] = {
        "dataset": row["dataset"],
        "kind": row["kind"],
        "unit": adata.uns["pseudocohort"]["unit_verdict"],
        "ingestion": {k: int(v) for k, v in adata.uns["pseudocohort"]["dropped"].items()},
        "genes": genes,
    }
    if row["kind"] == "single_cell":
        from .cell_quality import filter_cells  # scanpy takes seconds to import

        kept, report["cells"] = filter_cells(mapped, settings["cell_quality"], mapped.var["symbol"], settings["seed"])
    else:
        kept, report["samples"] = filter_samples(mapped, settings["sample_quality"])
    report["profiles_per_condition"] = {str(k): int(v) for k, v in kept.obs["condition"].value_counts().items()}
    report["donors"] = int(kept.obs["donor"].nunique())
    return kept, report
