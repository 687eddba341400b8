"""Run a study from its files to its report. A killed run continues where it was."""

from __future__ import annotations

import argparse

from .project import add_run, read_config, runs, snakemake

EXAMPLE = "pseudocohort report config/breast.yaml --data-root FOLDER --cores 4 -- --keep-going"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_run(parser)


def run(options: argparse.Namespace) -> int:
    """Run everything."""
    code = snakemake(options, "all")
    if not code and runs(options):
        print(f"results/{read_config(options.study, options)['study']}/report/index.html")
    return code
