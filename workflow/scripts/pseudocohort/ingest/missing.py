"""What is missing: labels that say so, and values without a number."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import UserError
from ..core.words import some
from .matrix import Matrix, places, stored

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
    genes: dict[Any, None] = field(default_factory=dict)  # in the order of the file
    samples: set[Any] = field(default_factory=set)
    first: tuple[Any, Any] | None = None

    def treat(self, block: Matrix, drop: np.ndarray | None = None) -> Matrix:
        """A block without missing values.

        They are counted, and become zeros; with ``drop_gene`` the genes that have any leave the block: those of
        `drop` where it is given (blocks of samples have to agree on their genes).
        """
        values = stored(block.x)
        if not np.issubdtype(values.dtype, np.integer) and (absent := np.isnan(values)).any():
            rows, columns = places(block.x, absent)
            self._count(block, rows, columns)
            x = block.x.copy()
            stored(x)[absent] = self.floor
            block = replace(block, x=x)
            if self.rule == "drop_gene" and drop is None:
                drop = np.isin(np.arange(x.shape[1]), columns)
        if self.rule == "drop_gene" and drop is not None and drop.any():
            symbols = None if block.symbols is None else block.symbols[~drop]
            block = replace(block, x=block.x[:, ~drop], genes=block.genes[~drop], symbols=symbols)
        return block

    def _count(self, block: Matrix, rows: np.ndarray, columns: np.ndarray) -> None:
        self.values += len(rows)
        self.genes |= dict.fromkeys(block.genes[np.unique(columns)])
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
            "first_genes": [str(gene) for gene in list(self.genes)[:20]],
        }

    def check(self, genes: int, where: str) -> None:
        """Refuse missing values that no rule is declared for, described as a whole."""
        if not self.values or self.rule:
            return
        of = self.conditions[self.conditions.index.isin(self.samples)].value_counts().sort_index()
        conditions = some([f"{name} {count}" for name, count in of.items()], 8)
        raise UserError(
            f"{self.values:,} values are missing, in {len(self.genes):,} of {genes:,} genes and "
            f"{len(self.samples):,} of {len(self.conditions):,} samples ({conditions}); "
            f"the first is nan for gene {self.first[0]!r} in sample {self.first[1]!r}",
            where=where,
            remedy="in the sheet, set 'missing' to drop_gene (leaves these genes out) or zero (where the source "
            "leaves zeros empty); or fill them in the file",
        )
