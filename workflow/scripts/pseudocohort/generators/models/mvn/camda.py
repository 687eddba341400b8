"""The per-class Gaussian of the CAMDA Health Privacy Challenge: sample mean, sample covariance times 1.5."""

from __future__ import annotations

from typing import Any, Self

import anndata as ad
import numpy as np
import pandas as pd

from ....core.groups import Key, check_seen, keys_of, rows_by_key
from ...base.generator import Generator
from ...base.serialization import numbered, tables_of
from . import MVN_CAMDA


class MVNCamda(Generator):
    """N(mean, ``inflation`` × sample covariance) of each condition and level, nothing shrunk.

    With fewer profiles than genes its samples lie exactly in the span of the training profiles: the attack
    ``span_residual`` tells every member. It is kept as the published baseline and as a control of the audit.
    """

    description = MVN_CAMDA

    def fit(self, profiles: ad.AnnData, *, settings=None, seed, device="cpu", checkpoint=None) -> Self:
        self.settings = self.merge_settings(settings)
        self.mean: dict[Key, np.ndarray] = {}
        self.factors: dict[Key, np.ndarray] = {}
        for key, rows in rows_by_key(profiles.obs).items():
            x = np.asarray(profiles.X[rows], np.float64)
            self.mean[key] = x.mean(0)
            # F'F is the sample covariance; the right singular vectors span the centred training profiles.
            _, values, vectors = np.linalg.svd(x - x.mean(0), full_matrices=False)
            rank = min(max(len(rows) - 1, 1), len(values))
            self.factors[key] = values[:rank, None] * vectors[:rank] / np.sqrt(max(len(rows) - 1, 1))
        return self

    def sample(self, obs: pd.DataFrame, *, seed: int, device: str = "cpu") -> np.ndarray:
        keys, rng = keys_of(obs), np.random.default_rng(seed)
        check_seen(keys, set(self.mean), self.name)
        out = np.stack([self.mean[k] for k in keys])
        for key, wanted in rows_by_key(obs).items():
            noise = rng.standard_normal((len(wanted), len(self.factors[key])))
            out[wanted] += np.sqrt(self.settings["inflation"]) * noise @ self.factors[key]
        return out.astype(np.float32)

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        keys = sorted(self.mean)
        arrays = numbered(keys, mean=self.mean, factors=self.factors)
        return arrays, {"keys": keys, "settings": self.settings}

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> Self:
        out = cls()
        out.settings = metadata["settings"]
        out.mean, out.factors = tables_of(("mean", "factors"), metadata["keys"], arrays)
        return out
