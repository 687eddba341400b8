"""Profiles of several sources, each with a location and a spread of its own."""

from __future__ import annotations

import numpy as np
import pandas as pd


def cohort(cells: dict[tuple[str, str, str], int], seed: int = 0, genes: int = 60, shift: float = 1.0, scale=1.0):
    """Profiles for (condition, level, source) -> n; each source has its own location and spread per gene."""
    rng = np.random.default_rng(seed)
    kinds = sorted({(c, level) for c, level, _ in cells})
    mean = dict(zip(kinds, rng.normal(8, 1.5, (len(kinds), genes)), strict=True))
    names = sorted({s for *_, s in cells})
    added = dict(zip(names, shift * rng.normal(size=(len(names), genes)), strict=True))
    x, rows = [], []
    for (condition, level, source), n in cells.items():
        spread = scale if source == names[-1] else 1.0
        x.append(mean[condition, level] + added[source] + spread * 0.5 * rng.normal(size=(n, genes)))
        rows += [(condition, level, source)] * n
    obs = pd.DataFrame(rows, columns=["condition", "level", "source"])
    obs["dataset"], obs["donor"] = obs["source"], [f"d{i}" for i in range(len(obs))]
    obs.index = pd.Index((obs["donor"] + "s").tolist())
    return np.concatenate(x).astype(np.float32), obs, mean, added


TOIL = {
    ("KIRC", "tumour", "TCGA"): 40, ("KIRC", "normal", "TCGA"): 30, ("KIRC", "normal", "GTEx"): 30,
    ("LIHC", "tumour", "TCGA"): 40, ("LIHC", "normal", "TCGA"): 20, ("LIHC", "normal", "GTEx"): 30,
}  # fmt: skip
