"""Membership inference attacks on a synthetic cohort, each a function of an :class:`.space.AttackSpace`."""

from __future__ import annotations

from collections.abc import Callable

from .classifiers import classifier, downstream_confidence
from .density import density_ratio
from .distances import dpi, monte_carlo, nearest_neighbour, nearest_neighbour_calibrated
from .gaussian import gaussian_likelihood_ratio, gaussian_likelihood_ratio_class
from .shift import mean_shift
from .space import AttackSpace, CannotRun, attack_space
from .subspaces import pca_residual, span_residual

#: Attack name (``privacy.attacks`` of the configuration) -> ``attack(space, *, seed)``, scores of the candidates.
ATTACKS: dict[str, Callable] = {
    "nearest_neighbour": nearest_neighbour,
    "nearest_neighbour_calibrated": nearest_neighbour_calibrated,
    "monte_carlo": monte_carlo,
    "dpi": dpi,
    "density_ratio": density_ratio,
    "mean_shift": mean_shift,
    "classifier": classifier,
    "downstream_confidence": downstream_confidence,
    "gaussian_likelihood_ratio": gaussian_likelihood_ratio,
    "gaussian_likelihood_ratio_class": gaussian_likelihood_ratio_class,
    "span_residual": span_residual,
    "pca_residual": pca_residual,
}

__all__ = ["ATTACKS", "AttackSpace", "CannotRun", "attack_space"]
