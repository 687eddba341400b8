"""Terms of the report: explained where they occur, in a section of the page and in ``docs/glossary.md``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from markupsafe import Markup, escape


@dataclass(frozen=True)
class Term:
    """A term, what it means, and the other forms that texts use."""

    term: str
    text: str
    also: tuple[str, ...] = ()

    @property
    def anchor(self) -> str:
        """Id of its entry."""
        return "term-" + re.sub(r"\W+", "-", self.term.lower())


@cache
def glossary() -> tuple[Term, ...]:
    """All terms, by alphabet."""
    read = yaml.safe_load((Path(__file__).parent / "templates/glossary.yaml").read_text(encoding="utf-8"))
    terms = [Term(entry["term"], entry["text"], tuple(entry.get("also", ()))) for entry in read]
    return tuple(sorted(terms, key=lambda term: term.term.lower()))


@cache
def _forms() -> tuple[dict[str, Term], re.Pattern[str]]:
    forms = {form.lower(): term for term in glossary() for form in (term.term, *term.also)}
    longest = sorted(forms, key=len, reverse=True)
    return forms, re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, longest))})(?![\w-])", re.I)


def explained(text: str) -> Markup:
    """A text in HTML: escaped, with ``literals`` as code, and each term linked to its entry where it first occurs."""
    forms, pattern = _forms()
    seen: set[str] = set()

    def link(match: re.Match[str]) -> str:
        term = forms[match.group().lower()]
        if term.term in seen:
            return match.group()
        seen.add(term.term)
        return f'<a class="term" href="#{term.anchor}" title="{escape(term.text)}">{match.group()}</a>'

    parts = re.split(r"``(.+?)``", str(escape(text.strip())))
    return Markup("".join(f"<code>{part}</code>" if i % 2 else pattern.sub(link, part) for i, part in enumerate(parts)))


def hint(text: str) -> str:
    """What the first term in a short text means; empty if there is none."""
    forms, pattern = _forms()
    match = pattern.search(text)
    return forms[match.group().lower()].text if match else ""


def markdown() -> str:
    """The glossary as a page of the documentation."""
    made = "<!-- made by tools/glossary_page.py from report/templates/glossary.yaml; edit that instead -->"
    return "\n\n".join(["# Glossary", made, *(f"**{term.term}**: {term.text}" for term in glossary())]) + "\n"
