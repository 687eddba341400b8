"""Gaussian copula on principal components: their own marginals, Gaussian dependence."""

from __future__ import annotations

from typing import Any, Self

import anndata as ad
import numpy as np
import pandas as pd
from scipy import stats

from ....core.groups import keys_of
from ...base.generator import Generator
from ...base.serialization import of_prefix, with_prefix
from ...space.covariance import class_roots
from ...space.latent import LatentSpace
from . import COPULA

#: Probabilities of the marginal quantiles that are kept.
LEVELS = (np.arange(101) + 0.5) / 101


class Copula(Generator):
    """Residual components with empirical marginals and a Gaussian copula (Sklar 1959; Nelsen 2006, section 2.3).

    Marginals are those of all residuals on a component, as quantiles with Gaussian tails; correlations of the normal
    scores are Ledoit-Wolf shrunk, each condition's towards the pooled one.
    """

    description = COPULA

    def fit(self, profiles: ad.AnnData, *, settings=None, seed, device="cpu", checkpoint=None) -> Self:
        s = self.settings = self.merge_settings(settings)
        self.space = LatentSpace.fit(profiles, s["components"], s["marginals"], s["profiles_per_component"])
        keys = self.space.keys(profiles)
        h = self.space.encode(profiles.X, keys).astype(np.float64)
        self.conditions = sorted({condition for condition, _ in self.space.means.mean})
        self.quantiles = np.quantile(h, LEVELS, axis=0)
        scores = stats.norm.ppf((stats.rankdata(h, axis=0) - 0.5) / len(h))
        condition = np.array([c for c, _ in keys])
        self.roots = class_roots(scores, [condition == name for name in self.conditions])
        return self

    def sample(self, obs: pd.DataFrame, *, seed: int, device: str = "cpu") -> np.ndarray:
        rng = np.random.default_rng(seed)
        self.space.means.of(list(dict.fromkeys(keys_of(obs))))
        condition = np.array([self.conditions.index(c) for c in obs["condition"].astype(str)])
        noise = rng.standard_normal((len(obs), self.space.dim))
        scores = np.einsum("nij,nj->ni", self.roots[condition], noise)
        return self.space.decode(self.space.latent(self._to_values(scores), obs), obs, rng)

    def _to_values(self, scores: np.ndarray) -> np.ndarray:
        """Values with the marginals of the components; beyond the outer quantiles the tails go on as Gaussian ones."""
        place = stats.norm.ppf(LEVELS)
        out = np.empty_like(scores)
        for j in range(scores.shape[1]):
            values = self.quantiles[:, j]
            out[:, j] = np.interp(scores[:, j], place, values)
            sd = max((values[-1] - values[0]) / (place[-1] - place[0]), 0.0)
            out[:, j] += sd * (np.maximum(scores[:, j] - place[-1], 0) + np.minimum(scores[:, j] - place[0], 0))
        return out

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        arrays, metadata = self.space.state()
        arrays = with_prefix("space", arrays)
        arrays |= {"quantiles": self.quantiles.astype(np.float32), "roots": self.roots.astype(np.float32)}
        return arrays, {"space": metadata, "conditions": self.conditions, "settings": self.settings}

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> Self:
        out = cls()
        out.settings, out.conditions = metadata["settings"], metadata["conditions"]
        out.space = LatentSpace.from_state(of_prefix("space", arrays), metadata["space"])
        out.quantiles, out.roots = (arrays[k].astype(np.float64) for k in ("quantiles", "roots"))
        return out
