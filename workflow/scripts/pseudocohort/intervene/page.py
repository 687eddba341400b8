"""One self-contained HTML page per answer, and an index of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .answers import Answer
from .figures import figures

TEMPLATES = Path(__file__).parent / "templates"
_ROWS, _COLUMNS = 50, 30
TITLES = {
    "genes": "What happens if {genes} change{s}?",
    "each": "What happens if each of {genes} changes?",
    "targets": "Which targets does {condition} have?",
    "dependencies": "On which genes would tumours of {condition} depend?",
    "translate": "What would these tumours be as normal tissue?",
}
#: Tables that hold profiles are files, not parts of a page.
_FILES_ONLY = ("patients_profiles",)


def title_of(answer: Answer) -> str:
    """The question in words."""
    q = answer.question
    genes = ", ".join(q.genes[:4]) + (f" and {len(q.genes) - 4} more" if len(q.genes) > 4 else "")
    return TITLES[q.kind].format(genes=genes, condition=q.condition, s="s" if len(q.genes) == 1 else "")


def cell(value: Any) -> str:
    """A value as it stands in a table."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else ""
    if isinstance(value, float | np.floating):
        if np.isnan(value):
            return ""
        return f"{value:.3g}" if abs(value) < 0.01 and value != 0 else f"{value:,.2f}"
    return str(value)


def _shown(table: pd.DataFrame, title: str, note: str = "") -> dict[str, Any]:
    part = table.iloc[:_ROWS, :_COLUMNS]
    cut = [
        f"{shown} of {there:,} {what}"
        for shown, there, what in zip(part.shape, table.shape, ("rows", "columns"), strict=True)
        if shown < there
    ]
    more = f"The first {' and '.join(cut)}; all are in the TSV beside this page. " if cut else ""
    rows = [[cell(v) for v in row] for row in part.itertuples(index=False)]
    return {"title": title, "head": [c.replace("_", " ") for c in part.columns], "rows": rows, "note": more + note}


def render(answer: Answer, *, study: str, simulated: bool, files: list[str]) -> str:
    """HTML of one answer; `study` is the study's title, `files` are the names of the tables beside the page."""
    tables = [_shown(answer.table, "Answer")] if len(answer.table) else []
    notes = {
        "other_genes": "For these, no score told matched from mismatched cancers reliably: the order is no ranking.",
        "patients": "Personal data.",
    }
    for name, table in answer.extra.items():
        if name not in _FILES_ONLY and len(table):
            tables.append(_shown(table, name.replace("_", " ").capitalize(), notes.get(name, "")))
    personal = any(name.startswith("patients") for name in answer.extra)
    return _environment().get_template("answer.html").render(
        title=title_of(answer), answer=answer, study=study, simulated=simulated, files=files, tables=tables,
        figures=[(Markup(picture), caption) for picture, caption in figures(answer)], personal=personal,
        style=Markup((TEMPLATES / "answer.css").read_text(encoding="utf-8")),
    )  # fmt: skip


def index(answers: list[Answer], *, study: str, simulated: bool) -> str:
    """HTML of the list of answers."""
    rows = [
        {
            "name": a.question.name, "title": title_of(a), "status": a.status, "words": a.words[:2],
            "instead": a.refusals[0]["alternative"] if a.status == "refused" and a.refusals else "",
        }
        for a in answers
    ]  # fmt: skip
    return _environment().get_template("index.html").render(
        rows=rows, study=study, simulated=simulated,
        style=Markup((TEMPLATES / "answer.css").read_text(encoding="utf-8")),
    )  # fmt: skip


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
