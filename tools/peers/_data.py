"""The matrices that all are compared on, and their splits by donor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pseudocohort.metrics.sizes import in_class_order

#: Profiles of each role, about: donors are dealt out whole.
PROFILES = {"train": 300, "holdout": 200, "reference": 200}
#: Share of training profiles in which a gene is above its least value.
LEAST_DETECTED = 0.2
#: Classes with most donors that are taken of a data set with more.
MOST_CLASSES = 12
#: Multiples of it, less their whole part, are spread evenly over any run of donors.
_GOLDEN = (5**0.5 - 1) / 2


@dataclass
class Matrix:
    """Profiles × genes, log2(x + 1), with class and donor of each profile, and the genes' symbols."""

    x: pd.DataFrame
    classes: np.ndarray
    donors: np.ndarray
    symbols: pd.Series


def _matrix(folder: Path, offset: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    samples = pd.read_csv(folder / "samples.tsv", sep="\t", index_col=0)
    x = pd.read_csv(folder / "expression.tsv.gz", sep="\t", index_col=0).T
    x = x.loc[:, ~x.columns.duplicated()]
    both = samples.index.intersection(x.index)
    x = x.loc[both].astype(np.float64)
    return np.log2(np.maximum(2**x - offset, 0) + 1).astype(np.float32), samples.loc[both]


def tcga_brca(root: Path) -> Matrix:
    """Tumours of TCGA-BRCA with a PAM50 subtype."""
    x, samples = _matrix(root / "tcga-brca", 1)
    samples = samples[(samples["status"] == "tumor") & samples["pam50"].notna()]
    return _of(x, samples.assign(label=samples["pam50"], donor=samples["patient"]))


def tcga_paired(root: Path) -> Matrix:
    """Tumours of six cancers, each with its own normal: twelve classes."""
    x, samples = _matrix(root / "tcga-paired", 0.25)
    return _of(x, samples.assign(label=samples["cancer_type"] + " " + samples["status"], donor=samples["patient"]))


def gtex(root: Path) -> Matrix:
    """GTEx tissues with most donors; one profile of each donor and tissue."""
    x, samples = _matrix(root / "gtex", 0.001)
    samples = samples[~samples["detailed_category"].str.startswith("Cells")]
    label = samples["detailed_category"].str.replace(" - .*", "", regex=True)
    table = pd.read_csv(Path(__file__).resolve().parents[2] / "resources/genes.tsv.gz", sep="\t", comment="#")
    x.columns = x.columns.str.replace(r"\.\d+$", "", regex=True)
    known = table.drop_duplicates(table.columns[0]).set_index(table.columns[0])["symbol"]
    matrix = _of(x, samples.assign(label=label, donor=samples["subject"]))
    matrix.symbols = matrix.x.columns.to_series().map(known).fillna("")
    return matrix


def _of(x: pd.DataFrame, samples: pd.DataFrame) -> Matrix:
    samples = samples.drop_duplicates(["donor", "label"])
    kept = samples["label"].value_counts().index[:MOST_CLASSES]
    samples = samples[samples["label"].isin(kept)]
    x = x.loc[samples.index]
    return Matrix(x, samples["label"].to_numpy(object), samples["donor"].to_numpy(object), x.columns.to_series())


#: Name, with what reads it and the most genes; those that vary most on the training donors are taken.
DATASETS = {
    "tcga-brca": (tcga_brca, 1000), "paired": (tcga_paired, 1000), "gtex": (gtex, 1000),
    "tcga-brca-100": (tcga_brca, 100),
}  # fmt: skip


def split(matrix: Matrix, most_genes: int, number: int) -> dict[str, Matrix]:
    """Roles (train, holdout, reference) of one split by donor.

    Donors are dealt out within classes. Genes are chosen on training donors: the most variable of those detected.

    Parameters
    ----------
    matrix : Matrix
    most_genes : int
    number : int
        Of the split: its seed.
    """
    names, first = np.unique(matrix.donors.astype(str), return_index=True)
    of = matrix.classes[first].astype(str)
    # Donors of a class, that of their first profile, follow each other; evenly spaced ones go to a role.
    order = in_class_order(of, np.random.default_rng(number))
    sizes = np.array(list(PROFILES.values())) / (len(matrix.x) / len(names))
    shares = np.minimum(sizes / len(names), sizes / sizes.sum())
    at = np.arange(len(names)) * _GOLDEN % 1
    ends = np.cumsum(shares)
    rows = {
        role: np.flatnonzero(np.isin(matrix.donors.astype(str), names[order[(at >= end - share) & (at < end)]]))
        for role, share, end in zip(PROFILES, shares, ends, strict=True)
    }
    train = matrix.x.iloc[rows["train"]]
    detected = (train > train.min() + 1e-6).mean() >= LEAST_DETECTED
    spread = train.var()[detected].sort_values(ascending=False)
    genes = matrix.x.columns[matrix.x.columns.isin(spread.index[:most_genes])]
    # A class that training lacks, or has once, can be asked of nobody.
    counts = pd.Series(matrix.classes[rows["train"]]).value_counts()
    known = np.isin(matrix.classes.astype(str), counts.index[counts > 1].astype(str))
    parts = {}
    for role, chosen in rows.items():
        chosen = chosen[known[chosen]]
        of = matrix.x.iloc[chosen][genes], matrix.classes[chosen], matrix.donors[chosen], matrix.symbols.loc[genes]
        parts[role] = Matrix(*of)
    return parts
