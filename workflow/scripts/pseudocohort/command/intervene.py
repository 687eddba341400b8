"""Answer the questions of a study about interventions and targets (section interventions): a table and a page each."""

from __future__ import annotations

import argparse

from .project import add_run, read_config, runs, snakemake

EXAMPLE = "pseudocohort intervene config/paired.yaml --data-root FOLDER"
add_arguments = add_run


def run(options: argparse.Namespace) -> int:
    """Run the rule ``intervene``."""
    code = snakemake(options, "intervene")
    if not code and runs(options):
        print(f"results/{read_config(options.study, options)['study']}/interventions/answers/index.html")
    return code
