"""What to generate from each training set: the conditions and levels of the synthetic profiles, in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..core.levels import FACTORS
from ..core.seeds import generator
from .members import in_task

REQUEST_COLUMNS = ("condition", *FACTORS, "level")


def _as_request(obs: pd.DataFrame, conditions: np.ndarray, covariates: Mapping[str, str]) -> pd.DataFrame:
    request = obs[[*FACTORS, "level"]].astype(str).reset_index(drop=True)
    request.insert(0, "condition", np.asarray(conditions, dtype=str))
    return request.assign(**{name: obs[name].to_numpy() for name in covariates})


def _anyone(obs: pd.DataFrame, conditions: np.ndarray, covariates: Mapping[str, str]) -> pd.DataFrame:
    """Requests of the level of the one profile in `obs`, without covariates: the average donor's."""
    request = _as_request(obs.iloc[np.zeros(len(conditions), dtype=int)], conditions, {})
    return request.assign(**{name: np.nan if kind == "numeric" else "" for name, kind in covariates.items()})


def _in_proportion(request: pd.DataFrame, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """`n` rows in the proportions of `request`, shuffled, so that every prefix has about those proportions.

    Rows are repeated in whole rounds, each in a new random order; the last round is cut.
    """
    rounds = [rng.permutation(len(request)) for _ in range(-(-n // len(request)))]
    return request.iloc[np.concatenate(rounds)[:n]].reset_index(drop=True)


def request(
    row: dict[str, Any],
    members: pd.DataFrame,
    obs: pd.DataFrame,
    config: dict[str, Any],
    *,
    private: bool = False,
    covariates: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Conditions and levels to sample for one training set.

    Parameters
    ----------
    row : dict
        Row of the training-set table.
    members : DataFrame
        Members of that training set.
    obs : DataFrame
        ``obs`` of the harmonised profiles.
    config : dict
        The study's configuration.
    private : bool
        For a generator with differential privacy: in an audit the conditions are those of all candidates and the number
        is half of theirs, which say nothing of the coins.
    covariates : mapping of str, optional
        Covariates and their kinds. Synthetic profiles get those of the profiles whose conditions they get.

    Returns
    -------
    DataFrame
        One row per profile to generate: ``condition``, the level factors, ``level`` and covariates.
    """
    covariates = covariates or {}
    rng = generator(config["seed"], "request", row["training_set"])
    by_role = dict(list(members.groupby("role", observed=True)))

    def of(role: str) -> pd.DataFrame:
        rows = by_role[role]
        return _as_request(obs.loc[rows["sample_id"]], rows["condition"].to_numpy(), covariates)

    purpose = row["purpose"]
    if purpose == "full":
        test = of("test")
        trained = set(map(tuple, of("train")[["condition", "level"]].to_numpy()))
        test = test[[tuple(x) in trained for x in test[["condition", "level"]].to_numpy()]]
        return _in_proportion(test, config["fidelity"]["n_synthetic"] or len(test), rng)
    if purpose == "augmentation":
        train = by_role["train"]
        inside = in_task(obs.loc[train["sample_id"]], config["augmentation"]["tasks"][row["task"]]).to_numpy()
        target = of("train")[inside]
        return _in_proportion(target.reset_index(drop=True), max(config["augmentation"]["n_synthetic"]), rng)
    if purpose == "privacy":
        # Releases of several sizes are prefixes of the largest.
        times = max([1.0, *config["privacy"].get("release_sizes", [])]) if row["regime"] == "audit" else 1.0
        if private:
            pool = pd.concat([of("member"), of("non_member")], ignore_index=True)
            return _in_proportion(pool, round(times * (len(pool) // 2)), rng)
        source = of("train" if row["regime"] == "negative_control" else "member")
        return _in_proportion(source, round(times * len(by_role["member"])), rng)
    if purpose in ("camda", "lacan"):
        return _in_proportion(of("train"), len(by_role["train"]), rng)
    if purpose == "held_out_level":
        hidden = config["combination"][f"{row['regime'].split('_')[0]}_level"]
        level = obs[obs["level"] == hidden].iloc[[0]]
        n = config["held_out_level"]["n_synthetic"]
        return _anyone(level, np.repeat(row["task"], n), covariates)
    tissue = obs[obs["level"] == config["combination"]["tissue_level"]].iloc[[0]]
    conditions = np.repeat(config["combination"]["conditions"], config["combination"]["n_synthetic"])
    return _anyone(tissue, conditions, covariates)
