"""Per-gene standardisation, fitted on training donors only, globally or per level."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pandas as pd

from ..core.errors import UserError


@dataclass
class Scaler:
    """z = (x - mean) / (sd + offset), one mean and sd per gene and scale group.

    A group of few profiles has no reliable standard deviation: the variance of a gene is its own averaged with that
    gene's variance within all groups, which counts as `prior_rows` profiles (the form of a moderated variance, Smyth
    2004, Statistical Applications in Genetics and Molecular Biology 3:3).

    Parameters
    ----------
    by_level : bool
        One scale per value of ``obs["level"]`` (needed when levels are in different units), or one for all.
    offset : float
        Added to every standard deviation, in log2 units: keeps near-constant genes of few or shallow profiles
        (pseudo-bulk) from blowing up.
    prior_rows : float
        Profiles that the pooled variance weighs; with a single group it changes nothing.
    """

    by_level: bool = True
    offset: float = 0.1
    prior_rows: float = 10.0
    mean: dict[str, np.ndarray] = field(default_factory=dict)
    sd: dict[str, np.ndarray] = field(default_factory=dict)

    def _groups(self, obs: pd.DataFrame) -> np.ndarray:
        return obs["level"].astype(str).to_numpy() if self.by_level else np.repeat("all", len(obs))

    def fit(self, x: np.ndarray, obs: pd.DataFrame) -> Self:
        """Fit on the profiles `x` (n × genes, log2 scale) of the training donors described by `obs`."""
        groups = self._groups(obs)
        names = np.unique(groups)
        parts = {group: np.asarray(x[groups == group], dtype=np.float64) for group in names}
        variance = {group: rows.var(0) for group, rows in parts.items()}
        pooled = sum(len(parts[g]) * variance[g] for g in names) / len(groups)
        for group, rows in parts.items():
            n = len(rows)
            moderated = (n * variance[group] + self.prior_rows * pooled) / (n + self.prior_rows)
            self.mean[group] = rows.mean(0)
            self.sd[group] = np.sqrt(moderated) + self.offset
        return self

    def _statistics(self, obs: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        groups, index = np.unique(self._groups(obs), return_inverse=True)
        unseen = [g for g in groups if g not in self.mean]
        if unseen:
            raise UserError(
                f"no scale for level {unseen[0]!r}: no training profile has it",
                remedy=f"levels with a scale: {', '.join(sorted(self.mean))}",
            )
        return np.stack([self.mean[g] for g in groups]), np.stack([self.sd[g] for g in groups]), index

    def unit(self, level: str) -> np.ndarray:
        """What one unit of standardised profiles of a level is in log2 units (genes,)."""
        return self.sd[level if self.by_level else "all"] + 0.0

    def transform(self, x: np.ndarray, obs: pd.DataFrame) -> np.ndarray:
        """Standardised profiles, float32."""
        mean, sd, index = self._statistics(obs)
        return ((x - mean[index]) / sd[index]).astype(np.float32)

    def inverse(self, z: np.ndarray, obs: pd.DataFrame) -> np.ndarray:
        """Profiles on the log2 scale from standardised ones, float32."""
        mean, sd, index = self._statistics(obs)
        return (z * sd[index] + mean[index]).astype(np.float32)

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, object]]:
        """Arrays and metadata for storage."""
        arrays = {f"{kind}/{g}": v for kind in ("mean", "sd") for g, v in getattr(self, kind).items()}
        return arrays, {"by_level": self.by_level, "offset": self.offset, "prior_rows": self.prior_rows}

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], metadata: dict) -> Self:
        """Scaler restored from :meth:`state`."""
        scaler = cls(
            by_level=bool(metadata["by_level"]),
            offset=float(metadata["offset"]),
            prior_rows=float(metadata["prior_rows"]),
        )
        for key, value in arrays.items():
            kind, group = key.split("/", 1)
            getattr(scaler, kind)[group] = value
        return scaler
