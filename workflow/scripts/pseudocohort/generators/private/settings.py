"""What private generators share: the ledger's first entries, the budget of the statistics."""

from __future__ import annotations

import secrets
from typing import Any

import anndata as ad
import numpy as np

from ...core.groups import Key
from ...core.seeds import derive
from ..base.ledger import Ledger, noise_for
from .statistics import LABELS, DonorProfiles, PrivateStatistics, Public


def secret_seed(settings: dict[str, Any], seed: int, name: str) -> int:
    """Seed of noise that must stay secret: of the operating system, or derived from the study's."""
    return secrets.randbits(63) if settings["noise_seed"] == "system" else derive(seed, name)


def open_ledger(profiles: ad.AnnData, settings: dict[str, Any]) -> Ledger:
    """Ledger with the entries that do not depend on the kind of generator."""
    ledger = Ledger(float(settings["delta"]))
    if settings["genes"] == "public":
        ledger.public("choice of genes", "declared fixed without the training donors")
    else:
        ledger.exact("choice of genes", "expression and variance of the training donors chose them")
    known = profiles.uns.get("public")
    if known is None:
        ledger.exact("names of conditions and levels", "those of the training profiles")
    else:
        ledger.public("names of conditions and levels", "all that the study's sheet and configuration declare")
        if settings["public"] == "reference" and known.reference is not None:
            ledger.public("reference", f"{known.reference.n_obs} profiles of other donors, declared public")
    ledger.public("scale", "none: profiles stay in log2 units, and lengths are cut to constants")
    ledger.public("settings and choice of checkpoint", "fixed beforehand; the last step is kept")
    ledger.public("loss curve", "none is kept")
    ledger.assumptions += [
        "The settings were not tuned on the training donors.",
        "Each profile was prepared by itself: none was dropped or changed because of other donors.",
        "The conditions that samples are asked for do not depend on the training donors.",
        "Noise is floating-point, from a pseudo-random generator.",
    ]
    if settings["noise_seed"] == "study":
        ledger.assumptions.append("The seed of the study stays secret: whoever knows it can take the noise away.")
    return ledger


def vocabulary(profiles: ad.AnnData, settings: dict[str, Any]) -> tuple[Public, list[Key]]:
    """What is public, and the (condition, level) pairs that the model has."""
    public = profiles.uns.get("public") or Public(profiles.obs[list(LABELS)].astype(str).drop_duplicates())
    if settings["public"] != "reference":
        public = Public(public.labels)
    labels = public.labels
    keys = sorted(set(zip(labels["condition"].astype(str), labels["level"].astype(str), strict=True)))
    return public, [key for key in keys if key[0]]


def statistics(
    profiles: ad.AnnData,
    keys: list[Key],
    settings: dict[str, Any],
    ledger: Ledger,
    shares: dict[str, float],
    *,
    epsilon: float | None,
    seed: int,
) -> PrivateStatistics:
    """Statistics that together spend `epsilon` (None: noise off) in the given shares."""
    noise = None if epsilon is None else noise_for(float(epsilon), ledger.delta)
    rng = np.random.default_rng(secret_seed(settings, seed, "statistics"))
    return PrivateStatistics(DonorProfiles.of(profiles, keys), keys, ledger, noise, shares, rng)
