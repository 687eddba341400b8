"""A matrix as read from a file, before the sample table is joined."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import pandas as pd
from scipy import sparse

from ..core.errors import UserError

#: What to do where the first line of a table is taken for its header, and holds values.
NO_HEADER = "if the file begins with values, put a header above them, with the ids of the samples"


@dataclass
class Matrix:
    """Values (samples × genes, dense or CSR) with their ids, as the source has them.

    Attributes
    ----------
    x : ndarray or csr_matrix
        Counts keep their exact integers (int64 or float64 beyond 2^24); everything else is float32.
    samples, genes : Index
        Ids as in the file.
    symbols : Index, optional
        Gene symbols that the file gives beside the ids.
    obs : DataFrame, optional
        Sample annotation that the file itself holds (h5ad).
    """

    x: np.ndarray | sparse.csr_matrix
    samples: pd.Index
    genes: pd.Index
    symbols: pd.Index | None = None
    obs: pd.DataFrame | None = None


def stored(x: np.ndarray | sparse.csr_matrix) -> np.ndarray:
    """Values of a matrix; of a sparse one those that it stores."""
    return x.data if sparse.issparse(x) else x


def places(x: np.ndarray | sparse.csr_matrix, hit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the values that `hit` is true of; it has the shape of :func:`stored`."""
    if not sparse.issparse(x):
        return np.nonzero(hit)
    entries = x.tocoo()
    return entries.row[hit], entries.col[hit]


def first_place(matrix: Matrix, hit: np.ndarray) -> tuple[Any, Any, Any]:
    """Value, gene and sample of the first value that `hit` is true of."""
    row, column = (int(at[0]) for at in places(matrix.x, hit))
    return matrix.x[row, column], matrix.genes[column], matrix.samples[row]


class Source(Protocol):
    """A matrix in a file, read block by block.

    Attributes
    ----------
    samples : Index
        All sample ids, in the order of the file.
    by : {'genes', 'samples'}
        Whether a block holds some genes of all wanted samples, or some of the wanted samples with all genes.
    obs : DataFrame or None
        Sample annotation that the file itself holds.
    set_aside : dict
        What of the file is not read, in words, and how much of it.
    """

    samples: pd.Index
    by: str
    obs: pd.DataFrame | None
    set_aside: dict[str, int]

    def blocks(self, wanted: np.ndarray) -> Iterator[Matrix]:
        """Blocks for the samples at the positions `wanted` (ascending), in order."""
        ...


def assemble(blocks: list[Matrix], by: str) -> Matrix:
    """One matrix from its blocks."""
    if by == "samples":
        x = [block.x for block in blocks]
        joined = sparse.vstack(x, format="csr") if sparse.issparse(x[0]) else np.concatenate(x)
        samples = blocks[0].samples.append([block.samples for block in blocks[1:]])
        return Matrix(joined, samples, blocks[0].genes, blocks[0].symbols)
    genes = blocks[0].genes.append([block.genes for block in blocks[1:]])
    symbols = None
    if blocks[0].symbols is not None:
        symbols = blocks[0].symbols.append([block.symbols for block in blocks[1:]])
    return Matrix(np.concatenate([block.x for block in blocks], axis=1), blocks[0].samples, genes, symbols)


def read_all(source: Source, wanted: np.ndarray | None = None) -> Matrix:
    """The whole matrix, or the samples at the positions `wanted` (ascending), in memory."""
    wanted = np.arange(len(source.samples)) if wanted is None else wanted
    blocks = list(source.blocks(wanted))
    if not blocks:
        raise UserError("the matrix has no values", where="the matrix", remedy="fetch the file again")
    matrix = assemble(blocks, source.by)
    x = matrix.x if sparse.issparse(matrix.x) else np.ascontiguousarray(matrix.x)
    return replace(matrix, x=x, obs=None if source.obs is None else source.obs.iloc[wanted])


def are_numbers(ids: Iterable[Any]) -> bool:
    """Whether all ids are numbers, as those of patients may be, and the values of a file without a header are."""
    return all(re.fullmatch(r"\d+(\.\d+)?", str(i)) for i in ids)


def check_ids(ids: pd.Index, what: str, where: str) -> None:
    """Refuse empty or duplicated sample or cell ids."""
    empty = (ids.astype(str).str.strip() == "") | ids.isna()
    if empty.any():
        raise UserError(
            f"{what} number {int(np.flatnonzero(empty)[0]) + 1} has no id",
            where=where,
            remedy="give it one, or remove it if it is a total or a note",
        )
    if not ids.is_unique:
        twice = ids[ids.duplicated()][0]
        rounded = re.fullmatch(r"\d(\.\d+)?E\+\d+", str(twice))
        raise UserError(
            f"{what} id {twice!r} occurs more than once",
            where=where,
            remedy="a spreadsheet has rounded long numbers: take the ids from the original file"
            if rounded
            else "remove or rename one of them" + (f"; {NO_HEADER}" if are_numbers(ids) else ""),
        )


def check_finite(matrix: Matrix, where: str) -> None:
    """Refuse infinite values."""
    values = stored(matrix.x)
    if np.issubdtype(values.dtype, np.integer) or not (infinite := np.isinf(values)).any():
        return
    value, gene, sample = first_place(matrix, infinite)
    raise UserError(
        f"value {value} for gene {gene!r} in sample {sample!r}",
        where=where,
        remedy="correct the value; values beyond 3.4e38 are too large"
        if value > 0
        else "this is the logarithm of 0: write log2(value + 1), and declare log_offset 1",
    )
