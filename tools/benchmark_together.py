"""Seconds of training one small training set, and of training many of them as one.

Usage: python tools/benchmark_together.py [--sets 20] [--profiles 50] [--genes 978] [--width 0] [--device auto]
                                          [--threads 1] [--generators NAME ...]

A line per generator: seconds of one set, of all together, their ratio, and how many times faster that is than one by
one. ``--width`` replaces the generators' own. The data are those of benchmark_generators.py.
"""

from __future__ import annotations

import argparse
import os
import time

from benchmark_generators import cohort


def main() -> None:
    """Print a table."""
    from pseudocohort.generators import registry

    trained = [name for name in registry.TRAINED if name not in registry.PRIVATE]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=20)
    parser.add_argument("--profiles", type=int, default=50)
    parser.add_argument("--genes", type=int, default=978)
    parser.add_argument("--width", type=int, default=0)
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--generators", nargs="+", default=trained, choices=trained)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    from pseudocohort.generators.device import choose_device

    print(f"device {choose_device(options.device)}, {options.threads} thread(s), {options.sets} sets")
    print("generator\tone s\ttogether s\tratio\tfaster")
    parts = [cohort(options.profiles, options.genes, seed) for seed in range(options.sets)]
    for name in options.generators:
        kind, own = registry.get(name), {"width": options.width} if options.width else {}
        common = {"device": options.device}
        kind.fit_together(parts[:2], settings=own | {"steps": 3, "passes": 3}, seeds=[0, 1], **common)
        start = time.perf_counter()
        kind().fit(parts[0], settings=own, seed=0, **common)
        one = time.perf_counter() - start
        start = time.perf_counter()
        kind.fit_together(parts, settings=own, seeds=range(options.sets), **common)
        together = time.perf_counter() - start
        print(
            f"{name}\t{one:.2f}\t{together:.2f}\t{together / one:.1f}\t{one * options.sets / together:.1f}", flush=True
        )


if __name__ == "__main__":
    main()
