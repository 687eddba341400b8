"""Print the numbers of docs/interventions.md: a study's predictions against pairs, dependencies and perturbations.

Usage: python tools/score_interventions.py results/paired [--truth pairs dependencies perturbations effects]

Reads tables/interventions_summary.tsv of a study that ran the experiment interventions, e.g. after
  snakemake --cores 2 --configfile config/paired.yaml -- results/paired/tables/interventions_summary.tsv
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

TASKS = {
    "effects": ("do",),
    "pairs": ("translate", "translate_curve", "translate_unseen", "translate_attacked"),
    "dependencies": ("targets", "dependencies"),
    "perturbations": ("perturbations",),
}
KEYS = ["task", "generator", "estimator", "regime", "level", "n_real", "metric"]


def main() -> None:
    """Print the summary, one line a measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="results folder of the study")
    parser.add_argument("--truth", nargs="+", choices=list(TASKS), default=list(TASKS))
    arguments = parser.parse_args()
    path = arguments.study / "tables/interventions_summary.tsv"
    if not path.is_file():
        sys.exit(f"{path} is not there: run the experiment interventions of the study first")
    table = pd.read_csv(path, sep="\t")
    tasks = [task for truth in arguments.truth for task in TASKS[truth]]
    shown = table[table["task"].isin(tasks)].sort_values(KEYS, kind="stable")
    for row in shown.itertuples():
        names = [str(getattr(row, key)) for key in KEYS if pd.notna(getattr(row, key))]
        interval = "" if pd.isna(row.ci_low) else f" [{row.ci_low:.3f}, {row.ci_high:.3f}]"
        print(f"{' · '.join(names):95s} {row.value:8.3f}{interval}  n {row.n}")


if __name__ == "__main__":
    main()
