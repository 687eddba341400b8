"""What a table of gains supports: yes, no, cannot tell yet, or nothing to gain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np
from scipy import special

from .estimators import SMALLEST
from .statistics import FEWEST, Interval, interval

#: Chance that the repeats asked for decide, if the truth is as estimated.
POWER = 0.8
#: Repeats asked for where the spread is not known yet, and the most that are ever asked for.
FIRST, MOST = 10, 500


class Outcome(StrEnum):
    """Answer to "is there a gain?"."""

    YES = "yes"
    NO = "no"
    CANNOT_TELL = "cannot_tell"
    NOTHING_TO_GAIN = "nothing_to_gain"


@dataclass(frozen=True)
class Finding:
    """Outcome for the best of some candidates.

    Attributes
    ----------
    outcome : Outcome
    best : str
        Candidate that the outcome is about: of those with a gain, the one with the largest mean; where a worthwhile
        gain is excluded, the one with the highest upper limit; else the one with the largest mean.
    gain : Interval
        Its gain. For ``no`` at the plain level: every candidate has to be below the smallest worthwhile gain, which
        needs no correction (intersection-union test, Berger 1982, Technometrics 24:295); else at the corrected one.
    comparisons : int
        Number of comparisons that the level is corrected for (Bonferroni).
    repeats : int or None
        Where the outcome is ``cannot_tell``: repeats that would tell with a chance of 80 %, were the gain and its
        spread as estimated; None where up to :data:`MOST` would not.
    donors : float or None
        Where no number of repeats would tell: how many times as many held-out donors would.
    """

    outcome: Outcome
    best: str
    gain: Interval
    comparisons: int
    repeats: int | None = None
    donors: float | None = None


def decide(
    gains: Mapping[str, Sequence[float]],
    *,
    smallest: float = SMALLEST,
    headroom: Sequence[float] | None = None,
    shared_se: Mapping[str, float] | None = None,
    comparisons: int | None = None,
) -> Finding:
    """Outcome for the best of several candidates, from their gains in each repeat.

    ``no``: every candidate is nearer to 0 than the smallest worthwhile gain, or below 0, with confidence. ``yes``: the
    corrected interval of a candidate of which that is not known lies above 0. ``nothing_to_gain``: the baseline is
    nearer to the ceiling than the smallest worthwhile gain, with confidence, and no candidate passes it.
    ``cannot_tell``: none of these. A candidate without any value is left out. Gains that are equal in all of fewer than
    :data:`FIRST` repeats support neither yes nor no: a score of few donors moves in steps, so that they do not say how
    far it spreads. A baseline that reaches the ceiling in every repeat leaves nothing to gain there, however few these
    are.

    Parameters
    ----------
    gains : mapping of str to sequence of float
        Gain of each candidate over the baseline, one value per repeat, paired.
    smallest : float
        Smallest worthwhile gain, above 0.
    headroom : sequence of float, optional
        Ceiling less baseline, one value per repeat.
    shared_se : mapping of str to float, optional
        Standard error of each candidate's gain that its repeats share (the held-out patients).
    comparisons : int, optional
        Number of comparisons that the level of ``yes`` is corrected for, where these candidates are not all that are
        looked at; default: the number of candidates.

    Raises
    ------
    ValueError
        If there is no candidate, or `smallest` is not above 0.
    """
    if not gains or smallest <= 0:
        raise ValueError("no candidates" if not gains else f"smallest worthwhile gain {smallest}, not above 0")
    shared = {c: se if np.isfinite(se) else 0.0 for c, se in (shared_se or {}).items()}
    comparisons = comparisons or len(gains)
    confidence = 0.95
    corrected = 1 - (1 - confidence) / comparisons
    known = {c: v for c, v in gains.items() if np.isfinite(np.asarray(v, dtype=float)).any()}
    if not known:
        lost = Interval(np.nan, np.nan, np.nan, 0)
        return Finding(Outcome.CANNOT_TELL, next(iter(gains)), lost, comparisons, FIRST)

    def at(level: float) -> dict[str, Interval]:
        return {c: interval_that_decides(v, level, shared.get(c, 0.0)) for c, v in known.items()}

    plain, strict = at(confidence), at(corrected)
    best = max(strict, key=lambda c: strict[c].mean)
    # What is shown to be too small to matter is no gain, whatever is not known of others.
    winners = [c for c in strict if strict[c].low > 0 and not plain[c].high < smallest]
    if headroom is not None and not winners and interval(headroom, confidence=confidence).high < smallest:
        return Finding(Outcome.NOTHING_TO_GAIN, best, strict[best], comparisons)
    highest = max(plain, key=lambda c: plain[c].high)
    if all(found.high < smallest for found in plain.values()):
        return Finding(Outcome.NO, highest, plain[highest], comparisons)
    if winners:
        best = max(winners, key=lambda c: strict[c].mean)
        return Finding(Outcome.YES, best, strict[best], comparisons)
    repeats = _repeats_that_decide(known, smallest, confidence, corrected, shared)
    donors = None if repeats else _donors_that_decide(known[best], smallest, corrected, shared.get(best, 0.0))
    return Finding(Outcome.CANNOT_TELL, best, strict[best], comparisons, repeats, donors)


def interval_that_decides(values: Sequence[float], confidence: float = 0.95, shared_se: float = 0.0) -> Interval:
    """Interval of the mean, without limits where few values that are all equal would give one of width 0."""
    found = interval(values, confidence=confidence, shared_se=shared_se)
    return found._replace(low=np.nan, high=np.nan) if 0 < found.n < FIRST and _equal(values) else found


def _equal(values: Sequence[float]) -> bool:
    return bool(np.nanstd(values) <= 1e-12)


def _unknown_spread(values: Sequence[float]) -> bool:
    """Whether too few values, or few equal ones, show no spread."""
    there = int(np.isfinite(np.asarray(values, dtype=float)).sum())
    return there < FEWEST or (there < FIRST and _equal(values))


@lru_cache
def _quantiles(confidence: float, power: float) -> np.ndarray:
    """Quantiles of Student's t and of the power, added, by number of repeats."""
    freedom = np.maximum(np.arange(MOST + 1) - 1, 1)
    return special.stdtrit(freedom, 0.5 + confidence / 2) + special.ndtri(power)


def repeats_that_tell(
    values: Sequence[float], distance: float, *, confidence: float = 0.95, shared_se: float = 0.0, power: float = POWER
) -> int | None:
    """Number of repeats with which half the interval is shorter than `distance`, with a chance of `power`.

    None where up to :data:`MOST` would not do; :data:`FIRST` where too few values, or few equal ones, show no spread.

    Parameters
    ----------
    values : sequence of float
        One value per repeat (NaN dropped).
    distance : float
        From their mean to the value that the interval is to leave out.
    confidence : float
        Two-sided level.
    shared_se : float
        Standard error that the repeats share.
    power : float
        The chance.
    """
    x = np.asarray(values, dtype=float)
    x = x[~np.isnan(x)]
    if _unknown_spread(x):
        return FIRST
    n = np.arange(len(x) + 1, MOST + 1)
    enough = _quantiles(confidence, power)[n] * np.hypot(x.std(ddof=1) / np.sqrt(n), shared_se) < distance
    return int(n[enough.argmax()]) if enough.any() else None


def _repeats_that_decide(
    gains: Mapping[str, Sequence[float]],
    smallest: float,
    confidence: float,
    corrected: float,
    shared: Mapping[str, float],
) -> int | None:
    """Number of repeats that would give yes for one candidate, or no for all of them, whichever is less.

    For the latter the chance is that of all candidates together (at least; by Bonferroni).
    """
    means = {c: float(np.nanmean(v)) for c, v in gains.items()}
    spread_known = [c for c, v in gains.items() if not _unknown_spread(v)]
    if not spread_known:
        return FIRST
    yes = [
        repeats_that_tell(gains[c], means[c], confidence=corrected, shared_se=shared.get(c, 0.0)) for c in spread_known
    ]
    power = 1 - (1 - POWER) / len(gains)
    no = [
        repeats_that_tell(v, smallest - means[c], confidence=confidence, shared_se=shared.get(c, 0.0), power=power)
        for c, v in gains.items()
    ]
    return fewest_that_tell(yes, no)


def fewest_that_tell(yes: Sequence[int | None], no: Sequence[int | None]) -> int | None:
    """Number that one of `yes` needs, or all of `no`, whichever is less; None where no number would do."""
    needed = [n for n in yes if n] + ([max(n for n in no if n)] if None not in no else [])
    return min(needed, default=None)


def _donors_that_decide(gains: Sequence[float], smallest: float, confidence: float, shared_se: float) -> float | None:
    """Factor of held-out donors at which the interval of very many repeats would lie on one side.

    The distance to cover is that of the mean from 0, or from the smallest worthwhile gain, whichever is larger.
    """
    mean = float(np.nanmean(gains))
    distance = max(mean, smallest - mean)
    z = special.ndtri(0.5 + confidence / 2) + special.ndtri(POWER)
    # With many repeats, only what they share is left; it falls with the root of the number of donors.
    return float((z * shared_se / distance) ** 2) if z * shared_se > distance else None


def donors_that_tell(gains: Mapping[str, Sequence[float]], shared_se: Mapping[str, float]) -> float:
    """How many times as many donors would decide with a chance of 80 %, were the gains and their spread as estimated.

    The donors make all of the spread. They decide if the corrected interval of one candidate lies above 0, or those of
    all below the smallest worthwhile gain.
    """

    def factor(c: str, distance: float, level: float, power: float) -> float:
        found = interval_that_decides(gains[c], level, shared_se[c])
        z = special.ndtri(0.5 + level / 2)
        needed = (found.high - found.mean) * (1 + special.ndtri(power) / z)
        return float((needed / distance) ** 2) if distance > 0 else np.inf

    means = {c: float(np.nanmean(v)) for c, v in gains.items()}
    yes = min(factor(c, mean, 1 - 0.05 / len(gains), POWER) for c, mean in means.items())
    no = max(factor(c, SMALLEST - mean, 0.95, 1 - (1 - POWER) / len(gains)) for c, mean in means.items())
    return min(yes, no)
