"""What a table of gains supports: yes, no, cannot tell yet, or nothing to gain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

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
    confidence: float = 0.95,
    comparisons: int | None = None,
) -> Finding:
    """Outcome for the best of several candidates, from their gains in each repeat.

    ``nothing_to_gain``: the baseline is nearer to the ceiling than the smallest worthwhile gain, with confidence.
    ``no``: so is every candidate to 0, or below. ``yes``: the corrected interval of a candidate lies above 0.
    ``cannot_tell``: none of these. Gains that are equal in all of fewer than :data:`FIRST` repeats support neither
    yes nor no: a score of few donors moves in steps, so that they do not say how far it spreads. A baseline that
    reaches the ceiling in every repeat leaves nothing to gain there, however few these are.

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
    confidence : float
        Level before the correction.
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
    shared = shared_se or {}
    comparisons = comparisons or len(gains)
    corrected = 1 - (1 - confidence) / comparisons

    def at(level: float) -> dict[str, Interval]:
        return {c: _interval(v, level, shared.get(c, 0.0)) for c, v in gains.items()}

    plain, strict = at(confidence), at(corrected)
    best = max(strict, key=lambda c: strict[c].mean)
    if headroom is not None and interval(headroom, confidence=confidence).high < smallest:
        return Finding(Outcome.NOTHING_TO_GAIN, best, strict[best], comparisons)
    highest = max(plain, key=lambda c: plain[c].high)
    if all(found.high < smallest for found in plain.values()):
        return Finding(Outcome.NO, highest, plain[highest], comparisons)
    if winners := [c for c in strict if strict[c].low > 0]:
        best = max(winners, key=lambda c: strict[c].mean)
        return Finding(Outcome.YES, best, strict[best], comparisons)
    repeats, donors = _what_would_tell(gains[best], smallest, corrected, shared.get(best, 0.0))
    return Finding(Outcome.CANNOT_TELL, best, strict[best], comparisons, repeats, donors)


def _interval(values: Sequence[float], confidence: float, shared_se: float = 0.0) -> Interval:
    """Interval of the mean, without limits where few values that are all equal would give one of width 0."""
    found = interval(values, confidence=confidence, shared_se=shared_se)
    return found._replace(low=np.nan, high=np.nan) if 0 < found.n < FIRST and _equal(values) else found


def _equal(values: Sequence[float]) -> bool:
    return bool(np.nanstd(values) <= 1e-12)


def repeats_that_tell(
    values: Sequence[float], distance: float, *, confidence: float = 0.95, shared_se: float = 0.0
) -> int | None:
    """Number of repeats with which half the interval is shorter than `distance`, with a chance of 80 %.

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
    """
    x = np.asarray(values, dtype=float)
    x = x[~np.isnan(x)]
    if len(x) < FEWEST or (len(x) < FIRST and _equal(x)):
        return FIRST
    n = np.arange(len(x) + 1, MOST + 1)
    half = special.stdtrit(n - 1, 0.5 + confidence / 2) + special.ndtri(POWER)
    enough = half * np.hypot(x.std(ddof=1) / np.sqrt(n), shared_se) < distance
    return int(n[enough.argmax()]) if enough.any() else None


def _what_would_tell(
    gains: Sequence[float], smallest: float, confidence: float, shared_se: float
) -> tuple[int | None, float | None]:
    """Number of repeats, or else factor of held-out donors, at which an interval would lie on one side.

    The distance to cover is that of the mean from 0, or from the smallest worthwhile gain, whichever is larger.
    """
    mean = float(np.nanmean(gains))
    distance = max(mean, smallest - mean)
    repeats = repeats_that_tell(gains, distance, confidence=confidence, shared_se=shared_se)
    if repeats:
        return repeats, None
    z = special.ndtri(0.5 + confidence / 2) + special.ndtri(POWER)
    # With many repeats, only what they share is left; it falls with the root of the number of donors.
    return None, float((z * shared_se / distance) ** 2) if z * shared_se > distance else None
