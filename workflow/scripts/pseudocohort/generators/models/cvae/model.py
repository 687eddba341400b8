"""Conditional variational autoencoder."""

from __future__ import annotations

import torch
from torch import nn

from ...engine.loss_trained import Batch, LossTrainedGenerator
from ...engine.network_generator import ATTACK_NOISES, Tables
from ...engine.networks import ConditionEmbedding, mlp
from ...engine.streams import Streams
from ...engine.training import Losses
from . import CVAE as DESCRIPTION


class Autoencoder(nn.Module):
    """Encoder q(u | h, condition) and decoder p(h | u, condition), both Gaussian."""

    def __init__(self, dim: int, conditions: int, latent: int, width: int, layers: int) -> None:
        super().__init__()
        self.latent = latent
        self.embed = ConditionEmbedding(conditions, 32)
        self.encoder = mlp([dim + 32, *[width] * layers, 2 * latent])
        self.decoder = mlp([latent + 32, *[width] * layers, dim])
        #: One variance per component, learned (sigma-VAE): without it samples are too narrow.
        self.log_variance = nn.Parameter(torch.zeros(dim))

    def encode(self, h: torch.Tensor, context: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean, log_variance = self.encoder(torch.cat([h, context], dim=-1)).chunk(2, dim=-1)
        return mean, log_variance.clamp(-10, 5)

    def decode(self, u: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        return self.decoder(torch.cat([u, context], dim=-1))

    def forward(
        self, h: torch.Tensor, condition: torch.Tensor, factors: torch.Tensor, noise: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows decoded from a draw of their latent variable, and its divergence from the prior (... × n)."""
        context = self.embed(condition, factors)
        mean, log_variance = self.encode(h, context)
        made = self.decode(mean + noise * (0.5 * log_variance).exp(), context)
        return made, 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(-1)

    def bounds(
        self, h: torch.Tensor, condition: torch.Tensor, factors: torch.Tensor, noise: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Reconstruction error and divergence of each row, the two parts of minus the evidence lower bound."""
        made, divergence = self(h, condition, factors, noise)
        spread = self.log_variance[..., None, :]
        return 0.5 * ((h - made).square() / spread.exp() + spread).sum(-1), divergence


class CVAE(LossTrainedGenerator):
    """Conditional VAE (Kingma & Welling 2014; Sohn, Lee & Yan 2015) with a learned output variance per component.

    The loss is the negative evidence lower bound, with the divergence weighted by ``beta`` and the output variance
    learned (Rybkin, Daniilidis & Levine 2021, section 4). Samples draw from the prior and add the output noise.
    """

    description = DESCRIPTION

    max_gradient_norm = 5.0

    def build(self, dim: int, conditions: int, tables: Tables) -> nn.Module:
        s = self.settings
        return Autoencoder(dim, conditions, s["latent"], s["width"], s["layers"])

    def loss(self, network: nn.Module, batch: Batch, random: Streams) -> Losses:
        """Reconstruction error and weighted divergence, which are minus the evidence lower bound where beta is 1."""
        noise = random.randn(batch[0].shape[-2], self.settings["latent"])
        error, divergence = network.bounds(*batch, noise)
        return {"reconstruction": error, "divergence": self.settings["beta"] * divergence}

    def signals(self, h, condition, factors, x) -> dict[str, torch.Tensor]:
        """Minus the reconstruction error and the evidence lower bound (Hilprecht et al. 2019, PoPETs 2019(4):232)."""
        noises = [
            torch.zeros(self.network.latent, device=self.device),
            *self.fixed_noise(ATTACK_NOISES, self.network.latent),
        ]
        parts = [self.network.bounds(h, condition, factors, noise.expand(len(h), -1)) for noise in noises]
        return {
            "reconstruction": -parts[0][0],
            "evidence": -torch.stack([error + divergence for error, divergence in parts[1:]]).mean(0),
        }

    def expected_rows(self, condition: torch.Tensor, factors: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        """Latent rows without the output noise, decoded from draws of the prior."""
        u = torch.randn(len(condition), self.network.latent, generator=random, device=self.device)
        return self.network.decode(u, self.network.embed(condition, factors))

    def draw(self, condition: torch.Tensor, factors: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        h = self.expected_rows(condition, factors, random)
        noise = torch.randn(h.shape, generator=random, device=self.device)
        return h + noise * (0.5 * self.network.log_variance).exp()
