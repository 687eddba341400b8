"""Standardised profiles with what is known of them, as the measures of likeness take them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...metrics.sizes import donor_halves, matched_subset
from ...prepare.scale import Scaler


@dataclass
class Profiles:
    """Standardised profiles (n × genes) with their class (condition and level), condition, donor and annotation."""

    x: np.ndarray
    classes: np.ndarray
    condition: np.ndarray
    donor: np.ndarray
    obs: pd.DataFrame

    def __getitem__(self, rows: np.ndarray) -> Profiles:
        return Profiles(self.x[rows], self.classes[rows], self.condition[rows], self.donor[rows], self.obs.iloc[rows])

    def __len__(self) -> int:
        return len(self.x)

    @classmethod
    def annotated(cls, x: np.ndarray, obs: pd.DataFrame) -> Profiles:
        """Standardised `x` with its annotation; profiles without a donor are donors of their own."""
        condition = obs["condition"].astype(str).to_numpy()
        classes = np.char.add(np.char.add(condition.astype(str), "|"), obs["level"].to_numpy(dtype=str))
        donor = obs["donor"].to_numpy(dtype=str) if "donor" in obs else np.arange(len(obs)).astype(str)
        return cls(x, classes, condition, donor, obs)

    @classmethod
    def of(cls, x: np.ndarray, obs: pd.DataFrame, scaler: Scaler) -> Profiles:
        """Log2 profiles, standardised by a fitted scaler."""
        return cls.annotated(scaler.transform(np.asarray(x), obs), obs)


def stand_ins(test: Profiles, made: Profiles | None, rng: np.random.Generator) -> tuple[Profiles, Profiles]:
    """Held-out profiles and as many synthetic ones of the same classes; without any, two halves of the former."""
    if made is None:
        here, there = donor_halves(test.donor, test.classes, rng)
        return test[here], test[there]
    return test, made[matched_subset(made.classes, test.classes, rng)]
