"""Small profiles for generators, and settings with which these learn them in seconds."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd

from pseudocohort.generators.base import registry

NOISE_OFF = {"epsilon": None, "centre": 0.0}
FAST = {
    "gan": {"steps": 500},
    "wgan_gp": {"steps": 400, "learning_rate": 5e-4, "max_epochs": 2000},
    "cvae": {"steps": 150},
    "ddpm": {"steps": 120, "sampling_steps": 10},
    "flow": {"steps": 100},
    "unclip": {"embedding_steps": 60, "steps": 150, "sampling_steps": 10},
    # The guarantees are tested in test_differential_privacy.py; elsewhere, that they are generators, without the noise.
    "dp_naive_bayes": NOISE_OFF,
    "dp_ddpm": {**NOISE_OFF, "steps": 120, "sampling_steps": 10, "noise_multiplicity": 2},
}
FACTORS = {
    "tumour": {"technology": "bulk", "aggregation": "bulk", "context": "tumour"},
    "pseudobulk": {"technology": "umi_3prime", "aggregation": "pseudobulk", "context": "in_vitro"},
}


def annotation(condition, level, prefix="d"):
    rows = [{"condition": c, "level": v, **FACTORS[v]} for c, v in zip(condition, level, strict=True)]
    table = pd.DataFrame(rows)
    table["donor"] = [f"{prefix}{i}" for i in range(len(table))]
    table.index = [f"{prefix}{i}" for i in range(len(table))]
    return table


def toy(n=80, p=12, seed=0, levels=("tumour",)):
    """Two conditions with correlated genes at each level, standardised."""
    rng = np.random.default_rng(seed)
    mean = {c: 2 * rng.normal(size=p) for c in "AB"}
    mixing = rng.normal(size=(p, p)) / np.sqrt(p)
    condition = [c for _ in levels for c in "AB" for _ in range(n // 2)]
    level = [v for v in levels for _ in range(2 * (n // 2))]
    x = np.stack([mean[c] for c in condition]) + rng.normal(size=(len(condition), p)) @ mixing
    for v in levels:
        rows = np.array([other == v for other in level])
        x[rows] = (x[rows] - x[rows].mean(0)) / x[rows].std(0)
    return ad.AnnData(x.astype(np.float32), obs=annotation(condition, level))


def study_of(data, test=10):
    data = ad.AnnData(
        data.X + 8,
        obs=data.obs,
        var=pd.DataFrame(
            {"symbol": [f"G{i}" for i in range(data.n_vars)]}, index=[f"ENSG{i:011d}" for i in range(data.n_vars)]
        ),
    )
    role = np.where(np.arange(data.n_obs) % data.n_obs < data.n_obs - test, "train", "test")
    members = pd.DataFrame(
        {
            "training_set": "set",
            "sample_id": data.obs_names,
            "role": role,
            "condition": data.obs["condition"].to_numpy(),
        }
    )
    return data, members


STACKED = [
    name
    for name, described in registry.generators().items()
    if described.capabilities.trained and not (described.capabilities.private or described.capabilities.counts)
]


def settings_of(name, steps=40):
    short = {"steps": steps, "embedding_steps": steps}
    return FAST[name] | {"width": 32} | {k: v for k, v in short.items() if k in registry.get(name).defaults}
