"""Networks of one architecture trained as one: their weights have a first axis over networks, as have all tensors."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from .stacked_layers import STACKED


class Stack(nn.Module):
    """Networks of one architecture as one module: ``stack(x)[i]`` is ``networks[i](x[i])``.

    A small network leaves a GPU idle between its many short operations; together they are as many operations as one
    network has, each on all networks. Linear layers and layer normalisations are those of :mod:`.stacked_layers`; all
    else is the networks' own code, which must count axes from the last, and give vectors among its own parameters and
    buffers an axis over rows (``vector[..., None, :]``). Methods and parts of the networks are those of the stack:
    ``stack.encode(x)``.

    Parameters
    ----------
    networks : list of Module
        With weights of the same names and shapes. The stack has copies of these; :meth:`unstack` puts them back.
    """

    def __init__(self, networks: list[nn.Module]) -> None:
        super().__init__()
        # In a tuple, so that their weights are none of the stack's.
        self._networks = tuple(networks)
        #: A network whose parameters and buffers are those of all networks, (networks × shape) each.
        self.weights = copy.deepcopy(networks[0])
        for path, first in _tensors_of(self.weights):
            tensors = [_get(network, path).detach() for network in networks]
            if any(tensor.shape != first.shape for tensor in tensors):
                raise ValueError(f"networks of different shapes cannot be stacked: {path}")
            stacked = torch.stack(tensors)
            if isinstance(first, nn.Parameter):
                stacked = nn.Parameter(stacked, first.requires_grad)
            _set(self.weights, path, stacked)
        for path, layer in list(self.weights.named_modules()):
            if type(layer) in STACKED and (parameters := dict(layer.named_parameters())):
                _set(self.weights, path, STACKED[type(layer)](**parameters))

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.weights(*inputs)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name.startswith("_") or name == "weights" or not callable(part := getattr(self.weights, name, None)):
                raise
            return part

    def __deepcopy__(self, memo: dict[int, Any]) -> Stack:
        """A stack with weights of its own, and the same networks to give them to."""
        out = copy.copy(self)
        out._modules = {"weights": copy.deepcopy(self.weights, memo)}
        return out

    @torch.no_grad()
    def unstack(self) -> list[nn.Module]:
        """The networks that were stacked, with the weights that they have here; they are the same each time."""
        for path, stacked in _tensors_of(self.weights):
            for network, own in zip(self._networks, stacked.unbind(), strict=True):
                tensor = _get(network, path)
                tensor.copy_(own)
                tensor.requires_grad_(stacked.requires_grad)
        return list(self._networks)


def weights_of(network: nn.Module) -> nn.Module:
    """The module that has the weights: `network` itself, or the one inside a :class:`Stack`."""
    return network.weights if isinstance(network, Stack) else network


def unstacked(network: nn.Module) -> list[nn.Module]:
    """The networks of a stack, or `network` alone."""
    return network.unstack() if isinstance(network, Stack) else [network]


def _tensors_of(network: nn.Module) -> list[tuple[str, torch.Tensor]]:
    """Names and values of all parameters and buffers."""
    return [*network.named_parameters(), *network.named_buffers()]


def _get(network: nn.Module, path: str) -> torch.Tensor:
    owner, _, name = path.rpartition(".")
    return getattr(network.get_submodule(owner), name)


def _set(network: nn.Module, path: str, value: torch.Tensor | nn.Module) -> None:
    owner, _, name = path.rpartition(".")
    setattr(network.get_submodule(owner), name, value)
