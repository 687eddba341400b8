"""What a study would download and train, from its configuration alone: no network, no data."""

from __future__ import annotations

import argparse
from pathlib import Path

from .. import configuration
from ..acquire import sources
from ..plan.summary import summarise
from .project import ROOT, add_study, read_config, schemas, snakemake

EXAMPLE = "pseudocohort plan config/full.yaml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_study(parser)
    parser.add_argument("--like", metavar="STUDY", help="estimate time, memory and disk from a study that has run here")
    parser.add_argument("--jobs", action="store_true", help="list the jobs as well (snakemake --dry-run)")


def run(options: argparse.Namespace) -> int:
    """Print the summary, and the jobs where they are asked for."""
    config = read_config(options.study, options)
    datasets = sources.check(configuration.check_study(config, schemas(), ROOT))
    print(summarise(config, datasets, Path.cwd(), options.like), flush=True)
    if not options.jobs:
        return 0
    options.cores, options.dry_run = "1", True
    return snakemake(options, "all", "--quiet", "rules")
