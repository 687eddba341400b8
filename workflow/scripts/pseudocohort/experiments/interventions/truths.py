"""Scores of what needs no known do-effects: pairs, dependencies of lines, measured perturbations."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from ...intervene.lines import Lines
from ...intervene.perturbations import read_perturbations
from ...intervene.run import dependencies_of, resolved, study_of
from ...metrics.pathways import read_gene_sets
from . import line_dependencies, perturbations, targets, translation

log = logging.getLogger(__name__)


def scores(
    profiles: ad.AnnData,
    lines: Sequence[ad.AnnData],
    settings: Mapping[str, Any],
    *,
    study: str,
    seed: int,
    root: str = "",
    gene_sets: str = "",
    flow: dict[str, Any] | None = None,
) -> list[pd.DataFrame]:
    """Evaluation tables of the configured truths.

    `root` replaces ``{data_root}`` in paths; `gene_sets` is a GMT file, empty: none; `flow` are the settings of the
    flow whose inversion is a baseline of pairs, None: none.
    """
    asked, out = settings["truths"], []
    if "pairs" in asked:
        out.append(translation.score(profiles, study=study, seed=seed, flow=flow))
        log.info("pairs: %d rows", len(out[-1]))
    if not {"dependencies", "perturbations"} & set(asked):
        return out
    shared = study_of(profiles, settings, seed=seed, root=root)
    if "dependencies" in asked:
        known = dependencies_of(settings, root)
        lineages = dict(settings["lineages"])
        if len(set(lineages.values())) > 1:
            out.append(
                targets.score(
                    profiles, shared.graph, known, lineages, study=study, seed=seed, depth=settings["max_depth"]
                )
            )
            log.info("dependencies by lineage: %d rows", len(out[-1]))
        regulators = set(shared.symbols[np.diff(shared.signs.indptr) > 0]) | set(shared.graph.children)
        own = Lines.most_matched(lines, known)
        found = None if own is None else line_dependencies.score(own, known, regulators, study=study, seed=seed)
        if found is not None:
            out.append(found)
            log.info("dependencies of lines: %d rows", len(found))
    if "perturbations" in asked:
        effects = read_perturbations(
            resolved(settings["perturbations"], root), resolved(settings["perturbation_columns"], root)
        )
        sets = read_gene_sets(resolved(gene_sets, root)) if gene_sets else None
        out.append(perturbations.score(shared, effects, name=study, seed=seed, gene_sets=sets))
        log.info("perturbations: %d rows", len(out[-1]))
    return out
