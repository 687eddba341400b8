"""Time and memory of precision, recall, density and coverage, beside scikit-learn's neighbour search.

n real and n synthetic profiles, ten neighbours; the searches of scikit-learn are the three that the metrics need. Least
CPU seconds of some runs.
"""

from __future__ import annotations

import time

from common import alone, draw, peak_memory, row


def add_options(parser) -> None:
    parser.add_argument("--genes", type=int, default=1000)
    parser.add_argument("--samples", type=int, nargs="+", default=[2000, 5000, 10_000, 20_000])
    parser.add_argument("--runs", type=int, default=3)


def searches(real, synthetic, k: int) -> None:
    """The nearest real profiles of real and synthetic ones, and the nearest synthetic of synthetic."""
    from sklearn.neighbors import NearestNeighbors

    for x, y in ((real, real), (synthetic, synthetic), (real, synthetic)):
        NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(x).kneighbors(y)


def measure(which: str, n: int, genes: int) -> tuple[float, float]:
    """CPU seconds and peak GiB of one implementation."""
    from pseudocohort.metrics.prdc import precision_recall_density_coverage

    function = searches if which == "scikit-learn" else precision_recall_density_coverage
    real, synthetic = (draw(n, genes, seed)[0] for seed in (1, 2))
    function(real[:200], synthetic[:200], 10)  # imports
    start = time.process_time()
    function(real, synthetic, 10)
    return time.process_time() - start, peak_memory()


def run(options) -> None:
    print(f"{options.genes} genes, {options.threads} thread(s)")
    row("n", "implementation", "CPU s", "peak GiB")
    for n in options.samples:
        for which in ("prdc", "scikit-learn"):
            found = [alone(measure, which, n, options.genes) for _ in range(options.runs)]
            row(n, which, *(f"{min(values):.2f}" for values in zip(*found, strict=True)))
