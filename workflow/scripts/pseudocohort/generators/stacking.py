"""Networks of one architecture trained as one: their weights have a first axis over networks, as have all tensors."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.func import functional_call, vmap


class _Call(nn.Module):
    """A method, or a part, of a network as a module of its own, which ``functional_call`` can call."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, name: str, *inputs: torch.Tensor) -> Any:
        return getattr(self.network, name)(*inputs)


class Stack(nn.Module):
    """Networks of one architecture as one module: ``stack(x)[i]`` is ``networks[i](x[i])``.

    A small network leaves a GPU idle between its many short operations; together they are as many operations as one
    network has, each on all networks (Bradbury et al.'s vmap, as ``torch.func`` has it). Methods and parts of the
    networks are called on the stack as on a network: ``stack.encode(x)``.

    Parameters
    ----------
    networks : list of Module
        With weights of the same names and shapes; they are copied.
    """

    def __init__(self, networks: list[nn.Module]) -> None:
        super().__init__()
        #: A network whose parameters and buffers are those of all networks, (networks × shape) each.
        self.weights = copy.deepcopy(networks[0])
        for owner, name, tensors in _tensors_of(self.weights, networks):
            stacked = torch.stack([t.detach() for t in tensors])
            if isinstance(owner, nn.Linear) and name == "weight":
                stacked = stacked.mT.contiguous().mT  # in memory as batched products give its gradient
            trained = isinstance(tensors[0], nn.Parameter)
            setattr(owner, name, nn.Parameter(stacked, tensors[0].requires_grad) if trained else stacked)
        # In a tuple, so that its weights, which are never used, are none of the stack's.
        self._template = (_Call(copy.deepcopy(networks[0]).to("meta")),)
        self.number = len(networks)

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.call("forward", *inputs)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name.startswith("_") or name == "weights" or not callable(getattr(self.weights, name, None)):
                raise
            return partial(self.call, name)

    def call(self, name: str, *inputs: torch.Tensor) -> Any:
        """What the method or part called `name` of each network makes of its own rows of the `inputs`."""
        tensors = {f"network.{k}": v for k, v in self.weights.named_parameters()}
        tensors |= {f"network.{k}": v for k, v in self.weights.named_buffers()}

        def one(own: dict[str, torch.Tensor], *rows: torch.Tensor) -> Any:
            return functional_call(self._template[0], own, (name, *rows))

        return vmap(one)(tensors, *inputs)

    def unstack(self) -> list[nn.Module]:
        """The networks, each with its own weights."""
        networks = [copy.deepcopy(self.weights) for _ in range(self.number)]
        for i, network in enumerate(networks):
            for owner, name, (tensor,) in _tensors_of(network, [network]):
                own = tensor.detach()[i].clone()
                setattr(
                    owner, name, nn.Parameter(own, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else own
                )
        return networks


def weights_of(network: nn.Module) -> nn.Module:
    """The module that has the weights: `network` itself, or the one inside a :class:`Stack`."""
    return network.weights if isinstance(network, Stack) else network


def unstacked(network: nn.Module) -> list[nn.Module]:
    """The networks of a stack, or `network` alone."""
    return network.unstack() if isinstance(network, Stack) else [network]


def _tensors_of(target: nn.Module, networks: list[nn.Module]):
    """For every parameter and buffer: the part of `target` that has it, its name there, and it in each network."""
    owners = dict(target.named_modules())
    for path, tensor in [*target.named_parameters(), *target.named_buffers()]:
        owner, _, name = path.rpartition(".")
        found = [_get(network, path) for network in networks]
        if any(t.shape != tensor.shape for t in found):
            raise ValueError(f"networks of different shapes cannot be stacked: {path}")
        yield owners[owner], name, found


def _get(network: nn.Module, path: str) -> torch.Tensor:
    owner, _, name = path.rpartition(".")
    return getattr(network.get_submodule(owner), name)
