"""What synthetic profiles are worth in real ones, and how many real profiles would do as well."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import special
from scipy.optimize import isotonic_regression

from ...core.contracts import EVALUATION_KEYS
from ...core.seeds import generator
from .estimators import RECALL
from .statistics import FEWEST

#: Metrics: real profiles that an arm saves; accuracy of twice as many real profiles, less the accuracy there is; number
#: of real profiles that come within :data:`SHORTFALL` of all of them.
SAVED, DOUBLED, ENOUGH = "real_profiles_saved", "doubled_accuracy_gain", "profiles_for_ceiling"
#: Points of accuracy that a curve may stay below the ceiling and still count as having reached it.
SHORTFALL = 0.01
BOOTSTRAPS = 400
#: Fewest sizes that a power law of three parameters is fitted to, and the largest ratio of the upper to the lower limit
#: of a number of profiles that still says something.
FEWEST_SIZES, LARGEST_RATIO = 4, 10.0
#: Fewest repeats for a number of profiles: of fewer, those whose interval looks narrow enough are mostly wrong.
FEWEST_FOR_NUMBER = 10
#: Exponents of a power law, and how often the grid of them is narrowed to the neighbours of the best.
DECAY, REFINEMENTS = (0.05, 3.0), 4


class Estimate(NamedTuple):
    """A number with its 95 % interval; `identified` says whether the data determine it at all."""

    value: float
    low: float
    high: float
    identified: bool = True


class LearningCurve:
    """Accuracy of real profiles alone against their number: means over repeats, made monotone (isotonic regression).

    Parameters
    ----------
    accuracy : mapping
        Number of real profiles -> mean accuracy.
    chance : float, optional
        Accuracy without any profile, the start of the curve: balanced accuracy of K classes is then 1 / K.
    """

    def __init__(self, accuracy: Mapping[int, float], chance: float | None = None) -> None:
        points = dict(accuracy) if chance is None else {0: chance, **accuracy}
        self.sizes = np.array(sorted(points), dtype=float)
        self.accuracy = isotonic_regression([points[n] for n in sorted(points)]).x

    def at(self, n: float) -> float:
        """Accuracy of n real profiles, linear between sizes."""
        return float(np.interp(n, self.sizes, self.accuracy))

    def worth(self, value: float) -> float:
        """Smallest number of real profiles that reaches `value`, linear between sizes.

        A plateau counts at its left end. What is above the curve counts as its largest number ("at least"), what is
        below it as its smallest.
        """
        first = int(np.searchsorted(self.accuracy, value, side="left"))
        if first == 0:
            return float(self.sizes[0])
        if first == len(self.sizes):
            return float(self.sizes[-1])
        low, high = self.accuracy[first - 1], self.accuracy[first]
        return float(np.interp(value, [low, high], self.sizes[first - 1 : first + 1]))

    def saved(self, n: float, gain: float) -> float:
        """Real profiles that an arm with `gain` over n real profiles alone saves; negative where it costs some.

        A gain of 0 saves 0, also on a plateau, where fewer profiles would do as well.
        """
        if gain == 0:
            return 0.0
        saved = self.worth(self.at(n) + gain) - n
        return max(saved, 0.0) if gain > 0 else min(saved, 0.0)


class ResampledCurves:
    """Learning curves of all repeats and of resampled ones, which arms of the same n and repeats share.

    Mapping each repeat's accuracy to profiles and averaging would be biased: where the curve flattens, chance gains are
    worth many profiles and chance losses few. Here the mean is mapped, and the interval is of resampled repeats, of
    which curve and arm are made together.

    Parameters
    ----------
    alone : DataFrame (repeats × sizes)
        Accuracy of real profiles alone; missing where a repeat lacks a size.
    n : int
        Real profiles that the arms have.
    chance, seed
        Accuracy without any profile, see :class:`LearningCurve`; seed of the bootstrap.
    """

    def __init__(self, alone: pd.DataFrame, n: int, *, chance: float | None = None, seed: int = 0) -> None:
        self.n = n
        a, sizes = alone.to_numpy(dtype=float), [int(v) for v in alone.columns]
        self.rows = [np.arange(len(a))]
        if len(a) >= FEWEST:
            self.rows += list(generator(seed, SAVED, n).integers(len(a), size=(BOOTSTRAPS, len(a))))
        means = [_column_means(a[rows]) for rows in self.rows]
        points = [{size: m for size, m in zip(sizes, own, strict=True) if np.isfinite(m)} for own in means]
        self.curves = [LearningCurve(own, chance) for own in points]

    def saved(self, gain: np.ndarray) -> Estimate:
        """Real profiles that an arm saves.

        Limits are NaN of fewer than three repeats. The value is "at least" where the arm passes the end of the curve.

        Parameters
        ----------
        gain : ndarray (repeats,)
            Of the arm over `n` real profiles alone, paired.
        """
        pairs = zip(self.curves, self.rows, strict=True)
        value, *drawn = [curve.saved(self.n, float(gain[rows].mean())) for curve, rows in pairs]
        if not drawn:
            return Estimate(value, np.nan, np.nan)
        widen = _widening(len(gain))
        low, high = (value + widen * (q - value) for q in np.quantile(drawn, [0.025, 0.975]))
        return Estimate(value, float(low), float(high))


def _widening(repeats: int) -> float:
    """By what to widen the percentiles of a bootstrap of few repeats.

    They are too narrow, as a normal interval with a plug-in variance is beside Student's t.
    """
    freedom = repeats - 1
    return float(np.sqrt(repeats / freedom) * special.stdtrit(freedom, 0.975) / special.ndtri(0.975))


def _column_means(x: np.ndarray) -> np.ndarray:
    """Mean of each column over what is not missing; NaN of a column without any."""
    there = np.isfinite(x)
    return np.where(there, x, 0).sum(0) / np.where(there.any(0), there.sum(0), np.nan)


class PowerLaw:
    """Inverse power law a - b n^-c of accuracy against the number of profiles.

    Figueroa et al. 2012, "Predicting sample size required for classification performance" (BMC Medical Informatics and
    Decision Making 12:8), fitted by least squares weighted by the precision of each mean. For each exponent on a
    grid the other two parameters are those of a bounded linear problem.

    Parameters
    ----------
    sizes, accuracy, se : ndarray (sizes,)
        Numbers of profiles, mean accuracies and their standard errors.
    """

    def __init__(self, sizes: np.ndarray, accuracy: np.ndarray, se: np.ndarray) -> None:
        sizes, accuracy = np.asarray(sizes, dtype=float), np.asarray(accuracy, dtype=float)
        weight = 1 / np.maximum(np.nan_to_num(se, nan=0.01), 1e-3)
        self.scale = float(sizes[0])
        low, high = DECAY
        for _ in range(REFINEMENTS):
            c = np.linspace(low, high, 101)
            fits = _fit_linear((sizes / self.scale) ** -c[:, None], accuracy, weight)
            best = int(fits[:, 2].argmin())
            low, high = c[max(best - 1, 0)], c[min(best + 1, len(c) - 1)]
        self.parameters = np.array([*fits[best, :2], c[best]])

    def _value(self, p: np.ndarray, n: np.ndarray) -> np.ndarray:
        return p[0] - p[1] * (np.asarray(n, dtype=float) / self.scale) ** -p[2]

    def at(self, n: float) -> float:
        """Accuracy of n profiles."""
        return float(self._value(self.parameters, np.asarray(n)))

    def needed(self, target: float) -> float:
        """Profiles that reach `target`; infinite where the law stays below it."""
        a, b, c = self.parameters
        if target >= a:
            return np.inf
        with np.errstate(over="ignore"):
            return float(self.scale * max(b / (a - target), 1e-12) ** (1 / c)) if b > 0 else self.scale


def _fit_linear(basis: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Least squares of y on a - b u, a and b in [0, 1], for each row u of `basis`: columns a, b, sum of squares.

    The optimum of a convex function over a square lies inside, or on one of its sides.
    """
    w = weight**2 / (weight**2).sum()
    mean_u, mean_y = basis @ w, y @ w
    covariance, variance = basis @ (w * y) - mean_u * mean_y, (basis**2) @ w - mean_u**2
    slope = np.divide(-covariance, variance, out=np.zeros_like(variance), where=variance > 0)
    ends = np.zeros_like(slope), np.ones_like(slope)
    pairs = [(mean_y + slope * mean_u, slope)]
    pairs += [(a, (a * mean_u - basis @ (w * y)) / ((basis**2) @ w)) for a in ends]
    pairs += [(mean_y + b * mean_u, b) for b in ends]
    a, b = (np.stack(part) for part in zip(*pairs, strict=True))
    inside = (a[0] >= 0) & (a[0] <= 1) & (b[0] >= 0) & (b[0] <= 1)
    a, b = np.clip(a, 0, 1), np.clip(b, 0, 1)
    squares = (weight**2 * (a[..., None] - b[..., None] * basis - y) ** 2).sum(-1)
    squares[0, ~inside] = np.inf  # clipped on both axes, it is not the optimum of a side
    best = squares.argmin(0), np.arange(len(basis))
    return np.stack([a[best], b[best], squares[best]], axis=1)


def power_laws(alone: pd.DataFrame, seed: int = 0) -> list[PowerLaw]:
    """Power law of a learning curve, then those of resampled repeats.

    `alone` is the accuracy of real profiles alone (repeats × sizes).

    Empty with fewer than four sizes or three repeats.
    """
    alone = alone.dropna(axis=1, thresh=FEWEST).dropna(how="all")
    if alone.shape[1] < FEWEST_SIZES or len(alone) < FEWEST:
        return []
    a, sizes = alone.to_numpy(dtype=float), alone.columns.to_numpy(dtype=float)
    se = np.nanstd(a, axis=0, ddof=1) / np.sqrt(np.isfinite(a).sum(0))

    def law(rows: np.ndarray) -> PowerLaw:
        means = _column_means(a[rows])
        there = np.isfinite(means)
        return PowerLaw(sizes[there], means[there], se[there])

    draws = generator(seed, "power law").integers(len(a), size=(BOOTSTRAPS // 4, len(a)))
    return [law(rows) for rows in (np.arange(len(a)), *draws)]


def extrapolate(
    laws: list[PowerLaw], statistic: Callable[[PowerLaw], float], *, repeats: int, number: bool = False
) -> Estimate:
    """What the power law of a learning curve says, with a bootstrap interval over repeats.

    Not identified (all NaN) without laws, and a number of profiles of fewer than ten repeats, or whose interval spans
    more than a factor of ten or has no upper limit.

    Parameters
    ----------
    statistic : callable
        The number asked for, of a law.
    number : bool
        It is a number of profiles, which may differ by orders of magnitude.
    """
    lost = Estimate(np.nan, np.nan, np.nan, False)
    if not laws or (number and repeats < FEWEST_FOR_NUMBER):
        return lost
    value, *drawn = map(statistic, laws)
    low, high = np.quantile(drawn, [0.025, 0.975], method="nearest")
    if not np.isfinite([value, low, high]).all() or (number and min(value, low) <= 0):
        return lost
    # Numbers of profiles are widened by a factor: they may differ by orders of magnitude, and are above 0.
    scale = np.log(value) if number else value
    low, high = ((np.log(q) if number else q) for q in (min(low, value), max(high, value)))
    low, high = (float(scale + _widening(repeats) * (q - scale)) for q in (low, high))
    if not number:
        return Estimate(value, low, high)
    if high > np.log(LARGEST_RATIO) + max(low, 0):
        return lost
    return Estimate(value, float(np.exp(low)), float(np.exp(high)))


def classes_of(table: pd.DataFrame) -> int:
    """Number of classes of a task, from the recalls in its rows."""
    return table.loc[table["metric"].str.startswith(RECALL), "metric"].str.removesuffix("_gain").nunique()


#: Keys of a summary row.
ARM = [k for k in EVALUATION_KEYS if k not in ("repeat", "seed")]


def by_size(baseline: pd.DataFrame, zero: int) -> pd.DataFrame:
    """Accuracy of real profiles alone (repeats × sizes); ``n_real`` 0 stands for `zero` profiles."""
    sizes = baseline["n_real"].astype(int).replace(0, zero)
    return baseline.assign(n_real=sizes).pivot_table(index="repeat", columns="n_real", values="value")


def saved_rows(
    alone: pd.DataFrame, gains: pd.DataFrame, *, zero: int, chance: float, seed: int
) -> list[dict[str, object]]:
    """Summary rows of :data:`SAVED`, one per arm that has fewer real profiles than the end of the curve.

    Parameters
    ----------
    alone : DataFrame (repeats × sizes)
        Accuracy of real profiles alone.
    gains : DataFrame
        Long rows of each arm's gain over real profiles alone, of the same repeat and number.
    zero : int
        Number of real profiles that ``n_real`` 0 stands for.
    """
    rows: list[dict[str, object]] = []
    resampled: dict[tuple[int, ...], ResampledCurves] = {}
    for keys, arm in gains.groupby(ARM, dropna=False, sort=False):
        named = dict(zip(ARM, keys, strict=True))
        n = int(named["n_real"]) or zero
        gain = arm.set_index("repeat")["value"]
        gain = gain[gain.index.isin(alone.index)].dropna()
        if n < alone.columns.max() and len(gain):
            key = (n, *gain.index)
            if key not in resampled:
                resampled[key] = ResampledCurves(alone.loc[gain.index], n, chance=chance, seed=seed)
            value, low, high, _ = resampled[key].saved(gain.to_numpy(dtype=float))
            rows.append({**named, "metric": SAVED, "value": value, "ci_low": low, "ci_high": high, "n": len(gain)})
    return rows
