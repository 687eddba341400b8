"""Writes answers: a folder of tables and pages, in one rename."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ..core import io
from .answers import Answer
from .page import index, render


def write(answers: list[Answer], folder: str | Path, *, study: str, simulated: bool) -> None:
    """Write the tables and pages of all answers into `folder`, what was there before replaced; `study` is its title."""
    with io.atomic(folder) as temporary:
        temporary.mkdir(parents=True)
        for answer in answers:
            name = answer.question.name
            tables = {name: answer.table} | {f"{name}.{key}": table for key, table in answer.extra.items()}
            if answer.refusals:
                tables[f"{name}.refusals"] = pd.DataFrame(answer.refusals)
            files = []
            for key, table in tables.items():
                if len(table):
                    files.append(f"{key}.tsv.gz" if table.size > 200_000 else f"{key}.tsv")
                    io.write_table(table, temporary / files[-1])
            page = render(answer, study=study, simulated=simulated, files=files)
            (temporary / f"{name}.html").write_text(page, encoding="utf-8")
        (temporary / "index.html").write_text(index(answers, study=study, simulated=simulated), encoding="utf-8")
