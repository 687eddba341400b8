"""Classifiers of tissue profiles that use lines, unlabelled patients or both, without a generator.

All work in the standardised tissue space of one draw. Methods of :data:`WITHOUT_POOL` use labelled patients and lines;
those of :data:`WITH_POOL` unlabelled patients as well.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from ...generators.fit.naming import one_per_donor
from ...generators.space.axes import leading_axes
from ...generators.space.label_em import Named, Source, name_pool
from ..shared.between_levels import ridge_inverse
from ..shared.classifiers import fit_predict
from . import baselines as base
from . import names

#: Inverse L2 penalty of logistic regression.
C = 0.01
#: Soft thresholds, in standard errors of a class mean, that leave-one-out chooses from; the first where it cannot.
THRESHOLDS = (1.0, 0.5, 2.0, 4.0)
#: Principal components and neighbours of label spreading.
COMPONENTS, NEIGHBOURS = 30, 10

Scores = tuple[np.ndarray, np.ndarray]  # scores (n × classes), classes


@dataclass
class Draw:
    """What the methods may use of one draw.

    Attributes
    ----------
    conditions : ndarray of str (K,)
    x, y : ndarray
        Labelled tissue profiles (n × genes) and their labels, perhaps none.
    pool : ndarray (m × genes)
        Unlabelled tissue profiles.
    cells : Cells, optional
        Cell-level profiles with the labels of the arm.
    seed : int
    guarded : bool
        Whether lines that contradict labelled patients are dropped.
    """

    conditions: np.ndarray
    x: np.ndarray
    y: np.ndarray
    pool: np.ndarray
    cells: base.Cells | None
    seed: int
    guarded: bool = True
    _named: Named | None = field(default=None, repr=False)

    @property
    def centre(self) -> np.ndarray:
        """Mean over conditions of the labelled class means: where the origin of the lines' contrasts lies in tissue."""
        return (
            base.class_means(self.x, self.y, self.conditions).mean(0) if len(self.x) else np.zeros(self.pool.shape[1])
        )

    @property
    def named(self) -> Named:
        """Labels of the pool by expectation maximisation."""
        if self._named is None:
            sources = []
            if self.cells is not None:
                sources.append(Source(*one_per_donor(self.cells.x, self.cells.lines, self.cells.labels)))
            self._named = name_pool(self.pool, sources, self.x, self.y, guarded=self.guarded)
        return self._named

    def contrasts(self) -> np.ndarray:
        """Contrasts of the lines (K × genes), 0 without lines."""
        if self.cells is None:
            return np.zeros((len(self.conditions), self.pool.shape[1]))
        return self.cells.contrasts(self.cells.standardised(), self.conditions)


def _logistic(draw: Draw, x: np.ndarray, y: np.ndarray, weight: np.ndarray | None, test: np.ndarray) -> Scores:
    _, scores, classes = fit_predict("logistic", x, y, weight, test, draw.seed, setting=C)
    return scores, classes


def own_centre(draw: Draw, test: np.ndarray) -> Scores:
    """Logistic regression on the labelled patients around their own mean, of the others around the pool's."""
    return _logistic(draw, draw.x - draw.centre, draw.y, None, test)


def stacking_centred(draw: Draw, test: np.ndarray) -> Scores:
    """Lines of full weight beside labelled patients, both around the mean over conditions of their class means."""
    if draw.cells is None:
        return _logistic(draw, draw.x, draw.y, None, test)
    weight = np.r_[np.ones(len(draw.x)), draw.cells.weights() / base.STACKING_WEIGHT]
    rows = np.concatenate([draw.x - draw.centre, draw.cells.standardised()])
    return _logistic(draw, rows, np.concatenate([draw.y, draw.cells.labels]), weight, test - draw.centre)


def empirical_bayes_centred(draw: Draw, test: np.ndarray) -> Scores:
    """Posterior class means with the lines' contrasts as prior mean, labelled patients around their own mean."""
    centre = draw.centre
    means, _ = base.empirical_bayes_means(draw.cells, draw.conditions, draw.x - centre, draw.y, draw.pool - centre)
    return base.nearest_mean_scores(test - centre, means), draw.conditions


def ridge_map(draw: Draw, test: np.ndarray) -> Scores:
    """Labelled class means regressed on the lines' contrasts, the penalty by leaving out one condition at a time."""
    d, centre = draw.contrasts(), draw.centre
    if not len(draw.x):
        return base.nearest_mean_scores(test, d), draw.conditions
    t = base.class_means(draw.x, draw.y, draw.conditions) - centre
    gram = d @ d.T
    means = gram @ ridge_inverse(gram, t) @ t
    return base.nearest_mean_scores(test - centre, means), draw.conditions


def _shrunken(draw: Draw, x: np.ndarray, y: np.ndarray, threshold: float) -> np.ndarray:
    """Class means (K × genes): the lines' contrasts, and what of the difference to them is beyond `threshold`."""
    prior = draw.contrasts()
    counts = np.array([(y == c).sum() for c in draw.conditions])[:, None]
    difference = base.class_means(x, y, draw.conditions) - prior
    excess = np.abs(difference) - threshold / np.sqrt(counts)
    return prior + np.sign(difference) * np.maximum(excess, 0)


def shrunken_centroids(draw: Draw, test: np.ndarray) -> Scores:
    """Nearest shrunken centroids (Tibshirani et al. 2002, PNAS 99:6567), shrunk towards the lines' contrasts."""
    if not len(draw.x):
        return base.nearest_mean_scores(test, draw.contrasts()), draw.conditions
    x, y = draw.x - draw.centre, draw.y
    threshold = THRESHOLDS[0]
    if min((y == c).sum() for c in draw.conditions) > 1:

        def right(value: float) -> int:
            out = 0
            for i in range(len(y)):
                rest = np.arange(len(y)) != i
                means = _shrunken(draw, x[rest], y[rest], value)
                out += draw.conditions[base.nearest_mean_scores(x[i : i + 1], means).argmax()] == y[i]
            return out

        threshold = max(THRESHOLDS, key=right)
    return base.nearest_mean_scores(test - draw.centre, _shrunken(draw, x, y, threshold)), draw.conditions


def em(draw: Draw, test: np.ndarray) -> Scores:
    """The mixture itself; where it declines, what is best without unlabelled patients' labels."""
    if draw.named.parts:
        return draw.named.predict(test), draw.named.conditions
    return fallback(draw, test)


def em_logistic(draw: Draw, test: np.ndarray) -> Scores:
    """Logistic regression on the labelled patients and those that the mixture is sure of."""
    if not draw.named.parts:
        return fallback(draw, test)
    labels = draw.named.labels
    sure = labels != ""
    return _logistic(
        draw, np.concatenate([draw.x, draw.pool[sure]]), np.concatenate([draw.y, labels[sure]]), None, test
    )


def fallback(draw: Draw, test: np.ndarray) -> Scores:
    """Without labels of the pool: posterior class means; without lines, or if they are contradicted, patients alone."""
    if draw.cells is None or (draw.guarded and draw.named.evidence.contradicted):
        return own_centre(draw, test)
    return empirical_bayes_centred(draw, test)


def _semi_supervised(
    draw: Draw, test: np.ndarray, model: LabelSpreading | SelfTrainingClassifier, axes_of: str
) -> Scores:
    """Scores of a model fitted to labelled patients, lines and the pool, on principal components.

    Lines are moved to where the labelled patients' mean is. Components are of the ``pool`` or of ``all`` rows.
    """
    x, y = draw.x, draw.y
    if draw.cells is not None:
        x = np.concatenate([x, draw.cells.standardised() + draw.centre])
        y = np.concatenate([y, draw.cells.labels])
    classes, codes = np.unique(y.astype(str), return_inverse=True)
    rows = np.concatenate([x, draw.pool])
    basis = leading_axes(draw.pool if axes_of == "pool" else rows, COMPONENTS)[1][:COMPONENTS].T
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of rows whose neighbours reach no label
        model.fit(rows @ basis, np.r_[codes, np.full(len(draw.pool), -1)])
        return model.predict_proba(test @ basis), classes.astype(object)


def label_spreading(draw: Draw, test: np.ndarray) -> Scores:
    """Label spreading (Zhou et al. 2004, NeurIPS) from labelled patients and lines over the pool."""
    model = LabelSpreading(kernel="knn", n_neighbors=NEIGHBOURS, max_iter=200)
    found, classes = _semi_supervised(draw, test, model, "pool")
    prior = np.maximum(model.label_distributions_.sum(0), 1e-12)
    # Rows without a label among their neighbours get equal probabilities; masses of classes are normalised (Zhu et al.
    # 2003).
    scores = np.nan_to_num(found, nan=1 / len(classes)) / prior
    return scores / np.maximum(scores.sum(1, keepdims=True), 1e-12), classes


def self_training(draw: Draw, test: np.ndarray) -> Scores:
    """Logistic regression that labels the pool by itself (Yarowsky 1995), starting from labelled patients and lines."""
    logistic = LogisticRegression(C=C, class_weight="balanced", max_iter=300)
    return _semi_supervised(draw, test, SelfTrainingClassifier(logistic, threshold=0.75), "all")


Method = Callable[[Draw, np.ndarray], Scores]
#: By name: methods that use labelled patients, lines or both; of those without lines see :data:`OF_PATIENTS`.
WITHOUT_POOL: dict[str, Method] = {name: globals()[name] for name in names.WITHOUT_POOL}
#: Methods that use unlabelled patients as well.
WITH_POOL: dict[str, Method] = {name: globals()[name] for name in names.WITH_POOL}
#: Methods without lines.
OF_PATIENTS: dict[str, Method] = {"own_centre": own_centre, **WITH_POOL}
