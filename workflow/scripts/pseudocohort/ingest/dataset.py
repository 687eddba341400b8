"""A dataset: its row of the sheet and its files in, profiles under the contract out."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from ..core import contracts
from ..core.blocks import DenseWriter, SparseWriter, needs_float64, write_annotation
from ..core.errors import UserError
from ..core.io import atomic
from ..core.words import some
from .delimited import GeneLines, SampleLines, open_delimited
from .gct import open_gct
from .h5ad import H5adRows
from .matrix import Matrix, Source, check_finite, places, stored
from .missing import DOUBTFUL, Missing, key_of
from .more_samples import join_second_table
from .numbers import SKIP
from .recount import counts_of_coverage, read_lengths
from .rows import check_row
from .samples import (
    column_of,
    contract_obs,
    join_samples,
    judge_samples,
    keep_samples,
    near_contexts,
    near_duplicate_labels,
    read_samples,
    spelled_otherwise,
    unused_condition_keys,
)  # fmt: skip
from .tenx import TenxEntries
from .tenx_hdf5 import TenxHdf5
from .text import look_at
from .units import COUNTED, UnitCheck

log = logging.getLogger(__name__)

#: Cells whose genes are put side by side at a time.
CELLS_AT_A_TIME = 1 << 12
#: Most ids that are listed for each reason to leave samples out.
LISTED = 1000
#: Columns that spreadsheets hold: Excel until 2003, and since.
SPREADSHEET = (256, 16_384)
NOT_ANNOTATED = "not in the sample table"


def open_matrix(row: dict[str, Any]) -> Source:
    """Matrix of a dataset in its declared format.

    Raises
    ------
    UserError
        If the file is not what the row declares.
    """
    exact = row["unit"] in (*COUNTED, "coverage")
    path, orientation = row["source"].removeprefix("file://"), row["orientation"]
    match row["format"]:
        case "gct":
            return open_gct(path, exact=exact)
        case "mtx":
            if Path(path).is_file() and look_at(path).kind == "an HDF5 file":
                return TenxHdf5(path, orientation=orientation, exact=exact)
            return TenxEntries(path, orientation=orientation, exact=exact)
        case "h5ad":
            return H5adRows(path, exact=exact, layer=row.get("layer", "X"))
        case format:
            annotation = row.get("annotation_rows", 0)
            return open_delimited(path, format=format, orientation=orientation, exact=exact, annotation=annotation)


def sample_table(matrix: Source, row: dict[str, Any]) -> tuple[pd.DataFrame, str]:
    """Sample annotation in the matrix's order (rows without annotation left out), and the file that it is from.

    Raises
    ------
    UserError
        If there is none, or it does not match the matrix.
    """
    if "samples" in row:
        where = row["samples"].removeprefix("file://")
        table = join_second_table(read_samples(where), row, where)
        try:
            joined = join_samples(table, matrix.samples, row, where)
            _refuse_sample_as_ids(matrix, joined, row)
            return joined, where
        except UserError as error:
            if other := _transposed_remedy(matrix, table, row, where):
                raise UserError(error.what, where=error.where, remedy=other) from error
            raise
    if matrix.obs is None:
        raise UserError(
            "no sample table is given, and the matrix holds no annotation of its own",
            where=f"dataset {row['dataset']!r}, column 'samples'",
            remedy="name a sample table: column 'samples' of the dataset sheet, or --samples of the command",
        )
    return matrix.obs, row["source"]


def _refuse_sample_as_ids(matrix: Source, joined: pd.DataFrame, row: dict[str, Any]) -> None:
    """Refuse a matrix without the ids of its genes, whose first sample stands in their place."""
    name = matrix.table.id_name if isinstance(matrix, GeneLines) else ""
    if name in joined.attrs["only_here"] and name not in joined:
        raise UserError(
            f"the first column, in the place of the gene ids, is called {name!r}, which is a sample: the ids are lost",
            where=row["source"],
            remedy="write the table with the ids of the genes in its first column (R: fwrite(x, row.names = TRUE); "
            "pandas: index=True)",
        )


def _transposed_remedy(matrix: Source, table: pd.DataFrame, row: dict[str, Any], where: str) -> str:
    """What to do if the samples lie the other way round than declared; empty if they do not."""
    names = set(column_of(table, row, "sample_column", where) if "sample_column" in row else table.iloc[:, 0])
    if isinstance(matrix, H5adRows):
        if 2 * len(names & set(matrix.genes)) <= len(names):
            return ""
        return f"its var holds the samples: transpose it, in Python: anndata.read_h5ad({matrix.path.name!r}).T"
    if row["format"] not in ("tsv", "csv") or not isinstance(matrix, GeneLines | SampleLines):
        return ""
    if isinstance(matrix, SampleLines):
        here, others, right = "columns", matrix.table.columns, "genes_by_samples"
    else:
        nothing = np.full(len(matrix.table.columns), SKIP, np.int64)
        here, right = "rows", "samples_by_genes"
        others = next(matrix.table.blocks(nothing, CELLS_AT_A_TIME, np.float32), ([], [], []))[0]
    if 2 * len(names & set(others)) <= len(names):
        return ""
    return (
        f"its {here} are the samples: declare orientation {right} in the dataset sheet (--orientation of the command)"
    )


def smallest_exact(x: np.ndarray | sparse.csr_matrix) -> np.ndarray | sparse.csr_matrix:
    """`x` in float32 where that loses nothing, else in float64."""
    return x.astype(np.float64 if needs_float64(stored(x)) else np.float32)


@dataclass
class Ingestion:
    """One dataset on its way in: annotated and checked block by block.

    Attributes
    ----------
    row : dict
        Row of the dataset sheet, paths resolved.
    source : Source
        The open matrix.
    obs : DataFrame
        Annotation of the samples that enter, in the matrix's order; index: ids of the matrix.
    dropped : dict
        How many samples were left out, by reason.
    left_out : dict of list
        Ids of samples that were left out, by reason and label.
    renamed : dict
        Labels whose name is another than their letters.
    notes : list of str
        What the user may want to know of the sample table and of settings that no sample meets.
    """

    row: dict[str, Any]
    source: Source
    obs: pd.DataFrame
    dropped: dict[str, int]
    left_out: dict[str, list[str]] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.read_lengths = read_lengths(self.obs, self.row)
        offset = self.row.get("log_offset")
        self.unit = UnitCheck(self.row["unit"], offset, self.row["source"])
        floor = float(np.log2(offset)) if offset else 0.0
        self.missing = Missing(self.row.get("missing", ""), floor, self.obs["condition"])
        self.genes: list[pd.Index] = []
        self.symbols: list[pd.Index] = []

    def blocks(self) -> Iterator[Matrix]:
        """Checked blocks of the samples that enter.

        Raises
        ------
        UserError
            If a value is missing or contradicts the declared unit.
        """
        wanted = self.source.samples.get_indexer(self.obs.index)
        drop, genes = self._dropped_genes(wanted), 0
        for block in self.source.blocks(wanted):
            check_finite(block, self.row["source"])
            genes = genes + len(block.genes) if self.source.by == "genes" else len(block.genes)
            block = self.missing.treat(block, drop)
            if not len(block.genes):
                continue
            self._add_to_unit(block)
            block = self.unit.counts(block)
            if self.row["unit"] == "coverage":
                lengths = self.read_lengths.loc[block.samples].to_numpy()
                block = replace(block, x=counts_of_coverage(block.x, lengths))
            if self.source.by == "genes" or not self.genes:
                self.genes.append(block.genes)
                self.symbols += [] if block.symbols is None else [block.symbols]
            yield block
        self.missing.check(genes, self.row["source"])
        if not self.genes:
            raise UserError(
                "no gene has a value in every sample" if genes else "the matrix has no values",
                where=self.row["source"],
                remedy="set 'missing' to zero, or leave out the samples that lack most genes" if genes
                else "fetch the file again",
            )  # fmt: skip

    def _add_to_unit(self, block: Matrix) -> None:
        try:
            self.unit.add(block, self.source.by)
        except UserError as error:
            if not isinstance(self.source, H5adRows) or not self.source.others:
                raise
            others = f"the file also holds {', '.join(self.source.others)}: name one under 'layer' if that is meant"
            raise UserError(error.what, where=error.where, remedy=f"{error.remedy}; {others}") from error

    def _dropped_genes(self, wanted: np.ndarray) -> np.ndarray | None:
        """Genes that lack a value, found beforehand where blocks hold samples, which have to agree on their genes."""
        if self.missing.rule != "drop_gene" or self.source.by == "genes":
            return None
        drop = np.zeros(0, dtype=bool)
        for block in self.source.blocks(wanted):
            if not len(drop):
                drop = np.zeros(len(block.genes), dtype=bool)
            drop[places(block.x, np.isnan(stored(block.x)))[1]] = True
        return drop

    def var(self) -> pd.DataFrame:
        """Annotation of the genes, once all blocks have gone by.

        Ids may repeat until they are mapped; the contract wants them unique, so repeats are numbered.
        """
        genes = pd.Series(self.genes[0].append(self.genes[1:]).astype(str))
        repeat = genes.groupby(genes).cumcount()
        var = pd.DataFrame(
            {"source_id": genes.to_numpy(dtype=object)},
            index=pd.Index(np.where(repeat == 0, genes, genes + "#" + repeat.astype(str)), dtype=str),
        )
        if self.symbols:
            var["symbol"] = self.symbols[0].append(self.symbols[1:]).astype(str).to_numpy()
        return var

    def uns(self) -> dict[str, Any]:
        """``uns["pseudocohort"]``, once all blocks have gone by."""
        row = self.row
        uns = {
            "unit": "counts" if row["unit"] == "coverage" else row["unit"],
            "dataset": row["dataset"],
            "source": str(row["source"]),
            "citation": row.get("citation", ""),
            "unit_verdict": self.unit.verdict(),
            "dropped": self.dropped,
        }
        if "log_offset" in row and row["unit"] not in COUNTED:
            uns["log_offset"] = float(row["log_offset"])
        uns["ingest_report"] = json.dumps(self.report())
        log.info("%s: %d profiles; %s", row["dataset"], len(self.obs), uns["unit_verdict"])
        for warning in self.unit.warnings:
            log.warning("%s: %s", row["dataset"], warning)
        return uns

    def report(self) -> dict[str, Any]:
        """What the quality report says of ingestion beside counts (JSON-able), once all blocks have gone by."""
        return {
            "left_out": [
                {"reason": reason, "samples": len(ids), "ids": [str(i) for i in ids[:LISTED]]}
                for reason, ids in self.left_out.items()
            ],
            "unit_warnings": self.unit.warnings,
            "missing": self.missing.report(),
            "not_read": {what: n for what, n in self.source.set_aside.items() if n},
            "renamed_conditions": self.renamed,
            "notes": self.notes,
        }

    def profile_obs(self) -> pd.DataFrame:
        """Annotation under the profile ids ``<dataset>:<sample>``."""
        index = pd.Index((self.row["dataset"] + ":" + self.obs.index).to_numpy(dtype=object), dtype=str)
        return self.obs.set_axis(index, axis=0)


def open_dataset(row: dict[str, Any], conditions: dict[str, Any]) -> Ingestion:
    """Open a dataset and join its samples; no value is read yet.

    Raises
    ------
    UserError
        If the files contradict the row, or each other.
    """
    check_row(row, f"dataset {row['dataset']!r}")
    source = open_matrix(row)
    table, table_file = sample_table(source, row)
    annotated = contract_obs(table, row, table_file)
    judged = judge_samples(annotated, conditions, table_file)
    obs, dropped = keep_samples(annotated, judged, conditions, table_file)
    dropped[NOT_ANNOTATED] = len(source.samples) - len(table)
    for reason, count in dropped.items():
        if count:
            log.info("%s: %d left out: %s", row["dataset"], count, reason)
    for label in judged.loc[judged["reason"] != "", "detail"].unique():
        if key_of(label.partition(": ")[2].strip("'")) in DOUBTFUL:
            log.warning("%s: samples are left out for %s; map the label in prepare.conditions.map to keep them",
                        row["dataset"], label)  # fmt: skip
    left_out = {
        str(detail): [str(i) for i in ids.index]
        for detail, ids in judged[judged["reason"] != ""].groupby("detail", sort=True)
    }
    if dropped[NOT_ANNOTATED]:
        left_out[NOT_ANNOTATED] = [str(i) for i in source.samples[~source.samples.isin(table.index)]]
    renamed = _renamed(annotated["condition"], obs["condition"])
    notes = (
        _notes(source, table)
        + near_contexts(table, row)
        + near_duplicate_labels(obs)
        + unused_condition_keys(annotated["condition"], conditions)
    )
    return Ingestion(row, source, obs, dropped, left_out, renamed, notes)


def _notes(source: Source, table: pd.DataFrame) -> list[str]:
    """Rows of the sample table that the matrix has no values for, and ids that the two write differently."""
    only = table.attrs.get("only_here", [])
    if not only:
        return []
    notes = [f"the matrix has no values for {len(only):,} rows of the sample table: {some(only, 5)}"]
    if isinstance(source, GeneLines) and len(source.samples) + 1 in SPREADSHEET:
        notes.append(
            f"its {len(source.samples) + 1:,} columns are what a spreadsheet holds: it may have cut the others"
        )
    hint = spelled_otherwise(source.samples[~source.samples.isin(table.index)][:LISTED], only[:LISTED])
    return [*notes, hint] if hint else notes


def _renamed(labels: pd.Series, names: pd.Series) -> dict[str, str]:
    """Labels of which letters beyond a-z got lost or changed in the name."""
    pairs = pd.DataFrame({"label": labels.loc[names.index], "name": names}).drop_duplicates()
    return {
        str(label): str(name)
        for label, name in pairs.itertuples(index=False)
        if any(c.isalnum() and not c.isascii() for c in label)
    }


def ingest_to_file(row: dict[str, Any], path: str | Path, *, conditions: dict[str, Any]) -> None:
    """Profiles of one dataset on the unit of its source, written to an h5ad file as the values are read.

    Memory holds some blocks, and for single cells in a table of text, which come gene by gene, their entries that are
    not 0.

    Raises
    ------
    UserError
        If the files contradict the row, or each other.
    """
    opened = open_dataset(row, conditions)
    by, samples = opened.source.by, len(opened.obs)
    with atomic(path) as temporary:
        with h5py.File(temporary, "w") as file:
            writer = None
            turned: list[sparse.csr_matrix] = []
            for block in opened.blocks():
                if by == "genes" and row["kind"] == "single_cell":
                    turned.append(sparse.csr_matrix(smallest_exact(block.x)))
                    continue
                if writer is None and sparse.issparse(block.x):
                    writer = SparseWriter(file, block.x.shape[1])
                elif writer is None:
                    writer = DenseWriter(file, *((samples, None) if by == "genes" else (None, block.x.shape[1])))
                writer.add(block.x)
            if turned:
                writer = SparseWriter(file, sum(part.shape[1] for part in turned))
                for start in range(0, samples, CELLS_AT_A_TIME):
                    rows = slice(start, start + CELLS_AT_A_TIME)
                    writer.add(sparse.hstack([part[rows] for part in turned], format="csr"))
            writer.close()
            write_annotation(file, opened.profile_obs(), opened.var(), {"pseudocohort": opened.uns()})
        written = ad.read_h5ad(temporary, backed="r")
        try:
            contracts.INGESTED.check_annotation(written, str(path))
        finally:
            written.file.close()
