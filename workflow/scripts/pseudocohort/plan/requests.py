"""What to generate from each training set: the conditions and levels of the synthetic profiles, in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..core.seeds import generator
from ..experiments.registry import describe, drawn_settings
from ..experiments.shared.plan import Roles


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

    One row per profile to generate: ``condition``, the level factors, ``level`` and covariates.

    Parameters
    ----------
    private : bool
        For a generator with differential privacy: what is asked of it must not depend on who is a member.
    covariates : mapping of str, optional
        Covariates and their kinds. Synthetic profiles get those of the profiles whose conditions they get.
    """
    rng = generator(config["seed"], "request", row["training_set"])
    roles = Roles(members, obs, covariates or {})
    settings = drawn_settings(config, row["experiment"], asked=True)
    return describe(row["experiment"]).load("plan:request")(row, roles, settings, rng, private=private)
