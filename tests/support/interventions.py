"""A cohort, a graph and dependencies of lines with planted regulators of each lineage."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd

from pseudocohort.intervene.dependency import Dependencies
from pseudocohort.intervene.graph import Graph

G, REGULATORS, CONDITIONS = 200, 20, 5
GENES = [f"ENSG{i:011d}" for i in range(G)]


def graph() -> Graph:
    rng = np.random.default_rng(0)
    edges = [(GENES[r], GENES[t]) for r in range(REGULATORS) for t in rng.choice(np.arange(REGULATORS, G), 12, False)]
    return Graph("g", pd.DataFrame(edges, columns=["regulator", "target"]).assign(sign=1))


def cohort(seed: int = 0) -> ad.AnnData:
    """Condition k expresses the regulators 3k to 3k+2 two units above the others."""
    rng = np.random.default_rng(seed)
    condition = np.repeat(np.arange(CONDITIONS), 40)
    level = np.tile(np.repeat(["tumour", "normal"], 20), CONDITIONS)
    x = rng.normal(6, 1, (1, G)) + rng.normal(0, 0.7, (len(condition), G))
    for k in range(CONDITIONS):
        x[np.ix_(condition == k, range(3 * k, 3 * k + 3))] += 2
    obs = pd.DataFrame(
        {"condition": [f"c{k}" for k in condition], "level": level, "donor": range(len(condition)), "dataset": "d"}
    ).astype(str)
    obs.index = [f"s{i}" for i in range(len(obs))]
    return ad.AnnData(
        x.astype(np.float32), obs=obs, var=pd.DataFrame({"symbol": [f"S{i}" for i in range(G)]}, index=GENES)
    )


def dependencies(seed: int = 0) -> Dependencies:
    """Lines of lineage k depend on the regulators of condition k; on the last gene all do."""
    rng = np.random.default_rng(seed)
    lineage = np.repeat([f"l{k}" for k in range(CONDITIONS)], 30)
    share = np.full((G, len(lineage)), 0.05)
    for k in range(CONDITIONS):
        share[3 * k : 3 * k + 3, lineage == f"l{k}"] = 0.8
    share[-1] = 1
    lines = [f"LINE{i}_{name.upper()}" for i, name in enumerate(lineage)]
    table = pd.DataFrame((rng.random(share.shape) < share).astype(float), [f"S{i}" for i in range(G)], lines)
    return Dependencies(table, pd.Series(lineage, index=lines))


LINEAGES = {f"c{k}": f"l{k}" for k in range(CONDITIONS)}
