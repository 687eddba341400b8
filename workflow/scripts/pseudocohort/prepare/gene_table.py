"""The shipped table of genes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..core.io import read_table

COLUMNS = ("ensembl", "symbol", "aliases", "entrez", "length", "landmark")


@dataclass(frozen=True)
class GeneTable:
    """Genes by unversioned Ensembl id, and the ways to find them.

    Attributes
    ----------
    genes : DataFrame
        Index ``ensembl``; columns ``symbol``, ``aliases`` (previous symbols and synonyms, ``|``-joined), ``entrez``,
        ``length`` (base pairs of the union of exons), ``landmark`` (bool: one of the L1000 landmark genes).
    by_symbol, by_entrez : Series
        Ensembl id of each symbol, current ones before aliases, and of each Entrez id. An alias that several genes have
        is left out: it does not say which one is meant.
    current : frozenset of str
        Symbols that are current.
    """

    genes: pd.DataFrame
    by_symbol: pd.Series
    by_entrez: pd.Series
    current: frozenset[str] = frozenset()

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
    text = ["symbol", "aliases"]
    table[text] = table[text].fillna("")
    table["landmark"] = table["landmark"].fillna(0).astype(int).astype(bool)
    # Of several genes with one symbol, the one that Entrez has known longest, then one with a length.
    ranked = table.assign(unmeasured=table["length"].isna(), entrez=table["entrez"].astype(float))
    ranked = ranked[ranked["symbol"] != ""].sort_values(["entrez", "unmeasured", "ensembl"], na_position="last")
    current = ranked.drop_duplicates("symbol").set_index("symbol")["ensembl"]
    aliases = (
        table.loc[table["aliases"] != "", ["ensembl", "aliases"]]
        .assign(symbol=lambda t: t["aliases"].str.split("|"))
        .explode("symbol")
    )
    aliases = aliases[~aliases["symbol"].isin(current.index) & ~aliases["symbol"].duplicated(keep=False)]
    entrez = table.dropna(subset=["entrez"]).drop_duplicates("entrez", keep=False)
    return GeneTable(
        table.set_index("ensembl"),
        pd.concat([current, aliases.set_index("symbol")["ensembl"]]),
        pd.Series(entrez["ensembl"].to_numpy(), index=entrez["entrez"].astype(float).astype(int).astype(str)),
        frozenset(current.index),
    )
