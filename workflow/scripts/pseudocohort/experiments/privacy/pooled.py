"""Attacks over all coins of an audit together: the stack of all attacks, rates at few false positives, conditions.

A coin's scores are replaced by their ranks among its candidates, members or not, so that coins can be pooled without
looking at who is a member.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from ..shared.statistics import delong

#: False-positive rate at which members are counted.
FALSE_POSITIVE_RATE = 0.01
#: Fewest members, and others, of a condition in a coin for an area of its own.
FEWEST_OF_CONDITION = 20
#: Inverse penalty of the stack: few coins, and scores that say the same.
STACK_PENALTY = 0.1
#: Fewest coins for a stack: the attacked one and two to learn from.
FEWEST_COINS = 3

#: Scores of the candidates by attack, or why there are none.
Scores = Mapping[str, np.ndarray | str]


@dataclass(frozen=True)
class Coin:
    """Donors of one audit: scores of the attacks on its cohort and on the negative control's, coins, conditions."""

    keys: dict[str, Any]
    scores: Scores
    member: np.ndarray
    condition: np.ndarray
    control: Scores | None = None


def ranks(scores: np.ndarray) -> np.ndarray:
    """Normal scores of the ranks (van der Waerden), ties in the middle."""
    from scipy.stats import rankdata  # takes a second to import, and verdicts rank nothing

    return special.ndtri((rankdata(scores, axis=0) - 0.5) / len(scores))


def in_all(scores: Sequence[Scores]) -> list[str]:
    """Attacks with scores in every coin."""
    return [name for name in scores[0] if not any(isinstance(s.get(name, ""), str) for s in scores)] if scores else []


def stacked(coins: Sequence[Coin]) -> list[tuple[np.ndarray, np.ndarray | None]]:
    """Of each coin the scores of a stack of all attacks on its cohort, and on its negative control.

    A logistic regression of membership on the ranks of all attacks' scores, fitted on the other coins: what an attacker
    does who can train the generator on donors of his own (stacked generalisation; Wolpert 1992, Neural Networks 5:241).
    """
    from sklearn.linear_model import LogisticRegression

    names = in_all([coin.scores for coin in coins])
    features = [ranks(np.stack([coin.scores[name] for name in names], axis=1)) for coin in coins]
    found = []
    for i, coin in enumerate(coins):
        others = [j for j in range(len(coins)) if j != i]
        model = LogisticRegression(C=STACK_PENALTY, max_iter=1000).fit(
            np.concatenate([features[j] for j in others]), np.concatenate([coins[j].member for j in others])
        )
        control = None
        if coin.control is not None and not any(isinstance(coin.control.get(name, ""), str) for name in names):
            control = model.decision_function(ranks(np.stack([coin.control[name] for name in names], axis=1)))
        found.append((model.decision_function(features[i]), control))
    return found


def clopper_pearson(hits: int, n: int) -> tuple[float, float]:
    """Exact 95 % interval of a share (Clopper & Pearson 1934, Biometrika 26:404)."""
    tail = (1 - 0.95) / 2
    low = special.betaincinv(hits, n - hits + 1, tail) if hits > 0 else 0.0
    high = special.betainccinv(hits + 1, n - hits, tail) if hits < n else 1.0
    return float(low), float(high)


def true_positives(scores: Sequence[np.ndarray], member: Sequence[np.ndarray]) -> dict[str, float]:
    """Share of members found at 1 % false positives over all coins, with its 95 % interval.

    The threshold is on the pooled ranks; tied scores are accepted or refused together, and the false positives are at
    most the rate times the non-members, rounded down. Donors count once in each coin, as if they were different ones.
    """
    pooled = np.concatenate([ranks(s) for s in scores])
    is_member = np.concatenate(member).astype(bool)
    inside, outside = pooled[is_member], np.sort(pooled[~is_member])
    allowed = int(FALSE_POSITIVE_RATE * len(outside) + 1e-9)
    # The lowest threshold that lets no more than `allowed` others pass: above the next one.
    limit = outside[len(outside) - allowed - 1]
    hits = int((inside > limit).sum())
    low, high = clopper_pearson(hits, len(inside))
    name = f"tpr_at_fpr_{FALSE_POSITIVE_RATE:g}"
    return {name: hits / len(inside), f"{name}_low": low, f"{name}_high": high, "non_members": float(len(outside))}


def by_condition(coins: Sequence[Coin]) -> dict[str, dict[str, dict[str, float]]]:
    """Areas within each condition, mean over the coins in which it has 20 members and 20 others, by attack.

    The interval takes the coins for independent: its standard error is the root of the mean squared DeLong error over
    the number of coins. A condition without such a coin has ``not_run_fewer_than_20_members``, the members at most.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    names = in_all([coin.scores for coin in coins])
    for condition in np.unique(np.concatenate([coin.condition for coin in coins])):
        rows = [(coin, coin.condition == condition) for coin in coins]
        sizes = [(int(c.member[own].sum()), int((~c.member[own]).sum())) for c, own in rows]
        used = [row for row, size in zip(rows, sizes, strict=True) if min(size) >= FEWEST_OF_CONDITION]
        if not used:
            most = float(max(size[0] for size in sizes))
            found[str(condition)] = {"battery": {f"not_run_fewer_than_{FEWEST_OF_CONDITION}_members": most}}
            continue
        of_attack = {}
        for name in names:
            areas = [delong(coin.member[own], coin.scores[name][own]) for coin, own in used]
            auc = float(np.mean([a.auc for a in areas]))
            half = 1.96 * float(np.sqrt(np.mean([a.se**2 for a in areas]) / len(areas)))
            if half == 0:  # all separated or all tied: DeLong's own bounds
                low, high = (float(np.mean([getattr(a, end) for a in areas])) for end in ("low", "high"))
            else:
                low, high = max(auc - half, 0.0), min(auc + half, 1.0)
            of_attack[name] = {"auc": auc, "auc_low": low, "auc_high": high}
        found[str(condition)] = of_attack
    return found
