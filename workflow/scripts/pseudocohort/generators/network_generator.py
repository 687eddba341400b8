"""What the generators with networks share: latent space, encoding of conditions, storage."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Self

import anndata as ad
import numpy as np
import pandas as pd
import torch
from torch import nn

from ..errors import UserError
from ..levels import FACTORS
from ..seeds import derive
from .base import Capabilities, Generator
from .checkpoint import Checkpoint
from .clamping import DRAWS, rows_given
from .device import choose_device
from .groups import donor_weights, keys_of
from .latent import space_of


class Batches:
    """Random batches of latent rows, drawn with replacement, a donor weighing 1 in each condition and level."""

    def __init__(self, h, condition, factors, weight, size: int, device: torch.device) -> None:
        self.h = torch.as_tensor(h, device=device)
        self.condition = torch.as_tensor(condition, device=device)
        self.factors = torch.as_tensor(factors, device=device)
        self.cumulative = torch.as_tensor(np.cumsum(weight) / np.sum(weight), dtype=torch.float32, device=device)
        self.size = min(size, max(len(h), 16))

    def draw(self, random: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Latent rows, conditions and level factors of one batch."""
        u = torch.rand(self.size, generator=random, device=self.h.device)
        rows = torch.searchsorted(self.cumulative, u).clamp_(max=len(self.h) - 1)
        return self.h[rows], self.condition[rows], self.factors[rows]


#: Noises that white-box attacks average over.
BANK = 16


class NetworkGenerator(Generator):
    """A generator whose network works in a :class:`.latent.LatentSpace`.

    Subclasses say how to :meth:`build` the network that is sampled from, how to :meth:`train` it and how to
    :meth:`draw` latent rows.
    """

    capabilities = Capabilities(trained=True, composition=True, unlabeled=True, mask=True)
    defaults: ClassVar[dict[str, Any]] = {"components": 64}
    #: Whether ``components`` may be 0, the network working on the genes themselves.
    on_genes: ClassVar[bool] = False

    @abstractmethod
    def build(self, dim: int, conditions: int) -> nn.Module:
        """Network that is sampled from, with fresh weights."""

    @abstractmethod
    def train(self, network: nn.Module, batches: Batches, seed: int, checkpoint: Checkpoint | None) -> nn.Module:
        """Train `network` and set :attr:`history`; the network to sample from (its average)."""

    @abstractmethod
    def draw(self, condition: torch.Tensor, factors: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        """Latent rows (n × components) of the given conditions and level factors."""

    def fit(self, profiles: ad.AnnData, *, settings=None, seed, device="cpu", checkpoint=None) -> Self:
        self.settings = self.merge_settings(settings)
        self.device = choose_device(device)
        components = self.settings["components"]
        if not components and not self.on_genes:
            raise UserError(
                f"generator {self.name!r} works on principal components",
                where=f"generator_settings.{self.name}.components",
                remedy="set 1 or more; only gan, wgan_gp and ddpm work on the genes themselves",
            )
        self.space = space_of(components).fit(profiles, components)
        keys = self.space.keys(profiles)
        self.conditions = sorted({condition for condition, _ in self.space.means.mean})
        condition = np.array([self.conditions.index(c) for c, _ in keys])
        labelled = profiles.obs.assign(condition=[c for c, _ in keys])
        batches = Batches(
            self.space.encode(np.asarray(profiles.X, np.float64), keys),
            condition,
            factor_numbers(profiles.obs),
            donor_weights(labelled),
            self.settings["batch"],
            self.device,
        )
        torch.manual_seed(derive(seed, "weights"))
        network = self.build(self.space.dim, len(self.conditions)).to(self.device)
        self.network = self.train(network, batches, derive(seed, "training"), checkpoint).eval()
        return self

    def sample(self, obs: pd.DataFrame, *, seed: int, device: str = "cpu") -> np.ndarray:
        h = self.latent_rows(obs, seed=seed, device=device)
        return self.space.decode(h, obs, np.random.default_rng(derive(seed, "genes")))

    def sample_clamped(
        self, obs: pd.DataFrame, clamped: np.ndarray, *, seed: int, device: str = "cpu", expected: bool = False
    ) -> np.ndarray:
        if not len(self.space.basis):
            raise UserError(
                f"generator {self.name!r} cannot clamp genes when it works on the genes themselves",
                where=f"generator_settings.{self.name}.components",
                remedy="set 1 or more components",
            )
        rng = None if expected else np.random.default_rng(derive(seed, "clamped"))
        free, keys = np.isnan(clamped), keys_of(obs)
        means, loading = self.space.means.of(keys), self.space.sd[:, None] * self.space.basis
        h = np.empty((len(obs), self.space.dim))
        for key in dict.fromkeys(keys):
            here = np.array([i for i, other in enumerate(keys) if other == key])
            many = obs.iloc[np.repeat(here[:1], DRAWS)]
            draws = self.latent_rows(many, seed=derive(seed, "draws", *key), device=device)
            patterns, pattern = np.unique(free[here], axis=0, return_inverse=True)
            for number, hidden in enumerate(patterns):
                rows = here[pattern.reshape(-1) == number]
                values = clamped[np.ix_(rows, ~hidden)] - means[np.ix_(rows, ~hidden)]
                h[rows] = rows_given(draws, loading[:, ~hidden], self.space.noise[~hidden], values, rng)
        made = means + h @ loading if rng is None else self.space.decode(h, obs, rng)
        return np.where(free, made, clamped).astype(np.float32)

    @torch.no_grad()
    def latent_rows(self, obs: pd.DataFrame, *, seed: int, device: str = "cpu") -> np.ndarray:
        """Latent rows (len(obs) × components) of the conditions and levels that `obs` asks for."""
        self.device = choose_device(device)
        self.network.to(self.device)
        numbers = {c: i for i, c in enumerate(self.conditions)}
        # A condition without a mean is refused by the latent space, with a message.
        self.space.means.of(
            list(dict.fromkeys(zip(obs["condition"].astype(str), obs["level"].astype(str), strict=True)))
        )
        condition = torch.tensor([numbers[c] for c in obs["condition"].astype(str)], device=self.device)
        factors = torch.as_tensor(factor_numbers(obs), device=self.device)
        random = torch.Generator(device=self.device).manual_seed(derive(seed, "latent"))
        return self.draw(condition, factors, random).float().cpu().numpy().astype(np.float64)

    @torch.no_grad()
    def member_signals(self, profiles: ad.AnnData, *, device: str = "cpu") -> dict[str, np.ndarray]:
        self.device = choose_device(device)
        self.network.to(self.device)
        # A condition that the model does not know is held against the nearest one that it does.
        known = set(self.space.means.mean)
        labels = [c if (c, at) in known else "" for c, at in keys_of(profiles.obs)]
        keys = self.space.keys(ad.AnnData(profiles.X, obs=profiles.obs.assign(condition=labels)))
        x = np.asarray(profiles.X, np.float64)
        h = torch.as_tensor(self.space.encode(x, keys), device=self.device)
        condition = torch.tensor([self.conditions.index(c) for c, _ in keys], device=self.device)
        factors = torch.as_tensor(factor_numbers(profiles.obs), device=self.device)
        found = self.signals(h, condition, factors)
        signals = {k: v.double().cpu().numpy() for k, v in found.items()}
        if not len(self.space.basis):
            return signals
        residual = x - self.space.means.of(keys)
        outside = residual - residual @ self.space.basis.T @ self.space.basis
        return {"latent_space": -(outside**2).sum(1)} | signals

    def signals(self, h: torch.Tensor, condition: torch.Tensor, factors: torch.Tensor) -> dict[str, torch.Tensor]:
        """Signals of the network itself about latent rows (n × components); higher for members."""
        return {}

    def bank(self, size: int, *shape: int, uniform: bool = False) -> torch.Tensor:
        """Draws (size × shape) that are the same for every row, model and coin: signals differ by the row alone."""
        random = torch.Generator().manual_seed(derive(0, "noise bank", str(shape)))
        draw = torch.rand if uniform else torch.randn
        return draw(size, *shape, generator=random).to(self.device)

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        arrays, metadata = self.space.state()
        weights = {f"network/{k}": v.detach().cpu().numpy() for k, v in self.network.state_dict().items()}
        return {f"space/{k}": v for k, v in arrays.items()} | weights, {
            "space": metadata,
            "conditions": self.conditions,
            "settings": self.settings,
        }

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> Self:
        out = cls()
        out.settings, out.conditions = metadata["settings"], metadata["conditions"]
        space = {k.removeprefix("space/"): v for k, v in arrays.items() if k.startswith("space/")}
        out.space = space_of(out.settings["components"]).from_state(space, metadata["space"])
        out.network = out.build(out.space.dim, len(out.conditions))
        weights = {
            k.removeprefix("network/"): torch.as_tensor(v) for k, v in arrays.items() if k.startswith("network/")
        }
        out.network.load_state_dict(weights)
        out.network.requires_grad_(False).eval()
        return out


def factor_numbers(obs: pd.DataFrame) -> np.ndarray:
    """Technology, aggregation and context of each profile as numbers (n × 3)."""
    columns = [obs[name].astype(str).map({v: i for i, v in enumerate(values)}) for name, values in FACTORS.items()]
    return np.stack(columns, axis=1).astype(np.int64)
