"""Cohorts of which it is known how they give their training donors away, from TCGA-BRCA, for `pseudocohort audit`.

Usage: python tools/known_cohorts.py --data_root FOLDER --out FOLDER [copula] [smote] [mvn_camda]

Writes train.tsv, holdout.tsv and reference.tsv (tumours with a PAM50 label: 300 donors, and the others in halves) and
one table for each method named. The Gaussian copula is SDV's (`pip install sdv`), SMOTE that of imbalanced-learn
(`pip install imbalanced-learn`) with its defaults; neither is a dependency of this project.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow/scripts"))

import numpy as np
import pandas as pd

TRAIN, SEED = 300, 0


def split(folder: Path) -> dict[str, pd.DataFrame]:
    """Profiles of three roles: genes (log2 of normalised counts + 1), ``pam50`` and ``patient`` in columns."""
    samples = pd.read_csv(folder / "samples.tsv", sep="\t", index_col=0)
    samples = samples[(samples["status"] == "tumor") & samples["pam50"].notna()].drop_duplicates("patient")
    x = pd.read_csv(folder / "expression.tsv.gz", sep="\t", index_col=0).T
    samples = samples.loc[samples.index.intersection(x.index)]
    table = x.loc[samples.index].join(samples[["pam50", "patient"]])
    order = np.random.default_rng(SEED).permutation(len(table))
    half = TRAIN + (len(table) - TRAIN) // 2
    parts = {"train": order[:TRAIN], "holdout": order[TRAIN:half], "reference": order[half:]}
    return {name: table.iloc[np.sort(rows)] for name, rows in parts.items()}


def copula(train: pd.DataFrame) -> pd.DataFrame:
    """SDV's Gaussian copula (as of SDV 2) of genes and label, normal marginals: beta ones take long to fit."""
    from sdv.metadata import Metadata
    from sdv.single_table import GaussianCopulaSynthesizer

    columns = {c: {"sdtype": "categorical" if c == "pam50" else "numerical"} for c in train.columns}
    metadata = Metadata.load_from_dict({"tables": {"profiles": {"columns": columns}}})
    synthesizer = GaussianCopulaSynthesizer(metadata, default_distribution="norm")
    synthesizer.fit({"profiles": train.reset_index(drop=True)})
    return synthesizer.sample(len(train))["profiles"]


def smote(train: pd.DataFrame) -> pd.DataFrame:
    """SMOTE of imbalanced-learn: as many new profiles of each class as it has; the training profiles are taken out."""
    from imblearn.over_sampling import SMOTE

    x, y = train.drop(columns="pam50"), train["pam50"]
    made = SMOTE(sampling_strategy={c: 2 * n for c, n in y.value_counts().items()}, random_state=SEED)
    new, label = made.fit_resample(x.reset_index(drop=True), y.to_numpy())
    return new.assign(pam50=label).iloc[len(train) :]


def mvn_camda(train: pd.DataFrame) -> pd.DataFrame:
    """The baseline of the CAMDA challenge, as this project has it."""
    from pseudocohort.referee.cohorts import read
    from pseudocohort.referee.measure import fit_control

    cohort = read(train, "train", condition="pam50", donor=None)
    made = fit_control("mvn_camda", cohort, cohort.obs["condition"], SEED)
    return pd.DataFrame(made.x, columns=made.genes).assign(pam50=made.obs["condition"].to_numpy())


def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    methods = {"copula": copula, "smote": smote, "mvn_camda": mvn_camda}
    parser.add_argument("methods", nargs="*", choices=[*methods, []])
    parser.add_argument("--data_root", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    parts = split(args.data_root / "tcga-brca")
    for name, table in parts.items():
        table.to_csv(args.out / f"{name}.tsv", sep="\t", float_format="%.4f")
    for name in args.methods:
        made = methods[name](parts["train"].drop(columns="patient"))
        index = pd.Index([f"{name}{i}" for i in range(len(made))])
        made.set_index(index).to_csv(args.out / f"{name}.tsv", sep="\t", float_format="%.4f")


if __name__ == "__main__":
    main()
