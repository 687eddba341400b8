"""How far profiles lie outside the principal components: a latent coordinate of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ...core.groups import Key

#: Genes beyond the components' number from which on the size of a profile's residual noise can be told.
MIN_GENES = 50
#: Donors of a condition and level from which on residuals are long enough to tell their size.
MIN_DONORS = 5


@dataclass
class NoiseSize:
    """How far a profile lies outside the components, as one more latent coordinate.

    Some profiles (of other purity, or quality) are further from the rest in all genes at once. With noise of one size
    synthetic profiles all lie on one shell, and most real ones off it. The coordinate is the log root mean square of
    the scaled residual noise, standardised by level; the network learns it with the components.

    Attributes
    ----------
    mean, sd : dict of float, float
        Of the coordinate on the log scale, its mean by level.
    true_sd : float
        The same without what so few genes vary by chance.
    offset : float
        What makes the mean square of the sizes 1 again.
    told : set of (condition, level)
        Those whose profiles have a coordinate of their own; for others it is 0.
    """

    mean: dict[str, float]
    sd: float
    true_sd: float
    offset: float
    told: set[Key]

    @classmethod
    def fit(cls, log_size: np.ndarray, keys: list[Key], weight: np.ndarray, genes: int) -> Self | None:
        """From log sizes (n,) of training profiles with donor weights, or None where they vary by no more than chance.

        `genes` is the number that the sizes are taken over, less the components.
        """
        donors: dict[Key, float] = {}
        for key, w in zip(keys, weight, strict=True):
            donors[key] = donors.get(key, 0.0) + w
        told = {key for key, n in donors.items() if key[0] and n >= MIN_DONORS}
        rows = np.array([key in told for key in keys]) & np.isfinite(log_size)
        if genes < MIN_GENES or not rows.any():
            return None
        level = np.array([at for _, at in keys])
        mean = {
            at: float(np.average(log_size[here], weights=weight[here]))
            for at in sorted({at for _, at in told})
            if (here := rows & (level == at)).any()
        }
        centred = log_size[rows] - np.array([mean[at] for at in level[rows]])
        variance = float(np.average(centred**2, weights=weight[rows]))
        true = variance - 0.5 / genes
        if true <= 0:
            return None
        factor = np.sqrt(true / variance)
        sizes = np.exp(2 * (log_size[rows] - (1 - factor) * centred))
        return cls(mean, variance**0.5, true**0.5, 0.5 * float(np.log(np.average(sizes, weights=weight[rows]))), told)

    def encode(self, log_size: np.ndarray, keys: list[Key]) -> np.ndarray:
        """Coordinate (n,) of profiles with these log sizes."""
        z = np.array(
            [(v - self.mean[k[1]]) / self.sd if k in self.told else 0.0 for v, k in zip(log_size, keys, strict=True)]
        )
        return np.clip(z, -4, 4)

    def decode(self, z: np.ndarray, keys: list[Key]) -> np.ndarray:
        """Sizes (n,) of coordinates."""
        average = float(np.mean(list(self.mean.values())))
        mean = np.array([self.mean.get(at, average) for _, at in keys])
        return np.exp(mean - self.offset + self.true_sd * z)

    def state(self) -> dict[str, Any]:
        """Metadata for storage."""
        return {"mean": self.mean, "sd": self.sd, "true_sd": self.true_sd, "offset": self.offset,
                "told": sorted(self.told)}  # fmt: skip

    @classmethod
    def from_state(cls, metadata: dict[str, Any]) -> Self:
        """Restored from :meth:`state`."""
        return cls(**metadata | {"told": {tuple(key) for key in metadata["told"]}})
