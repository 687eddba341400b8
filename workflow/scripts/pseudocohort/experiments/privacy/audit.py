"""Lower bound on epsilon from one training run, of Steinke, Nasr & Jagielski 2023 (NeurIPS).

Each of m donors is in the training set by its own fair coin. The attacker guesses the k highest scores in and the k
lowest out, or the k highest in and abstains from all others, which finds a cohort that copies few of its members.
Under (epsilon, 0)-differential privacy the number of right guesses is stochastically at most binomial with r trials,
one for each guess, and probability e^epsilon / (1 + e^epsilon) (their main theorem at delta = 0): the bound is the
largest epsilon that this many right guesses reject.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betaincinv

#: Guesses of each kind that are tried, besides guessing every donor.
GUESSES = (10, 25, 50, 100)
CONFIDENCE = 0.95


def epsilon_bound(right: int, guesses: int, alpha: float) -> float:
    """Largest epsilon >= 0 with P[Binomial(guesses, e^epsilon / (1 + e^epsilon)) >= right] <= alpha; 0 if none is.

    The tail equals alpha at the lower limit of Clopper & Pearson 1934 (Biometrika 26:404), a quantile of a beta
    distribution.
    """
    if right <= 0:
        return 0.0
    share = betaincinv(right, guesses - right + 1, alpha)
    return float(max(np.log(share) - np.log1p(-share), 0.0))


def guess_sizes(donors: int) -> list[int]:
    """Numbers k of guesses of each kind for so many donors: 10, 25, 50, 100 where they fit, and half the donors."""
    half = donors // 2
    return sorted({k for k in GUESSES if k < half} | {half} - {0})


def right_guesses(scores: np.ndarray, member: np.ndarray, k: int, rng: np.random.Generator, *, out: bool = True) -> int:
    """Right ones of the guesses: the k highest scores in and, if `out`, the k lowest out; ties in random order."""
    order = np.lexsort((rng.permutation(len(scores)), scores))
    member = np.asarray(member, dtype=bool)
    right = member[order[len(order) - k :]].sum()
    return int(right + (~member[order[:k]]).sum() if out else right)


def epsilon_lower_bound(scores: np.ndarray, member: np.ndarray, *, seed: int) -> tuple[float, float]:
    """Largest bound over attacks and sets of guesses, and what it would be had every guess been right.

    Every bound holds at level (1 - confidence) / (attacks × sets of guesses) (Bonferroni), hence so does the largest at
    :data:`CONFIDENCE`.

    Parameters
    ----------
    scores : ndarray (donors, attacks)
        Higher means member.
    member : ndarray (donors,)
        Outcome of each donor's fair coin.
    seed : int
        Seed of the order of ties.

    Returns
    -------
    bound, ceiling : float
        In nats; a bound near 0 is no evidence of privacy, one above a claimed epsilon disproves the claim.
    """
    sizes = guess_sizes(len(member))
    if not sizes:
        return 0.0, 0.0
    guesses = [(k, out) for k in sizes for out in (True, False)]
    alpha = (1 - CONFIDENCE) / (scores.shape[1] * len(guesses))
    rng = np.random.default_rng(seed)
    bounds = [
        epsilon_bound(right_guesses(s, member, k, rng, out=out), (1 + out) * k, alpha)
        for s in scores.T
        for k, out in guesses
    ]
    return max(bounds), epsilon_bound(2 * sizes[-1], 2 * sizes[-1], alpha)
