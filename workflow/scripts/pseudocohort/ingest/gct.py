"""GCT 1.2: the format of GTEx."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from ..core.errors import UserError
from .delimited import GeneLines, TextTable
from .matrix import Matrix, check_ids, read_all
from .text import open_text


class GctLines(GeneLines):
    """Genes × samples, with the number of genes announced."""

    announced: int

    def blocks(self, wanted: np.ndarray) -> Iterator[Matrix]:
        """Blocks of genes for the samples at the positions `wanted`."""
        found = 0
        for block in super().blocks(wanted):
            found += len(block.genes)
            yield block
        if found != self.announced:
            raise UserError(
                f"{found} genes where line 2 announces {self.announced}",
                where=str(self.table.path),
                remedy="the file is cut; fetch it again",
            )


def open_gct(path: str | Path, *, exact: bool = False) -> GctLines:
    """Open a GCT file: ``#1.2``, the dimensions, then Name, Description and one column per sample.

    Raises
    ------
    UserError
        If the first lines are not GCT's, or the dimensions do not match.
    """
    path = Path(path)
    with open_text(path) as file:
        version, dimensions, header = (file.readline().rstrip("\r\n") for _ in range(3))
    if version.strip() != "#1.2":
        raise UserError(
            f"the first line is {version[:40]!r}, not '#1.2'",
            where=f"{path}, line 1",
            remedy="declare the right format in the dataset sheet",
        )
    try:
        genes, samples = (int(v) for v in dimensions.split()[:2])
    except ValueError as error:
        raise UserError(
            f"{dimensions[:40]!r} are no dimensions", where=f"{path}, line 2", remedy="fetch the file again"
        ) from error
    columns = header.split("\t")
    if columns[:2] != ["Name", "Description"] or len(columns) != samples + 2:
        raise UserError(
            f"the header has {len(columns)} columns; Name, Description and {samples} samples are expected",
            where=f"{path}, line 3",
            remedy="fetch the file again",
        )
    check_ids(pd.Index(columns[2:]), "sample", f"{path}, line 3")
    source = GctLines(TextTable(path, "\t", columns[1:], 3, note=True), columns[2:], exact)
    source.announced = genes
    return source


def read_gct(path: str | Path, *, exact: bool = False) -> Matrix:
    """All of a GCT file, in memory; see :func:`open_gct`."""
    return read_all(open_gct(path, exact=exact))
