"""Training sets of the combination: k tissue profiles per condition, the cell level, both, both permuted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from ...core.errors import UserError
from ...core.seeds import generator
from ..shared.plan import Roles, average_donor, both_levels, rows, wrong_names
from ..shared.splits import dealt

#: Variants that add profiles of another level; the others align the same ones in another way.
ADDED_LEVEL = {"line_bulk": "line_bulk", "offset": "line_bulk", "cells": "cell"}
#: Training set of the map of levels: generated from lines alone, in the first draw.
LINES_ALONE = "comb-cell_only-k0-d0"


def check_conditions(config: dict[str, Any], experiment: str, least: int) -> None:
    """Refuse a study that compares fewer conditions than an experiment needs."""
    if len(config["combination"]["conditions"]) < least:
        raise UserError(
            f"fewer than {least} conditions",
            where="combination.conditions",
            remedy=f"list the conditions that both levels have, or leave {experiment} out of experiments",
        )


def check(config: dict[str, Any], datasets: dict[str, dict[str, Any]]) -> None:
    """Refuse a study with fewer than two conditions to compare."""
    check_conditions(config, "combination", 2)


def training_sets(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """For each draw, number of tissue profiles and arm, and the variants of the arm both."""
    settings = config["combination"]
    for draw in range(settings["draws"]):
        generators = settings["generators"] if draw < settings["generator_draws"] else []
        for k in settings["k"]:
            for arm in settings["arms"]:
                # Without real tissue there is nothing tissue-only to train on, and "both" is "cell only".
                if (k == 0 and arm in ("tissue_only", "both")) or (k > 0 and arm == "cell_only"):
                    continue
                yield {
                    "training_set": f"comb-{arm}-k{k}-d{draw}",
                    "regime": arm,
                    "n_real": k,
                    "repeat": draw,
                    "generators": generators,
                }
        if generators:
            for k in settings["variant_k"]:
                for variant in settings["variants"]:
                    yield {
                        "training_set": f"comb-both+{variant}-k{k}-d{draw}",
                        "regime": f"both+{variant}",
                        "variant": variant,
                        "n_real": k,
                        "repeat": draw,
                        "generators": generators,
                    }


def members(obs: pd.DataFrame, row: dict[str, Any], config: dict[str, Any]) -> pd.DataFrame:
    """k real tissue profiles per condition, the cell level, both, or both with permuted conditions of the lines.

    Held-out patients are dealt anew in each draw. All other patients are there without label: those of conditions that
    are not compared as well (``unlabeled: all``), as nobody knows which these are, or only those of the conditions
    compared (``unlabeled: conditions``). Variants of both: ``line_bulk`` has bulk profiles of lines besides, ``cells``
    single cells; the others bring the levels of the same profiles together in another way.
    """
    settings = config["combination"]
    obs = dealt(obs, row, config)
    merged, tissue, cells = both_levels(obs, settings)
    rng = generator(config["seed"], "combination", row["repeat"])
    chosen: list[str] = []
    train = tissue[tissue["split"] == "train"]
    n_test = settings["n_test"]
    test_rng = generator(config["seed"], "combination", "test", row["repeat"])
    test = tissue.index[tissue["split"] == "test"]
    test_ids = list(test if len(test) <= n_test else test[np.sort(test_rng.permutation(len(test))[:n_test])])
    for condition in settings["conditions"]:
        ids = train.index[(merged[train.index] == condition).to_numpy()]
        chosen.extend(ids[rng.permutation(len(ids))[: row["n_real"]]])
    parts = []
    if row["n_real"] > 0:
        parts.append(rows(obs, pd.Index(chosen), "train", merged[chosen]))
    if row["regime"] != "tissue_only":
        labels = merged[cells.index]
        if row["regime"] == "permuted":
            labels = wrong_names(labels, rng)
        parts.append(rows(obs, cells.index, "train", labels))
    added = ADDED_LEVEL.get(row["variant"])
    if added:
        further = obs.index[merged.isin(settings["conditions"]) & (obs["level"] == added)]
        if further.empty:
            raise UserError(
                f"there is no {added.replace('_', ' ')} profile of the conditions compared",
                where="combination.variants",
                remedy="add such profiles (a dataset, or prepare.pseudobulk.single_cells), or leave out "
                f"{row['variant']}",
            )
        parts.append(rows(obs, further, "train", merged[further]))
    pool = train.index
    if settings["unlabeled"] == "all":
        pool = obs.index[(obs["level"] == settings["tissue_level"]) & (obs["split"] == "train")]
    parts.append(rows(obs, pool.difference(chosen), "unlabeled", ""))
    parts.append(rows(obs, pd.Index(test_ids), "test", merged[test_ids]))
    return pd.concat(parts)


def request(
    row: dict[str, Any], roles: Roles, config: dict[str, Any], rng: np.random.Generator, *, private: bool
) -> pd.DataFrame:
    """As many tissue profiles of each condition as the settings say, of the average donor."""
    settings = config["combination"]
    tissue = roles.obs[roles.obs["level"] == settings["tissue_level"]].iloc[[0]]
    return average_donor(tissue, np.repeat(settings["conditions"], settings["n_synthetic"]), roles.covariates)


def alignment(row: dict[str, Any]) -> str | None:
    """How the levels of a training set are brought together before training, where not in the usual way.

    Wrong names are not held against labelled patients, who would reject them.
    """
    if row["regime"] == "permuted":
        return "unguarded"
    return None if row["variant"] in ("line_bulk", "cells") else row["variant"]


def level_files(config: dict[str, Any], jobs: Callable[[str], list[str]]) -> dict[str, list[str]]:
    """Real profiles of both levels, and tissue that the first generator made from lines alone."""
    names = config["combination"]["generators"][:1]
    return {
        "profiles": ["<results>/prepared/harmonised.h5ad"],
        "donors": ["<results>/prepared/donors.tsv"],
        "synthetic": [f"<results>/synthetic/combination/{name}/{job}.h5ad" for name in names for job in jobs(name)],
    }
