"""State of a training run in one file: safetensors with a JSON header, replaced in one rename."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..io import atomic

log = logging.getLogger(__name__)


@dataclass
class Checkpoint:
    """Where and how often a run is saved.

    Attributes
    ----------
    path : Path
        The file.
    minutes : float
        Between two savings; 0 saves whenever losses are logged.
    fingerprint : str
        What the run depends on; a file with another one is not resumed from.
    """

    path: Path
    minutes: float = 5.0
    fingerprint: str = ""
    _last: float = field(default_factory=time.monotonic)

    def due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() - self._last >= 60 * self.minutes

    def save(self, tensors: dict[str, torch.Tensor], metadata: dict[str, Any]) -> None:
        """Replace the file."""
        with atomic(self.path) as temporary:
            header = {"state": json.dumps({"fingerprint": self.fingerprint, **metadata})}
            save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, temporary, header)
        self._last = time.monotonic()

    def load(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
        """What was saved last; None if nothing was, or it is damaged or of another run."""
        if not self.path.is_file():
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                metadata = json.loads((file.metadata() or {})["state"])
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  not a dict
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            log.warning("checkpoint %s is damaged (%s): training starts anew", self.path, error)
            return None
        if metadata.pop("fingerprint", None) != self.fingerprint:
            log.warning("checkpoint %s is of another run: training starts anew", self.path)
            return None
        return tensors, metadata

    def remove(self) -> None:
        """Delete the file."""
        self.path.unlink(missing_ok=True)
