"""What the benchmarks share: a process of its own for each measurement, tables, simulated profiles."""

from __future__ import annotations

import logging
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

#: Generators with a preset of published hyper-parameters.
PUBLISHED = ("wgan_gp", "ddpm")


def row(*cells: object) -> None:
    """Print a row of a table."""
    print("\t".join(map(str, cells)), flush=True)


def seconds(function: Callable, *arguments) -> float:
    """Wall time of a call."""
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def peak_memory() -> float:
    """Largest memory that this process has held, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def alone(function: Callable, *arguments) -> Any:
    """What `function` returns in a process of its own: memory and imports of other measurements do not count.

    Raises
    ------
    BrokenProcessPool
        If the process ends early.
    """
    with ProcessPoolExecutor(1, get_context("spawn"), logging.disable, (logging.WARNING,)) as pool:
        return pool.submit(function, *arguments).result()


def draw(n: int, genes: int, seed: int, conditions: int = 5):
    """Standardised profiles (n × genes, float32) with thirty skewed factors in common, and their conditions (n,)."""
    import numpy as np

    fixed, rng = np.random.default_rng(99), np.random.default_rng(seed)
    loadings, contrast = 0.4 * fixed.standard_normal((30, genes)), 0.6 * fixed.standard_normal((conditions, genes))
    condition = np.arange(n) % conditions
    factors = rng.gamma(2, size=(n, 30)) / 2**0.5 - 2**0.5  # skewed: a Gaussian is not the truth
    x = contrast[condition] + factors @ loadings + rng.standard_normal((n, genes))
    scale = np.sqrt((loadings**2).sum(0) + (contrast**2).mean(0) + 1)
    return (x / scale).astype(np.float32), np.array(list("ABCDE"))[condition]


def cohort(n: int, genes: int, seed: int):
    """:func:`draw` as AnnData."""
    import anndata as ad
    import pandas as pd

    x, condition = draw(n, genes, seed)
    names = [f"d{seed}-{i}" for i in range(n)]
    level = {"technology": "bulk", "aggregation": "bulk", "context": "tumour", "level": "tumour"}
    return ad.AnnData(x, obs=pd.DataFrame({"donor": names, "condition": condition, **level}, index=names))


def trained_generators() -> list[str]:
    """Names of the generators that train a network on log values, without privacy."""
    from pseudocohort.generators.base.registry import generators

    able = {name: described.capabilities for name, described in generators().items()}
    return [name for name, can in able.items() if can.trained and not (can.private or can.counts)]
