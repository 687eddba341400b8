"""Subsets of equal size and like class proportions: distances and tests depend on how many rows are compared."""

from __future__ import annotations

import numpy as np

#: At most so many parts of the larger set are compared with the smaller one.
MAX_CHUNKS = 5


def in_class_order(classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Row numbers (n,) sorted by class, in random order within each: evenly spaced rows keep the proportions."""
    shuffled = rng.permutation(len(classes))
    return shuffled[np.argsort(np.asarray(classes, dtype=str)[shuffled], kind="stable")]


def matched_chunks(a: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Disjoint sets of row numbers of the larger of two sets, each as large as the smaller set, and the smaller set's.

    `a` and `b` are the classes of the rows; every part has about the class proportions of its set. The smaller set's
    list has one part, all its rows.
    """
    size = min(len(a), len(b))
    parts = []
    for classes in (a, b):
        n = len(classes)
        count = min(n // size, MAX_CHUNKS)
        order = in_class_order(classes, rng)
        spread = order[((np.arange(count * size) + 0.5) * n / (count * size)).astype(int)]
        parts.append([np.sort(spread[i::count]) for i in range(count)])
    return parts[0], parts[1]


def matched_subset(classes: np.ndarray, target: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Row numbers of as many rows of each class as `target` has, drawn without replacement, as far as there are."""
    classes, target = np.asarray(classes, dtype=str), np.asarray(target, dtype=str)
    rows = []
    for name, wanted in zip(*np.unique(target, return_counts=True), strict=True):
        there = np.flatnonzero(classes == name)
        rows.append(rng.permutation(there)[:wanted])
    return np.sort(np.concatenate(rows))


def donor_halves(donors: np.ndarray, classes: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of two halves without a common donor; donors are dealt out in turn within each class."""
    donors = np.asarray(donors, dtype=str)
    _, first, codes = np.unique(donors, return_index=True, return_inverse=True)
    order = in_class_order(np.asarray(classes, dtype=str)[first], rng)
    turn = np.empty(len(first), dtype=int)
    turn[order] = np.arange(len(first)) % 2
    half = turn[codes]
    return np.flatnonzero(half == 0), np.flatnonzero(half == 1)
