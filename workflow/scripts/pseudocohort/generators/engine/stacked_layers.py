"""Layers whose weights, inputs and outputs have a first axis over networks.

They stand where a network has the layer of torch (:mod:`.stacking`), and are written out, rather than mapped over
networks by ``torch.func.vmap``, for speed: a linear layer is one batched product with the bias in it, and its gradient
comes out as the weight lies in memory, so that the optimiser reads it without a copy.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional


class _BatchedLinear(torch.autograd.Function):
    """x W' + b of each network, or x W'; autograd's own gradient of a batched product lies in memory transposed."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        return x @ weight.mT if bias is None else torch.baddbmm(bias[:, None], x, weight.mT)

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, weight = (tensor.to(slope.dtype) for tensor in ctx.saved_tensors)  # less than float32 under autocast
        of_x, of_weight, of_bias = ctx.needs_input_grad
        return (
            slope @ weight if of_x else None,
            slope.mT @ x if of_weight else None,
            slope.sum(1) if of_bias else None,
        )


class StackedLinear(nn.Module):
    """Linear layers: rows (networks × n × in) to (networks × n × out)."""

    def __init__(self, weight: nn.Parameter, bias: nn.Parameter | None = None) -> None:
        super().__init__()
        self.weight, self.bias = weight, bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _BatchedLinear.apply(x, self.weight, self.bias)


class StackedLayerNorm(nn.Module):
    """Layer normalisations with a scale and a shift each, of rows (networks × n × width)."""

    def __init__(self, weight: nn.Parameter, bias: nn.Parameter) -> None:
        super().__init__()
        self.weight, self.bias = weight, bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.addcmul(self.bias[:, None], functional.layer_norm(x, x.shape[-1:]), self.weight[:, None])


#: What stands for a layer of torch in a stack, made of the layer's parameters.
STACKED: dict[type[nn.Module], type[nn.Module]] = {
    nn.Linear: StackedLinear,
    nn.LayerNorm: StackedLayerNorm,
}
