"""Follow-up of patients: the cumulative hazard, and what it leaves of each patient's event.

A patient has a time of follow-up and whether the event (death, relapse) ended it. The martingale residual is the event
less the hazard that the patient has been under: the events of those who had too many, or too few.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

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
