"""Precision and recall (Kynkäänniemi et al. 2019, NeurIPS), density and coverage (Naeem et al. 2020, ICML)."""

from __future__ import annotations

import numpy as np

from .neighbours import nearest, within


def precision_recall_density_coverage(real: np.ndarray, synthetic: np.ndarray, k: int) -> dict[str, float]:
    """Precision, recall, density and coverage of `synthetic` (m × genes) against `real` (n × genes).

    The manifold of a set is the union of the open balls around its rows, each reaching to its k-th nearest other row.

    * precision: share of synthetic rows in the manifold of the real ones
    * recall: share of real rows in the manifold of the synthetic ones
    * density: number of real balls around a synthetic row, over k (1 is expected; not bounded by 1)
    * coverage: share of real balls that hold a synthetic row

    Raises
    ------
    UserError
        If a set has no more than k rows.
    """
    real_radius = nearest(real, real, k, exclude_self=True)[:, -1]
    synthetic_radius = nearest(synthetic, synthetic, k, exclude_self=True)[:, -1]
    balls = np.empty(len(synthetic))
    recalled, covered = np.zeros(len(real), dtype=bool), np.zeros(len(real), dtype=bool)
    for rows, (inside, reached) in within(synthetic, real, real_radius[None], synthetic_radius[:, None]):
        balls[rows] = inside.sum(1)
        covered |= inside.any(0)
        recalled |= reached.any(0)
    return {
        "precision": float((balls > 0).mean()),
        "recall": float(recalled.mean()),
        "density": float(balls.mean() / k),
        "coverage": float(covered.mean()),
    }
