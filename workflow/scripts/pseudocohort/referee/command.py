"""Test a synthetic cohort against real profiles, and write a folder with the page, the table and the answers."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import Any

from ..core import logs
from ..core.errors import UserError
from ..core.io import check_writable
from ..core.survival import EVENT, TIME
from .auditing import EVALUATIONS, audit

EXAMPLE = "pseudocohort audit --train a.h5ad --synthetic b.tsv --holdout c.h5ad --condition pam50 --out folder"
ROLES = {
    "train": "real profiles that the generator was trained on",
    "synthetic": "the synthetic cohort",
    "holdout": "real profiles of donors whom the generator never saw; without them only copies are found",
    "reference": "real profiles of further donors, as an attacker may hold them",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    for role, help in ROLES.items():
        parser.add_argument(
            f"--{role}", nargs="+", required=role in ("train", "synthetic"), metavar=("FILE", "SAMPLES"),
            help=f"{help}: an h5ad file, a table with a profile per row, or a matrix and its sample table",
        )  # fmt: skip
    parser.add_argument("--condition", help="column of the condition (subtype, tissue)")
    parser.add_argument("--donor", help="column of the donor; without it every profile is a donor of its own")
    parser.add_argument(
        "--survival", nargs=2, metavar=("TIME", "EVENT"),
        help="columns of the follow-up: times, and whether the event ended them (1 or 0)",
    )  # fmt: skip
    parser.add_argument(
        "--controls", nargs="*", default=None, metavar="GENERATOR",
        help="simple generators to test beside it (default: all; without names: none)",
    )  # fmt: skip
    parser.add_argument(
        "--evaluations",
        nargs="+",
        default=list(EVALUATIONS),
        choices=EVALUATIONS,
        help="what to evaluate (default: all)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="seed of all random choices (default: 0)")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder of the results")


def _files(given: list[str] | None, role: str) -> Any:
    if given is None or len(given) == 1:
        return given and given[0]
    if len(given) > 2:
        raise UserError(
            f"{len(given)} files", where=f"--{role}", remedy="give one file, or a matrix and its sample table"
        )
    return tuple(given)


def run(args: argparse.Namespace) -> int:
    """Judge a synthetic cohort, whoever made it: likeness, use and privacy, with a report."""
    logs.configure()
    try:
        check_writable(args.out / "report.html")  # before the work, not after it
        found = audit(
            **{role: _files(getattr(args, role), role) for role in ROLES},
            condition=args.condition, donor=args.donor, controls=args.controls,
            survival=dict(zip((TIME, EVENT), args.survival, strict=True)) if args.survival else None,
            evaluations=args.evaluations, random_state=args.seed,
        )  # fmt: skip
        found.save(args.out)
        found.report(args.out / "report.html")
    except UserError as error:
        logging.error("\n%s", error)
        return 1
    sys.stdout.write(f"{found}\n\nreport: {args.out / 'report.html'}\n")
    return 0
