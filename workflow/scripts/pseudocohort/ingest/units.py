"""The declared unit, checked against the values."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ..errors import UserError
from .matrix import Matrix

#: Largest value that log2 of any expression unit reaches: 2^40 is beyond every library.
LARGEST_LOG2 = 40.0
TRANSCRIPTOME = 10_000


def _values(x: np.ndarray | sparse.csr_matrix) -> np.ndarray:
    return x.data if sparse.issparse(x) else x


def _offender(matrix: Matrix, bad: np.ndarray | sparse.csr_matrix) -> tuple[float, str]:
    """First offending value and where it is in words."""
    if sparse.issparse(bad):
        coo = bad.tocoo()
        row, column = int(coo.row[0]), int(coo.col[0])
    else:
        row, column = (int(v) for v in np.argwhere(bad)[0])
    return float(matrix.x[row, column]), f"gene {matrix.genes[column]!r}, sample {matrix.samples[row]!r}"


def _first(matrix: Matrix, condition) -> tuple[float, str] | None:
    values = _values(matrix.x)
    hit = condition(values)
    if not hit.any():
        return None
    if sparse.issparse(matrix.x):
        bad = matrix.x.copy()
        bad.data = hit.astype(np.int8)
        bad.eliminate_zeros()
        return _offender(matrix, bad)
    return _offender(matrix, hit)


def check_unit(matrix: Matrix, unit: str, log_offset: float | None, where: str) -> str:
    """Verdict on the declared unit, in words.

    Parameters
    ----------
    matrix : Matrix
        Values without NaN.
    unit : {'counts', 'tpm', 'fpkm', 'rsem', 'cpm', 'vst'}
        Declared unit.
    log_offset : float or None
        Declared: values are log2(unit + offset); None = linear.
    where : str
        File, for messages.

    Raises
    ------
    UserError
        If the values contradict the declaration: counts that are fractional, linear values below zero, log values
        below log2(offset) or beyond any library, linear values that look like logarithms.
    """
    values = _values(matrix.x)
    largest = float(values.max()) if values.size else 0.0
    if unit == "vst":
        if largest > LARGEST_LOG2:
            raise UserError(
                f"declared variance-stabilised (log2-like), but the largest value is {largest:.6g}",
                where=where,
                remedy="declare the right unit in the dataset sheet",
            )
        return f"variance-stabilised values up to {largest:.3g}: plausible"
    if log_offset is not None:
        # Two decimals are published here and there, so allow half a unit of the second.
        floor = np.log2(log_offset) - 0.01 if log_offset > 0 else -np.inf
        if bad := _first(matrix, lambda v: v < floor):
            raise UserError(
                f"value {bad[0]:.6g} is below log2(0 + {log_offset:g}) = {np.log2(log_offset):.4g}",
                where=f"{where}, {bad[1]}",
                remedy="declare the right log_offset, or correct the value",
            )
        if largest > LARGEST_LOG2:
            raise UserError(
                f"declared log2({unit} + {log_offset:g}), but the largest value is {largest:.6g}",
                where=where,
                remedy="leave log_offset empty if the values are linear",
            )
        return f"log2({unit} + {log_offset:g}) up to {largest:.3g}: plausible"
    if bad := _first(matrix, lambda v: v < 0):
        raise UserError(
            f"negative value {bad[0]:.6g} for a linear unit ({unit})",
            where=f"{where}, {bad[1]}",
            remedy="declare log_offset if the values are logarithms, or correct the value",
        )
    if unit == "counts":
        if not np.issubdtype(values.dtype, np.integer) and (bad := _first(matrix, lambda v: v != np.round(v))):
            looks = "they look log-normalised" if largest < 25 else "RSEM's expected counts are declared as rsem"
            raise UserError(
                f"declared counts, but value {bad[0]:.6g} is not whole; {looks}",
                where=f"{where}, {bad[1]}",
                remedy="declare the right unit, or give the raw counts",
            )
        return f"whole numbers up to {largest:.6g}: counts"
    if largest < 25 and matrix.x.shape[1] >= 200:
        raise UserError(
            f"declared linear {unit}, but the largest of all values is {largest:.4g}: they look like logarithms",
            where=where,
            remedy="declare log_offset (values are log2(unit + offset))",
        )
    verdict = f"linear {unit} up to {largest:.6g}"
    if unit in ("tpm", "cpm"):
        sums = np.asarray(matrix.x.sum(axis=1)).ravel()
        median = float(np.median(sums))
        if median > 1.05e6:
            raise UserError(
                f"declared {unit}, but samples sum to {median:.4g}, more than a million",
                where=where,
                remedy="declare the right unit",
            )
        whole = "a whole transcriptome" if median > 0.9e6 else f"{median / 1e4:.1f} % of the transcriptome"
        verdict += f"; samples sum to {median:.4g}: {whole}"
    return verdict
