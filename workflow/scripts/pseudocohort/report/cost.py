"""What training and sampling took, from the benchmark files that Snakemake writes of each job."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from .tables import Table, plain_table

_NOTE = (
    "Wall time of the jobs, their start and reading included, with other jobs beside them; memory of a job's processes "
    "at its highest. Of jobs of this study on this machine, an interrupted or repeated one by its last run."
)


def cost_table(benchmarks: Path, generators: list[str]) -> Table | None:
    """Jobs, wall time and peak memory by generator; None where no job of theirs has left a benchmark file.

    Parameters
    ----------
    benchmarks : Path
        Folder of the study, with ``train`` and ``generate``/<experiment>/<generator>/<batch>.tsv.
    generators : list of str
        In the order of the table.
    """
    rows = []
    for name in generators:
        row: dict[str, object] = {"Generator": name}
        jobs = {stage: _jobs(benchmarks / stage, name) for stage in ("train", "generate")}
        if jobs["train"].empty:
            continue
        row["Training jobs"] = len(jobs["train"])
        for stage, title in (("train", "Training, s"), ("generate", "Sampling, s")):
            row[title] = float(jobs[stage]["s"].sum().round())
        row["Peak, GiB"] = round(float(pd.concat(jobs.values())["max_rss"].max()) / 1024, 2)
        rows.append(row)
    return plain_table(pd.DataFrame(rows), "What it cost", _NOTE) if rows else None


def _jobs(folder: Path, generator: str) -> pd.DataFrame:
    """Rows of the benchmark files of a generator's jobs; jobs too short to be measured have a dash for memory."""
    files = sorted(folder.glob(f"*/{generator}/*.tsv"))
    read = [pd.read_csv(file, sep="\t", na_values="-", usecols=["s", "max_rss"]) for file in files]
    return pd.concat(read) if read else pd.DataFrame({"s": [], "max_rss": []})
