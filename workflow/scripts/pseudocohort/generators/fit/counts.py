"""Integer counts from synthetic log expression, for tools that model counts (DESeq2, edgeR, limma-voom)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pandas as pd

from ...prepare.log_scale import LIBRARY


@dataclass
class LibrarySizes:
    """Log-normal library sizes of the levels whose profiles were counts.

    A size is drawn anew for every synthetic profile: no donor's own is passed on, only the mean and spread of all.

    Attributes
    ----------
    mean, sd : dict of float
        Of the natural logarithm of the library size, by level.
    """

    mean: dict[str, float] = field(default_factory=dict)
    sd: dict[str, float] = field(default_factory=dict)

    @classmethod
    def fit(cls, obs: pd.DataFrame) -> Self:
        """From the ``library_size`` of training profiles; 0 = the source has no counts. Levels need it of every one."""
        out = cls()
        if "library_size" not in obs:
            return out
        sizes = obs["library_size"].to_numpy(dtype=float)
        for level in np.unique(obs["level"].astype(str)):
            own = sizes[(obs["level"].astype(str) == level).to_numpy()]
            if (own > 0).all():
                out.mean[level] = float(np.log(own).mean())
                out.sd[level] = float(np.log(own).std())
        return out

    def draw(self, obs: pd.DataFrame, rng: np.random.Generator) -> np.ndarray | None:
        """Library size of each profile of `obs`; None if a level has none."""
        level = obs["level"].astype(str).to_numpy()
        if not self.mean or any(name not in self.mean for name in np.unique(level)):
            return None
        mean, sd = (np.array([table[name] for name in level]) for table in (self.mean, self.sd))
        return np.exp(mean + sd * rng.standard_normal(len(level)))

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, object]]:
        """Arrays and metadata for storage."""
        levels = sorted(self.mean)
        return {
            "mean": np.array([self.mean[name] for name in levels]),
            "sd": np.array([self.sd[name] for name in levels]),
        }, {"levels": levels}

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], metadata: dict) -> Self:
        """Restored from :meth:`state`."""
        levels = metadata["levels"]
        mean, sd = (dict(zip(levels, map(float, arrays[name]), strict=True)) for name in ("mean", "sd"))
        return cls(mean, sd)


def counts_of(x: np.ndarray, library: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Counts (n × genes, int32) whose expectation is that of log2(CPM + 1) profiles `x` at the given library sizes.

    Synthetic profiles hold the noise of counting already, since real ones did: expected counts are rounded up or down
    at random, without bias, and not drawn from a Poisson distribution once more.
    """
    expected = (np.exp2(np.asarray(x, dtype=np.float64)) - 1) * library[:, None] / LIBRARY
    return np.floor(expected + rng.random(expected.shape)).astype(np.int32)
