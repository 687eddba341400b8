"""Several studies side by side: the answers of each on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ..core.io import read_json
from ..experiments.registry import experiments
from .page import STATUS
from .templating import environment


def finished(results: Path) -> list[dict[str, Any]]:
    """Studies below a folder that have answers and a report, by name.

    ``study``, ``title``, ``simulated``, ``questions`` and ``page``, the path of the report from `results`.
    """
    found = []
    for verdicts in sorted(results.glob("*/tables/verdicts.json")):
        folder = verdicts.parents[1]
        if not (folder / "report/index.html").is_file() or not (folder / "provenance/config.yaml").is_file():
            continue
        config = yaml.safe_load((folder / "provenance/config.yaml").read_text(encoding="utf-8"))
        found.append(
            {
                "study": config["study"],
                "title": config["title"] or config["study"],
                "simulated": config["simulated"],
                "generators": config["generators"],
                "questions": read_json(verdicts)["questions"],
                "page": f"{folder.name}/report/index.html",
            }
        )
    return found


def render_studies(studies: list[dict[str, Any]], version: str) -> str:
    """HTML of the page: a row for each study, a column for each question that one of them has run."""
    asked = [
        (name, experiment.title)
        for name, experiment in experiments().items()
        if any(s["questions"].get(name, {}).get("status", "not_run") != "not_run" for s in studies)
    ]
    template = environment().get_template("studies.html")
    return template.render(studies=studies, asked=asked, status=STATUS, version=version)
