"""Class means by empirical Bayes: what a condition looks like at a level, with few profiles there or none.

Profiles are standardised per level, so that every level has its own zero and unit. In each gene the mean of a
condition c at a level l is mu_l + a_cl: the contrasts a_c of a condition at all levels are one draw of N(0, Gamma), and
the mean over the n_cl profiles there lies around it with a variance of s_l² / n_cl. Gamma (levels × levels) says how
large contrasts are at each level and how much of a contrast at one is found at another. It is estimated from the data
(:mod:`.variance_components`), and class means are the best linear unbiased predictions given all profiles of all
conditions at all levels (Henderson 1975, Biometrics 31:423). So a condition with one profile is drawn towards what its
other levels and the other conditions say, as far as these agree elsewhere, and one with many profiles is left as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import anndata as ad
import numpy as np

from ...core.errors import UserError
from ...core.groups import Key, donor_weights, rows_by_key
from ..base.serialization import numbered, tables_of
from .variance_components import Classes, contrast_covariance, predicted_means

#: Degrees of freedom that the variance within classes over all levels lends to one level.
PRIOR_FREEDOM = 10.0
#: Contrasts have at least this share of the variance of a level: few genes have large ones, which an average hides.
MIN_BETWEEN_SHARE = 0.2
#: An unlabelled pool of no more profiles says nothing about the variance within classes.
MIN_POOL = 10
#: Times that a pool is dealt out to the nearest class means.
POOL_ITERATIONS = 2


@dataclass
class ClassMeans:
    """Means of conditions at levels (genes,), in standardised units.

    Attributes
    ----------
    mean : dict
        Predicted mean of every (condition, level), also of pairs never seen together.
    seen : set
        Pairs with training profiles.
    """

    mean: dict[Key, np.ndarray] = field(default_factory=dict)
    seen: set[Key] = field(default_factory=set)

    def of(self, keys: list[Key]) -> np.ndarray:
        """Means (len(keys) × genes).

        Raises
        ------
        UserError
            If a condition or a level is unknown.
        """
        for key in keys:
            if key not in self.mean:
                raise UserError(
                    f"condition {key[0]!r} at level {key[1]!r} cannot be generated: one of them was never seen",
                    where="generators",
                    remedy=f"conditions: {', '.join(sorted({c for c, _ in self.mean}))}; "
                    f"levels: {', '.join(sorted({at for _, at in self.mean}))}",
                )
        return np.stack([self.mean[k] for k in keys])

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and metadata for storage."""
        keys = sorted(self.mean)
        arrays = {name: mean.astype(np.float32) for name, mean in numbered(keys, mean=self.mean).items()}
        return arrays, {"keys": keys, "seen": sorted(self.seen)}

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> Self:
        """Restored from :meth:`state`."""
        (mean,) = tables_of(["mean"], metadata["keys"], arrays)
        return cls({key: row.astype(np.float64) for key, row in mean.items()}, {tuple(key) for key in metadata["seen"]})


def nearest_mean(x: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Number of the nearest of `means` (classes × genes) for each row of `x`."""
    return (x @ means.T - 0.5 * (means**2).sum(1)).argmax(1)


def fit_class_means(profiles: ad.AnnData) -> ClassMeans:
    """Estimate :class:`ClassMeans` from standardised profiles (n × genes); an empty condition means unlabelled.

    Raises
    ------
    UserError
        If no profile has a condition.
    """
    x = np.asarray(profiles.X, dtype=np.float64)
    weight, groups = donor_weights(profiles.obs), rows_by_key(profiles.obs)
    if not groups:
        raise UserError("no training profile has a condition", where="training set", remedy="give labelled profiles")
    names, levels = sorted({c for c, _ in groups}), sorted(set(profiles.obs["level"].astype(str)))
    level = np.array([levels.index(at) for at in profiles.obs["level"].astype(str)])
    unlabelled = (profiles.obs["condition"].astype(str) == "").to_numpy()
    number = np.array([(names.index(c), levels.index(at)) for c, at in groups])
    at_level = np.bincount(number[:, 1], minlength=len(levels))
    pools = [x[unlabelled & (level == at)] for at in range(len(levels))]
    classes = Classes(
        mean=np.stack([np.average(x[rows], axis=0, weights=weight[rows]) for rows in groups.values()]),
        size=np.array([weight[rows].sum() for rows in groups.values()]),
        condition=number[:, 0],
        level=number[:, 1],
        # Where there is an unlabelled pool, the level was standardised on it and its mean is 0.
        centred=np.array([len(pool) > n for pool, n in zip(pools, at_level, strict=True)]),
    )
    spread = np.array([_spread(x[level == at], weight[level == at]) for at in range(len(levels))])
    squares, freedom = _within_classes(x, weight, list(groups.values()), classes)
    predicted = predict_class_means(classes, _variance(squares, freedom), spread)
    for _ in range(POOL_ITERATIONS if any(len(pool) > MIN_POOL for pool in pools) else 0):
        around = [_around_nearest(pool, predicted[:, at]) for at, pool in enumerate(pools)]
        more_squares, more_freedom = np.array(around).T
        predicted = predict_class_means(classes, _variance(squares + more_squares, freedom + more_freedom), spread)
    out = ClassMeans(seen=set(groups))
    for c, name in enumerate(names):
        # A level with one condition does not tell how that differs from others.
        telling = {at for n, at in number if n == c and at_level[at] > 1}
        for at, of_level in enumerate(levels):
            if (name, of_level) in groups or telling - {at}:
                out.mean[name, of_level] = predicted[c, at]
    return out


def _spread(x: np.ndarray, weight: np.ndarray) -> float:
    """Variance of profiles (n × genes), averaged over genes."""
    centred = x - np.average(x, axis=0, weights=weight)
    donors = weight.sum()
    return float(np.average((centred**2).mean(1), weights=weight) * donors / max(donors - 1, 1))


def _within_classes(
    x: np.ndarray, weight: np.ndarray, groups: list[np.ndarray], classes: Classes
) -> tuple[np.ndarray, np.ndarray]:
    """Sums of squares within classes, averaged over genes, and degrees of freedom, of each level."""
    squares, freedom = np.zeros(len(classes.centred)), np.zeros(len(classes.centred))
    for rows, mean, size, at in zip(groups, classes.mean, classes.size, classes.level, strict=True):
        if size > 1.5:
            squares[at] += float((((x[rows] - mean) ** 2).mean(1) * weight[rows]).sum())
            freedom[at] += size - 1
    return squares, freedom


def _around_nearest(pool: np.ndarray, means: np.ndarray) -> tuple[float, float]:
    """Sum of squares, averaged over genes, and degrees of freedom of a pool around the means of its nearest classes."""
    if len(pool) <= MIN_POOL:
        return 0.0, 0.0
    part = nearest_mean(pool, means)
    parts = [pool[part == j] for j in np.unique(part)]
    return float(sum(((own - own.mean(0)) ** 2).mean(1).sum() for own in parts)), float(len(pool) - len(parts))


def _variance(squares: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """Variance within classes (levels,), 0 where no two profiles of a class are there to tell it from contrasts.

    Levels are standardised alike, so that one with few degrees of freedom leans on the others.
    """
    if freedom.sum() < 1:
        return np.zeros(len(freedom))
    overall = squares.sum() / freedom.sum()
    return (squares + PRIOR_FREEDOM * overall) / (freedom + PRIOR_FREEDOM)


def predict_class_means(classes: Classes, within: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Mean of every condition at every level (conditions × levels × genes).

    `within` and `spread` (levels,) are the variances within classes and of all profiles, averaged over genes.
    """
    between = np.maximum(spread - within, MIN_BETWEEN_SHARE * spread)
    noise = within[classes.level] / classes.size
    predicted = predicted_means(classes, noise, contrast_covariance(classes, noise, between))
    for at in set(range(len(within))) - set(classes.level):
        predicted[:, at] = _whole_contrasts(classes, predicted[:, at])
    return predicted


def _whole_contrasts(classes: Classes, predicted: np.ndarray) -> np.ndarray:
    """Means (conditions × genes) at a level without labelled profiles: contrasts of the other levels as they are there.

    Nothing says how large they are here. Shrunk ones would be lost among profiles drawn around them.
    """
    contrasts: dict[int, list[np.ndarray]] = {}
    for at in np.unique(classes.level):
        here = classes.level == at
        if here.sum() > 1:
            centred = classes.mean[here] - classes.mean[here].mean(0)
            for c, contrast in zip(classes.condition[here], centred, strict=True):
                contrasts.setdefault(c, []).append(contrast)
    out = predicted.copy()
    for c, found in contrasts.items():
        out[c] = np.mean(found, axis=0)
    return out
