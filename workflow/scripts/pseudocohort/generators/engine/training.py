"""The one training loop: steps, averaged weights, loss curve, checkpoints that resume bit for bit on CPU."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Hashable
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
import torch
from torch import nn

from ...core.errors import UserError
from ...core.logs import progress
from ..base.checkpoint import Checkpoint
from ..base.serialization import of_prefix, with_prefix
from .recording import Losses, Recorded
from .stacking import unstacked, weights_of
from .streams import Streams

#: Points of the loss curve.
LOG_POINTS = 100
#: Steps between two updates of the average: next to an average over hundreds of steps that is nothing, and it is a pass
#: over all weights.
AVERAGE_EVERY = 4


class Trained(NamedTuple):
    """What a run leaves of one network, or of one of the networks that were trained together.

    The averaged module is as it was when the validation loss was lowest, if there was one; the others are as the last
    step left them. The loss curve has ``step``, and a column for each loss.
    """

    average: nn.Module
    modules: dict[str, nn.Module]
    history: pd.DataFrame


class Validation(NamedTuple):
    """Early stopping on held-out rows, by the loss on them of the averaged network: scalar, or (networks,) of a stack.

    A network is done after `patience` points of the loss curve without a new minimum, from step `start` on.
    """

    loss: Callable[[nn.Module], torch.Tensor]
    patience: int
    start: int = 0


class Best(nn.Module):
    """The averaged network at its lowest validation loss; of a stack, each network at its own."""

    def __init__(self, average: nn.Module, random: Streams, patience: int) -> None:
        super().__init__()
        self.network, self.patience = copy.deepcopy(average), patience
        shape = (len(random.generators),) if random.stacked else ()
        self.register_buffer("loss", torch.full(shape, torch.inf, device=random.device))
        self.register_buffer("since", torch.zeros(shape, dtype=torch.long, device=random.device))
        #: Step at which a network was done, or was seen last.
        self.register_buffer("last", torch.zeros(shape, dtype=torch.long, device=random.device))

    @property
    def found(self) -> bool:
        """Whether there was a validation."""
        return bool(self.loss.isfinite().all())

    @property
    def ended(self) -> bool:
        """Whether all networks are done."""
        return bool((self.since >= self.patience).all())

    @torch.no_grad()
    def judge(self, average: nn.Module, loss: torch.Tensor, step: int) -> None:
        """Keep the weights of `average` where its `loss` at `step` is the lowest so far, and it is not done."""
        running = self.since < self.patience
        better = running & (loss < self.loss)
        self.loss.copy_(torch.where(better, loss, self.loss))
        self.since.copy_(torch.where(better, 0, self.since + running))
        self.last.copy_(torch.where(running, step, self.last))
        for kept, weight in zip(self.network.parameters(), average.parameters(), strict=True):
            where = better.reshape(*better.shape, *[1] * (weight.dim() - better.dim()))
            kept.copy_(torch.where(where, weight, kept))


class Training:
    """A run over named modules and their optimisers.

    Everything random comes from :attr:`random`, whose state is saved with the weights: a run that was killed and
    resumed gives the same weights as one that was not. The modules may be stacks (:mod:`.stacking`); then losses have
    one value for each network, and each network is trained as it would be alone.

    Parameters
    ----------
    averaged : str
        Name of the module whose exponential moving average is kept in :attr:`average`; it is the one to sample from.
    decay : float
        Of the average (Polyak & Juditsky 1992; .999 of Karras et al. 2018) in a step, warmed up as (1 + t) / (10 + t);
        it is updated every :data:`AVERAGE_EVERY` steps.
    seed : int or list of int
        Of :attr:`random`; one for each network of a stack.
    learning_rate : callable, optional
        Factor of the learning rates at progress 0 to 1.
    """

    def __init__(
        self,
        modules: dict[str, nn.Module],
        optimisers: dict[str, torch.optim.Optimizer],
        *,
        averaged: str,
        decay: float,
        seed: int | list[int],
        device: torch.device,
        learning_rate: Callable[[float], float] | None = None,
    ) -> None:
        self.modules, self.optimisers, self.averaged, self.decay = modules, optimisers, averaged, decay
        self.average = copy.deepcopy(modules[averaged]).requires_grad_(False)
        self.random = Streams(seed, device)
        self.device, self.learning_rate = device, learning_rate
        # Module.parameters() walks all submodules, which takes a good part of a short step.
        self._weights = {name: list(module.parameters()) for name, module in modules.items()}
        self._averages = list(self.average.parameters())
        self.base_rates = {name: [g["lr"] for g in o.param_groups] for name, o in optimisers.items()}
        self.step = 0
        self.rows: list[dict[str, float]] = []
        self.best: Best | None = None

    def run(
        self,
        one_step: Callable[[], Losses],
        steps: int,
        checkpoint: Checkpoint | None,
        name: str,
        validation: Validation | None = None,
        kind: Callable[[], Hashable] | None = None,
    ) -> Self:
        """Call `one_step` (which updates the modules and returns its losses) `steps` times, or until it overfits.

        With a `validation` the average of lowest validation loss is kept, and the run ends when every network's loss
        has found no new minimum for as many points of the loss curve as it has patience for. With a `kind` the step is
        recorded on a GPU (:class:`.recording.Recorded`).

        Raises
        ------
        UserError
            If a loss is not finite.
        """
        if validation:
            self.best = Best(self.average, self.random, validation.patience)
        step = one_step
        if kind and self.device.type == "cuda":
            self._let_record()
            step = Recorded(one_step, kind, self.random)
        if checkpoint and (saved := checkpoint.load()):
            self._restore(*saved)
        every = max(1, steps // LOG_POINTS)
        sums: dict[str, torch.Tensor] = {}
        bar = progress(total=steps, initial=self.step, desc=name, unit="step")
        while self.step < steps and not (self.best and self.best.ended):
            self._set_rates(self.step / steps)
            for key, value in step().items():
                sums[key] = sums.get(key, 0) + value.detach()
            self.step += 1
            self._update_average()
            if self.step % every == 0:
                row = {key: (value / every).tolist() for key, value in sums.items()}
                if not np.isfinite(list(row.values())).all():
                    raise UserError(
                        f"training diverged at step {self.step}: losses {row}",
                        where=name,
                        remedy="lower its learning_rate in generator_settings",
                    )
                if validation and self.step > validation.start:
                    loss = validation.loss(self.average)
                    self.best.judge(self.average, loss, self.step)
                    row["validation"] = loss.tolist()
                self.rows.append({"step": self.step, **row})
                sums = {}
                bar.update(self.step - bar.n)
                if checkpoint and checkpoint.due():
                    checkpoint.save(*self._state())
        bar.close()
        for weight in itertools.chain(*self._weights.values()):
            weight.grad = None
        return self

    def _let_record(self) -> None:
        """Learning rates and counts of the optimisers lie on the GPU, where a recorded step finds them."""
        for optimiser in self.optimisers.values():
            for group in optimiser.param_groups:
                group |= {"capturable": True, "lr": torch.tensor(group["lr"], device=self.device)}

    def results(self) -> list[Trained]:
        """What was trained: one result, or one for each network of a stack."""
        averages = unstacked(self.best.network if self.best and self.best.found else self.average)
        # A stack gives its weights to the networks that it was made of: the average, not what it is an average of.
        modules = {name: unstacked(module) for name, module in self.modules.items() if name != self.averaged}
        out = []
        for i, average in enumerate(averages):
            rows = [{k: v[i] if isinstance(v, list) else v for k, v in row.items()} for row in self.rows]
            history = pd.DataFrame(rows)
            # A term of the loss is 0 in a phase of the training that has others.
            terms = history.columns.drop("validation", errors="ignore")
            history[terms] = history[terms].fillna(0.0)
            if self.best:
                history = history[history["step"] <= int(self.best.last.reshape(-1)[i])].copy()
            out.append(Trained(average, {name: of[i] for name, of in modules.items()}, history))
        return out

    def freeze(self, name: str, part: str) -> None:
        """Freeze the part called `part` of a module at its average."""
        module = weights_of(self.modules[name]).get_submodule(part)
        module.load_state_dict(weights_of(self.average).get_submodule(part).state_dict())
        module.requires_grad_(False)

    def optimizer_step(self, name: str, loss: torch.Tensor, max_norm: float | None = None) -> None:
        """One step of the module called `name`, and of it alone, with the optimiser of that name.

        `loss` is a scalar, or (networks,) of a stack; a network's gradient is cut to `max_norm`.
        """
        for weight in self._weights[name]:  # frozen ones too, which a step would move by their last gradient
            weight.grad = None
        weights = [weight for weight in self._weights[name] if weight.requires_grad]
        for weight, gradient in zip(weights, torch.autograd.grad(loss.sum(), weights, allow_unused=True), strict=True):
            weight.grad = None if gradient is None else _laid_out(gradient, weight)
        if max_norm is not None and self.random.stacked:
            _clip_each(weights, max_norm)
        elif max_norm is not None:
            nn.utils.clip_grad_norm_(weights, max_norm)
        self.optimisers[name].step()

    def _set_rates(self, share: float) -> None:
        if self.learning_rate is None:
            return
        factor = self.learning_rate(share)
        for name, optimiser in self.optimisers.items():
            for group, base in zip(optimiser.param_groups, self.base_rates[name], strict=True):
                if isinstance(group["lr"], torch.Tensor):
                    group["lr"].fill_(base * factor)
                else:
                    group["lr"] = base * factor

    @torch.no_grad()
    def _update_average(self) -> None:
        if self.step % AVERAGE_EVERY:
            return
        decay = min(self.decay, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(self._averages, self._weights[self.averaged], 1 - decay**AVERAGE_EVERY)

    def _parts(self) -> dict[str, nn.Module]:
        """All that has weights, by the prefix of its names in a checkpoint."""
        parts = {**self.modules, "average": self.average} | ({"best": self.best} if self.best else {})
        return {f"module/{name}": module for name, module in parts.items()}

    def _state(self) -> tuple[dict[str, torch.Tensor], dict[str, object]]:
        tensors = {"random": self.random.get_state()}
        for prefix, module in self._parts().items():
            tensors |= with_prefix(prefix, module.state_dict())
        for name, optimiser in self.optimisers.items():
            for i, state in optimiser.state_dict()["state"].items():
                tensors |= with_prefix(f"optimiser/{name}/{i}", {k: torch.as_tensor(v) for k, v in state.items()})
        return tensors, {"step": self.step, "rows": self.rows}

    def _restore(self, tensors: dict[str, torch.Tensor], metadata: dict) -> None:
        self.step, self.rows = metadata["step"], metadata["rows"]
        self.random.set_state(tensors["random"])
        for prefix, module in self._parts().items():
            module.load_state_dict(of_prefix(prefix, tensors))
        for name, optimiser in self.optimisers.items():
            state = {}
            for i, weight in enumerate(self._weights[name]):
                own = of_prefix(f"optimiser/{name}/{i}", tensors)
                if own:  # none of a weight that was never trained
                    state[i] = {k: _laid_out(v, weight) if v.shape == weight.shape else v for k, v in own.items()}
            optimiser.load_state_dict(optimiser.state_dict() | {"state": state})


def _laid_out(tensor: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """`tensor` as `weight` lies in memory, which fused optimisers take it to do, whatever its strides say."""
    return tensor if tensor.stride() == weight.stride() else torch.empty_like(weight).copy_(tensor)


@torch.no_grad()
def _clip_each(weights: list[nn.Parameter], max_norm: float) -> None:
    """Cut the gradient of each network of a stack to the norm `max_norm`, as ``clip_grad_norm_`` does that of one."""
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    norms = [torch.linalg.vector_norm(g, dim=tuple(range(1, g.dim()))) for g in gradients]
    norm = torch.linalg.vector_norm(torch.stack(norms), dim=0)
    factor = (max_norm / (norm + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(factor.reshape(-1, *[1] * (gradient.dim() - 1)))


def cosine(share: float, warmup: float = 0.02) -> float:
    """Factor of the learning rate: linear warm-up, then half a cosine to 0 (Loshchilov & Hutter 2017)."""
    return min(1.0, (share + 1e-3) / warmup) * 0.5 * (1 + math.cos(math.pi * share))


def number_of_steps(max_steps: int, max_epochs: int, rows: int, batch: int) -> int:
    """Steps: `max_steps`, or fewer if rows would be seen more than `max_epochs` times each; at least 100."""
    return max(min(max_steps, 100), min(max_steps, math.ceil(max_epochs * rows / min(batch, rows))))
