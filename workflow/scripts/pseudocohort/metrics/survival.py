"""Genes that go with survival: would a researcher find in the synthetic cohort those of the real one?

A Cox regression of each gene alone, stratified by class, so that conditions with different survival do not make every
gene prognostic. Genes are called by the score test, whose error is right where a gene separates the few events.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from .discovery import agreement

#: Events on both sides from which on genes are compared.
FEWEST_EVENTS = 10
#: Largest log hazard ratio of a standard deviation: of a gene that orders the events, there is no largest likelihood.
_LARGEST = 8.0
_ITERATIONS, _PRECISION = 50, 1e-9


class Patients(NamedTuple):
    """Profiles (n × genes) with time and event (n,), NaN where not known, and stratum (n,)."""

    x: np.ndarray
    time: np.ndarray
    event: np.ndarray
    stratum: np.ndarray

    def known(self) -> Patients:
        """Those whose follow-up is known."""
        rows = np.flatnonzero(np.isfinite(self.time) & np.isfinite(self.event))
        return Patients(*(part[rows] for part in self))

    def dealt(self, rng: np.random.Generator) -> Patients:
        """With follow-up dealt out anew within strata."""
        order = np.arange(len(self.x))
        for name in np.unique(self.stratum):
            own = np.flatnonzero(self.stratum == name)
            order[own] = rng.permutation(own)
        return self._replace(time=self.time[order], event=self.event[order])


class Association(NamedTuple):
    """Result of :func:`cox`, by gene: log hazard ratio per unit, z of the score test and its two-sided p."""

    log_hr: np.ndarray
    z: np.ndarray
    p: np.ndarray


class _RiskSets(NamedTuple):
    """Of a stratum, rows in descending time: for each event its row, the last row at risk, tied events, rank."""

    rows: np.ndarray
    events: np.ndarray
    last: np.ndarray
    first_tied: np.ndarray
    share: np.ndarray


def _risk_sets(time: np.ndarray, event: np.ndarray, rows: np.ndarray) -> _RiskSets:
    # Descending time; of one time, events are first.
    rows = rows[np.lexsort((-event[rows], -time[rows]))]
    t, events = time[rows], np.flatnonzero(event[rows] > 0)
    last = len(t) - 1 - np.searchsorted(t[::-1], t[events], side="left")
    _, start, group, number = np.unique(-t[events], return_index=True, return_inverse=True, return_counts=True)
    share = (np.arange(len(events)) - start[group]) / number[group]
    return _RiskSets(rows, events, last, start, share)


def _derivatives(x: np.ndarray, beta: np.ndarray, sets: list[_RiskSets]) -> tuple[np.ndarray, np.ndarray]:
    """First derivative and information (genes,) of the partial likelihood, ties as Efron has them."""
    score, information = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for at in sets:
        own = x[at.rows]
        weight = np.exp(own * beta)
        terms = (weight, weight * own, weight * own * own)
        sums = []
        for term in terms:
            tied = np.add.reduceat(term[at.events], at.first_tied, axis=0)
            number = np.diff(np.append(at.first_tied, len(at.events)))
            sums.append(np.cumsum(term, axis=0)[at.last] - at.share[:, None] * np.repeat(tied, number, axis=0))
        mean = sums[1] / sums[0]
        score += (own[at.events] - mean).sum(0)
        information += (sums[2] / sums[0] - mean**2).sum(0)
    return score, information


def cox(patients: Patients) -> Association:
    """Cox regression of each gene alone (Cox 1972; ties: Efron 1977), stratified.

    Parameters
    ----------
    patients : Patients
        Without missing follow-up.

    Returns
    -------
    Association
        A gene that does not vary among those at risk has a log hazard ratio of 0 and p = 1.
    """
    x = np.asarray(patients.x, np.float64)
    spread = x.std(0)
    usable = spread > 1e-9
    z = np.where(usable, (x - x.mean(0)) / np.where(usable, spread, 1), 0)
    rows = [np.flatnonzero(patients.stratum == name) for name in np.unique(patients.stratum)]
    sets = [_risk_sets(patients.time, patients.event, own) for own in rows if (patients.event[own] > 0).any()]
    beta = np.zeros(x.shape[1])
    score, information = _derivatives(z, beta, sets)
    informed = information > 1e-9
    test = np.where(informed, score / np.sqrt(np.where(informed, information, 1)), 0)
    for _ in range(_ITERATIONS):
        step = np.where(informed, score / np.maximum(information, 1e-9), 0)
        new = np.clip(beta + np.clip(step, -1, 1), -_LARGEST, _LARGEST)
        done = np.abs(new - beta).max(initial=0) < _PRECISION
        beta = new
        if done:
            break
        score, information = _derivatives(z, beta, sets)
    return Association(beta / np.where(usable, spread, 1), test, 2 * stats.norm.sf(np.abs(test)))


def survival_recovery(reality: Patients, stand_in: Patients, rng: np.random.Generator) -> dict[str, float]:
    """How far genes go with survival in a stand-in as they do in reality.

    Parameters
    ----------
    reality, stand_in : Patients
        Standardised profiles of the same genes.
    rng : Generator
        Of the floor: the stand-in's follow-up dealt out anew within strata.

    Returns
    -------
    dict of float
        * survival_log_hr_r: correlation of the log hazard ratios over genes
        * survival_calls, survival_real_calls, survival_recall, survival_false_share, survival_p_r: see
          :func:`.discovery.agreement`
        * survival_permuted_log_hr_r, survival_permuted_calls: the floor

        Empty where one of them has fewer than ten events.
    """
    real, made = reality.known(), stand_in.known()
    if min((part.event > 0).sum() for part in (real, made)) < FEWEST_EVENTS:
        return {}
    truth, found, floor = cox(real), cox(made), cox(made.dealt(rng))
    out = agreement(truth.z, truth.p, found.z, found.p, "survival")
    out["survival_permuted_calls"] = agreement(truth.z, truth.p, floor.z, floor.p, "permuted")["permuted_calls"]
    for name, other in (("survival_log_hr_r", found), ("survival_permuted_log_hr_r", floor)):
        if np.ptp(truth.log_hr) > 0 and np.ptp(other.log_hr) > 0:
            out[name] = float(np.corrcoef(truth.log_hr, other.log_hr)[0, 1])
    return out
