"""Profiles grouped by condition and level, and donors counted once."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .errors import UserError
from .levels import FACTORS

#: What a generator is told about a profile.
OBS = ("donor", "condition", *FACTORS, "level")

Key = tuple[str, str]


def keys_of(obs: pd.DataFrame) -> list[Key]:
    """(condition, level) of each profile."""
    return list(zip(obs["condition"].astype(str), obs["level"].astype(str), strict=True))


def rows_by_key(obs: pd.DataFrame) -> dict[Key, np.ndarray]:
    """Row numbers of each (condition, level); profiles without a condition are left out."""
    table = pd.DataFrame({"condition": obs["condition"].astype(str), "level": obs["level"].astype(str)})
    groups = table.groupby(["condition", "level"], sort=True).indices
    return {key: np.sort(rows) for key, rows in groups.items() if key[0]}


def held_out_rows(obs: pd.DataFrame, share: float, seed: int) -> np.ndarray:
    """Whether each profile is of a held-out donor: that share of the donors of each condition, rounded down."""
    donor, condition = obs["donor"].astype(str), obs["condition"].astype(str)
    first = condition[~donor.duplicated().to_numpy()].to_numpy()
    names = donor[~donor.duplicated().to_numpy()].to_numpy()
    rng, chosen = np.random.default_rng(seed), []
    for c in np.unique(first):
        own = np.sort(names[first == c])
        chosen += list(rng.permutation(own)[: int(share * len(own))])
    return donor.isin(chosen).to_numpy()


def donor_weights(obs: pd.DataFrame) -> np.ndarray:
    """Weight of each profile, such that a donor's profiles of one condition and level weigh 1 together.

    Bootstrapped pseudo-bulks of a line and repeated samples of a patient are not independent: they count once.
    """
    if "donor" not in obs:
        return np.ones(len(obs))
    columns = [obs[c].astype(str).to_numpy() for c in ("donor", "condition", "level")]
    _, codes, counts = np.unique(
        ["\x1f".join(v) for v in zip(*columns, strict=True)], return_inverse=True, return_counts=True
    )
    return 1.0 / counts[codes]


def check_seen(keys: list[Key], seen: set[Key], name: str) -> None:
    """Refuse a (condition, level) pair that a generator without composition has not seen."""
    for condition, level in keys:
        if (condition, level) not in seen:
            known = sorted({c for c, at in seen if at == level})
            raise UserError(
                f"generator {name!r} was not trained on condition {condition!r} at level {level!r}",
                where="generators",
                remedy=f"conditions it knows at this level: {', '.join(known) or 'none'}",
            )
