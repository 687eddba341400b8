"""What private generators share: public knowledge, the ledger's first entries, the budget of statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd

from ...core.errors import UserError
from ...core.groups import Key
from ...core.levels import FACTORS
from ..base.ledger import Ledger, noise_for
from .noise import NoiseKey
from .statistics import LABELS, DonorProfiles, PrivateStatistics, Public

if TYPE_CHECKING:
    from ..base.checkpoint import Checkpoint


def noise_key(settings: dict[str, Any], seed: int, checkpoint: Checkpoint | None = None) -> NoiseKey:
    """Key of a model's noise: a new one of the system, kept with the checkpoint, or that of the study's seed."""
    if settings["noise_seed"] == "study":
        return NoiseKey.of_seed(seed)
    if checkpoint is None:
        return NoiseKey.of_system()
    return NoiseKey.kept(checkpoint.path.with_name(f"{checkpoint.path.name}.noise"), checkpoint.fingerprint)


def open_ledger(profiles: ad.AnnData, settings: dict[str, Any], *, needs_public: bool = False) -> Ledger:
    """Ledger with the entries that do not depend on the kind of generator.

    Raises
    ------
    UserError
        If there are no public profiles where some are needed, or asked for.
    """
    if needs_public and settings["public"] == "none":
        raise UserError(
            "no public profiles are named, which this generator cannot do without",
            where="generator_settings, public",
            remedy="name a dataset of the study, or reference; or take a private generator that needs none",
        )
    ledger = Ledger(float(settings["delta"]))
    if settings["genes"] == "public":
        ledger.public("choice of genes", "declared fixed without the training donors")
    else:
        ledger.exact("choice of genes", "expression and variance of the training donors chose them")
    if settings["conditions"]:
        ledger.public("names of conditions and levels", "listed in the configuration; donors of others are left out")
    else:
        ledger.exact("names of conditions and levels", "those of the study's donors; list them in `conditions`")
    if settings["public"] != "none":
        known = profiles.uns.get("public")
        if known is None or known.reference is None:
            raise UserError(
                f"there are no public profiles {settings['public']!r}",
                where="generator_settings, public",
                remedy="name a dataset of the study, or reference where the plan sets donors aside (privacy, fidelity)",
            )
        ledger.public(
            "public profiles",
            f"{known.reference.n_obs} profiles ({settings['public']}), declared public: they are not protected",
        )
        ledger.public("limits of detection", "a gene is silent as often as in the public profiles of that level")
    ledger.public("scale", "none of the training donors: log2 units or public statistics, lengths cut to constants")
    ledger.public("settings and choice of checkpoint", "fixed beforehand; the last step is kept")
    ledger.public("loss curve", "none is kept")
    if settings["noise_seed"] == "study":
        ledger.exact("noise", "the study's seed makes it: whoever knows the seed can take the noise away")
    ledger.assumptions += [
        "The unit is the donor: one donor with all profiles is added or removed.",
        "The settings were not tuned on the training donors.",
        "Each profile was prepared by itself: none was dropped or changed because of other donors.",
        "Numbers are floating point: noised sums lie on a grid of 2^-20 of the noise, which hides their low bits; it "
        "is no proof about the machine's arithmetic.",
    ]
    return ledger


def vocabulary(profiles: ad.AnnData, settings: dict[str, Any]) -> tuple[Public, list[Key]]:
    """What is public, and the (condition, level) pairs that the model has."""
    public = profiles.uns.get("public") or Public(profiles.obs[list(LABELS)].astype(str).drop_duplicates())
    if settings["public"] == "none":
        public = Public(public.labels)
    if settings["conditions"]:
        levels = public.labels[[*FACTORS, "level"]].astype(str).drop_duplicates()
        named = pd.DataFrame({"condition": list(map(str, settings["conditions"]))})
        public = Public(named.merge(levels, how="cross")[list(LABELS)], public.reference)
    labels = public.labels
    keys = sorted(set(zip(labels["condition"].astype(str), labels["level"].astype(str), strict=True)))
    return public, [key for key in keys if key[0]]


def protected(profiles: ad.AnnData, keys: list[Key]) -> ad.AnnData:
    """Profiles of the conditions and levels that the model has; a donor's others are not looked at."""
    labels = zip(profiles.obs["condition"].astype(str), profiles.obs["level"].astype(str), strict=True)
    known = set(keys)
    return profiles[np.array([label in known for label in labels], dtype=bool)]


def statistics(
    profiles: ad.AnnData,
    keys: list[Key],
    ledger: Ledger,
    shares: dict[str, float],
    *,
    epsilon: float | None,
    key: NoiseKey,
) -> PrivateStatistics:
    """Statistics that together spend `epsilon` (None: noise off) in the given shares."""
    multiplier = None if epsilon is None else noise_for(float(epsilon), ledger.delta)
    donors = DonorProfiles.of(protected(profiles, keys), keys)
    return PrivateStatistics(donors, keys, ledger, multiplier, shares, key.stream("statistics"))
