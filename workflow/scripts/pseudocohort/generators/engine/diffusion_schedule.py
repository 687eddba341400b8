"""Noise schedules and samplers of diffusion models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Self

import torch

Predict = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass
class Schedule:
    """q(x_t | x_0) = N(sqrt(abar_t) x_0, (1 - abar_t) I) for t = 0 .. T - 1 (Ho et al. 2020, eq. 4).

    Attributes
    ----------
    beta : Tensor (T,)
        Variances of the forward steps.
    abar : Tensor (T,)
        Products of 1 - beta, "alpha bar".
    """

    beta: torch.Tensor
    abar: torch.Tensor

    @classmethod
    @cache
    def make(cls, kind: str = "linear", steps: int = 1000, device: torch.device | str = "cpu") -> Self:
        """Schedule of `steps` steps, made once and shared.

        ``linear``: beta from 1e-4 to .02 (Ho et al. 2020, section 4); ``quadratic``: the square of a linear sqrt(beta)
        between the same ends (Song et al. 2021; Lacan et al. 2024); ``cosine``: Nichol & Dhariwal 2021, eq. 17.
        """
        t = torch.arange(steps, dtype=torch.float64)
        if kind == "cosine":

            def abar_of(u: torch.Tensor) -> torch.Tensor:
                return torch.cos((u + 0.008) / 1.008 * torch.pi / 2) ** 2

            beta = torch.clamp(1 - abar_of((t + 1) / steps) / abar_of(t / steps), max=0.999)
        else:
            low, high = 1e-4, 0.02
            share = t / max(steps - 1, 1)
            beta = low + (high - low) * share if kind == "linear" else (low**0.5 + (high**0.5 - low**0.5) * share) ** 2
        return cls(beta.to(device), torch.cumprod(1 - beta, 0).to(device))

    def add_noise(self, x0: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """x_t of each row (... × n × components) at its step `t` (... × n)."""
        signal, spread = self._shares(t, x0.dtype)
        return signal * x0 + spread * noise

    def velocity(self, x0: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """v = sqrt(abar) noise - sqrt(1 - abar) x_0 (Salimans & Ho 2022, appendix D)."""
        signal, spread = self._shares(t, x0.dtype)
        return signal * noise - spread * x0

    def noise_of(self, x: torch.Tensor, velocity: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Noise in x_t from the velocity: sqrt(abar) v + sqrt(1 - abar) x_t."""
        signal, spread = self._shares(t, x.dtype)
        return signal * velocity + spread * x

    def _shares(self, t: torch.Tensor, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
        """sqrt(abar) and sqrt(1 - abar) of each row's step (... × n × 1), rounded after the roots."""
        signal, spread = self._roots[:, t].to(dtype)[..., None]
        return signal, spread

    @cached_property
    def _roots(self) -> torch.Tensor:
        """sqrt(abar) and sqrt(1 - abar) (2 × T)."""
        return torch.stack([self.abar.sqrt(), (1 - self.abar).sqrt()])

    def ancestral_step(self, x: torch.Tensor, noise: torch.Tensor, t: int, fresh: torch.Tensor) -> torch.Tensor:
        """x_{t-1} from x_t and the predicted `noise` (Ho et al. 2020, algorithm 2; posterior variance of eq. 7)."""
        beta, abar = self.beta[t], self.abar[t]
        before = self.abar[t - 1] if t > 0 else torch.ones_like(abar)
        mean = (x - beta / (1 - abar).sqrt() * noise) / (1 - beta).sqrt()
        variance = beta * (1 - before) / (1 - abar)
        return (mean + variance.sqrt() * fresh if t > 0 else mean).to(x.dtype)

    def clean(self, x: torch.Tensor, noise: torch.Tensor, t: int) -> torch.Tensor:
        """x_0 from x_t and the `noise` in it."""
        return (x - (1 - self.abar[t]).sqrt() * noise) / self.abar[t].sqrt()

    def ddim_step(
        self, x: torch.Tensor, noise: torch.Tensor, t: int, to: int, eta: float = 0.0, fresh: torch.Tensor | None = None
    ) -> torch.Tensor:
        """x at step `to` (-1: clean) from x at step `t` (Song, Meng & Ermon 2021, eq. 12 and 16)."""
        abar = self.abar[t]
        target = self.abar[to] if to >= 0 else torch.ones_like(abar)
        sigma = eta * ((1 - target) / (1 - abar) * (1 - abar / target)).sqrt() if eta else 0.0
        mean = target.sqrt() * self.clean(x, noise, t) + (1 - target - sigma**2).clamp(min=0).sqrt() * noise
        return (mean if fresh is None else mean + sigma * fresh).to(x.dtype)

    def signal_to_noise(self, t: torch.Tensor) -> torch.Tensor:
        """abar / (1 - abar) of each step `t` (n,)."""
        return self.abar[t] / (1 - self.abar[t])

    def dpm_step(
        self, x: torch.Tensor, x0: torch.Tensor, before: torch.Tensor | None, t: int, to: int, last: int | None
    ) -> torch.Tensor:
        """x at step `to` from x at step `t` by DPM-Solver++(2M) (Lu et al. 2022, arXiv:2211.01095, algorithm 2).

        `x0` is the clean row predicted at `t`, `before` the one predicted at the step `last` before; without it, or on
        the way to the clean row (`to` -1), the step is of first order.
        """
        if to < 0:
            return x0

        def half_log_snr(step: int) -> torch.Tensor:
            return 0.5 * (self.abar[step].log() - (1 - self.abar[step]).log())

        h = half_log_snr(to) - half_log_snr(t)
        estimate = x0
        if before is not None and last is not None:
            ratio = (half_log_snr(t) - half_log_snr(last)) / h
            estimate = x0 + (x0 - before) / (2 * ratio)
        sigma = ((1 - self.abar[to]) / (1 - self.abar[t])).sqrt()
        return (sigma * x - self.abar[to].sqrt() * torch.expm1(-h) * estimate).to(x.dtype)

    def sample_dpm(self, predict: Predict, shape: tuple[int, int], steps: int, random: torch.Generator) -> torch.Tensor:
        """Rows drawn with `steps` evaluations of `predict` by DPM-Solver++(2M); deterministic given x_T."""
        device = self.beta.device
        x = torch.randn(shape, generator=random, device=device)
        times = self.ddim_times(steps)
        before, last = None, None
        for t, to in zip(times, [*times[1:], -1], strict=True):
            x0 = self.clean(x, predict(x, torch.full((len(x),), t, device=device)), t).to(x.dtype)
            x = self.dpm_step(x, x0, before, t, to, last)
            before, last = x0, t
        return x

    def ddim_times(self, steps: int) -> list[int]:
        """`steps` times, descending, evenly spaced with the last at T - 1 ("trailing")."""
        total = len(self.beta)
        return [round(total - i * total / steps) - 1 for i in range(steps)]

    def sample_ddim(
        self, predict: Predict, shape: tuple[int, int], steps: int, eta: float, random: torch.Generator
    ) -> torch.Tensor:
        """Rows drawn with `steps` evaluations of `predict` (x, t) -> noise; deterministic given x_T when `eta` is 0."""
        device = self.beta.device
        x = torch.randn(shape, generator=random, device=device)
        times = self.ddim_times(steps)
        for t, to in zip(times, [*times[1:], -1], strict=True):
            noise = predict(x, torch.full((len(x),), t, device=device))
            fresh = torch.randn(shape, generator=random, device=device) if eta > 0 else None
            x = self.ddim_step(x, noise, t, to, eta, fresh)
        return x

    def sample_ancestral(self, predict: Predict, shape: tuple[int, int], random: torch.Generator) -> torch.Tensor:
        """Rows drawn by all T steps of Ho et al. 2020, algorithm 2."""
        device = self.beta.device
        x = torch.randn(shape, generator=random, device=device)
        for t in range(len(self.beta) - 1, -1, -1):
            noise = predict(x, torch.full((len(x),), t, device=device))
            x = self.ancestral_step(x, noise, t, torch.randn(shape, generator=random, device=device))
        return x
