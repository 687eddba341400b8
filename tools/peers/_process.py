"""Environments of the peers, and a process for each fit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Limits:
    """What a fit may take: wall seconds, CPU seconds and GiB of memory that it asks for; None: all there is."""

    wall: float | None = None
    cpu: int | None = None
    gib: float | None = None


def interpreter(peer, environments: Path, install: bool) -> Path | None:
    """Python of a peer's environment, made if asked for; None where there is none."""
    if peer.ENVIRONMENT is None:
        return Path(sys.executable)
    folder = environments / peer.ENVIRONMENT
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if python.exists() or not install:
        return python if python.exists() else None
    print(f"making {folder}", file=sys.stderr)
    venv.create(folder, with_pip=True)
    wanted = FOLDER / "requirements" / f"{peer.ENVIRONMENT}.txt"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", wanted], check=True)
    return python


def make(
    method: str, folder: Path, x: pd.DataFrame, classes: np.ndarray, python: Path, seed: int, limits: Limits
) -> str | None:
    """Fit and sample as many profiles of each class, in a process of its own; what went wrong, or None.

    Parameters
    ----------
    method : str
        Peer, or ``ours:<generator>``.
    folder : Path
        Gets ``made.npz`` and ``cost.json``, or ``failed.txt``; with any of the last two nothing is done again.
    x : DataFrame (profiles × genes)
        log2 expression.
    classes : ndarray (profiles,)
    python : Path
        Of :func:`interpreter`.
    seed : int
    limits : Limits
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "cost.json").exists():
        return None
    failed = folder / "failed.txt"
    if failed.exists():
        return failed.read_text()
    names = {"genes": x.columns.to_numpy(str), "classes": classes.astype(str)}
    np.savez(folder / "train.npz", x=x.to_numpy(np.float32), **names)
    counts = {str(k): int(n) for k, n in zip(*np.unique(names["classes"], return_counts=True), strict=True)}
    request = {"n_per_class": counts, "seed": seed, "cpu_seconds": limits.cpu, "gib": limits.gib}
    (folder / "request.json").write_text(json.dumps(request))
    command = [str(python), str(FOLDER / "_run.py"), method, str(folder)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limits.wall, env=environment)
        reason = None if done.returncode == 0 else _reason(done, limits)
    except subprocess.TimeoutExpired:
        reason = f"not done in {limits.wall:.0f} s"
    (folder / "train.npz").unlink()
    if reason:
        failed.write_text(reason)
    return reason


def _reason(done: subprocess.CompletedProcess, limits: Limits) -> str:
    """Why a process ended with an error: one of the limits, or the last line that it wrote."""
    if limits.cpu and done.returncode == -signal.SIGXCPU:
        return f"not done in {limits.cpu} CPU s"
    lines = done.stderr.strip().splitlines() or [f"ended with status {done.returncode}, without a message"]
    out_of_memory = ("MemoryError", "Unable to allocate", "can't allocate memory", "not enough memory", "bad_alloc")
    if limits.gib and any(words in line for words in out_of_memory for line in lines):
        return f"wants more than {limits.gib:g} GiB"
    return lines[-1]
