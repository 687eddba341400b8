"""Dependencies carried from cell lines to tumours: models of a gene's effect on lines, from the expression of lines.

The idea of TCGADEPMAP (Shi et al. 2024, Nat Cancer, doi:10.1038/s43018-024-00789-y): learn where both expression and
effect are known, and apply where only expression is. Levels differ in every gene's mean and spread, so expression is
standardised within its level first, as generators do with the study's levels. A model is kept only where it predicts
held-out lineages better than the mean of the other lines and better than what a line's confounders say, and where that
is no chance find among so many genes (false discovery rate, Benjamini & Hochberg 1995); a gene without a kept model
gets no prediction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from ..core.errors import UserError
from .components import leading_components

COMPONENTS = 10
MIN_LINES = 20
PENALTIES = tuple(np.geomspace(0.01, 100, 9))
#: Correlation of held-out predictions with the truth that a kept model has at least, over every baseline.
MARGIN = 0.1
#: False discovery rate over genes.
FDR = 0.05


def standardised(x: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Profiles (n, G) by gene and level: mean 0, standard deviation 1 (0 where a gene does not vary)."""
    out = np.array(x, dtype=np.float64)
    for name in np.unique(level):
        rows = level == name
        sd = out[rows].std(0)
        out[rows] = (out[rows] - out[rows].mean(0)) / np.where(sd > 1e-6, sd, np.inf)
    return out


@dataclass(frozen=True)
class DependencyModels:
    """Ridge regressions of the effects of m genes on the leading components of lines and on the gene's own expression.

    Attributes
    ----------
    components : ndarray (k, G)
    own : ndarray of int (m,)
        Column of each modelled gene in the expression; -1 = not measured.
    weights : ndarray (m, k + 1)
        Of the components and the gene's own expression.
    mean, error : ndarray (m,)
        Mean effect of each gene, and standard deviation of the held-out errors.
    kept : ndarray of bool (m,)
    held_out : dict of ndarray (m,)
        Correlation over lines of held-out lineages, of ``model``, ``lineage_mean`` and ``confounders``.
    """

    components: np.ndarray
    own: np.ndarray
    weights: np.ndarray
    mean: np.ndarray
    kept: np.ndarray
    held_out: dict[str, np.ndarray]
    error: np.ndarray

    @classmethod
    def fit(
        cls,
        expression: np.ndarray,
        effects: np.ndarray,
        own: np.ndarray,
        lineage: np.ndarray,
        confounders: np.ndarray | None = None,
    ) -> DependencyModels:
        """Learn from lines.

        Parameters
        ----------
        expression : ndarray (n, G)
            Of lines, standardised within the level.
        effects : ndarray (n, m)
            Effect of losing each gene; NaN where not measured.
        own : ndarray of int (m,)
            Column of each gene in `expression`, -1 if it is not there.
        lineage : ndarray of str (n,)
            Held out one at a time; with one lineage only, lines are held out in tenths.
        confounders : ndarray (n, c), optional
            What else may explain an effect: growth, screen quality, sex.

        Raises
        ------
        UserError
            If there are fewer than :data:`MIN_LINES`.
        """
        if len(expression) < MIN_LINES:
            raise UserError(
                f"{len(expression)} lines with expression and dependency; {MIN_LINES} are needed",
                where="interventions.dependencies",
                remedy="add lines, e.g. DepMap's expression of all lineages",
            )
        single = len(np.unique(lineage)) < 2
        groups = np.arange(len(lineage)) % 10 if single else lineage
        made = {
            "model": _held_out(expression, effects, own, groups),
            "lineage_mean": np.full_like(effects, np.nan),
            "confounders": np.zeros_like(effects),
        }
        for group in np.unique(groups):
            test = groups == group
            made["lineage_mean"][test] = _nearest_lineage(expression, effects, lineage, test)
            if confounders is not None:
                made["confounders"][test] = _least_squares(confounders, effects, test)
        held_out = {name: _correlation(effects, values) for name, values in made.items()}
        if single:  # a mean of the other lines is below average where the line is above: not a baseline but an artefact
            held_out["lineage_mean"] = np.zeros(effects.shape[1])
        best = np.maximum(np.maximum(held_out["lineage_mean"], held_out["confounders"]), 0)
        p = _correlation_p(held_out["model"], np.isfinite(effects).sum(0))
        kept = (held_out["model"] > best + MARGIN) & (stats.false_discovery_control(p) <= FDR)
        error = np.sqrt(np.nanmean((effects - made["model"]) ** 2, axis=0))
        axes, weights, mean = _ridge(expression, effects, own, groups)
        return cls(axes, own, weights, mean, kept, held_out, error)

    def predict(self, expression: np.ndarray) -> np.ndarray:
        """Effects (n, m) of profiles (n, G) standardised within their level; NaN for genes without a kept model."""
        made = self.mean + _features_times(expression, self.components, self.own, self.weights)
        return np.where(self.kept, made, np.nan)


def _held_out(expression: np.ndarray, effects: np.ndarray, own: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Effects (n, m) of each group of lines, predicted by the model of the others."""
    made = np.full_like(effects, np.nan)
    for group in np.unique(groups):
        test = groups == group
        axes, weights, mean = _ridge(expression[~test], effects[~test], own, groups[~test])
        made[test] = mean + _features_times(expression[test], axes, own, weights)
    return made


def _own_columns(expression: np.ndarray, own: np.ndarray) -> np.ndarray:
    return np.where(own >= 0, expression[:, np.maximum(own, 0)], 0.0)


def _features_times(expression: np.ndarray, axes: np.ndarray, own: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return expression @ axes.T @ weights[:, :-1].T + _own_columns(expression, own) * weights[:, -1]


def _ridge(
    expression: np.ndarray, effects: np.ndarray, own: np.ndarray, groups: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Components, weights and means; each gene's penalty is that of the smallest error over held-out groups."""
    axes = leading_components(expression - expression.mean(0), COMPONENTS)
    scores = expression @ axes.T
    mine = _own_columns(expression, own)
    mean = np.nanmean(effects, axis=0)
    y = np.where(np.isfinite(effects), effects - mean, 0.0)
    weights = np.zeros((effects.shape[1], len(axes) + 1))
    # Components on one scale, so that a penalty means the same for each.
    size = np.sqrt((scores**2).mean(0)) + 1e-9
    for j in range(effects.shape[1]):
        known = np.isfinite(effects[:, j])
        f = np.column_stack([scores / size, mine[:, j]])[known]
        target, g = y[known, j], groups[known]
        errors = np.zeros(len(PENALTIES))
        for group in np.unique(g):
            test = g == group
            squares, turn = np.linalg.eigh(f[~test].T @ f[~test])
            right, left = turn.T @ (f[~test].T @ target[~test]), f[test] @ turn
            for i, penalty in enumerate(PENALTIES):
                fitted = left @ (right / (squares + penalty * len(target)))
                errors[i] += ((target[test] - fitted) ** 2).sum()
        penalty = PENALTIES[int(errors.argmin())] * len(target)
        solved = np.linalg.solve(f.T @ f + penalty * np.eye(f.shape[1]), f.T @ target)
        weights[j] = solved / np.append(size, 1.0)
    return axes, weights, mean


def _nearest_lineage(expression: np.ndarray, effects: np.ndarray, lineage: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Mean effect, among the other lines, of the lineage whose mean profile is nearest to each test line."""
    names = np.unique(lineage[~test])
    centres = np.stack([expression[~test & (lineage == name)].mean(0) for name in names])
    means = np.stack([np.nanmean(effects[~test & (lineage == name)], axis=0) for name in names])
    distance = ((expression[test][:, None] - centres) ** 2).sum(2)
    return means[distance.argmin(1)]


def _least_squares(confounders: np.ndarray, effects: np.ndarray, test: np.ndarray) -> np.ndarray:
    design = np.column_stack([np.ones(len(confounders)), confounders])
    filled = np.where(np.isfinite(effects), effects, np.nanmean(effects[~test], axis=0))
    return design[test] @ np.linalg.lstsq(design[~test], filled[~test], rcond=None)[0]


def _correlation_p(r: np.ndarray, n: np.ndarray) -> np.ndarray:
    """One-sided p-values of correlations above 0 over n pairs (Student's t)."""
    freedom = np.maximum(n - 2, 1)
    return stats.t.sf(r * np.sqrt(freedom / np.maximum(1 - r**2, 1e-12)), freedom)


def _correlation(true: np.ndarray, made: np.ndarray) -> np.ndarray:
    """Correlation of each column over the rows where both are known; 0 where one does not vary."""
    known = np.isfinite(true) & np.isfinite(made)
    a, b = (np.where(known, x, np.nan) for x in (true, made))
    a, b = np.nan_to_num(a - np.nanmean(a, axis=0)), np.nan_to_num(b - np.nanmean(b, axis=0))
    scale = np.sqrt((a**2).sum(0) * (b**2).sum(0))
    return np.divide((a * b).sum(0), scale, out=np.zeros(true.shape[1]), where=scale > 1e-9)
