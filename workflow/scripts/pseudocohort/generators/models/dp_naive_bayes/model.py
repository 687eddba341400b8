"""Gaussian naive Bayes under differential privacy: the strong simple baseline of private generators."""

from __future__ import annotations

from typing import Any, Self

import anndata as ad
import numpy as np
import pandas as pd

from ....core.groups import check_seen, keys_of
from ...base.generator import Generator
from ...base.ledger import Ledger
from ...private.settings import noise_key, open_ledger, statistics, vocabulary
from ...private.statistics import MIN_VARIANCE, reference_centre
from . import DP_NAIVE_BAYES

#: Parts of the budget.
SHARES = {"class counts": 0.05, "mean level": 0.02, "mean profile": 0.23, "class means": 0.5, "variances": 0.2}
REFERENCE_SHARES = {"class counts": 0.1, "class means": 0.6, "variances": 0.3}


class DPNaiveBayes(Generator):
    """Class means and one variance per gene, by the Gaussian mechanism; genes independent given the condition.

    With few donors and many genes noise swamps whatever needs more numbers than this: a private generator that does not
    beat it has learned nothing. With epsilon 0 it is what the public profiles say (else a constant).
    """

    description = DP_NAIVE_BAYES

    def fit(self, profiles: ad.AnnData, *, settings=None, seed, device="cpu", checkpoint=None) -> Self:
        s = self.settings = self.merge_settings(settings)
        self.ledger = open_ledger(profiles, s)
        public, self.keys = vocabulary(profiles, s)
        known = public.reference is not None
        centre, prior = np.full((len(self.keys), profiles.n_vars), float(s["centre"])), None
        if known:
            centre, residual = reference_centre(public.reference, self.keys)
            prior = np.maximum((residual**2).mean(0), MIN_VARIANCE)
        if s["epsilon"] == 0:
            self.ledger.public("parameters", "epsilon 0: nothing of the training donors is used")
            self.mean, self.sd = centre, np.sqrt(prior if known else np.ones(profiles.n_vars))
            return self
        shares = REFERENCE_SHARES if known else SHARES
        key = noise_key(s, seed, checkpoint)
        made = statistics(profiles, self.keys, self.ledger, shares, epsilon=s["epsilon"], key=key)
        made.release_counts()
        if not known:
            centre = np.tile(made.centre(s["centre"], s["centre_span"], s["centre_radius"]), (len(self.keys), 1))
        self.mean = made.class_means(centre, s["radius"])
        self.sd = np.sqrt(made.variances(self.mean, prior, s["bound"]))
        return self

    def sample(self, obs: pd.DataFrame, *, seed: int, device: str = "cpu") -> np.ndarray:
        keys = keys_of(obs)
        check_seen(keys, set(self.keys), self.name)
        noise = np.random.default_rng(seed).standard_normal((len(obs), len(self.sd)))
        return (self.mean[[self.keys.index(key) for key in keys]] + self.sd * noise).astype(np.float32)

    def member_signals(self, profiles: ad.AnnData, *, device: str = "cpu") -> dict[str, np.ndarray]:
        mean = self.mean[[self.keys.index(key) for key in keys_of(profiles.obs)]]
        return {"density": -0.5 * (((np.asarray(profiles.X, np.float64) - mean) / self.sd) ** 2).sum(1)}

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        metadata = {"keys": self.keys, "settings": self.settings, "ledger": self.ledger.state()}
        return {"mean": self.mean, "sd": self.sd}, metadata

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> Self:
        out = cls()
        out.settings, out.keys = metadata["settings"], [tuple(key) for key in metadata["keys"]]
        out.ledger = Ledger.from_state(metadata["ledger"])
        out.mean, out.sd = arrays["mean"], arrays["sd"]
        return out
