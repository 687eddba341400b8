"""Training steps recorded as CUDA graphs: hundreds of short operations that a GPU is given as one."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import torch

from .streams import Streams

Losses = dict[str, torch.Tensor]
#: Steps of a kind before it is recorded, in which optimisers make their state and libraries choose their kernels.
WARMUP_STEPS = 3


class Recorded:
    """A training step that is run a few times, then recorded and from there on replayed.

    Of a small network, telling a GPU what to do takes ten times as long as doing it. A recorded step (a CUDA graph;
    PyTorch's notes on CUDA semantics) is told once. It must do the same each time: shapes, branches and addresses of
    its tensors stay, random numbers go on, and nothing is read back in between. Steps that differ are of different
    kinds, which `kind` tells apart, and recorded each for itself. The step updates weights in place and returns losses;
    `random` is all that it draws from.
    """

    def __init__(self, step: Callable[[], Losses], kind: Callable[[], Hashable], random: Streams) -> None:
        self.step, self.kind, self.random = step, kind, random
        self._times: dict[Hashable, int] = {}
        self._graphs: dict[Hashable, tuple[torch.cuda.CUDAGraph, Losses]] = {}
        self._stream = torch.cuda.Stream()

    def __call__(self) -> Losses:
        """One step; the losses are overwritten by the next."""
        kind = self.kind()
        self._times[kind] = self._times.get(kind, 0) + 1
        if self._times[kind] <= WARMUP_STEPS:
            # Beside the default stream, as the recording will be.
            self._stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._stream):
                losses = self.step()
            torch.cuda.current_stream().wait_stream(self._stream)
            return losses
        if kind not in self._graphs:
            self._graphs[kind] = self._record()
        graph, losses = self._graphs[kind]
        graph.replay()
        return losses

    def _record(self) -> tuple[torch.cuda.CUDAGraph, Losses]:
        graph = torch.cuda.CUDAGraph()
        for generator in self.random.generators:
            graph.register_generator_state(generator)
        with torch.cuda.graph(graph, stream=self._stream):
            losses = {name: loss.detach() for name, loss in self.step().items()}
        return graph, losses
