"""Run a study from its files to its report. A killed run continues where it was."""

from __future__ import annotations

import argparse

from .project import add_run, read_config, runs, snakemake

EXAMPLE = "pseudocohort report config/breast.yaml --data-root FOLDER --cores 4 -- --keep-going"
add_arguments = add_run


def run(options: argparse.Namespace) -> int:
    """Run everything."""
    code = snakemake(options, "all")
    if not code and runs(options):
        print(f"results/{read_config(options.study, options)['study']}/report/index.html")
    return code
