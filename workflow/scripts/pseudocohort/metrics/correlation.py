"""Gene-gene correlation score: do genes vary together as they do in reality?"""

from __future__ import annotations

import numpy as np

#: Genes that are correlated with each other at most; of more, a seeded subset is taken (n² memory).
MAX_GENES = 2000


def scored_genes(n_genes: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of all genes, or of a random subset of :data:`MAX_GENES`."""
    if n_genes <= MAX_GENES:
        return np.arange(n_genes)
    return np.sort(rng.choice(n_genes, MAX_GENES, replace=False))


def centred(x: np.ndarray, classes: np.ndarray | None) -> np.ndarray:
    """Rows of `x` less the mean of their class (rows alone in their class left out), or of all rows if None."""
    x = np.asarray(x, dtype=np.float64)
    if classes is None:
        return x - x.mean(0)
    _, codes, counts = np.unique(np.asarray(classes, dtype=str), return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), x.shape[1]))
    np.add.at(sums, codes, x)
    return (x - (sums / counts[:, None])[codes])[counts[codes] > 1]


def _unit_columns(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns of unit length, and which had any; the others are 0."""
    length = np.sqrt((x * x).sum(0))
    varies = length > 1e-6 * np.sqrt(max(len(x), 1))
    return x / np.where(varies, length, 1.0) * varies, varies


def correlation_score(
    real: np.ndarray,
    synthetic: np.ndarray,
    real_class: np.ndarray | None = None,
    synthetic_class: np.ndarray | None = None,
) -> float:
    """Pearson correlation between the gene-gene Pearson correlations of two sets (Viñas et al. 2022, S_dist).

    With classes, each set is centred by its own class means first: pooled, the score mostly shows whether class means
    are right (.86 for genes that are independent given the tissue). Genes constant in `real` are left out; a gene
    constant in `synthetic` only has correlation 0 with all others there.

    Parameters
    ----------
    real, synthetic : ndarray (n × genes), (m × genes)
    real_class, synthetic_class : ndarray, optional
        Class of each row.

    Returns
    -------
    float
        NaN if fewer than three genes vary in `real`, or if no two synthetic genes do.
    """
    pairs = _correlations(real, synthetic, real_class, synthetic_class)
    if pairs is None:
        return float("nan")
    a, b = pairs
    a = a - a.mean()
    b = b - b.mean()
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 0 else float("nan")


def correlation_error(
    real: np.ndarray,
    synthetic: np.ndarray,
    real_class: np.ndarray | None = None,
    synthetic_class: np.ndarray | None = None,
) -> float:
    """Mean absolute difference between the gene-gene correlations of two sets; parameters as `correlation_score`.

    Two real sets differ as well, by about 1.1 over the root of their size where genes are independent: read it beside
    real against real of one size.
    """
    pairs = _correlations(real, synthetic, real_class, synthetic_class)
    return float("nan") if pairs is None else float(np.abs(pairs[0] - pairs[1]).mean())


def _correlations(
    real: np.ndarray, synthetic: np.ndarray, real_class: np.ndarray | None, synthetic_class: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray] | None:
    """Correlations of all pairs of the genes that vary in `real`, in either set; None if there are fewer than three."""
    left, varies = _unit_columns(centred(real, real_class))
    if varies.sum() < 3:
        return None
    right, _ = _unit_columns(centred(synthetic, synthetic_class)[:, varies])
    upper = np.triu_indices(int(varies.sum()), 1)
    a, b = ((z.T @ z)[upper] for z in (left[:, varies], right))
    return a, b
