"""Scores what the expression of lines says about which of them depend on a gene: own expression, and components."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...core.io import evaluation_table
from ...intervene.components import leading_components
from ...intervene.dependency import Dependencies
from ...intervene.dependency_models import COMPONENTS, standardised
from ...intervene.lines import Lines
from .targets import auroc

#: Dependent and other lines of a gene at least.
MIN_OF_EACH = 3
PENALTY = 1.0


def score(
    lines: Lines, dependencies: Dependencies, regulators: set[str], *, study: str, seed: int
) -> pd.DataFrame | None:
    """Evaluation table over genes; None if fewer than ten lines have a dependency.

    Task ``dependencies``; generator = ``own_expression`` or ``ridge_components`` (each line predicted by the others) or
    ``gene_mean`` (.5 by construction), estimator = ``regulators`` or ``all_genes``, repeat = number of the gene; metric
    ``dependent_auroc``, and once ``lines``.
    """
    at, columns = lines.matched(dependencies)
    if len(at) < 10:
        return None
    z = standardised(lines.x[at], np.zeros(len(at)))
    table = dependencies.dependent[columns]
    index = {s: i for i, s in enumerate(lines.symbols)}
    genes = [
        g for g, row in zip(table.index, table.to_numpy(), strict=True)
        if g in index and min((row == 1).sum(), (row == 0).sum()) >= MIN_OF_EACH and np.isfinite(row).all()
    ]  # fmt: skip
    y = table.loc[genes].to_numpy().T
    held_out = _leave_one_out(z, y)
    rows: list[dict[str, Any]] = []
    keys = {"study": study, "task": "dependencies", "level": "pseudobulk", "regime": "all", "seed": seed}
    for kind in ("regulators", "all_genes"):
        chosen = [k for k, g in enumerate(genes) if kind == "all_genes" or g in regulators]
        for name in ("own_expression", "ridge_components", "gene_mean") if chosen else ():
            one = {**keys, "generator": name, "estimator": kind}
            rows.append({**one, "repeat": 0, "metric": "lines", "value": float(len(columns))})
            for k in chosen:
                scores = {
                    "own_expression": z[:, index[genes[k]]],
                    "ridge_components": held_out[:, k],
                    "gene_mean": np.zeros(len(z)),
                }[name]
                value = auroc(scores, y[:, k] == 1)
                rows.append({**one, "repeat": k, "metric": "dependent_auroc", "value": value})
    return evaluation_table(rows) if rows else None


def _leave_one_out(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Dependency of each line (n, m) by ridge regression of the other lines on their components."""
    out = np.zeros_like(y)
    for i in range(len(z)):
        others = np.arange(len(z)) != i
        mean = z[others].mean(0)
        axes = leading_components(z[others] - mean, COMPONENTS)
        scores, own = (z[others] - mean) @ axes.T, (z[i] - mean) @ axes.T
        gram = scores.T @ scores
        penalty = PENALTY * np.trace(gram) / len(gram)
        centred = y[others] - y[others].mean(0)
        weights = np.linalg.solve(gram + penalty * np.eye(len(gram)), scores.T @ centred)
        # Less the mean of the others: it is lower for a dependent line, which would give its label away.
        out[i] = own @ weights
    return out
