"""Checks of the section ``interventions``; the experiment has no training sets of its own."""

from __future__ import annotations

from typing import Any

from ...core.errors import UserError
from ...core.paths import data_root

#: Keys that a truth needs beside the graph.
NEEDS = {"effects": "truth", "pairs": "", "dependencies": "dependencies", "perturbations": "perturbations"}


def check(config: dict[str, Any], datasets: dict[str, dict[str, Any]]) -> None:
    """Refuse truths without their files.

    Raises
    ------
    UserError
        For the first thing wrong.
    """
    own = config["interventions"]
    if not own["truths"]:
        raise UserError(
            "no truth is named", where="interventions.truths",
            remedy=f"name at least one of {', '.join(NEEDS)}, or leave interventions out of experiments",
        )  # fmt: skip
    for truth in own["truths"]:
        needed = NEEDS[truth]
        missing = [key for key in ("graph", needed) if key and not own[key]]
        if missing and truth != "pairs":
            raise UserError(
                f"{missing[0]} is not given, and the truth {truth!r} needs it", where=f"interventions.{missing[0]}",
                remedy="give its file, or leave interventions out of experiments",
            )  # fmt: skip
    for key in ("graph", "truth", "druggable", "perturbations", "perturbation_columns", "dependencies"):
        if "{data_root}" in str(own[key]) and not data_root(config):
            raise UserError(
                "{data_root} is not set", where=f"interventions.{key}",
                remedy="add --config data_root=FOLDER, or set the environment variable PSEUDOCOHORT_DATA",
            )  # fmt: skip
