"""Arrays and metadata in a folder: safetensors and JSON, no pickle, written in one rename."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ...core.errors import ContractError
from ...core.io import atomic

ARRAYS, METADATA = "arrays.safetensors", "metadata.json"


def save_state(path: str | Path, name: str, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> None:
    """Write `arrays` and `metadata` of the object called `name` to the folder `path`."""
    with atomic(path) as folder:
        folder.mkdir()
        save_file({key: np.ascontiguousarray(value) for key, value in arrays.items()}, folder / ARRAYS)
        text = json.dumps({"name": name, **metadata}, indent=1, sort_keys=True, allow_nan=False)
        (folder / METADATA).write_text(text + "\n")


def load_state(path: str | Path, name: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what :func:`save_state` wrote.

    Raises
    ------
    ContractError
        If the folder is missing or damaged, or holds an object of another name.
    """
    path = Path(path)
    try:
        metadata = json.loads((path / METADATA).read_text())
        arrays = load_file(path / ARRAYS)
    except (OSError, ValueError, SafetensorError) as error:
        raise ContractError(
            f"cannot be read as a stored {name}: {error}",
            where=str(path),
            remedy="delete the folder and run the training rule again",
        ) from error
    stored = metadata.pop("name", None)
    if stored != name:
        raise ContractError(f"holds {stored!r}, not {name!r}", where=str(path), remedy="train the generator again")
    return arrays, metadata
