"""All datasets in one gene space, on log2 scale."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from ..core.contracts import HARMONISED
from ..core.errors import UserError
from ..core.io import write_blocks
from ..core.levels import CELL_LEVELS, TISSUE_LEVELS
from ..core.survival import EVENT, TIME
from .batch import harmonise_sources, source_of
from .follow_up import follow_up_of
from .gene_table import GeneTable
from .log_scale import library_sizes, log2_blocks, log2_expression, log_unit

log = logging.getLogger(__name__)

#: Genes whose statistics are computed at once.
AT_A_TIME = 2_000
#: Columns of ``obs`` that the stages after this one use.
KEPT = ("donor", "dataset", "condition", "technology", "aggregation", "context", "level", "n_cells", "bootstrap")


def _common_genes(datasets: list[ad.AnnData]) -> pd.Index:
    common = datasets[0].var_names
    for other in datasets[1:]:
        common = common[common.isin(other.var_names)]
    if common.empty:
        names = ", ".join(repr(d.uns["pseudocohort"]["dataset"]) for d in datasets)
        raise UserError("no gene is in all datasets", where=names, remedy="leave out the dataset that shares none")
    return common.sort_values()


def _within_level_sd(x: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Pooled standard deviation of each gene within levels (different units have different means)."""
    squares = sum(((x[level == v] - x[level == v].mean(0)) ** 2).sum(0) for v in np.unique(level))
    return np.sqrt(squares / max(len(x) - 1, 1))


def _stacked(datasets: Sequence[ad.AnnData], genes: pd.Index, rows: np.ndarray | None = None) -> np.ndarray:
    """log2 expression (n × genes, float32) of the profiles of all datasets, or of some `rows` (bool) of them."""
    sizes = [data.n_obs for data in datasets]
    rows = np.ones(sum(sizes), dtype=bool) if rows is None else rows
    out, filled = np.empty((int(rows.sum()), len(genes)), np.float32), 0
    for data, part in zip(datasets, np.split(rows, np.cumsum(sizes)[:-1]), strict=True):
        place = out[filled : filled + int(part.sum())]
        log2_expression(data, data.var_names.get_indexer(genes), part, place)
        filled += len(place)
    return out


def select_genes(
    x: np.ndarray, obs: pd.DataFrame, genes: pd.Index, gene_space: dict[str, Any], table: GeneTable
) -> pd.DataFrame:
    """Genes with their statistics on training profiles, and which are ``kept``.

    Parameters
    ----------
    x : ndarray (training profiles × genes)
        log2 expression of the profiles of training donors only.
    obs : DataFrame
        Their annotation.
    genes : Index
        Ensembl ids.
    gene_space : dict
        ``kind`` (landmark | most_variable | all), ``n``, ``min_median`` and ``min_sd`` on tissue profiles (on all,
        where there is no tissue), ``min_cell_level_mean`` on cell-level profiles.

    Raises
    ------
    UserError
        If no gene passes.
    """
    level = obs["level"].astype(str).to_numpy()
    tissue = np.isin(level, TISSUE_LEVELS)
    tissue = tissue if tissue.any() else np.ones(len(level), dtype=bool)
    cells = np.isin(level, CELL_LEVELS)
    out = pd.DataFrame({"gene": genes, "symbol": table.symbol(genes).to_numpy(dtype=str)})
    statistics: dict[str, list[np.ndarray]] = {"median": [], "sd": [], "cell_level_mean": []}
    # Some genes at a time: float64 of all would be three times the matrix.
    for start in range(0, len(genes), AT_A_TIME):
        part = x[:, start : start + AT_A_TIME]
        statistics["median"].append(np.median(part[tissue], axis=0))
        statistics["sd"].append(_within_level_sd(part[tissue].astype(np.float64), level[tissue]))
        statistics["cell_level_mean"].append(part[cells].mean(0) if cells.any() else np.full(part.shape[1], np.nan))
    for name, values in statistics.items():
        out[name] = np.concatenate(values)
    out["landmark"] = genes.isin(table.landmarks)
    passes = (out["median"] > gene_space["min_median"]) & (out["sd"] > gene_space["min_sd"])
    if cells.any() and gene_space["min_cell_level_mean"] > 0:
        passes &= out["cell_level_mean"] > gene_space["min_cell_level_mean"]
    if gene_space["kind"] == "landmark":
        passes &= out["landmark"]
    if not passes.any():
        raise UserError(
            f"none of {len(genes)} common genes passes the expression filter",
            where="prepare.gene_space",
            remedy="lower min_median, min_sd or min_cell_level_mean, or choose another kind",
        )
    out["kept"] = passes
    if gene_space["kind"] == "most_variable":
        ranked = out.loc[passes].sort_values(["sd", "gene"], ascending=[False, True]).index[: gene_space["n"]]
        out["kept"] = out.index.isin(ranked)
    return out


def covariate(name: str, kind: str, datasets: list[ad.AnnData], where: str = "") -> pd.Series:
    """Values of a covariate in all profiles: numbers (NaN where missing), or text (empty where missing).

    Raises
    ------
    UserError
        If no dataset has the column, or a numeric one holds something else.
    """
    where = where or f"prepare.covariates.{name}"
    if name in KEPT or not any(name in data.obs for data in datasets):
        there = sorted({c for data in datasets for c in data.obs} - {*KEPT, "doublet", "read_length"})
        raise UserError(
            f"no dataset of the study has a covariate {name!r}; there are: {', '.join(there) or 'none'}",
            where=where,
            remedy="name its column under covariates in the dataset sheet",
        )
    parts = [
        data.obs[name].astype(str) if name in data.obs else pd.Series("", index=data.obs_names) for data in datasets
    ]
    values = pd.concat(parts).str.strip().replace({"nan": "", "NaN": "", "None": "", "<NA>": ""})
    if kind == "categorical":
        return values
    numbers = pd.to_numeric(values, errors="coerce")
    if (wrong := (~np.isfinite(numbers) & (values != "")).to_numpy()).any():
        first = int(wrong.argmax())
        raise UserError(
            f"{values.iloc[first]!r} of sample {values.index[first]!r} is not a number",
            where=where,
            remedy="declare it categorical, or correct the sample table; leave missing values empty",
        )
    return numbers


def follow_up_columns(
    survival: Mapping[str, str], datasets: list[ad.AnnData], where: str = "prepare.survival"
) -> tuple[pd.Series, pd.Series]:
    """Columns of time and event of all profiles as text, empty where missing.

    Raises
    ------
    UserError
        If no dataset has one of them.
    """
    time, event = (
        covariate(survival[part], "categorical", datasets, f"{where}.{part}").rename(survival[part])
        for part in (TIME, EVENT)
    )
    return time, event


def harmonise(
    datasets: list[ad.AnnData],
    donors: pd.DataFrame,
    gene_space: dict[str, Any],
    gene_table: GeneTable,
    covariates: Mapping[str, str] | None = None,
    sources: Mapping[str, str] | None = None,
    harmonisation: str = "none",
    survival: Mapping[str, str] | None = None,
) -> tuple[ad.AnnData, pd.DataFrame]:
    """Profiles of all datasets in one gene space on log2 scale, and the table of the common genes.

    Genes are chosen on the profiles of donors that are never tested (``genes`` in the table of donors), and counts are
    brought to library size over all genes of their dataset before genes are dropped. No scale is fitted here: each
    generator fits its own on its own training rows.

    Parameters
    ----------
    datasets : list of AnnData
        Prepared profiles, one dataset each; ``X`` may stay in the files, and is read twice then.
    donors : DataFrame
        ``donor, dataset, split, genes``.
    gene_space : dict
        See :func:`select_genes`.
    gene_table : GeneTable
        Known genes.
    covariates : mapping of str, optional
        Columns that are kept as covariates, and their kind, ``categorical`` or ``numeric``.
    sources : mapping of str, optional
        Names of sources by dataset; see :func:`.batch.source_of`.
    harmonisation : str
        How sources are brought together before genes are chosen; see :func:`.batch.harmonise_sources`.
    survival : mapping of str, optional
        Columns of ``time`` and ``event`` of a follow-up, which become covariates of these kinds.

    Raises
    ------
    UserError
        If the datasets share no gene, none passes the filter, a covariate is not there or wrong, or sources cannot be
        brought together because they share no condition.
    """
    covariates = dict(covariates or {})
    values = {name: covariate(name, kind, datasets) for name, kind in covariates.items()}
    if survival:
        columns = follow_up_columns(survival, datasets)
        level = pd.concat([data.obs["level"].astype(str) for data in datasets])
        for part, numbers in zip((TIME, EVENT), follow_up_of(*columns, level), strict=True):
            covariates[survival[part]], values[survival[part]] = part, numbers
    genes = _common_genes(datasets)
    obs, choosing = _annotation(datasets, donors, sources or {})
    if harmonisation == "none":
        # Genes are chosen on some profiles, and of the others only what is chosen is ever held.
        x, brought_together = harmonise_sources(np.empty((0, 0)), obs, choosing, harmonisation)
        selected = select_genes(_stacked(datasets, genes, choosing), obs[choosing], genes, gene_space, gene_table)
        kept = selected["kept"].to_numpy()
        x = _stacked(datasets, genes[kept])
    else:
        x, brought_together = harmonise_sources(_stacked(datasets, genes), obs, choosing, harmonisation)
        selected = select_genes(x[choosing], obs[choosing], genes, gene_space, gene_table)
        kept = selected["kept"].to_numpy()
        x = np.ascontiguousarray(x[:, kept])
    for name, column in values.items():
        obs[name] = column.to_numpy()
    return _described(x, obs, selected, covariates, brought_together), selected


def harmonise_to_file(
    datasets: list[ad.AnnData],
    donors: pd.DataFrame,
    gene_space: dict[str, Any],
    gene_table: GeneTable,
    path: str | Path,
) -> None:
    """Profiles as :func:`harmonise` makes them, without covariates and harmonisation, written block by block.

    Of the matrix only the profiles that genes are chosen on are held, and those until they are chosen.
    """
    genes = _common_genes(datasets)
    obs, choosing = _annotation(datasets, donors, {})
    _, report = harmonise_sources(np.empty((0, 0)), obs, choosing, "none")
    selected = select_genes(_stacked(datasets, genes, choosing), obs[choosing], genes, gene_space, gene_table)
    kept = genes[selected["kept"].to_numpy()]
    blocks = (
        part.astype(np.float32) for data in datasets for part in log2_blocks(data, data.var_names.get_indexer(kept))
    )
    out = _described(None, obs, selected, {}, report)
    out.strings_to_categoricals()  # as they are in every file that anndata writes
    write_blocks(blocks, out.obs, out.var, dict(out.uns), path, HARMONISED, dense=True)


def _annotation(
    datasets: list[ad.AnnData], donors: pd.DataFrame, sources: Mapping[str, str]
) -> tuple[pd.DataFrame, np.ndarray]:
    """Annotation of the profiles of all datasets, and which of them (bool) genes are chosen on.

    Genes are chosen, and sources brought together, on donors that no experiment ever tests on.
    """
    tables = []
    for data in datasets:
        table = data.obs[[c for c in KEPT if c in data.obs]].copy()
        table["source"] = source_of(data.obs, sources)
        table["unit"] = log_unit(data)
        table["library_size"] = library_sizes(data)
        tables.append(table)
    obs = pd.concat(tables)
    for column in ("n_cells", "bootstrap"):
        if column in obs:
            obs[column] = obs[column].fillna(0).astype(int)
    text = obs.select_dtypes(exclude=["number", "bool"]).columns
    obs[text] = obs[text].astype(str)
    chooses = donors.drop_duplicates("donor").set_index("donor")["genes"]
    return obs, (obs["donor"].map(chooses) == "yes").to_numpy()


def _described(
    x: np.ndarray | None,
    obs: pd.DataFrame,
    selected: pd.DataFrame,
    covariates: Mapping[str, str],
    harmonisation: dict[str, Any],
) -> ad.AnnData:
    """Profiles of the genes that are kept; `x` is None where the matrix goes another way."""
    genes = selected[selected["kept"]]
    log.info("%d profiles; %d of %d common genes kept", len(obs), len(genes), len(selected))
    return ad.AnnData(
        x,
        obs=obs,
        var=pd.DataFrame({"symbol": genes["symbol"].to_numpy()}, index=pd.Index(genes["gene"].to_numpy(), dtype=str)),
        uns={
            "pseudocohort": {
                "unit": "log2 expression",
                "scale": "unscaled",
                "covariates": dict(covariates),
                "harmonisation": harmonisation,
            }
        },
    )
