"""Residual latent flow: the class Gaussian, and what flow matching learns beyond it."""

from __future__ import annotations

from itertools import pairwise

import anndata as ad
import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import nn

from ...engine.loss_trained import Batch, LossTrainedGenerator
from ...engine.network_generator import ATTACK_NOISES, Inputs, Tables
from ...engine.networks import Denoiser
from ...engine.streams import Streams
from ...engine.training import Losses
from ...space.covariance import class_roots
from . import FLOW

#: Time is given to the network on the scale of diffusion steps.
TIME_SCALE = 1000.0
#: Times at which the matching loss of a candidate is taken.
TIMES = (0.1, 0.3, 0.5, 0.7, 0.9)


class Velocity(Denoiser):
    """Network of the velocity, and the class Gaussians that the path starts from."""

    def __init__(self, dim: int, conditions: int, width: int, blocks: int, root: np.ndarray | None = None) -> None:
        super().__init__(dim, conditions, width, blocks)
        # Square roots of the class covariances; a buffer, so that they are stored with the weights.
        start = torch.eye(dim).repeat(conditions, 1, 1) if root is None else torch.as_tensor(root, dtype=torch.float32)
        self.register_buffer("root", start)

    def start(self, condition: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Draws (... × n × dim) of the Gaussians of conditions (... × n), from standard normal `noise`."""
        # Each row's draw of every Gaussian is less to hold than a square root for each row.
        draws = (noise @ self.root.flatten(-3, -2).mT).unflatten(-1, self.root.shape[-3:-1])
        return torch.gather(draws, -2, _along(condition[..., None], draws)).squeeze(-2)


class Flow(LossTrainedGenerator):
    """Conditional flow matching (Lipman et al. 2023, eq. 21-23) that starts at the class Gaussian.

    The path from a draw x_0 of the class Gaussian to a training row x_1 is the straight line; the network predicts its
    velocity x_1 - x_0. Rows and draws of one condition are paired by optimal transport within the batch (Tong et al.
    2024, TMLR), so that the velocity is small where the Gaussian is right. The last layer starts at zero: an untrained
    flow is the Gaussian itself, and with few profiles (hence few steps) it stays near it.
    """

    description = FLOW

    recordable = False

    def inputs(self, profiles: ad.AnnData, h: np.ndarray, condition: np.ndarray) -> Inputs:
        """Square roots of the class covariances of the rows, Ledoit-Wolf, shrunk to the pooled one by class size."""
        classes = [condition == c for c in range(len(self.conditions))]
        return Inputs(tables={"root": class_roots(h.astype(np.float64), classes)})

    def build(self, dim: int, conditions: int, tables: Tables) -> nn.Module:
        return Velocity(dim, conditions, self.settings["width"], self.settings["blocks"], **tables)

    def loss(self, network: nn.Module, batch: Batch, random: Streams) -> Losses:
        """Squared error of the velocity at a random time of the path between a row and its draw of the Gaussian."""
        x1, condition, factors = batch
        noise, t = self.loss_draws(x1.shape[-2], random)
        x0 = network.start(condition, noise)
        x0 = torch.gather(x0, -2, _along(pairing(x0, x1, condition), x0))
        return {"matching": self.row_losses(network, x1, condition, factors, x0, t)}

    def validation_loss(self, network: nn.Module, batch: Batch, random: Streams) -> Losses:
        """The same of rows and draws that are paired at random: they are too few for pairs that say anything."""
        x1, condition, factors = batch
        noise, t = self.loss_draws(x1.shape[-2], random)
        return {"matching": self.row_losses(network, x1, condition, factors, network.start(condition, noise), t)}

    def loss_draws(self, n: int, random: Streams) -> tuple[torch.Tensor, ...]:
        """Noise and time of n rows."""
        return random.randn(n, self.space.dim), random.rand(n)

    def row_losses(self, network, x1, condition, factors, x0, t) -> torch.Tensor:
        """Losses of rows, given what they draw."""
        x = x0 + t[..., None] * (x1 - x0)
        return (network(x, TIME_SCALE * t, condition, factors) - (x1 - x0)).square().mean(-1)

    def signals(self, h, condition, factors, x) -> dict[str, torch.Tensor]:
        """Minus the matching loss over fixed starts, at five times."""
        total = torch.zeros(len(h), device=self.device)
        for noise in self.fixed_noise(ATTACK_NOISES, h.shape[1]):
            start = self.network.start(condition, noise.expand(len(h), -1))
            for share in TIMES:
                t = torch.full((len(h),), share, device=self.device)
                total += self.row_losses(self.network, h, condition, factors, start, t)
        return {"matching": -total / (ATTACK_NOISES * len(TIMES))}

    def draw(self, condition: torch.Tensor, factors: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        x = self.network.start(
            condition, torch.randn(len(condition), self.space.dim, generator=random, device=self.device)
        )
        steps = self.settings["sampling_steps"]
        for i in range(steps):  # Heun's second-order method
            now, then = (torch.full((len(x),), TIME_SCALE * k / steps, device=self.device) for k in (i, i + 1))
            slope = self.network(x, now, condition, factors)
            end = self.network(x + slope / steps, then, condition, factors)
            x = x + 0.5 * (slope + end) / steps
        return x


def pairing(x0: torch.Tensor, x1: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
    """Order of the rows of `x0` that minimises the sum of squared distances to `x1`, within each condition.

    Both are (... × n × components), and conditions (... × n) are those of the rows of both. The result (... × n) is for
    each row of `x1` the number of its row of `x0`.
    """
    by_condition = condition.argsort(dim=-1, stable=True)
    one, other = (torch.gather(x, -2, _along(by_condition, x)) for x in (x1, x0))
    n = condition.shape[-1]
    cost = torch.cdist(one, other).square().reshape(-1, n, n).cpu().numpy()
    kind = torch.gather(condition, -1, by_condition).reshape(-1, n).cpu().numpy()
    # All batches as one list of rows; a run of it is a condition of a batch.
    ends = np.append(kind[:, 1:] != kind[:, :-1], np.ones((len(kind), 1), dtype=bool), axis=1)
    bounds = [0, *(np.flatnonzero(ends) + 1).tolist()]
    partner = np.empty(ends.size, dtype=np.int64)
    for a, b in pairwise(bounds):
        first = a % n
        last = first + b - a
        partner[a:b] = linear_sum_assignment(cost[a // n, first:last, first:last])[1] + first
    partner = torch.as_tensor(partner, device=x0.device).reshape(condition.shape)
    return torch.empty_like(by_condition).scatter_(-1, by_condition, by_condition.gather(-1, partner))


def _along(rows: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Row numbers (... × n) for ``gather`` of whole rows of `x` (... × components)."""
    return rows[..., None].expand(*rows.shape, x.shape[-1])
