"""Dependency of cell lines on genes: the tables of DepMap's releases, by lineage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..core.errors import UserError

#: Share of all lines above which a gene is pan-essential.
PAN_ESSENTIAL = 0.9
#: A gene is selective for a lineage if the share of dependent lines is that much above the other lines', and so many
#: standard errors.
DIFFERENCE, STANDARD_ERRORS = 0.1, 3.5
_ANNOTATION = ("gene_name", "gene", "symbol", "entrez_id")


@dataclass(frozen=True)
class Dependencies:
    """Which lines depend on which genes.

    Attributes
    ----------
    dependent : DataFrame of float (genes, lines)
        1 dependent, 0 not, NaN not measured; index = symbols, columns = lines.
    lineage : Series of str
        Lineage of each line, lower case.
    """

    dependent: pd.DataFrame
    lineage: pd.Series

    def lineages(self) -> list[str]:
        """Lineages, by name."""
        return sorted(self.lineage.unique())

    def share(self, lineage: str | None = None, *, others: bool = False) -> pd.Series:
        """Share of dependent lines of each gene: of all lines, a lineage, or all others."""
        chosen = np.ones(len(self.lineage), bool) if lineage is None else (self.lineage == lineage).to_numpy() != others
        return self.dependent.loc[:, chosen].mean(axis=1)

    def pan_essential(self) -> pd.Series:
        """Genes on which nearly all lines depend: no targets, since normal cells do too."""
        return self.share() > PAN_ESSENTIAL

    def selective(self, lineage: str) -> pd.Series:
        """Genes on which the lines of a lineage depend more often than all others (test of two proportions)."""
        own = (self.lineage == lineage).to_numpy()
        inside, outside = self.dependent.loc[:, own], self.dependent.loc[:, ~own]
        n, m = inside.notna().sum(axis=1), outside.notna().sum(axis=1)
        p, q, every = inside.mean(axis=1), outside.mean(axis=1), self.share()
        error = np.sqrt((every * (1 - every) * (1 / n + 1 / m)).clip(lower=1e-9))
        return ((p - q) / error > STANDARD_ERRORS) & (p - q > DIFFERENCE) & ~self.pan_essential()


def read_tiers(paths: Sequence[str | Path]) -> Dependencies:
    """Dependencies from tables of genes by lines whose values are tiers: 0 none, 1 dependency, 2 strong dependency.

    Lines are named as in DepMap, ``NAME_LINEAGE``; several tables are joined, a line of two is taken from the first.

    Raises
    ------
    UserError
        If a table has no gene column, no line with a lineage, or other values.
    """
    parts = []
    for path in map(str, paths):
        table = pd.read_csv(path, sep="\t" if ".tsv" in Path(path).name else ",", low_memory=False)
        named = next((c for c in _ANNOTATION[:3] if c in table), None)
        if named is None:
            raise UserError(
                "no column gene_name, gene or symbol", where=path, remedy="give genes by lines, with the gene's symbol"
            )
        table = table.drop_duplicates(named).set_index(named)
        lines = [c for c in table if c not in _ANNOTATION and "_" in c]
        if not lines:
            raise UserError("no column is a line named NAME_LINEAGE", where=path, remedy="keep DepMap's CCLE names")
        values = table[lines].apply(pd.to_numeric, errors="coerce")
        wrong = (values.notna() & ~values.isin([0, 1, 2])) | (values.isna() & table[lines].notna())
        if wrong.to_numpy().any():
            gene, line = np.argwhere(wrong.to_numpy())[0]
            raise UserError(
                f"{table[lines].iloc[gene, line]} is no tier: 0, 1 and 2 are",
                where=f"{path}, gene {table.index[gene]!r}, line {lines[line]!r}",
                remedy="give tiers of dependency, or empty where a gene was not measured",
            )
        parts.append((values >= 1).where(values.notna()).astype(float))
    joined = pd.concat(parts, axis=1)
    joined = joined.loc[:, ~joined.columns.duplicated()]
    lineage = pd.Series([c.split("_", 1)[1].lower() for c in joined], index=joined.columns)
    return Dependencies(joined, lineage)
