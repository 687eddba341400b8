"""Fifty patients and all genes: time and memory of this project's generators and of other people's.

Data: log2 values of five conditions with silent genes, made up as for ``generators``. Each method gets the same matrix,
with the condition of each profile, and makes as many profiles of each condition, in a process of its own (a peer in its
own environment, which ``--install`` makes). A row has the CPU seconds of that process, fit, sampling and imports
together, its peak GiB, and coverage and AUC against as many other profiles (a random forest's; .5 is best). A method
that is past a limit is tried again with half the genes, until it ends. Peers that are given a hundred genes at most
elsewhere (docs/comparison.md) are left out.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
from pathlib import Path

from common import draw, row

ROOT = Path(__file__).resolve().parents[2]
OURS = ("mvn", "ppca", "copula", "ddpm", "flow", "unclip", "wgan_gp")
PEERS = ("smote", "avatar", "kernel_density", "syng_bts", "sdv_copula", "sdv_copula_per_class")
#: Genes below which a method is not tried.
FEWEST = 500


def add_options(parser) -> None:
    methods = [*(f"ours:{name}" for name in OURS), *PEERS]
    parser.add_argument("--genes", type=int, default=20000)
    parser.add_argument("--samples", type=int, default=50)
    parser.add_argument("--methods", nargs="+", default=methods, choices=methods, metavar="NAME")
    parser.add_argument("--environments", type=Path, default=ROOT / "results/peers/environments")
    parser.add_argument("--install", action="store_true", help="make environments that are not there")
    parser.add_argument("--limit", type=int, default=600, help="CPU seconds")
    parser.add_argument("--memory", type=float, default=8, help="GiB that a process may ask for")


def log_values(n: int, genes: int, seed: int):
    """log2 profiles (n × genes) with silent genes, and their conditions (n,)."""
    import numpy as np
    import pandas as pd

    x, condition = draw(n, genes, seed)
    names = [f"g{i}" for i in range(genes)]
    return pd.DataFrame(np.maximum(4 + 2 * x, 0), columns=names), condition.astype(object)


def likeness(folder: Path, real) -> tuple[float, float]:
    """Coverage of other profiles, and the AUC of a forest that tells them from those made."""
    import numpy as np
    from generators import coverage

    from pseudocohort.metrics.discriminator import discriminator_auc

    with np.load(folder / "made.npz") as file:
        made = file["x"].astype(np.float64)
    real = real.to_numpy(np.float64)
    return coverage(real, made), discriminator_auc(real, made, np.arange(len(real)).astype(str), 1)


def run(options) -> int:
    sys.path.append(str(ROOT / "tools"))
    from peers import _process

    os.environ["MKL_NUM_THREADS"] = str(options.threads)
    limits = _process.Limits(cpu=options.limit, gib=options.memory)
    print(f"{options.samples} profiles, {options.threads} thread(s), {limits.cpu} CPU s and {limits.gib:g} GiB at most")
    row("method", "genes", "CPU s", "GiB", "coverage", "AUC", "note")
    lacking = 0
    for method in options.methods:
        python = _process.interpreter(
            importlib.import_module(f"peers.{method.partition(':')[0]}"), options.environments, options.install
        )
        if python is None:
            row(method, "", "", "", "", "", "no environment; --install makes it")
            lacking += 1
            continue
        genes = options.genes
        while genes >= min(FEWEST, options.genes):
            with tempfile.TemporaryDirectory() as folder:
                x, condition = log_values(options.samples, genes, 1)
                reason = _process.make(method, Path(folder), x, condition, python, 1, limits)
                if reason is None:
                    cost = json.loads((Path(folder) / "cost.json").read_text())
                    covered, auc = likeness(Path(folder), log_values(options.samples, genes, 2)[0])
                    row(
                        method, genes, f"{cost['cpu_seconds']:.1f}", f"{cost['gib']:.2f}", f"{covered:.2f}",
                        f"{auc:.2f}", "",
                    )  # fmt: skip
                    break
                row(method, genes, "", "", "", "", reason)
            genes //= 2
    return int(lacking > 0)
