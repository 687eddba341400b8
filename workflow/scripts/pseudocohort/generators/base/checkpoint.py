"""State of a training run in one file: safetensors with a JSON header, the one before kept beside it."""

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

from ...core.io import atomic

log = logging.getLogger(__name__)


@dataclass
class Checkpoint:
    """Where and how often a run is saved.

    `minutes` lie between two savings; 0 saves whenever losses are logged. The `fingerprint` is what the run depends on:
    a file with another one is not resumed from.
    """

    path: Path
    minutes: float = 5.0
    fingerprint: str = ""
    _last: float = field(default_factory=time.monotonic)

    def due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() - self._last >= 60 * self.minutes

    @property
    def previous(self) -> Path:
        """The file saved before the last one."""
        return self.path.with_name(f"{self.path.name}.previous")

    def save(self, tensors: dict[str, torch.Tensor], metadata: dict[str, Any]) -> None:
        """Write the file; the one before becomes :attr:`previous`."""
        with atomic(self.path) as temporary:
            header = {"state": json.dumps({"fingerprint": self.fingerprint, **metadata})}
            save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, temporary, header)
            if self.path.is_file():
                self.path.replace(self.previous)
        self._last = time.monotonic()

    def load(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
        """What was saved last, or before it if that is damaged; None if there is none of this run."""
        found = [path for path in (self.path, self.previous) if path.is_file()]
        return next((saved for path in found if (saved := self._read(path)) is not None), None)

    def _read(self, path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
        try:
            with safe_open(path, framework="pt") as file:
                metadata = json.loads((file.metadata() or {})["state"])
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  not a dict
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            log.warning("checkpoint %s is damaged (%s) and is not used", path, error)
            return None
        if metadata.pop("fingerprint", None) != self.fingerprint:
            log.warning("checkpoint %s is of another run and is not used", path)
            return None
        return tensors, metadata
