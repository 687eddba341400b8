"""Templates of the pages, with the style and the script that each page holds itself."""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .glossary import explained, glossary, hint

TEMPLATES = Path(__file__).parent / "templates"


def beside_chip(answer: str) -> str:
    """An answer without the word that its chip says already."""
    answer = re.sub(r"^Cannot tell (?=without )", "", answer)
    rest = re.sub(r"^(?:Yes|No|It depends|In part|Cannot tell(?: yet)?|Nothing to gain|Refused)[:.,] ", "", answer)
    return rest[:1].upper() + rest[1:]


def environment(*folders: Path) -> Environment:
    """Environment of the templates, and of those in further folders."""
    made = Environment(
        loader=FileSystemLoader([*folders, TEMPLATES]), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {"explained": explained, "hint": hint, "beside_chip": beside_chip}
    made.globals |= {
        "glossary": glossary(),
        "style": Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
        "script": Markup((TEMPLATES / "page.js").read_text(encoding="utf-8")),
    }
    return made
