"""The declared unit, checked against the values."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ..core.errors import UserError
from .matrix import Matrix

#: Largest value that log2 of any expression unit reaches: 2^40 is beyond every library.
LARGEST_LOG2 = 40.0
#: Fewer genes than this say little about sums and ranges.
FEWEST_FOR_SUMS = 200
#: Units of whole numbers, and what they are called; units whose samples sum to a million.
WHOLE = {"counts": "counts", "coverage": "coverage sums"}
MILLION = ("tpm", "cpm")
#: What cells are commonly scaled to, by its power of ten.
SUMS = {4: "ten thousand", 5: "hundred thousand", 6: "million"}


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


class UnitCheck:
    """The declared unit, checked against values that come block by block.

    Parameters
    ----------
    unit : {'counts', 'coverage', 'tpm', 'fpkm', 'rsem', 'cpm', 'vst'}
        Declared unit.
    log_offset : float or None
        Declared: values are log2(unit + offset); None = linear.
    where : str
        File, for messages.
    """

    def __init__(self, unit: str, log_offset: float | None, where: str) -> None:
        self.unit, self.log_offset, self.where = unit, log_offset, where
        self.largest, self.genes = 0.0, 0
        self.sums: list[np.ndarray] = []

    def add(self, block: Matrix, by: str) -> None:
        """Check a block without NaN: some genes of all samples (`by` genes) or samples with all genes.

        Raises
        ------
        UserError
            If the values contradict the declaration: counts that are fractional, linear values below zero, log values
            below log2(offset) or beyond any library.
        """
        values = _values(block.x)
        largest = float(values.max()) if values.size else 0.0
        self.largest = max(self.largest, largest)
        self.genes = self.genes + block.x.shape[1] if by == "genes" else block.x.shape[1]
        if self.unit == "vst" or self.log_offset is not None:
            self._add_log(block, largest)
            return
        if bad := _first(block, lambda v: v < 0):
            raise UserError(
                f"negative value {bad[0]:.6g} for a linear unit ({self.unit})",
                where=f"{self.where}, {bad[1]}",
                remedy="declare log_offset if the values are logarithms, or correct the value",
            )
        if self.unit in WHOLE:
            self._add_whole(block, values, largest, by)
        elif self.unit in MILLION:
            sums = np.asarray(block.x.sum(axis=1, dtype=np.float64)).ravel()
            if by == "genes" and self.sums:
                self.sums[0] += sums
            else:
                self.sums.append(sums)

    def _add_log(self, block: Matrix, largest: float) -> None:
        declared = "variance-stabilised (log2-like)"
        remedy = "declare the right unit in the dataset sheet"
        if self.log_offset is not None and self.unit != "vst":
            declared = f"log2({self.unit} + {self.log_offset:g})"
            remedy = "leave log_offset empty if the values are linear"
            # Two decimals are published here and there, so allow half a unit of the second.
            floor = np.log2(self.log_offset) - 0.01 if self.log_offset > 0 else -np.inf
            if bad := _first(block, lambda v: v < floor):
                raise UserError(
                    f"value {bad[0]:.6g} is below log2(0 + {self.log_offset:g}) = {np.log2(self.log_offset):.4g}",
                    where=f"{self.where}, {bad[1]}",
                    remedy="declare the right log_offset, or correct the value",
                )
        if largest > LARGEST_LOG2:
            raise UserError(
                f"declared {declared}, but the largest value is {largest:.6g}", where=self.where, remedy=remedy
            )

    def _add_whole(self, block: Matrix, values: np.ndarray, largest: float, by: str) -> None:
        if np.issubdtype(values.dtype, np.integer) or not (bad := _first(block, lambda v: v != np.round(v))):
            return
        if by == "samples" and block.x.shape[1] >= FEWEST_FOR_SUMS and (sums := self._constant_sum(block)):
            looks = f"they look like counts per {sums} (every cell has the same sum)"
        else:
            looks = (
                "they look log-normalised"
                if largest < 25
                else "expected counts are declared as rsem, counts per million as cpm"
            )
        raise UserError(
            f"declared {self.unit}, but value {bad[0]:.6g} is not whole; {looks}",
            where=f"{self.where}, {bad[1]}",
            remedy="declare the right unit, or give the raw counts",
        )

    @staticmethod
    def _constant_sum(block: Matrix) -> str:
        sums = np.asarray(block.x.sum(axis=1, dtype=np.float64)).ravel()
        same = len(sums) > 1 and sums.min() > 0 and sums.max() / sums.min() < 1.02
        return SUMS.get(round(float(np.log10(sums.mean()))), "") if same else ""

    def verdict(self) -> str:
        """Verdict in words, once all blocks are added.

        Raises
        ------
        UserError
            If linear values look like logarithms, or TPM or CPM sum to more than a million.
        """
        if self.unit == "vst":
            return f"variance-stabilised values up to {self.largest:.3g}: plausible"
        if self.log_offset is not None:
            return f"log2({self.unit} + {self.log_offset:g}) up to {self.largest:.3g}: plausible"
        if self.unit in WHOLE:
            return f"whole numbers up to {self.largest:.6g}: {WHOLE[self.unit]}"
        if self.largest < 25 and self.genes >= FEWEST_FOR_SUMS:
            raise UserError(
                f"declared linear {self.unit}, but the largest of all values is {self.largest:.4g}: "
                "they look like logarithms",
                where=self.where,
                remedy="declare log_offset (values are log2(unit + offset))",
            )
        verdict = f"linear {self.unit} up to {self.largest:.6g}"
        if self.unit in MILLION:
            median = float(np.median(np.concatenate(self.sums)))
            if median > 1.05e6:
                raise UserError(
                    f"declared {self.unit}, but samples sum to {median:.4g}, more than a million",
                    where=self.where,
                    remedy="declare the right unit",
                )
            whole = "a whole transcriptome" if median > 0.9e6 else f"{median / 1e4:.1f} % of the transcriptome"
            verdict += f"; samples sum to {median:.4g}: {whole}"
        return verdict


def check_unit(matrix: Matrix, unit: str, log_offset: float | None, where: str) -> str:
    """Verdict on the declared unit of a matrix in memory, in words; see :class:`UnitCheck`."""
    check = UnitCheck(unit, log_offset, where)
    check.add(matrix, "samples")
    return check.verdict()
