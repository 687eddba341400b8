"""The declared unit, checked against the values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import sparse

from ..core.errors import UserError
from ..core.words import count, some
from .matrix import Matrix, first_place, stored

#: Largest value that log2 of any expression unit reaches: 2^40 is beyond every library.
LARGEST_LOG2 = 40.0
#: The same of linear values; whole numbers beyond it are not exact.
BEYOND = 53
#: Smallest largest value of log2 expression: a matrix without a gene above 2^4 - 1 is no expression.
SMALLEST_LOG2 = 4.0
#: Largest value of log2 expression below which another logarithm is likelier.
LOW_LOG2 = 7.0
#: Largest value of a sample below which linear values look like logarithms, and logarithms above it like linear values.
BETWEEN = 25.0
#: Fewer genes than this say little about sums and ranges.
FEWEST_FOR_SUMS = 200
#: Fewer than this say little about the range of a sample's values.
FEWEST_FOR_RANGES = 20
#: Largest values of samples whose logarithms (base 2) differ more from each other are not on one scale.
SCALES = 10
#: Fewest samples, and the share of them, that are told apart from the others by what they sum to.
FEWEST_APART, SHARE_APART = 3, 0.05
#: Fewest values of a sample at its smallest one that are its zeros.
FEWEST_ZEROS = 5
#: Units of whole numbers, and what they are called.
WHOLE = {"counts": "counts", "coverage": "coverage sums"}
#: Units that become counts per million: their sums say how deep a sample was sequenced.
COUNTED = ("counts", "expected_counts")
#: Units whose samples sum to a million over the whole transcriptome.
MILLION = ("tpm", "cpm")
#: Genes of a matrix that holds about a whole transcriptome.
TRANSCRIPTOME = 12_000
#: Spread of the sums of samples, as a share of their mean, that TPM of so many genes seldom have.
UNEVEN = 0.1
#: Reads of a library of a bulk sample below which another unit is likelier.
SHALLOW = 1e5
#: What values are commonly scaled to, by its power of ten.
SUMS = {0: "total of 1", 2: "hundred", 4: "ten thousand", 5: "hundred thousand", 6: "million"}
#: Bases that logarithms are published in.
BASES = {"natural (ln)": np.e, "decimal (log10)": 10.0}
#: Offsets that are used; share of values that lie at the smallest one from which on these are the zeros; their spread.
OFFSETS, ZEROS, FLOOR_SLACK = (1.0, 0.5, 0.1, 0.01, 0.001, 1e-6), 0.01, 0.01
#: Samples whose values are taken back and summed (of a block of samples so many), genes whose centring is looked at,
#: values looked at for wholeness.
PROBED_SAMPLES, PROBED_OF_BLOCK, PROBED_GENES, PROBED_VALUES = 256, 32, 64, 20_000
#: Fewest fractions, and the share of values that are whole, from which on points are taken for those of thousands.
FEWEST_DOTTED, WHOLE_BESIDE = 20, 0.1
#: Fold by which means of samples may differ before depth is suspected.
DEPTH_FOLD = 1.9
PRIOR = "; edgeR's cpm(log = TRUE) and limma's voom add another amount to each sample: give the counts, or cpm() linear"
ADVICE = "expected counts (RSEM, Salmon, kallisto) are declared as expected_counts, counts per million as cpm"


def _first(matrix: Matrix, condition: Callable[[np.ndarray], np.ndarray]) -> tuple[float, str] | None:
    """First value of which `condition` holds, and where it is in words."""
    hit = condition(stored(matrix.x))
    if not hit.any():
        return None
    value, gene, sample = first_place(matrix, hit)
    return float(value), f"gene {gene!r}, sample {sample!r}"


def _spread(size: int, most: int) -> np.ndarray:
    """Positions of `size`, at most so many, evenly spaced."""
    return np.unique(np.linspace(0, size - 1, min(size, most)).astype(int))


def _dense(x: np.ndarray | sparse.csr_matrix) -> np.ndarray:
    return (x.toarray() if sparse.issparse(x) else np.asarray(x)).astype(np.float64)


def _even(sums: np.ndarray, unit: str) -> str:
    """The power of ten that all samples sum to, in words; empty if there is none.

    A million is expected of TPM and CPM, of which a few genes may be missing; any other coincidence has to be exact.
    """
    if not len(sums) or sums.min() <= 0:
        return ""
    power = round(float(np.log10(np.median(sums))))
    slack = 0.05 if unit in MILLION and power == 6 else 0.003
    return SUMS.get(power, "") if np.abs(sums / 10.0**power - 1).max() < slack else ""


def taken_back(x: np.ndarray, offset: float, base: float = 2.0) -> np.ndarray:
    """Linear values of log(x + offset), not below 0, float64."""
    with np.errstate(over="ignore"):
        x = x.astype(np.float64)
        return np.maximum((np.exp2(x) if base == 2 else np.power(base, x)) - offset, 0)


def decimals(values: np.ndarray) -> int:
    """Decimals that values were printed with, up to 6."""
    for digits in range(1, 6):
        scaled = values * 10.0**digits
        # float32 of the source is off by a little.
        if (np.abs(scaled - np.round(scaled)) <= 1e-6 + np.abs(scaled) * 2.0**-23).all():
            return digits
    return 6


def wholeness(logs: np.ndarray, offset: float, base: float) -> float:
    """Share of values below 1000 that are whole once taken back, as far as the printed decimals allow; NaN if few.

    Parameters
    ----------
    logs : ndarray
        Some values on log scale, above the logarithm of the offset.
    offset, base : float
        Of the logarithm.
    """
    digits = decimals(logs)
    values = taken_back(logs, offset, base)
    # Half a unit of the last decimal, and float32 of a source that was stored so.
    slack = (values + offset) * np.log(base) * (0.5 * 10.0**-digits + np.abs(logs) * 2.0**-24) + 1e-6
    told = (values > 0.5) & (values < 1000) & (slack < 0.1)
    if told.sum() < 20:
        return np.nan
    return float((np.abs(values - np.round(values)) <= 2 * slack)[told].mean())


class UnitCheck:
    """The declared unit, checked against values that come block by block.

    Parameters
    ----------
    unit : {'counts', 'expected_counts', 'coverage', 'tpm', 'fpkm', 'rsem', 'cpm', 'vst'}
        Declared unit.
    log_offset : float or None
        Declared: values are log2(unit + offset); None = linear.
    where : str
        File, for messages.

    Attributes
    ----------
    warnings : list of str
        What looks odd, once :meth:`verdict` has been asked for.
    """

    def __init__(self, unit: str, log_offset: float | None, where: str) -> None:
        self.unit, self.log_offset, self.where = unit, log_offset, where
        self.largest, self.genes = 0.0, 0
        self.warnings: list[str] = []
        self.values = self.negative = 0
        self.all_whole = True
        # Fractions, those of them with a third decimal, and whole values, as long as they may be thousands with a
        # point; None once they cannot be.
        self.dotted: tuple[int, int, int] | None = (0, 0, 0)
        # Of each sample that is looked at: sums of linear values, of those of other bases, and of logarithms.
        self.totals: dict[str, list[np.ndarray]] = {}
        self.log_genes = 0
        self.largest_of: list[pd.Series] = []
        self.centred: list[np.ndarray] = []
        self.probe: list[np.ndarray] = []
        # Names of the samples whose sums are kept; names, smallest values, and how many there are of these.
        self.probed: list[pd.Index] = []
        self.floors: list[tuple[pd.Index, np.ndarray, np.ndarray]] = []

    @property
    def _log(self) -> bool:
        return self.log_offset is not None and self.unit != "vst"

    def add(self, block: Matrix, by: str) -> None:
        """Check a block without NaN: some genes of all samples (`by` genes) or samples with all genes.

        Raises
        ------
        UserError
            If the values contradict the declaration: counts that are fractional, linear values below zero, log values
            below log2(offset) or beyond any library.
        """
        values = stored(block.x)
        largest = float(values.max()) if values.size else 0.0
        self.largest = max(self.largest, largest)
        if not self._log and self.unit != "vst" and largest > 2**BEYOND:
            value, place = _first(block, lambda v: v > 2**BEYOND)
            raise UserError(
                f"value {value:.6g} for {self.unit} is more than any library holds",
                where=f"{self.where}, {place}",
                remedy="correct the value",
            )
        self.genes = self.genes + block.x.shape[1] if by == "genes" else block.x.shape[1]
        self.values += int(np.prod(block.x.shape))
        linear_whole = self.unit in WHOLE and not self._log
        if self.all_whole and not linear_whole and not np.issubdtype(values.dtype, np.integer):
            some = np.ravel(values)[:PROBED_VALUES]
            self.all_whole = bool((some == np.round(some)).all()) and bool((values == np.round(values)).all())
        if self.unit == "vst" or self.log_offset is not None:
            self._add_log(block, largest, by)
        else:
            if bad := _first(block, lambda v: v < 0):
                raise UserError(
                    f"negative value {bad[0]:.6g} for a linear unit ({self.unit})",
                    where=f"{self.where}, {bad[1]}",
                    remedy="declare log_offset if the values are logarithms, or correct the value",
                )
            self._add_dotted(values)
            if self.unit in WHOLE:
                self._add_whole(block, values, largest, by)
        if self.unit not in ("coverage", "vst"):
            self._add_sums(block, by)
        if self.unit not in (*WHOLE, "vst"):
            self._add_largest(block)

    def _add_dotted(self, values: np.ndarray) -> None:
        """Whether numbers may be written as 1.309, which some countries read as 1309: three decimals, none below 1."""
        if self.dotted is None or self.unit in WHOLE:
            return
        values = np.ravel(values)
        fractions = values[values != np.round(values)].astype(np.float64)
        thousands = fractions * 1000
        may = self.largest < 1000 and (fractions > 1).all()
        if not may or (np.abs(thousands - np.round(thousands)) > 0.1).any():
            self.dotted = None
            return
        third = int((np.abs(thousands / 10 - np.round(thousands / 10)) > 0.01).sum())
        whole = int((values > 1).sum()) - len(fractions)  # 1 may be a floor
        fraction_count, third_count, whole_count = self.dotted
        self.dotted = (fraction_count + len(fractions), third_count + third, whole_count + whole)

    def _gather(self, name: str, values: np.ndarray, by: str) -> None:
        """Add values of each sample: those of further genes add up, those of further samples follow."""
        parts = self.totals.setdefault(name, [])
        if by == "genes" and parts:
            parts[0] += values
        else:
            parts.append(values)

    def _total(self, name: str) -> np.ndarray:
        return np.concatenate(self.totals.get(name, [np.empty(0)]))

    def _add_sums(self, block: Matrix, by: str) -> None:
        """Sums of some samples, evenly spaced, the same ones in all blocks of genes."""
        rows = _spread(block.x.shape[0], PROBED_SAMPLES if by == "genes" else PROBED_OF_BLOCK)
        x = block.x[rows]
        if by == "samples" or not self.probed:
            self.probed.append(block.samples[rows])
        if self._log:
            x = _dense(x)
            for name, base in BASES.items():
                self._gather(name, taken_back(x, self.log_offset, base).sum(axis=1), by)
            x = taken_back(x, self.log_offset)
        self._gather("linear", np.asarray(x.sum(axis=1, dtype=np.float64)).ravel(), by)
        if self.unit in COUNTED:
            return
        # Means of logarithms say more of depth than sums, in which a few genes weigh most.
        step = max(x.shape[1] // (PROBED_GENES if by == "genes" else 4000), 1)
        logs = np.log2(np.maximum(_dense(x[:, ::step]), 0) + 1)
        self._gather("logs", logs.sum(axis=1), by)
        self.log_genes = logs.shape[1] + (self.log_genes if by == "genes" else 0)

    def _add_largest(self, block: Matrix) -> None:
        """The largest value of each sample."""
        largest = block.x.max(axis=1)
        largest = largest.toarray() if sparse.issparse(largest) else largest
        self.largest_of.append(pd.Series(np.ravel(largest), index=block.samples))

    def _add_log(self, block: Matrix, largest: float, by: str) -> None:
        declared = "variance-stabilised (log2-like)"
        remedy = "declare the right unit in the dataset sheet"
        values = stored(block.x)
        self.negative += int((values < 0).sum())
        if self._log:
            self._add_floor(block, by)
            declared = f"log2({self.unit} + {self.log_offset:g})"
            remedy = "leave log_offset empty if the values are linear"
            # Two decimals are published here and there, so allow half a unit of the second.
            floor = np.log2(self.log_offset) - 0.01 if self.log_offset > 0 else -np.inf
            if bad := _first(block, lambda v: v < floor):
                raise UserError(
                    f"value {bad[0]:.6g} is below log2(0 + {self.log_offset:g}) = {np.log2(self.log_offset):.4g}",
                    where=f"{self.where}, {bad[1]}",
                    remedy="declare the right log_offset, or correct the value" + (PRIOR if self.unit == "cpm" else ""),
                )
        if largest > LARGEST_LOG2:
            raise UserError(
                f"declared {declared}, but the largest value is {largest:.6g}", where=self.where, remedy=remedy
            )
        if block.x.shape[0] >= 8 and sum(map(len, self.centred)) < 2000:
            probed = _dense(block.x[:, _spread(block.x.shape[1], PROBED_GENES)])
            self.centred.append(np.c_[probed.mean(axis=0), probed.std(axis=0), (probed < 0).mean(axis=0)])
        if self._log and sum(map(len, self.probe)) < PROBED_VALUES:
            few = 4 * PROBED_VALUES if values.ndim == 1 else 4 * PROBED_VALUES // max(len(values), 1) + 1
            above = np.ravel(values[..., :few]).astype(np.float64)
            self.probe.append(above[above > (np.log2(self.log_offset) if self.log_offset > 0 else -np.inf) + 1e-6])

    def _add_floor(self, block: Matrix, by: str) -> None:
        """The smallest value of each sample, and how many there are of it: those of no expression."""
        x = block.x.toarray() if sparse.issparse(block.x) else np.asarray(block.x)
        if not x.size:
            return
        if by == "samples" or not self.floors:
            self.floors.append((block.samples, np.full(len(x), np.inf), np.zeros(len(x), np.int64)))
        _, smallest, at_smallest = self.floors[-1]
        low = x.min(axis=1)
        lower = low < smallest - FLOOR_SLACK
        smallest[lower], at_smallest[lower] = low[lower], 0
        at_smallest += (x <= (smallest + FLOOR_SLACK).astype(x.dtype)[:, None]).sum(axis=1)

    def _add_whole(self, block: Matrix, values: np.ndarray, largest: float, by: str) -> None:
        if np.issubdtype(values.dtype, np.integer) or not (bad := _first(block, lambda v: v != np.round(v))):
            return
        if by == "samples" and block.x.shape[1] >= FEWEST_FOR_SUMS and (sums := self._constant_sum(block)):
            looks = f"they look like counts per {sums} (every cell has the same sum)"
        else:
            looks = "they look log-normalised" if largest < BETWEEN else ADVICE
        said = f"{bad[0]:.6g}"
        said = repr(bad[0]) if float(said).is_integer() else said
        raise UserError(
            f"declared {self.unit}, but value {said} is not whole; {looks}",
            where=f"{self.where}, {bad[1]}",
            remedy="declare the right unit, or give the raw counts",
        )

    @staticmethod
    def _constant_sum(block: Matrix) -> str:
        sums = np.asarray(block.x.sum(axis=1, dtype=np.float64)).ravel()
        same = len(sums) > 1 and sums.min() > 0 and sums.max() / sums.min() < 1.02
        return SUMS.get(round(float(np.log10(sums.mean()))), "") if same else ""

    def counts(self, block: Matrix) -> Matrix:
        """A block of log2(counts + offset) as counts, whole for ``counts``; other blocks as they are."""
        if not self._log or self.unit not in COUNTED:
            return block
        x = taken_back(_dense(block.x), self.log_offset)
        x = np.round(x) if self.unit == "counts" else x
        return replace(block, x=sparse.csr_matrix(x) if sparse.issparse(block.x) else x)

    def _refuse(self, what: str, remedy: str) -> UserError:
        return UserError(what, where=self.where, remedy=remedy)

    def verdict(self) -> str:
        """Verdict in words, once all blocks are added; what looks odd is in :attr:`warnings`.

        Raises
        ------
        UserError
            If linear values look like logarithms, logarithms like those of another base or like z-scores, counts that
            are taken back are not whole, or TPM or CPM sum to more than a million.
        """
        self.warnings = []
        if self.genes < FEWEST_FOR_SUMS and not (self.unit in WHOLE and not self._log):
            self.warnings.append(
                f"{count(self.genes, 'gene')} are too few to check sums and logarithms: the unit is taken as declared"
            )
        if self.unit == "vst":
            return self._verdict_vst()
        if self.log_offset is not None:
            return self._verdict_log()
        if self.unit in WHOLE:
            sums = self._total("linear")
            if len(sums) > 2 and self.genes >= FEWEST_FOR_SUMS and (scaled := _even(sums, "cpm")):
                self.warnings.append(
                    f"all samples sum to a {scaled}: are these {self.unit}, and not TPM, CPM or scaled counts, rounded?"
                )
            self._look_for_no_counts(sums)
            return f"whole numbers up to {self.largest:,.0f}: {WHOLE[self.unit]}"
        fractions, third, whole = self.dotted or (0, 0, 0)
        # Nine of ten thousands have a third decimal; values in quarters have none.
        if fractions >= FEWEST_DOTTED and third > fractions / 2 and whole > WHOLE_BESIDE * (fractions + whole):
            raise self._refuse(
                f"{whole:,} values are whole, and the other {fractions:,} lie above 1 and have three decimals: "
                "points seem to stand between thousands",
                "write numbers without signs between thousands (1309, not 1.309)",
            )
        if self.largest < BETWEEN:
            if self.genes >= FEWEST_FOR_SUMS and (scaled := _even(self._total("linear"), self.unit)):
                raise self._refuse(
                    f"declared {self.unit}, but all samples sum to a {scaled}",
                    "multiply the values so that they sum to a million" if self.unit in MILLION else "declare the unit",
                )
            looks = (
                f"declared linear {self.unit}, but the largest of all values is {self.largest:.4g}: "
                "they look like logarithms"
            )
            if self.genes >= FEWEST_FOR_SUMS:
                raise self._refuse(looks, "declare log_offset (values are log2(unit + offset))")
            self.warnings.append(looks)
        self._look_for_mixture()
        return f"linear {self.unit} up to {self.largest:,.6g}{self._sums_in_words()}"

    def _verdict_vst(self) -> str:
        share = self.negative / max(self.values, 1)
        if share > 0.25:
            raise self._refuse(
                f"declared variance-stabilised, but {share:.0%} of the values are negative: they look like z-scores or "
                "centred values, of which half would be cut to 0",
                "give the values before centring; variance-stabilised and log2 values of expression lie above 0",
            )
        if self.largest < SMALLEST_LOG2 and self.genes >= FEWEST_FOR_SUMS:
            raise self._refuse(
                f"declared variance-stabilised, but the largest of all values is {self.largest:.3g}: they look scaled",
                "give the values before scaling",
            )
        if share > 0.001:
            self.warnings.append(f"{share:.1%} of the values are negative, and are cut to 0")
        return f"variance-stabilised values up to {self.largest:.3g}: plausible"

    def _verdict_log(self) -> str:
        declared = f"log2({self.unit} + {self.log_offset:g})"
        enough = self.genes >= FEWEST_FOR_SUMS
        about = np.concatenate(self.centred) if self.centred else np.empty((0, 3))
        if len(about) >= 20 and self.negative:
            mean, sd, below = np.median(np.abs(about[:, 0])), np.median(about[:, 1]), np.median(about[:, 2])
            if mean < 0.3 and 0.3 < below < 0.7 and sd < 3:
                raise self._refuse(
                    f"declared {declared}, but half the values of a gene lie below 0: they look like z-scores or "
                    "centred values",
                    "give the values before centring",
                )
        if enough and self.largest < SMALLEST_LOG2:
            raise self._refuse(
                f"declared {declared}, but the largest of all values is {self.largest:.3g}: they look scaled",
                "give the values before scaling, or declare the right unit",
            )
        if enough and self.all_whole:
            raise self._refuse(
                f"declared {declared}, but all values are whole numbers, which logarithms are not",
                "leave log_offset empty if the values are linear",
            )
        if enough:
            self._check_floor(declared)
        self._look_for_mixture()
        if self.unit in COUNTED:
            return self._verdict_log_counts(declared)
        self._check_not_log_counts(declared)
        if enough and self.largest < LOW_LOG2:
            self.warnings.append(
                f"no value is above {self.largest:.3g}: decimal logarithms, or another unit? log2 of expression "
                "goes to 12 and more"
            )
        return f"{declared} up to {self.largest:.3g}: plausible{self._sums_in_words()}"

    def _check_floor(self, declared: str) -> None:
        """Refuse another offset: values of no expression are all log2(offset); warn where some samples have another."""
        if not self.floors:
            return
        names = pd.Index([name for part, _, _ in self.floors for name in part])
        floors, many = (np.concatenate(parts) for parts in list(zip(*self.floors, strict=True))[1:])
        smallest = float(floors.min())
        share = many[floors <= smallest + FLOOR_SLACK].sum() / max(self.values, 1)
        zero = np.log2(self.log_offset) if self.log_offset else -np.inf
        if smallest <= zero + 2 * FLOOR_SLACK:
            odd = (floors > zero + 2 * FLOOR_SLACK) & (many >= max(FEWEST_ZEROS, ZEROS * self.genes))
            if odd.any():
                self.warnings.append(
                    f"in {count(int(odd.sum()), 'sample')} ({some(names[odd], 3)}) the smallest value is "
                    f"{np.median(floors[odd]):.4g}, that of many genes, and in others {zero:.4g}: another offset?"
                )
            return
        if share < ZEROS:
            return
        said = f"{share:.0%} of the values are {smallest:.4g}, the smallest of all"
        for offset in OFFSETS:
            if abs(smallest - np.log2(offset)) <= FLOOR_SLACK:
                raise self._refuse(
                    f"declared {declared}, but {said}, which is log2(0 + {offset:g})",
                    f"declare log_offset {offset:g}",
                )
        self.warnings.append(
            f"{said}, where no expression would be {zero:.4g}: another offset, or variance-stabilised values?"
        )

    def _check_not_log_counts(self, declared: str) -> None:
        """Refuse logarithms of counts, which are whole once taken back; of log2, say so."""
        logs = np.concatenate(self.probe) if self.probe else np.empty(0)
        for name, base in {"log2": 2.0, **BASES}.items():
            if len(logs) and wholeness(logs, self.log_offset, base) > 0.95:
                what = f"{declared} is declared, and the values are whole numbers once taken back from {name}"
                if base == 2.0:
                    self.warnings.append(
                        f"{what}: if these are counts, declare counts, with log_offset {self.log_offset:g}"
                    )
                    return
                raise self._refuse(
                    f"{what} logarithms: they are {name} of counts",
                    f"divide the values by {np.log(2) / np.log(base):.6g}, which gives log2, and declare counts",
                )

    def _verdict_log_counts(self, declared: str) -> str:
        if self.unit == "counts" and self.probe:
            logs = np.concatenate(self.probe)
            share = {name: wholeness(logs, self.log_offset, base) for name, base in {"": 2.0, **BASES}.items()}
            if share[""] < 0.9:
                other = next((name for name in BASES if share[name] > 0.95), "")
                looks = (
                    f"they are whole as {other} logarithms"
                    if other
                    else "expected counts are declared as expected_counts"
                )
                raise self._refuse(
                    f"declared {declared}, but only {share['']:.0%} of the values are whole once taken back; {looks}",
                    "give log2 values or the counts themselves" if other else "declare the right unit or log_offset",
                )
        return f"{declared} up to {self.largest:.3g}, taken back to counts{self._sums_in_words()}"

    def _sums_in_words(self) -> str:
        """What the samples sum to, refused where it contradicts the unit; depth that is left in is a warning."""
        sums = self._total("linear")
        if not len(sums):
            return ""
        median = float(np.median(sums))
        self._look_for_depth()
        if self.genes >= FEWEST_FOR_SUMS and len(sums) > 1 and not _even(sums, self.unit):
            for name in BASES:
                if scaled := _even(self._total(name), self.unit):
                    raise self._refuse(
                        f"declared log2({self.unit} + {self.log_offset:g}), but taken back from log2 samples sum to "
                        f"{median:.4g}, and from {name} logarithms to a {scaled}: they are {name}",
                        f"divide the values by {np.log(2) / np.log(BASES[name]):.6g}, which gives log2",
                    )
        if self.unit in COUNTED:
            if self.genes >= FEWEST_FOR_SUMS and len(sums) > 1 and np.abs(sums / 1e6 - 1).max() < 0.01:
                self.warnings.append(f"all samples sum to a million: are these TPM or CPM, not {self.unit}?")
            else:
                self._name(np.abs(sums / 1e6 - 1) < 0.003, "sum to a million: TPM or CPM among counts?")
            if self.genes >= TRANSCRIPTOME and median < SHALLOW:
                self.warnings.append(
                    f"samples sum to {median:.3g} reads, few for a library: another unit or logarithm?"
                )
            return f"; samples sum to {median:,.0f}"
        if self.unit not in MILLION:
            return ""
        scaled = _even(sums, self.unit) if len(sums) > 1 and self.genes >= FEWEST_FOR_SUMS else ""
        if scaled not in ("", "million"):
            self.warnings.append(f"all samples sum to a {scaled}, not to a million: are these {self.unit}?")
        if median > 1.05e6:
            raise self._refuse(
                f"declared {self.unit}, but samples sum to {median:.4g}, more than a million"
                + (" (values taken back from log2)" if self._log else ""),
                "declare the right unit"
                + (": log2 of counts is counts with log_offset" if self._log else "")
                + "; if a row holds totals, leave it out",
            )
        self._name(sums > 1.05e6, f"sum to more than a million: another unit than {self.unit}?", fewest=1)
        own = np.abs(sums / 1e6 - 1) < 0.05
        for name in BASES if self._log and own.sum() >= FEWEST_APART else ():
            other = ~own & (np.abs(self._total(name) / 1e6 - 1) < 0.05)
            # Sums of a part of the genes are about a million in some samples by chance.
            if (own | other).mean() > 0.9:
                self._name(other, f"sum to a million if they are {name} logarithms, and not if they are log2")
        if self.genes >= TRANSCRIPTOME and median < 3e5:
            self.warnings.append(
                f"{self.genes:,} genes sum to {median:.3g}, a small part of a million: another unit or logarithm?"
            )
        # A part of the genes holds about the same share of TPM in every sample; sums of FPKM vary with the library.
        uneven = len(sums) > 2 and float(sums.std() / sums.mean()) > UNEVEN
        if self.unit == "tpm" and self.genes >= TRANSCRIPTOME and uneven and sums.max() < 0.95e6:
            self.warnings.append(
                f"{self.genes:,} genes sum to {sums.min():.3g} in one sample and to {sums.max():.3g} in another, "
                "and TPM of all genes to a million: are these FPKM? They can be converted (unit fpkm, convert tpm)"
            )
        whole = "a whole transcriptome" if median > 0.9e6 else f"{median / 1e4:.1f} % of the transcriptome"
        return f"; samples sum to {median:,.0f}: {whole}"

    def _name(self, odd: np.ndarray, what: str, fewest: int = FEWEST_APART) -> None:
        """Warn of samples whose sums say that they are of another unit than the others."""
        if self.genes >= FEWEST_FOR_SUMS and odd.sum() >= max(fewest, SHARE_APART * len(odd) * (fewest > 1)):
            names = pd.Index([name for part in self.probed for name in part])[odd]
            self.warnings.append(f"values of {count(len(names), 'sample')} ({some(names, 3)}) {what}")

    def _look_for_no_counts(self, sums: np.ndarray) -> None:
        """Warn of whole numbers that are no counts: TPM among them, ranks, logarithms that were rounded, yes and no."""
        million = np.abs(sums / 1e6 - 1) < 0.003
        if not million.all():
            self._name(million, "sum to a million: TPM or CPM, rounded, among counts?")
        if self.genes < FEWEST_FOR_RANGES or not len(sums):
            return
        if len(sums) > 2 and np.ptp(sums) == 0 and sums[0] > 0 and not million.all():
            self.warnings.append(f"all samples sum to {sums[0]:,.0f}: ranks, or counts that were thinned to one depth?")
        if self.largest <= 1:
            self.warnings.append("no value is above 1: are these counts, and not genes that are detected or not?")
        elif self.largest < BETWEEN and np.median(sums) > self.genes:
            self.warnings.append(f"no value is above {self.largest:g}: are these counts, and not logarithms, rounded?")

    def _look_for_mixture(self) -> None:
        """Warn where some samples look like logarithms and the others like linear values, or the scales differ."""
        if not self.largest_of or self.genes < FEWEST_FOR_RANGES:
            return
        largest = pd.concat(self.largest_of).groupby(level=0, sort=False).max()
        zero = np.log2(self.log_offset) if self._log and self.log_offset else -np.inf if self._log else 0.0
        largest = largest[largest > zero]
        if len(largest) > 2 and largest.nunique() == 1 and self.genes >= FEWEST_FOR_SUMS:
            self.warnings.append(
                f"the largest value is {largest.iloc[0]:.6g} in every sample: ranks, or quantile-normalised values?"
            )
        low, high = largest[largest < BETWEEN], largest[largest >= BETWEEN]
        # Linear values of a few lowly expressed genes may lie on both sides of the limit.
        if len(low) and len(high) and (self._log or high.median() > 10 * low.median()):
            odd = min((high, low) if self._log else (low, high), key=len)
            self.warnings.append(
                f"in {count(len(odd), 'sample')} ({some(odd.index, 3)}) the largest value is {odd.median():.4g}, in "
                f"others {largest.drop(odd.index).median():.4g}: "
                + (
                    "logarithms and linear values seem to be mixed"
                    if low.median() > SMALLEST_LOG2
                    else "another scale?"
                )
            )
            return
        logs = largest if self._log else np.log2(largest)
        far = (logs - logs.median()).abs() > SCALES
        if far.any():
            self.warnings.append(
                f"in {count(int(far.sum()), 'sample')} ({some(largest.index[far], 3)}) the largest value is "
                f"{largest[far].median():.4g}, in others {largest[~far].median():.4g}: another scale?"
            )

    def _look_for_depth(self) -> None:
        """Warn where means of log2 values differ between samples as sequencing depth makes them differ."""
        if self.unit in COUNTED or self.genes < FEWEST_FOR_SUMS or not self.log_genes:
            return
        means, sums = self._total("logs") / self.log_genes, self._total("linear")
        if len(means) < 3 or sums.min() <= 0:
            return
        low, high = np.quantile(means, [0.05, 0.95])
        fold = float(np.exp2(high - low))
        # Depth moves mean and sum together; a few genes or tissues do not.
        together = np.corrcoef(means, np.log2(sums))[0, 1] if sums.std() > 0 and means.std() > 0 else 0.0
        if fold > DEPTH_FOLD and together > 0.75:
            self.warnings.append(
                f"samples differ {fold:.1f}-fold in their mean: sequencing depth seems to be left in. Counts are "
                "declared as counts, expected counts of RSEM as expected_counts"
            )
        if self.all_whole and self.unit not in COUNTED and not self._log:
            self.warnings.append(f"all values are whole numbers: are these counts, not {self.unit}?")
