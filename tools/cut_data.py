"""Cut public files to the genes and samples of the shipped studies, as config/datasets.tsv expects them.

Usage: python tools/cut_data.py DATASET --out DATA_ROOT --matrix FILE [FILE ...] [--samples FILE]

DATASET is tcga_brca, tcga_paired (a HiSeqV2.gz per cohort, COHORT=FILE) or gtex; resources/cuts.tsv.gz lists the genes
and samples, in order. Where the files come from: docs/data-sources.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow/scripts"))

from pseudocohort.core.errors import UserError
from pseudocohort.core.io import write_table
from pseudocohort.ingest.samples import read_samples

CUTS = ROOT / "resources/cuts.tsv.gz"
STATUS = {"01": "tumor", "11": "normal"}


def listed(dataset: str, kind: str) -> list[str]:
    """Ids of the genes or samples of a dataset's cut, in order."""
    table = pd.read_csv(CUTS, sep="\t", dtype=str, keep_default_na=False)
    return table.loc[(table["dataset"] == dataset) & (table["kind"] == kind), "id"].tolist()


def cut(path: Path, genes: list[str], columns: list[str]) -> pd.DataFrame:
    """Rows `genes` and columns `columns` of a genes × samples table, in their order, read in pieces.

    Raises
    ------
    UserError
        If a gene or a sample is not in the file.
    """
    header = pd.read_csv(path, sep="\t", nrows=0).columns
    if missing := [c for c in columns if c not in header]:
        _missing("sample", missing, len(columns), path)
    wanted = set(genes)
    parts = [
        piece[piece.iloc[:, 0].isin(wanted)]
        for piece in pd.read_csv(path, sep="\t", usecols=[header[0], *columns], chunksize=500)
    ]
    table = pd.concat(parts).set_index(header[0])
    table = table[~table.index.duplicated()]
    if missing := [g for g in genes if g not in table.index]:
        _missing("gene", missing, len(genes), path)
    return table.loc[genes, columns]


def _missing(what: str, missing: list[str], of: int, path: Path) -> None:
    raise UserError(
        f"{len(missing)} of {of} {what}s of the cut are not in the file; the first is {missing[0]!r}",
        where=str(path), remedy="take the release that docs/data-sources.md names",
    )  # fmt: skip


def tcga_brca(matrices: list[Path], samples: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """844 tumours × 1,000 genes of UCSC Xena's HiSeqV2, with their PAM50 subtypes."""
    ids = listed("tcga_brca", "sample")
    about = read_samples(samples).set_index("sampleID").reindex(ids)
    table = pd.DataFrame(
        {
            "sample_id": ids, "pam50": about["PAM50Call_RNAseq"].to_numpy(), "patient": [i[:12] for i in ids],
            "status": [STATUS[i[13:15]] for i in ids],
        }
    )  # fmt: skip
    return cut(matrices[0], listed("tcga_brca", "gene"), ids), table


def tcga_paired(matrices: list[Path], samples: Path | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """808 samples × 3,556 genes of six cohorts: log2(x + 1) of HiSeqV2 as log2(x + 0.25), two decimals."""
    ids, genes = listed("tcga_paired", "sample"), listed("tcga_paired", "gene")
    parts, rows = {}, []
    for given in matrices:
        cohort, _, path = str(given).partition("=")
        if not path:
            raise UserError(
                "the cohort is not given", where=str(given), remedy="write COHORT=FILE, e.g. BRCA=HiSeqV2.gz"
            )
        header = set(pd.read_csv(path, sep="\t", nrows=0).columns)
        own = [i for i in ids if i[:15] in header]
        values = np.exp2(cut(Path(path), genes, [i[:15] for i in own]).to_numpy()) - 1
        parts[cohort] = pd.DataFrame(np.log2(np.maximum(values, 0) + 0.25).round(2), genes, own)
        rows += [(i, i[:12], STATUS[i[13:15]], cohort) for i in own]
    table = pd.DataFrame(rows, columns=["sample_id", "patient", "status", "cancer_type"])
    if missing := [i for i in ids if i not in set(table["sample_id"])]:
        _missing("sample", missing, len(ids), Path(str(matrices[0])))
    return pd.concat(parts.values(), axis=1)[ids], table.set_index("sample_id").loc[ids].reset_index()


def gtex(matrices: list[Path], samples: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """2,471 normal samples × 1,000 genes of UCSC Toil."""
    ids = listed("gtex", "sample")
    about = read_samples(samples).set_index("sample").reindex(ids)
    table = about[["detailed_category", "_primary_site", "_sample_type", "_gender", "_study"]].reset_index(drop=True)
    table.insert(0, "sample_id", ids)
    table.insert(1, "label", table["_primary_site"])
    table.insert(2, "subject", ["-".join(i.split("-")[:2]) for i in ids])
    return cut(matrices[0], listed("gtex", "gene"), ids), table


CUT: dict[str, Callable[..., tuple[pd.DataFrame, pd.DataFrame]]] = {
    "tcga_brca": tcga_brca, "tcga_paired": tcga_paired, "gtex": gtex,
}  # fmt: skip


def main() -> int:
    """Write ``expression.tsv.gz`` and ``samples.tsv`` of a dataset."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=CUT)
    parser.add_argument("--out", type=Path, required=True, help="the data root")
    parser.add_argument("--matrix", nargs="+", required=True, help="downloaded matrices")
    parser.add_argument("--samples", type=Path, help="downloaded sample table")
    options = parser.parse_args()
    if options.samples is None and options.dataset != "tcga_paired":
        parser.error(f"{options.dataset} needs --samples")
    try:
        matrix, table = CUT[options.dataset]([Path(m) for m in options.matrix], options.samples)
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    folder = options.out / options.dataset.replace("_", "-")
    folder.mkdir(parents=True, exist_ok=True)
    write_table(matrix.rename_axis("gene").reset_index(), folder / "expression.tsv.gz")
    write_table(table, folder / "samples.tsv")
    print(f"{folder}: {matrix.shape[0]:,} genes x {matrix.shape[1]:,} samples")
    return 0


if __name__ == "__main__":
    sys.exit(main())
