"""What of a model was fitted on private data, and the differential privacy that is left when all of it is counted.

The unit is the donor: two training sets are neighbours if one has a donor, with all its profiles, that the other has
not. Everything that a model or its samples depend on has an entry: it is public (or declared to be), noised (a Gaussian
mechanism, perhaps on Poisson samples of the donors) or exact. One exact entry and there is no guarantee.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
import scipy
from scipy.special import log_ndtr, ndtr, ndtri

from ...core.errors import ContractError, UserError

STATUS = ("public", "noised", "exact")
#: False-positive rate at which the proved bound on members found is given.
FALSE_POSITIVE_RATE = 0.01
#: Noise multiplier at which the search for the least one starts.
MAX_NOISE = 1024.0
#: Width of the bins of privacy losses, in nats; rounding is upwards, so that epsilon is never too small.
DISCRETISATION = 1e-3


@dataclass(frozen=True)
class Mechanism:
    """Gaussian mechanism, run `steps` times on Poisson samples of the donors.

    Attributes
    ----------
    noise_multiplier : float
        Standard deviation of the noise over the most that one donor can change the sum (its L2 sensitivity).
    sampling_rate : float
        Probability of each donor, independently, to enter a step; 1: all of them.
    steps : int
    """

    noise_multiplier: float
    sampling_rate: float = 1.0
    steps: int = 1

    def event(self):
        """The event of ``dp_accounting``."""
        import dp_accounting

        event = dp_accounting.GaussianDpEvent(self.noise_multiplier)
        if self.sampling_rate < 1:
            event = dp_accounting.PoissonSampledDpEvent(self.sampling_rate, event)
        return event if self.steps == 1 else dp_accounting.SelfComposedDpEvent(event, self.steps)


def _accountant(mechanisms: list[Mechanism]):
    """Privacy loss distribution (Meiser & Mohammadi 2018; Koskela et al. 2020), one donor added or removed."""
    import dp_accounting
    from dp_accounting import pld

    accountant = pld.PLDAccountant(dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE, DISCRETISATION)
    for mechanism in mechanisms:
        accountant.compose(mechanism.event())
    return accountant


def epsilon_of(mechanisms: list[Mechanism], delta: float) -> float:
    """Epsilon, in nats, of all `mechanisms` together at `delta`, by privacy loss distributions; 0 of none."""
    return float(_accountant(mechanisms).get_epsilon(delta)) if mechanisms else 0.0


def noise_for(
    epsilon: float, delta: float, *, sampling_rate: float = 1.0, steps: int = 1, before: list[Mechanism] | None = None
) -> float:
    """Least noise multiplier of a mechanism that, together with those `before` it, stays within (epsilon, delta).

    Raises
    ------
    UserError
        If epsilon or delta is out of range, or the mechanisms before have spent it.
    """
    if not 0 < epsilon <= 100 or not 0 < delta < 1:
        raise UserError(
            f"epsilon {epsilon:g} and delta {delta:g}",
            where="generator_settings",
            remedy="give epsilon above 0 and at most 100 (null: no noise and no guarantee) and delta between 0 and 1",
        )
    spent = epsilon_of(before or [], delta)
    if spent >= epsilon:
        raise UserError(
            f"nothing of epsilon {epsilon:g} is left: what came before has spent {spent:.3g}",
            where="generator_settings",
            remedy="lower statistics_share",
        )

    def total(noise: float) -> float:
        return epsilon_of([*(before or []), Mechanism(noise, sampling_rate, steps)], delta)

    # From above: an accountant's work grows with epsilon, and too little noise would ask for a great deal of it.
    high = MAX_NOISE
    if total(high) > epsilon:
        raise UserError(
            f"a noise multiplier of {MAX_NOISE:g} is not enough for epsilon {epsilon:g}",
            where="generator_settings",
            remedy="raise epsilon, or take fewer steps",
        )
    while total(high / 2) <= epsilon:
        high /= 2
    low = high / 2
    while high - low > 1e-3 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if total(middle) <= epsilon else (middle, high)
    return high


def delta_of_mu(epsilon: float, mu: float) -> float:
    """Least delta at which a Gaussian mechanism of sensitivity over noise `mu` is private at `epsilon`.

    Balle & Wang 2018, ICML, theorem 8.
    """
    if mu <= 0:
        return 0.0
    a, b = mu / 2, epsilon / mu
    return float(ndtr(a - b) - np.exp(epsilon + log_ndtr(-a - b)))


def mu_of(mechanisms: list[Mechanism]) -> float:
    """Mu of Gaussian differential privacy (Dong, Roth & Su 2022, J. R. Stat. Soc. B 84:3) of all `mechanisms` together.

    Exact where none samples donors. Else the least mu whose privacy profile lies above that of the privacy loss
    distribution, at 60 values of epsilon down to a delta of 1e-10: between those, and beyond, it is not proved.
    """
    if all(m.sampling_rate >= 1 for m in mechanisms):
        return float(np.sqrt(sum(m.steps / m.noise_multiplier**2 for m in mechanisms)))
    accountant = _accountant(mechanisms)
    most = float(accountant.get_epsilon(1e-10))
    found = 0.0
    for epsilon in np.linspace(0, most, 60):
        delta = float(accountant.get_delta(epsilon))
        if delta > delta_of_mu(epsilon, found):
            found = scipy.optimize.brentq(lambda mu, e=epsilon, d=delta: delta_of_mu(e, mu) - d, found, 50)
    return float(found)


def auc_bound(mu: float) -> float:
    """Largest area under the ROC curve of any attack on a donor's membership: the area of N(mu, 1) against N(0, 1)."""
    return float(ndtr(mu / np.sqrt(2)))


def tpr_bound(mu: float, fpr: float) -> float:
    """Largest share of members that any attack finds at a false-positive rate: the trade-off function of `mu`."""
    return float(ndtr(ndtri(fpr) + mu))


@dataclass(frozen=True)
class Entry:
    """One line of the ledger: `what`, its `status` and in a few words why (`detail`)."""

    what: str
    status: str
    detail: str
    mechanism: Mechanism | None = None


@dataclass
class Ledger:
    """Entries of a model, in the order in which they were made.

    Attributes
    ----------
    delta : float
        At which epsilon is computed.
    entries : list of Entry
    assumptions : list of str
        What the guarantee takes for granted, one sentence each.
    """

    delta: float
    entries: list[Entry] = field(default_factory=list)
    assumptions: list[str] = field(default_factory=list)

    def public(self, what: str, detail: str) -> None:
        """Enter something that depends on no training donor."""
        self.entries.append(Entry(what, "public", detail))

    def exact(self, what: str, detail: str) -> None:
        """Enter something that training donors determine without noise."""
        self.entries.append(Entry(what, "exact", detail))

    def noised(self, what: str, detail: str, mechanism: Mechanism | None) -> None:
        """Enter the output of a mechanism; without one (noise off) it is exact."""
        status = "exact" if mechanism is None else "noised"
        self.entries.append(Entry(what, status, detail, mechanism))

    @property
    def mechanisms(self) -> list[Mechanism]:
        """Mechanisms of all noised entries."""
        return [entry.mechanism for entry in self.entries if entry.mechanism is not None]

    @property
    def broken_by(self) -> list[Entry]:
        """Exact entries; empty if there is a guarantee."""
        return [entry for entry in self.entries if entry.status == "exact"]

    @property
    def guarantee(self) -> bool:
        """Whether the model is differentially private."""
        return bool(self.entries) and not self.broken_by

    def epsilon(self) -> float | None:
        """Epsilon of the whole model at :attr:`delta`; None if there is no guarantee."""
        return epsilon_of(self.mechanisms, self.delta) if self.guarantee else None

    def mu(self) -> float | None:
        """Mu of the whole model (:func:`mu_of`); None if there is no guarantee."""
        return mu_of(self.mechanisms) if self.guarantee else None

    def statement(self) -> str:
        """The ledger in one sentence."""
        if not self.guarantee:
            broken = "; ".join(f"{entry.what}: {entry.detail}" for entry in self.broken_by)
            return f"no DP guarantee ({broken or 'nothing was entered'})"
        return f"({self.epsilon():.2f}, {self.delta:g})-differential privacy of each donor"

    def state(self) -> dict[str, Any]:
        """JSON-able content, with epsilon, guarantee and statement for who reads it."""
        epsilon, mu = self.epsilon(), self.mu()
        return {
            "delta": self.delta,
            "epsilon": epsilon,
            "mu": mu,
            "auc_bound": None if mu is None else auc_bound(mu),
            "tpr_bound": None if mu is None else tpr_bound(mu, FALSE_POSITIVE_RATE),
            "guarantee": self.guarantee,
            "statement": self.statement(),
            "assumptions": self.assumptions,
            "entries": [asdict(entry) for entry in self.entries],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Ledger restored from :meth:`state`.

        Raises
        ------
        ContractError
            If an entry has an unknown status, or is noised without a mechanism.
        """
        out = cls(float(state["delta"]), assumptions=list(state["assumptions"]))
        for entry in state["entries"]:
            mechanism = Mechanism(**entry["mechanism"]) if entry["mechanism"] else None
            if entry["status"] not in STATUS or (entry["status"] == "noised") != (mechanism is not None):
                raise ContractError(
                    f"entry {entry['what']!r} of a privacy ledger is {entry['status']!r}",
                    remedy="train the model again",
                )
            out.entries.append(Entry(entry["what"], entry["status"], entry["detail"], mechanism))
        return out
