"""What the jobs of a study would take, from the benchmark files and results of a study that has run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ..core.errors import UserError
from ..experiments.registry import evaluations
from ..generators.base import registry
from .training_sets import batches, generators_of, trained_experiments

#: Rules whose work grows with the training sets, and the folder under ``results/<study>`` that each fills.
GROWING = {"train": "models", "generate": "synthetic", "evaluate": "evaluated"}
_COLUMNS = ("s", "cpu_time", "max_rss")


def measured(folder: Path) -> pd.DataFrame:
    """Jobs of a folder of benchmark files.

    A row per job: ``rule``, ``job`` (the file below the rule's folder, without its ending), wall time ``s`` and
    ``cpu_time`` in seconds, peak memory ``max_rss`` in MB. A job too short to be sampled has NaN.
    """
    rows = []
    for path in sorted(folder.rglob("*.tsv")):
        parts = path.relative_to(folder).with_suffix("").parts
        table = pd.read_csv(path, sep="\t", na_values="-", usecols=list(_COLUMNS))
        rows += [{"rule": parts[0], "job": "/".join(parts[1:]), **row} for row in table.to_dict("records")]
    return pd.DataFrame(rows, columns=["rule", "job", *_COLUMNS])


def by_rule(jobs: pd.DataFrame) -> pd.DataFrame:
    """Jobs of each rule, their longest and total wall time (s), total CPU time (s) and highest memory (MB)."""
    grouped = jobs.groupby("rule")
    table = grouped.agg(
        jobs=("s", "size"), longest_s=("s", "max"), s=("s", "sum"), cpu_s=("cpu_time", "sum"), max_mb=("max_rss", "max")
    )
    return table.sort_values("s", ascending=False).reset_index()


def _bytes(path: Path) -> int:
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


def _ids(config: dict[str, Any], rule: str, experiment: str, generator: str) -> dict[str, int]:
    """Training sets of each job of a rule, by the job's name below the rule's folder."""
    jobs = {name: len(ids) for name, ids in batches(config, experiment, generator).items()}
    if rule == "evaluate":
        name, _ = _evaluation(config, experiment, generator)
        return {f"{experiment}/{name}": sum(jobs.values())} if jobs else {}
    return {f"{experiment}/{generator}/{name}": count for name, count in jobs.items()}


def _evaluation(config: dict[str, Any], experiment: str, generator: str) -> tuple[str, int]:
    """Name of the evaluation that scores a generator, and how many it scores."""
    jobs = evaluations(config, experiment, generators_of(config, experiment))
    return next((name, len(scored)) for name, scored in jobs.items() if generator in scored)


def per_set(root: Path, study: str) -> pd.DataFrame:
    """What a training set took in a study that has run.

    A row per rule, experiment and generator: ``seconds``, ``bytes`` of results per training set and ``max_mb``.

    Raises
    ------
    UserError
        If the study has not run to its end here.
    """
    written = root / "results" / study / "provenance/config.yaml"
    if not written.is_file():
        raise UserError(
            f"the study {study!r} has not run to its end here, so nothing of it is measured",
            where=str(written),
            remedy="name a study whose results/ and benchmarks/ are in this folder",
        )
    config = yaml.safe_load(written.read_text())
    jobs = measured(root / "benchmarks" / study).set_index(["rule", "job"])
    rows = []
    for experiment in trained_experiments(config):
        for generator in generators_of(config, experiment):
            for rule, folder in GROWING.items():
                sets = {n: c for n, c in _ids(config, rule, experiment, generator).items() if (rule, n) in jobs.index}
                if not sets:
                    continue
                took = jobs.loc[[(rule, name) for name in sets]]
                endings = {"train": "", "generate": ".h5ad", "evaluate": ".tsv"}
                size = sum(_bytes(root / "results" / study / folder / f"{name}{endings[rule]}") for name in sets)
                count = sum(sets.values())
                if rule == "evaluate":  # its generators share a job
                    count *= _evaluation(config, experiment, generator)[1]
                rows.append(
                    {
                        "rule": rule, "experiment": experiment, "generator": generator,
                        "seconds": took["s"].sum() / count, "bytes": size / count,
                        "max_mb": took["max_rss"].max(),
                    }
                )  # fmt: skip
    return pd.DataFrame(rows, columns=["rule", "experiment", "generator", "seconds", "bytes", "max_mb"])


def estimate(config: dict[str, Any], unit: pd.DataFrame) -> pd.DataFrame:
    """What a planned study would take, if each of its training sets took what it did in a measured one.

    A generator that was not measured counts as the mean of the rule's others in that experiment, or in all.

    A row per rule: ``jobs``, ``cpu_hours``, ``gpu_hours`` (jobs that ask for a GPU count there alone), ``max_mb`` and
    ``bytes``.
    """
    cuda = config["training"]["device"] == "cuda"
    rows, seen = [], set()
    for experiment in trained_experiments(config):
        for generator in generators_of(config, experiment):
            trained = registry.describe_kind(config, generator).capabilities.trained
            for rule in GROWING:
                sets = _ids(config, rule, experiment, generator)
                own = unit[unit["rule"] == rule]
                for column, value in (("experiment", experiment), ("generator", generator)):
                    own = own[own[column] == value] if (own[column] == value).any() else own
                if own.empty:
                    continue
                count, on_gpu = sum(sets.values()), cuda and trained and rule != "evaluate"
                hours = count * own["seconds"].mean() / 3600
                new = {(rule, name) for name in sets} - seen
                seen |= new
                rows.append(
                    {
                        "rule": rule, "jobs": len(new), "cpu_hours": 0.0 if on_gpu else hours,
                        "gpu_hours": hours if on_gpu else 0.0, "max_mb": own["max_mb"].max(),
                        "bytes": count * own["bytes"].mean(),
                    }
                )  # fmt: skip
    table = pd.DataFrame(rows, columns=["rule", "jobs", "cpu_hours", "gpu_hours", "max_mb", "bytes"])
    totals = {name: "max" if name == "max_mb" else "sum" for name in table.columns[1:]}
    return table.groupby("rule", sort=False).agg(totals).reset_index()
