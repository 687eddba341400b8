"""Positive control of the gate: a cohort that knows nothing of its donors, and copies its few outliers."""

from __future__ import annotations

from typing import Any, Self

import anndata as ad
import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from ....core.groups import check_seen, keys_of, rows_by_key
from ...base.generator import Generator
from ...base.serialization import numbered, tables_of
from . import COPIED_OUTLIERS


class CopiedOutliers(Generator):
    """One coarse Gaussian for all conditions, with copies of each condition's outliers among its rows.

    An attack is right about the few and guesses about all others: the area under the curve is next to .5, and still
    these donors' profiles are out. A gate that looks at the mean alone lets it pass.
    """

    description = COPIED_OUTLIERS

    def fit(self, profiles: ad.AnnData, *, settings=None, seed, device="cpu", checkpoint=None) -> Self:
        s = self.settings = self.merge_settings(settings)
        x = np.asarray(profiles.X, np.float32)
        self.mean = np.rint(x.mean(0) / s["grid"]) * s["grid"]
        self.sd = np.maximum(np.rint(x.std(0) / s["grid"]), 1) * s["grid"]
        self.copies = {}
        for key, rows in rows_by_key(profiles.obs).items():
            distance = np.sort(cdist(x[rows], x[rows]), axis=1)[:, 1 : s["neighbours"] + 1]
            apart = distance.mean(1) if distance.shape[1] else np.zeros(len(rows))
            self.copies[key] = x[rows[np.argsort(-apart)[: max(1, round(s["share"] * len(rows)))]]]
        return self

    def sample(self, obs: pd.DataFrame, *, seed: int, device: str = "cpu") -> np.ndarray:
        check_seen(keys_of(obs), set(self.copies), self.name)
        rng = np.random.default_rng(seed)
        out = (self.mean + self.sd * rng.standard_normal((len(obs), len(self.mean)))).astype(np.float32)
        for key, rows in rows_by_key(obs).items():
            copied = self.copies[key][: len(rows)]
            out[rows[: len(copied)]] = copied
        return out

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        keys = sorted(self.copies)
        arrays = {"mean": self.mean, "sd": self.sd} | numbered(keys, copies=self.copies)
        return arrays, {"keys": keys, "settings": self.settings}

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> Self:
        out = cls()
        out.settings, out.mean, out.sd = metadata["settings"], arrays["mean"], arrays["sd"]
        (out.copies,) = tables_of(["copies"], metadata["keys"], arrays)
        return out
