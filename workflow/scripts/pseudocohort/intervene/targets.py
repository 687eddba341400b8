"""Therapeutic targets of a condition: its regulators, ranked by how much more it expresses them than other conditions.

On six TCGA cancers this ranking told the transcription factors on which the lines of the same lineage depend from
those on which other lineages do; regulon activity, tumour against normal and simulated reversal did not, so they are
columns beside the rank and are never added to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse, stats

from ..core.errors import UserError
from .study import Rows

#: Other conditions needed at least: against fewer, what is common in one of them decides.
MIN_PANEL = 3
#: Targets in the profiles that make a gene a regulator.
MIN_REGULON = 5
#: Regulators needed at least: the first of fewer are no choice.
MIN_REGULATORS = 10
#: Profiles of the condition needed at least.
MIN_PROFILES = 10
BOOTSTRAPS = 100
TOP = 10


@dataclass(frozen=True)
class Cohort:
    """Profiles (n, G; log2 units), as a matrix or :class:`.study.Rows`, of one level, and their conditions (n,)."""

    x: np.ndarray | Rows
    conditions: np.ndarray

    def panel(self, condition: str) -> list[str]:
        """Other conditions with enough profiles."""
        names, counts = np.unique(self.conditions, return_counts=True)
        return [str(n) for n, c in zip(names, counts, strict=True) if n != condition and c >= MIN_PROFILES]


def expression_difference(own: np.ndarray, cohort: Cohort, panel: Sequence[str]) -> np.ndarray:
    """Mean of `own` (n, G) less the mean over the panel of each condition's mean; (G,), log2 units."""
    return own.mean(0) - np.mean([cohort.x[cohort.conditions == c].mean(0) for c in panel], axis=0)


def ulm(values: np.ndarray, weights: sparse.csc_array) -> np.ndarray:
    """Regulon activity (R,): t of the slope of `values` (G,) on the weights (G, R) of each regulator's targets.

    The univariate linear model of decoupleR (Badia-i-Mompel et al. 2022, doi:10.1093/bioadv/vbac016).
    """
    n = len(values)
    y = values - values.mean()
    total = np.asarray(weights.sum(0)).ravel()
    square = np.asarray((weights * weights).sum(0)).ravel()
    covariance = weights.T @ y
    spread = square - total**2 / n
    r = np.divide(covariance, np.sqrt(spread * (y @ y)), out=np.zeros_like(covariance), where=spread > 1e-12)
    return r * np.sqrt((n - 2) / np.maximum(1 - r**2, 1e-12))


def reversal(slopes: np.ndarray, gene: int, towards: np.ndarray) -> float:
    """Share, in %, of the distance from tumour to normal that setting a gene to its normal mean takes back.

    `slopes` (G,) are DO|G's on the gene, `towards` (G,) the normal mean less the tumour mean, log2 units. The gene
    itself does not count.
    """
    others = np.arange(len(slopes)) != gene
    before = np.linalg.norm(towards[others])
    after = np.linalg.norm((towards - slopes * towards[gene])[others])
    return float(100 * (1 - after / before))


def rank(
    own: np.ndarray, cohort: Cohort, condition: str, symbols: np.ndarray, signs: sparse.csc_array, *, seed: int
) -> tuple[pd.DataFrame, np.ndarray]:
    """Genes of a condition with what is known of them, regulators first by rank.

    Parameters
    ----------
    own : ndarray (n, G)
        Tumours asked about, all of the condition or some of its patients; log2 units.
    cohort : Cohort
        Tumours of all conditions, of which `condition` is left out of the panel.
    symbols : ndarray of str (G,)
    signs : csc_array (G, G)
        Regulatory graph, entry [target, regulator].

    Returns
    -------
    table : DataFrame
        One row a gene, in the order of the genes: ``symbol``, ``regulator`` (bool), ``rank`` (regulators only),
        ``expression_difference`` with ``ci_low``, ``ci_high`` (log2), ``rank_low``, ``rank_high`` (90 % of the
        bootstraps), ``in_top_10`` (share of the bootstraps), ``activity`` (t of the ULM on the difference), ``mean``.
    panel : ndarray of str

    Raises
    ------
    UserError
        If there are too few profiles, conditions to compare with, or regulators.
    """
    panel = cohort.panel(condition)
    where = f"question about targets of {condition!r}"
    if len(own) < MIN_PROFILES:
        raise UserError(
            f"only {len(own)} profiles; {MIN_PROFILES} are needed", where=where,
            remedy="ask about the whole condition, or about the condition that it is part of",
        )  # fmt: skip
    if len(panel) < MIN_PANEL:
        raise UserError(
            f"only {len(panel)} other conditions with {MIN_PROFILES} profiles; {MIN_PANEL} are needed as a panel",
            where=where,
            remedy="add data sets of other conditions of the same level",
        )
    regulators = np.flatnonzero(np.diff(signs.indptr) >= MIN_REGULON)
    if len(regulators) < MIN_REGULATORS:
        raise UserError(
            f"{len(regulators)} of the study's {len(symbols):,} genes have {MIN_REGULON} targets in the graph; a rank "
            f"needs {MIN_REGULATORS}",
            where=where,
            remedy="use data sets with more genes in common, lower interventions.confidence, or give another graph",
        )
    difference = expression_difference(own, cohort, panel)
    rng = np.random.default_rng(seed)
    members = {c: np.flatnonzero(cohort.conditions == c) for c in panel}
    sizes = [len(rows) for rows in members.values()] + [len(own)]
    # Shares of each profile in the means of the bootstraps, so that a condition's profiles are read once, and alone.
    shares = [np.zeros((BOOTSTRAPS, size)) for size in sizes]
    for b in range(BOOTSTRAPS):
        for share, size in zip(shares, sizes, strict=True):
            share[b] = np.bincount(rng.integers(0, size, size), minlength=size) / size
    draws = shares.pop() @ own
    for share, rows in zip(shares, members.values(), strict=True):
        draws -= share @ cohort.x[rows] / len(panel)
    ranks = stats.rankdata(-draws[:, regulators], axis=1)
    activity = ulm(difference, signs[:, regulators])
    table = pd.DataFrame({"symbol": symbols, "regulator": False, "rank": np.nan, "expression_difference": difference})
    table["ci_low"], table["ci_high"] = np.percentile(draws, [2.5, 97.5], axis=0)
    table["mean"] = own.mean(0)
    for column in ("rank_low", "rank_high", f"in_top_{TOP}", "activity"):
        table[column] = np.nan
    table.loc[regulators, "regulator"] = True
    order = np.lexsort((-activity, -difference[regulators]))
    table.loc[regulators[order], "rank"] = np.arange(1, len(regulators) + 1)
    table.loc[regulators, "rank_low"], table.loc[regulators, "rank_high"] = np.percentile(ranks, [5, 95], axis=0)
    table.loc[regulators, f"in_top_{TOP}"] = (ranks <= TOP).mean(0)
    table.loc[regulators, "activity"] = activity
    return table, np.array(panel)


def welch(own: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Welch's t of tumours against normals, gene by gene (G,); 0 where neither varies."""
    error = np.sqrt(own.var(0, ddof=1) / len(own) + normal.var(0, ddof=1) / len(normal))
    return np.divide(own.mean(0) - normal.mean(0), error, out=np.zeros(own.shape[1]), where=error > 0)
