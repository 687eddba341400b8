"""Stages on small inputs in memory; the workflow reads and writes block by block."""

from __future__ import annotations

from typing import Any

import anndata as ad
import pandas as pd

from pseudocohort.core.blocks import row_blocks
from pseudocohort.ingest.dataset import open_dataset, smallest_exact
from pseudocohort.ingest.matrix import Matrix, assemble
from pseudocohort.ingest.samples import judge_samples, keep_samples
from pseudocohort.ingest.units import UnitCheck
from pseudocohort.prepare.cell_quality import choose_cells
from pseudocohort.prepare.gene_ids import gene_map, mapped_profiles
from pseudocohort.prepare.gene_table import GeneTable


def ingest_dataset(row: dict[str, Any], *, conditions: dict[str, Any]) -> ad.AnnData:
    """Profiles of a row of the dataset sheet; see :func:`pseudocohort.ingest.dataset.ingest_to_file`."""
    opened = open_dataset(row, conditions)
    matrix = assemble(list(opened.blocks()), opened.source.by)
    x = smallest_exact(matrix.x)
    return ad.AnnData(x, obs=opened.profile_obs(), var=opened.var(), uns={"pseudocohort": opened.uns()})


def select_conditions(obs: pd.DataFrame, conditions: dict[str, Any], where: str) -> tuple[pd.DataFrame, dict[str, int]]:
    """See :func:`pseudocohort.ingest.samples.keep_samples`."""
    return keep_samples(obs, judge_samples(obs, conditions, where), conditions, where)


def check_unit(matrix: Matrix, unit: str, log_offset: float | None, where: str) -> str:
    """Verdict on the declared unit of a matrix in memory, in words; see :class:`UnitCheck`."""
    check = UnitCheck(unit, log_offset, where)
    check.add(matrix, "samples")
    return check.verdict()


def map_genes(adata: ad.AnnData, kind: str, rule: str, table: GeneTable) -> tuple[ad.AnnData, dict[str, Any]]:
    """Profiles with unversioned Ensembl ids, in memory, and a report; see :func:`gene_map`."""
    mapping = gene_map(adata, kind, rule, table)
    return mapped_profiles(adata, mapping, table), mapping.report


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
