"""Time and memory of every attack of the privacy battery, each in a process of its own.

Usage: python tools/benchmark_attacks.py [--genes 1000] [--candidates 20000] [--synthetic 20000] [--reference 4000]
                                         [--attacks NAME ...] [--threads 1]

Peak memory counts the cohorts themselves: float64, candidates + synthetic + reference rows.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow/scripts"))


def cohort(n: int, genes: int, seed: int):
    """Profiles (n × genes, log2 units) of two conditions with twenty factors in common."""
    import numpy as np

    fixed, rng = np.random.default_rng(99), np.random.default_rng(seed)
    loadings = (0.5 * fixed.standard_normal((20, genes))).astype(np.float32)
    contrast = (0.5 * fixed.standard_normal((2, genes))).astype(np.float32)
    kind = np.arange(n) % 2
    x = rng.standard_normal((n, 20), dtype=np.float32) @ loadings
    x += contrast[kind]
    x += 8 + rng.standard_normal((n, genes), dtype=np.float32)
    return x, np.array(["a", "b"])[kind]


def measure(name: str, sizes: dict[str, int], genes: int, answer) -> None:
    """Run one attack; what it says, seconds, and peak GiB of this process."""
    from pseudocohort.experiments.privacy.attacks import ATTACKS, CannotRun, attack_space

    (x, y), (r, r_y), (s, s_y) = (
        cohort(sizes[kind], genes, i) for i, kind in enumerate(("candidates", "reference", "synthetic"))
    )
    space = attack_space(x, r, s, y, r_y, s_y)
    del x, r, s
    start = time.perf_counter()
    try:
        scores = ATTACKS[name](space, seed=0)
        said = f"{len(scores)} scores"
    except CannotRun as reason:
        said = f"NA: {reason}"
    seconds = time.perf_counter() - start
    answer.put((said, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2))


def main() -> None:
    """Print a table; the exit status is 1 if an attack took more than the memory allowed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--genes", type=int, default=1000)
    parser.add_argument("--candidates", type=int, default=20_000)
    parser.add_argument("--synthetic", type=int, default=20_000)
    parser.add_argument("--reference", type=int, default=4000)
    parser.add_argument("--attacks", nargs="+")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--most", type=float, default=4.0, help="GiB allowed")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(options.threads)

    from pseudocohort.experiments.privacy.attacks import ATTACKS

    sizes = {kind: getattr(options, kind) for kind in ("candidates", "reference", "synthetic")}
    print(f"{options.genes} genes; " + ", ".join(f"{n} {kind}" for kind, n in sizes.items()))
    print("attack\tseconds\tpeak GiB\tresult")
    context, worst = get_context("spawn"), 0.0
    for name in options.attacks or ATTACKS:
        answer = context.Queue()
        process = context.Process(target=measure, args=(name, sizes, options.genes, answer))
        process.start()
        while process.is_alive() and answer.empty():
            time.sleep(0.1)
        if answer.empty():
            print(f"{name}\tNA\tNA\tended with status {process.exitcode}", flush=True)
            worst = float("inf")
            continue
        said, seconds, peak = answer.get()
        process.join()
        worst = max(worst, peak)
        print(f"{name}\t{seconds:.1f}\t{peak:.2f}\t{said}", flush=True)
    sys.exit(worst > options.most)


if __name__ == "__main__":
    main()
