"""Do synthetic profiles show what sex, age and other covariates do to genes?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..generators.covariates import Coding, is_known, linear_effects


def covariate_recovery(
    reality: np.ndarray,
    stand_in: np.ndarray,
    reality_obs: pd.DataFrame,
    stand_in_obs: pd.DataFrame,
    kinds: Mapping[str, str],
) -> dict[str, float]:
    """How much of the effects of each covariate in `reality` is in `stand_in`, within conditions and levels.

    It is the slope of the effects in `stand_in` on those in `reality`, over genes and through the origin: 1 where they
    are the same, 0 where there are none, less than 1 between real profiles too, as effects in `reality` are estimates.
    (A correlation would be far from 0, either way, where profiles vary along the effect whatever the covariate.)

    Parameters
    ----------
    reality, stand_in : ndarray (n × genes), (m × genes)
        Standardised profiles.
    reality_obs, stand_in_obs : DataFrame
        Their ``condition``, ``level`` and covariates, and ``donor`` where there are donors.
    kinds : mapping of str
        Covariates and their kinds.

    Returns
    -------
    dict of float
        ``covariate_<name>_recovered``; without those that do not vary, are missing in either set, or have too few
        donors to tell.
    """
    out = {}
    for name, kind in kinds.items():
        coding = Coding.fit(name, kind, reality_obs, np.ones(len(reality_obs)))
        if coding is None:
            continue
        effects = []
        for x, obs in ((reality, reality_obs), (stand_in, stand_in_obs)):
            known = is_known(obs[name], kind)
            effects.append(linear_effects(x[known], obs[known], [coding], shrink=False))
        if all(effect is not None and effect.any() for effect in effects):
            real, made = (effect.ravel() for effect in effects)
            out[f"covariate_{name}_recovered"] = float(real @ made / (real @ real))
    return out
