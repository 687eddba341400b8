"""What is missing: labels that say so, and values without a number."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from ..core.errors import UserError
from .matrix import Matrix

#: Words that sources write where they have no label, without case, brackets, quotes and blanks.
ABSENT = {
    "", "-", "--", ".", "..", "na", "n/a", "n.a.", "n.a", "n.d.", "n/d", "#n/a", "#na", "#nv", "#n/d", "nan", "nat",
    "na character", "null", "nil", "\\n", "none", "unknown", "unspecified", "undefined", "undef", "undetermined",
    "unset", "unk", "tbd", "tba", "missing", "blank", "empty", "pending", "withheld", "restricted access", "no data",
    "no value", "no information", "data not available", "information not available", "unavailable", "unassigned",
    "discrepancy",
}  # fmt: skip
#: Errors of spreadsheets, and "not" with what was not done; with a reason after it ("missing: control sample").
ABSENT_LIKE = re.compile(
    r"#(?:value|ref|name|div/0|num|null|wert|bezug|zahl|valeur|nombre|valor)[!?]"
    r"|not (?:available|applicable|reported|provided|recorded|evaluated|collected|known|determined|specified|assessed"
    r"|done|assigned|tested|performed|examined|measured|given|stated|defined|disclosed|obtained)\.?"
    r"|(?:missing|not (?:available|applicable|collected|provided|reported)) ?[:;,].*"
)
#: Of these, those that may well be a class: they are left out, and said by name.
DOUBTFUL = {"none", "unknown", "unk", "-", "unassigned", "undetermined", "pending", "blank", "empty", "unset"}


def key_of(label: str) -> str:
    """What a label has in common with :data:`ABSENT`."""
    text = label.strip().strip("'\"").strip()
    while len(text) > 1 and (text[0], text[-1]) in {("[", "]"), ("<", ">"), ("(", ")"), ("{", "}")}:
        text = text[1:-1].strip()
    return re.sub(r"[\s_]+|(?<=[A-Za-z])-(?=[A-Za-z])", " ", text).lower().strip()


def is_absent(labels: pd.Series, *, donors: bool = False) -> pd.Series:
    """Which labels say that there is none; of `donors` also those without a letter or digit, which name nobody."""
    keys = {label: key_of(label) for label in labels.unique()}
    known = {
        label: key in ABSENT or bool(ABSENT_LIKE.fullmatch(key)) or (donors and not any(c.isalnum() for c in key))
        for label, key in keys.items()
    }
    return labels.map(known).astype(bool)


@dataclass
class Missing:
    """Values of a matrix that are missing, found block by block, and the declared way on.

    Attributes
    ----------
    rule : {'', 'drop_gene', 'zero'}
        Declared in the sheet; empty: missing values are an error once all of them are known.
    floor : float
        Value of an expression of zero.
    conditions : Series
        Condition of each sample.
    """

    rule: str
    floor: float
    conditions: pd.Series
    values: int = 0
    genes: list[Any] = field(default_factory=list)
    samples: set[Any] = field(default_factory=set)
    first: tuple[Any, Any] | None = None
    seen: set[Any] = field(default_factory=set)

    def treat(self, block: Matrix, drop: np.ndarray | None = None) -> Matrix:
        """A block without missing values.

        They are counted, and become zeros; with ``drop_gene`` the genes that have any leave the block: those of
        `drop` where it is given (blocks of samples have to agree on their genes).
        """
        stored = block.x.data if sparse.issparse(block.x) else block.x
        if not np.issubdtype(stored.dtype, np.integer) and np.isnan(stored).any():
            self._count(block)
            x = block.x.copy()
            if sparse.issparse(x):
                x.data[np.isnan(x.data)] = self.floor
            else:
                x[np.isnan(x)] = self.floor
            genes = np.zeros(block.x.shape[1], dtype=bool)
            genes[self._where(block)[1]] = True
            block = replace(block, x=x)
            if self.rule == "drop_gene" and drop is None:
                drop = genes
        if self.rule == "drop_gene" and drop is not None and drop.any():
            symbols = None if block.symbols is None else block.symbols[~drop]
            block = replace(block, x=block.x[:, ~drop], genes=block.genes[~drop], symbols=symbols)
        return block

    @staticmethod
    def _where(block: Matrix) -> tuple[np.ndarray, np.ndarray]:
        if sparse.issparse(block.x):
            entries = block.x.tocoo()
            bad = np.isnan(entries.data)
            return entries.row[bad], entries.col[bad]
        return np.nonzero(np.isnan(block.x))

    def _count(self, block: Matrix) -> None:
        rows, columns = self._where(block)
        self.values += len(rows)
        for gene in block.genes[np.unique(columns)]:
            if gene not in self.seen:
                self.seen.add(gene)
                self.genes.append(gene)
        self.samples |= set(block.samples[np.unique(rows)])
        if self.first is None:
            self.first = (block.genes[columns[0]], block.samples[rows[0]])

    def report(self) -> dict[str, Any]:
        """How many values, in how many genes and samples, and what became of them; empty if there are none."""
        if not self.values:
            return {}
        return {
            "values": self.values,
            "genes": len(self.genes),
            "samples": len(self.samples),
            "rule": self.rule,
            "first_genes": [str(gene) for gene in self.genes[:20]],
        }

    def check(self, genes: int, where: str) -> None:
        """Refuse missing values that no rule is declared for, described as a whole.

        Raises
        ------
        UserError
            Saying how many, in which genes, samples and conditions.
        """
        if not self.values or self.rule:
            return
        of = self.conditions[self.conditions.index.isin(self.samples)].value_counts().sort_index()
        conditions = ", ".join(f"{name} {count}" for name, count in of.head(8).items())
        more = f" and {len(of) - 8} more conditions" if len(of) > 8 else ""
        raise UserError(
            f"{self.values:,} values are missing, in {len(self.genes):,} of {genes:,} genes and "
            f"{len(self.samples):,} of {len(self.conditions):,} samples ({conditions}{more}); "
            f"the first is nan for gene {self.first[0]!r} in sample {self.first[1]!r}",
            where=where,
            remedy="in the sheet, set 'missing' to drop_gene (leaves these genes out) or zero (where the source "
            "leaves zeros empty); or fill them in the file",
        )
