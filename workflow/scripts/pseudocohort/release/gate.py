"""The gate of a release: the privacy evidence of the released generator, and whether it is good enough.

Evidence is what the attacks of the privacy evaluation (:mod:`..experiments.privacy.score`) found on cohorts of the same
generator, trained on donors chosen by coin. Passing the gate means that none of these attacks did better than the
study allows; it is no proof that no attack can.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..core.errors import UserError
from ..experiments.shared.statistics import interval
from ..experiments.shared.verdicts import between, number, words
from .inputs import not_audited


@dataclass(frozen=True)
class Area:
    """Area under the ROC curve of an attack, mean over coins, with its 95 % interval; NaN where there is none."""

    auc: float
    low: float
    high: float

    def __str__(self) -> str:
        return number(self.auc) + between(self.low, self.high, number)


@dataclass(frozen=True)
class Attack:
    """One attack on the released generator, and the same attack where the candidates were not trained on."""

    name: str
    audit: Area
    control: Area


@dataclass(frozen=True)
class Evidence:
    """Privacy evidence of one generator.

    Attributes
    ----------
    attacks : tuple of Attack
        In the order of the table.
    coins : int
        Audits: each donor is in or out by its own fair coin in each.
    epsilon : tuple of (float, float)
        Of each coin the lower bound on epsilon (nats, 95 %) and the most that so many donors could have shown.
    p_corrected : float or None
        Smallest p-value of the battery over the coins, corrected for attacks and coins; None if the table has none.
    levels : tuple of str
        Levels of the profiles attacked.
    members, synthetic : float or None
        Mean numbers of members' and of synthetic profiles of an audit; None if the table has none.
    claim : tuple of (float or None, float) or None
        Epsilon and delta that the ledgers of the audited models claim, epsilon None if one of them claims nothing;
        None for a generator without a ledger.
    """

    attacks: tuple[Attack, ...]
    coins: int
    epsilon: tuple[tuple[float, float], ...]
    p_corrected: float | None
    levels: tuple[str, ...]
    members: float | None
    synthetic: float | None
    claim: tuple[float | None, float] | None = None


@dataclass(frozen=True)
class Decision:
    """What the gate found.

    Attributes
    ----------
    evidence : Evidence or None
        None if privacy was not evaluated for the generator (only with an override).
    max_auc_high : float
        Largest upper end of an attack's area that was allowed.
    failed : tuple of str
        What the gate holds against the release, one sentence each.
    override : str
        The reason given for releasing all the same; empty if nothing was overridden.
    """

    evidence: Evidence | None
    max_auc_high: float
    failed: tuple[str, ...]
    override: str


def _area(rows: pd.DataFrame) -> Area:
    """Mean area over coins; its interval is over the coins from two on, else DeLong's.

    Coins that agree exactly would give an interval of no width, which says nothing of the donors; there DeLong's,
    averaged over the coins, stands.
    """
    if rows.empty:
        return Area(np.nan, np.nan, np.nan)
    found = interval(rows.loc[rows["metric"] == "auc", "value"])
    if found.n > 1 and found.low < found.high:
        return Area(found.mean, max(found.low, 0.0), min(found.high, 1.0))
    low, high = (rows.loc[rows["metric"] == f"auc_{end}", "value"].mean() for end in ("low", "high"))
    return Area(found.mean, float(low), float(high))


def _claim(audit: pd.DataFrame) -> tuple[float | None, float] | None:
    ledger = audit[(audit["estimator"] == "ledger").to_numpy()]
    by_metric = {metric: rows["value"] for metric, rows in ledger.groupby("metric")}
    if "guarantee" not in by_metric:
        return None
    whole = (by_metric["guarantee"] == 1).all() and "epsilon" in by_metric
    return (float(by_metric["epsilon"].max()) if whole else None), float(by_metric["delta"].max())


def evidence(table: pd.DataFrame, generator: str) -> Evidence | None:
    """Privacy evidence of a generator; None if no attack was run on it.

    Parameters
    ----------
    table : DataFrame
        Long privacy table (``tables/privacy.tsv``).
    generator : str
        Its name.
    """
    own = table[(table["generator"] == generator).to_numpy()]
    audit, control = (own[(own["regime"] == regime).to_numpy()] for regime in ("audit", "negative_control"))
    # An attack that could not run has no area and a metric that says why: it is no evidence, for or against.
    audit = audit[~((audit["metric"] == "auc") & audit["value"].isna()).to_numpy()]
    names = list(dict.fromkeys(audit.loc[audit["metric"] == "auc", "estimator"]))
    if not names:
        return None
    coins = audit.loc[audit["metric"] == "auc", "repeat"].nunique()
    battery = {m: rows.sort_values("repeat")["value"] for m, rows in audit.groupby("metric", sort=False)}

    def mean(metric: str) -> float | None:
        return float(battery[metric].mean()) if metric in battery else None

    bounds = zip(battery.get("epsilon_lower_bound", ()), battery.get("epsilon_ceiling", ()), strict=True)
    p = min(1.0, coins * float(battery["p_corrected"].min())) if "p_corrected" in battery else None
    levels = sorted({part for level in audit["level"].dropna().astype(str) for part in level.split("+")})
    return Evidence(
        attacks=tuple(
            Attack(n, _area(audit[audit["estimator"] == n]), _area(control[control["estimator"] == n])) for n in names
        ),
        coins=int(coins),
        epsilon=tuple((float(bound), float(ceiling)) for bound, ceiling in bounds),
        p_corrected=p,
        levels=tuple(levels),
        members=mean("members"),
        synthetic=mean("synthetic"),
        claim=_claim(audit),
    )


def decide(table: pd.DataFrame | None, generator: str, *, max_auc_high: float, override: str = "") -> Decision:
    """Let a release pass, or refuse it.

    Parameters
    ----------
    table : DataFrame or None
        Long privacy table; None if the study has no privacy evaluation.
    generator : str
        The generator released.
    max_auc_high : float
        Largest upper end of the interval of any attack's area that is allowed.
    override : str
        Reason for releasing against the evidence, or without any; empty for none.

    Raises
    ------
    UserError
        If an attack's interval reaches above `max_auc_high` (or is not defined), or privacy was not evaluated for the
        generator, and there is no reason in `override`.
    """
    reason = override.strip()
    found = None if table is None else evidence(table, generator)
    if found is None:
        if not reason:
            raise not_audited(generator)
        return Decision(None, max_auc_high, (f"Privacy was not evaluated for {generator}.",), reason)
    # Written so that an interval that is not a number does not pass.
    caught = [a for a in found.attacks if not a.audit.high <= max_auc_high]
    failed = tuple(
        f"Attack {words(a.name)}: AUC {a.audit}, bound {number(max_auc_high)}."
        if np.isfinite(a.audit.high)
        else f"Attack {words(a.name)}: AUC {number(a.audit.auc)} without an interval, bound {number(max_auc_high)}."
        for a in caught
    )
    if failed and not reason:
        raise UserError(
            f"the gate refuses to release {generator!r}: {len(failed)} of {len(found.attacks)} attacks may tell who "
            "was in the training data better than the study allows (upper end of the 95 % interval of the AUC)\n  "
            + "\n  ".join(failed),
            where=f"tables/privacy.tsv, generator {generator}; release.max_auc_high = {max_auc_high:g}",
            remedy="release a generator that leaks less (release.generator), train on more donors, run more coins "
            "(privacy.coins) where the interval is wide only, or give the reason for releasing it all the same in "
            "release.override; it is printed on the card (docs/privacy.md)",
        )
    return Decision(found, max_auc_high, failed, reason if failed else "")
