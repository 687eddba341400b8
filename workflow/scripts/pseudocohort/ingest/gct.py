"""GCT 1.2: the format of GTEx."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import UserError
from .delimited import read_values
from .matrix import Matrix, check_ids
from .text import open_text


def read_gct(path: str | Path, *, exact: bool = False) -> Matrix:
    """Read a GCT file: ``#1.2``, the dimensions, then Name, Description and one column per sample.

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
    table = read_values(path, "\t", columns[1:], 3, exact, text_columns=("Description",))
    if len(table) != genes:
        raise UserError(
            f"{len(table)} genes where line 2 announces {genes}",
            where=str(path),
            remedy="the file is cut; fetch it again",
        )
    symbols = pd.Index(table.pop("Description"))
    return Matrix(np.ascontiguousarray(table.to_numpy().T), pd.Index(columns[2:]), table.index.astype(str), symbols)
