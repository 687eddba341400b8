"""Arrays and metadata in a folder: safetensors and JSON, no pickle, written in one rename."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ...core.errors import ContractError
from ...core.io import atomic

ARRAYS, METADATA = "arrays.safetensors", "metadata.json"


@contextmanager
def stored_as_expected(path: str | Path) -> Iterator[None]:
    """Turn what goes wrong when an object is made of stored state of another form into an error for people.

    Raises
    ------
    ContractError
        If a key is missing, or a value is not what it was.
    """
    try:
        yield
    except (AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise ContractError(
            f"damaged, or stored by another version: {type(error).__name__}: {str(error)[:200]}",
            where=str(path),
            remedy="delete the folder and run the training rule again",
        ) from error


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
    stored = metadata.pop("name", None) if isinstance(metadata, dict) else metadata
    if stored != name:
        raise ContractError(f"holds {stored!r}, not {name!r}", where=str(path), remedy="train the generator again")
    return arrays, metadata


def with_prefix(prefix: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays of a part of an object, each named ``prefix/name``."""
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def of_prefix(prefix: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays that :func:`with_prefix` named so, under their own names."""
    start = f"{prefix}/"
    return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}


def numbered(keys: Iterable[Any], **tables: Mapping[Any, Any]) -> dict[str, Any]:
    """Arrays of tables with these keys, named ``table/0``, ``table/1``, ...: in JSON and safetensors names are text."""
    return {f"{name}/{i}": table[key] for name, table in tables.items() for i, key in enumerate(keys)}


def tables_of(names: Iterable[str], keys: Iterable[Any], arrays: Mapping[str, Any]) -> list[dict[Any, Any]]:
    """The tables of these names that :func:`numbered` made arrays of; keys that were tuples are so again."""
    keys = [tuple(key) if isinstance(key, list) else key for key in keys]
    return [{key: arrays[f"{name}/{i}"] for i, key in enumerate(keys)} for name in names]


def ledger_of(path: str | Path, name: str) -> dict[str, Any] | None:
    """Privacy ledger of the stored generator called `name`; None if it has none."""
    return load_state(path, name)[1].get("ledger")
