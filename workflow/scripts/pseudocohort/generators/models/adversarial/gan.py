"""Conditional GAN with the non-saturating loss."""

from __future__ import annotations

import torch
from torch.nn.functional import softplus

from ...engine.batches import Batches
from ...engine.training import Losses, Training
from . import GAN as DESCRIPTION
from .training import AdversarialGenerator, scores, squared_slope


class GAN(AdversarialGenerator):
    """Generator and discriminator trained against each other (Goodfellow et al. 2014, section 3).

    The generator maximises log D(G(z)), the non-saturating form of that section; the discriminator sees the condition
    as a projection and is regularised by R1 (Mescheder et al. 2018, eq. 9) every ``r1_every`` steps.
    """

    description = DESCRIPTION

    betas = (0.0, 0.99)

    def penalised(self, step: int) -> bool:
        return self.settings["r1"] > 0 and step % self.settings["r1_every"] == 0

    def step(self, run: Training, batches: Batches) -> Losses:
        s, critic = self.settings, run.modules["critic"]
        with torch.no_grad():
            real, fake, condition, factors = self.batch(run, batches)
        on_real, on_fake = scores(critic, real, fake, condition, factors)
        total = loss = softplus(-on_real).mean(-1) + softplus(on_fake).mean(-1)
        if self.penalised(run.step):
            total = loss + s["r1_every"] * s["r1"] / 2 * squared_slope(critic, real, condition, factors).mean(-1)
        run.optimizer_step("critic", total)
        generator_loss = softplus(-self.score_of_fake(run, batches)).mean(-1)
        run.optimizer_step("generator", generator_loss)
        return {"discriminator": loss, "generator": generator_loss}
