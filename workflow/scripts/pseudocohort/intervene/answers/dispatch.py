"""One answer for each question."""

from __future__ import annotations

from collections.abc import Callable

from ...core.errors import UserError
from ..dependency import Dependencies
from ..lines import Lines
from ..questions import Question
from ..study import Study
from .base import Answer
from .dependencies import dependencies_of
from .genes import genes_at_once, genes_one_by_one
from .targets import targets_of
from .translation import translated


def answer(
    question: Question,
    study: Study,
    *,
    dependencies: Dependencies | None = None,
    lineages: dict[str, str] | None = None,
    lines: Lines | None = None,
    druggable: frozenset[str] = frozenset(),
    gene_sets: dict[str, list[str]] | None = None,
) -> Answer:
    """Answer a question; what cannot be answered is refused with reason and alternative, never with an exception.

    Dependencies and expression of cell `lines`, the `lineages` of conditions and `druggable` symbols serve answers
    about targets and dependencies, `gene_sets` (symbols of pathways) those about genes.
    """
    kinds: dict[str, Callable[[], Answer]] = {
        "genes": lambda: genes_at_once(question, study, gene_sets or {}),
        "each": lambda: genes_one_by_one(question, study),
        "targets": lambda: targets_of(question, study, dependencies, lineages or {}, druggable),
        "translate": lambda: translated(question, study),
        "dependencies": lambda: dependencies_of(question, study, dependencies, lines),
    }
    try:
        return kinds[question.kind]()
    except UserError as error:
        refusal = {"operator": question.kind, "gene": "", "reason": error.what, "alternative": error.remedy}
        return Answer(question, "refused", [f"Refused: {error.what}."], refusals=[refusal])
