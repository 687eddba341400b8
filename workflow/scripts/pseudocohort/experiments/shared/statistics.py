"""Statistics shared by the evaluations: intervals over repeats, areas under the ROC curve, summaries, differences."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy
from scipy import special

from ...core.contracts import EVALUATION_KEYS
from ...core.errors import ContractError
from ...core.io import evaluation_table
from ...core.words import between, number
from . import scales

log = logging.getLogger(__name__)

#: Keys that tell repeats of one measurement apart; summaries are over them.
REPEAT_KEYS = ("repeat", "seed")
#: Fewest values that give an interval: of two, Student's t is so wide that it says nothing.
FEWEST = 3
#: After a metric's name: the standard error that its repeats share, and its interval for other patients as well.
SHARED_SE, PATIENTS = "_shared_se", "_patients"
#: Fewest false positives expected at a false-positive rate that we are ready to report.
FEWEST_FALSE_POSITIVES = 10


class Interval(NamedTuple):
    """Mean of `n` values with its confidence interval; NaN where undefined."""

    mean: float
    low: float
    high: float
    n: int

    def said(self, form: Callable[[float], str] = number, unit: str = "") -> str:
        """In words: the mean in a form, with its unit, and the limits where there are any."""
        return f"{form(self.mean)}{unit}{between(self.low, self.high, form)}"


class Auc(NamedTuple):
    """Area under the ROC curve, its standard error and its 95 % confidence interval."""

    auc: float
    se: float
    low: float
    high: float


def interval(
    values: Sequence[float] | np.ndarray,
    *,
    confidence: float = 0.95,
    bounds: tuple[float, float] = scales.REAL,
    shared_se: float = 0.0,
) -> Interval:
    """Mean of `values` (NaN dropped) with Student's t interval over them as independent repeats.

    A number between two bounds has its interval on the logit scale, one above a bound on the log scale, by the delta
    method, so that the interval lies where the number can lie. Coverage at 3 to 20 values and at corrected levels is
    nearer to nominal there than untransformed (a bootstrap of so few values misses it by far).

    Parameters
    ----------
    values : sequence of float
        One value per repeat (a split, a draw, a donor), never one per synthetic row.
    confidence : float
        Two-sided level. Corrected for m comparisons (Bonferroni): ``1 - 0.05 / m``.
    bounds : (float, float)
        Smallest and largest possible value, see :func:`.scales.bounds`.
    shared_se : float
        Standard error of what all repeats have in common, the held-out patients say
        (:func:`held_out_standard_error`); 0: the interval holds for further repeats on the same patients alone.

    Returns
    -------
    Interval
        The limits are NaN of fewer than three values, and of equal values that have bounds: repeats of a share that all
        agree do not say how far it may be off. Equal values without bounds give an interval of width 0.

    Raises
    ------
    ContractError
        If a value lies outside `bounds`.
    """
    x = np.asarray(values, dtype=np.float64).ravel()
    x = x[~np.isnan(x)]
    n = len(x)
    if n == 0:
        return Interval(np.nan, np.nan, np.nan, 0)
    lowest, highest = bounds
    slack = 1e-6 * max(1.0, np.abs(x).max())
    if (x < lowest - slack).any() or (x > highest + slack).any():
        raise ContractError(f"values from {x.min():g} to {x.max():g} where {lowest:g} to {highest:g} are possible")
    mean = float(x.mean())
    if n < FEWEST or not np.isfinite(x).all():
        return Interval(mean, np.nan, np.nan, n)
    if np.ptp(x) <= 8 * np.finfo(float).eps * np.abs(x).max():
        if not np.isinf(lowest):
            return Interval(mean, np.nan, np.nan, n)
        if shared_se == 0:
            return Interval(mean, mean, mean, n)
    t = float(special.stdtrit(n - 1, 0.5 + confidence / 2))
    half = t * float(np.hypot(x.std(ddof=1) / np.sqrt(n), shared_se))
    if np.isinf(lowest):
        return Interval(mean, mean - half, mean + half, n)
    if np.isinf(highest):
        factor = np.exp(half / (mean - lowest))
        return Interval(mean, lowest + (mean - lowest) / factor, lowest + (mean - lowest) * factor, n)
    width = highest - lowest
    share = (mean - lowest) / width
    on_logit = half / width / (share * (1 - share))
    low, high = (float(lowest + width * special.expit(special.logit(share) + s * on_logit)) for s in (-1, 1))
    return Interval(mean, low, high, n)


def held_out_standard_error(
    right: np.ndarray, without: np.ndarray, labels: np.ndarray, donors: np.ndarray | None = None
) -> float:
    """Standard error of a difference in balanced accuracy that is due to the choice of the held-out donors.

    What a paired bootstrap over donors within classes converges to: each donor's part in the difference (its influence)
    squared and summed. Repeats on one test set, or on test sets that share donors, have it in common, so that further
    repeats do not make it smaller.

    Parameters
    ----------
    right, without : ndarray of bool (profiles,)
        Whether each held-out profile is predicted right, by the one classifier and by the other.
    labels : ndarray (profiles,)
        Their classes.
    donors : ndarray (profiles,), optional
        Their donors; default: each its own.
    """
    difference = np.asarray(right, dtype=np.float64) - np.asarray(without, dtype=np.float64)
    _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    means = np.bincount(codes, weights=difference) / counts
    influence = (difference - means[codes]) / (counts[codes] * len(counts))
    if donors is not None:
        influence = np.bincount(np.unique(donors, return_inverse=True)[1], weights=influence)
    return float(np.sqrt((influence**2).sum()))


def _split(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores of positives and of negatives; both must be there and finite or infinite, not NaN."""
    labels, scores = np.asarray(labels).astype(bool), np.asarray(scores, dtype=np.float64)
    if np.isnan(scores).any():
        raise ContractError(f"{int(np.isnan(scores).sum())} of {len(scores)} scores are NaN")
    if labels.all() or not labels.any():
        raise ContractError(f"all {len(labels)} labels are the same: no ROC curve")
    return scores[labels], scores[~labels]


def delong(labels: np.ndarray, scores: np.ndarray) -> Auc:
    """Area under the ROC curve with DeLong's standard error and 95 % interval; ties count one half.

    DeLong, DeLong & Clarke-Pearson 1988 (Biometrics 44:837) by the midranks of Sun & Xu 2014 (IEEE Signal Processing
    Letters 21:1389). The interval is symmetric on the logit scale, hence inside [0, 1]. Where the standard error is 0
    (perfect separation, or all scores tied) that would claim certainty; there the interval is the range of areas that
    the variance of Hanley & McNeil 1982 (Radiology 143:29) does not reject, as Wilson's interval does for a share.

    Raises
    ------
    ContractError
        If a score is NaN or only one class is there.
    """
    positive, negative = _split(labels, scores)
    m, n = len(positive), len(negative)
    ranks = scipy.stats.rankdata(np.concatenate([positive, negative]))
    # Share of the other class that each positive, and each negative, is on the right side of.
    of_positive = (ranks[:m] - scipy.stats.rankdata(positive)) / n
    of_negative = 1 - (ranks[m:] - scipy.stats.rankdata(negative)) / m
    auc = float(of_positive.mean())
    variance = sum(part.var(ddof=1) / len(part) if len(part) > 1 else np.nan for part in (of_positive, of_negative))
    se = float(np.sqrt(variance))
    z = float(scipy.stats.norm.ppf(0.5 + 0.95 / 2))
    if se > 1e-12 and 0 < auc < 1:
        half = z * se / (auc * (1 - auc))
        return Auc(auc, se, *(float(special.expit(special.logit(auc) + side * half)) for side in (-1, 1)))
    return Auc(auc, se, *_not_rejected(auc, m, n, z))


def _not_rejected(auc: float, m: int, n: int, z: float) -> tuple[float, float]:
    """Areas t with (auc - t)^2 <= z^2 V(t), V of Hanley & McNeil 1982 under their exponential model."""

    def excess(t: float) -> float:
        q1, q2 = t / (2 - t), 2 * t * t / (1 + t)
        variance = (t * (1 - t) + (m - 1) * (q1 - t * t) + (n - 1) * (q2 - t * t)) / (m * n)
        return (auc - t) ** 2 - z * z * max(variance, 0.0)

    edge = 1e-9
    # At t = auc the excess is not positive; at the far ends, where V vanishes, it is.
    low = scipy.optimize.brentq(excess, edge, auc - edge) if auc > 2 * edge and excess(auc - edge) < 0 else 0.0
    high = scipy.optimize.brentq(excess, auc + edge, 1 - edge) if auc < 1 - 2 * edge and excess(auc + edge) < 0 else 1.0
    return float(low), float(high)


def tpr_at_fpr(labels: np.ndarray, scores: np.ndarray, fpr: float) -> float | None:
    """Largest true-positive rate of a threshold whose false-positive rate is at most `fpr`.

    Tied scores are accepted or refused together. None where fewer than 10 of the negatives would be false positives
    at that rate: there the number is noise.
    """
    positive, negative = _split(labels, scores)
    if len(negative) * fpr < FEWEST_FALSE_POSITIVES - 1e-9:
        return None
    thresholds = np.unique(np.concatenate([positive, negative]))
    false_rate = 1 - np.searchsorted(np.sort(negative), thresholds, side="left") / len(negative)
    true_rate = 1 - np.searchsorted(np.sort(positive), thresholds, side="left") / len(positive)
    allowed = true_rate[false_rate <= fpr + 1e-12]
    return float(allowed.max()) if len(allowed) else 0.0


def corrected_maximum(scores: np.ndarray, labels: np.ndarray, *, permutations: int = 1999, seed: int = 0) -> float:
    """p-value of the best of several attacks, corrected for having chosen it (max-statistic permutation test).

    Westfall & Young 1993, "Resampling-Based Multiple Testing" (Wiley): labels are permuted for all attacks at
    once, so their correlation is kept; the statistic is the largest rank-sum, standardised by its null mean and
    variance (one-sided: members score higher). The smallest p-value is 1 / (permutations + 1).

    Parameters
    ----------
    scores : ndarray (candidates, attacks)
        Higher means member.
    labels : ndarray (candidates,)
        Members are true; exchangeable under the null hypothesis.

    Raises
    ------
    ContractError
        If a score is NaN or only one class is there.
    """
    scores = np.asarray(scores, dtype=np.float64)
    scores = scores[:, None] if scores.ndim == 1 else scores
    labels = np.asarray(labels).astype(bool)
    _split(labels, scores.sum(1))
    ranks = scipy.stats.rankdata(scores, axis=0)
    chosen, n = labels.sum(), len(labels)
    mean, variance = chosen * ranks.mean(0), chosen * (n - chosen) / n * ranks.var(0, ddof=1)
    sd = np.where(variance > 1e-9, np.sqrt(variance), np.inf)
    observed = ((labels.astype(np.float64) @ ranks - mean) / sd).max()
    rng, extreme = np.random.default_rng(seed), 1
    for _ in range(permutations):
        permuted = labels[rng.permutation(n)].astype(np.float64)
        extreme += ((permuted @ ranks - mean) / sd).max() >= observed - 1e-9
    return float(extreme / (permutations + 1))


def row_correlation(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson correlation of each row; 0 where one side is constant."""
    a, b = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    norm = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.divide((a * b).sum(1), norm, out=np.zeros(len(a)), where=norm > 0)


def _possible(metric: str, values: np.ndarray) -> tuple[float, float] | None:
    """Bounds of a metric; any number where its values lie outside of what its name says, so that a study goes on."""
    bounds = scales.bounds(metric)
    if bounds and ((values < bounds[0] - 1e-6) | (values > bounds[1] + 1e-6)).any():
        log.warning(
            "%s: values from %g to %g, where %g to %g are possible by its name; its interval is that of any number",
            metric, np.nanmin(values), np.nanmax(values), *bounds,
        )  # fmt: skip
        return scales.REAL
    return bounds


def summarise(long: pd.DataFrame) -> pd.DataFrame:
    """Mean with 95 % interval over the repeats of each measurement of a long evaluation table.

    Rows that agree in every key but ``repeat`` and ``seed`` (an empty key agrees with an empty key) are one
    measurement. Its interval lies where the metric can lie (:func:`.scales.bounds`); p-values and the like get none.
    Where the held-out patients' part is known (``<metric>_shared_se``), a row ``<metric>_patients`` has the interval
    that holds for other patients as well.
    """
    keys = [k for k in EVALUATION_KEYS if k not in REPEAT_KEYS]
    rows = []
    columns = [*keys, "metric"]
    groups = {
        # NaN does not equal itself and would not be found again.
        tuple(None if pd.isna(name) else name for name in names): group["value"].to_numpy()
        for names, group in long.groupby(columns, dropna=False, sort=False, observed=True)
    }
    for names, values in groups.items():
        metric = str(names[-1])
        if metric.endswith(SHARED_SE):
            continue
        possible = _possible(metric, values)
        lines = {metric: interval(values, bounds=possible or scales.REAL)}
        if possible is None:
            lines[metric] = lines[metric]._replace(low=np.nan, high=np.nan)
        if (shared := groups.get((*names[:-1], metric + SHARED_SE))) is not None:
            se = float(np.sqrt(np.nanmean(shared**2)))
            lines[metric + PATIENTS] = interval(values, bounds=possible or scales.REAL, shared_se=se)
        for name, (mean, low, high, n) in lines.items():
            row = dict(zip(columns, (*names[:-1], name), strict=True))
            rows.append(row | {"value": mean, "ci_low": low, "ci_high": high, "n": n})
    return evaluation_table(rows, summary=True)
