"""Conditional variational autoencoder."""

from __future__ import annotations

import torch
from torch import nn

from ...base.checkpoint import Checkpoint
from ...engine.batches import Batches
from ...engine.network_generator import BANK, EARLY_STOPPING, NetworkGenerator, Seeds
from ...engine.networks import ConditionEmbedding, mlp
from ...engine.recording import always_alike
from ...engine.streams import Streams
from ...engine.training import Training, cosine
from ...space.latent import LATENT


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

    def bounds(
        self, h: torch.Tensor, condition: torch.Tensor, factors: torch.Tensor, noise: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Reconstruction error and divergence of each row, the two parts of minus the evidence lower bound."""
        context = self.embed(condition, factors)
        mean, log_variance = self.encode(h, context)
        made = self.decode(mean + noise * (0.5 * log_variance).exp(), context)
        spread = self.log_variance[..., None, :]
        error = 0.5 * ((h - made).square() / spread.exp() + spread).sum(-1)
        return error, 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(-1)


class CVAE(NetworkGenerator):
    """Conditional VAE (Kingma & Welling 2014; Sohn, Lee & Yan 2015) with a learned output variance per component.

    The loss is the negative evidence lower bound, with the divergence weighted by ``beta`` and the output variance
    learned (Rybkin, Daniilidis & Levine 2021, section 4). Samples draw from the prior and add the output noise.
    """

    name = "cvae"
    summary = "conditional variational autoencoder with learned output noise"
    reference = "Sohn, Lee & Yan 2015, NeurIPS; Rybkin et al. 2021, ICML"
    defaults = {
        **LATENT,
        "components": 32,
        "latent": 16,
        "width": 128,
        "layers": 2,
        "batch": 128,
        "steps": 1000,
        "passes": 400,
        "learning_rate": 1e-3,
        "weight_decay": 1e-4,
        "decay": 0.995,
        **EARLY_STOPPING,
        "beta": 1.0,
    }

    def build(self, dim: int, conditions: int) -> nn.Module:
        s = self.settings
        return Autoencoder(dim, conditions, s["latent"], s["width"], s["layers"])

    def loss_draws(self, n: int, random: Streams) -> tuple[torch.Tensor, ...]:
        return (random.randn(n, self.settings["latent"]),)

    def row_losses(self, network, h, condition, factors, *draws) -> torch.Tensor:
        error, divergence = network.bounds(h, condition, factors, *draws)
        return error + self.settings["beta"] * divergence

    def train(self, network: nn.Module, batches: Batches, seed: Seeds, checkpoint: Checkpoint | None) -> Training:
        s = self.settings
        optimiser = torch.optim.AdamW(
            network.parameters(), lr=s["learning_rate"], weight_decay=s["weight_decay"], fused=True
        )
        run = Training(
            {"autoencoder": network}, {"autoencoder": optimiser},
            averaged="autoencoder", decay=s["decay"], seed=seed, device=self.device, learning_rate=cosine,
        )  # fmt: skip

        def one_step() -> dict[str, torch.Tensor]:
            columns = batches.draw(run.random)
            draws = self.loss_draws(batches.size, run.random)
            error, divergence = (part.mean(-1) for part in network.bounds(*columns, *draws))
            run.descend("autoencoder", error + s["beta"] * divergence, clip=5.0)
            return {"reconstruction": error, "divergence": divergence}

        return run.run(
            one_step, self.length(batches), checkpoint, self.name, self.validation(batches, seed), kind=always_alike
        )

    def signals(self, h, condition, factors) -> dict[str, torch.Tensor]:
        """Minus the reconstruction error and the evidence lower bound (Hilprecht et al. 2019, PoPETs 2019(4):232)."""
        noises = [torch.zeros(self.network.latent, device=self.device), *self.bank(BANK, self.network.latent)]
        parts = [self.network.bounds(h, condition, factors, noise.expand(len(h), -1)) for noise in noises]
        return {
            "reconstruction": -parts[0][0],
            "evidence": -torch.stack([error + divergence for error, divergence in parts[1:]]).mean(0),
        }

    def draw(self, condition: torch.Tensor, factors: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        u = torch.randn(len(condition), self.network.latent, generator=random, device=self.device)
        h = self.network.decode(u, self.network.embed(condition, factors))
        noise = torch.randn(h.shape, generator=random, device=self.device)
        return h + noise * (0.5 * self.network.log_variance).exp()
