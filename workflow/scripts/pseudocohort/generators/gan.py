"""Conditional GAN with the non-saturating loss."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import softplus

from .checkpoint import Checkpoint
from .network_generator import Batches, NetworkGenerator
from .networks import ProjectionCritic, Synthesiser
from .training import Training, number_of_steps


class GAN(NetworkGenerator):
    """Generator and discriminator trained against each other (Goodfellow et al. 2014, section 3).

    The generator maximises log D(G(z)), the non-saturating form of that section; the discriminator sees the condition
    as a projection and is regularised by R1 (Mescheder et al. 2018, eq. 9) every ``r1_every`` steps.
    """

    name = "gan"
    summary = "conditional GAN, non-saturating loss"
    reference = "Goodfellow et al. 2014, NeurIPS"
    defaults = {
        "components": 64,
        "noise": 64,
        "width": 128,
        "layers": 2,
        "batch": 64,
        "steps": 1500,
        "passes": 300,
        "learning_rate": 1e-3,
        "r1": 5.0,
        "r1_every": 4,
        "decay": 0.995,
    }

    def build(self, dim: int, conditions: int) -> nn.Module:
        s = self.settings
        return Synthesiser(s["noise"], dim, conditions, s["width"], s["layers"])

    def train(self, network: nn.Module, batches: Batches, seed: int, checkpoint: Checkpoint | None) -> nn.Module:
        s = self.settings
        critic = ProjectionCritic(self.space.dim, len(self.conditions), s["width"], s["layers"]).to(self.device)
        optimisers = {
            name: torch.optim.Adam(module.parameters(), lr=s["learning_rate"], betas=(0.0, 0.99), fused=True)
            for name, module in (("generator", network), ("critic", critic))
        }
        run = Training(
            {"generator": network, "critic": critic}, optimisers,
            averaged="generator", decay=s["decay"], seed=seed, device=self.device,
        )  # fmt: skip

        def noise(n: int) -> torch.Tensor:
            return torch.randn(n, s["noise"], generator=run.random, device=self.device)

        def one_step() -> dict[str, torch.Tensor]:
            real, condition, factors = batches.draw(run.random)
            with torch.no_grad():
                fake = network(noise(len(real)), condition, factors)
            penalised = s["r1"] > 0 and run.step % s["r1_every"] == 0
            real.requires_grad_(penalised)
            on_real = critic(real, condition, factors)
            loss = softplus(-on_real).mean() + softplus(critic(fake, condition, factors)).mean()
            total = loss
            if penalised:
                (slope,) = torch.autograd.grad(on_real.sum(), real, create_graph=True)
                total = loss + s["r1_every"] * s["r1"] / 2 * (slope**2).sum(1).mean()
            optimisers["critic"].zero_grad()
            total.backward()
            optimisers["critic"].step()
            # Half the generator's conditions are those of the batch just seen, in another order.
            _, condition, factors = batches.draw(run.random)
            score = critic(network(noise(len(condition)), condition, factors), condition, factors)
            generator_loss = softplus(-score).mean()
            optimisers["generator"].zero_grad()
            generator_loss.backward()
            optimisers["generator"].step()
            return {"discriminator": loss, "generator": generator_loss}

        steps = number_of_steps(s["steps"], s["passes"], len(batches.h), batches.size)
        self.history = run.run(one_step, steps, checkpoint, self.name)
        return run.average

    def draw(self, condition: torch.Tensor, factors: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        z = torch.randn(len(condition), self.settings["noise"], generator=random, device=self.device)
        return self.network(z, condition, factors)
