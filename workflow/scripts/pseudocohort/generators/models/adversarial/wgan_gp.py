"""Conditional Wasserstein GAN with gradient penalty."""

from __future__ import annotations

import torch
from torch import nn

from ...engine.streams import Streams
from . import WGAN_GP
from .training import AdversarialGenerator, AdversarialStep, Losses, squared_slope


def gradient_penalty(
    critic: nn.Module,
    real: torch.Tensor,
    fake: torch.Tensor,
    condition: torch.Tensor,
    factors: torch.Tensor,
    random: Streams,
) -> torch.Tensor:
    """Mean of (|grad f(x)| - 1)², x uniform between real and fake rows (Gulrajani et al. 2017, algorithm 1)."""
    share = random.rand(real.shape[-2], 1)
    slope = squared_slope(critic, share * real + (1 - share) * fake, condition, factors)
    return ((slope + 1e-12).sqrt() - 1).square().mean(-1)


class WGANGP(AdversarialGenerator):
    """WGAN-GP conditioned on condition and level, as for expression data in Lacan, Sebag & Hanczar 2023.

    ``critic_steps`` critic steps per generator step, penalty ``penalty`` (Gulrajani et al. 2017, algorithm 1),
    critic with projection, averaged generator. The preset ``paper`` has the hyper-parameters that Lacan et al. (2024;
    committed best values for TCGA) found by search: genes instead of components, RMSprop, a far wider generator.
    """

    description = WGAN_GP

    betas = (0.0, 0.9)
    batches_per_step = "critic_steps"

    def step(self, adversaries: AdversarialStep) -> Losses:
        s, run, critic = self.settings, adversaries.run, adversaries.critic
        for _ in range(s["critic_steps"]):
            real, condition, factors = adversaries.real()
            with torch.no_grad():
                fake = adversaries.fake(condition, factors)
            on_real, on_fake = adversaries.scores(real, fake, condition, factors)
            distance = on_real.mean(-1) - on_fake.mean(-1)
            penalty = gradient_penalty(critic, real, fake, condition, factors, run.random)
            run.optimizer_step("critic", s["penalty"] * penalty - distance)
        loss = -adversaries.score_of_fake().mean(-1)
        run.optimizer_step("generator", loss)
        return {"distance": distance, "penalty": penalty, "generator": loss}
