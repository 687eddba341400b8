"""What the privacy table says of a generator, and whether it is good enough to release: one judgement for all.

The release gate and the report's verdict both ask :func:`judge`, so that they cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from scipy import special

from ...core.words import between, number, words
from ..shared.statistics import interval
from ..shared.tables import rows_with
from .attacks import REQUIRED
from .pooled import FALSE_POSITIVE_RATE, FEWEST_COINS

#: Fewest non-members over all coins: one of them may be a false positive at the rate at which members are counted.
MIN_NON_MEMBERS = round(1 / FALSE_POSITIVE_RATE)
TPR = f"tpr_at_fpr_{FALSE_POSITIVE_RATE:g}"
#: Level at which a proved bound counts as broken: over all attacks (Bonferroni), and over all coins.
ALPHA = 0.05
#: What an attack's row begins with where it failed: that is no reason of the cohort's why it had nothing to go by.
FAILED = "not_run_failed_"
#: Regimes of attacks that have a say, by what is put before the attack's name.
SAY = {"audit": "", "shadow": "shadow ", "release_size": "larger release: "}


@dataclass(frozen=True)
class Bounds:
    """What a study allows (``release`` of the configuration).

    Attributes
    ----------
    max_auc_high : float
        Upper end of the interval of any attack's area.
    max_tpr_high : float
        Upper end of the interval of the share of members found at 1 % false positives.
    max_condition_auc_high : float
        Upper end of the interval of an attack's area within a condition of 20 or more members, or the largest area that
        the ledger leaves to any attack where that is less and the interval does not contradict it: a few dozen donors
        have intervals too wide to tell, however many coins are tossed.
    max_epsilon : float
        Lower bound on epsilon of an audit.
    """

    max_auc_high: float = 0.6
    max_tpr_high: float = 0.05
    max_condition_auc_high: float = 0.75
    max_epsilon: float = 1.0

    @classmethod
    def of(cls, release: dict[str, object]) -> Bounds:
        """Bounds of the section ``release`` of a configuration."""
        return cls(**{f.name: float(release[f.name]) for f in fields(cls) if f.name in release})  # type: ignore[arg-type]


@dataclass(frozen=True)
class Area:
    """Area under the ROC curve of an attack, mean over coins, with its 95 % interval; NaN where there is none."""

    auc: float
    low: float
    high: float

    def __str__(self) -> str:
        return number(self.auc) + between(self.low, self.high, number)


@dataclass(frozen=True)
class Result:
    """One attack on a generator: areas, and the share of members found at 1 % false positives (NaN: unknown)."""

    name: str
    audit: Area
    control: Area
    found: Area


@dataclass(frozen=True)
class Evidence:
    """Privacy evidence of one generator.

    Attributes
    ----------
    attacks : tuple of Result
        Of the battery, of the stack and of shadow attacks, in the order of the table.
    conditions : tuple of (str, str, Area)
        Condition, its strongest attack and the area within the condition.
    small_conditions : tuple of (str, int)
        Conditions with too few members for an area of their own, and the most members they had.
    coins : int
        Audits: each donor is in or out by its own fair coin in each.
    non_members : int
        Over all coins.
    epsilon : tuple of (float, float)
        Of each coin the lower bound on epsilon (nats, 95 %) and the most that so many donors could have shown.
    p_corrected : float or None
        Smallest p-value of the battery over the coins, corrected for attacks and coins; None if the table has none.
    copies : int
        Rows of the audited cohorts that are exact, near or disguised copies of a member.
    levels : tuple of str
        Levels of the profiles attacked.
    members, synthetic : float or None
        Mean numbers of members' and of synthetic profiles of an audit; None if the table has none.
    most_synthetic : float or None
        Synthetic profiles per member of the largest release that was attacked.
    missing : tuple of str
        Required attacks that were not run on every coin.
    claim : tuple of (float or None, float) or None
        Epsilon and delta that the ledgers of the audited models claim, epsilon None if one of them claims nothing;
        None for a generator without a ledger.
    auc_bound : float or None
        Largest area that the audited models' ledgers leave to any attack; None without a guarantee.
    auc_least : float
        Area that the strongest attack has at least: lower end at a level of 95 % over all attacks.
    """

    attacks: tuple[Result, ...]
    coins: int
    epsilon: tuple[tuple[float, float], ...]
    p_corrected: float | None
    levels: tuple[str, ...]
    members: float | None
    synthetic: float | None
    claim: tuple[float | None, float] | None = None
    auc_bound: float | None = None
    auc_least: float = 0.0
    conditions: tuple[tuple[str, str, Area], ...] = ()
    small_conditions: tuple[tuple[str, int], ...] = ()
    non_members: int = 0
    copies: int = 0
    most_synthetic: float | None = None
    missing: tuple[str, ...] = ()

    @property
    def best(self) -> Result:
        """The attack with the largest area."""
        return max(self.attacks, key=lambda attack: attack.audit.auc)


@dataclass(frozen=True)
class Objection:
    """What is held against a release; `proven` if it was seen to leak, else it could not be ruled out."""

    text: str
    proven: bool


def in_words(p: float) -> str:
    """A p-value in words."""
    return "p < .001" if p < 0.001 else f"p = {number(p, 3)}"


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


def _least(rows: pd.DataFrame, attacks: int) -> float:
    """Lower end of an attack's mean area, one-sided, at the level that is left to each of so many attacks."""
    confidence = 1 - 2 * ALPHA / attacks
    found = interval(rows.loc[rows["metric"] == "auc", "value"], confidence=confidence)
    if found.n > 1 and found.low < found.high:
        return found.low
    usual = _area(rows)
    wider = special.ndtri(0.5 + confidence / 2) / special.ndtri(0.975)
    return float(np.nan_to_num(usual.auc - wider * (usual.auc - usual.low)))


def _disproved(bounds: tuple[tuple[float, float], ...], claim: float) -> bool:
    """Whether more coins' lower bounds, each of which holds with 95 %, exceed a claim than chance makes exceed it."""
    above = sum(bound > claim for bound, _ in bounds)
    return above > 0 and special.bdtrc(above - 1, len(bounds), ALPHA) <= ALPHA + 1e-9


def _claim(audit: pd.DataFrame) -> tuple[float | None, float] | None:
    ledger = rows_with(audit, estimator="ledger")
    by_metric = {metric: rows["value"] for metric, rows in ledger.groupby("metric")}
    if "guarantee" not in by_metric:
        return None
    whole = (by_metric["guarantee"] == 1).all() and "epsilon" in by_metric
    return (float(by_metric["epsilon"].max()) if whole else None), float(by_metric["delta"].max())


def _auc_bound(audit: pd.DataFrame) -> float | None:
    bounds = rows_with(audit, estimator="ledger", metric="auc_bound")["value"]
    return float(bounds.max()) if len(bounds) else None


def _found(pooled: pd.DataFrame, name: str) -> Area:
    rows = rows_with(pooled, estimator=name).set_index("metric")["value"]
    return Area(*(float(rows.get(f"{TPR}{end}", np.nan)) for end in ("", "_low", "_high")))


def _missing(audit: pd.DataFrame, coins: int) -> tuple[str, ...]:
    """Required attacks without an area, and without a reason why they had nothing to go by, in some coin."""
    auc = audit[(audit["metric"] == "auc") & audit["value"].notna()]
    excused = audit[audit["metric"].str.startswith("not_run_") & ~audit["metric"].str.startswith(FAILED)]
    told = pd.concat([auc, excused]).groupby("estimator")["repeat"].nunique()
    return tuple(name for name in REQUIRED if told.get(name, 0) < coins)


def _conditions(rows: pd.DataFrame) -> tuple[tuple[tuple[str, str, Area], ...], tuple[tuple[str, int], ...]]:
    strongest, small = [], []
    for condition, own in rows.groupby("task", sort=True):
        name = str(condition).removeprefix("condition:")
        auc = own[own["metric"] == "auc_high"]
        if auc.empty:
            small.append((name, int(own["value"].max())))
            continue
        attack = auc.loc[auc["value"].idxmax(), "estimator"]
        of = own[own["estimator"] == attack].set_index("metric")["value"]
        strongest.append((name, attack, Area(of["auc"], of["auc_low"], of["auc_high"])))
    return tuple(strongest), tuple(small)


def evidence(table: pd.DataFrame, generator: str) -> Evidence | None:
    """Privacy evidence of a generator; None if no attack was run on it."""
    own = rows_with(table, generator=generator)
    regime = own["regime"].astype(str).to_numpy()
    audit, control, pooled = (own[regime == name] for name in ("audit", "negative_control", "pooled"))
    # An attack that could not run has no area and a metric that says why: it is no evidence, for or against.
    areas = own[~((own["metric"] == "auc") & own["value"].isna()).to_numpy()]
    names = list(dict.fromkeys(audit.loc[(audit["metric"] == "auc") & audit["value"].notna(), "estimator"]))
    if not names:
        return None
    coins = int(audit.loc[audit["metric"] == "auc", "repeat"].nunique())
    battery_rows = rows_with(audit, estimator="battery")
    battery = {m: rows.sort_values("repeat")["value"] for m, rows in battery_rows.groupby("metric", sort=False)}

    def mean(metric: str) -> float | None:
        return float(battery[metric].mean()) if metric in battery else None

    results, parts = [], []
    ratio = mean("synthetic") / mean("members") if mean("members") and mean("synthetic") else None
    most = ratio
    for kind, before in SAY.items():
        rows = areas[(areas["regime"] == kind).to_numpy() & (areas["metric"].isin(["auc", "auc_low", "auc_high"]))]
        for task, part in rows.groupby(rows["task"].fillna("").astype(str), sort=False):
            factor = float(task.split(" x")[-1]) if kind == "release_size" else 1.0
            if factor < 1:
                continue  # what fewer profiles give away, more of them do as well
            most = max(most or 0.0, factor * (ratio or 0.0)) if ratio else most
            for name in dict.fromkeys(part["estimator"]):
                against = control[control["estimator"] == name] if kind == "audit" else control.iloc[:0]
                found = _found(pooled, name) if kind == "audit" else Area(np.nan, np.nan, np.nan)
                of = part[part["estimator"] == name]
                parts.append(of)
                results.append(Result(before + name, _area(of), _area(against), found))
    conditions, small = _conditions(own[regime == "condition"])
    copies = audit[((audit["estimator"] == "copies") & audit["metric"].str.endswith("_copies")).to_numpy()]
    bounds = zip(battery.get("epsilon_lower_bound", ()), battery.get("epsilon_ceiling", ()), strict=True)
    levels = sorted({part for level in audit["level"].dropna().astype(str) for part in level.split("+")})
    outside = rows_with(pooled, metric="non_members")["value"]
    return Evidence(
        attacks=tuple(results),
        coins=coins,
        epsilon=tuple((float(bound), float(ceiling)) for bound, ceiling in bounds),
        p_corrected=min(1.0, coins * float(battery["p_corrected"].min())) if "p_corrected" in battery else None,
        levels=tuple(levels),
        members=mean("members"),
        synthetic=mean("synthetic"),
        claim=_claim(audit),
        auc_bound=_auc_bound(audit),
        auc_least=max((_least(of, len(parts)) for of in parts), default=0.0),
        conditions=conditions,
        small_conditions=small,
        non_members=int(outside.max()) if len(outside) else 0,
        copies=int(copies["value"].sum()),
        most_synthetic=most,
        missing=_missing(audit, coins),
    )


def _of_attack(attack: Result, bounds: Bounds) -> list[Objection]:
    found = []
    # Written so that an interval that is not a number does not pass.
    if not attack.audit.high <= bounds.max_auc_high:
        there = np.isfinite(attack.audit.high)
        shown = str(attack.audit) if there else f"{number(attack.audit.auc)} without an interval"
        text = f"Attack {words(attack.name)}: AUC {shown}, bound {number(bounds.max_auc_high)}."
        found.append(Objection(text, attack.audit.low > 0.5 and attack.audit.auc > bounds.max_auc_high))
    if np.isfinite(attack.found.auc) and not attack.found.high <= bounds.max_tpr_high:
        text = f"Attack {words(attack.name)}: finds {number(attack.found.auc, 3)}"
        text += between(attack.found.low, attack.found.high, lambda v: number(v, 3))
        text += f" of the members at 1 % false positives, bound {number(bounds.max_tpr_high)}."
        found.append(Objection(text, attack.found.low > bounds.max_tpr_high))
    return found


def judge(found: Evidence, bounds: Bounds) -> tuple[Objection, ...]:
    """All that speaks against releasing a generator's cohort; empty if nothing does."""
    objections = [objection for attack in found.attacks for objection in _of_attack(attack, bounds)]
    proved = np.inf if found.auc_bound is None else found.auc_bound
    for condition, attack, area in found.conditions:
        high = min(area.high, proved) if area.low <= proved else area.high
        if not high <= bounds.max_condition_auc_high:
            text = f"Condition {condition}, attack {words(attack)}: AUC {area}, "
            text += f"bound {number(bounds.max_condition_auc_high)} within a condition."
            objections.append(Objection(text, area.low > 0.5 and area.auc > bounds.max_condition_auc_high))
    worst = max((bound for bound, _ in found.epsilon), default=0.0)
    if worst > bounds.max_epsilon:
        text = f"An audit's lower bound on epsilon is {number(worst)}, bound {number(bounds.max_epsilon)}."
        objections.append(Objection(text, True))
    if found.auc_bound is not None and found.auc_least > found.auc_bound:
        text = f"An attack's AUC is at least {number(found.auc_least)}, above the proved bound of "
        objections.append(Objection(f"{text}{number(found.auc_bound)}.", True))
    if found.claim and found.claim[0] is not None and _disproved(found.epsilon, found.claim[0]):
        text = f"The audits' lower bounds on epsilon, up to {number(worst)}, disprove the claim of "
        objections.append(Objection(f"{text}{number(found.claim[0])}.", True))
    if found.copies:
        objections.append(Objection(f"{found.copies} profiles of the audited cohorts copy a training donor.", True))
    if found.missing:
        names = ", ".join(words(name) for name in found.missing)
        objections.append(Objection(f"Attacks of the least battery were not run: {names}.", False))
    if found.coins < FEWEST_COINS:
        objections.append(Objection(f"{found.coins} coins; a release needs {FEWEST_COINS}.", False))
    if found.non_members < MIN_NON_MEMBERS:
        text = f"{found.non_members} non-members over all coins; {MIN_NON_MEMBERS} are needed to count members found "
        objections.append(Objection(text + "at 1 % false positives.", False))
    return tuple(objections)
