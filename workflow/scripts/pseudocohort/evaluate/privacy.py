"""Privacy: can an attacker with the synthetic cohort tell whose profiles the generator was trained on?

Each candidate donor is a member by its own fair coin (:func:`..plan.members.privacy`). Attacks
(:mod:`.attacks`) score the candidates' profiles; the mean over a donor's profiles is the donor's score, and the
donors' coins are what the scores are held against. In the negative control the generator saw the attacker's reference
only, so that the same coins cannot be told: it is printed next to each result of the same split. A battery without a
finding is no evidence of privacy beyond its attacks and its ``epsilon_ceiling``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from ..errors import ContractError, UserError
from ..io import evaluation_table
from ..seeds import derive
from .attacks import ATTACKS, AttackSpace, attack_space
from .audit import epsilon_lower_bound
from .leaks import Members, check_no_leak
from .memorisation import closer_to_train_share
from .statistics import corrected_maximum, delong, tpr_at_fpr

#: False-positive rate at which the true-positive rate is reported, where there are enough non-members.
FALSE_POSITIVE_RATE = 0.1


def donor_scores(scores: np.ndarray, donors: np.ndarray) -> np.ndarray:
    """Mean score of each donor's profiles, donors in order of their names.

    Parameters
    ----------
    scores : ndarray (profiles,) or (profiles, attacks)
    donors : ndarray (profiles,)
        Names of the profiles' donors.

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
        self.profiles, self.synthetic = profiles, synthetic
        self.rows = np.concatenate([self.members, self.others])
        donors = profiles.obs["donor"].astype(str).to_numpy(dtype=object)
        self.donors = donors[self.rows]
        # A negative control is trained on rows of role train: the reference's donors, never a candidate.
        trained, _ = plan.of(training_set, "train")
        self._check_disjoint(training_set, donors[np.concatenate([reference, trained])])
        self.member = np.isin(np.unique(self.donors), donors[self.members])
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


def _attack(name: str, space: AttackSpace, seed: int) -> np.ndarray:
    if name not in ATTACKS:
        raise UserError(
            f"unknown attack {name!r}", where="privacy.attacks", remedy=f"choose among {', '.join(sorted(ATTACKS))}"
        )
    return ATTACKS[name](space, seed=seed)


def _measures(scores: np.ndarray, member: np.ndarray) -> dict[str, float]:
    """Measures of one attack on donors."""
    auc, se, low, high = delong(member, scores)
    found = {"auc": auc, "auc_se": se, "auc_low": low, "auc_high": high, "tied_share": tied_share(scores)}
    rate = tpr_at_fpr(member, scores, FALSE_POSITIVE_RATE)
    return found if rate is None else found | {f"tpr_at_fpr_{FALSE_POSITIVE_RATE:g}": rate}


def _split_rows(split: _Split, row: Mapping[str, Any], attacks: list[str], seed: int) -> list[dict[str, Any]]:
    """Rows of every attack, of the battery and, for an audit, of the similarity."""
    scores = np.stack([_attack(name, split.space, derive(seed, name)) for name in attacks], axis=1)
    scores = donor_scores(scores, split.donors)
    by_attack = {name: _measures(scores[:, k], split.member) for k, name in enumerate(attacks)}
    bound, ceiling = epsilon_lower_bound(scores, split.member, seed=derive(seed, "ties"))
    by_attack["battery"] = {
        "max_auc": max(measures["auc"] for measures in by_attack.values()),
        "p_corrected": corrected_maximum(scores, split.member, seed=derive(seed, "permutations")),
        "epsilon_lower_bound": bound,
        "epsilon_ceiling": ceiling,
        # Measures, not keys: coins fall differently, and summaries are over coins.
        "members": len(split.members),
        "synthetic": split.synthetic.n_obs,
    }
    table = [
        {"regime": row["regime"], "estimator": name, "metric": metric, "value": value}
        for name, measures in by_attack.items()
        for metric, value in measures.items()
    ]
    if row["regime"] == "audit" and (share := split.closer_to_members()) is not None:
        found = {"metric": "dcr_member_share", "value": share}
        table.append({"regime": "similarity", "estimator": "similarity", **found})
    return table


def privacy(
    profiles: ad.AnnData,
    synthetic: Mapping[str, ad.AnnData],
    training_sets: pd.DataFrame,
    members: pd.DataFrame,
    *,
    study: str,
    generator: str,
    settings: Mapping[str, Any],
    seed: int,
) -> pd.DataFrame:
    """Attack the synthetic cohorts of a generator, and those of its negative control.

    Parameters
    ----------
    profiles : AnnData
        Harmonised profiles (samples × genes, log2 units).
    synthetic : mapping
        Training set -> synthetic profiles of that generator, on the log2 scale.
    training_sets, members : DataFrame
        The plan's rows of purpose ``privacy``.
    study : str
        Name of the study.
    generator : str
        Registry name.
    settings : mapping
        ``privacy`` of the configuration: attacks.
    seed : int
        Master seed.

    Returns
    -------
    DataFrame
        Long evaluation table. Per attack ``auc`` with DeLong's standard error and interval, ``tpr_at_fpr_0.1`` where
        there are enough non-members, and ``tied_share``. Of the ``battery`` the largest area (choice of attack not
        corrected for), its corrected p-value, the lower bound on epsilon with the ceiling that so many donors allow,
        and the numbers of members' and synthetic profiles. ``dcr_member_share`` is similarity (.5: no nearer to
        members), not privacy.

    Raises
    ------
    ContractError
        If a donor has two roles or genes differ.
    KeyError
        If a training set has no synthetic profiles.
    UserError
        If an attack is unknown or the coins all fell on one side.
    """
    check_no_leak(profiles, members)
    plan, attacks = Members(profiles, members), list(settings["attacks"])
    level = profiles.obs["level"].astype(str).to_numpy(dtype=object)
    table: list[dict[str, Any]] = []
    for row in training_sets[training_sets["purpose"] == "privacy"].to_dict("records"):
        if generator not in str(row["generators"]).split(";"):
            continue
        name = row["training_set"]
        split = _Split(profiles, synthetic[name], plan, name)
        keys = {
            "study": study,
            "generator": generator,
            "level": "+".join(sorted(set(level[split.rows]))),
            "repeat": int(row["repeat"]),
            "seed": row["seed"],
        }
        found = _split_rows(split, row, attacks, derive(seed, "privacy", name))
        table += [{**keys, **measure} for measure in found]
    return evaluation_table(table)
