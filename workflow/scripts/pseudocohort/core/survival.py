"""Follow-up of patients: the cumulative hazard, and what it leaves of each patient's event.

A patient has a time of follow-up and whether the event (death, relapse) ended it. The martingale residual is the event
less the hazard that the patient has been under: the events of those who had too many, or too few.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

#: Kinds of the two covariates that make up a follow-up.
TIME, EVENT = "time", "event"
_ARRAYS = ("low", "high", "event", "share")


def follow_up(kinds: Mapping[str, str]) -> tuple[str, str] | None:
    """Names of the columns of time and event among covariates and their kinds; None where there are none."""
    found = {kind: name for name, kind in kinds.items() if kind in (TIME, EVENT)}
    return (found[TIME], found[EVENT]) if len(found) == 2 else None


@dataclass(frozen=True)
class Hazard:
    """Cumulative hazard of one group of patients (Nelson & Aalen), a step function of time.

    Attributes
    ----------
    times : ndarray (events,)
        Distinct times of events, ascending.
    cumulative : ndarray (events,)
        Cumulative hazard from each of them on.
    """

    times: np.ndarray
    cumulative: np.ndarray

    @classmethod
    def fit(cls, time: np.ndarray, event: np.ndarray, weight: np.ndarray | None = None) -> Self:
        """From times (n,), events (n,), 0 or 1, and weights (n,) of patients."""
        weight = np.ones(len(time)) if weight is None else np.asarray(weight, np.float64)
        times = np.unique(time[event > 0])
        deaths = np.array([weight[(time == t) & (event > 0)].sum() for t in times])
        at_risk = np.array([weight[time >= t].sum() for t in times])
        return cls(times.astype(np.float64), np.cumsum(deaths / at_risk) if len(times) else np.zeros(0))

    def residual(self, time: np.ndarray, event: np.ndarray) -> np.ndarray:
        """Martingale residuals (n,): event less cumulative hazard. They add up to 0 where it was fitted."""
        steps = np.concatenate([[0.0], self.cumulative])
        return event - steps[np.searchsorted(self.times, time, side="right")]


def _between(times: np.ndarray, all_times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bounds (n,) halfway to the neighbours of distinct times (n,), ascending; a single one's are of all times."""
    if len(times) == 1:
        before, after = max(all_times[all_times < times], default=0.0), min(all_times[all_times > times], default=times)
        return (before + times) / 2, (after + times) / 2
    middle = (times[:-1] + times[1:]) / 2
    first, last = 2 * times[0] - middle[0], 2 * times[-1] - middle[-1]
    return np.array([max(0.0, first), *middle]), np.array([*middle, min(all_times.max(), last)])


@dataclass(frozen=True)
class FollowUpTimes:
    """Times and events of one group of patients as a distribution, from which those of others are drawn.

    A patient is drawn, and a time around the patient's: up to halfway to the times of the patients before and after
    whose follow-up ended alike. So those who are drawn die, and leave observation, as the patients did, and have times
    of their own. Nobody is observed beyond the longest time of a patient.

    Attributes
    ----------
    low, high : ndarray (times,)
        Bounds of what is drawn around each distinct time of the events, and of the ends of observation.
    event : ndarray (times,)
        Whether an event ended it, 0 or 1.
    share : ndarray (times,)
        Share of the patients.
    whole : bool
        Whether times are whole numbers, as days are.
    """

    low: np.ndarray
    high: np.ndarray
    event: np.ndarray
    share: np.ndarray
    whole: bool

    @classmethod
    def fit(cls, time: np.ndarray, event: np.ndarray, weight: np.ndarray) -> Self:
        """From times (n,), events (n,), 0 or 1, and weights (n,) of patients, one or more."""
        parts = []
        for ended in np.unique(event):
            own = event == ended
            times, group = np.unique(time[own], return_inverse=True)
            share = np.bincount(group, weight[own]) / weight.sum()
            parts.append((*_between(times, time), np.full(len(times), ended), share))
        return cls(*map(np.concatenate, zip(*parts, strict=True)), bool((time == np.round(time)).all()))

    def draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Times and events (n,), 0 or 1, of n patients."""
        rows = rng.choice(len(self.share), n, p=self.share)
        time = rng.uniform(self.low[rows], self.high[rows])
        return np.round(time) if self.whole else time, self.event[rows]

    def described(self) -> dict[str, Any]:
        """Everything, as JSON has it."""
        return {name: getattr(self, name).tolist() for name in _ARRAYS} | {"whole": self.whole}

    @classmethod
    def restored(cls, given: Mapping[str, Any]) -> Self:
        """From what :meth:`described` says."""
        return cls(*(np.array(given[name]) for name in _ARRAYS), given["whole"])
