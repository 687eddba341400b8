"""Fixtures of the tests of interventions."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="module")
def real_pairs(data_root) -> ad.AnnData:
    folder = data_root / "tcga-paired"
    x = pd.read_csv(folder / "expression.tsv.gz", sep="\t", index_col=0)
    samples = pd.read_csv(folder / "samples.tsv", sep="\t").set_index("sample_id").loc[x.columns]
    obs = pd.DataFrame(
        {
            "donor": samples["patient"], "dataset": "tcga_paired", "condition": samples["cancer_type"],
            "level": samples["status"].map({"tumor": "tumour", "normal": "normal"}),
        }
    )  # fmt: skip
    return ad.AnnData(x.T.to_numpy(np.float32), obs=obs, var=pd.DataFrame({"symbol": x.index}, index=x.index))
