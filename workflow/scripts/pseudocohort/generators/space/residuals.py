"""What is left of profiles when their class means are taken out."""

from __future__ import annotations

import anndata as ad
import numpy as np

from ...core.groups import donor_weights, rows_by_key
from .means import ClassMeans, nearest_mean


def residuals_of(
    profiles: ad.AnnData, means: ClassMeans
) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, float]]:
    """Profiles less their class mean, with their levels and weights, and the degrees of freedom by level.

    Labelled rows are centred by their group's own mean; unlabelled rows by the nearest class mean of their level.
    """
    x, level = np.asarray(profiles.X, np.float64), profiles.obs["level"].astype(str).to_numpy()
    weight, groups = donor_weights(profiles.obs), rows_by_key(profiles.obs)
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    freedom: dict[str, float] = {}
    for (_, at), rows in groups.items():
        size = weight[rows].sum()
        if size > 1.5:
            centred = x[rows] - np.average(x[rows], axis=0, weights=weight[rows])
            parts.append((centred, level[rows], weight[rows]))
            freedom[at] = freedom.get(at, 0.0) + size - 1
    labelled = np.concatenate(list(groups.values()))
    free = np.setdiff1d(np.arange(len(x)), labelled)
    for at in np.unique(level[free]):
        rows = free[level[free] == at]
        candidates = np.stack([mean for (_, other), mean in sorted(means.mean.items()) if other == at])
        part = nearest_mean(x[rows], candidates)
        for j in np.unique(part):
            mine = rows[part == j]
            if len(mine) > 1:
                parts.append((x[mine] - x[mine].mean(0), level[mine], np.ones(len(mine))))
                freedom[at] = freedom.get(at, 0.0) + len(mine) - 1
    if not parts:  # one profile per group: half of the spread between groups is all there is to go by
        centred = np.sqrt(0.5) * (x - x.mean(0))
        return centred, level, np.ones(len(x)), {at: max((level == at).sum() - 1.0, 1.0) for at in np.unique(level)}
    return *(np.concatenate([p[i] for p in parts]) for i in range(3)), freedom
