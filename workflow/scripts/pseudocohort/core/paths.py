"""Where the data of a study lie."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def data_root(config: Mapping[str, Any]) -> str:
    """Folder that replaces ``{data_root}``: the configuration's, else the environment's; empty if neither names one."""
    return str(config.get("data_root") or os.environ.get("PSEUDOCOHORT_DATA", ""))


def in_data_root(path: str, config: Mapping[str, Any]) -> str:
    """A path with ``{data_root}`` replaced."""
    return path.replace("{data_root}", data_root(config).rstrip("/"))


def put_before_installed(folder: Path) -> None:
    """Let Python processes started from here find packages in a folder before installed ones.

    Snakemake puts a script's folder last on the path: a package that is installed, from another checkout perhaps, would
    go before that of the workflow that runs.
    """
    others = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), *(x for x in others if x and x != str(folder))])
