"""Gradient descent with differential privacy of donors (DP-SGD; Abadi et al. 2016, CCS, algorithm 1)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, grad, vmap

from .noise import NoiseStream

#: Examples whose gradients are held at a time.
CHUNK = 64

Rule = Callable[..., torch.Tensor]


class DonorBatches:
    """Latent rows by donor, drawn by Poisson sampling: a donor enters a batch by its own coin, with probability `rate`.

    Of a donor with several profiles one is drawn, so that a donor has one gradient in a step, however many profiles.
    Latent rows (n × components) come with condition numbers (n,), level factors (n × 3) and donors (n,).
    """

    def __init__(self, h, condition, factors, donor, rate: float, device: torch.device) -> None:
        _, number = np.unique(donor, return_inverse=True)
        order = np.argsort(number, kind="stable")
        self.h = torch.as_tensor(np.asarray(h)[order], device=device)
        self.condition = torch.as_tensor(np.asarray(condition)[order], device=device)
        self.factors = torch.as_tensor(np.asarray(factors)[order], device=device)
        count = np.bincount(number)
        self.count = torch.as_tensor(count, device=device)
        self.start = torch.as_tensor(np.concatenate([[0], np.cumsum(count)[:-1]]), device=device)
        self.rate, self.device = rate, device

    def draw(self, secret: NoiseStream) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Rows, conditions and level factors of one batch, of varying size, perhaps none.

        Who is in it must stay as secret as the noise: sampling is part of the mechanism.
        """
        # Both draws are as long as the list of donors, whoever is chosen.
        coin, which = torch.as_tensor(secret.uniform(2, len(self.count)), device=self.device)
        row = self.start + torch.minimum((which * self.count).long(), self.count - 1)
        rows = row[coin < self.rate]
        return self.h[rows], self.condition[rows], self.factors[rows]


class _Loss(nn.Module):
    """A rule ``(network, *inputs) -> losses (k,)`` as a module whose parameters are the network's."""

    def __init__(self, network: nn.Module, rule: Rule) -> None:
        super().__init__()
        self.network, self.rule = network, rule

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.rule(self.network, *inputs).mean()


def per_example_gradients(network: nn.Module, rule: Rule, *inputs: torch.Tensor) -> dict[str, torch.Tensor]:
    """Gradient of each example's loss: parameter name -> gradients (n × shape of the parameter).

    ``rule(network, *inputs)`` gives the losses (k,) of one example's k rows, whose mean is differentiated; `inputs`
    (n × k × ...) are those of n examples.
    """
    loss = _Loss(network, rule)
    parameters = {k: v.detach() for k, v in loss.named_parameters()}
    buffers = {k: v.detach() for k, v in loss.named_buffers()}

    def of_one(weights: dict[str, torch.Tensor], *one: torch.Tensor) -> torch.Tensor:
        return functional_call(loss, (weights, buffers), one)

    gradients = vmap(grad(of_one), in_dims=(None, *[0] * len(inputs)))(parameters, *inputs)
    return {k.removeprefix("network."): v for k, v in gradients.items()}


def clipped_sum(gradients: dict[str, torch.Tensor], max_norm: float) -> dict[str, torch.Tensor]:
    """Sum over examples of the gradients, each cut to an L2 norm, over all parameters, of at most `max_norm`."""
    norm = torch.stack([g.flatten(1).square().sum(1) for g in gradients.values()]).sum(0).sqrt()
    # A gradient that is not finite has no direction and adds nothing.
    factor = torch.where(norm.isfinite(), (max_norm / norm.clamp(min=1e-12)).clamp(max=1.0), 0.0)
    return {k: torch.einsum("n,n...->...", factor, torch.nan_to_num(g)) for k, g in gradients.items()}


def private_gradient(
    network: nn.Module,
    rule: Rule,
    inputs: tuple[torch.Tensor, ...],
    *,
    max_norm: float,
    noise_multiplier: float,
    expected: float,
    secret: NoiseStream,
) -> None:
    """Set the gradients of `network`: clipped per-example gradients, summed, noised, over the expected batch size.

    Parameters
    ----------
    network, rule, inputs
        See :func:`per_example_gradients`; there may be no example.
    max_norm : float
        Most that one example adds.
    noise_multiplier : float
        Standard deviation of the noise of each parameter, over `max_norm`; 0: noise off.
    expected : float
        Expected number of examples, which unlike their number says nothing of who is among them.
    """
    total = {k: torch.zeros_like(v) for k, v in network.named_parameters()}
    for start in range(0, len(inputs[0]), CHUNK):
        part = [x[start : start + CHUNK] for x in inputs]
        for key, value in clipped_sum(per_example_gradients(network, rule, *part), max_norm).items():
            total[key] += value
    for key, parameter in network.named_parameters():
        if noise_multiplier > 0:
            noised = secret.added(total[key].double().cpu().numpy(), noise_multiplier * max_norm)
            total[key] = torch.as_tensor(noised).to(parameter)
        parameter.grad = total[key] / expected
