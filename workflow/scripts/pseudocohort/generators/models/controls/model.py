"""Control generators: what every number in a table is to be read against."""

from __future__ import annotations

from typing import Any, Self

import anndata as ad
import numpy as np
import pandas as pd

from ....core.groups import Key, check_seen, donor_weights, keys_of, rows_by_key
from ...base.generator import Generator
from ...base.serialization import numbered, tables_of
from . import COPY, INDEPENDENT, JITTER, MIXUP


class _Resampler(Generator):
    """Keeps the training profiles of each condition and level and draws from them."""

    def fit(self, profiles: ad.AnnData, *, settings=None, seed, device="cpu", checkpoint=None) -> Self:
        self.settings = self.merge_settings(settings)
        self.rows = {key: np.asarray(profiles.X[rows], np.float32) for key, rows in rows_by_key(profiles.obs).items()}
        return self

    def sample(self, obs: pd.DataFrame, *, seed: int, device: str = "cpu") -> np.ndarray:
        check_seen(keys_of(obs), set(self.rows), self.name)
        rng = np.random.default_rng(seed)
        out = np.empty((len(obs), next(iter(self.rows.values())).shape[1]), np.float32)
        for key, wanted in rows_by_key(obs).items():
            out[wanted] = self._draw(self.rows[key], len(wanted), rng)
        return out

    def _draw(self, rows: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
        raise TypeError(f"{type(self).__name__} does not draw")

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        keys = sorted(self.rows)
        return numbered(keys, rows=self.rows), {"keys": keys, "settings": self.settings}

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> Self:
        out = cls()
        out.settings = metadata["settings"]
        (out.rows,) = tables_of(["rows"], metadata["keys"], arrays)
        return out


def _in_rounds(size: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """`n` of the numbers below `size`, none of them twice before all came once."""
    return np.concatenate([rng.permutation(size) for _ in range(-(-n // size))])[:n]


class Copy(_Resampler):
    """Photocopier: training profiles, drawn without replacement as long as there are any."""

    description = COPY

    def _draw(self, rows, n, rng):
        return rows[_in_rounds(len(rows), n, rng)]


class Jitter(_Resampler):
    """Training profiles plus independent Gaussian noise, ``noise`` standard deviations of each gene."""

    description = JITTER

    def _draw(self, rows, n, rng):
        copies = rows[_in_rounds(len(rows), n, rng)]
        return copies + self.settings["noise"] * rng.standard_normal(copies.shape, dtype=np.float32)


class Mixup(_Resampler):
    """SMOTE within condition and level: a point between a training profile and one of its nearest neighbours."""

    description = MIXUP

    def _draw(self, rows, n, rng):
        if len(rows) == 1:
            return np.repeat(rows, n, axis=0)
        squares = (rows.astype(np.float64) ** 2).sum(1)
        distance = squares[:, None] + squares[None] - 2 * rows.astype(np.float64) @ rows.T
        np.fill_diagonal(distance, np.inf)
        k = min(self.settings["neighbours"], len(rows) - 1)
        near = np.argpartition(distance, k - 1, axis=1)[:, :k]
        first = _in_rounds(len(rows), n, rng)
        second = near[first, rng.integers(0, k, n)]
        share = rng.random((n, 1), dtype=np.float32)
        return rows[first] + share * (rows[second] - rows[first])


class Independent(Generator):
    """Every gene its own Gaussian, with the mean and standard deviation of its condition and level.

    A group of fewer than three profiles has no standard deviation worth the name; there, the pooled one is used.
    """

    description = INDEPENDENT

    def fit(self, profiles: ad.AnnData, *, settings=None, seed, device="cpu", checkpoint=None) -> Self:
        self.settings = self.merge_settings(settings)
        x, weight = np.asarray(profiles.X, np.float64), donor_weights(profiles.obs)
        self.mean: dict[Key, np.ndarray] = {}
        self.sd: dict[Key, np.ndarray] = {}
        squares, freedom = np.zeros(x.shape[1]), 0.0
        groups = rows_by_key(profiles.obs)
        for key, rows in groups.items():
            self.mean[key] = np.average(x[rows], axis=0, weights=weight[rows])
            squared = ((x[rows] - self.mean[key]) ** 2 * weight[rows][:, None]).sum(0)
            size = weight[rows].sum()
            squares, freedom = squares + squared, freedom + max(size - 1, 0)
            self.sd[key] = np.sqrt(squared / max(size - 1, 1))
        pooled = np.sqrt(squares / freedom) if freedom > 0 else np.zeros(x.shape[1])
        for key, rows in groups.items():
            if weight[rows].sum() < 3:
                self.sd[key] = pooled
        return self

    def sample(self, obs: pd.DataFrame, *, seed: int, device: str = "cpu") -> np.ndarray:
        keys = keys_of(obs)
        check_seen(keys, set(self.mean), self.name)
        noise = np.random.default_rng(seed).standard_normal((len(obs), len(next(iter(self.mean.values())))))
        mean, sd = (np.stack([table[k] for k in keys]) for table in (self.mean, self.sd))
        return (mean + sd * noise).astype(np.float32)

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        keys = sorted(self.mean)
        return numbered(keys, mean=self.mean, sd=self.sd), {"keys": keys, "settings": self.settings}

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> Self:
        out = cls()
        out.settings = metadata["settings"]
        out.mean, out.sd = tables_of(("mean", "sd"), metadata["keys"], arrays)
        return out
