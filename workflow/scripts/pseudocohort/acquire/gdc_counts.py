"""One matrix of counts and one sample table from the GDC's files of STAR counts, one file per aliquot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import UserError
from ..core.logs import progress
from .gdc_files import cached

COLUMN = "unstranded"  # reads of both strands: GDC's cohorts mix library protocols
SAMPLE_COLUMNS = (
    "sample_id", "sample", "patient", "sample_type", "sample_type_name", "project", "aliquot", "replicate", "file_id",
    "preservation", "sex", "age",
)  # fmt: skip


def read_counts(path: Path) -> pd.Series:
    """Counts of the genes of one ``augmented_star_gene_counts`` file, by versioned Ensembl id, in the file's order.

    Comment lines at the start and the four ``N_*`` rows (reads that are no gene's) are left out.

    Raises
    ------
    UserError
        If a column is missing, an id repeats, or a count is no whole number from 0 to 2147483647.
    """
    with path.open() as file:
        comments = 0
        while file.readline().startswith("#"):
            comments += 1
    try:
        table = pd.read_csv(path, sep="\t", skiprows=comments, usecols=["gene_id", COLUMN], dtype={"gene_id": str})
    except ValueError as error:  # no such column, or no table
        raise UserError(
            f"no table of STAR counts: {error}", where=str(path), remedy="delete the file and run again"
        ) from error
    table = table[~table["gene_id"].astype(str).str.startswith("N_")]
    values = pd.to_numeric(table[COLUMN], errors="coerce")
    if table.empty or not (values.between(0, np.iinfo(np.int32).max) & (values % 1 == 0)).all():
        raise UserError(
            f"column {COLUMN!r} holds no counts, or values that are none",
            where=str(path),
            remedy="delete the file and run again",
        )
    counts = pd.Series(values.to_numpy(np.int32), index=pd.Index(table["gene_id"], name="gene_id"))
    if counts.index.has_duplicates:
        raise UserError(
            f"gene {counts.index[counts.index.duplicated()][0]!r} has two rows",
            where=str(path),
            remedy="delete the file and run again",
        )
    return counts


def sample_table(files: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Sample table of listed files, in the order of the matrix's columns.

    The rule for several files: rows are ordered by project, aliquot barcode and file id. Every file stays a column of
    its own. ``sample_id`` is the aliquot's barcode; further files of the same aliquot get ``.2``, ``.3`` … in that
    order. ``replicate`` numbers the files of one sample from 1, the preferred one (see :func:`.gdc_entries.select`).
    """
    ordered = sorted(files, key=lambda entry: (entry["project"], entry["aliquot"], entry["file_id"]))
    table = pd.DataFrame(ordered, columns=[c for c in SAMPLE_COLUMNS if c != "sample_id"])
    number = table.groupby("aliquot").cumcount() + 1
    table["sample_id"] = table["aliquot"].where(number == 1, table["aliquot"] + "." + number.astype(str))
    return table[list(SAMPLE_COLUMNS)]


def assemble(samples: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Genes × files counts: ``gene_id`` and one column per row of `samples`, genes in the first file's order.

    Raises
    ------
    UserError
        If a file is no table of counts, or its genes are not the first file's.
    """
    genes, matrix = pd.Index([]), np.empty((0, 0), np.int32)
    for number, file_id in enumerate(progress(samples["file_id"], desc="assembling", unit="file", total=len(samples))):
        path = cached({"file_id": file_id}, folder)
        counts = read_counts(path)
        if number == 0:
            genes = counts.index
            matrix = np.empty((len(genes), len(samples)), np.int32, order="F")
        if not counts.index.equals(genes):
            if len(counts) != len(genes) or not genes.isin(counts.index).all():
                raise UserError(
                    f"its {len(counts)} genes are not the {len(genes)} of the first file",
                    where=str(path),
                    remedy="the listing mixes data releases; ask for projects of one release",
                )
            counts = counts.reindex(genes)
        matrix[:, number] = counts.to_numpy()
    table = pd.DataFrame(matrix, columns=samples["sample_id"].tolist(), copy=False)
    table.insert(0, "gene_id", genes.to_numpy())
    return table
