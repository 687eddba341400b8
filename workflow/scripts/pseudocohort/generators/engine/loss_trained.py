"""Generators whose network is trained by one loss: the default training loop."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from ...core.seeds import derive
from ..base.checkpoint import Checkpoint
from .batches import Batches
from .network_generator import NetworkGenerator, Seeds
from .streams import Streams
from .training import Losses, Training, Validation, cosine

#: Rows of one batch, columns as of :class:`.batches.Batches`.
Batch = tuple[torch.Tensor, ...]
#: Draws of the loss of each held-out row.
VALIDATION_DRAWS = 8


@dataclass(frozen=True)
class Phase:
    """A part of a training run that minimises one loss.

    Attributes
    ----------
    loss : callable
        ``loss(network, batch, random)``: terms of the loss by name, each (... × n) and a mean over its last axis; their
        sum is minimised.
    steps : int
    freeze : str
        Part of the network that is frozen at its average when the phase ends; none if empty.
    """

    loss: Callable[[nn.Module, Batch, Streams], Losses]
    steps: int
    freeze: str = ""


class LossTrainedGenerator(NetworkGenerator):
    """A generator that declares a :meth:`loss`, which AdamW minimises step by step."""

    #: Norm that gradients are cut to.
    max_gradient_norm: ClassVar[float] = 1.0
    #: Whether a step can be recorded on a GPU: it does the same each time, and all on the GPU.
    recordable: ClassVar[bool] = True

    @abstractmethod
    def loss(self, network: nn.Module, batch: Batch, random: Streams) -> Losses:
        """Terms of the loss by name, each (... × n); the sum of their means over the last axis is minimised.

        Parameters
        ----------
        network : Module
            Or a stack of networks, whose tensors all have a first axis over networks.
        batch : tuple of Tensor
            Latent rows (... × n × components), conditions (... × n), level factors (... × n × 3), and the extra columns
            of :meth:`inputs`.
        random : Streams
            Of all that the loss draws.
        """

    def phases(self, batches: Batches) -> list[Phase]:
        """Parts of the training, one after the other."""
        return [Phase(self.loss, self.length(batches))]

    def train(
        self, network: nn.Module, batches: Batches, seed: Seeds, checkpoint: Checkpoint | None, **critics: nn.Module
    ) -> Training:
        """Train `network`, or a stack of networks, by AdamW on :meth:`loss`; the run, which averages its weights."""
        s, phases = self.settings, self.phases(batches)
        optimiser = torch.optim.AdamW(
            network.parameters(), lr=s["learning_rate"], weight_decay=s["weight_decay"], fused=True
        )
        run = Training(
            {"network": network}, {"network": optimiser},
            averaged="network", decay=s["decay"], seed=seed, device=self.device,
            learning_rate=lambda share: cosine(phase_progress(share, phases)),
        )  # fmt: skip
        return run.run(
            loss_step(run, "network", batches, phases, self.max_gradient_norm),
            sum(phase.steps for phase in phases),
            checkpoint,
            self.name,
            self.validation(batches, seed, start=sum(phase.steps for phase in phases[:-1])),
            kind=(lambda: phase_of(run.step, phases)) if self.recordable else None,
        )

    def validation_loss(self, network: nn.Module, batch: Batch, random: Streams) -> Losses:
        """As :meth:`loss`, of held-out rows, in the last phase of training."""
        return self.loss(network, batch, random)

    def validation(self, batches: Batches, seed: Seeds, start: int = 0) -> Validation | None:
        """Early stopping on the held-out rows, if there are any, from step `start` on."""
        held_out = batches.held_out
        if held_out is None:
            return None
        seeds = [derive(one, "validation") for one in ([seed] if isinstance(seed, int) else seed)]

        @torch.no_grad()
        def loss(network: nn.Module) -> torch.Tensor:
            # The same draws each time, so that losses differ by the weights alone.
            random = Streams(seeds[0] if isinstance(seed, int) else seeds, self.device)
            parts = [
                (sum(self.validation_loss(network, held_out.columns, random).values()) * held_out.weight).sum(-1)
                for _ in range(VALIDATION_DRAWS)
            ]
            return torch.stack(parts).mean(0)

        return Validation(loss, self.settings["patience"], start)


def loss_step(run: Training, name: str, batches: Batches, phases: list[Phase], max_norm: float) -> Callable[[], Losses]:
    """The default training step: draw a batch, take the loss of the phase, step the optimiser.

    Parameters
    ----------
    run : Training
    name : str
        Module that is trained, and its optimiser.
    batches : Batches
    phases : list of Phase
        In the order of training.
    max_norm : float
        Largest norm of a gradient.
    """
    network = run.modules[name]

    def step() -> Losses:
        number = phase_of(run.step, phases)
        if number and run.step == sum(phase.steps for phase in phases[:number]) and phases[number - 1].freeze:
            run.freeze(name, phases[number - 1].freeze)
        batch = batches.draw(run.random)
        terms = {key: term.mean(-1) for key, term in phases[number].loss(network, batch, run.random).items()}
        run.optimizer_step(name, sum(terms.values()), max_norm)
        return terms

    return step


def phase_of(step: int, phases: list[Phase]) -> int:
    """Number of the phase that a step (from 0) belongs to."""
    ends = itertools.accumulate(phase.steps for phase in phases[:-1])
    return sum(step >= end for end in ends)


def phase_progress(share: float, phases: list[Phase]) -> float:
    """Progress (0 to 1) within its phase of a run that has done a `share` of all steps."""
    if len(phases) == 1:
        return share
    step = share * sum(phase.steps for phase in phases)
    for phase in phases[:-1]:
        if step < phase.steps:
            return step / phase.steps
        step -= phase.steps
    return step / phases[-1].steps
