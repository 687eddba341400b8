"""Conditional variational autoencoder of counts: negative binomial around expected expression, given library sizes."""

from __future__ import annotations

import math
from typing import Any, Self

import anndata as ad
import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn.functional import softplus

from ....core.errors import UserError
from ....core.groups import keys_of
from ....core.seeds import derive
from ....prepare.log_scale import LIBRARY
from ....prepare.scale import Scaler
from ...base.serialization import of_prefix, with_prefix
from ...engine.network_generator import Inputs, Tables
from ...fit.counts import LibrarySizes
from ..cvae.model import CVAE, Autoencoder
from . import NB_CVAE

#: How sharply expected log2 expression bends into 0.
SHARPNESS = 4.0
#: Bounds of the inverse dispersion: beyond the upper one counts are as good as Poisson.
MIN_INVERSE_DISPERSION, MAX_INVERSE_DISPERSION = 1e-2, 1e4


def log_likelihood(counts: torch.Tensor, mean: torch.Tensor, inverse_dispersion: torch.Tensor) -> torch.Tensor:
    """Log probability of counts, negative binomial with variance mean + mean² / inverse dispersion."""
    r = inverse_dispersion
    both = torch.log(r + mean)
    return (
        torch.lgamma(counts + r) - torch.lgamma(r) - torch.lgamma(counts + 1)
        + r * (torch.log(r) - both) + counts * (torch.log(mean) - both)
    )  # fmt: skip


class CountAutoencoder(Autoencoder):
    """Encoder of latent rows; their decoded expectation is the log2 expression that counts are drawn around.

    Parameters
    ----------
    tables : dict of ndarray
        ``offset`` and ``spread`` (pairs × genes): mean and unit of log2 expression of each (condition, level);
        ``loading`` (dim × genes); ``inverse_dispersion`` (levels × genes), to start from.
    """

    def __init__(
        self, dim: int, conditions: int, latent: int, width: int, layers: int, tables: dict[str, np.ndarray]
    ) -> None:
        super().__init__(dim, conditions, latent, width, layers)
        del self.log_variance  # the noise is that of counts
        for name in ("offset", "spread", "loading"):
            self.register_buffer(name, torch.as_tensor(tables[name], dtype=torch.float32))
        start = torch.as_tensor(tables["inverse_dispersion"], dtype=torch.float32)
        self.log_inverse_dispersion = nn.Parameter(start.log())
        #: What the expectation of a count is above that of its logarithm.
        self.shift = nn.Parameter(torch.zeros_like(start))

    def log2_expression(self, h: torch.Tensor, pair: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        """Expected log2 expression (... × n × genes, not below 0) of latent rows of pairs and levels (... × n)."""
        x = _rows(self.offset, pair) + _rows(self.spread, pair) * (h @ self.loading) + _rows(self.shift, level)
        return softplus(x, beta=SHARPNESS)

    def inverse_dispersion(self, level: torch.Tensor) -> torch.Tensor:
        """Of the genes of rows at levels (... × n)."""
        return _rows(self.log_inverse_dispersion, level).exp().clamp(MIN_INVERSE_DISPERSION, MAX_INVERSE_DISPERSION)

    def bounds(self, h, condition, factors, counts, library, pair, level, noise):
        """Minus the log probability of the counts of each row, and its divergence."""
        made, divergence = self(h, condition, factors, noise)
        expected = torch.expm1(math.log(2) * self.log2_expression(made, pair, level)) * library[..., None]
        return -log_likelihood(counts, expected + 1e-6, self.inverse_dispersion(level)).sum(-1), divergence


def _rows(table: torch.Tensor, number: torch.Tensor) -> torch.Tensor:
    """Rows (... × n × genes) of tables (... × rows × genes) by number (... × n)."""
    return torch.gather(table, -2, number[..., None].expand(*number.shape, table.shape[-1]))


class NBCVAE(CVAE):
    """The :class:`..cvae.model.CVAE` with the likelihood of counts (scVI's: Lopez et al. 2018, Nature Methods 15:1053).

    It learns from log2(CPM + 1) profiles with their library sizes, which say what the counts were. Class means,
    components and the standard deviations of genes are those of :mod:`latent`; a profile's expected log2 expression
    lies in that space, and its counts are negative binomial around it, with a dispersion for each gene and level that
    starts at what the residuals say and is learned. Samples have a library size drawn like the real ones, and silent
    genes and the coarse values of shallow profiles by themselves. Levels whose sources hold no counts are refused.
    """

    description = NB_CVAE

    def _start(self, profiles: ad.AnnData, settings: dict[str, Any] | None, seed: int, device: str):
        x, obs = np.asarray(profiles.X), profiles.obs
        sizes = obs["library_size"].to_numpy(dtype=float) if "library_size" in obs else np.zeros(len(obs))
        if not (sizes > 0).all():
            level = str(obs["level"].astype(str)[~(sizes > 0)].iloc[0])
            raise UserError(
                f"generator {self.name!r} learns from counts, and profiles at level {level!r} have none",
                where="generators",
                remedy="use cvae, or datasets whose unit is counts, without convert",
            )
        self.scaler, self.sizes = Scaler(by_level=True).fit(x, obs), LibrarySizes.fit(obs)
        counts = np.rint((np.exp2(x.astype(np.float64)) - 1) * sizes[:, None] / LIBRARY)
        standardised = ad.AnnData(self.scaler.transform(x, obs), obs=obs, layers={"counts": counts})
        return super()._start(standardised, settings, seed, device)

    def _numbers(self, obs: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of each profile's condition at its level, and of its level."""
        pairs, levels, keys = sorted(self.space.means.mean), sorted(self.scaler.mean), keys_of(obs)
        return np.array([pairs.index(key) for key in keys]), np.array([levels.index(level) for _, level in keys])

    def inputs(self, profiles: ad.AnnData, h: np.ndarray, condition: np.ndarray) -> Inputs:
        """Of each profile: counts, library size in millions, and numbers of its condition at its level, and level."""
        means, levels = self.space.means.mean, sorted(self.scaler.mean)
        pairs = sorted(means)
        unit = np.stack([self.scaler.sd[level] for _, level in pairs])
        tables = {
            "offset": np.stack([self.scaler.mean[level] for _, level in pairs])
            + unit * np.stack([means[pair] for pair in pairs]),
            "spread": unit,
            "loading": self.space.loading,
            "inverse_dispersion": np.stack([self._dispersion(profiles, level) for level in levels]),
        }
        columns = (
            profiles.layers["counts"].astype(np.float32),
            (profiles.obs["library_size"].to_numpy(dtype=float) / LIBRARY).astype(np.float32),
            *self._numbers(profiles.obs),
        )
        return Inputs(columns, tables)

    def stored_tables(self, weights: dict[str, np.ndarray]) -> Tables:
        tables = {name: weights[name] for name in ("offset", "spread", "loading")}
        return tables | {"inverse_dispersion": np.exp(weights["log_inverse_dispersion"])}

    def _dispersion(self, profiles: ad.AnnData, level: str) -> np.ndarray:
        """Inverse dispersion of each gene, to start from: squared coefficient of variation less that of Poisson.

        Of all that varies within classes, components too, which of counts are noise for a good part: learning takes
        from the noise what the network explains, which it does sooner than it gives back what a start too low took.
        """
        here = (profiles.obs["level"].astype(str) == level).to_numpy()
        variance = self.space.noise**2 + ((self.space.sd[:, None] * self.space.basis) ** 2).sum(0)
        noise = (np.log(2) * self.scaler.sd[level]) ** 2 * variance
        return 1 / np.clip(
            noise - 1 / np.maximum(profiles.layers["counts"][here].mean(0), 1), 1 / 50, 1 / MIN_INVERSE_DISPERSION
        )

    def build(self, dim: int, conditions: int, tables: Tables) -> nn.Module:
        s = self.settings
        return CountAutoencoder(dim, conditions, s["latent"], s["width"], s["layers"], tables)

    #: The noise around expected rows is that of counts (:meth:`sample`).
    draw = CVAE.expected_rows

    @torch.no_grad()
    def sample(self, obs: pd.DataFrame, *, seed: int, device: str = "cpu") -> np.ndarray:
        """Profiles (len(obs) × genes) as log2(CPM + 1) of drawn counts."""
        rng = np.random.default_rng(derive(seed, "counts"))
        h = torch.as_tensor(self.latent_rows(obs, seed=seed, device=device), dtype=torch.float32, device=self.device)
        pair, level = (torch.as_tensor(number, device=self.device) for number in self._numbers(obs))
        x = self.network.log2_expression(h, pair, level).double().cpu().numpy()
        r = self.network.inverse_dispersion(level).double().cpu().numpy()
        library = self.sizes.draw(obs, rng)[:, None] / LIBRARY
        counts = rng.poisson(rng.gamma(r, np.expm1(np.log(2) * x) * library / r))
        return np.log2(counts / library + 1).astype(np.float32)

    def member_signals(self, profiles: ad.AnnData, *, device: str = "cpu") -> dict[str, np.ndarray]:
        """None: the evidence of a candidate would need its library size."""
        return {}

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        arrays, metadata = super().state()
        for name, part in (("scale", self.scaler), ("sizes", self.sizes)):
            own, metadata[name] = part.state()
            arrays |= with_prefix(name, own)
        return arrays, metadata

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> Self:
        out = super().from_state(arrays, metadata)
        out.scaler = Scaler.from_state(of_prefix("scale", arrays), metadata["scale"])
        out.sizes = LibrarySizes.from_state(of_prefix("sizes", arrays), metadata["sizes"])
        return out
