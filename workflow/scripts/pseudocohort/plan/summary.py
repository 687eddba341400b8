"""What a study would download and train, in words, from its configuration alone."""

from __future__ import annotations

import textwrap
from collections import Counter
from pathlib import Path
from typing import Any

from ..acquire import catalogue, gdc, sources
from ..core.words import count
from . import costs
from .training_sets import batches, generators_of, trained_experiments


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def _origin(name: str, row: dict[str, Any], column: str) -> tuple[str, int | None, str]:
    """Where a file of a dataset comes from, its bytes where they are known, and its path."""
    source = row[column].removeprefix("file://")
    if gdc.is_gdc(source):
        return "GDC", None, sources.destination(name, column, source)
    if catalogue.is_catalogued(source):
        entry = catalogue.resolve(source)
        return f"catalogue: {entry['name']}", entry.get("bytes"), sources.destination(name, column, source)
    if sources.is_downloaded(source):
        return "address", None, sources.destination(name, column, source)
    return "by hand" if source.startswith("resources/manual/") else "local", None, source


def downloads(datasets: dict[str, dict[str, Any]], root: Path) -> list[dict[str, Any]]:
    """Files of the datasets: ``dataset source origin bytes here``; bytes is None where only the source knows."""
    rows = []
    for name, row in datasets.items():
        for column in sources.COLUMNS:
            if column not in row or (column == "samples" and row[column] == row["source"]):
                continue
            origin, size, path = _origin(name, row, column)
            here = (root / path).exists()
            rows.append({"dataset": name, "source": row[column], "origin": origin, "bytes": size, "here": here})
    return rows


def summarise(config: dict[str, Any], datasets: dict[str, dict[str, Any]], root: Path, like: str | None = None) -> str:
    """Text: datasets, files to download, training sets and jobs, and what they would take.

    Parameters
    ----------
    like : str, optional
        A study that has run here, by whose training sets time, memory and disk are reckoned.
    """
    files = downloads(datasets, root)
    missing = [f for f in files if not f["here"] and f["origin"] != "local"]
    known = sum(f["bytes"] for f in missing if f["bytes"])
    unknown = sum(f["bytes"] is None for f in missing if f["origin"] != "by hand")
    kinds = Counter(row["kind"] for row in datasets.values())
    lines = [
        f"study {config['study']}: {count(len(datasets), 'dataset')} "
        f"({kinds['bulk']} bulk, {kinds['single_cell']} single-cell)",
        "",
        f"download  {len(missing)} of {len(files)} sources are not here: {_size(known)} known, "
        f"and {unknown} whose size only the source knows"
        if missing
        else "download  nothing",
    ]
    cohorts = [f for f in missing if f["origin"] == "GDC"]
    if cohorts:
        names = ", ".join(f["source"].removeprefix("gdc:") for f in cohorts)
        lines.append(f"  GDC, {len(cohorts)} cohorts (the listing has the size and MD5 of every file):")
        lines += textwrap.wrap(names, 110, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
    for file in missing:
        if file["origin"] != "GDC":
            size = "" if file["origin"] == "by hand" else _size(file["bytes"]) if file["bytes"] else "size not known"
            lines.append("  " + "  ".join(filter(None, (file["dataset"], file["origin"], file["source"], size))))
    for file in files:
        if file["origin"] == "local" and not file["here"]:
            lines.append(f"  {file['dataset']}: {file['source']} is not there")
    lines += ["", "train"]
    total = 0
    for experiment in trained_experiments(config):
        jobs = {name: batches(config, experiment, name) for name in generators_of(config, experiment)}
        models = sum(len(ids) for parts in jobs.values() for ids in parts.values())
        total += models
        total_jobs = sum(map(len, jobs.values()))
        # Sets without a generator, as those of the learning curve, are not among the jobs.
        sets = {name for parts in jobs.values() for ids in parts.values() for name in ids}
        asked = f"{count(len(sets), 'training set'):>19}, {count(len(jobs), 'generator')}"
        lines.append(f"  {experiment:<13} {asked}: {count(models, 'model')} in {count(total_jobs, 'job')}")
    lines += [f"  {count(total, 'model')} in all", "", f"evaluate  {', '.join(config['experiments'])}"]
    if like:
        lines += ["", *_costs(config, root, like)]
    return "\n".join(lines)


def _costs(config: dict[str, Any], root: Path, like: str) -> list[str]:
    """Lines on time, memory and disk."""
    table = costs.estimate(config, costs.per_set(root, like))
    lines = [f"take  if each training set took what it did in {like!r}, whose genes and profiles may be fewer"]
    for row in table.to_dict("records"):
        lines.append(
            f"  {row['rule']:<9} {row['jobs']:>6,} jobs  {row['cpu_hours']:>8,.1f} CPU-hours  "
            f"{row['gpu_hours']:>6,.1f} GPU-hours  {row['max_mb'] / 1000:>5.1f} GB a job at most  {_size(row['bytes'])}"
        )
    return lines
