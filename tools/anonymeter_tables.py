"""Write the tables that tools/anonymeter_risks.py reads, from the first audit of a study's experiment privacy.

Usage: python tools/anonymeter_tables.py results/privacy GENERATOR FOLDER

FOLDER gets members.tsv.gz, others.tsv.gz (donors who were not trained on) and synthetic.tsv.gz: profiles × genes, with
a column `condition`. They hold patients' data: keep them where the study is.
"""

from __future__ import annotations

import sys
from pathlib import Path

import anndata as ad
import pandas as pd

AUDIT = "priv-c0"


def main() -> None:
    """Write the three tables."""
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    study, generator, folder = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    profiles = ad.read_h5ad(study / "prepared/harmonised.h5ad")
    members = pd.read_parquet(study / "plan/members/privacy.parquet")
    own = members[(members["training_set"].astype(str) == AUDIT).to_numpy()]
    batches = (ad.read_h5ad(path) for path in sorted((study / "synthetic/privacy" / generator).glob("*.h5ad")))
    made = next(part for batch in batches if (part := batch[(batch.obs["training_set"] == AUDIT).to_numpy()]).n_obs)
    role = own["role"].astype(str)
    size = (role == "member").sum()
    found = {
        "members": profiles[own.loc[(role == "member").to_numpy(), "sample_id"].to_numpy()],
        "others": profiles[own.loc[(role == "non_member").to_numpy(), "sample_id"].to_numpy()],
        "synthetic": made[:size],  # a release of as many profiles as there are members; larger ones are audited as well
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in found.items():
        table = pd.DataFrame(part.X, index=part.obs_names, columns=profiles.var_names)
        table.insert(0, "condition", part.obs["condition"].astype(str).to_numpy())
        table.to_csv(folder / f"{name}.tsv.gz", sep="\t")


if __name__ == "__main__":
    main()
