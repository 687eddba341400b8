"""Profiles as another condition or level would have them: a flow's path back to its start, and forth under new labels.

Which profile of the new class it is, nothing that the flow learned says: its start, a draw of the class Gaussian, is
kept because it is there, not because it is the person's.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from ....core.groups import keys_of
from ...base.device import choose_device
from .model import TIME_SCALE, Flow


@torch.no_grad()
def translated(
    model: Flow, x: np.ndarray, obs: pd.DataFrame, wanted: pd.DataFrame, *, device: str = "cpu"
) -> np.ndarray:
    """Standardised profiles `x` (n × genes) of conditions and levels `obs`, as those of `wanted`.

    Both are as the flow was fitted: standardised within their level. What lies beyond the components stays as it is.
    """
    model.device = choose_device(device)
    network, space = model.network.to(model.device), model.space
    keys, level = keys_of(obs), wanted["level"].astype(str).to_numpy()
    (source, was), (target, becomes) = (
        model._condition_and_factors(table["condition"].astype(str), table) for table in (obs, wanted)
    )
    rows = torch.as_tensor(space.encode(x, keys), device=model.device)
    start = _integrated(model, rows, source, was, back=True)
    noise = torch.linalg.solve_triangular(network.root[source], start[..., None], upper=False)[..., 0]
    made = _integrated(model, network.start(target, noise), target, becomes)
    rank = len(space.basis)
    g = space.scores(np.asarray(x, np.float64), keys)
    g += (space.latent(made.double().cpu().numpy(), wanted)[:, :rank] * space.sd - g @ space.basis.T) @ space.basis
    return space.means.of(keys_of(wanted)) + space.marginals.values(g, level)


def _integrated(
    model: Flow, x: torch.Tensor, condition: torch.Tensor, factors: torch.Tensor, *, back: bool = False
) -> torch.Tensor:
    """Rows (n × dim) moved along the velocity from the start to the end, or back, by Heun's method."""
    steps = model.settings["sampling_steps"]
    times = np.linspace(1, 0, steps + 1) if back else np.linspace(0, 1, steps + 1)
    for now, then in zip(times[:-1], times[1:], strict=True):
        first, second = (torch.full((len(x),), TIME_SCALE * float(t), device=x.device) for t in (now, then))
        slope = model.network(x, first, condition, factors)
        end = model.network(x + (then - now) * slope, second, condition, factors)
        x = x + 0.5 * (then - now) * (slope + end)
    return x
