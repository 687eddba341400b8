"""Network parts shared by the generators.

Axes are counted from the last: a stack of networks (:mod:`.stacking`) runs the same code with one more in front.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from ...core.levels import FACTORS


class ConditionEmbedding(nn.Module):
    """Condition and level as one vector: the sum of a learned vector of each.

    The level is the sum of its three factors (technology, aggregation, context), so that a level is placed by what it
    shares with others. The last condition number is "none", for classifier-free guidance.
    """

    def __init__(self, conditions: int, width: int) -> None:
        super().__init__()
        self.none = conditions
        self.condition = nn.Embedding(conditions + 1, width)
        self.factors = nn.ModuleList(nn.Embedding(len(values), width) for values in FACTORS.values())
        sizes = [conditions + 1, *(len(values) for values in FACTORS.values())]
        self.register_buffer("first", torch.tensor([0, *sizes[:-1]]).cumsum(0), persistent=False)

    def forward(self, condition: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
        """`condition` (... × n) numbers, `factors` (... × n × 3) numbers; returns (... × n × width)."""
        # As a product with the tables below each other: of small tables that is faster than four look-ups and a sum.
        vectors = torch.cat([table.weight for table in (self.condition, *self.factors)], dim=-2)
        number = torch.cat([condition[..., None], factors], dim=-1) + self.first[..., None, :]
        chosen = vectors.new_zeros(*number.shape[:-1], vectors.shape[-2]).scatter(-1, number, 1.0)
        return chosen @ vectors


class TimeEmbedding(nn.Module):
    """Sines and cosines of the diffusion step at geometric frequencies (Vaswani et al. 2017; Ho et al. 2020)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.register_buffer("frequency", torch.exp(-math.log(10_000) * torch.arange(half) / half), persistent=False)

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        """`t` (... × n) steps; returns (... × n × width)."""
        angle = t.float()[..., None] * self.frequency[..., None, :]
        return torch.cat([angle.sin(), angle.cos()], dim=-1)


class FiLMBlock(nn.Module):
    """Residual block scaled, shifted and gated from outside (Perez et al. 2018; adaLN-Zero of Peebles & Xie 2023)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.body = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, x: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor, gate: torch.Tensor) -> torch.Tensor:
        # Sums in place: of many networks together the rows are more than fits in a cache.
        return (gate * self.body((self.norm(x) * (1 + scale)).add_(shift))).add_(x)


class Denoiser(nn.Module):
    """FiLM residual MLP that predicts the noise in x_t, given t, condition and level.

    These are embedded as one vector, from which one layer gives the scales, shifts and gates of all blocks.

    Attributes
    ----------
    context : int
        Width of the embedding, a quarter of the blocks'. As wide as the blocks, it would make that layer most of the
        network's weights.
    """

    def __init__(self, dim: int, conditions: int, width: int, blocks: int) -> None:
        super().__init__()
        self.context = max(width // 4, 16)
        self.embed = ConditionEmbedding(conditions, self.context)
        self.time = nn.Sequential(
            TimeEmbedding(128), nn.Linear(128, self.context), nn.SiLU(), nn.Linear(self.context, self.context)
        )
        self.enter = nn.Linear(dim, width)
        # Without a bias, which the embedding's own stands in for: it is a pass over all scales, shifts and gates.
        self.film = nn.Linear(self.context, blocks * 3 * width, bias=False)
        self.blocks = nn.ModuleList(FiLMBlock(width) for _ in range(blocks))
        self.leave = nn.Linear(width, dim)
        for weight in (self.film.weight, self.leave.weight, self.leave.bias):
            nn.init.zeros_(weight)

    def forward(
        self,
        x: torch.Tensor,
        t: torch.Tensor,
        condition: torch.Tensor,
        factors: torch.Tensor,
        extra_context: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Prediction (... × n × dim); `extra_context` (... × n × context) is added to the embeddings."""
        context = self.time(t) + self.embed(condition, factors)
        context = nn.functional.silu(context if extra_context is None else context + extra_context)
        films = self.film(context).chunk(3 * len(self.blocks), dim=-1)
        h = self.enter(x)
        for i, block in enumerate(self.blocks):
            h = block(h, *films[3 * i : 3 * i + 3])
        return self.leave(h)


def mlp(sizes: list[int], *, norm: bool = False) -> nn.Sequential:
    """Linear layers with LeakyReLU(.2) between them, and layer normalisation if asked."""
    layers: list[nn.Module] = []
    for i, (a, b) in enumerate(zip(sizes, sizes[1:], strict=False)):
        layers.append(nn.Linear(a, b))
        if i < len(sizes) - 2:
            if norm:
                layers.append(nn.LayerNorm(b))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
    return nn.Sequential(*layers)


def hidden(width: int | list[int], layers: int) -> list[int]:
    """Widths of hidden layers: `layers` times `width`, or the list that is given instead."""
    return list(width) if isinstance(width, list | tuple) else [width] * layers


class Synthesiser(nn.Module):
    """Generator network of the GANs: noise and condition to a profile."""

    def __init__(self, noise: int, dim: int, conditions: int, width: int | list[int], layers: int) -> None:
        super().__init__()
        self.embed = ConditionEmbedding(conditions, 64)
        self.body = mlp([noise + 64, *hidden(width, layers), dim], norm=True)

    def forward(self, z: torch.Tensor, condition: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
        return self.body(torch.cat([z, self.embed(condition, factors)], dim=-1))


class ProjectionCritic(nn.Module):
    """Critic with the condition as a projection: f(x) + <e(condition), phi(x)> (Miyato & Koyama 2018)."""

    def __init__(self, dim: int, conditions: int, width: int | list[int], layers: int) -> None:
        super().__init__()
        widths = hidden(width, layers)
        self.embed = ConditionEmbedding(conditions, widths[-1])
        self.features = nn.Sequential(mlp([dim, *widths]), nn.LeakyReLU(0.2, inplace=True))
        self.score = nn.Linear(widths[-1], 1)

    def forward(self, x: torch.Tensor, condition: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
        phi = self.features(x)
        return self.score(phi)[..., 0] + (self.embed(condition, factors) * phi).mean(-1)
