"""What the plans of experiments share: donors, labels, draws, members of a training set, requests.

Members of a training set are rows ``sample_id, role, condition``. Functions take the ``obs`` of the harmonised profiles
(index = sample id) with the column ``split`` (train | test, by donor; :func:`with_split`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ...core.errors import ContractError, UserError
from ...core.levels import FACTORS, MIXTURE, TISSUE_LEVELS
from ...core.settings import Setting, many

#: JSON Schema of the name of a level.
LEVEL = {"enum": ["cell", "pseudobulk", "line_bulk", "tumour", "normal"]}
#: The setting ``generators`` of an experiment.
GENERATORS: Setting = many(
    [], "Generators that take part; [] = all generators of the study.", {"$ref": "#/$defs/generator"}
)


def with_split(obs: pd.DataFrame, donors: pd.DataFrame) -> pd.DataFrame:
    """Copy of `obs` with the columns ``split`` (train | test) and ``genes`` (yes | no) of each profile's donor.

    Raises
    ------
    ContractError
        If a donor has no split, or two.
    """
    split = donors.drop_duplicates(["donor", "split"]).set_index("donor")["split"]
    if not split.index.is_unique:
        raise ContractError(
            f"donor {split.index[split.index.duplicated()][0]!r} is held out and not", where="donors.tsv"
        )
    out = obs.copy()
    out["split"] = out["donor"].astype(str).map(split)
    chooses = donors.drop_duplicates("donor").set_index("donor")["genes"]
    out["genes"] = out["donor"].astype(str).map(chooses)
    mixture = out["donor"].astype(str).str.startswith(MIXTURE)  # of lines, which are all for training
    out.loc[mixture, ["split", "genes"]] = "train", "yes"
    if out["split"].isna().any():
        raise ContractError(f"donor {out['donor'][out['split'].isna()].iloc[0]!r} has no split", where="donors.tsv")
    return out


def generators_of(config: dict[str, Any], experiment: str) -> list[str]:
    """Generators that take part in an experiment: its own list, else the study's."""
    return config[experiment]["generators"] or config["generators"]


def task_titles(config: dict[str, Any]) -> dict[str, str]:
    """Tasks of prediction in words."""
    return {name: task.get("title", name) for name, task in config["augmentation"]["tasks"].items()}


def task_label(obs: pd.DataFrame, task: dict[str, Any]) -> pd.Series:
    """Label of each profile for a task: the columns of ``task["label"]``, joined by ``|``."""
    return obs[task["label"]].astype(str).agg("|".join, axis=1)


def in_task(obs: pd.DataFrame, task: dict[str, Any]) -> pd.Series:
    """Which profiles a task is about: those of its levels (default: tissue levels) and of its ``where`` filter."""
    inside = obs["level"].isin(task.get("levels") or TISSUE_LEVELS)
    for column, values in (task.get("where") or {}).items():
        inside &= obs[column].astype(str).isin([str(v) for v in values])
    return inside


def nested_order(labels: pd.Series, rng: np.random.Generator) -> pd.Index:
    """Random order of the ids in `labels` whose every prefix of at least one-per-class length holds every class.

    The first row of each class (in random order) comes first, then the rest: a prefix of n rows has natural class
    frequencies with at least one row per class, and a longer prefix contains every shorter one.
    """
    shuffled = labels.iloc[rng.permutation(len(labels))]
    first = ~shuffled.duplicated()
    return shuffled.index[first].append(shuffled.index[~first])


def rows(obs: pd.DataFrame, ids: pd.Index, role: str, condition: pd.Series | str | None = None) -> pd.DataFrame:
    """Members with a role; their condition is their own, or the one given."""
    if condition is None:
        condition = obs.loc[ids, "condition"].astype(str)
    values = condition if isinstance(condition, str) else condition.to_numpy()
    return pd.DataFrame({"sample_id": ids, "role": role, "condition": values})


def share_of_donors(obs: pd.DataFrame, labels: pd.Series, share: float, rng: np.random.Generator) -> set[str]:
    """A random share of each condition's donors, at least one; conditions in the order of the labels' categories."""
    chosen: set[str] = set()
    for _, donors in obs["donor"].astype(str).groupby(labels, observed=True):
        names = np.sort(donors.unique())
        chosen |= set(rng.permutation(names)[: max(1, round(share * len(names)))])
    return chosen


def permuted(labels: pd.Series, donors: pd.Series, rng: np.random.Generator) -> pd.Series:
    """`labels` dealt out anew among donors; the profiles of a donor keep one label."""
    of_donor = pd.Series(labels.to_numpy(), index=donors.to_numpy())
    of_donor = of_donor[~of_donor.index.duplicated()].sort_index()
    dealt = pd.Series(rng.permutation(of_donor.to_numpy()), index=of_donor.index)
    return pd.Series(dealt[donors.to_numpy()].to_numpy(), index=labels.index)


def wrong_names(labels: pd.Series, rng: np.random.Generator) -> pd.Series:
    """`labels` with every condition under the name of another one: the next in a random circle."""
    names = rng.permutation(np.unique(labels.astype(str)))
    return labels.astype(str).map(dict(zip(names, np.roll(names, -1), strict=True)))


def both_levels(obs: pd.DataFrame, settings: dict[str, Any]) -> tuple[pd.Series, pd.DataFrame, pd.DataFrame]:
    """Merged condition of every profile, and the tissue profiles and training cell-level profiles of the shared ones.

    Raises
    ------
    UserError
        If a condition is missing at a level.
    """
    merged = obs["condition"].astype(str).replace(settings["map"])
    shared = merged.isin(settings["conditions"])
    tissue = obs[shared & (obs["level"] == settings["tissue_level"])]
    cells = obs[shared & (obs["level"] == settings["cell_level"]) & (obs["split"] == "train")]
    for name, part, level in (("tissue", tissue, settings["tissue_level"]), ("cell", cells, settings["cell_level"])):
        missing = sorted(set(settings["conditions"]) - set(merged[part.index]))
        if missing:
            raise UserError(
                f"condition {missing[0]!r} has no {level} profile, so the {name} level cannot be compared",
                where="combination.conditions",
                remedy="list only conditions that both levels have, after combination.map",
            )
    return merged, tissue, cells


def as_request(obs: pd.DataFrame, conditions: np.ndarray, covariates: Mapping[str, str]) -> pd.DataFrame:
    """Requests of the levels and covariates of the profiles in `obs`, with the given conditions."""
    request = obs[[*FACTORS, "level"]].astype(str).reset_index(drop=True)
    request.insert(0, "condition", np.asarray(conditions, dtype=str))
    return request.assign(**{name: obs[name].to_numpy() for name in covariates})


def average_donor(obs: pd.DataFrame, conditions: np.ndarray, covariates: Mapping[str, str]) -> pd.DataFrame:
    """Requests of the level of the one profile in `obs`, without covariates: the average donor's."""
    request = as_request(obs.iloc[np.zeros(len(conditions), dtype=int)], conditions, {})
    return request.assign(**{name: "" if kind == "categorical" else np.nan for name, kind in covariates.items()})


def in_proportion(request: pd.DataFrame, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """`n` rows in the proportions of `request`, shuffled, so that every prefix has about those proportions.

    Rows are repeated in whole rounds, each in a new random order; the last round is cut.
    """
    rounds = [rng.permutation(len(request)) for _ in range(-(-n // len(request)))]
    return request.iloc[np.concatenate(rounds)[:n]].reset_index(drop=True)


class Roles:
    """Members of one training set by role, as :func:`as_request` rows."""

    def __init__(self, members: pd.DataFrame, obs: pd.DataFrame, covariates: Mapping[str, str]) -> None:
        self.by_role = dict(list(members.groupby("role", observed=True)))
        self.obs, self.covariates = obs, covariates

    def ids(self, role: str) -> pd.Series:
        """Sample ids of a role."""
        return self.by_role[role]["sample_id"]

    def requests(self, role: str) -> pd.DataFrame:
        """A request for each member of a role, with its condition and level."""
        part = self.by_role[role]
        return as_request(self.obs.loc[part["sample_id"]], part["condition"].to_numpy(), self.covariates)
