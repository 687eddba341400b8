"""Scores of experiments on toy studies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from pseudocohort.core.contracts import check_evaluation
from pseudocohort.experiments.shared.inputs import ScoreInputs
from pseudocohort.plan.members import members
from pseudocohort.plan.requests import request
from pseudocohort.plan.training_sets import training_sets

#: Training profiles and the annotation that is asked for -> expression (rows × genes).
Make = Callable[[ad.AnnData, pd.DataFrame], np.ndarray]


def config(experiment: str, *, seed: int, also: Mapping[str, Any] | None = None, **settings: object) -> dict[str, Any]:
    """Configuration of a study of one experiment; `also` are further sections."""
    study = {"seed": seed, "generators": settings["generators"], "experiments": [experiment]}
    return {**study, **(also or {}), experiment: settings}


def made_by(make: Make, profiles: ad.AnnData, config: dict, rows: list[dict] | None = None) -> dict[str, ad.AnnData]:
    """Synthetic profiles of each training set."""
    rows = training_sets(config) if rows is None else rows
    table, made = members(profiles.obs, rows, config), {}
    for row in rows:
        mine = table[table["training_set"] == row["training_set"]]
        train = mine[(mine["role"] == "train").to_numpy()]
        seen = profiles[train["sample_id"]].copy()
        seen.obs["condition"] = train["condition"].astype(str).to_numpy()
        wanted = request(row, mine, profiles.obs, config)
        made[row["training_set"]] = ad.AnnData(make(seen, wanted), obs=wanted.set_index(wanted.index.astype(str)))
    return made


def score(
    function: Callable[[ScoreInputs], pd.DataFrame],
    profiles: ad.AnnData,
    config: dict,
    synthetic: Mapping[str, ad.AnnData] | None = None,
    generator: str = "real",
    *,
    rows: list[dict] | None = None,
    shared: dict | None = None,
    **settings: object,
) -> pd.DataFrame:
    """Evaluation table of an experiment; `settings` are added to its section of the configuration."""
    (name,) = config["experiments"]
    rows = training_sets(config) if rows is None else rows
    table = function(
        ScoreInputs(
            profiles,
            synthetic or {},
            pd.DataFrame(rows),
            members(profiles.obs, rows, config),
            study="toy",
            generator=generator,
            settings=config[name] | settings,
            seed=config["seed"],
            shared={} if shared is None else shared,
        )
    )
    check_evaluation(table, name)
    return table


def mean(table: pd.DataFrame, metric: str, *where: object, **keys: object) -> float:
    """Mean of a metric over the rows with these keys; `where`: generator, regime, n_real. None is a missing key."""
    rows = table[table["metric"] == metric]
    for key, value in (keys | dict(zip(("generator", "regime", "n_real"), where, strict=False))).items():
        rows = rows[rows[key].isna() if value is None else rows[key] == value]
    assert len(rows), f"no row {metric} {where} {keys}"
    return float(rows["value"].mean())


def tissue_or_lines(prefix: str, conditions: np.ndarray, level: str) -> pd.DataFrame:
    """Annotation of tumours or pseudo-bulks, a donor each."""
    cells = level == "pseudobulk"
    names = [f"{prefix}:{i}" for i in range(len(conditions))]
    return pd.DataFrame(
        {
            "donor": names,
            "dataset": prefix,
            "condition": conditions,
            "technology": "umi_3prime" if cells else "bulk",
            "aggregation": "pseudobulk" if cells else "bulk",
            "context": "in_vitro" if cells else "tumour",
            "level": level,
        },
        index=names,
    )
