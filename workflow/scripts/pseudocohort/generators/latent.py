"""The space in which networks work: residuals around class means, on their principal components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import anndata as ad
import numpy as np
import pandas as pd

from .groups import Key, donor_weights, keys_of, rows_by_key
from .means import ClassMeans, fit_class_means, nearest_mean
from .residuals import residuals_of


@dataclass
class LatentSpace:
    """h = ((x - mean(condition, level)) B' ) / sd, and back with the residual noise of each gene.

    With many genes and few profiles a network that has to find the class means and the common directions of variation
    by itself loses to a Gaussian. Both are estimated here (:mod:`.means`, principal components of the residuals), and
    the network learns what is left: how the components are distributed in each condition and level.

    Attributes
    ----------
    means : ClassMeans
    basis : ndarray (components × genes)
        Orthonormal rows.
    sd : ndarray (components,)
    noise : ndarray (genes,)
        Standard deviation outside the components.
    """

    means: ClassMeans
    basis: np.ndarray
    sd: np.ndarray
    noise: np.ndarray

    @property
    def dim(self) -> int:
        return len(self.basis)

    @classmethod
    def fit(cls, profiles: ad.AnnData, components: int) -> Self:
        """Fit on standardised profiles (n × genes); at most half as many components as degrees of freedom."""
        x, level = np.asarray(profiles.X, np.float64), profiles.obs["level"].astype(str).to_numpy()
        means = fit_class_means(profiles)
        weight, groups = donor_weights(profiles.obs), rows_by_key(profiles.obs)
        residuals, _, weights, freedom = residuals_of(x, level, weight, groups, means)
        free = max(sum(freedom.values()), 2.0)
        _, values, vectors = np.linalg.svd(residuals * np.sqrt(weights / free)[:, None], full_matrices=False)
        rank = max(1, min(components, int(free) // 2, int((values > 1e-6 * values[0]).sum())))
        basis = vectors[:rank]
        rest = residuals - residuals @ basis.T @ basis
        noise = np.sqrt((rest**2 * weights[:, None]).sum(0) / free)
        return cls(means, basis, np.maximum(values[:rank], 1e-6), noise)

    def keys(self, profiles: ad.AnnData) -> list[Key]:
        """(condition, level) of each profile; unlabelled ones get the nearest class mean of their level."""
        keys = keys_of(profiles.obs)
        for at in sorted({level for condition, level in keys if not condition}):
            rows = [i for i, key in enumerate(keys) if key == ("", at)]
            candidates = sorted(key for key in self.means.mean if key[1] == at)
            part = nearest_mean(
                np.asarray(profiles.X[rows], np.float64), np.stack([self.means.mean[k] for k in candidates])
            )
            for i, j in zip(rows, part, strict=True):
                keys[i] = candidates[j]
        return keys

    def encode(self, x: np.ndarray, keys: list[Key]) -> np.ndarray:
        """Latent rows (n × components), float32."""
        return ((x - self.means.of(keys)) @ self.basis.T / self.sd).astype(np.float32)

    def decode(self, h: np.ndarray, obs: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
        """Profiles (n × genes), float32."""
        x = self.means.of(keys_of(obs)) + (h * self.sd) @ self.basis
        return (x + self.noise * rng.standard_normal(x.shape)).astype(np.float32)

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and metadata for storage."""
        keys = sorted(self.means.mean)
        arrays = {f"mean/{i}": self.means.mean[k].astype(np.float32) for i, k in enumerate(keys)}
        arrays |= {name: getattr(self, name).astype(np.float32) for name in ("basis", "sd", "noise")}
        return arrays, {
            "keys": keys,
            "seen": sorted(self.means.seen),
            "prior_weight": self.means.prior_weight,
        }

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> Self:
        """Space restored from :meth:`state`."""
        means = ClassMeans(
            {tuple(k): arrays[f"mean/{i}"].astype(np.float64) for i, k in enumerate(metadata["keys"])},
            {tuple(k) for k in metadata["seen"]},
            metadata["prior_weight"],
        )
        return cls(means, *(arrays[name].astype(np.float64) for name in ("basis", "sd", "noise")))


class GeneSpace(LatentSpace):
    """Standardised genes themselves: class means and all the rest are the network's to learn, as in published models.

    ``means`` are 0 and only say which conditions and levels there are; ``basis`` is empty.
    """

    @property
    def dim(self) -> int:
        return len(self.noise)

    @classmethod
    def fit(cls, profiles: ad.AnnData, components: int = 0) -> Self:
        """Space of the genes of `profiles`."""
        genes, means = profiles.n_vars, fit_class_means(profiles)
        zero = ClassMeans({key: np.zeros(genes) for key in means.mean}, means.seen, means.prior_weight)
        return cls(zero, np.zeros((0, genes)), np.zeros(0), np.zeros(genes))

    def encode(self, x: np.ndarray, keys: list[Key]) -> np.ndarray:
        return x.astype(np.float32)

    def decode(self, h: np.ndarray, obs: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
        return h.astype(np.float32)


def space_of(components: int) -> type[LatentSpace]:
    """Kind of space for a setting ``components``: 0 are the genes themselves."""
    return LatentSpace if components else GeneSpace
