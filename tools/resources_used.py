"""Print wall time, CPU time and peak memory of a study's jobs, from its benchmark files.

Usage: python tools/resources_used.py STUDY
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd


def main(study: str) -> None:
    """Sum up ``benchmarks/<study>``."""
    folder = Path("benchmarks") / study
    files = sorted(folder.rglob("*.tsv"))
    if not files:
        print(f"no benchmark files in {folder}")
        return
    jobs = pd.concat(
        [pd.read_csv(f, sep="\t", na_values="-").assign(job=str(f.relative_to(folder).with_suffix(""))) for f in files]
    ).reset_index(drop=True)
    top = jobs.loc[jobs["max_rss"].idxmax()]
    print(
        f"{len(jobs)} jobs, {jobs['s'].sum() / 60:.1f} minutes of job time in all; "
        f"peak memory {top['max_rss'] / 1024:.2f} GiB ({top['job']})"
    )


if __name__ == "__main__":
    main(sys.argv[1])
