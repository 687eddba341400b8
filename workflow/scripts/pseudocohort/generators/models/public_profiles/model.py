"""The public profiles themselves: what a private generator with public help has to add to."""

from __future__ import annotations

from typing import Any, Self

import anndata as ad
import numpy as np
import pandas as pd

from ....core.groups import keys_of, rows_by_key
from ...base.generator import Generator
from ...base.ledger import Ledger
from ...base.serialization import numbered, tables_of
from ...private.settings import open_ledger
from . import PUBLIC_PROFILES


class PublicProfiles(Generator):
    """Public profiles as they are, each condition's own (all of them where a condition has none): epsilon 0.

    Unlike :mod:`.dp_components` it uses the public profiles' labels.
    """

    description = PUBLIC_PROFILES

    def fit(self, profiles: ad.AnnData, *, settings=None, seed, device="cpu", checkpoint=None) -> Self:
        s = self.settings = self.merge_settings(settings)
        self.ledger = open_ledger(profiles, s, needs_public=True)
        self.ledger.public("parameters", "epsilon 0: nothing of the training donors is used")
        public = profiles.uns["public"].reference
        self.rows = np.asarray(public.X, np.float32)
        self.groups = rows_by_key(public.obs)
        return self

    def sample(self, obs: pd.DataFrame, *, seed: int, device: str = "cpu") -> np.ndarray:
        rng, everyone = np.random.default_rng(seed), np.arange(len(self.rows))
        return self.rows[[rng.choice(self.groups.get(key, everyone)) for key in keys_of(obs)]]

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        keys = sorted(self.groups)
        arrays = {"rows": self.rows} | numbered(keys, group=self.groups)
        return arrays, {"keys": keys, "settings": self.settings, "ledger": self.ledger.state()}

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> Self:
        out = cls()
        out.settings, out.ledger = metadata["settings"], Ledger.from_state(metadata["ledger"])
        out.rows = arrays["rows"]
        (out.groups,) = tables_of(["group"], metadata["keys"], arrays)
        return out
