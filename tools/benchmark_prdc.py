"""Time and memory of precision, recall, density and coverage, beside scikit-learn's neighbour search.

Usage: python tools/benchmark_prdc.py [--genes 1000] [--samples 2000 5000 10000 20000]
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow/scripts"))


def measure(which: str, n: int, genes: int, answer) -> None:
    """Run one implementation on n real and n synthetic profiles; seconds and peak GiB of this process."""
    rng = np.random.default_rng(0)
    real, synthetic = (
        rng.standard_normal((n, genes), dtype=np.float32),
        rng.standard_normal((n, genes), dtype=np.float32),
    )
    if which == "blockwise":
        from pseudocohort.metrics.prdc import precision_recall_density_coverage as run
    else:
        from sklearn.neighbors import NearestNeighbors

        def run(a, b, k):
            for x, y in ((a, a), (b, b), (a, b)):
                NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(x).kneighbors(y)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    run(real, synthetic, 10)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer.put((seconds, peak / 1024**2, (peak - before) / 1024**2))


def main() -> None:
    """Print a table, one process per measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--genes", type=int, default=1000)
    parser.add_argument("--samples", type=int, nargs="+", default=[2000, 5000, 10_000, 20_000])
    options = parser.parse_args()
    print(f"{options.genes} genes, n real and n synthetic profiles, k = 10")
    print("n\timplementation\tseconds\tpeak GiB\tof which added GiB")
    context = get_context("spawn")
    for n in options.samples:
        for which in ("blockwise", "scikit-learn"):
            answer = context.Queue()
            process = context.Process(target=measure, args=(which, n, options.genes, answer))
            process.start()
            seconds, peak, added = answer.get()
            process.join()
            print(f"{n}\t{which}\t{seconds:.1f}\t{peak:.2f}\t{added:.2f}", flush=True)


if __name__ == "__main__":
    main()
