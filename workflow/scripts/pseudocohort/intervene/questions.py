"""Questions of a user: a change of genes, targets of a condition, a tumour as normal tissue."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ..acquire import catalogue, sources
from ..core.errors import UserError

KINDS = ("genes", "targets", "translate", "dependencies")
DIRECTIONS = ("down", "up")
COLUMNS = ("name", "genes", "each", "change", "condition", "level", "donors", "targets", "translate", "dependencies")
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
_ARROW = re.compile(r"\s*->\s*")


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes
    ----------
    name : str
        Of its files.
    kind : {'genes', 'each', 'targets', 'translate', 'dependencies'}
        A change of genes at once; of many genes one by one; targets of a condition; tumours' normals;
        dependencies of a condition's tumours.
    genes : tuple of str
        Symbols or Ensembl ids; ``("regulators",)`` with ``each``: all that have targets.
    changes : tuple of str or float
        ``down`` and ``up``: to the 1st and 99th percentile of the condition. A number: so many log2 units.
    condition : str
        Empty: every condition (translate).
    level : str
    donors : tuple of str
        Only these patients; empty = all.
    """

    name: str
    kind: str
    genes: tuple[str, ...] = ()
    changes: tuple[str | float, ...] = ("down",)
    condition: str = ""
    level: str = "tumour"
    donors: tuple[str, ...] = ()


def resolved(path: str, root: str) -> str:
    """A path with ``{data_root}`` replaced, or where ``catalogue:<name>`` is downloaded to."""
    if catalogue.is_catalogued(path):
        return sources.destination(catalogue.name_of(path), "source", path)
    return path.replace("{data_root}", root.rstrip("/"))


def read_questions(given: str | Path | Sequence[Mapping[str, Any]], *, root: str = "") -> list[Question]:
    """Questions of a configuration: a list of maps, or a TSV with the same keys as columns.

    `root` replaces ``{data_root}`` in paths.

    Raises
    ------
    UserError
        If the file is missing or a question cannot be understood; names the question.
    """
    rows, where = _rows(given, root)
    questions = [_question(row, f"{where}, question {i}", root) for i, row in enumerate(rows, 1)]
    names = [q.name for q in questions]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise UserError(
                f"two questions are named {name!r}", where=f"{where}, question {i + 1}", remedy="give one a name"
            )
    return questions


def files_of(given: str | Path | Sequence[Mapping[str, Any]], *, root: str = "") -> list[str]:
    """Files that questions are read from: their table, and lists of donors."""
    rows, where = _rows(given, root)
    donors = [resolved(row["donors"], root) for row in rows if isinstance(row.get("donors"), str)]
    return [*([where] if isinstance(given, str | Path) and given else []), *filter(_is_file, dict.fromkeys(donors))]


def _rows(given: str | Path | Sequence[Mapping[str, Any]], root: str) -> tuple[list[dict[str, Any]], str]:
    """Questions as they are written, and where."""
    where = "interventions.questions"
    if not isinstance(given, str | Path):
        return [dict(row) for row in given], where
    path = resolved(str(given), root)
    if not path:
        return [], where
    if not Path(path).is_file():
        raise UserError("no such file", where=f"{where}: {path}", remedy="give a TSV, or the questions themselves")
    table = pd.read_csv(path, sep="\t", dtype=str, comment="#", keep_default_na=False)
    return [{k: v for k, v in row.items() if v} for row in table.to_dict("records")], path


def _is_file(path: str) -> bool:
    """Whether a list of donors is a file; it may be donors themselves, more than a file's name may have letters."""
    try:
        return Path(path).is_file()
    except OSError:
        return False


def _question(row: dict[str, Any], where: str, root: str) -> Question:
    unknown = sorted(set(row) - set(COLUMNS))
    if unknown:
        raise UserError(f"unknown key {unknown[0]!r}", where=where, remedy=f"known keys: {', '.join(COLUMNS)}")
    asked = [k for k in (*KINDS, "each") if row.get(k)]
    if len(asked) != 1:
        raise UserError(
            f"it asks {'about nothing' if not asked else ' and '.join(asked)}", where=where,
            remedy="give one of: genes (changed at once), each (one by one), targets, translate, dependencies",
        )  # fmt: skip
    kind, asked_of = asked[0], row[asked[0]]
    common = {"level": str(row.get("level", "tumour")), "donors": _donors(row.get("donors", ()), where, root)}
    condition = str(row.get("condition", ""))
    if kind in ("targets", "dependencies"):
        condition, name, out = str(asked_of), f"{kind}_{asked_of}", {}
    elif kind == "translate":
        if [p.strip() for p in _ARROW.split(str(asked_of))] != ["tumour", "normal"]:
            raise UserError(
                f"{asked_of!r} cannot be translated", where=where, remedy="write translate: tumour -> normal"
            )
        name, out = f"translate_{condition}" if condition else "translate", {}
    else:
        genes = tuple(map(str, asked_of)) if isinstance(asked_of, list | tuple) else tuple(_split(asked_of))
        if not condition:
            raise UserError("no condition is given", where=where, remedy="add condition: one of the study's")
        changes = row.get("change", "down")
        changes = changes if isinstance(changes, list | tuple) else _split(changes)
        out = {"genes": genes, "changes": tuple(_change(c, where) for c in changes)}
        shown = "_".join(genes[:3]) + ("_and_more" if len(genes) > 3 else "")
        name = f"{shown}_{'_'.join(map(shown_change, out['changes']))}_{condition}"
    name = str(row.get("name") or name)
    if not _NAME.match(name):
        raise UserError(
            f"the name {name!r} has characters other than letters, digits and _ . -",
            where=where,
            remedy="give it a name",
        )
    return Question(name, kind, condition=condition, **out, **common)


def shown_change(change: str | float) -> str:
    """A change as it is written in names and tables: down, up, or log2 units."""
    return change if isinstance(change, str) else f"{change:g}"


def _split(text: Any) -> list[str]:
    return [part.strip() for part in str(text).split(",") if part.strip()]


def _change(value: Any, where: str) -> str | float:
    if str(value) in DIRECTIONS:
        return str(value)
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not abs(number) < 100 or number == 0:
        raise UserError(
            f"change {value!r} is neither down nor up nor a number of log2 units other than 0", where=where,
            remedy="e.g. change: down, or change: -1.5",
        )  # fmt: skip
    return number


def _donors(value: Any, where: str, root: str) -> tuple[str, ...]:
    if isinstance(value, list | tuple):
        return tuple(map(str, value))
    path = resolved(str(value), root)
    if _is_file(path):
        return tuple(line.strip() for line in Path(path).read_text().splitlines() if line.strip())
    if "/" in str(value):
        raise UserError(f"no file of donors at {path}", where=where, remedy="one donor a line, or a list of donors")
    return tuple(_split(value))
