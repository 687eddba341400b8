"""The shipped table of genes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..core.io import read_table

COLUMNS = ("ensembl", "symbol", "previous_symbols", "entrez", "length", "landmark")


@dataclass(frozen=True)
class GeneTable:
    """Genes by unversioned Ensembl id, and the ways to find them.

    Attributes
    ----------
    genes : DataFrame
        Index ``ensembl``; columns ``symbol``, ``previous_symbols`` (``|``-joined), ``entrez``, ``length`` (base
        pairs of the union of exons), ``landmark`` (bool: one of the L1000 landmark genes).
    by_symbol, by_entrez : Series
        Ensembl id of each symbol, current ones before previous ones, and of each Entrez id. A previous symbol that
        several genes have had is left out: it does not say which one is meant.
    """

    genes: pd.DataFrame
    by_symbol: pd.Series
    by_entrez: pd.Series

    @property
    def landmarks(self) -> pd.Index:
        """Ensembl ids of the L1000 landmark genes (Subramanian et al. 2017, Cell 171:1437)."""
        return self.genes.index[self.genes["landmark"]]

    def symbol(self, ensembl: pd.Index) -> pd.Series:
        """Current symbol of each id; the id itself where there is none."""
        return self.genes["symbol"].reindex(ensembl).fillna("").where(lambda s: s != "", ensembl.to_series())


def load_gene_table(path: str | Path) -> GeneTable:
    """Read ``resources/genes.tsv.gz``.

    Raises
    ------
    ContractError
        If a column is missing.
    """
    table = read_table(path, COLUMNS)
    text = ["symbol", "previous_symbols"]
    table[text] = table[text].fillna("")
    table["landmark"] = table["landmark"].fillna(0).astype(int).astype(bool)
    current = table[table["symbol"] != ""].drop_duplicates("symbol").set_index("symbol")["ensembl"]
    previous = (
        table.loc[table["previous_symbols"] != "", ["ensembl", "previous_symbols"]]
        .assign(symbol=lambda t: t["previous_symbols"].str.split("|"))
        .explode("symbol")
    )
    previous = previous[~previous["symbol"].isin(current.index) & ~previous["symbol"].duplicated(keep=False)]
    entrez = table.dropna(subset=["entrez"]).drop_duplicates("entrez")
    return GeneTable(
        table.set_index("ensembl"),
        pd.concat([current, previous.set_index("symbol")["ensembl"]]),
        pd.Series(entrez["ensembl"].to_numpy(), index=entrez["entrez"].astype(float).astype(int).astype(str)),
    )
