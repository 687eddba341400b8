"""What training and sampling took, from the benchmark files that Snakemake writes of each job."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from .tables import Table, plain_table

_NOTE = (
    "Wall time of the jobs, their start and reading included, with other jobs beside them; memory of a job's processes "
    "at its highest. Of jobs of this study on this machine, an interrupted or repeated one by its last run."
)


def costs(benchmarks: Path, generators: list[str]) -> pd.DataFrame:
    """Jobs, wall time (s) and peak memory (GiB) by generator, of those whose jobs have left a benchmark file."""
    rows = []
    for name in generators:
        jobs = {stage: _jobs(benchmarks / stage, name) for stage in ("train", "generate")}
        if jobs["train"].empty:
            continue
        row: dict[str, object] = {"Generator": name, "Training jobs": len(jobs["train"])}
        for stage, title in (("train", "Training, s"), ("generate", "Sampling, s")):
            row[title] = float(jobs[stage]["s"].sum().round())
        row["Peak, GiB"] = round(float(pd.concat(jobs.values())["max_rss"].max()) / 1024, 2)
        rows.append(row)
    return pd.DataFrame(rows)


def cost_table(found: pd.DataFrame) -> Table | None:
    """The same as a table of the report; None where there is nothing."""
    return None if found.empty else plain_table(found, "What it cost", _NOTE)


def _jobs(folder: Path, generator: str) -> pd.DataFrame:
    """Rows of the benchmark files of a generator's jobs; jobs too short to be measured have a dash for memory."""
    files = sorted(folder.glob(f"*/{generator}/*.tsv"))
    read = [pd.read_csv(file, sep="\t", na_values="-", usecols=["s", "max_rss"]) for file in files]
    return pd.concat(read) if read else pd.DataFrame({"s": [], "max_rss": []})
