"""PyTorch's optimisers without the hooks of its compiler, whose import takes longer than a small network's training."""

from __future__ import annotations

import inspect

import torch


def _uncompiled(kind: type[torch.optim.Optimizer]) -> type[torch.optim.Optimizer]:
    """`kind` of optimiser, whose steps are those of PyTorch, without what only ``torch.compile`` needs.

    Any use of an optimiser imports ``torch._dynamo`` for it, which takes 2 CPU seconds; nothing here is compiled.
    """
    hooked = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in hooked}
    step = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), {**methods, "step": step, "__doc__": kind.__doc__})


Adam = _uncompiled(torch.optim.Adam)
AdamW = _uncompiled(torch.optim.AdamW)
RMSprop = _uncompiled(torch.optim.RMSprop)
