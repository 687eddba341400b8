"""Fit and sample one peer in this process, and measure it.

Usage: PYTHON tools/peers/_run.py PEER FOLDER

Reads FOLDER/train.npz (x, genes, classes) and FOLDER/request.json (n_per_class, seed, and where there are limits
cpu_seconds and gib); writes FOLDER/made.npz (x, classes) and FOLDER/cost.json: CPU seconds of the whole process with
its imports, and its peak memory.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from pathlib import Path

# Instead of this folder, where files are called as the packages that they import.
sys.path[0] = str(Path(__file__).resolve().parents[1])


def main() -> None:
    """See the module."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    request = json.loads((folder / "request.json").read_text())
    if request.get("cpu_seconds"):
        # The first limit ends the process with a signal of its own.
        resource.setrlimit(resource.RLIMIT_CPU, (request["cpu_seconds"], request["cpu_seconds"] + 10))
    if request.get("gib"):
        # Memory that is asked for, not what is mapped: libraries map files of gigabytes.
        resource.setrlimit(resource.RLIMIT_DATA, (int(request["gib"] * 1024**3),) * 2)
    import numpy as np
    import pandas as pd

    with np.load(folder / "train.npz") as given:
        x, genes, classes = given["x"], given["genes"].astype(str), given["classes"].astype(str).astype(object)
    ours, _, generator = name.partition(":")
    peer = importlib.import_module(f"peers.{ours}")
    further = {"generator": generator} if generator else {}
    start = time.perf_counter()
    made = peer.fit_sample(pd.DataFrame(x, columns=genes), classes, request["n_per_class"], request["seed"], **further)
    wall = time.perf_counter() - start
    values = made[list(genes)].to_numpy(np.float32)
    np.savez(folder / "made.npz", x=values, classes=np.array(made.index.astype(str), dtype=str))
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cost = {
        "cpu_seconds": sum(u.ru_utime + u.ru_stime for u in used),
        "wall_seconds": wall,
        "gib": max(u.ru_maxrss for u in used) / 1024**2,
    }
    (folder / "cost.json").write_text(json.dumps(cost))


if __name__ == "__main__":
    main()
