"""Conditional Wasserstein GAN with gradient penalty."""

from __future__ import annotations

import torch
from torch import nn

from .checkpoint import Checkpoint
from .network_generator import Batches, NetworkGenerator
from .networks import ProjectionCritic, Synthesiser
from .training import Training, number_of_steps


def gradient_penalty(
    critic: nn.Module,
    real: torch.Tensor,
    fake: torch.Tensor,
    condition: torch.Tensor,
    factors: torch.Tensor,
    random: torch.Generator,
) -> torch.Tensor:
    """Mean of (|grad f(x)| - 1)², x uniform between real and fake rows (Gulrajani et al. 2017, algorithm 1)."""
    share = torch.rand(len(real), 1, generator=random, device=real.device)
    between = (share * real + (1 - share) * fake).requires_grad_(True)
    (slope,) = torch.autograd.grad(critic(between, condition, factors).sum(), between, create_graph=True)
    return ((slope.square().sum(1) + 1e-12).sqrt() - 1).square().mean()


class WGANGP(NetworkGenerator):
    """WGAN-GP conditioned on condition and level, as for expression data in Lacan, Sebag & Hanczar 2023.

    ``critic_steps`` critic steps per generator step, penalty ``penalty`` (Gulrajani et al. 2017, algorithm 1),
    critic with projection, averaged generator.
    """

    name = "wgan_gp"
    summary = "conditional Wasserstein GAN with gradient penalty"
    reference = "Gulrajani et al. 2017, NeurIPS; Lacan, Sebag & Hanczar 2023, Bioinformatics 39:i111"
    defaults = {
        "components": 64,
        "noise": 64,
        "width": 128,
        "layers": 2,
        "batch": 64,
        "steps": 400,
        "passes": 1000,
        "critic_steps": 5,
        "penalty": 10.0,
        "learning_rate": 1e-3,
        "decay": 0.99,
    }

    def build(self, dim: int, conditions: int) -> nn.Module:
        s = self.settings
        return Synthesiser(s["noise"], dim, conditions, s["width"], s["layers"])

    def train(self, network: nn.Module, batches: Batches, seed: int, checkpoint: Checkpoint | None) -> nn.Module:
        s = self.settings
        critic = ProjectionCritic(self.space.dim, len(self.conditions), s["width"], s["layers"]).to(self.device)
        optimisers = {
            name: torch.optim.Adam(module.parameters(), lr=s["learning_rate"], betas=(0.0, 0.9), fused=True)
            for name, module in (("generator", network), ("critic", critic))
        }
        run = Training(
            {"generator": network, "critic": critic}, optimisers,
            averaged="generator", decay=s["decay"], seed=seed, device=self.device,
        )  # fmt: skip

        def noise(n: int) -> torch.Tensor:
            return torch.randn(n, s["noise"], generator=run.random, device=self.device)

        def one_step() -> dict[str, torch.Tensor]:
            for _ in range(s["critic_steps"]):
                real, condition, factors = batches.draw(run.random)
                with torch.no_grad():
                    fake = network(noise(len(real)), condition, factors)
                distance = critic(real, condition, factors).mean() - critic(fake, condition, factors).mean()
                penalty = gradient_penalty(critic, real, fake, condition, factors, run.random)
                optimisers["critic"].zero_grad()
                (s["penalty"] * penalty - distance).backward()
                optimisers["critic"].step()
            _, condition, factors = batches.draw(run.random)
            loss = -critic(network(noise(len(condition)), condition, factors), condition, factors).mean()
            optimisers["generator"].zero_grad()
            loss.backward()
            optimisers["generator"].step()
            return {"distance": distance, "penalty": penalty, "generator": loss}

        steps = number_of_steps(s["steps"], s["passes"] // s["critic_steps"], len(batches.h), batches.size)
        self.history = run.run(one_step, steps, checkpoint, self.name)
        return run.average

    def draw(self, condition: torch.Tensor, factors: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        z = torch.randn(len(condition), self.settings["noise"], generator=random, device=self.device)
        return self.network(z, condition, factors)
