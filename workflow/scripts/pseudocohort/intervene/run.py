"""From the configuration's section ``interventions`` to answers."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import anndata as ad

from ..core.errors import UserError
from ..metrics.pathways import read_gene_sets
from .answers import Answer, answer
from .dependency import Dependencies, read_tiers
from .graph import resolve
from .lines import Lines
from .questions import Question, read_questions, resolved
from .regulons import checksum, has_confidence, read_graph
from .study import Study

log = logging.getLogger(__name__)

#: Gene space of the stage: regulators are expressed at low levels, and what hardly varies refuses itself.
EVERY_GENE = {"kind": "all", "min_median": -1e9, "min_sd": 0.05, "min_cell_level_mean": 0}


def study_of(profiles: ad.AnnData, settings: Mapping[str, Any], *, seed: int, root: str = "") -> Study:
    """The study's profiles with the configured graph.

    Raises
    ------
    UserError
        If the graph is missing or shares no edge with the profiles.
    """
    path = resolved(settings["graph"], root)
    if not path:
        raise UserError(
            "no graph is given", where="interventions.graph",
            remedy="give a file of regulators and targets, e.g. DoRothEA or CollecTRI (docs/interventions.md)",
        )  # fmt: skip
    graph = resolve(read_graph(path, settings["confidence"]), profiles.var, name="given", where=path)
    label = f"{Path(path).name} (sha256 {checksum(path)})"
    if settings["confidence"] and has_confidence(path):
        label += f", confidence {', '.join(settings['confidence'])}"
    return Study.of(profiles, graph, depth=settings["max_depth"], seed=seed, graph_label=label)


def questions_of(settings: Mapping[str, Any], root: str = "") -> list[Question]:
    """Questions of the configuration.

    Raises
    ------
    UserError
        If there is none, or one cannot be understood.
    """
    questions = read_questions(settings["questions"], root=root)
    if not questions:
        raise UserError(
            "no question is asked", where="interventions.questions",
            remedy="e.g. questions: [{genes: ESR1, change: down, condition: BRCA}, {targets: BRCA}]",
        )  # fmt: skip
    return questions


def dependencies_of(settings: Mapping[str, Any], root: str = "") -> Dependencies | None:
    """Dependencies of cell lines, where they are given."""
    paths = [resolved(path, root) for path in settings["dependencies"]]
    return read_tiers(paths) if paths else None


def answers(
    study: Study,
    settings: Mapping[str, Any],
    *,
    root: str = "",
    gene_sets: str = "",
    lines: Sequence[ad.AnnData] = (),
) -> list[Answer]:
    """Answers to all questions of the section ``interventions`` of the configuration.

    `root` replaces ``{data_root}`` in paths, `gene_sets` is a GMT file of pathways (empty = none), and `lines` are
    prepared data sets of cell lines, of which that with most dependencies is used.
    """
    druggable = Path(resolved(settings["druggable"], root)).read_text("utf-8").split() if settings["druggable"] else []
    sets = read_gene_sets(resolved(gene_sets, root)) if gene_sets else {}
    dependencies = dependencies_of(settings, root)
    known = {
        "dependencies": dependencies,
        "lineages": dict(settings["lineages"]),
        "lines": Lines.most_matched(lines, dependencies) if dependencies is not None else None,
        "druggable": frozenset(druggable),
        "gene_sets": {name: sorted(genes) for name, genes in sets.items()},
    }
    out = []
    for question in questions_of(settings, root):
        start = monotonic()
        out.append(answer(question, study, **known))
        status = out[-1].status
        if status == "refused" and out[-1].refusals:
            status += f" ({out[-1].refusals[0]['reason']}; {out[-1].refusals[0]['alternative']})"
        log.info("%s: %s, %.1f s", question.name, status, monotonic() - start)
    return out
