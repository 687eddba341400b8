"""Variance components of class means over conditions and levels, and the best linear unbiased predictions by them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Conditions that the prior of the covariance counts as, and the correlation of two levels in it.
PRIOR_CONDITIONS, PRIOR_CORRELATION = 4.0, 0.9
#: Variance of the unknown means of levels, beside which all others are small.
FLAT = 1e3
#: No class mean is known better than with this variance, so that equations can be solved.
MIN_NOISE = 1e-6
ITERATIONS, TOLERANCE = 300, 1e-4


@dataclass(frozen=True)
class Classes:
    """Observed means of classes; a class is a condition at a level.

    Attributes
    ----------
    mean : ndarray (classes × genes)
    size : ndarray (classes,)
        Donors behind each mean.
    condition, level : ndarray of int (classes,)
        Numbers of its condition and level.
    centred : ndarray of bool (levels,)
        Levels whose mean over profiles is known to be 0.
    """

    mean: np.ndarray
    size: np.ndarray
    condition: np.ndarray
    level: np.ndarray
    centred: np.ndarray

    @property
    def conditions(self) -> int:
        return self.condition.max() + 1

    @property
    def at_level(self) -> np.ndarray:
        """Whether a class is at a level (classes × levels), as numbers."""
        return np.eye(len(self.centred))[self.level]

    @property
    def relation(self) -> np.ndarray:
        """Correlation of the contrasts of conditions (conditions × conditions).

        At a centred level the conditions' means, weighted by their shares of its profiles, sum to 0: what one is above,
        others are below. That is with shares uniform on the simplex, as they are not known; at other levels it changes
        nothing, as the mean of the level is free.
        """
        n = self.conditions
        return np.eye(n) - 2 / (n * (n + 1))

    @property
    def spread_of_levels(self) -> np.ndarray:
        """Prior variance (levels,) of the means of levels."""
        return np.where(self.centred, 0.0, FLAT)

    def covariance(self, gamma: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Covariance (classes × classes) of the observed means in a gene."""
        of_condition = self.relation[self.condition[:, None], self.condition] * gamma[self.level[:, None], self.level]
        of_level = np.where(self.level[:, None] == self.level, self.spread_of_levels[self.level], 0.0)
        return of_condition + of_level + np.diag(np.maximum(noise, MIN_NOISE))


def contrast_covariance(classes: Classes, noise: np.ndarray, between: np.ndarray) -> np.ndarray:
    """Gamma (levels × levels): covariance over levels of the contrasts of a condition, common to all genes.

    Restricted maximum likelihood, means of levels being integrated out, by expectation maximisation (Dempster, Rubin &
    Tsutakawa 1981, JASA 76:341). A prior that counts as four conditions says that contrasts are much the same at all
    levels; with many conditions the data overrule it. `noise` (classes,) is the variance of the observed means around
    the true ones; `between` (levels,) are the variances of contrasts that the prior expects.
    """
    sd, at_level, conditions = np.sqrt(between), classes.at_level, classes.conditions
    correlation = (1 - PRIOR_CORRELATION) * np.eye(len(sd)) + PRIOR_CORRELATION
    prior = gamma = sd[:, None] * sd * correlation
    second = classes.mean @ classes.mean.T / classes.mean.shape[1]
    relation = classes.relation[classes.condition[:, None], classes.condition]
    for _ in range(ITERATIONS):
        inverse = np.linalg.inv(classes.covariance(gamma, noise))
        # What the data say of contrasts beyond their prior, summed over conditions.
        news = at_level.T @ (relation * (inverse @ second @ inverse - inverse)) @ at_level
        expected = conditions * gamma + gamma @ news @ gamma
        step = (expected + PRIOR_CONDITIONS * prior) / (conditions + PRIOR_CONDITIONS)
        change, gamma = np.abs(step - gamma).max(), (step + step.T) / 2
        if change <= TOLERANCE * np.diag(gamma).max():
            break
    return gamma


def predicted_means(classes: Classes, noise: np.ndarray, gamma: np.ndarray) -> np.ndarray:
    """Best linear unbiased prediction (conditions × levels × genes) of the mean of every condition at every level."""
    solved = np.linalg.solve(classes.covariance(gamma, noise), classes.mean)
    of_level = classes.spread_of_levels[:, None] * (classes.at_level.T @ solved)
    out = np.repeat(of_level[None], classes.conditions, axis=0)
    for c, related in enumerate(classes.relation[:, classes.condition]):
        out[c] += gamma[:, classes.level] @ (related[:, None] * solved)
    return out
