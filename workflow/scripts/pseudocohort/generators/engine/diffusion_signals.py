"""White-box attacks on a denoiser: what it knows of a row shows in how well it takes noise off it."""

from __future__ import annotations

import torch

from .diffusion_schedule import Predict, Schedule

#: Times (shares of all steps) of the loss: members differ most where little noise was added.
TIMES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
#: Time up to which rows are noised without randomness, and in how many steps.
STEP_TIME, STEPS = 0.1, 10


def denoising_loss(schedule: Schedule, predict: Predict, x0: torch.Tensor, noises: torch.Tensor) -> torch.Tensor:
    """Mean squared error of the noise over `noises` (noises × components) and :data:`TIMES`, for each row of `x0`."""
    total = torch.zeros(len(x0), dtype=x0.dtype, device=x0.device)
    for share in TIMES:
        t = torch.full((len(x0),), int(share * len(schedule.beta)), device=x0.device)
        for noise in noises:
            noise = noise.expand_as(x0)
            total += (predict(schedule.add_noise(x0, noise, t), t) - noise).square().mean(1)
    return total / (len(TIMES) * len(noises))


def step_error(schedule: Schedule, predict: Predict, x0: torch.Tensor) -> torch.Tensor:
    """Squared error (n,) of a deterministic step forward and back, after noising without randomness.

    The t-error of SecMI (Duan et al. 2023, ICML, eq. 9) with DDIM steps (Song, Meng & Ermon 2021, eq. 12).
    """
    last = int(STEP_TIME * len(schedule.beta))
    times = [max(0, round(i * last / STEPS)) for i in range(STEPS + 2)]
    x = x0

    def move(x: torch.Tensor, start: int, end: int) -> torch.Tensor:
        return schedule.ddim_step(x, predict(x, torch.full((len(x),), start, device=x.device)), start, end)

    for start, end in zip(times[:-2], times[1:-1], strict=True):
        x = move(x, start, end)
    there = move(x, times[-2], times[-1])
    return (move(there, times[-1], times[-2]) - x).square().sum(1)


def denoising_signals(
    schedule: Schedule, predict: Predict, x0: torch.Tensor, noises: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Minus the loss over fixed noises (Matsumoto et al. 2023; Carlini et al. 2023) and minus SecMI's error (n,)."""
    return {
        "denoising": -denoising_loss(schedule, predict, x0, noises),
        "step": -step_error(schedule, predict, x0),
    }
