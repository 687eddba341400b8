"""Conditional GAN with the non-saturating loss."""

from __future__ import annotations

import torch
from torch.nn.functional import softplus

from ...space.latent import LATENT
from .shared import AdversarialGenerator, Duel, Losses, squared_slope


class GAN(AdversarialGenerator):
    """Generator and discriminator trained against each other (Goodfellow et al. 2014, section 3).

    The generator maximises log D(G(z)), the non-saturating form of that section; the discriminator sees the condition
    as a projection and is regularised by R1 (Mescheder et al. 2018, eq. 9) every ``r1_every`` steps.
    """

    name = "gan"
    summary = "conditional GAN, non-saturating loss"
    reference = "Goodfellow et al. 2014, NeurIPS"
    betas = (0.0, 0.99)
    defaults = {
        **LATENT,
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
        "moments": True,
    }

    def penalised(self, step: int) -> bool:
        return self.settings["r1"] > 0 and step % self.settings["r1_every"] == 0

    def round(self, duel: Duel) -> Losses:
        s = self.settings
        real, condition, factors = duel.real()
        with torch.no_grad():
            fake = duel.fake(condition, factors)
        on_real, on_fake = duel.scores(real, fake, condition, factors)
        total = loss = softplus(-on_real).mean(-1) + softplus(on_fake).mean(-1)
        if self.penalised(duel.run.step):
            total = loss + s["r1_every"] * s["r1"] / 2 * squared_slope(duel.critic, real, condition, factors).mean(-1)
        duel.run.descend("critic", total)
        generator_loss = softplus(-duel.score_of_fake()).mean(-1)
        duel.run.descend("generator", generator_loss)
        return {"discriminator": loss, "generator": generator_loss}
