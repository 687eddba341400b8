"""Gene ids of a source to unversioned Ensembl ids."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Any

import anndata as ad
import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from ..core.blocks import row_blocks
from ..core.errors import UserError
from ..core.words import some
from .gene_table import GeneTable

log = logging.getLogger(__name__)

#: Rows that are no genes: spike-ins, counters of STAR and HTSeq, gene lengths, and the copies of the pseudo-autosomal
#: region on Y, which GENCODE lists beside those on X (``ENSGR...`` before release 25); Seurat writes ``-PAR-Y``.
NO_GENES = (
    r"^(?:ERCC-\d+|N_(?:unmapped|multimapping|noFeature|ambiguous)|__\w+|[Ll]ength|gene_?length"
    r"|no_feature|ambiguous|too_low_aQual|not_aligned|alignment_not_unique"
    r"|ENSG\d{11}(?:\.\d+)?[_.-]PAR[_.-]Y|ENSGR\d{10}(?:\.\d+)?)$"
)
#: Prefixes of references of several species, and of annotation files (``GRCh38_ENSG...``, ``gene:ENSG...``).
PREFIX = r"^(?:(?:GRCh3[78]|hg19|hg38|human|gene|GeneID|entrez|ncbi)[_:-]+)"
#: An Ensembl id of a human gene anywhere in an id, with its version, and a copy on Y.
ENSEMBL_IN = re.compile(r"(?<![A-Za-z0-9])(ENSG\d{11})(?![0-9])((?:\.\d+)?[_.-]PAR[_.-]Y)?", re.IGNORECASE)
#: Ids of transcripts and exons, also beside their gene's: kallisto's ``ENST...|ENSG...|``, DEXSeq's ``ENSG...:E001``.
PART_OF_GENE = re.compile(
    r"(?<![A-Za-z0-9])(?:ENS[A-Z]*[TE]\d{11}|[NX][MR]_\d{4,})|^ENSG\d{11}(?:\.\d+)?[:;]E?\d{1,4}$", re.IGNORECASE
)
#: Open reading frames of a chromosome, which some files write in capitals: C1ORF112.
FRAME = re.compile(r"^(C(?:\d+|X|Y))ORF(\d+\w*)$")
#: What pandas, R and scanpy put behind the second of two equal names.
REPEATED = re.compile(r"^(.+)[.-]\d{1,2}$")
#: Probes of microarrays: Affymetrix, Illumina, Agilent, methylation.
PROBE = re.compile(r"^(?:\d+(?:_[a-z])?_at|AFFX-.*|ILMN_\d+|A_\d+_P\d+|cg\d{8})$")
#: So many ids that count up from 0 or 1 are no accident.
COUNTING = 10
#: Symbol and Entrez id together: TCGA's ``TP53|7157``, DepMap's ``TP53 (7157)``.
PAIR = re.compile(r"^(?P<symbol>[^|(]*?)\s*[|(]\s*(?P<entrez>\d+)(?:\.0)?\s*\)?$")
NUMBER = re.compile(r"^(\d+)(?:\.0|_at)?$")
#: Ids of genes of other species: Ensembl's, with the letters of the species, and prefixes of mixed references.
OTHER_SPECIES = re.compile(
    r"(?:^|[^A-Za-z])ENS(?!G\d)[A-Z]{3,4}G\d{11}|^(?:mm10|mm9|mm39|GRCm3[89]|mouse)_", re.IGNORECASE
)
#: Symbols of mice: a capital, then small letters or digits; without the pseudogenes and clones that are spelled alike.
MOUSE_SYMBOL = re.compile(r"^(?:[A-Z][a-z0-9]+(?:-[A-Za-z0-9]+)*|[0-9]{7}[A-Z][0-9]{2}Rik|Gm[0-9]+)$")
#: What spreadsheets make of SEPT2, MARCH1, OCT4 and DEC1.
_MONTH = r"(?:mar|mär|mrz|mrt|sep|set|oct|okt|ott|out|dec|dez|déc|dic)[a-zäéû]*\.?"
DATE = re.compile(
    rf"^(?:\d{{1,2}}[-./ ]+{_MONTH}(?:[-./ ]+\d{{2,4}})?|{_MONTH}[-./ ]+\d{{1,4}}|\d{{4}}[-/]\d\d[-/]\d\d.*"
    r"|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})$",
    re.IGNORECASE,
)
DATES = "dates that a spreadsheet made of symbols such as MARCH1 and SEPT2"
DATES_REMEDY = "take the ids from the original file, or write current symbols (MARCHF1, MTARC1, SEPTIN2, DELEC1)"
KINDS = ("ensembl", "symbol", "symbol_entrez", "entrez")


def map_ids(ids: pd.Series, kind: str, table: GeneTable) -> pd.Series:
    """Ensembl id of each source id; empty where there is none; see :func:`map_and_compare`."""
    return _look_up(ids, kind, table)[0]


def map_and_compare(ids: pd.Series, kind: str, table: GeneTable) -> tuple[pd.Series, pd.Series]:
    """Ensembl id of each source id, empty where there is none, and where symbol and Entrez id disagree.

    Parameters
    ----------
    ids : Series of str
        Ids as in the source.
    kind : {'ensembl', 'symbol', 'symbol_entrez', 'entrez'}
        Declared in the dataset sheet. An Ensembl id is found with a version, a prefix (``GRCh38_``) or a symbol beside
        it. ``symbol_entrez`` are TCGA's ``TP53|7157`` (``?|100130426`` has an Entrez id only) and DepMap's
        ``TP53 (7157)``: a current symbol goes before the Entrez id, and the Entrez id before an alias; numbers alone
        are Entrez ids.
    table : GeneTable
        Known genes.

    Returns
    -------
    mapped : Series of str
        Ensembl ids.
    disagrees : Series of bool
        Symbol and Entrez id are both known, and of different genes.
    """
    return _look_up(ids, kind, table)[:2]


def _look_up(ids: pd.Series, kind: str, table: GeneTable) -> tuple[pd.Series, pd.Series, pd.Series]:
    """As :func:`map_and_compare`, and which ids are known by an alias alone."""
    bare = ids.str.strip().str.strip('"').str.strip()
    never = pd.Series(False, index=ids.index)
    if kind == "ensembl":
        return bare.map(ensembl_in), never, never
    bare = bare.str.replace(PREFIX, "", regex=True, case=False)
    if kind == "symbol":
        # Genes without a symbol have their Ensembl id in its place (Seurat, scanpy).
        by_symbol, alias = _by_symbol(bare, table)
        ensembl = bare.str.match(r"ENSG\d{11}")
        return by_symbol.where(~ensembl, bare.map(ensembl_in)), never, alias & ~ensembl
    if kind == "entrez":
        return bare.str.extract(NUMBER, expand=False).map(table.by_entrez).fillna(""), never, never
    parts = bare.str.extract(PAIR)
    alone = bare.str.extract(NUMBER, expand=False)
    symbol = parts["symbol"].where(parts["entrez"].notna(), bare)
    by_symbol, alias = _by_symbol(symbol, table)
    by_entrez = parts["entrez"].where(parts["entrez"].notna(), alone).map(table.by_entrez).fillna("")
    named = by_entrez.map(table.genes["symbol"]).fillna("")
    current = symbol.isin(table.current) & (named != symbol)
    mapped = by_symbol.where(current | (by_entrez == ""), by_entrez)
    disagrees = (by_symbol != "") & (by_entrez != "") & (by_symbol != by_entrez) & (named != symbol)
    return mapped, disagrees, alias & (by_entrez == "")


def _by_symbol(symbols: pd.Series, table: GeneTable) -> tuple[pd.Series, pd.Series]:
    """Ensembl id of each symbol, empty where there is none, and which of them are aliases."""
    frames = ~symbols.isin(table.by_symbol.index) & symbols.str.match(FRAME)
    symbols = symbols.where(~frames, symbols.str.replace(FRAME, r"\1orf\2", regex=True))
    # NEDD4-2 beside NEDD4 is its second row or NEDD4L, of which it is an alias: it does not say which.
    base = symbols.str.extract(REPEATED, expand=False)
    doubtful = base.isin(set(symbols)) & base.isin(table.current) & ~symbols.isin(table.current)
    # NA is an alias of XK, and what many files write where they have no symbol.
    mapped = symbols.where(~doubtful & (symbols != "NA"), "").map(table.by_symbol).fillna("")
    return mapped, (mapped != "") & ~symbols.isin(table.current)


def spreadsheet_dates(ids: pd.Series) -> pd.Series:
    """Which ids are dates that a spreadsheet made of symbols, written as dates or as the number of the day.

    Excel counts days from 1899-12-30. Numbers are dates if most of them are days of the numbered symbols (March 1 to
    11, September 1 to 15, October and December 1 to 4) in the years 1990 to 2040; else they are ids of another kind.
    """
    number = pd.to_numeric(ids.str.extract(r"^(\d{1,9})(?:\.0)?$", expand=False))
    day = pd.to_datetime(number.where(number.between(32_874, 51_500)), unit="D", origin="1899-12-30").dt
    serial = day.day <= day.month.map({3: 11, 9: 15, 10: 4, 12: 4}).fillna(0)
    if serial.sum() <= 0.5 * number.notna().sum():
        serial[:] = False
    return ids.str.match(DATE) | serial


def _refuse_row_numbers(ids: pd.Series, where: str) -> None:
    """Refuse ids that count the rows, of which many are Entrez ids of some gene."""
    if len(ids) < COUNTING or ids.iloc[0] not in ("0", "1") or not ids.str.fullmatch(r"\d{1,9}").all():
        return
    if (np.diff(ids.astype(int)) == 1).all():
        raise UserError(
            f"the gene ids count from {ids.iloc[0]} to {ids.iloc[-1]}: these are row numbers",
            where=where,
            remedy="write the table with the ids of the genes in its first column (pandas: set_index, or index=False)",
        )


def ensembl_in(text: str) -> str:
    """The human Ensembl gene id in a text; empty if there is none, several, a copy on Y, or a transcript or exon."""
    if PART_OF_GENE.search(text):
        return ""
    found = [(identifier.upper(), copy) for identifier, copy in ENSEMBL_IN.findall(text)]
    ids = {identifier for identifier, _ in found}
    return found[0][0] if len(ids) == 1 and not any(copy for _, copy in found) else ""


def _other_species(unknown: pd.Series, kind: str, table: GeneTable) -> pd.Series:
    """Which unknown ids are of another species."""
    other = unknown.str.contains(OTHER_SPECIES)
    if kind != "ensembl":
        symbol = unknown.str.extract(PAIR)["symbol"].fillna(unknown)
        other |= symbol.str.match(MOUSE_SYMBOL) & symbol.str.upper().isin(table.current)
    return other


def _explain_unknown(unknown: pd.Series, other: pd.Series, total: int, kind: str, table: GeneTable) -> tuple[str, str]:
    """What is wrong with ids most of which are unknown, and what to do."""
    if other.sum() > 0.5 * len(unknown):
        return (
            f"{other.sum()} of {total} gene ids are of another species (mouse, by the look of "
            f"{unknown[other].iloc[0]!r}), and the gene table is of humans",
            "translate them to human orthologs first (Ensembl BioMart, Mouse Genome Informatics), and say so in the "
            "citation; of a mixture of species give the human rows only",
        )
    what = f"{len(unknown)} of {total} gene ids are not known as {kind}; the first is {unknown.iloc[0]!r}"
    first = unknown.iloc[:2000]
    if first.str.match(PROBE).mean() > 0.5:
        return (
            f"{what}: these are probes of a microarray, not genes",
            "give a matrix of genes: take the probes of each gene together, by the annotation of the platform",
        )
    if first.str.contains(PART_OF_GENE).mean() > 0.5:
        return (
            f"{what}: these are transcripts or exons, not genes",
            "give a matrix of genes: sum transcripts by gene (in R: tximport, tx2gene), count exons by gene_id",
        )
    capitals = first.str.upper()
    if kind in ("symbol", "symbol_entrez") and (capitals.isin(table.current) & (capitals != first)).mean() > 0.5:
        return what, "if these are human genes, write them in capitals, as HGNC does"
    fits = {name: int((map_ids(first, name, table) != "").sum()) for name in KINDS if name != kind}
    best = max(fits, key=fits.get)
    if fits[best] > 0.5 * len(first):
        return what, f"they are known as {best}: declare gene_ids {best} in the dataset sheet"
    return what, f"declare the right gene_ids in the dataset sheet ({', '.join(KINDS[:-1])} or {KINDS[-1]})"


def _known_as(unknown: pd.Series, kind: str, table: GeneTable) -> dict[str, int]:
    """How many unknown ids are known as ids of another kind: a mixture of kinds, of which one is declared."""
    found = {name: int((map_ids(unknown, name, table) != "").sum()) for name in ("ensembl", "symbol") if name != kind}
    return {name: count for name, count in found.items() if count}


@dataclass(frozen=True)
class GeneMap:
    """What becomes of a source's columns.

    Attributes
    ----------
    genes : Index
        Ensembl ids, sorted, one per gene.
    columns : ndarray of int64
        For ``highest_mean`` and ``first``: the source's column of each gene. For ``sum``: all columns with a gene.
    codes : ndarray of int64
        For ``sum``: position in `genes` of each of `columns`; else empty.
    report : dict
        What became of the source's ids, JSON-able.
    """

    genes: pd.Index
    columns: np.ndarray
    codes: np.ndarray
    report: dict[str, Any]

    def apply(self, x: np.ndarray | sparse.csr_matrix) -> np.ndarray | sparse.csr_matrix:
        """Block of profiles (n × source columns) as n × genes, of the same type."""
        chosen = x[:, self.columns]
        if not len(self.codes):
            return chosen
        shape = (len(self.codes), len(self.genes))
        spread = sparse.csr_matrix((np.ones(shape[0]), (np.arange(shape[0]), self.codes)), shape=shape)
        summed = chosen @ spread
        return (summed.tocsr() if sparse.issparse(summed) else np.asarray(summed)).astype(x.dtype)

    def var(self, table: GeneTable) -> pd.DataFrame:
        """Annotation of the genes."""
        return pd.DataFrame({"symbol": table.symbol(self.genes).to_numpy(dtype=str)}, index=self.genes)


def _means(x: Any) -> np.ndarray:
    """Mean of each column of a matrix, in memory or in a file."""
    total = sum(np.asarray(block.sum(axis=0, dtype=np.float64)).ravel() for block in row_blocks(x))
    return total / x.shape[0]


def gene_map(adata: ad.AnnData, kind: str, rule: str, table: GeneTable) -> GeneMap:
    """How the columns of ingested profiles become unversioned Ensembl ids.

    Parameters
    ----------
    adata : AnnData
        Ingested profiles, ``X`` in memory or in the file; ``var["source_id"]`` holds the ids as in the source.
    kind : {'ensembl', 'symbol', 'symbol_entrez', 'entrez'}
        Declared id type.
    rule : {'highest_mean', 'sum', 'first'}
        What to do with several rows of one gene: keep the one with the highest mean, add them (linear units only), or
        keep the first.
    table : GeneTable
        Known genes.

    Raises
    ------
    UserError
        If ids are row numbers, fewer than half of them are known, or values on log scale are to be summed.
    """
    ids = adata.var["source_id"].astype(str).reset_index(drop=True)
    source = adata.uns["pseudocohort"]
    where = f"{source['source']} (dataset {source['dataset']!r})"
    _refuse_row_numbers(ids.str.strip(), where)
    set_aside = ids.str.strip().str.match(NO_GENES).to_numpy()
    mapped, disagrees, alias = _look_up(ids, kind, table)
    # CTAGE5 beside MIA2, of which it is an alias, was a gene of its own when the file was made.
    beside = (alias & mapped.isin(mapped[~alias])).to_numpy()
    target = mapped.where(~beside, "").to_numpy(dtype=str)
    target[set_aside] = ""
    unknown = (target == "") & ~set_aside & ~beside
    other = _other_species(ids[unknown], kind, table)
    if unknown.sum() > 0.5 * (~set_aside).sum():
        what, remedy = _explain_unknown(ids[unknown], other, int((~set_aside).sum()), kind, table)
        raise UserError(what, where=where, remedy=remedy)
    dates = ids[unknown][spreadsheet_dates(ids[unknown].str.strip())].tolist()
    if dates:
        log.warning("%s: %d ids are left out: %s: %s; %s", where, len(dates), DATES, some(dates, 8), DATES_REMEDY)
    known = np.flatnonzero(target != "")
    repeated = len(known) - len(np.unique(target[known]))
    if repeated and rule == "sum" and "log_offset" in source:
        raise UserError(
            f"{repeated} rows repeat a gene, and values on log scale cannot be summed",
            where=f"dataset {source['dataset']!r}, prepare.gene_duplicates",
            remedy="use highest_mean or first",
        )
    genes, first, codes = np.unique(target[known], return_index=True, return_inverse=True)
    columns = known[first]
    if repeated and rule == "sum":
        columns = known
    elif repeated and rule == "highest_mean":
        mean = _means(adata.X)[known]
        order = np.lexsort((np.arange(len(codes)), -mean, codes))
        columns = known[order[np.r_[True, np.diff(codes[order]) > 0]]]
    report = {
        "ids": len(ids),
        "genes": len(genes),
        "set_aside": ids[set_aside].tolist()[:20],
        "unknown": int(unknown.sum()),
        "unknown_examples": ids[unknown].tolist()[:20],
        "other_species": int(other.sum()),
        "known_as": _known_as(ids[unknown], kind, table),
        "spreadsheet_dates": dates[:20],
        "disagreements": int(disagrees.sum()),
        "disagreement_examples": ids[disagrees].tolist()[:20],
        "aliases_beside": int(beside.sum()),
        "alias_examples": (ids[beside] + " (" + mapped[beside].map(table.genes["symbol"]) + ")").tolist()[:20],
        "repeated": repeated,
        "rule": rule,
    }
    summed = codes if repeated and rule == "sum" else np.empty(0, np.int64)
    return GeneMap(pd.Index(genes, dtype=str), columns, summed, report)


def mapped_profiles(
    adata: ad.AnnData, mapping: GeneMap, table: GeneTable, keep: np.ndarray | None = None
) -> ad.AnnData:
    """Profiles with the genes of `mapping`, in memory; those to `keep` (n, bool), or all."""
    x, filled = adata.X, 0
    keep = np.ones(adata.n_obs, dtype=bool) if keep is None else keep
    dense = isinstance(x, np.ndarray | h5py.Dataset)
    mapped: Any = np.empty((int(keep.sum()), len(mapping.genes)), x.dtype) if dense else []
    # In blocks: rows of a matrix that stays in its file, and no second copy of one of full size.
    for block in row_blocks(x, keep):
        part = mapping.apply(block)
        if not dense:
            mapped.append(part)
            continue
        mapped[filled : filled + part.shape[0]] = part.toarray() if sparse.issparse(part) else part
        filled += part.shape[0]
    if not dense:
        mapped = sparse.vstack(mapped, format="csr")
    return ad.AnnData(mapped, obs=adata.obs[keep].copy(), var=mapping.var(table), uns=dict(adata.uns))
