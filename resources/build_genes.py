"""Build resources/genes.tsv.gz, the shipped gene table.

Usage: python resources/build_genes.py ANNOTATION_FOLDER

ANNOTATION_FOLDER holds the GDC's GENCODE v36 id-to-symbol table, NCBI's Entrez Gene of 2022-09-12 (Entrez id, symbol,
Ensembl ids, aliases), effective gene lengths and the L1000 landmark list.

An Entrez id is a gene's whose symbol it has; only where no gene has the symbol, the Ensembl ids that Entrez lists
decide, if one gene is left. An alias leads to a gene if it is the current symbol of none (in GENCODE or in Entrez) and
an alias of no other.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import pandas as pd

SEPARATOR = "|"


def entrez_of_genes(genes: pd.DataFrame, entrez: pd.DataFrame) -> dict[str, str]:
    """Ensembl id of each Entrez id, one gene for one id.

    Parameters
    ----------
    genes : DataFrame
        Index ``ensembl``; column ``symbol``.
    entrez : DataFrame
        ``entrez``, ``symbol``, ``ensembl`` and ``aliases`` (joined by ``|``).
    """
    by_symbol = genes.reset_index().groupby("symbol")["ensembl"].agg(list)
    found: dict[str, str] = {}
    later = []
    for row in entrez.itertuples(index=False):
        same = by_symbol.get(row.symbol, [])
        listed = [e for e in row.ensembl.split(SEPARATOR) if e in genes.index]
        # Several genes of GENCODE share a symbol here and there; Entrez' own list says which one is meant.
        candidates = [e for e in same if e in listed] or (same if len(same) == 1 else [])
        if candidates:
            found[row.entrez] = candidates[0]
        else:
            later.append((row.entrez, listed, {row.symbol, *row.aliases.split(SEPARATOR)}))
    taken = set(found.values())
    claims: dict[str, list[str]] = defaultdict(list)
    for identifier, listed, names in later:
        free = [e for e in listed if e not in taken]
        renamed = [e for e in free if genes.at[e, "symbol"] in names]
        candidates = renamed or free
        if len(candidates) == 1:
            claims[candidates[0]].append(identifier)
    return found | {ids[0]: ensembl for ensembl, ids in claims.items() if len(ids) == 1}


def aliases_of_genes(genes: pd.DataFrame, entrez: pd.DataFrame, found: dict[str, str]) -> dict[str, list[str]]:
    """Previous symbols and synonyms of each Ensembl id that say which gene is meant."""
    current = set(genes["symbol"])
    # A symbol of today that GENCODE v36 spells otherwise counts as a name of its gene.
    todays = {row.symbol for row in entrez.itertuples(index=False)}
    owners: dict[str, set[str]] = defaultdict(set)
    for row in entrez.itertuples(index=False):
        for name in filter(None, row.aliases.split(SEPARATOR)):
            owners[name].add(row.entrez)
    out: dict[str, list[str]] = defaultdict(list)
    for row in entrez.itertuples(index=False):
        if row.entrez not in found:
            continue
        names = {name for name in row.aliases.split(SEPARATOR) if name and owners[name] == {row.entrez}} - todays
        out[found[row.entrez]] += sorted((names | {row.symbol}) - current)
    return out


def build(annotation: Path) -> pd.DataFrame:
    """Gene table: ensembl, symbol, aliases, entrez, length, landmark."""
    genes = pd.read_csv(annotation / "gdc_gencode_v36_gene_id_to_name.csv.gz", keep_default_na=False)
    genes = genes[~genes["gene_id"].str.endswith("_PAR_Y")]
    genes["ensembl"] = genes["gene_id"].str.split(".").str[0]
    genes = genes.drop_duplicates("ensembl").set_index("ensembl")[["symbol"]]
    entrez = pd.read_csv(
        annotation / "entrez_gene_2022-09-12.tsv.gz", sep="\t", dtype=str, keep_default_na=False
    ).drop_duplicates("entrez")

    found = entrez_of_genes(genes, entrez)
    genes["entrez"] = pd.Series({ensembl: identifier for identifier, ensembl in found.items()})
    aliases = aliases_of_genes(genes, entrez, found)
    genes["aliases"] = pd.Series({ensembl: SEPARATOR.join(names) for ensembl, names in aliases.items() if names})

    length = pd.read_csv(annotation / "iobr_length_ensembl.tsv.gz", sep="\t").drop_duplicates("id").set_index("id")
    genes["length"] = length["eff_length"].reindex(genes.index).round().astype("Int64")
    landmarks = pd.read_csv(annotation / "L1000_landmark978_entrez_symbol_ensembl.csv")
    genes["landmark"] = genes.index.isin(landmarks["ENSEMBL.ID"]).astype(int)
    columns = ["ensembl", "symbol", "aliases", "entrez", "length", "landmark"]
    return genes.sort_index().reset_index()[columns]


if __name__ == "__main__":
    table = build(Path(sys.argv[1]))
    table.to_csv(
        Path(__file__).with_name("genes.tsv.gz"),
        sep="\t",
        index=False,
        compression={"method": "gzip", "mtime": 0, "compresslevel": 9},
    )
    print(
        f"{len(table)} genes, {table['entrez'].notna().sum()} with an Entrez id, {table['aliases'].notna().sum()} with "
        "aliases"
    )
