"""Mixture of probabilistic principal component analysers, one per condition and level."""

from __future__ import annotations

from typing import Any, Self

import anndata as ad
import numpy as np
import pandas as pd

from ....core.groups import Key, keys_of, rows_by_key
from ...base.generator import Generator
from ...space.covariance import LowRank
from ...space.means import ClassMeans, fit_class_means
from ...space.residuals import residuals_of
from . import PPCA as DESCRIPTION

#: Ranks that held-out likelihood chooses from.
RANKS = (0, 1, 2, 4, 8, 16, 32)
#: A condition needs so many profiles for components of its own.
MIN_PROFILES = 20


class PPCA(Generator):
    """x = mean + W s + e, s ~ N(0, I), e ~ N(0, sigma² I) (Tipping & Bishop 1999, J. R. Stat. Soc. B 61:611).

    W and sigma² are the maximum-likelihood ones at the rank that held-out likelihood prefers. A condition with fewer
    than twenty profiles uses the components of all residuals of its level; a level without, those of all levels.
    """

    description = DESCRIPTION

    def fit(self, profiles: ad.AnnData, *, settings=None, seed, device="cpu", checkpoint=None) -> Self:
        self.settings = self.merge_settings(settings)
        self.means = fit_class_means(profiles)
        x, groups = np.asarray(profiles.X, np.float64), rows_by_key(profiles.obs)
        residuals, of_level, _, _ = residuals_of(profiles, self.means)
        rank = self.settings["components"]
        common = {at: _fit(residuals[of_level == at], rank) for at in np.unique(of_level) if (of_level == at).sum() > 2}
        rest = _fit(residuals, rank)
        self.parts: dict[Key, tuple[np.ndarray, float]] = {}
        for key in self.means.mean:
            rows = groups.get(key, np.array([], dtype=int))
            own = len(rows) >= MIN_PROFILES
            self.parts[key] = _fit(x[rows] - x[rows].mean(0), rank) if own else common.get(key[1], rest)
        return self

    def sample(self, obs: pd.DataFrame, *, seed: int, device: str = "cpu") -> np.ndarray:
        keys, rng = keys_of(obs), np.random.default_rng(seed)
        out = self.means.of(keys)
        for key, wanted in rows_by_key(obs).items():
            loadings, variance = self.parts[key]
            out[wanted] += rng.standard_normal((len(wanted), len(loadings))) @ loadings
            out[wanted] += np.sqrt(variance) * rng.standard_normal((len(wanted), out.shape[1]))
        return out.astype(np.float32)

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        arrays, metadata = self.means.state()
        for i, key in enumerate(metadata["keys"]):
            arrays[f"loadings/{i}"] = self.parts[key][0].astype(np.float32)
        metadata["variance"] = [self.parts[key][1] for key in metadata["keys"]]
        return arrays, metadata | {"settings": self.settings}

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> Self:
        out = cls()
        out.settings, out.means = metadata["settings"], ClassMeans.from_state(arrays, metadata)
        parts = enumerate(zip(metadata["keys"], metadata["variance"], strict=True))
        out.parts = {tuple(key): (arrays[f"loadings/{i}"].astype(np.float64), v) for i, (key, v) in parts}
        return out


def _fit(residuals: np.ndarray, components: int) -> tuple[np.ndarray, float]:
    """Loadings W' (rank × genes) and noise variance; rank `components`, or where that is 0 by three-fold likelihood."""
    n, p = residuals.shape
    if components:
        return _maximum_likelihood(residuals, min(components, n - 1, p - 1))
    ranks = [r for r in RANKS if r < min(2 * n // 3, p)] or [0]
    if n < 6 or len(ranks) == 1:
        return _maximum_likelihood(residuals, ranks[-1])
    scores = np.zeros(len(ranks))
    for fold in range(3):
        held_out = np.arange(n) % 3 == fold
        for i, rank in enumerate(ranks):
            loadings, variance = _maximum_likelihood(residuals[~held_out], rank)
            scores[i] += LowRank(loadings, np.full(p, variance)).log_density(residuals[held_out]).sum()
    return _maximum_likelihood(residuals, ranks[int(scores.argmax())])


def _maximum_likelihood(rows: np.ndarray, rank: int) -> tuple[np.ndarray, float]:
    """Tipping & Bishop 1999, eq. 7 and 8; the noise variance is over all p - rank other directions, empty ones too."""
    n, p = rows.shape
    _, values, vectors = np.linalg.svd(rows, full_matrices=False)
    spread = values**2 / n
    noise = max(float(spread[rank:].sum()) / max(p - rank, 1), 1e-6)
    return np.sqrt(np.maximum(spread[:rank] - noise, 0))[:, None] * vectors[:rank], noise
