"""Stages on small inputs in memory; the workflow reads and writes block by block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from pseudocohort.core.blocks import row_blocks
from pseudocohort.ingest.dataset import open_dataset, smallest_exact
from pseudocohort.ingest.delimited import open_delimited
from pseudocohort.ingest.gct import open_gct
from pseudocohort.ingest.h5ad import H5adRows
from pseudocohort.ingest.matrix import Matrix, Source, assemble, read_all
from pseudocohort.ingest.samples import judge_samples, keep_samples
from pseudocohort.ingest.tenx import TenxEntries
from pseudocohort.ingest.units import UnitCheck
from pseudocohort.prepare.cell_quality import choose_cells
from pseudocohort.prepare.gene_ids import gene_map, mapped_profiles
from pseudocohort.prepare.gene_table import GeneTable


def reader(opener: Callable[..., Source]) -> Callable[..., Matrix]:
    """The function that reads all of what `opener` opens."""
    return lambda *arguments, **options: read_all(opener(*arguments, **options))


read_delimited, read_gct, read_h5ad, read_tenx = map(reader, (open_delimited, open_gct, H5adRows, TenxEntries))


def ingest_dataset(row: dict[str, Any], *, conditions: dict[str, Any]) -> ad.AnnData:
    """Profiles of a row of the dataset sheet; see :func:`pseudocohort.ingest.dataset.ingest_to_file`."""
    opened = open_dataset(row, conditions)
    matrix = assemble(list(opened.blocks()), opened.source.by)
    x = smallest_exact(matrix.x)
    return ad.AnnData(x, obs=opened.profile_obs(), var=opened.var(), uns={"pseudocohort": opened.uns()})


def select_conditions(obs: pd.DataFrame, conditions: dict[str, Any], where: str) -> tuple[pd.DataFrame, dict[str, int]]:
    """See :func:`pseudocohort.ingest.samples.keep_samples`."""
    return keep_samples(obs, judge_samples(obs, conditions, where), conditions, where)


def matrix_of(x: Any) -> Matrix:
    """Values (samples × genes) as a reader gives them."""
    x = np.asarray(x)
    return Matrix(x, pd.Index([f"s{i}" for i in range(len(x))]), pd.Index([f"g{i}" for i in range(x.shape[1])]))


def obs_of(conditions: list[str], donors: list[str] | None = None) -> pd.DataFrame:
    """Annotation of bulk tumours, before conditions are chosen."""
    names = [str(i) for i in range(len(conditions))]
    obs = pd.DataFrame({"donor": donors or [f"d{i}" for i in names], "condition": conditions})
    obs = obs.assign(technology="bulk", aggregation="bulk", context="tumour")
    return obs.set_axis([f"s{i}" for i in names], axis=0)


def toy(ids: list[str]) -> ad.AnnData:
    """Ingested profiles of two samples with such gene ids."""
    uns = {"unit": "counts", "dataset": "toy", "source": "toy.tsv", "unit_verdict": "", "dropped": {}}
    var = pd.DataFrame({"source_id": ids}, index=[f"v{i}" for i in range(len(ids))])
    return ad.AnnData(np.ones((2, len(ids)), np.float32), var=var, uns={"pseudocohort": uns})


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
