"""Principal components of few profiles and many genes."""

from __future__ import annotations

import numpy as np


def leading_components(x: np.ndarray, k: int) -> np.ndarray:
    """Loadings (k, G) of the leading principal components of centred rows `x` (n, G)."""
    k = min(k, len(x) - 1, x.shape[1])
    wide = len(x) < x.shape[1]
    squares, vectors = np.linalg.eigh(x @ x.T if wide else x.T @ x)
    kept = np.arange(len(squares))[: -k - 1 : -1]
    kept = kept[squares[kept] > 1e-10 * squares[-1]]
    return (vectors[:, kept].T @ x) / np.sqrt(squares[kept])[:, None] if wide else vectors[:, kept].T


def without(x: np.ndarray, components: np.ndarray) -> np.ndarray:
    """Rows (n, G) without what lies along `components` (k, G)."""
    return x - (x @ components.T) @ components
