"""How the assays see log2 abundances: bulk TPM, bulk read counts and 3' UMI counts."""

from __future__ import annotations

import numpy as np


def bulk_tpm(
    states: np.ndarray, rng: np.random.Generator, *, noise: float, offset: np.ndarray | float = 0.0
) -> np.ndarray:
    """TPM (n, G) of bulk profiles.

    The genes of the demo stand for a small part of a transcriptome, so that a change in them leaves the total of one
    million as it is; the log2 of a TPM is therefore the state itself plus offset and technical noise.

    Parameters
    ----------
    states : ndarray (n, G)
        Log2 abundances.
    rng : Generator
    noise : float
        Standard deviation of the technical noise, log2 units.
    offset : ndarray (G,) or float
        Per-gene offset of the data set, log2 units.
    """
    return 2.0 ** (states + offset + rng.normal(0, noise, states.shape))


def read_counts(
    states: np.ndarray, rng: np.random.Generator, *, reads: int, offset: np.ndarray | float = 0.0
) -> np.ndarray:
    """Bulk read counts (n, G): `reads` per sample on average over these genes, Poisson."""
    shares = _shares(states + offset)
    depth = reads * 2.0 ** rng.normal(0, 0.3, (len(states), 1))
    return rng.poisson(shares * depth).astype(np.int32)


def umi_counts(
    states: np.ndarray,
    rng: np.random.Generator,
    *,
    mitochondrial: np.ndarray,
    library_size: np.ndarray,
    mitochondrial_share: np.ndarray,
    dispersion: float,
    offset: np.ndarray | float = 0.0,
) -> np.ndarray:
    """UMI counts (n, G) of cells, negative binomial given each cell's library size.

    Parameters
    ----------
    states : ndarray (n, G)
        Log2 abundances of the cells.
    rng : Generator
    mitochondrial : ndarray of bool (G,)
        Mitochondrial genes.
    library_size : ndarray (n,)
        Expected molecules per cell.
    mitochondrial_share : ndarray (n,)
        Expected share of the molecules that are mitochondrial.
    dispersion : float
        Variance = mean + dispersion * mean^2.
    offset : ndarray (G,) or float
        Per-gene capture of the technology, log2 units.
    """
    shares = np.zeros_like(states, dtype=float)
    seen = states + offset
    shares[:, ~mitochondrial] = _shares(seen[:, ~mitochondrial]) * (1 - mitochondrial_share[:, None])
    shares[:, mitochondrial] = _shares(seen[:, mitochondrial]) * mitochondrial_share[:, None]
    mean = shares * library_size[:, None]
    return rng.poisson(mean * rng.gamma(1 / dispersion, dispersion, mean.shape)).astype(np.int32)


def _shares(log_abundance: np.ndarray) -> np.ndarray:
    abundance = 2.0**log_abundance
    return abundance / abundance.sum(1, keepdims=True)
