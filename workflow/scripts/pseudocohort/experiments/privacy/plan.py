"""Training sets of the audits: each donor outside the reference is a member by its own fair coin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from ...core.seeds import generator
from ...generators.base.registry import describe, kind_of
from ..shared.plan import Roles, generators_of, in_proportion, rows, share_of_donors


def training_sets(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """An audit and its negative control per coin, and audits of other training lengths."""
    settings = config["privacy"]
    for coin in range(settings["coins"]):
        for prefix, regime in (("priv", "audit"), ("privneg", "negative_control")):
            yield {
                "training_set": f"{prefix}-c{coin}",
                "regime": regime,
                "repeat": coin,
                "generators": generators_of(config, "privacy"),
            }
    lengths = settings["training_lengths"]
    for factor in sorted({f for factors in lengths.values() for f in factors}):
        for coin in range(settings["coins"]):
            yield {
                "training_set": f"privlen-x{factor:g}-c{coin}",
                "task": f"training length x{factor:g}",
                "regime": "training_length",
                "training_length": float(factor),
                "repeat": coin,
                "generators": [name for name, factors in lengths.items() if factor in factors],
            }


def reference_donors(obs: pd.DataFrame, config: dict[str, Any]) -> set[str]:
    """Donors of the attacker's reference set: a share of each condition's donors, the same for every coin."""
    rng, first = generator(config["seed"], "privacy", "reference"), obs.drop_duplicates("donor")
    return share_of_donors(first, first["condition"], config["privacy"]["reference_share"], rng)


def members(obs: pd.DataFrame, row: dict[str, Any], config: dict[str, Any]) -> pd.DataFrame:
    """Members and non-members by the coins, and the reference.

    In the negative control the generator sees the reference only (role train), and the coins are the same.
    """
    inside = obs[obs["level"] == config["privacy"]["level"]]
    reference = reference_donors(inside, config)
    candidates = np.sort([d for d in inside["donor"].unique() if d not in reference])
    heads = generator(config["seed"], "privacy", "coin", row["repeat"]).random(len(candidates)) < 0.5
    chosen = set(candidates[heads])
    # A condition whose donors all fell on one side cannot be audited; its coins stay as they fell.
    role = np.where(
        inside["donor"].isin(reference), "reference", np.where(inside["donor"].isin(chosen), "member", "non_member")
    )
    parts = [rows(obs, inside.index[role == r], r) for r in ("member", "non_member", "reference")]
    if row["regime"] == "negative_control":
        parts.append(rows(obs, inside.index[role == "reference"], "train"))
    return pd.concat(parts)


def request(
    row: dict[str, Any], roles: Roles, config: dict[str, Any], rng: np.random.Generator, *, private: bool
) -> pd.DataFrame:
    """As many profiles as there are members, and more where releases of other sizes are audited.

    For a private generator the conditions are those of all candidates and the number is half of theirs, which say
    nothing of the coins.
    """
    # Releases of several sizes are prefixes of the largest.
    times = max([1.0, *config["privacy"]["release_sizes"]]) if row["regime"] == "audit" else 1.0
    if private:
        pool = pd.concat([roles.requests("member"), roles.requests("non_member")], ignore_index=True)
        return in_proportion(pool, round(times * (len(pool) // 2)), rng)
    source = roles.requests("train" if row["regime"] == "negative_control" else "member")
    return in_proportion(source, round(times * len(roles.ids("member"))), rng)


def has_signals(config: dict[str, Any], generator: str) -> bool:
    """Whether what a model gives away, and its ledger, are read: of private models, and with ``white_box`` of all."""
    can = describe(kind_of(config, generator)).capabilities
    return can.private or (config["privacy"]["white_box"] and can.trained)


def inputs(config: dict[str, Any], generator: str, jobs: list[str]) -> dict[str, list[str]]:
    """White-box signals and ledgers of a generator, where it has any."""
    if not has_signals(config, generator):
        return {}
    files = {"signals": "tsv", "ledgers": "json"}
    return {kind: [f"<results>/signals/{generator}/{job}.{end}" for job in jobs] for kind, end in files.items()}


def varies_training_or_release(config: dict[str, Any]) -> bool:
    """Whether audits of other training lengths or release sizes are asked for."""
    return bool(config["privacy"]["training_lengths"] or config["privacy"]["release_sizes"])
