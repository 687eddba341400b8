"""The split inside the repeat: which donors are held out in each.

One split of the patients leaves the luck of that split in every number, so each repeat tests other patients. Nothing
that the repeats share may have seen them: genes are chosen, without labels, on donors that are never tested (``genes``
of the table of donors, :mod:`..prepare.donors`), and scales are fitted on the training donors of each training set.
"""

from __future__ import annotations

import pandas as pd

from ..core.seeds import generator


def dealt(obs: pd.DataFrame, repeat: int, seed: int) -> pd.DataFrame:
    """`obs` with the held-out donors of a repeat in the column ``split``.

    Repeat 0 has the study's own split. In every other one as many tissue donors of each condition are held out as in
    that, drawn anew from those on whom no gene was chosen; a donor's profiles stay together, and a donor of several
    conditions counts in the first. Donors of cultured profiles stay where they are.

    Parameters
    ----------
    obs : DataFrame
        ``obs`` of the harmonised profiles with the columns ``split`` (train | test) and ``genes`` (yes | no).
    repeat : int
        Number of the repeat; experiments share the splits of a repeat.
    seed : int
        Master seed.
    """
    if repeat == 0:
        return obs
    donor = obs["donor"].astype(str)
    fixed = set(donor[(obs["context"] == "in_vitro") | (obs["genes"] == "yes")])
    tissue = pd.DataFrame(
        {
            "donor": donor.to_numpy(),
            "condition": obs["condition"].astype(str).to_numpy(),
            "split": obs["split"].to_numpy(),
        }
    )
    tissue = tissue[~tissue["donor"].isin(fixed)].sort_values(["condition", "donor"]).drop_duplicates("donor")
    split: dict[str, str] = {}
    for condition, donors in tissue.groupby("condition"):
        places = generator(seed, "split", repeat, condition).permutation(donors["split"].to_numpy())
        split |= dict(zip(donors["donor"], places, strict=True))
    return obs.assign(split=donor.map(split).fillna(obs["split"].astype(str)).to_numpy())
