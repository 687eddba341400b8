"""Which training sets a study has: a pure function of its configuration, so that the workflow can plan without data."""

from __future__ import annotations

from typing import Any

from ..core.contracts import TRAINING_SETS_COLUMNS
from ..core.seeds import derive
from ..experiments.registry import describe, of_study


def training_sets(config: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of ``plan/training_sets.tsv`` (columns of ``contracts.TRAINING_SETS_COLUMNS``), in a stable order.

    ``generators`` lists, separated by ``;``, the generators trained on the set; it is empty for sets that only serve
    as real rows of a baseline.
    """
    out = []
    for experiment in of_study(config):
        if not experiment.has("plan:training_sets"):
            continue
        for row in experiment.load("plan:training_sets")(config):
            filled = {
                **row,
                "experiment": experiment.name,
                "generators": ";".join(row["generators"]),
                "training_length": row.get("training_length", 1.0),
                "seed": derive(config["seed"], row["training_set"]),
            }
            out.append({column: filled.get(column) for column in TRAINING_SETS_COLUMNS})
    return out


def _jobs(config: dict[str, Any], experiment: str, generator: str) -> list[str]:
    return [
        row["training_set"]
        for row in training_sets(config)
        if row["experiment"] == experiment and generator in row["generators"].split(";")
    ]


def batches(config: dict[str, Any], experiment: str, generator: str) -> dict[str, list[str]]:
    """Training sets of each training job of a generator: ``{"b000": [ids], ...}``, ``training.sets_per_job`` a job."""
    ids = _jobs(config, experiment, generator)
    size = config["training"]["sets_per_job"]
    return {f"b{i // size:03d}": ids[i : i + size] for i in range(0, len(ids), size)}


def facts(config: dict[str, Any], ids: list[str], column: str, ordinary: Any = None) -> dict[str, Any]:
    """Values of a column of the plan for the training sets `ids`, where they are not the ordinary one."""
    wanted = set(ids)
    found = {row["training_set"]: row[column] for row in training_sets(config) if row["training_set"] in wanted}
    return {name: value for name, value in found.items() if value != ordinary}


def alignments(config: dict[str, Any], ids: list[str]) -> dict[str, str]:
    """Alignment of the levels before training, by training set; sets without one are left out."""
    wanted = set(ids)
    found = {}
    for row in training_sets(config):
        if row["training_set"] in wanted and describe(row["experiment"]).has("plan:alignment"):
            found[row["training_set"]] = describe(row["experiment"]).load("plan:alignment")(row)
    return {name: how for name, how in found.items() if how is not None}


def trained_experiments(config: dict[str, Any]) -> list[str]:
    """Experiments of the study that have training sets."""
    return [experiment.name for experiment in of_study(config) if experiment.has("plan:training_sets")]


def generators_of(config: dict[str, Any], experiment: str) -> list[str]:
    """Generators that are trained for an experiment, in configured order."""
    names: dict[str, None] = {}
    for row in training_sets(config):
        if row["experiment"] == experiment and row["generators"]:
            names.update(dict.fromkeys(row["generators"].split(";")))
    return list(names)
