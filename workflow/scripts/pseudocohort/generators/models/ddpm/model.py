"""Conditional denoising diffusion, sampled by DDIM or ancestrally."""

from __future__ import annotations

import torch
from torch import nn

from ...base.device import autocast
from ...engine.diffusion_schedule import Predict, Schedule
from ...engine.diffusion_signals import denoising_signals
from ...engine.loss_trained import Batch, LossTrainedGenerator
from ...engine.network_generator import ATTACK_NOISES, Tables
from ...engine.networks import Denoiser
from ...engine.streams import Streams
from ...engine.training import Losses
from . import DDPM as DESCRIPTION

#: Signal-to-noise ratio beyond which steps weigh no more (``weighting`` ``min_snr``).
SNR_CUT = 5.0


class DDPM(LossTrainedGenerator):
    """Denoising diffusion probabilistic model (Ho et al. 2020, simplified loss of eq. 14).

    The network predicts the noise, or the velocity (Salimans & Ho 2022, section 4), which stays well conditioned where
    nearly all signal is gone: there, an error in the noise is divided by sqrt(abar) and blows up under DDIM.

    Condition and level modulate every block (FiLM); the condition is dropped in a share of the rows, so that sampling
    can extrapolate from the unconditional prediction (classifier-free guidance, Ho & Salimans 2022, eq. 6;
    ``guidance`` 1 is the plain conditional model). Samplers: DDIM (Song, Meng & Ermon 2021), DPM-Solver++ of second
    order (Lu et al. 2022), ancestral (Ho et al. 2020). ``precision`` ``bfloat16`` is automatic mixed precision, from
    which wide networks on the genes gain, and narrow ones in a latent space nothing.
    """

    description = DESCRIPTION

    def build(self, dim: int, conditions: int, tables: Tables) -> nn.Module:
        return Denoiser(dim, conditions, self.settings["width"], self.settings["blocks"])

    def _schedule(self) -> Schedule:
        return Schedule.make(self.settings["schedule"], self.settings["diffusion_steps"], self.device)

    def loss(self, network: nn.Module, batch: Batch, random: Streams) -> Losses:
        """Squared error of the predicted noise, or velocity, at a random step of each row."""
        draws = self.loss_draws(batch[0].shape[-2], random)
        return {"denoising": self.row_losses(network, *batch, *draws)}

    def loss_draws(self, n: int, random: Streams) -> tuple[torch.Tensor, ...]:
        """Step and noise of n rows, and the coin that drops their condition."""
        return random.randint(self.settings["diffusion_steps"], n), random.randn(n, self.space.dim), random.rand(n)

    def row_losses(self, network, x0, condition, factors, t, noise, coin) -> torch.Tensor:
        """Losses of rows, given what they draw."""
        s, schedule = self.settings, self._schedule()
        condition = torch.where(coin < s["condition_dropout"], len(self.conditions), condition)
        target = noise if s["prediction"] == "noise" else schedule.velocity(x0, noise, t)
        with autocast(s["precision"], self.device):
            made = network(schedule.add_noise(x0, noise, t), t, condition, factors)
        loss = (made - target).square().mean(-1)
        if s["weighting"] == "min_snr":
            loss = loss * self.weight(schedule.signal_to_noise(t)).to(loss.dtype)
        return loss

    def weight(self, snr: torch.Tensor) -> torch.Tensor:
        """Weight of steps with a signal-to-noise ratio `snr` (Hang et al. 2023, ICCV, eq. 8, gamma 5)."""
        return snr.clamp(max=SNR_CUT) / (snr if self.settings["prediction"] == "noise" else snr + 1)

    def signals(self, h, condition, factors, x) -> dict[str, torch.Tensor]:
        """Denoising loss over fixed noises and a grid of times, and the error of one deterministic step."""
        predict = self._noise_of(condition, factors, guidance=1.0)
        return denoising_signals(self._schedule(), predict, h, self.fixed_noise(ATTACK_NOISES, h.shape[1]))

    def _noise_of(self, condition: torch.Tensor, factors: torch.Tensor, guidance: float) -> Predict:
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
        shape, steps = (len(condition), self.space.dim), s["sampling_steps"]
        if s["sampler"] == "ancestral":
            return schedule.sample_ancestral(predict, shape, random)
        if s["sampler"] == "dpm":
            return schedule.sample_dpm(predict, shape, steps, random)
        return schedule.sample_ddim(predict, shape, steps, s["eta"], random)
