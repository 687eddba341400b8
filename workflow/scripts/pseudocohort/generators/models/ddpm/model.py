"""Conditional denoising diffusion, sampled by DDIM or ancestrally."""

from __future__ import annotations

import torch
from torch import nn

from ...base.checkpoint import Checkpoint
from ...base.device import autocast
from ...engine.batches import Batches
from ...engine.diffusion_schedule import Schedule
from ...engine.diffusion_signals import denoising_signals
from ...engine.network_generator import BANK, EARLY_STOPPING, NetworkGenerator, Seeds
from ...engine.networks import Denoiser
from ...engine.recording import always_alike
from ...engine.streams import Streams
from ...engine.training import Training, cosine
from ...space.latent import LATENT

#: Signal-to-noise ratio beyond which steps weigh no more (``weighting`` ``min_snr``).
SNR_CUT = 5.0


class DDPM(NetworkGenerator):
    """Denoising diffusion probabilistic model (Ho et al. 2020, simplified loss of eq. 14).

    The network predicts the noise, or the velocity (Salimans & Ho 2022, section 4), which stays well conditioned where
    nearly all signal is gone: there, an error in the noise is divided by sqrt(abar) and blows up under DDIM.

    Condition and level modulate every block (FiLM); the condition is dropped in a share of the rows, so that sampling
    can extrapolate from the unconditional prediction (classifier-free guidance, Ho & Salimans 2022, eq. 6;
    ``guidance`` 1 is the plain conditional model). ``sampler`` is ``ddim`` (Song, Meng & Ermon 2021) with
    ``sampling_steps`` steps and ``eta``, ``dpm`` (DPM-Solver++ of second order, Lu et al. 2022; 20 steps will do), or
    ``ancestral`` with all of them. ``weighting`` ``min_snr`` weighs the loss of a step by its signal-to-noise ratio
    cut at 5 (Hang et al. 2023).

    The preset ``paper`` has the hyper-parameters that Lacan et al. (2024; committed best values for TCGA) found by
    search: genes instead of components, quadratic schedule, noise prediction, 1,000 sampling steps, no bound on the
    passes but 15,000 epochs, mixed precision. Their two blocks of 4,096 hidden units have 63 million parameters, as
    ours have at 3,200.

    ``precision`` ``bfloat16`` is automatic mixed precision, with which networks as wide as those train three times as
    fast on a CPU with matrix instructions; narrow ones in a latent space gain nothing.
    """

    name = "ddpm"
    summary = "conditional denoising diffusion, DDIM sampling"
    reference = "Ho, Jain & Abbeel 2020, NeurIPS; Song, Meng & Ermon 2021, ICLR"
    defaults = {
        **LATENT,
        "width": 128,
        "blocks": 3,
        "batch": 128,
        "steps": 800,
        "passes": 400,
        "learning_rate": 1e-3,
        "weight_decay": 1e-3,
        "decay": 0.995,
        **EARLY_STOPPING,
        "schedule": "cosine",
        "prediction": "velocity",
        "diffusion_steps": 1000,
        "condition_dropout": 0.1,
        "guidance": 1.0,
        "sampler": "ddim",
        "sampling_steps": 50,
        "eta": 0.0,
        "weighting": "none",
        "precision": "float32",
    }
    presets = {
        "paper": {
            "components": 0,
            "width": 3200,
            "blocks": 2,
            "batch": 2048,
            "steps": 75_000,
            "passes": 15_000,
            "learning_rate": 1.416e-3,
            "weight_decay": 0.0,
            "decay": 0.999,
            "schedule": "quadratic",
            "prediction": "noise",
            "condition_dropout": 0.0,
            "sampling_steps": 1000,
            "precision": "bfloat16",
        }
    }
    on_genes = True

    def build(self, dim: int, conditions: int) -> nn.Module:
        return Denoiser(dim, conditions, self.settings["width"], self.settings["blocks"])

    def _schedule(self) -> Schedule:
        return Schedule.make(self.settings["schedule"], self.settings["diffusion_steps"], self.device)

    def loss_draws(self, n: int, random: Streams) -> tuple[torch.Tensor, ...]:
        return random.randint(self.settings["diffusion_steps"], n), random.randn(n, self.space.dim), random.rand(n)

    def row_losses(self, network, x0, condition, factors, t, noise, coin) -> torch.Tensor:
        s, schedule = self.settings, self._schedule()
        condition = torch.where(coin < s["condition_dropout"], len(self.conditions), condition)
        target = noise if s["prediction"] == "noise" else schedule.velocity(x0, noise, t)
        with autocast(s["precision"], self.device):
            made = network(schedule.add_noise(x0, noise, t), t, condition, factors)
        loss = (made - target).square().mean(-1)
        return loss * self.weight(schedule.signal_to_noise(t)).to(loss.dtype) if s["weighting"] == "min_snr" else loss

    def weight(self, snr: torch.Tensor) -> torch.Tensor:
        """Weight of steps with a signal-to-noise ratio `snr` (Hang et al. 2023, ICCV, eq. 8, gamma 5)."""
        return snr.clamp(max=SNR_CUT) / (snr if self.settings["prediction"] == "noise" else snr + 1)

    def train(self, network: nn.Module, batches: Batches, seed: Seeds, checkpoint: Checkpoint | None) -> Training:
        s = self.settings
        optimiser = torch.optim.AdamW(
            network.parameters(), lr=s["learning_rate"], weight_decay=s["weight_decay"], fused=True
        )
        run = Training(
            {"denoiser": network}, {"denoiser": optimiser},
            averaged="denoiser", decay=s["decay"], seed=seed, device=self.device, learning_rate=cosine,
        )  # fmt: skip

        def one_step() -> dict[str, torch.Tensor]:
            x0, condition, factors = batches.draw(run.random)
            draws = self.loss_draws(batches.size, run.random)
            loss = self.row_losses(network, x0, condition, factors, *draws).mean(-1)
            run.descend("denoiser", loss, clip=1.0)
            return {"denoising": loss}

        return run.run(
            one_step, self.length(batches), checkpoint, self.name, self.validation(batches, seed), kind=always_alike
        )

    def signals(self, h, condition, factors) -> dict[str, torch.Tensor]:
        """Denoising loss over a bank of noises and a grid of times, and the error of one deterministic step."""
        predict = self._noise_of(condition, factors, guidance=1.0)
        return denoising_signals(self._schedule(), predict, h, self.bank(BANK, h.shape[1]))

    def _noise_of(self, condition: torch.Tensor, factors: torch.Tensor, guidance: float):
        """The predicted noise as a function of x_t and t."""
        s, schedule = self.settings, self._schedule()
        none = torch.full_like(condition, len(self.conditions))

        def predict(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            with autocast(s["precision"], self.device):
                output = self.network(x, t, condition, factors).float()
                if guidance != 1.0:
                    free = self.network(x, t, none, factors).float()
                    output = free + guidance * (output - free)
            return output if s["prediction"] == "noise" else schedule.noise_of(x, output, t)

        return predict

    def draw(self, condition: torch.Tensor, factors: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        s, schedule = self.settings, self._schedule()
        predict = self._noise_of(condition, factors, s["guidance"])
        shape = (len(condition), self.space.dim)
        if s["sampler"] == "ancestral":
            return schedule.sample_ancestral(predict, shape, random)
        if s["sampler"] == "dpm":
            return schedule.sample_dpm(predict, shape, s["sampling_steps"], random)
        return schedule.sample_ddim(predict, shape, s["sampling_steps"], s["eta"], random)
