"""Time and memory of every attack of the privacy battery, each in a process of its own.

Peak memory counts the cohorts themselves: float64, candidates + synthetic + reference rows. The exit status is 1 if an
attack took more memory than allowed.
"""

from __future__ import annotations

import time
from concurrent.futures.process import BrokenProcessPool

from common import alone, draw, peak_memory, row

from pseudocohort.experiments.privacy.attacks import ATTACKS, CannotRun, attack_space


def add_options(parser) -> None:
    parser.add_argument("--genes", type=int, default=1000)
    parser.add_argument("--candidates", type=int, default=20_000)
    parser.add_argument("--synthetic", type=int, default=20_000)
    parser.add_argument("--reference", type=int, default=4000)
    parser.add_argument("--attacks", nargs="+", default=list(ATTACKS), choices=list(ATTACKS), metavar="NAME")
    parser.add_argument("--most", type=float, default=4.0, help="GiB allowed")


def measure(name: str, sizes: tuple[int, int, int], genes: int) -> tuple[str, float, float]:
    """Run one attack; what it says, seconds, and peak GiB."""
    (x, y), (r, r_y), (s, s_y) = (draw(n, genes, i, conditions=2) for i, n in enumerate(sizes))
    space = attack_space(x, r, s, y, r_y, s_y)
    del x, r, s
    start = time.perf_counter()
    try:
        said = f"{len(ATTACKS[name](space, seed=0))} scores"
    except CannotRun as reason:
        said = f"NA: {reason}"
    return said, time.perf_counter() - start, peak_memory()


def run(options) -> bool:
    sizes = (options.candidates, options.reference, options.synthetic)
    print(f"{options.genes} genes; {sizes[0]} candidates, {sizes[1]} reference, {sizes[2]} synthetic")
    row("attack", "seconds", "peak GiB", "result")
    too_large = False
    for name in options.attacks:
        try:
            said, seconds, peak = alone(measure, name, sizes, options.genes)
        except BrokenProcessPool:
            row(name, "NA", "NA", "the process ended early")
            too_large = True
            continue
        row(name, f"{seconds:.1f}", f"{peak:.2f}", said)
        too_large |= peak > options.most
    return too_large
