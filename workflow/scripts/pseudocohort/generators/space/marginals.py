"""Marginals of residuals: a monotone map of each gene to normal scores, and back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from scipy.special import ndtri

from ..base.serialization import numbered, tables_of

#: Degrees of freedom of a level's residuals below which they are taken for normal.
MIN_FREEDOM = 30
#: Degrees of freedom for each knot.
PER_KNOT = 5
#: Values mapped at a time, and profiles.
BLOCK, ROWS = 2**18, 1024
#: Least standard deviation of a gene, and distance of tied knots in standard deviations.
_MIN_SD, _MIN_GAP = 1e-6, 1e-6


@dataclass
class Marginals:
    """Residuals of a gene at a level, made normal without changing their standard deviation, and back.

    Expression around a class mean is skewed and heavy-tailed, gene by gene; a Gaussian or a network with Gaussian noise
    between genes and components cannot show it. The map takes the quantiles of the training residuals to those of the
    normal distribution, linearly between a few knots and with slope 1 beyond them (the nonparanormal of Liu, Lafferty &
    Wasserman 2009, JMLR 10:2295, with a coarse distribution function: so few knots tell little of single donors).
    Levels without a map, those with few training profiles, are left as they are.

    Attributes
    ----------
    quantile, score : dict of ndarray (knots × genes)
        By level: quantiles of residuals, not decreasing along the knots, and normal scores, increasing.
    """

    quantile: dict[str, np.ndarray] = field(default_factory=dict)
    score: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def fit(cls, residuals: np.ndarray, level: np.ndarray, freedom: dict[str, float], knots: int) -> Self:
        """From training residuals (n × genes) at levels (n,), and their degrees of freedom by level.

        Of `knots` at most; 0 for no map at all.
        """
        out = cls()
        for at in sorted(freedom):
            rows, free = residuals[level == at], freedom[at]
            count = min(knots, int(free // PER_KNOT))
            if free < MIN_FREEDOM or count < 2:
                continue
            place = (np.arange(count) + 0.5) / count
            # Residuals around a fitted mean are too short.
            rows = rows * np.sqrt(len(rows) / free)
            normal = ndtri(place) / np.sqrt((ndtri(place) ** 2).mean())
            out.quantile[at] = np.quantile(rows, place, axis=0)
            out.score[at] = normal[:, None] * np.maximum(rows.std(0), _MIN_SD)
        return out

    def scores(self, x: np.ndarray, level: np.ndarray, genes: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Normal scores of residuals `x` (n × genes) at levels (n,); a tied value gets the middle of its scores."""
        out = np.array(x, dtype=np.float64)
        for at, rows in self._rows(level):
            quantile, score = self.quantile[at][:, genes], self.score[at][:, genes]
            apart = _MIN_GAP * (score[1] - score[0]) * np.arange(len(score))[:, None]
            for first in range(0, len(rows), ROWS):
                part = rows[first : first + ROWS]
                below, above = (_map(out[part], q, score) for q in (quantile + apart, quantile + apart - apart[-1]))
                out[part] = (below + above) / 2
        return out

    def values(self, g: np.ndarray, level: np.ndarray) -> np.ndarray:
        """Residuals (n × genes) of normal scores `g` at levels (n,)."""
        out = np.array(g, dtype=np.float64)
        for at, rows in self._rows(level):
            out[rows] = _map(out[rows], self.score[at], self.quantile[at])
        return out

    def _rows(self, level: np.ndarray) -> list[tuple[str, np.ndarray]]:
        found = [(at, np.flatnonzero(np.asarray(level) == at)) for at in self.quantile]
        return [(at, rows) for at, rows in found if len(rows)]

    def state(self) -> tuple[dict[str, np.ndarray], list[str]]:
        """Arrays, and the levels that they belong to, for storage."""
        levels = sorted(self.quantile)
        arrays = numbered(levels, quantile=self.quantile, score=self.score)
        return {name: array.astype(np.float32) for name, array in arrays.items()}, levels

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], levels: list[str]) -> Self:
        """Restored from :meth:`state`."""
        double = {name: array.astype(np.float64) for name, array in arrays.items()}
        return cls(*tables_of(("quantile", "score"), levels, double))


def _map(x: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Columns of `x` (n × genes), linear between knots `start` and `end` (knots × genes), with slope 1 beyond them."""
    rise, run = np.diff(end, axis=0), np.diff(start, axis=0)
    slope = np.zeros(start.shape)
    np.divide(rise, run, out=slope[:-1], where=run > 0)  # between tied knots lies no value
    out = np.empty_like(x)
    step = max(1, BLOCK // x.shape[1])
    for first in range(0, len(x), step):
        rows = x[first : first + step]
        inside = np.clip(rows, start[0], start[-1])
        # Place of the last knot at or below each value, in the tables as vectors.
        cell = np.zeros(rows.shape, dtype=np.intp)
        for knot in start[1:]:
            cell += inside >= knot
        cell *= x.shape[1]
        cell += np.arange(x.shape[1])
        out[first : first + step] = slope.take(cell) * (inside - start.take(cell)) + end.take(cell) + (rows - inside)
    return out
