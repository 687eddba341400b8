"""The space in which networks work: residuals around class means, on their principal components."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import anndata as ad
import numpy as np
import pandas as pd

from ...core.groups import Key, donor_weights, keys_of
from ..base.serialization import of_prefix, with_prefix
from .axes import leading_axes
from .marginals import Marginals
from .means import ClassMeans, fit_class_means, nearest_mean
from .noise_size import NoiseSize
from .residuals import residuals_of

#: Components that few profiles allow as well.
ALWAYS = 16
#: Profiles that are worked on at a time, for memory's sake.
ROWS = 1024
#: Nodes of the integral over the residual noise (Gauss-Hermite).
NODES = 5


@dataclass
class LatentSpace:
    """h = (r(q(x - mean(condition, level)) B' / sd), size), and back with the residual noise of each gene.

    With many genes and few profiles a network that has to find the class means and the common directions of variation
    by itself loses to a Gaussian. Both are estimated here (:mod:`.means`; principal components of the residuals, each
    gene's made normal by q, :mod:`.marginals`), and the network learns what is left: how the components, and the size
    of the noise around them, are distributed in each condition and level. The network sees components that r made
    normal too: two modes along one of many components, which a short training would take for one, are in r already.

    Attributes
    ----------
    means : ClassMeans
    basis : ndarray (components × genes)
        Orthonormal rows.
    sd : ndarray (components,)
    noise : ndarray (genes,)
        Standard deviation outside the components.
    marginals : Marginals
        q; the default changes nothing.
    shapes : Marginals
        r, of the components in standard deviations; the default changes nothing.
    size : NoiseSize, optional
        Size of a profile's noise, where it varies; the last latent coordinate.
    """

    means: ClassMeans
    basis: np.ndarray
    sd: np.ndarray
    noise: np.ndarray
    marginals: Marginals = field(default_factory=Marginals)
    shapes: Marginals = field(default_factory=Marginals)
    size: NoiseSize | None = None

    @property
    def dim(self) -> int:
        return len(self.basis) + (self.size is not None)

    @property
    def loading(self) -> np.ndarray:
        """What each latent coordinate adds to the normal scores (dim × genes)."""
        return np.concatenate([self.sd[:, None] * self.basis, np.zeros((self.dim - len(self.basis), len(self.noise)))])

    @classmethod
    def fit(cls, profiles: ad.AnnData, components: int, knots: int, profiles_per_component: int = 0) -> Self:
        """Fit on standardised profiles (n × genes).

        There are `components` at most, never more than half as many as degrees of freedom, and beyond the first
        :data:`ALWAYS` one for each `profiles_per_component` of these (0 for no such limit): components of few profiles
        are those profiles, and networks that learn how they vary learn whose they are. The maps of marginals have
        `knots` at most; with 0 neither marginals nor sizes are fitted.
        """
        means = fit_class_means(profiles)
        residuals, of_level, weights, freedom = residuals_of(profiles, means)
        free = max(sum(freedom.values()), 2.0)
        marginals = Marginals.fit(residuals, of_level, freedom, knots)
        residuals = marginals.scores(residuals, of_level)
        if profiles_per_component:
            components = min(components, max(ALWAYS, int(free) // profiles_per_component))
        values, vectors = leading_axes(residuals * np.sqrt(weights / free)[:, None], components)
        rank = max(1, min(components, int(free) // 2, int((values > 1e-6 * values[0]).sum())))
        basis = vectors[:rank]
        outside = np.zeros(residuals.shape[1])
        for part in _parts(len(residuals)):
            rest = residuals[part] - residuals[part] @ basis.T @ basis
            outside += weights[part] @ rest**2
        noise = np.sqrt(outside / free)
        sd = np.maximum(values[:rank], 1e-6)
        shapes = Marginals.fit(residuals @ basis.T / sd, of_level, freedom, knots)
        del residuals
        out = cls(means, basis, sd, noise, marginals, shapes)
        if knots and (noise > 1e-6).any():
            keys = out.keys(profiles)
            told = keys_of(profiles.obs)
            log_size = np.concatenate([out._log_size(out._outside(x, own)) for x, own in _blocks(profiles.X, keys)])
            out.size = NoiseSize.fit(log_size, told, donor_weights(profiles.obs), len(noise) - rank)
        return out

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

    def scores(self, x: np.ndarray, keys: list[Key]) -> np.ndarray:
        """Residuals of profiles (n × genes) as normal scores."""
        return self.marginals.scores(x - self.means.of(keys), np.array([at for _, at in keys]))

    def _outside(self, x: np.ndarray, keys: list[Key]) -> np.ndarray:
        """What the components do not say of the normal scores (n × genes)."""
        g = self.scores(x, keys)
        return g - g @ self.basis.T @ self.basis

    def distance(self, x: np.ndarray, keys: list[Key]) -> np.ndarray:
        """Squared distance (n,) of profiles from the components."""
        return (self._outside(x, keys) ** 2).sum(1)

    def _log_size(self, outside: np.ndarray) -> np.ndarray:
        """Log root mean square (n,) of residual noise (n × genes) in standard deviations."""
        noisy = self.noise > 1e-6
        with np.errstate(divide="ignore"):
            return 0.5 * np.log(((outside[:, noisy] / self.noise[noisy]) ** 2).mean(1))

    def encode(self, x: np.ndarray, keys: list[Key]) -> np.ndarray:
        """Rows that a network sees (n × dim), float32, of standardised profiles `x` (n × genes)."""
        return np.concatenate([self._encoded(part, own) for part, own in _blocks(x, keys)])

    def _encoded(self, x: np.ndarray, keys: list[Key]) -> np.ndarray:
        g = self.scores(x, keys)
        h = g @ self.basis.T
        rows = self.shapes.scores(h / self.sd, np.array([at for _, at in keys]))
        if self.size is not None:
            rows = np.column_stack([rows, self.size.encode(self._log_size(g - h @ self.basis), keys)])
        return rows.astype(np.float32)

    def latent(self, rows: np.ndarray, obs: pd.DataFrame) -> np.ndarray:
        """Latent rows (n × dim), in which profiles are linear, of rows as a network sees them."""
        rank = len(self.basis)
        straight = self.shapes.values(rows[:, :rank], obs["level"].astype(str).to_numpy())
        return np.concatenate([straight, rows[:, rank:]], axis=1)

    def decode(self, h: np.ndarray, obs: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
        """Profiles (n × genes), float32."""
        return np.concatenate([self._decoded(part, keys, rng) for part, keys in _blocks(h, keys_of(obs))])

    def _decoded(self, h: np.ndarray, keys: list[Key], rng: np.random.Generator) -> np.ndarray:
        rank = len(self.basis)
        g = (h[:, :rank] * self.sd) @ self.basis
        size = 1.0 if self.size is None else self.size.decode(h[:, rank], keys)[:, None]
        g += size * self.noise * rng.standard_normal(g.shape)
        return (self.means.of(keys) + self.marginals.values(g, np.array([at for _, at in keys]))).astype(np.float32)

    def expected(self, h: np.ndarray, obs: pd.DataFrame) -> np.ndarray:
        """Profiles (n × genes) that latent rows say on average over the residual noise."""
        keys = keys_of(obs)
        g, level = h @ self.loading, np.array([at for _, at in keys])
        nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
        mean = sum(
            w * self.marginals.values(g + node * self.noise, level) for node, w in zip(nodes, weights, strict=True)
        )
        return self.means.of(keys) + mean / weights.sum()

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and metadata for storage."""
        arrays, metadata = self.means.state()
        arrays |= {name: getattr(self, name).astype(np.float32) for name in ("basis", "sd", "noise")}
        levels = {}
        for name in ("marginals", "shapes"):
            maps, levels[name] = getattr(self, name).state()
            arrays |= with_prefix(name, maps)
        return arrays, metadata | {"levels": levels, "size": None if self.size is None else self.size.state()}

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> Self:
        """Space restored from :meth:`state`."""
        return cls(
            ClassMeans.from_state(arrays, metadata),
            *(arrays[name].astype(np.float64) for name in ("basis", "sd", "noise")),
            *(Marginals.from_state(of_prefix(n, arrays), metadata["levels"][n]) for n in ("marginals", "shapes")),
            None if metadata["size"] is None else NoiseSize.from_state(metadata["size"]),
        )


class GeneSpace(LatentSpace):
    """Standardised genes themselves: class means and all the rest are the network's to learn, as in published models.

    ``means`` are 0 and only say which conditions and levels there are; ``basis`` is empty.
    """

    @property
    def dim(self) -> int:
        return len(self.noise)

    @classmethod
    def fit(cls, profiles: ad.AnnData, components: int = 0, knots: int = 0, profiles_per_component: int = 0) -> Self:
        """Space of the genes of `profiles`."""
        genes, means = profiles.n_vars, fit_class_means(profiles)
        zero = ClassMeans({key: np.zeros(genes) for key in means.mean}, means.seen)
        return cls(zero, np.zeros((0, genes)), np.zeros(0), np.zeros(genes))

    def encode(self, x: np.ndarray, keys: list[Key]) -> np.ndarray:
        return np.asarray(x, np.float32)

    def decode(self, h: np.ndarray, obs: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
        return h.astype(np.float32)


def _parts(n: int) -> list[slice]:
    """`n` rows in parts of :data:`ROWS`; one part where there are none."""
    return [slice(first, first + ROWS) for first in range(0, max(n, 1), ROWS)]


def _blocks(x: np.ndarray, keys: list[Key]) -> Iterator[tuple[np.ndarray, list[Key]]]:
    """Parts of the rows of `x` in double precision, with their keys."""
    return ((np.asarray(x[part], np.float64), keys[part]) for part in _parts(len(x)))


def space_of(components: int) -> type[LatentSpace]:
    """Kind of space for a setting ``components``: 0 are the genes themselves."""
    return LatentSpace if components else GeneSpace
