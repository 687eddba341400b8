"""Do synthetic profiles show what sex, age and other covariates do to genes?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..generators.fit.covariates import Coding, is_known, linear_effects

#: F statistic among training donors from which on a covariate's effect on a gene is clear.
CLEAR = 10.0


def covariate_recovery(
    train: tuple[np.ndarray, pd.DataFrame],
    reality: tuple[np.ndarray, pd.DataFrame],
    stand_in: tuple[np.ndarray, pd.DataFrame],
    kinds: Mapping[str, str],
) -> dict[str, float]:
    """How much of what covariates do to genes in real profiles they do in others, within conditions and levels.

    Genes, and what they weigh, are those on which the effect is clear in `train`: of the effects in `stand_in`, what
    lies along these weights, over the same of `reality`. 1 is the same effect, 0 is none. Without weights the noise of
    hundreds of genes without an effect would hide it.

    Each set is standardised profiles (n × genes) and a table of their ``condition``, ``level`` and covariates, and
    ``donor`` where there are donors.

    Returns
    -------
    dict of float
        ``covariate_<name>_recovered``; without those that have no clear effect, are missing in `stand_in`, or have too
        few donors to tell.
    """
    out = {}
    for name, kind in kinds.items():
        coding = Coding.fit(name, kind, train[1], np.ones(len(train[1])))
        if coding is None:
            continue
        found = []
        for x, obs in (train, reality, stand_in):
            known = is_known(obs[name], kind)
            found.append(linear_effects(x[known], obs[known], [coding]))
        if any(one is None for one in found):
            continue
        (((of_train,), (f,)), ((real,), _), ((made,), _)) = found
        weight = np.where(f > CLEAR, of_train, 0.0)
        if (scale := float((real * weight).sum())) > 0:
            out[f"covariate_{name}_recovered"] = float((made * weight).sum()) / scale
    return out
