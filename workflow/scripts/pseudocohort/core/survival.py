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

    def times_at(self, cumulative: np.ndarray) -> np.ndarray:
        """Times (n,) at which the cumulative hazard reaches values (n,); infinite beyond.

        Its step at an event is spread from halfway to the event before to halfway to the next, so that times are not
        earlier on average; that at the last event ends there.
        """
        if not len(self.times):
            return np.full(len(cumulative), np.inf)
        middle = (self.times[:-1] + self.times[1:]) / 2
        first = max(0.0, 2 * self.times[0] - middle[0]) if len(middle) else 0.0
        return np.interp(cumulative, [0.0, *self.cumulative], [first, *middle, self.times[-1]], right=np.inf)


@dataclass(frozen=True)
class FollowUpTimes:
    """Times and events of one group of patients as a distribution, from which those of others are drawn.

    An event and the end of observation are independent given the group, as in every estimate of its survival. Both
    hazards are spread around the times at which patients had them, so that those who are drawn survive as the
    patients did and have times of their own. Nobody is observed beyond the longest time of a patient.

    Attributes
    ----------
    event, censoring : Hazard
    whole : bool
        Whether times are whole numbers, as days are.
    """

    event: Hazard
    censoring: Hazard
    whole: bool

    @classmethod
    def fit(cls, time: np.ndarray, event: np.ndarray, weight: np.ndarray) -> Self:
        """From times (n,), events (n,), 0 or 1, and weights (n,) of patients, one or more."""
        hazards = (Hazard.fit(time, ended, weight) for ended in (event, 1 - event))
        return cls(*hazards, bool((time == np.round(time)).all()))

    def draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Times and events (n,), 0 or 1, of n patients."""
        time, ended = np.full(n, np.inf), np.zeros(n)
        # At the longest time the two hazards of the last patient add up to 1: at most 37 % are drawn again.
        while (rows := np.flatnonzero(np.isinf(time))).size:
            event, censoring = (
                hazard.times_at(rng.exponential(size=rows.size)) for hazard in (self.event, self.censoring)
            )
            time[rows], ended[rows] = np.minimum(event, censoring), event <= censoring
        return np.round(time) if self.whole else time, ended

    def described(self) -> dict[str, Any]:
        """Everything, as JSON has it."""
        hazards = {
            name: [hazard.times.tolist(), hazard.cumulative.tolist()]
            for name, hazard in (("event", self.event), ("censoring", self.censoring))
        }
        return hazards | {"whole": self.whole}

    @classmethod
    def restored(cls, given: Mapping[str, Any]) -> Self:
        """From what :meth:`described` says."""
        hazards = (Hazard(*map(np.array, given[name])) for name in ("event", "censoring"))
        return cls(*hazards, given["whole"])
