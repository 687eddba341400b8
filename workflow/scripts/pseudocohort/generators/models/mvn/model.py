"""Hierarchical Gaussian: empirical-Bayes class means, class covariances shrunk towards the pooled one."""

from __future__ import annotations

from typing import Any, Self

import anndata as ad
import numpy as np
import pandas as pd

from ....core.groups import Key, donor_weights, keys_of, rows_by_key
from ...base.generator import Generator
from ...base.serialization import of_prefix, with_prefix
from ...space.covariance import LowRank, shrink
from ...space.means import ClassMeans, fit_class_means
from ...space.residuals import residuals_of
from . import MVN as DESCRIPTION

#: A condition needs so many donors for a covariance of its own.
MIN_DONORS = 10
#: Weights of the class covariance that held-out likelihood chooses from.
WEIGHTS = (0.0, 0.25, 0.5, 0.75, 0.9)


class MVN(Generator):
    """Multivariate normal per condition and level, every parameter shrunk by as much as the data ask for.

    * mean: :mod:`...space.means`, so that a condition seen at another level only can be generated;
    * covariance: (1 - w) pooled + w own, both shrunk towards their diagonal; w by likelihood of held-out donors;
    * unlabelled profiles add to the pooled covariance of their level, after taking out the nearest class mean.
    """

    description = DESCRIPTION

    def fit(self, profiles: ad.AnnData, *, settings=None, seed, device="cpu", checkpoint=None) -> Self:
        self.settings = self.merge_settings(settings)
        self.means = fit_class_means(profiles)
        x, weight = np.asarray(profiles.X, np.float64), donor_weights(profiles.obs)
        residuals, of_level, weights, freedom = residuals_of(profiles, self.means)
        self.pooled = {
            at: _pool(residuals, of_level, weights, freedom, at) for at in sorted({at for _, at in self.means.mean})
        }
        self.own: dict[Key, LowRank] = {}
        self.own_weight: dict[Key, float] = {}
        rng = np.random.default_rng(seed)
        for key, rows in rows_by_key(profiles.obs).items():
            if weight[rows].sum() >= MIN_DONORS:
                centred = x[rows] - np.average(x[rows], axis=0, weights=weight[rows])
                chosen = _own_weight(centred, weight[rows], self.pooled[key[1]], rng)
                if chosen > 0:
                    self.own_weight[key] = chosen
                    self.own[key] = shrink(centred, weight[rows], weight[rows].sum() - 1)
        return self

    def sample(self, obs: pd.DataFrame, *, seed: int, device: str = "cpu") -> np.ndarray:
        keys, rng = keys_of(obs), np.random.default_rng(seed)
        out = self.means.of(keys)
        for key, wanted in rows_by_key(obs).items():
            n, w = len(wanted), self.own_weight.get(key, 0.0)
            out[wanted] += np.sqrt(1 - w) * self.pooled[key[1]].draw(n, rng)
            if w:
                out[wanted] += np.sqrt(w) * self.own[key].draw(n, rng)
        return out.astype(np.float32)

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        levels, own = sorted(self.pooled), sorted(self.own)
        arrays, metadata = self.means.state()
        for kind, names, table in (("pooled", levels, self.pooled), ("own", own, self.own)):
            for i, name in enumerate(names):
                arrays |= with_prefix(f"{kind}/{i}", table[name].state())
        return arrays, metadata | {
            "levels": levels,
            "own": own,
            "own_weight": [self.own_weight[key] for key in own],
            "settings": self.settings,
        }

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> Self:
        out = cls()
        out.settings, out.means = metadata["settings"], ClassMeans.from_state(arrays, metadata)
        own = [tuple(key) for key in metadata["own"]]
        out.pooled, out.own = (
            {name: LowRank.from_state(of_prefix(f"{kind}/{i}", arrays)) for i, name in enumerate(names)}
            for kind, names in (("pooled", metadata["levels"]), ("own", own))
        )
        out.own_weight = dict(zip(own, metadata["own_weight"], strict=True))
        return out


def _pool(residuals: np.ndarray, level: np.ndarray, weight: np.ndarray, freedom: dict[str, float], at: str) -> LowRank:
    """Pooled covariance at a level; residuals of other levels help where it has few (their weight: 10 donors)."""
    here = level == at
    own, other = freedom.get(at, 0.0), sum(f for name, f in freedom.items() if name != at)
    if own <= 0:
        return shrink(residuals, weight, max(sum(freedom.values()), 1.0))
    if other <= 0 or own > 50:
        return shrink(residuals[here], weight[here], own)
    borrowed = min(10.0, other)
    scaled = np.where(here, weight, weight * borrowed / other)
    return shrink(residuals, scaled, own + borrowed)


def _own_weight(centred: np.ndarray, weight: np.ndarray, pooled: LowRank, rng: np.random.Generator) -> float:
    """Weight of the class covariance with the highest likelihood of held-out rows (two folds, leading directions)."""
    rank = min(30, len(pooled.factors), len(centred) // 3)
    if rank < 2:
        return 0.0
    basis = np.linalg.svd(pooled.factors, full_matrices=False)[2][:rank]
    z = centred @ basis.T
    common = basis @ (pooled.factors.T @ (pooled.factors @ basis.T)) + (basis * pooled.residual) @ basis.T
    fold = rng.permutation(len(z)) % 2
    scores = np.zeros(len(WEIGHTS))
    for k in (0, 1):
        train, held_out = fold != k, fold == k
        own = shrink(z[train], weight[train], max(weight[train].sum() - 1, 1.0)).dense()
        for i, w in enumerate(WEIGHTS):
            covariance = (1 - w) * common + w * own
            log_det = np.linalg.slogdet(covariance)[1]
            distance = (z[held_out] * np.linalg.solve(covariance, z[held_out].T).T).sum(1)
            scores[i] -= 0.5 * float((weight[held_out] * (distance + log_det)).sum())
    return WEIGHTS[int(scores.argmax())]
