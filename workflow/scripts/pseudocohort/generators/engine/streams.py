"""Random numbers of a training run: one stream, or one for each of the networks that are trained together."""

from __future__ import annotations

from collections.abc import Sequence

import torch


class Streams:
    """Random numbers on a device, from one seed, or from several that are drawn from side by side.

    With several seeds every tensor has a first axis over them, and its parts are what each seed gives alone: networks
    that are trained together see the numbers that they would see by themselves.
    """

    def __init__(self, seed: int | Sequence[int], device: torch.device | str = "cpu") -> None:
        self.device, self.stacked = torch.device(device), not isinstance(seed, int)
        seeds = seed if self.stacked else [seed]
        self.generators = [torch.Generator(device=self.device).manual_seed(one) for one in seeds]

    def rand(self, *shape: int) -> torch.Tensor:
        """Uniform numbers (shape), or (streams × shape)."""
        return self._draw("uniform_", shape, torch.float32)

    def randn(self, *shape: int) -> torch.Tensor:
        """Standard normal numbers (shape), or (streams × shape)."""
        return self._draw("normal_", shape, torch.float32)

    def randint(self, high: int, *shape: int) -> torch.Tensor:
        """Integers from 0 to below `high` (shape), or (streams × shape)."""
        return self._draw("random_", shape, torch.int64, high)

    def _draw(self, fill: str, shape: tuple[int, ...], dtype: torch.dtype, *bounds: int) -> torch.Tensor:
        out = torch.empty(len(self.generators), *shape, dtype=dtype, device=self.device)
        # In place: of a small network's draws, finding out what to return takes longer than the numbers.
        for own, generator in zip(out.unbind(), self.generators, strict=True):
            getattr(own, fill)(*bounds, generator=generator)
        return out if self.stacked else out[0]

    def get_state(self) -> torch.Tensor:
        """States of all streams (streams × bytes)."""
        return torch.stack([g.get_state() for g in self.generators])

    def set_state(self, state: torch.Tensor) -> None:
        """Take up where :meth:`get_state` was called."""
        for generator, own in zip(self.generators, state, strict=True):
            generator.set_state(own.clone())  # a state must lie in memory of its own
