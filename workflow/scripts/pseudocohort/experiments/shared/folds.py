"""Plans by folds of all donors: all but one fold train, one is tested, and that as often as they are dealt anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ...core.errors import UserError
from ...core.seeds import derive
from ...core.settings import integer
from .plan import Roles, generators_of, in_proportion, rows

#: Settings of an experiment by folds.
FOLD_SETTINGS = {
    "folds": integer(5, "Folds by donor, stratified by condition.", minimum=2),
    "repeats": integer(1, "Times that the folds are dealt anew.", minimum=1),
    "neighbours": integer(10, "Neighbours k of precision, recall, density and coverage.", minimum=1),
}


def folds_of(config: dict[str, Any], experiment: str) -> int:
    """Folds of a deal."""
    return config.get(experiment, {}).get("folds", 5)


def fold_sets(config: dict[str, Any], experiment: str) -> Iterator[dict[str, Any]]:
    """A training set per fold and deal."""
    settings = config[experiment]
    for repeat in range(settings["repeats"]):
        for fold in range(settings["folds"]):
            name = f"{experiment}-f{fold}" if repeat == 0 else f"{experiment}-r{repeat}-f{fold}"
            yield {
                "training_set": name,
                "repeat": repeat * settings["folds"] + fold,
                "generators": generators_of(config, experiment),
            }


def fold_members(obs: pd.DataFrame, row: dict[str, Any], config: dict[str, Any]) -> pd.DataFrame:
    """Folds of the donors at the levels of the experiment, stratified by condition: all but one train, one is tested.

    Raises
    ------
    UserError
        If a condition has fewer donors than there are folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold  # every start of Snakemake reads this file

    experiment = row["experiment"]
    settings = config[experiment]
    levels = settings.get("levels") or [settings["level"]]
    inside = obs[obs["level"].isin(levels)]
    condition = inside["condition"].astype(str)
    donors = inside["donor"].groupby(condition.to_numpy()).nunique()
    if donors.empty or donors.min() < settings["folds"]:
        at = " or ".join(map(repr, levels))
        raise UserError(
            f"condition {donors.idxmin()!r} has {donors.min()} donors at level {at}, fewer than folds"
            if len(donors)
            else f"no profile at level {at}",
            where=experiment,
            remedy=f"lower {experiment}.folds, choose another level, or exclude the condition",
        )
    repeat, fold = divmod(row["repeat"], settings["folds"])
    seed = derive(config["seed"], experiment, *([repeat] if repeat else [])) % 2**32
    split = StratifiedGroupKFold(settings["folds"], shuffle=True, random_state=seed)
    train, test = list(split.split(np.zeros(len(inside)), condition, inside["donor"].astype(str)))[fold]
    return pd.concat([rows(obs, inside.index[train], "train"), rows(obs, inside.index[test], "test")])


def shared_by_deals(values: Sequence[float], folds: int) -> float:
    """Standard error of a mean over folds that further deals of the same donors do not make smaller.

    Folds of one deal test different donors. Those of a second deal test the same donors again: taken as further
    independent values they would show a difference where there is none, as often as one likes (Nadeau & Bengio 2003,
    Machine Learning 52:239). So the standard error of the mean stays that of one deal.

    Parameters
    ----------
    values : sequence of float
        One value per fold and deal (NaN dropped).
    folds : int
        Folds of a deal.
    """
    x = np.asarray(values, dtype=float)
    x = x[~np.isnan(x)]
    return float(x.std(ddof=1) * np.sqrt(max(1 / folds - 1 / len(x), 0))) if len(x) > 1 else 0.0


def fold_request(
    row: dict[str, Any], roles: Roles, config: dict[str, Any], rng: np.random.Generator, *, private: bool
) -> pd.DataFrame:
    """As many profiles as were trained on, in the same proportions."""
    return in_proportion(roles.requests("train"), len(roles.ids("train")), rng)
