"""Conditional Wasserstein GAN with gradient penalty."""

from __future__ import annotations

import torch

from ...engine.batches import Batches
from ...engine.training import Losses, Training
from . import WGAN_GP
from .training import AdversarialGenerator, scores, squared_slope


class WGANGP(AdversarialGenerator):
    """WGAN-GP conditioned on condition and level, as for expression data in Lacan, Sebag & Hanczar 2023.

    The critic's score is high on real rows. In each of its ``critic_steps`` steps its gradient is pulled towards length
    1, by ``penalty``, at rows uniform between real and generated ones (Gulrajani et al. 2017, algorithm 1).
    """

    description = WGAN_GP

    betas = (0.0, 0.9)

    def step(self, run: Training, batches: Batches) -> Losses:
        s, critic = self.settings, run.modules["critic"]
        for _ in range(s["critic_steps"]):
            with torch.no_grad():
                real, fake, condition, factors = self.batch(run, batches)
            on_real, on_fake = scores(critic, real, fake, condition, factors)
            distance = on_real.mean(-1) - on_fake.mean(-1)
            share = run.random.rand(batches.size, 1)
            slope = squared_slope(critic, share * real + (1 - share) * fake, condition, factors)
            penalty = ((slope + 1e-12).sqrt() - 1).square().mean(-1)
            run.optimizer_step("critic", s["penalty"] * penalty - distance)
        loss = -self.score_of_fake(run, batches).mean(-1)
        run.optimizer_step("generator", loss)
        return {"distance": distance, "penalty": penalty, "generator": loss}
