"""Which training sets a study has: a pure function of its configuration, so that the workflow can plan without data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..core.contracts import TRAINING_SETS_COLUMNS
from ..core.seeds import derive
from ..experiments.registry import describe, drawn_settings, of_study


class _Plan(NamedTuple):
    """Rows of the plan, the same by name, and without generators, and the names by experiment and generator."""

    rows: list[dict[str, Any]]
    by_name: dict[str, dict[str, Any]]
    drawn: dict[str, dict[str, Any]]
    jobs: dict[tuple[str, str], list[str]]


#: The last plans by their configuration: each job of the workflow asks for its part, and a plan may have 10,000 sets.
_PLANS: dict[str, _Plan] = {}


def _plan(config: dict[str, Any]) -> _Plan:
    key = json.dumps(config, default=str)
    if key not in _PLANS:
        while len(_PLANS) > 3:
            del _PLANS[next(iter(_PLANS))]
        rows = list(_rows(config))
        jobs: dict[tuple[str, str], list[str]] = {}
        for row in rows:
            for generator in filter(None, row["generators"].split(";")):
                jobs.setdefault((row["experiment"], generator), []).append(row["training_set"])
        by_name = {row["training_set"]: row for row in rows}
        drawn = {name: {k: v for k, v in row.items() if k != "generators"} for name, row in by_name.items()}
        _PLANS[key] = _Plan(rows, by_name, drawn, jobs)
    return _PLANS[key]


def _rows(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
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
            yield {column: filled.get(column) for column in TRAINING_SETS_COLUMNS}


def training_sets(config: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of ``plan/training_sets.tsv`` (columns of ``contracts.TRAINING_SETS_COLUMNS``), in a stable order.

    ``generators`` lists, separated by ``;``, the generators trained on the set; it is empty for sets that only serve
    as real rows of a baseline.
    """
    return [dict(row) for row in _plan(config).rows]


def batches(config: dict[str, Any], experiment: str, generator: str) -> dict[str, list[str]]:
    """Training sets of each training job of a generator: ``{"b000": [ids], ...}``, ``training.sets_per_job`` a job."""
    ids = _plan(config).jobs.get((experiment, generator), [])
    size = config["training"]["sets_per_job"]
    return {f"b{i // size:03d}": ids[i : i + size] for i in range(0, len(ids), size)}


def facts(config: dict[str, Any], ids: list[str], column: str, ordinary: Any = None) -> dict[str, Any]:
    """Values of a column of the plan for the training sets `ids`, where they are not the ordinary one."""
    planned = _plan(config).by_name
    found = {name: planned[name][column] for name in ids if name in planned}
    return {name: value for name, value in found.items() if value != ordinary}


def drawn(config: dict[str, Any], experiment: str, ids: list[str], *, asked: bool = False) -> dict[str, Any]:
    """What training sets `ids` are: their rows without the generators, and :func:`.registry.drawn_settings`."""
    planned = _plan(config).drawn  # shared by the jobs of a set: a plan of 10,000 has twenty jobs for each
    return {"rows": [planned[name] for name in ids], "settings": drawn_settings(config, experiment, asked=asked)}


def alignments(config: dict[str, Any], ids: list[str]) -> dict[str, str]:
    """Alignment of the levels before training, by training set; sets without one are left out."""
    planned, found = _plan(config).by_name, {}
    for name in ids:
        if name in planned and describe(planned[name]["experiment"]).has("plan:alignment"):
            found[name] = describe(planned[name]["experiment"]).load("plan:alignment")(planned[name])
    return {name: how for name, how in found.items() if how is not None}


def trained_experiments(config: dict[str, Any]) -> list[str]:
    """Experiments of the study that have training sets."""
    return [experiment.name for experiment in of_study(config) if experiment.has("plan:training_sets")]


def generators_of(config: dict[str, Any], experiment: str) -> list[str]:
    """Generators that are trained for an experiment, in configured order."""
    return [generator for trained, generator in _plan(config).jobs if trained == experiment]
