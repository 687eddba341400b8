"""Where the data of a study lie."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any


def data_root(config: Mapping[str, Any]) -> str:
    """Folder that replaces ``{data_root}``: the configuration's, else the environment's; empty if neither names one."""
    return str(config.get("data_root") or os.environ.get("PSEUDOCOHORT_DATA", ""))


def in_data_root(path: str, config: Mapping[str, Any]) -> str:
    """A path with ``{data_root}`` replaced."""
    return path.replace("{data_root}", data_root(config).rstrip("/"))
