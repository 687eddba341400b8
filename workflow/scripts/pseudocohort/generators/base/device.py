"""Where networks run."""

from __future__ import annotations

import os

import torch

from ...core.errors import UserError


def choose_device(asked: str) -> torch.device:
    """Device for ``auto`` (the GPU if there is one), ``cpu`` or ``cuda``.

    On the CPU the number of threads is that of the job (``OMP_NUM_THREADS``, which Snakemake sets), one if unset.

    Raises
    ------
    UserError
        If CUDA is asked for and not there.
    """
    if asked == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "no CUDA device is visible", where="training.device", remedy="use auto or cpu, or ask the cluster for a GPU"
        )
    if asked == "cuda" or (asked == "auto" and torch.cuda.is_available()):
        return torch.device("cuda")
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    return torch.device("cpu")


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """Context of automatic mixed precision: with ``bfloat16`` products are of that type, weights and sums float32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")
