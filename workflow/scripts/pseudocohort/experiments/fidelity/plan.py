"""Training sets of fidelity: four fifths of the training donors against held-out ones, dealt anew in each repeat."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from ...core.groups import rows_by_key
from ...core.levels import TISSUE_LEVELS
from ...core.paths import in_data_root
from ...core.seeds import generator
from ...core.survival import follow_up
from ...generators.base.registry import describe, kind_of
from ..shared.plan import Roles, in_proportion, rows, share_of_donors
from ..shared.splits import dealt

#: Training set that maps, loss curves and releases are of.
FIRST = "full-r0"
#: Job that holds it.
FIRST_BATCH = "b000"


def training_sets(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """One training set per repeat, for every generator of the study."""
    for repeat in range(config["fidelity"]["repeats"]):
        yield {"training_set": f"full-r{repeat}", "repeat": repeat, "generators": config["generators"]}


def members(obs: pd.DataFrame, row: dict[str, Any], config: dict[str, Any]) -> pd.DataFrame:
    """Four fifths of the training donors against all held-out profiles; donors are held out anew in every repeat.

    The fifth left out is the reference of private generators that take one; for all others it does not exist.
    """
    levels = config["fidelity"]["levels"] or [x for x in TISSUE_LEVELS if x in set(obs["level"])]
    obs = dealt(obs, row, config)
    inside = obs[obs["level"].isin(levels)]
    train = inside[inside["split"] == "train"]
    rng = generator(config["seed"], "full", row["repeat"])
    kept = train["donor"].isin(share_of_donors(train, train["condition"], 0.8, rng)).to_numpy()
    return pd.concat(
        [
            rows(obs, train.index[kept], "train"),
            rows(obs, train.index[~kept], "reference"),
            rows(obs, inside.index[inside["split"] == "test"], "test"),
        ]
    )


def request(
    row: dict[str, Any], roles: Roles, config: dict[str, Any], rng: np.random.Generator, *, private: bool
) -> pd.DataFrame:
    """Conditions and levels of the held-out profiles, as far as they were trained on, with their covariates.

    Where patients have a follow-up, covariates are those of training donors of the condition and level instead, all of
    a donor together: times and events are no measurements that a cohort may take from patients it is compared with.
    """
    test = roles.requests("test")
    trained = set(map(tuple, roles.requests("train")[["condition", "level"]].to_numpy()))
    if not private:  # which conditions a private generator was trained on is not to be told
        test = test[[tuple(x) in trained for x in test[["condition", "level"]].to_numpy()]]
        if follow_up(roles.covariates):
            test = _with_covariates_of(test, roles.requests("train"), list(roles.covariates), rng)
    return in_proportion(test, config["fidelity"]["n_synthetic"] or len(test), rng)


def _with_covariates_of(
    wanted: pd.DataFrame, donors: pd.DataFrame, columns: list[str], rng: np.random.Generator
) -> pd.DataFrame:
    """Requests with covariates of donors of the same condition and level, each taken as often as the others."""
    out = wanted.reset_index(drop=True)
    there = rows_by_key(donors)
    for key, places in rows_by_key(out).items():
        own = there[key]
        rounds = [rng.permutation(own) for _ in range(-(-len(places) // len(own)))]
        chosen = donors.iloc[np.concatenate(rounds)[: len(places)]]
        for name in columns:
            out.loc[places, name] = chosen[name].to_numpy()
    return out


def settings(config: dict[str, Any]) -> dict[str, Any]:
    """The section ``fidelity``, the folder of the data put into the path of the gene sets."""
    own = config["fidelity"]
    return own | {"gene_sets": in_data_root(own["gene_sets"], config)}


def inputs(config: dict[str, Any], generator: str, jobs: list[str]) -> dict[str, list[str]]:
    """The GMT file of gene sets, where one is given."""
    return {"gene_sets": [path]} if (path := settings(config)["gene_sets"]) else {}


def map_files(config: dict[str, Any], jobs: Callable[[str], list[str]]) -> dict[str, list[str]]:
    """Real profiles and the first batch of each generator's synthetic ones."""
    return {
        "profiles": ["<results>/prepared/harmonised.h5ad"],
        "members": ["<results>/plan/members/fidelity.parquet"],
        "synthetic": [f"<results>/synthetic/fidelity/{name}/{FIRST_BATCH}.h5ad" for name in config["generators"]],
    }


def survival_files(config: dict[str, Any], jobs: Callable[[str], list[str]]) -> dict[str, list[str]]:
    """Those of the map, and the summary over all training sets."""
    return map_files(config, jobs) | {"summary": ["<results>/tables/fidelity_summary.tsv"]}


def has_survival(config: dict[str, Any]) -> bool:
    """Whether patients of the study have a follow-up."""
    return bool(config["prepare"]["survival"])


def model_files(config: dict[str, Any], jobs: Callable[[str], list[str]]) -> dict[str, list[str]]:
    """First batch of models of each generator with a training loop.

    A private generator keeps no loss curve: it would be one more thing fitted on private data.
    """
    kinds = {name: describe(kind_of(config, name)).capabilities for name in config["generators"]}
    names = [name for name, can in kinds.items() if can.trained and not can.private]
    return {"models": [f"<results>/models/fidelity/{name}/{FIRST_BATCH}" for name in names]}


def has_loss_curves(config: dict[str, Any]) -> bool:
    """Whether a generator of the study keeps a loss curve."""
    return bool(model_files(config, lambda generator: [])["models"])
