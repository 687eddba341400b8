"""Held-out donors."""

from __future__ import annotations

import pandas as pd

from ..core.contracts import DONORS_COLUMNS
from ..core.errors import UserError
from ..core.seeds import generator

#: Share of the training donors of a condition on whose profiles genes are chosen. No experiment ever tests on them, so
#: that it may deal all other donors anew.
GENE_SHARE = 0.4


def assign_donors(by_dataset: dict[str, pd.DataFrame], *, test_share: float, seed: int) -> pd.DataFrame:
    """Train or test for every donor, one answer for all its profiles in all datasets.

    Tissue donors are dealt out within each condition (their first one, in sorted order), so that each has its share of
    held-out donors, at least one if it has two, and keeps at least one for training. Cell lines are always for
    training: the held-out question is about patients.

    Parameters
    ----------
    by_dataset : dict of DataFrame
        ``obs`` of the quality-controlled profiles of each dataset.
    test_share : float
        Share of donors held out.
    seed : int
        Master seed.

    Returns
    -------
    DataFrame
        ``donor, dataset, split, genes``, sorted; a donor with profiles in two datasets has two rows with one split.
        ``genes`` (yes | no): whether genes are chosen on the donor's profiles. Those are cell lines and a share of the
        training donors of each condition; where that would be no patient at all, all training donors.

    Raises
    ------
    UserError
        If no donor can be held out.
    """
    obs = pd.concat(
        [table[["donor", "dataset", "condition", "context"]].astype(str) for table in by_dataset.values()],
        ignore_index=True,
    )
    cultured = set(obs.loc[obs["context"] == "in_vitro", "donor"])
    tissue = obs[~obs["donor"].isin(cultured)].sort_values(["condition", "donor"])
    first = tissue.drop_duplicates("donor")
    test: set[str] = set()
    choosing: set[str] = set()
    for condition, donors in first.groupby("condition")["donor"]:
        names = donors.to_numpy()
        size = min(max(round(test_share * len(names)), 1), len(names) - 1)
        order = generator(seed, "donors", condition).permutation(names)
        test |= set(order[:size])
        choosing |= set(order[size:][: int(GENE_SHARE * (len(names) - size))])
    if len(tissue) and not test:
        raise UserError(
            "no donor can be held out: every condition has a single donor",
            where="prepare.test_share",
            remedy="add donors, or merge conditions with prepare.conditions.map",
        )
    rows = obs.drop_duplicates(["donor", "dataset"]).sort_values(["dataset", "donor"]).reset_index(drop=True)
    rows["split"] = ["test" if donor in test else "train" for donor in rows["donor"]]
    choosing = cultured | (choosing or set(first["donor"]) - test)
    rows["genes"] = ["yes" if donor in choosing else "no" for donor in rows["donor"]]
    return rows[list(DONORS_COLUMNS)]
