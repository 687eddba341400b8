"""Shadow attacks from the audits themselves: the other coins' models are the shadow models of each coin's.

A donor is a member of about half of the other coins' training sets; how its score differs between them is what an
attacker learns who can train models of the same kind on data of the same kind.
"""

from __future__ import annotations

import numpy as np

#: Fewest coins: the attacked one and four shadows, so that a donor has two of each kind on average.
FEWEST_COINS = 5
#: Least standard deviation of a signal's residuals, as a share of that of all its values.
LEAST_SD = 1e-3


def _means(scores: np.ndarray, kind: np.ndarray) -> tuple[np.ndarray, float]:
    """Mean (donors,) over the shadow models of a kind, NaN without any, and the pooled sd around it.

    The variance is pooled over donors: so few shadows give none a variance of its own (Carlini et al. 2022).
    """
    count = kind.sum(1)
    mean = np.where(count > 0, np.where(kind, scores, 0).sum(1) / np.maximum(count, 1), np.nan)
    residual = np.where(kind, scores - mean[:, None], 0)
    freedom = max(float((count - 1)[count > 1].sum()), 1.0)
    return mean, float(np.sqrt((residual[count > 1] ** 2).sum() / freedom))


def shadow_scores(scores: np.ndarray, member: np.ndarray, target: int) -> dict[str, np.ndarray]:
    """Scores of two shadow attacks on one coin.

    ``lira`` is the log likelihood ratio of the donor's signal under Gaussians of the shadow models that had the donor
    and of those that had not (Carlini et al. 2022, IEEE S&P, algorithm 1). ``rmia`` is its signal less the mean over
    all shadow models: the likelihood ratio of Zarifzadeh, Liu & Shokri 2024 (ICML, eq. 4), whose comparison with a
    population keeps the order of donors and so the area under the curve.

    Parameters
    ----------
    scores : ndarray (donors, coins)
        A signal of each coin's model about each donor; each model's are centred and scaled first, for models differ.
    member : ndarray (donors, coins)
        Who was a member.
    target : int
        The attacked coin; its column of `member` is not used.

    Returns
    -------
    dict of ndarray (donors,)
    """
    spread = np.where(scores.std(0) > 0, scores.std(0), 1.0)
    scaled = (scores - scores.mean(0)) / spread
    shadows = np.delete(np.arange(scores.shape[1]), target)
    others, had, observed = scaled[:, shadows], member[:, shadows].astype(bool), scaled[:, target]
    densities = []
    mean_all = others.mean(1)
    for kind in (had, ~had):
        mean, sd = _means(others, kind)
        # A donor that no shadow had (or all had) is placed by the shift of those that have both.
        shift = np.nanmean(mean - mean_all) if np.isfinite(mean).any() else 0.0
        mean = np.where(np.isfinite(mean), mean, mean_all + shift)
        sd = max(sd, LEAST_SD)
        densities.append(-0.5 * ((observed - mean) / sd) ** 2 - np.log(sd))
    return {"lira": densities[0] - densities[1], "rmia": observed - mean_all}
