"""Numbers and names in sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np


def number(value: float, digits: int = 2) -> str:
    """Number without a leading zero, with a real minus sign."""
    if not np.isfinite(value):
        return "n/a"
    text = f"{abs(value):.{digits}f}"
    text = text[1:] if text.startswith("0.") else text
    return f"−{text}" if value < 0 and float(f"{value:.{digits}f}") != 0 else text


def words(name: str) -> str:
    """Name of an attack or operator in words."""
    spelled = {
        "gaussian": "Gaussian", "bayes": "Bayes", "pca": "PCA", "logan": "LOGAN", "domias": "DOMIAS", "see": "SEE",
        "pc5": "without five components",
    }  # fmt: skip
    return " ".join(spelled.get(word, word) for word in name.split("_"))


def count(number: int, noun: str) -> str:
    """Number with its noun, in the singular for one: ``1 gene``, ``1,200 genes``."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def some(items: Iterable[object], most: int, total: int | None = None) -> str:
    """First items, and how many more there are, of `total` where not all are given: ``a, b and 3 more``."""
    items = list(items)
    rest = (len(items) if total is None else total) - most
    return ", ".join(map(str, items[:most])) + (f" and {rest:,} more" if rest > 0 else "")


def points(value: float) -> str:
    """Difference of two shares in percentage points, with its sign."""
    value = round(100 * value, 1)
    return f"{'+' if value >= 0 else '−'}{abs(value):.1f}"


def between(low: float, high: float, form: Callable[[float], str]) -> str:
    """Interval in brackets; empty where it is not defined."""
    return f" [{form(low)}, {form(high)}]" if np.isfinite(low) and np.isfinite(high) else ""
