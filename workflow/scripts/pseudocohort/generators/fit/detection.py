"""Genes that many profiles do not express at all: values that continuous generators blur around nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pandas as pd

from ..base.serialization import numbered, tables_of
from ..space.censored import on_floor

#: Profiles at the least value of a gene that make it a floor: so many, and such a share of a level's.
_MIN_SILENT, _MIN_SILENT_SHARE = 3, 0.02
#: Profiles of a level below which nothing is said of its floors.
_MIN_PROFILES = 10
#: Draws of the generator that its own quantiles are read from.
DRAWS = 500


@dataclass
class DetectionLimits:
    """Below its limit, a synthetic value becomes the gene's floor, as in a censored (tobit) model (Tobin 1958).

    The limit is the quantile of the generator's own values that has as many below it as training profiles lie on the
    floor: a gene is silent as often as in the training profiles of that level, in the profiles where the generator has
    it lowest. A generator that repeats profiles is left as it is.

    Attributes
    ----------
    floor, limit : dict of ndarray (genes,)
        log2 expression by level; a limit of -inf where a gene has no floor, of inf where it never leaves it.
    """

    floor: dict[str, np.ndarray] = field(default_factory=dict)
    limit: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def fit(cls, x: np.ndarray, obs: pd.DataFrame, sample: Callable[[pd.DataFrame], np.ndarray]) -> Self:
        """From training profiles `x` (n × genes, log2) of conditions and levels `obs`, and what the generator makes of
        such a table (`sample`: profiles, log2).
        """
        out = cls()
        levels = obs["level"].astype(str).to_numpy()
        for level in np.unique(levels):
            rows = np.flatnonzero(levels == level)
            floor = x[rows].min(0)
            at_floor = on_floor(x[rows], floor)
            silent = at_floor.all(0)
            many = (at_floor.sum(0) >= max(_MIN_SILENT, _MIN_SILENT_SHARE * len(rows))) & ~silent
            if len(rows) < _MIN_PROFILES or not (many | silent).any():
                continue
            limit = np.where(silent, np.inf, -np.inf)
            if many.any():
                made = sample(obs.iloc[np.resize(rows, max(DRAWS, len(rows)))].reset_index(drop=True))
                ordered = np.sort(made[:, many], axis=0)
                below = np.minimum((at_floor[:, many].mean(0) * len(ordered)).astype(int), len(ordered) - 1)
                limit[many] = ordered[below, np.arange(many.sum())]
            out.floor[level], out.limit[level] = floor, limit
        return out

    def apply(self, x: np.ndarray, obs: pd.DataFrame) -> np.ndarray:
        """Profiles `x` (n × genes, log2), with what lies below a limit on the floor."""
        levels = obs["level"].astype(str).to_numpy()
        x = x.copy()
        for level, limit in self.limit.items():
            rows = levels == level
            x[rows] = np.where(x[rows] < limit, self.floor[level], x[rows])
        return x

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, object]]:
        """Arrays and metadata for storage."""
        levels = sorted(self.limit)
        arrays = numbered(levels, floor=self.floor, limit=self.limit)
        return {name: array.astype(np.float32) for name, array in arrays.items()}, {"levels": levels}

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], metadata: dict) -> Self:
        """Restored from :meth:`state`."""
        return cls(*tables_of(("floor", "limit"), metadata["levels"], arrays))
