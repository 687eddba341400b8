"""Held-out patients that are dealt anew in each repeat of an experiment.

One split of the patients leaves the luck of that split in every number. Each repeat therefore tests other patients.
Nothing that is shared by the repeats may have seen them: genes are chosen, without labels, on donors that are never
tested (``genes`` of the table of donors, :mod:`...prepare.donors`), and scales are fitted on the training donors of
each training set.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...core.seeds import generator


def deal(obs: pd.DataFrame, *, seed: int, experiment: str, repeat: int) -> pd.DataFrame:
    """Copy of `obs` with the column ``split`` dealt anew.

    Of each condition as many donors are tested as in ``obs["split"]``, out of those on whom no gene was chosen. Cell
    lines are never tested.

    Parameters
    ----------
    obs : DataFrame
        ``obs`` of the harmonised profiles with the columns ``split`` and ``genes``
        (:func:`.plan.with_split`).
    """
    donor = obs["donor"].astype(str)
    table = pd.DataFrame(
        {
            "donor": donor.to_numpy(),
            "condition": obs["condition"].astype(str).to_numpy(),
            "split": obs["split"].astype(str).to_numpy(),
            "free": (obs["genes"].astype(str) == "no").to_numpy()
            & (obs["context"].astype(str) != "in_vitro").to_numpy(),
        }
    )
    first = table[table["free"]].sort_values(["condition", "donor"]).drop_duplicates("donor")
    test: set[str] = set()
    for condition, donors in first.groupby("condition"):
        size = int((donors["split"] == "test").sum())
        test |= set(generator(seed, experiment, "split", repeat, condition).permutation(donors["donor"])[:size])
    return obs.assign(split=np.where(donor.isin(test), "test", "train"))


def dealt(obs: pd.DataFrame, row: dict[str, Any], config: dict[str, Any]) -> pd.DataFrame:
    """The split of a training set's repeat."""
    return deal(obs, seed=config["seed"], experiment=row["experiment"], repeat=int(row["repeat"]))
