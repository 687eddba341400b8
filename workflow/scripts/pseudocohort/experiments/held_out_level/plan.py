"""Training sets of the held-out level: everything but one condition at one level."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from ...core.levels import MIXTURE
from ...core.seeds import generator
from ..combination.plan import check_conditions
from ..shared.plan import Roles, average_donor, both_levels, permuted, rows, share_of_donors
from ..shared.splits import dealt


def check(config: dict[str, Any], datasets: dict[str, dict[str, Any]]) -> None:
    """Refuse a study with fewer than three conditions: with one hidden, two have to be left."""
    check_conditions(config, "held_out_level", 3)


def settings(config: dict[str, Any]) -> dict[str, Any]:
    """The section ``held_out_level`` with the levels of the combination."""
    return config["held_out_level"] | {name: config["combination"][name] for name in ("tissue_level", "cell_level")}


def training_sets(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """For each condition, hidden level and repeat, with labels as they are and permuted, and hidden in a pool."""
    own = config["held_out_level"]
    for condition in config["combination"]["conditions"]:
        for hidden in own["hidden"]:
            pool = ("pool",) if hidden == "tissue" and own["unlabeled_share"] > 0 else ()
            for arm in ("combined", "permuted", *pool):
                for repeat in range(own["repeats"]):
                    yield {
                        "training_set": f"held-{hidden}-{arm}-{condition}-r{repeat}",
                        "task": condition,
                        "regime": f"{hidden}_{arm}",
                        "repeat": repeat,
                        "generators": own["generators"],
                    }


def members(obs: pd.DataFrame, row: dict[str, Any], config: dict[str, Any]) -> pd.DataFrame:
    """Everything but one condition at one level; real profiles of it there are test and reference.

    Held-out patients are dealt anew in every repeat, and so are the four fifths of the others. Hidden tissue is tested
    on held-out patients, and its training patients are the reference (the ceiling). Lines are not split by the study:
    of those of the hidden condition half are tested and half are the reference, of the others a fifth is tested;
    mixtures of lines, which hold cells of tested lines, are left out. In the arm ``permuted`` the profiles at the other
    level have labels of other donors. In the arm ``pool`` the training patients of the hidden condition are there
    without label, among a share (``unlabeled_share``) of the others; nothing is a reference.
    """
    own = config["combination"]
    merged, tissue, cells = both_levels(dealt(obs, row, config), own)
    hidden, arm = row["regime"].split("_")
    rng = generator(config["seed"], "held_out_level", row["task"], hidden, row["repeat"])
    patients = tissue[tissue["split"] == "train"]
    patients = patients[patients["donor"].isin(share_of_donors(patients, merged[patients.index], 0.8, rng))]
    lines = cells[cells["donor"].isin(share_of_donors(cells, merged[cells.index], 0.8, rng))]
    if hidden == "tissue":
        here, source = patients, lines
        test = tissue[tissue["split"] == "test"]
        test = test.iloc[np.sort(rng.permutation(len(test))[: own["n_test"]])]
        reference = patients[(merged[patients.index] == row["task"]).to_numpy()]
    else:
        here, source = lines, patients
        cells = cells[~cells["donor"].astype(str).str.startswith(MIXTURE)]
        here = here[here.index.isin(cells.index)]
        mine = cells[(merged[cells.index] == row["task"]).to_numpy()]
        tested = share_of_donors(mine, merged[mine.index], 0.5, rng)
        reference = mine[~mine["donor"].isin(tested)]
        others = cells[~cells["donor"].isin(set(lines["donor"]) | set(mine["donor"]))]
        test = pd.concat([mine[mine["donor"].isin(tested)], others])
    here = here[(merged[here.index] != row["task"]).to_numpy()]
    labels = merged[source.index]
    if arm == "permuted":
        labels = permuted(labels, source["donor"], rng)
    hidden_too = rows(obs, reference.index, "reference", merged[reference.index])
    if arm == "pool":
        share = config["held_out_level"]["unlabeled_share"]
        unlabelled = here["donor"].isin(share_of_donors(here, merged[here.index], share, rng))
        hidden_too = rows(obs, here.index[unlabelled].union(reference.index), "unlabeled", "")
        here = here[~unlabelled]
    return pd.concat(
        [
            rows(obs, here.index, "train", merged[here.index]),
            rows(obs, source.index, "train", labels),
            rows(obs, test.index, "test", merged[test.index]),
            hidden_too,
        ]
    )


def request(
    row: dict[str, Any], roles: Roles, config: dict[str, Any], rng: np.random.Generator, *, private: bool
) -> pd.DataFrame:
    """Profiles of the hidden condition at the level where it is hidden, of the average donor."""
    hidden = config["combination"][f"{row['regime'].split('_')[0]}_level"]
    level = roles.obs[roles.obs["level"] == hidden].iloc[[0]]
    return average_donor(level, np.repeat(row["task"], config["held_out_level"]["n_synthetic"]), roles.covariates)
