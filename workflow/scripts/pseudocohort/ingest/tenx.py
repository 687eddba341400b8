"""The 10x folder: matrix.mtx, genes or features, barcodes; gzipped or not."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from scipy import io as scipy_io
from scipy import sparse

from ..errors import UserError
from .matrix import Matrix, check_ids
from .text import open_text, readable


def _find(folder: Path, *names: str) -> Path:
    for name in names:
        for candidate in (folder / name, folder / f"{name}.gz"):
            if candidate.is_file():
                return candidate
    raise UserError(
        f"no {' or '.join(names)} (.gz)",
        where=str(folder),
        remedy="give the folder that holds matrix, features, barcodes",
    )


def read_tenx(path: str | Path) -> Matrix:
    """Read a 10x folder (genes × cells in the file) as cells × genes, CSR, integers.

    Raises
    ------
    UserError
        If a file is missing or the three do not agree.
    """
    folder = Path(path)
    matrix_file = _find(folder, "matrix.mtx")
    features_file = _find(folder, "features.tsv", "genes.tsv")
    barcodes_file = _find(folder, "barcodes.tsv")
    with open_text(features_file) as file:
        features = pd.read_csv(file, sep="\t", header=None, dtype=str)
    with open_text(barcodes_file) as file:
        barcodes = pd.Index(pd.read_csv(file, sep="\t", header=None, dtype=str)[0])
    check_ids(barcodes, "barcode", str(barcodes_file))
    try:
        with readable(matrix_file):
            x = sparse.csr_matrix(scipy_io.mmread(matrix_file).T)
    except ValueError as error:
        raise UserError(f"cannot be read: {error}", where=str(matrix_file), remedy="fetch the file again") from error
    if x.shape != (len(barcodes), len(features)):
        raise UserError(
            f"{x.shape[1]} genes x {x.shape[0]} cells, but {len(features)} features and {len(barcodes)} barcodes",
            where=str(matrix_file),
            remedy="the three files are not of one experiment; fetch them again",
        )
    symbols = pd.Index(features[1]) if features.shape[1] > 1 else None
    return Matrix(x, barcodes, pd.Index(features[0]), symbols)
