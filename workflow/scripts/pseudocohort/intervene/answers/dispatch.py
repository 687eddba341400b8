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

    Parameters
    ----------
    question : Question
    study : Study
    dependencies : Dependencies, optional
        Of cell lines, for the columns beside the targets.
    lineages : dict of str, optional
        Lineage of each condition.
    lines : Lines, optional
        Expression of cell lines, to carry dependencies over.
    druggable : frozenset of str
        Symbols.
    gene_sets : dict of list of str, optional
        Symbols of pathways.
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
