"""What a study was made with: configuration, versions, machine."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from typing import Any

import pandas as pd

from .. import __version__

#: Packages whose versions matter to the numbers, in the order shown.
PACKAGES = (
    "snakemake", "torch", "numpy", "scipy", "scikit-learn", "pandas", "anndata", "scanpy", "statsmodels", "matplotlib",
)  # fmt: skip


def software() -> pd.DataFrame:
    """Versions of pseudocohort, Python and every installed package: columns ``package``, ``version``, ``key``."""
    key = {"pseudocohort": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            key[name] = version(name)
        except PackageNotFoundError:
            key[name] = "not installed"
    # Each question about a distribution reads its file of metadata anew.
    known = [d.metadata for d in distributions()]
    others = {m["Name"].lower(): m["Version"] for m in known if m["Name"]}
    rows = [(n, v, True) for n, v in key.items()] + [(n, v, False) for n, v in sorted(others.items()) if n not in key]
    return pd.DataFrame(rows, columns=["package", "version", "key"])


def _commit(folder: Path) -> str:
    """Commit of the checkout that holds the workflow, or an empty string outside git."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _accelerator() -> str:
    """Name of the GPU that networks would be trained on, or an empty string."""
    if version("torch").endswith("+cpu"):
        return ""  # no GPU for this build, whose import takes seconds
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""


def machine() -> dict[str, Any]:
    """Operating system, processors, accelerator (empty if none) and commit of the workflow."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "accelerator": _accelerator(),
        "commit": _commit(Path(__file__).parent),
    }
