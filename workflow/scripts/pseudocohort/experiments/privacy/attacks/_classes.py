"""What attacks that look condition by condition share: class means of the reference, and what is left around them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ._gaussian import ShrunkGaussian
from ._space import AttackSpace, CannotRun

#: Fewest synthetic rows of a condition that is attacked by itself.
FEWEST_SYNTHETIC = 5


@dataclass(frozen=True)
class Part:
    """Rows of one condition: which candidates, their residuals, and the synthetic rows' around the reference's mean."""

    mine: np.ndarray
    candidates: np.ndarray
    synthetic: np.ndarray


def shrunk_means(rows: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Overall mean (genes,) and class means of `rows`, each shrunk to it by its squared standard error.

    James & Stein 1961: the share of a class mean's squared distance to the overall mean that its standard error does
    not explain is kept.
    """
    overall, means = rows.mean(0), {}
    for label in np.unique(labels):
        own = rows[labels == label]
        shift = own.mean(0) - overall
        error = own.var(0, ddof=1).mean() / len(own) if len(own) > 1 else np.inf
        square = float((shift**2).mean())
        means[str(label)] = overall + shift * (max(0.0, 1 - error / square) if square > 0 else 0.0)
    return overall, means


def residuals(rows: np.ndarray, labels: np.ndarray, means: dict[str, np.ndarray], overall: np.ndarray) -> np.ndarray:
    """Rows less the mean of their class."""
    return rows - np.stack([means.get(str(label), overall) for label in labels])


def parts(space: AttackSpace) -> tuple[np.ndarray, Iterator[Part]]:
    """Residuals (n × genes) of the reference around its class means, and the conditions' parts.

    Candidates of a condition with fewer than five synthetic rows are in no part.

    Raises
    ------
    CannotRun
        If no condition has five synthetic rows.
    """
    overall, means = shrunk_means(space.reference, space.reference_condition)
    counts = {c: (space.synthetic_condition == c).sum() for c in np.unique(space.candidate_condition)}
    if max(counts.values()) < FEWEST_SYNTHETIC:
        raise CannotRun("fewer than five synthetic rows of each condition")

    def of_each() -> Iterator[Part]:
        for condition, count in counts.items():
            if count >= FEWEST_SYNTHETIC:
                mine = space.candidate_condition == condition
                centre = means.get(str(condition), overall)
                made = space.synthetic[space.synthetic_condition == condition]
                yield Part(mine, space.candidates[mine] - centre, made - centre)

    return residuals(space.reference, space.reference_condition, means, overall), of_each()


def solve(gaussian: ShrunkGaussian, x: np.ndarray) -> np.ndarray:
    """Inverse covariance of `gaussian` times rows `x` (n × genes)."""
    along = x @ gaussian.axes.T
    return x / gaussian.rest + (along * (1 / gaussian.variances - 1 / gaussian.rest)) @ gaussian.axes
