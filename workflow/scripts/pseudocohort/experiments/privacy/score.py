"""Privacy: can an attacker with the synthetic cohort tell whose profiles the generator was trained on?

Each candidate donor is a member by its own fair coin (:func:`...plan.members.privacy`). Attacks
(:mod:`.attacks`) score the candidates' profiles; the mean over a donor's profiles is the donor's score, and the
donors' coins are what the scores are held against. In the negative control the generator saw the attacker's reference
only, so that the same coins cannot be told: it is printed next to each result of the same split. A battery without a
finding is no evidence of privacy beyond its attacks and its ``epsilon_ceiling``.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from ...core import contracts, io
from ...core.errors import ContractError, UserError
from ...core.io import evaluation_table
from ...core.seeds import derive
from ...metrics.copies import count_copies
from ...metrics.memorisation import closer_to_train_share
from ..shared.classifiers import transferred_accuracy
from ..shared.inputs import ScoreInputs
from ..shared.split_guard import Members
from ..shared.statistics import corrected_maximum, delong, tpr_at_fpr
from .attacks import ATTACKS, AttackSpace, CannotRun, attack_space, chosen
from .attributes import ATTRIBUTES, excess
from .audit import epsilon_lower_bound
from .genotype import genotype_agreement, panel_of
from .pooled import FEWEST_COINS as STACK_COINS
from .pooled import Coin, by_condition, in_all, stacked, true_positives
from .shadow import FEWEST_COINS, shadow_scores

log = logging.getLogger(__name__)

#: Regime of the white-box attacks on the models of a training set's regime.
WHITE_BOX = {
    "audit": "white_box",
    "negative_control": "white_box_control",
    "training_length": "training_length_white_box",
}
#: Regime of attribute inference on the cohort of a training set's regime.
ATTRIBUTE_REGIME = {"audit": "attribute_inference", "negative_control": "attribute_inference_control"}
#: False-positive rate at which the true-positive rate is reported, where there are enough non-members.
FALSE_POSITIVE_RATE = 0.1


def donor_scores(scores: np.ndarray, donors: np.ndarray) -> np.ndarray:
    """Mean score of each donor's profiles, donors in order of their names.

    Returns
    -------
    ndarray (donors,) or (donors, attacks)
    """
    _, index, count = np.unique(donors, return_inverse=True, return_counts=True)
    total = np.zeros((len(count), *scores.shape[1:]))
    np.add.at(total, index, scores)
    return total / count.reshape(-1, *[1] * (scores.ndim - 1))


def tied_share(scores: np.ndarray) -> float:
    """Share of scores that another one equals: what a threshold cannot tell apart."""
    _, index, count = np.unique(scores, return_inverse=True, return_counts=True)
    return float((count[index] > 1).mean())


class _Split:
    """One training set: the space of the attacks, whose profile each candidate is, and the donors' coins."""

    def __init__(self, profiles: ad.AnnData, synthetic: ad.AnnData, plan: Members, training_set: str) -> None:
        if list(synthetic.var_names) != list(profiles.var_names):
            raise ContractError(
                f"the genes of the synthetic profiles of {training_set!r} are not those of the real ones",
                remedy="delete the synthetic profiles and run the workflow again",
            )
        self.members, self.member_condition = plan.of(training_set, "member")
        self.others, self.other_condition = plan.of(training_set, "non_member")
        reference, reference_condition = plan.of(training_set, "reference")
        self.profiles, self.synthetic, self.reference = profiles, synthetic, reference
        self.rows = np.concatenate([self.members, self.others])
        donors = profiles.obs["donor"].astype(str).to_numpy(dtype=object)
        self.donors = donors[self.rows]
        # A negative control is trained on rows of role train: the reference's donors, never a candidate.
        trained, _ = plan.of(training_set, "train")
        self._check_disjoint(training_set, donors[np.concatenate([reference, trained])])
        self.names, first = np.unique(self.donors, return_index=True)
        self.member = np.isin(self.names, donors[self.members])
        #: Condition of each donor: that of its first profile.
        self.condition = np.concatenate([self.member_condition, self.other_condition])[first].astype(str)
        if self.member.all() or not self.member.any():
            raise UserError(
                f"training set {training_set!r} has {int(self.member.sum())} member donor(s) of {len(self.member)}:"
                " both members and non-members are needed",
                where="privacy",
                remedy="audit a level with more donors, or lower privacy.reference_share",
            )
        self.space: AttackSpace = attack_space(
            profiles.X[self.rows],
            profiles.X[reference],
            np.asarray(synthetic.X),
            np.concatenate([self.member_condition, self.other_condition]),
            reference_condition,
            synthetic.obs["condition"].astype(str).to_numpy(dtype=object),
        )

    def _check_disjoint(self, training_set: str, reference: np.ndarray) -> None:
        roles = {
            "member": set(self.donors[: len(self.members)]),
            "non-member": set(self.donors[len(self.members) :]),
            "reference": set(reference),
        }
        for a, b in (("member", "non-member"), ("member", "reference"), ("non-member", "reference")):
            if shared := roles[a] & roles[b]:
                raise ContractError(
                    f"donor {sorted(shared)[0]!r} is both {a} and {b}",
                    where=f"plan/members, training set {training_set!r}",
                    remedy="delete the plan and run the workflow again",
                )

    def copies(self) -> dict[str, float]:
        """Numbers of synthetic rows that are exact, near and disguised copies of a member's profile."""
        space, n = self.space, len(self.members)
        # In log2 units, which the order of a row's genes is of.
        made, members = ((x * space.scale + space.centre) for x in (space.synthetic, space.candidates[:n]))
        found = count_copies(made, members, self.donors[:n])
        return {
            name: float(k) for name, k in zip(("exact_copies", "near_copies", "disguised_copies"), found, strict=True)
        }

    def genotype_agreement(self, further: Collection[str]) -> np.ndarray:
        """Agreement of the candidates' genotype-driven genes with the nearest synthetic row's (:mod:`.genotype`)."""
        x, space = self.profiles.X, self.space
        return genotype_agreement(
            x[self.rows], x[self.reference], np.asarray(self.synthetic.X),
            panel_of(self.profiles.var["symbol"], further),
            space.candidate_condition, space.reference_condition, space.synthetic_condition,
        )  # fmt: skip

    def closer_to_members(self) -> float | None:
        """Share of synthetic rows nearer to members than to as many non-members of each condition; None without any.

        The mean over all choices of equally many: copies score less than 1 where there are more members to choose from.
        """
        if not set(self.member_condition) & set(self.other_condition):
            return None
        genes = self.space
        n = len(self.members)
        return closer_to_train_share(
            genes.synthetic, genes.candidates[:n], genes.candidates[n:], self.member_condition, self.other_condition
        )


def _attack(name: str, split: _Split, seed: int) -> np.ndarray | str:
    """Scores of the donors, or why there are none."""
    try:
        scores = donor_scores(ATTACKS[name](split.space, seed=seed), split.donors)
    except CannotRun as reason:
        return str(reason)
    except np.linalg.LinAlgError as error:
        return f"failed: linear algebra ({error})"
    return scores if np.isfinite(scores).all() else "failed: scores are not finite"


def _measures(scores: np.ndarray, member: np.ndarray) -> dict[str, float]:
    """Measures of one attack on donors."""
    auc, se, low, high = delong(member, scores)
    found = {"auc": auc, "auc_se": se, "auc_low": low, "auc_high": high, "tied_share": tied_share(scores)}
    rate = tpr_at_fpr(member, scores, FALSE_POSITIVE_RATE)
    return found if rate is None else found | {f"tpr_at_fpr_{FALSE_POSITIVE_RATE:g}": rate}


def _rows(regime: str, by_estimator: Mapping[str, Mapping[str, float]]) -> list[dict[str, Any]]:
    return [
        {"regime": regime, "estimator": estimator, "metric": metric, "value": value}
        for estimator, measures in by_estimator.items()
        for metric, value in measures.items()
    ]


def _not_run(reason: str) -> dict[str, float]:
    return {"not_run_" + re.sub(r"[^a-z]+", "_", reason.lower()).strip("_"): 1.0}


def _battery(
    regime: str, scores: Mapping[str, np.ndarray | str], member: np.ndarray, seed: int, **further: float
) -> list[dict[str, Any]]:
    """Rows of attacks on donors and of all of them together; one that cannot run has no area, and says why."""
    by_estimator: dict[str, dict[str, float]] = {}
    for name, values in scores.items():
        if isinstance(values, str):
            log.warning("%s: attack %s cannot run: %s", regime, name, values)
            by_estimator[name] = {"auc": np.nan, **_not_run(values)}
        else:
            by_estimator[name] = _measures(values, member)
    by_estimator["battery"] = dict(further)
    if ran := {name: values for name, values in scores.items() if not isinstance(values, str)}:
        used = np.stack(list(ran.values()), axis=1)
        bound, ceiling = epsilon_lower_bound(used, member, seed=derive(seed, "ties"))
        by_estimator["battery"] = {
            "max_auc": max(by_estimator[name]["auc"] for name in ran),
            "p_corrected": corrected_maximum(used, member, seed=derive(seed, "permutations")),
            "epsilon_lower_bound": bound,
            "epsilon_ceiling": ceiling,
            **further,
        }
    return _rows(regime, by_estimator)


def _attacked(
    given: ScoreInputs, training_set: str, made: ad.AnnData, regime: str, seed: int
) -> tuple[_Split, dict[str, np.ndarray | str], list[dict[str, Any]]]:
    """The space of a cohort's attacks, the donors' scores, and the rows of these."""
    split = _Split(given.profiles, made, given.index, training_set)
    attacks = chosen(given.settings["attacks"])
    scores = {attack: _attack(attack, split, derive(seed, attack)) for attack in attacks}
    # Measures, not keys: coins fall differently, and summaries are over coins.
    size = {"members": len(split.members), "synthetic": made.n_obs}
    return split, scores, _battery(regime, scores, split.member, seed, **size)


def _similarity(split: _Split) -> list[dict[str, Any]]:
    share = split.closer_to_members()
    return [] if share is None else _rows("similarity", {"similarity": {"dcr_member_share": share}})


def _use(split: _Split) -> dict[str, float]:
    """What the released cohort teaches, and what its members themselves would: both tested on the non-members."""
    space, n = split.space, len(split.members)
    test = space.candidates[n:], space.candidate_condition[n:]
    return {
        name: transferred_accuracy(x, y, *test)
        for name, x, y in (
            ("tstr_balanced_accuracy", space.synthetic, space.synthetic_condition),
            ("members_balanced_accuracy", space.candidates[:n], space.candidate_condition[:n]),
        )
        if len(np.unique(y)) > 1
    }


def _attributes(split: _Split, seed: int, further: Collection[str]) -> dict[str, dict[str, float]]:
    found = {
        name: excess(donor_scores(agreement(split.space, seed=derive(seed, name)), split.donors), split.member)
        for name, agreement in ATTRIBUTES.items()
    }
    try:
        agreement = split.genotype_agreement(further)
    except CannotRun as reason:
        return found | {"genotype": _not_run(str(reason))}
    return found | {"genotype": excess(donor_scores(agreement, split.donors), split.member)}


def signals_of(signals: pd.DataFrame, training_set: str, split: _Split) -> dict[str, np.ndarray]:
    """White-box signals of a model about the donors of its audit, by name.

    Raises
    ------
    ContractError
        If a candidate has no signal.
    """
    own = signals[(signals["training_set"] == training_set).to_numpy()]
    wide = own.pivot(index="sample_id", columns="signal", values="score").reindex(split.profiles.obs_names[split.rows])
    if wide.isna().to_numpy().any():
        raise ContractError(
            f"a candidate of {training_set!r} has no white-box signal",
            where="signals",
            remedy="delete the signals and run the workflow again",
        )
    return {name: donor_scores(wide[name].to_numpy(np.float64), split.donors) for name in wide.columns}


def _pooled(coins: list[Coin], seed: int) -> list[dict[str, Any]]:
    """Rows of the stack of all attacks, of members found at few false positives, and of conditions by themselves.

    The stack is one more attack on each coin; with too few coins it says how many there were. Rows over all coins have
    no ``repeat``.
    """
    table = []
    if len(coins) < STACK_COINS:
        reason = {"auc": np.nan, f"not_run_fewer_than_{STACK_COINS}_coins": float(len(coins))}
        for coin in coins:
            table += [{**coin.keys, **row} for row in _rows("audit", {"stack": reason})]
    else:
        extended = []
        for coin, (scores, control) in zip(coins, stacked(coins), strict=True):
            rows = _rows("audit", {"stack": _measures(scores, coin.member)})
            if control is not None:
                rows += _rows("negative_control", {"stack": _measures(control, coin.member)})
            bound, _ = epsilon_lower_bound(scores[:, None], coin.member, seed=derive(seed, "ties", "stack"))
            rows += _rows("audit", {"stack": {"epsilon_lower_bound": bound}})
            table += [{**coin.keys, **row} for row in rows]
            stack = {} if control is None else {**(coin.control or {}), "stack": control}
            extended.append(replace(coin, scores={**coin.scores, "stack": scores}, control=stack or None))
        coins = extended
    shared = {k: v for k, v in coins[0].keys.items() if k not in ("repeat", "seed")}
    for regime, of in (("pooled", lambda c: c.scores), ("pooled_control", lambda c: c.control or {})):
        scores = [of(c) for c in coins]
        found = {n: true_positives([s[n] for s in scores], [c.member for c in coins]) for n in in_all(scores)}
        table += [{**shared, **row} for row in _rows(regime, found)]
    for condition, found in by_condition(coins).items():
        table += [{**shared, "task": f"condition:{condition}", **row} for row in _rows("condition", found)]
    return table


def _shadow(coins: list[Coin], seed: int) -> list[dict[str, Any]]:
    """Rows of the shadow attacks of each coin; with too few coins, how many there were."""
    table, names = [], in_all([coin.scores for coin in coins])
    for target, coin in enumerate(coins):
        if len(coins) < FEWEST_COINS:
            found = _rows("shadow", {"battery": {f"not_run_fewer_than_{FEWEST_COINS}_coins": float(len(coins))}})
        else:
            members = np.stack([c.member for c in coins], axis=1)
            scores = {
                f"{attack}_{name}": values
                for name in names
                for attack, values in shadow_scores(
                    np.stack([c.scores[name] for c in coins], axis=1), members, target
                ).items()
            }
            found = _battery("shadow", scores, coin.member, derive(seed, "shadow", str(target)))
        table += [{**coin.keys, **row} for row in found]
    return table


def score(given: ScoreInputs) -> pd.DataFrame:
    """As :func:`privacy`, with the files of signals and ledgers, where there are any."""
    if not given.files:
        return privacy(given)
    signals = pd.concat([io.read_table(path, contracts.SIGNALS_COLUMNS) for path in given.files["signals"]])
    ledgers = {name: one for path in given.files["ledgers"] for name, one in io.read_json(path).items()}
    return privacy(given, signals=signals, ledgers=ledgers)


def privacy(
    given: ScoreInputs, *, signals: pd.DataFrame | None = None, ledgers: Mapping[str, Mapping[str, Any]] | None = None
) -> pd.DataFrame:
    """Attack the synthetic cohorts of a generator, and those of its negative control.

    Parameters
    ----------
    given : ScoreInputs
    signals : DataFrame, optional
        White-box signals of the models, of columns ``contracts.SIGNALS_COLUMNS``.
    ledgers : mapping, optional
        Training set -> privacy ledger of its model (the state of :class:`...generators.base.ledger.Ledger`).

    Returns
    -------
    DataFrame
        Long evaluation table. Per attack ``auc`` with DeLong's standard error and interval, ``tpr_at_fpr_0.1`` where
        there are enough non-members, and ``tied_share``. Of the ``battery`` the largest area (choice of attack not
        corrected for), its corrected p-value, the lower bound on epsilon with the ceiling that so many donors allow,
        and the numbers of members' and synthetic profiles. ``dcr_member_share`` is similarity (.5: no nearer to
        members), not privacy. Attacks with the model in hand have the regime ``white_box`` (in the negative control
        ``white_box_control``), those that compare with the other coins' models ``shadow``; each has a ``battery``. An
        attack that cannot run has an ``auc`` of NA and a metric ``not_run_<reason>``. Other training lengths and
        release sizes have the regimes ``training_length`` (``training_length_white_box``) and ``release_size``, and the
        factor in ``task``. ``use`` is the balanced accuracy on non-members of a classifier of conditions trained on the
        cohort (``tstr_balanced_accuracy``) and on the members (``members_balanced_accuracy``). ``attribute_inference``
        (``attribute_inference_control``) has the agreement of ``members`` and ``non_members`` with what the cohort says
        about them, and the ``excess``. ``stack`` is a logistic regression on all attacks, fitted on the other coins.
        Over all coins (no ``repeat``) ``pooled`` (``pooled_control``) has the share of members found at 1 % false
        positives, and ``condition`` the areas within the condition of ``task``. ``exact_copies`` and ``near_copies``
        count synthetic profiles. Of a model with a ledger there are ``guarantee`` (1 or 0), ``delta`` and, with a
        guarantee, the ``epsilon`` claimed.

    Raises
    ------
    ContractError
        If a donor has two roles or genes differ.
    KeyError
        If a training set has no synthetic profiles.
    UserError
        If an attack is unknown or the coins all fell on one side.
    """
    settings, seed = given.settings, given.seed
    sizes = [factor for factor in settings.get("release_sizes", []) if factor != 1]
    level = given.profiles.obs["level"].astype(str).to_numpy(dtype=object)
    table: list[dict[str, Any]] = []
    coins, audited, controls = [], {}, {}  # coins: with the white-box signals among the scores
    for row in given.own_rows:
        name, regime, audit = row["training_set"], row["regime"], row["regime"] == "audit"
        own, made = derive(seed, "privacy", name), given.synthetic[name]
        # What an audit releases beyond as many profiles as members is for the curve of release sizes.
        released = round(made.n_obs / max([1.0, *sizes])) if audit else made.n_obs
        split, scores, found = _attacked(given, name, made[:released], regime, own)
        keys = given.keys(row) | {"level": "+".join(sorted(set(level[split.rows]))), "repeat": int(row["repeat"])}
        if audit:
            found += _similarity(split) + _rows("audit", {"use": _use(split), "copies": split.copies()})
        read = {} if signals is None else signals_of(signals, name, split)
        if read and settings.get("white_box"):
            found += _battery(WHITE_BOX[regime], read, split.member, own)
        if settings.get("attributes") and regime in ATTRIBUTE_REGIME:
            found += _rows(ATTRIBUTE_REGIME[regime], _attributes(split, own, settings.get("genotype_genes", ())))
        if ledgers and name in ledgers:
            claimed = {k: ledgers[name][k] for k in ("guarantee", "delta", "epsilon", "mu", "auc_bound", "tpr_bound")}
            found += _rows(regime, {"ledger": {k: float(v) for k, v in claimed.items() if v is not None}})
        if regime == "training_length":
            found = [{"task": row["task"], **measure} for measure in found]
        for factor in sizes if audit else []:
            part, _, rows = _attacked(given, name, made[: max(2, round(factor * released))], "release_size", own)
            rows += _rows("release_size", {"use": _use(part)})
            found += [{"task": f"release x{factor:g}", **measure} for measure in rows]
        table += [{**keys, **measure} for measure in found]
        if audit:
            coins.append(Coin(keys, scores | read, split.member, split.condition))
            audited[keys["repeat"]] = Coin(keys, scores, split.member, split.condition)
        elif regime == "negative_control":
            controls[keys["repeat"]] = scores
    if audited:
        paired = [replace(coin, control=controls.get(repeat)) for repeat, coin in sorted(audited.items())]
        table += _pooled(paired, seed)
    if settings.get("shadow"):
        table += _shadow(coins, seed)
    return evaluation_table(table)
