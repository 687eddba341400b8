"""Conditional Wasserstein GAN with gradient penalty."""

from __future__ import annotations

import torch
from torch import nn

from ...engine.streams import Streams
from ...space.latent import LATENT
from .shared import AdversarialGenerator, Duel, Losses, squared_slope


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

    name = "wgan_gp"
    summary = "conditional Wasserstein GAN with gradient penalty"
    reference = "Gulrajani et al. 2017, NeurIPS; Lacan, Sebag & Hanczar 2023, Bioinformatics 39:i111"
    betas = (0.0, 0.9)
    batches_per_step = "critic_steps"
    defaults = {
        **LATENT,
        "components": 32,
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
        "optimiser": "adam",
        "critic_width": 0,
        "critic_learning_rate": 0.0,
        "moments": True,
    }
    presets = {
        "paper": {
            "components": 0,
            "moments": False,
            "noise": 32,
            "width": [256, 1024, 8192],
            "critic_width": [4096, 128],
            "steps": 200_000,
            "passes": 1000,
            "learning_rate": 2.8e-4,
            "critic_learning_rate": 1.2e-4,
            "optimiser": "rmsprop",
        }
    }

    def round(self, duel: Duel) -> Losses:
        s = self.settings
        for _ in range(s["critic_steps"]):
            real, condition, factors = duel.real()
            with torch.no_grad():
                fake = duel.fake(condition, factors)
            on_real, on_fake = duel.scores(real, fake, condition, factors)
            distance = on_real.mean(-1) - on_fake.mean(-1)
            penalty = gradient_penalty(duel.critic, real, fake, condition, factors, duel.run.random)
            duel.run.descend("critic", s["penalty"] * penalty - distance)
        loss = -duel.score_of_fake().mean(-1)
        duel.run.descend("generator", loss)
        return {"distance": distance, "penalty": penalty, "generator": loss}
