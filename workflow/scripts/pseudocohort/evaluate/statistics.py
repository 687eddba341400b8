"""Intervals, areas under the ROC curve, corrected maxima, summaries over repeats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from ..contracts import EVALUATION_KEYS
from ..io import evaluation_table


class Interval(NamedTuple):
    """Mean with its confidence interval over `n` repeats; limits are NaN when they cannot be estimated."""

    mean: float
    low: float
    high: float
    n: int


class Auc(NamedTuple):
    """Area under the ROC curve with DeLong's standard error and a confidence interval within [0, 1]."""

    auc: float
    se: float
    low: float
    high: float


def interval(values: Sequence[float] | np.ndarray, *, confidence: float = 0.95, seed: int = 0) -> Interval:
    """Mean of `values` and its confidence interval.

    NaN are dropped. From ten values on: bias-corrected and accelerated bootstrap of the mean (Efron 1987); below:
    Student's t, because a bootstrap of few values is too narrow. One value has no interval.
    """
    x = np.asarray(values, dtype=float)
    x = x[~np.isnan(x)]
    n = len(x)
    if n == 0:
        return Interval(np.nan, np.nan, np.nan, 0)
    mean = float(x.mean())
    if n == 1:
        return Interval(mean, np.nan, np.nan, 1)
    if np.ptp(x) < 1e-12 * max(1.0, abs(mean)):
        return Interval(mean, mean, mean, n)
    if n < 10:
        low, high = stats.t.interval(confidence, n - 1, loc=mean, scale=stats.sem(x))
    else:
        boot = stats.bootstrap(
            (x,), np.mean, confidence_level=confidence, n_resamples=4000, method="BCa", rng=np.random.default_rng(seed)
        )
        low, high = boot.confidence_interval
    return Interval(mean, float(low), float(high), n)


def delong(labels: np.ndarray, scores: np.ndarray, *, confidence: float = 0.95) -> Auc:
    """AUC (ties count one half) with DeLong's variance, by midranks.

    DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44:837; algorithm of Sun & Xu 2014, IEEE SPL 21:1389. The interval
    is formed on the logit scale; where the AUC is 0 or 1 or its variance 0 it is the value itself.

    Parameters
    ----------
    labels : array (n,)
        True for positives.
    scores : array (n,)
        Higher = more likely positive.
    """
    labels = np.asarray(labels, dtype=bool)
    scores = np.asarray(scores, dtype=float)
    m, n = int(labels.sum()), int((~labels).sum())
    if m == 0 or n == 0:
        return Auc(np.nan, np.nan, np.nan, np.nan)
    rank = stats.rankdata(scores)
    within_positive = stats.rankdata(scores[labels])
    within_negative = stats.rankdata(scores[~labels])
    v10 = (rank[labels] - within_positive) / n
    v01 = 1 - (rank[~labels] - within_negative) / m
    auc = float(v10.mean())
    variance = (v10.var(ddof=1) / m if m > 1 else 0.0) + (v01.var(ddof=1) / n if n > 1 else 0.0)
    se = float(np.sqrt(variance))
    if se == 0 or auc in (0.0, 1.0):
        return Auc(auc, se, auc, auc)
    z = stats.norm.ppf(0.5 + confidence / 2)
    logit, spread = np.log(auc / (1 - auc)), z * se / (auc * (1 - auc))
    low, high = (float(1 / (1 + np.exp(-v))) for v in (logit - spread, logit + spread))
    return Auc(auc, se, low, high)


def tpr_at_fpr(labels: np.ndarray, scores: np.ndarray, fpr: float) -> float | None:
    """Largest true-positive rate whose false-positive rate does not exceed `fpr`; None when it is not estimable.

    Thresholds lie between distinct scores, so that a tied block is taken whole or not at all. With fewer than
    10 / `fpr` negatives the rate rests on too few false positives to mean anything.
    """
    labels = np.asarray(labels, dtype=bool)
    scores = np.asarray(scores, dtype=float)
    positives, negatives = int(labels.sum()), int((~labels).sum())
    if positives == 0 or negatives * fpr < 10:
        return None
    order = np.argsort(-scores, kind="stable")
    last_of_block = np.append(np.diff(scores[order]) != 0, True)
    true = np.cumsum(labels[order])[last_of_block] / positives
    false = np.cumsum(~labels[order])[last_of_block] / negatives
    allowed = false <= fpr + 1e-12
    return float(true[allowed].max()) if allowed.any() else 0.0


def corrected_maximum(
    scores: np.ndarray, labels: np.ndarray, *, permutations: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Largest AUC over several scores and its p-value, corrected for having looked at all of them.

    The labels (independent fair coins) are exchangeable under the null hypothesis, so that permuting them gives the
    exact null distribution of the maximum, whatever the correlation of the scores (Westfall & Young 1993).

    Parameters
    ----------
    scores : array (n, attacks)
        Higher = more likely positive.
    labels : array (n,)
        True for positives.

    Returns
    -------
    max_auc, p : float
    """
    labels = np.asarray(labels, dtype=bool)
    ranks = np.apply_along_axis(stats.rankdata, 0, np.asarray(scores, dtype=float))
    m, n = int(labels.sum()), int((~labels).sum())
    rng = np.random.default_rng(seed)

    def largest(indicator: np.ndarray) -> np.ndarray:
        u = indicator @ ranks - m * (m + 1) / 2
        return (u / (m * n)).max(axis=-1)

    observed = float(largest(labels.astype(float)))
    null = np.empty(permutations)
    for start in range(0, permutations, 250):
        count = min(250, permutations - start)
        null[start : start + count] = largest(rng.permuted(np.tile(labels, (count, 1)), axis=1).astype(float))
    return observed, float((1 + (null >= observed - 1e-12).sum()) / (permutations + 1))


def summarise(long: pd.DataFrame) -> pd.DataFrame:
    """Mean and 95 % interval of every metric over repeats: the summary of a long evaluation table.

    Rows are grouped by all keys but ``repeat`` and ``seed``; absent keys (NA) form a group of their own.
    """
    keys = [k for k in EVALUATION_KEYS if k not in ("repeat", "seed")]
    rows = []
    for values, group in long.groupby([*keys, "metric"], dropna=False, sort=False):
        mean, low, high, n = interval(group["value"].to_numpy(dtype=float))
        rows.append(
            {**dict(zip([*keys, "metric"], values, strict=True)), "value": mean, "ci_low": low, "ci_high": high, "n": n}
        )
    return evaluation_table(rows, summary=True)
