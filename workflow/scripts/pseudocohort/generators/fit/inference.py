"""What stored models give: synthetic profiles, expectations given some genes, signals about candidates."""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from ...core.contracts import SIGNALS_COLUMNS
from ...core.groups import OBS
from .covariates import described
from .fitted import Fitted
from .per_condition import PerCondition

log = logging.getLogger(__name__)


def sample_batch(
    models_dir: Path,
    requests: dict[str, pd.DataFrame],
    var: pd.DataFrame,
    *,
    generator: str,
    seeds: dict[str, int],
    device: str,
    name: str = "",
) -> ad.AnnData:
    """Sample from each model of a batch what is asked of it.

    Parameters
    ----------
    models_dir : Path
        Written by :func:`.batch.train_batch`.
    requests : dict of DataFrame
        Conditions and levels to sample, by training set (:func:`...plan.requests.request`).
    var : DataFrame
        Genes.
    seeds : dict of int
        Seed of each training set.
    name : str
        Name that the profiles carry; `generator` if none is given.

    Returns
    -------
    AnnData
        log2 expression, not below 0, silent genes on their floor (:mod:`.detection`); keeps ``contracts.SYNTHETIC``.
        Where the profiles that all models were trained on were counts, the layer ``counts`` has integers at library
        sizes drawn like theirs.
    """
    name = name or generator
    parts, tables, counts = [], [], []
    for training_set, wanted in requests.items():
        fitted = Fitted.load(models_dir / training_set, generator)
        parts.append(fitted.sample(wanted, seed=seeds[training_set], device=device))
        counts.append(fitted.counts(parts[-1], wanted, seed=seeds[training_set]))
        table = fitted.effects.shown(wanted)
        table.insert(0, "training_set", training_set)
        table.insert(1, "generator", name)
        tables.append(table)
        log.info("%s: %d profiles", training_set, len(wanted))
    obs = pd.concat(tables, ignore_index=True)
    obs.index = obs["training_set"] + ":" + name + ":" + obs.groupby("training_set").cumcount().astype(str)
    return ad.AnnData(
        np.concatenate(parts),
        obs=obs,
        var=var,
        layers={} if any(part is None for part in counts) else {"counts": np.concatenate(counts)},
        uns={"pseudocohort": {"unit": "log2 expression", "synthetic": True}},
    )


def expected_given(
    folder: Path, obs: pd.DataFrame, clamped: np.ndarray, *, generator: str, seed: int, device: str
) -> np.ndarray:
    """Profiles (n × genes, log2) that a stored generator expects given the values of some of their genes.

    `clamped` (n × genes, log2) is NaN where a gene is free; `obs` has conditions and levels.
    """
    return _loaded(folder, generator).given(obs, clamped, seed=seed, device=device)


@lru_cache(maxsize=4)
def _loaded(folder: Path, generator: str) -> Fitted:
    """A stored generator, which hundreds of questions are asked in a row."""
    return Fitted.load(folder, generator)


def signals_batch(
    models_dir: Path,
    profiles: ad.AnnData,
    members: pd.DataFrame,
    training_sets: list[str],
    *,
    generator: str,
    device: str,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """White-box signals of each model about the candidates of its audit, and the models' privacy ledgers.

    Candidates are the `members` with role member or non_member; `profiles` are harmonised (log2 units), `models_dir` is
    written by :func:`.batch.train_batch`.

    Returns
    -------
    signals : DataFrame
        ``training_set sample_id signal score``, higher for members; without rows if the generator has no such attack.
    ledgers : dict
        Training set -> state of its :class:`..base.ledger.Ledger`; empty for generators without one.
    """
    parts, ledgers = [pd.DataFrame(columns=list(SIGNALS_COLUMNS))], {}
    for training_set in training_sets:
        fitted = Fitted.load(models_dir / training_set, generator)
        model = fitted.model
        if isinstance(model, PerCondition):
            log.info("%s: one model per condition; white-box attacks are defined for joint models", training_set)
            continue
        if model.ledger is not None:
            ledgers[training_set] = model.ledger.state()
        own = members[(members["training_set"] == training_set).to_numpy()]
        rows = own[own["role"].astype(str).isin(["member", "non_member"]).to_numpy()]
        seen = profiles[rows["sample_id"].to_numpy()]
        obs = seen.obs[list(OBS)].astype(str).join(seen.obs[list(described(profiles))])
        obs["condition"] = rows["condition"].astype(str).to_numpy()
        candidates = ad.AnnData(fitted.standardised(np.asarray(seen.X), obs), obs=obs, var=profiles.var)
        for signal, score in model.member_signals(candidates, device=device).items():
            ids = {"training_set": training_set, "sample_id": seen.obs_names, "signal": signal, "score": score}
            parts.append(pd.DataFrame(ids))
        log.info("%s: signals of %d candidates", training_set, len(rows))
    return pd.concat(parts[1:] or parts, ignore_index=True)[list(SIGNALS_COLUMNS)], ledgers
