"""Generators whose network is trained by one loss: the default training loop."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import torch
from torch import nn

from ...core.seeds import derive
from ..base.checkpoint import Checkpoint
from .batches import Batches
from .network_generator import NetworkGenerator, Seeds
from .optimisers import AdamW
from .streams import Streams
from .training import Losses, Training, Validation, cosine

#: Rows of one batch, columns as of :class:`.batches.Batches`.
Batch = tuple[torch.Tensor, ...]
#: Draws of the loss of each held-out row.
VALIDATION_DRAWS = 8


class Phase(NamedTuple):
    """A part of a training run: what it minimises (as of :meth:`LossTrainedGenerator.loss`) in so many steps.

    When it ends, the part of the network called `freeze` is frozen at its average; none if empty.
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

    def validation_loss(self, network: nn.Module, batch: Batch, random: Streams) -> Losses:
        """As :meth:`loss`, of held-out rows, in the last phase of training."""
        return self.loss(network, batch, random)

    def phases(self, batches: Batches) -> list[Phase]:
        """Parts of the training, one after the other."""
        return [Phase(self.loss, self.length(batches))]

    def train(
        self, network: nn.Module, batches: Batches, seed: Seeds, checkpoint: Checkpoint | None, **critics: nn.Module
    ) -> Training:
        """Train `network`, or a stack of networks, by AdamW on :meth:`loss`; the run, which averages its weights."""
        s, phases = self.settings, self.phases(batches)
        *starts, steps = itertools.accumulate((phase.steps for phase in phases), initial=0)
        optimiser = AdamW(network.parameters(), lr=s["learning_rate"], weight_decay=s["weight_decay"], fused=True)
        run = Training(
            {"network": network}, {"network": optimiser},
            averaged="network", decay=s["decay"], seed=seed, device=self.device,
            learning_rate=lambda share: cosine(phase_progress(share, phases)),
        )  # fmt: skip

        def phase() -> int:
            return sum(run.step >= start for start in starts[1:])

        def step() -> Losses:
            now = phase()
            if now and run.step == starts[now] and (part := phases[now - 1].freeze):
                run.freeze("network", part)
            batch = batches.draw(run.random)
            terms = {name: term.mean(-1) for name, term in phases[now].loss(network, batch, run.random).items()}
            run.optimizer_step("network", sum(terms.values()), self.max_gradient_norm)
            return terms

        validation = self.validation(batches, seed, start=starts[-1])
        return run.run(step, steps, checkpoint, self.name, validation, kind=phase if self.recordable else None)

    def validation(self, batches: Batches, seed: Seeds, start: int = 0) -> Validation | None:
        """Early stopping on the held-out rows, if there are any, from step `start` on."""
        held_out = batches.held_out
        if held_out is None:
            return None
        seed = derive(seed, "validation") if isinstance(seed, int) else [derive(one, "validation") for one in seed]

        @torch.no_grad()
        def loss(network: nn.Module) -> torch.Tensor:
            random = Streams(seed, self.device)  # the same draws each time: losses differ by the weights alone
            parts = [
                (sum(self.validation_loss(network, held_out.columns, random).values()) * held_out.weight).sum(-1)
                for _ in range(VALIDATION_DRAWS)
            ]
            return torch.stack(parts).mean(0)

        return Validation(loss, self.settings["patience"], start)


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
