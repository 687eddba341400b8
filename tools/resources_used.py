"""Print wall time, CPU time and peak memory of a study's jobs, from its benchmark files.

Usage: python tools/resources_used.py STUDY [--rules]

``--rules`` prints a table, a row per rule: what the memory and time of the rules and of profiles/slurm are set by.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow/scripts"))

from pseudocohort.plan.costs import by_rule, measured


def main() -> None:
    """Sum up ``benchmarks/<study>``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study")
    parser.add_argument("--rules", action="store_true", help="a row per rule")
    options = parser.parse_args()
    folder = Path("benchmarks") / options.study
    jobs = measured(folder)
    if jobs.empty:
        print(f"no benchmark files in {folder}")
        return
    if options.rules:
        print(by_rule(jobs).round(1).to_string(index=False))
    top = jobs.loc[jobs["max_rss"].idxmax()]
    print(
        f"{len(jobs)} jobs, {jobs['s'].sum() / 60:.1f} minutes of job time in all; "
        f"peak memory {top['max_rss'] / 1024:.2f} GiB ({top['rule']}/{top['job']})"
    )


if __name__ == "__main__":
    main()
