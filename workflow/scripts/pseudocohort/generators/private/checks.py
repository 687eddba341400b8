"""Checks of the settings of private generators before a run. Importing this module is cheap: it reads no profiles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...core.errors import UserError

#: Median below which the expression filter lets every gene pass (log2 units).
NO_FILTER = -100.0


def check_preparation(prepare: dict[str, Any], settings: dict[str, Any], name: str) -> None:
    """Refuse ``genes: public`` where ``prepare`` looks at the training donors, which no ledger would count.

    Either ``gene_space`` chooses genes on them, or ``harmonisation`` changes each profile by all of them.

    Raises
    ------
    UserError
        With what looks at them.
    """
    if settings.get("genes") != "public":
        return
    if (harmonisation := prepare.get("harmonisation", "none")) != "none":
        raise UserError(
            f"{harmonisation} changes each profile by all training donors, so that {name!r} protects none of them",
            where="prepare.harmonisation",
            remedy=f"set it to none, or generator_settings.{name}.genes to chosen, which gives no guarantee",
        )
    gene_space, chosen = prepare.get("gene_space", {}), []
    if gene_space.get("kind") == "most_variable":
        chosen.append("kind: most_variable")
    if gene_space.get("min_median", 1.0) > NO_FILTER:
        chosen.append("min_median")
    if gene_space.get("min_sd", 0.3) >= 0:
        chosen.append("min_sd")
    if gene_space.get("min_cell_level_mean", 0.0) > 0:
        chosen.append("min_cell_level_mean")
    if chosen:
        raise UserError(
            f"genes of {name!r} are declared public, but {', '.join(chosen)} chooses them on the training donors",
            where=f"generator_settings.{name}.genes",
            remedy="take all genes or a published list without a filter (prepare.gene_space: min_median: -1000, "
            "min_sd: -1), or leave genes: chosen, which gives no guarantee",
        )


def check_public_profiles(settings: dict[str, Any], name: str, datasets: Iterable[str], *, needed: bool) -> None:
    """Refuse a generator without the public profiles that it needs, or with those of a dataset that is not there.

    `settings` are those of the generator with its defaults, `datasets` those of the study.

    Raises
    ------
    UserError
        With what may be named.
    """
    public, known = settings["public"], list(datasets)
    if public == "none" and needed:
        what = f"{name!r} has no public profiles"
    elif public not in ("none", "reference", *known):
        what = f"public profiles of {name!r} are of {public!r}, which is no dataset of the study"
    else:
        return
    raise UserError(
        what,
        where=f"generator_settings.{name}.public",
        remedy=f"name reference or a dataset of the study ({', '.join(known)})"
        + ("; or take a private generator that needs none" if needed else ", or none"),
    )
