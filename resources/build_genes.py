"""Build resources/genes.tsv.gz, the shipped gene table.

Usage: python resources/build_genes.py ANNOTATION_FOLDER CELL_LINE_FOLDER

ANNOTATION_FOLDER holds the GDC's GENCODE v36 id-to-symbol table, effective gene lengths, the L1000 landmark list and
the
symbol-to-Entrez map of TCGA HiSeqV2 (HGNC symbols of 2011); CELL_LINE_FOLDER the gene information of the PS-ON panel
(Ensembl, Entrez, symbol). Symbols of 2011 that GENCODE v36 no longer has are followed through their Entrez ids.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd


def build(annotation: Path, lines: Path) -> pd.DataFrame:
    """Gene table: ensembl, symbol, previous_symbols, entrez, length, landmark."""
    genes = pd.read_csv(annotation / "gdc_gencode_v36_gene_id_to_name.csv.gz")
    genes = genes[~genes["gene_id"].str.endswith("_PAR_Y")]
    genes["ensembl"] = genes["gene_id"].str.split(".").str[0]
    genes = genes.drop_duplicates("ensembl").set_index("ensembl")[["symbol"]]

    landmarks = pd.read_csv(annotation / "L1000_landmark978_entrez_symbol_ensembl.csv")
    panel = pd.read_csv(lines / "pson_expr_gene_info.tsv.gz", sep="\t", dtype=str).dropna(subset=["entrez"])
    entrez = pd.concat(
        [
            landmarks.rename(columns={"ENSEMBL.ID": "ensembl", "Entrez.ID": "entrez"})[["ensembl", "entrez"]].astype(
                str
            ),
            panel.rename(columns={"gene_id": "ensembl"})[["ensembl", "entrez"]],
        ]
    )
    entrez = entrez[entrez["ensembl"].isin(genes.index)].drop_duplicates("ensembl")
    genes["entrez"] = entrez.set_index("ensembl")["entrez"]

    length = pd.read_csv(annotation / "iobr_length_ensembl.tsv.gz", sep="\t").drop_duplicates("id").set_index("id")
    genes["length"] = length["eff_length"].reindex(genes.index).round().astype("Int64")
    genes["landmark"] = genes.index.isin(landmarks["ENSEMBL.ID"]).astype(int)

    # Old symbols: only those that no gene has now, and whose Entrez id leads to exactly one gene.
    old = pd.read_csv(annotation / "tcga_HiSeqV2_gene_map.tsv.gz", sep="\t", dtype=str)
    old = old[~old["symbol"].isin(genes["symbol"]) & ~old["symbol"].str.startswith("?")]
    by_entrez = entrez.drop_duplicates("entrez", keep=False).set_index("entrez")["ensembl"]
    old["ensembl"] = old["entrez_gene_id"].map(by_entrez)
    previous = old.dropna(subset=["ensembl"]).groupby("ensembl")["symbol"].agg(lambda s: ";".join(sorted(set(s))))
    genes["previous_symbols"] = previous.reindex(genes.index)
    columns = ["ensembl", "symbol", "previous_symbols", "entrez", "length", "landmark"]
    return genes.sort_index().reset_index()[columns]


if __name__ == "__main__":
    table = build(Path(sys.argv[1]), Path(sys.argv[2]))
    table.to_csv(
        Path(__file__).with_name("genes.tsv.gz"),
        sep="\t",
        index=False,
        compression={"method": "gzip", "mtime": 0, "compresslevel": 9},
    )
    print(f"{len(table)} genes, {table['previous_symbols'].notna().sum()} with previous symbols")
