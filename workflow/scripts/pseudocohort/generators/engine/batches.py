"""Random batches of training rows, of one training set or of several that are trained on together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from .streams import Streams


class HeldOut(NamedTuple):
    """Rows for the validation loss, with the columns of :class:`Batches` and the share of each row in the loss."""

    columns: tuple[torch.Tensor, ...]
    weight: torch.Tensor


class Batches:
    """Random batches of latent rows, drawn with replacement, a donor weighing 1 in each condition and level.

    Rows have `h` (n × components), the number of their condition (n,), numbers of their level factors (n × 3), a
    weight, and what else a generator looks up (`extra`, n × ...). A batch has `size` rows; fewer if there are fewer
    rows, but 16 at least. Rows that are `held_out` (n,) are never drawn but kept for the validation loss.

    Attributes
    ----------
    columns : tuple of Tensor
        Latent rows, conditions, level factors and what else there is, of the rows to draw from.
    rows : int
        Number of rows to draw from; the largest, where several training sets are stacked.
    held_out : HeldOut or None
    """

    def __init__(self, h, condition, factors, weight, size: int, device: torch.device, *extra, held_out=None) -> None:
        columns = [np.asarray(column) for column in (h, condition, factors, *extra)]
        self.held_out = None
        if held_out is not None and held_out.any():
            left = weight[held_out]
            self.held_out = HeldOut(
                tuple(torch.as_tensor(column[held_out], device=device) for column in columns),
                torch.as_tensor(left / left.sum(), dtype=torch.float32, device=device),
            )
            columns, weight = [column[~held_out] for column in columns], weight[~held_out]
        self.columns = tuple(torch.as_tensor(column, device=device) for column in columns)
        self.cumulative = torch.as_tensor(np.cumsum(weight) / np.sum(weight), dtype=torch.float32, device=device)
        self.rows = len(weight)
        self.last = torch.as_tensor(self.rows - 1, device=device)
        self.size = min(size, max(self.rows, 16))

    def draw(self, random: Streams) -> tuple[torch.Tensor, ...]:
        """Latent rows, conditions, level factors and what else there is of one batch."""
        rows = torch.searchsorted(self.cumulative, random.rand(self.size))
        rows = torch.minimum(rows, self.last)
        return tuple(self._at(column, rows) for column in self.columns)

    def _at(self, column: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return column[rows]


class StackedBatches(Batches):
    """Batches of several training sets side by side: what is drawn has a first axis over them.

    Each part is what its own :class:`Batches` would draw from its own stream; sets with fewer rows than others are
    filled up with rows that are never drawn.
    """

    def __init__(self, parts: list[Batches]) -> None:
        (self.size,) = {part.size for part in parts}
        self.rows = max(part.rows for part in parts)
        self.last = torch.stack([part.last for part in parts])[:, None]
        self.cumulative = torch.stack([_filled(part.cumulative, self.rows, 2.0) for part in parts])
        columns = zip(*(part.columns for part in parts), strict=True)
        self.columns = tuple(torch.stack([_filled(own, self.rows, 0) for own in column]) for column in columns)
        self.held_out = None
        if all(part.held_out for part in parts):
            columns = zip(*(part.held_out.columns for part in parts), strict=True)
            weight = torch.stack([part.held_out.weight for part in parts])
            self.held_out = HeldOut(tuple(torch.stack(column) for column in columns), weight)
        self.set = torch.arange(len(parts), device=self.last.device)[:, None]

    def _at(self, column: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return column[self.set, rows]


def _filled(column: torch.Tensor, rows: int, value: float) -> torch.Tensor:
    """`column` with rows of `value` added until there are `rows`."""
    return torch.cat([column, column.new_full((rows - len(column), *column.shape[1:]), value)])
