"""Guard against held-out donors that reached what is fitted, and access to the members of a training set."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd

from ...core.errors import ContractError

#: Roles whose profiles shape a scaler, a generator or a classifier.
FITTED_ROLES = ("train", "unlabeled", "member", "reference")


def check_no_leak(profiles: ad.AnnData, members: pd.DataFrame) -> None:
    """Make sure that no donor of a held-out profile stands among the fitted profiles of the same training set.

    Raises
    ------
    ContractError
        Naming the training set and the donor; or a member that is no profile.
    """
    position = profiles.obs_names.get_indexer(members["sample_id"])
    if (position < 0).any():
        raise ContractError(
            f"member {members['sample_id'].iloc[int(np.argmin(position))]!r} is not among the profiles",
            where="plan/members",
            remedy="the plan is older than the profiles; delete it and run the workflow again",
        )
    donors, names = pd.factorize(profiles.obs["donor"].astype(str))
    table = pd.DataFrame({"set": members["training_set"].astype(str).to_numpy(), "donor": donors[position]})
    role = members["role"].astype(str).to_numpy()
    held_out = table[role == "test"].drop_duplicates()
    fitted = table[np.isin(role, FITTED_ROLES)].drop_duplicates()
    leaked = held_out.merge(fitted, on=["set", "donor"])
    if len(leaked):
        first = leaked.iloc[0]
        raise ContractError(
            f"donor {names[first['donor']]!r} is held out and trained on in the same training set"
            f" ({len(leaked)} such in all)",
            where=f"plan/members, training set {first['set']!r}",
            remedy="splits are by donor: correct the sample table's donor column, delete the plan and run again",
        )


class Members:
    """Members of the training sets, by training set and role."""

    def __init__(self, profiles: ad.AnnData, members: pd.DataFrame) -> None:
        rows = pd.DataFrame(
            {
                "position": profiles.obs_names.get_indexer(members["sample_id"]),
                "condition": members["condition"].astype(str).to_numpy(dtype=object),
                "role": members["role"].astype(str).to_numpy(dtype=object),
            }
        )
        groups = rows.groupby(members["training_set"].astype(str).to_numpy(), sort=False)
        self._sets = dict(iter(groups))
        self._found: dict[tuple[str, ...], tuple[np.ndarray, np.ndarray]] = {}

    def of(self, training_set: str, *roles: str) -> tuple[np.ndarray, np.ndarray]:
        """Row numbers in the profiles, and conditions, of the members in `roles`; both (n,) and read-only."""
        if (key := (training_set, *roles)) not in self._found:
            group = self._sets[training_set]
            group = group[group["role"].isin(roles)]
            found = group["position"].to_numpy(), group["condition"].to_numpy()
            for array in found:
                array.setflags(write=False)
            self._found[key] = found
        return self._found[key]
