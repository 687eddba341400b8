"""Statistics of the training donors under the Gaussian mechanism: counts, class means, variances, covariance.

A donor enters each statistic with one vector, over all its conditions and levels together, whose length is cut to a
fixed radius; noise in proportion to that radius is added to the sum (Dwork & Roth 2014, theorem A.1; Dwork et al. 2014,
STOC, for the covariance). What is made of the noised sums afterwards costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import anndata as ad
import numpy as np
import pandas as pd

from ...core.groups import Key, keys_of, rows_by_key
from ...core.levels import FACTORS
from ..base.ledger import Ledger, Mechanism
from .noise import NoiseStream

#: What may be known of a profile without looking at it.
LABELS = ("condition", *FACTORS, "level")
#: Least variance of a gene or component (log2 units squared).
MIN_VARIANCE = 1e-4


@dataclass(frozen=True)
class Public:
    """What a private generator may know of the study without paying for it.

    `labels` has every combination of condition, level factors and level; `reference` are profiles of other donors that
    are declared public.
    """

    labels: pd.DataFrame
    reference: ad.AnnData | None = None


@dataclass
class DonorProfiles:
    """Each donor's mean profile per (condition, level), around a centre that is not private.

    `x` (pairs × genes) has a row for each pair of a donor and a (condition, level), `donor` and `key` (pairs,) their
    numbers.
    """

    x: np.ndarray
    donor: np.ndarray
    key: np.ndarray

    @classmethod
    def of(cls, profiles: ad.AnnData, keys: list[Key]) -> DonorProfiles:
        """Means over each donor's profiles of a (condition, level)."""
        number = {key: i for i, key in enumerate(keys)}
        donors = np.unique(profiles.obs["donor"].astype(str).to_numpy(), return_inverse=True)[1]
        table = pd.DataFrame({"donor": donors, "key": [number[k] for k in keys_of(profiles.obs)]})
        groups = list(table.groupby(["donor", "key"], sort=True).indices.items())
        x = np.asarray(profiles.X, dtype=np.float64)
        return cls(
            np.stack([x[rows].mean(0) for _, rows in groups]),
            np.array([pair[0] for pair, _ in groups]),
            np.array([pair[1] for pair, _ in groups]),
        )

    def clipped(self, x: np.ndarray, radius: float) -> np.ndarray:
        """Rows `x` of the donors, those of one donor together cut to an L2 norm of at most `radius`."""
        return shortened(x, radius, np.sqrt(np.bincount(self.donor, (x**2).sum(1)))[self.donor])

    def summed(self, x: np.ndarray) -> np.ndarray:
        """Sum over donors of rows `x` (:meth:`clipped`), a donor's k rows over sqrt(k).

        Rows that are cut together to one length may point one way: their plain sum would be sqrt(k) times as long.
        """
        return (x / np.sqrt(np.bincount(self.donor))[self.donor][:, None]).sum(0)


@dataclass
class PrivateStatistics:
    """Noised statistics; each method enters what it releases into the ledger.

    Attributes
    ----------
    keys : list
        (condition, level) pairs.
    multiplier : float, optional
        Noise multiplier of all statistics together; None: noise off.
    shares : dict
        Share of the budget (of the sum of squared inverse multipliers) that each statistic gets; they sum to 1.
    noise : NoiseStream
        The noise, which must stay secret.
    """

    donors: DonorProfiles
    keys: list[Key]
    ledger: Ledger
    multiplier: float | None
    shares: dict[str, float]
    noise: NoiseStream
    count: np.ndarray = field(init=False)

    def release(self, what: str, total: np.ndarray, sensitivity: float, detail: str) -> tuple[np.ndarray, float]:
        """`total` with noise, and the noise's standard deviation."""
        if self.multiplier is None:
            self.ledger.noised(what, f"{detail}; noise is off", None)
            return total, 0.0
        # Gaussian mechanisms compose like one whose squared inverse multiplier is the sum of theirs.
        multiplier = self.multiplier / np.sqrt(self.shares[what])
        self.ledger.noised(what, detail, Mechanism(multiplier))
        sd = multiplier * sensitivity
        return self.noise.added(total, sd), sd

    def release_counts(self) -> None:
        """Donors of each (condition, level), at least 1; a donor of k pairs counts 1/sqrt(k) in each."""
        pairs = np.bincount(self.donors.donor)[self.donors.donor]
        exact = np.bincount(self.donors.key, 1 / np.sqrt(pairs), minlength=len(self.keys))
        self.count = np.maximum(self.release("class counts", exact, 1.0, "donors per condition and level")[0], 1.0)

    @property
    def total(self) -> float:
        """Number of donors, from the noised counts."""
        return float(self.count.sum())

    def centre(self, start: float, span: float, radius: float) -> np.ndarray:
        """Mean profile (genes,) of all donors, in two releases.

        First the mean over donors and genes, one number, each donor's cut to `start` ± `span`; then the genes around
        it, each donor's profile cut to `radius` (root mean square): the better the centre, the shorter the vectors.
        """
        # The first profile of a donor of several conditions stands for it.
        x = self.donors.x[np.unique(self.donors.donor, return_index=True)[1]]
        deviation = np.clip(x.mean(1) - start, -span, span).sum(keepdims=True)
        detail = f"over genes, donors cut to {start:g} ± {span:g}"
        level = start + self.release("mean level", deviation, span, detail)[0][0] / self.total
        around = x - np.clip(level, start - span, start + span)
        limit = radius * np.sqrt(x.shape[1])
        total = shortened(around, limit, np.linalg.norm(around, axis=1)).sum(0)
        noised, sd = self.release("mean profile", total, limit, f"donors cut to {radius:g} around the mean level")
        return np.clip(level, start - span, start + span) + shrunk(noised / self.total, sd / self.total)

    def class_means(self, centre: np.ndarray, radius: float) -> np.ndarray:
        """Means (keys × genes), donors cut to `radius` (root mean square) around `centre` (keys × genes).

        A class mean is shrunk to its centre by as much of its spread as the noise explains.
        """
        x = self.donors.x - centre[self.donors.key]
        limit = radius * np.sqrt(x.shape[1])
        total = np.zeros((len(self.keys), x.shape[1]))
        np.add.at(total, self.donors.key, self.donors.clipped(x, limit))
        noised, sd = self.release("class means", total, limit, f"donors cut to {radius:g} around the centre")
        return centre + np.stack([shrunk(row / n, sd / n) for row, n in zip(noised, self.count, strict=True)])

    def variances(self, mean: np.ndarray, prior: np.ndarray | None, bound: float) -> np.ndarray:
        """Variance (genes,) within classes around `mean` (keys × genes), residuals cut to `bound` gene by gene.

        It is shrunk to `prior` (genes,), else to the mean over genes, by as much of its spread as the noise explains.
        """
        pairs = np.bincount(self.donors.donor)[self.donors.donor]
        residual = np.clip(self.donors.x - mean[self.donors.key], -bound, bound)
        total = (residual**2 / pairs[:, None]).sum(0)
        limit = bound**2 * np.sqrt(len(total))
        noised, sd = self.release("variances", total, limit, f"within classes, residuals cut to {bound:g}")
        raw = noised / self.total
        base = np.full_like(raw, max(float(raw.mean()), MIN_VARIANCE)) if prior is None else prior
        return np.maximum(base + shrunk(raw - base, sd / self.total), MIN_VARIANCE)

    def covariance(self, mean: np.ndarray, radius: float) -> tuple[np.ndarray, float]:
        """Covariance (genes × genes) within classes, donors cut to `radius` (root mean square), and its noise's sd."""
        genes = mean.shape[1]
        limit = radius * np.sqrt(genes)
        x = self.donors.clipped(self.donors.x - mean[self.donors.key], limit)
        noised, sd = self.release("covariance", x.T @ x, limit**2, f"within classes, donors cut to {radius:g}")
        upper = np.triu(noised)
        return (upper + np.triu(noised, 1).T) / self.total, sd / self.total


def shortened(x: np.ndarray, limit: float, norm: np.ndarray) -> np.ndarray:
    """Rows `x` times the limit over their norm (n,), where that is beyond the limit."""
    return x * np.minimum(1.0, limit / np.maximum(norm, 1e-300))[:, None]


def shrunk(x: np.ndarray, noise_sd: float) -> np.ndarray:
    """`x` times the share of its mean square that noise of `noise_sd` does not explain (empirical Bayes)."""
    square = float((x**2).mean())
    return x * max(0.0, 1 - noise_sd**2 / square) if square > 0 else x


def principal_components(
    covariance: np.ndarray, noise_sd: float, most: int, rows: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Components (k × genes), their standard deviations (k,) and what is left of each gene (genes,).

    Eigenvalues below the edge 2 sd sqrt(genes) of a noise matrix's spectrum (Wigner's semicircle) are left out; at most
    `most` components and half the `rows` are kept, at least one.
    """
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = values[::-1], vectors[:, ::-1]
    edge = 2 * noise_sd * np.sqrt(len(values))
    above = int((values > max(edge, 1e-9 * max(values[0], 1e-300))).sum())
    rank = max(1, min(most, int(rows) // 2, above))
    basis = vectors[:, :rank].T
    kept = np.maximum(values[:rank] - noise_sd**2 * len(values) / np.maximum(values[:rank], 1e-9), MIN_VARIANCE)
    rest = np.diag(covariance) - (basis**2 * kept[:, None]).sum(0)
    mean = max(float(rest.mean()), MIN_VARIANCE)
    return basis, np.sqrt(kept), np.sqrt(np.maximum(mean + shrunk(rest - mean, noise_sd), MIN_VARIANCE))


def reference_centre(reference: ad.AnnData, keys: list[Key]) -> tuple[np.ndarray, np.ndarray]:
    """Class means (keys × genes) of public profiles, and their residuals (n × genes); unknown classes get the mean."""
    x = np.asarray(reference.X, dtype=np.float64)
    groups = rows_by_key(reference.obs)
    mean = {key: x[rows].mean(0) for key, rows in groups.items()}
    centre = np.stack([mean.get(key, x.mean(0)) for key in keys])
    residual = x - np.stack([mean[key] for key in keys_of(reference.obs)])
    return centre, residual
