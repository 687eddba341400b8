"""Classifiers that stand for the downstream user, and their metrics.

All of them balance the classes themselves, so that the class frequencies of added profiles are no advantage.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score
from sklearn.svm import LinearSVC

from ...core.errors import UserError
from ...core.seeds import derive
from ...generators.space.means import predict_class_means
from ...generators.space.variance_components import Classes
from ...metrics.calibration import brier, calibration_error
from .estimators import BASELINES, BEST, CLASSIFIERS, RECALL

#: Setting where it is not chosen: inverse L2 penalty of ``logistic`` and ``svm``, shrinkage of ``lda``, threshold of
#: ``nearest_centroids``, independent genes of ``empirical_bayes`` (``mlp`` has none). On training donors of three
#: studies, ``logistic``: real profiles alone do as well with .01; with synthetic ones added PAM50 does, and twelve
#: classes and 22 tissues do better with .1. ``svm``: PAM50 does better with .01 (50 profiles and synthetic ones: .68
#: against .65), the others alike.
DEFAULTS = {"logistic": 0.1, "svm": 0.01, "mlp": 1.0, "lda": 0.5, "nearest_centroids": 0.5, "empirical_bayes": 10.0}
_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
#: Settings of the inner cross-validation, the strongest regularisation first.
GRIDS = {
    "logistic": _PENALTIES,
    "svm": _PENALTIES,
    "lda": (1.0, 0.9, 0.7, 0.5, 0.2),
    "nearest_centroids": (4.0, 2.0, 1.0, 0.5, 0.25, 0.0),
    "empirical_bayes": (2.0, 5.0, 10.0, 20.0, 50.0),
}
#: Classifiers whose setting is the one with the smallest logarithmic loss of those that are as accurate.
_BY_LOSS = ("logistic", "empirical_bayes")
FOLDS = 5
#: Deals of the folds of fewer than `FEW` rows, whose accuracy depends on the deal.
DEALS, FEW = 3, 200
#: Standard errors below the best accuracy within which a setting counts as just as accurate.
TOLERANCE = 0.5


class Network:
    """Multilayer perceptron with one hidden layer and the same number of gradient steps whatever the number of rows.

    A fixed number of epochs would train longer on more rows, and more synthetic rows would look like a gain. Batches
    are drawn in proportion to the sample weights.
    """

    STEPS, BATCH, HIDDEN = 300, 64, 128

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def fit(self, x: np.ndarray, y: np.ndarray, sample_weight: np.ndarray) -> Network:
        """Fit to rows `x` (n × genes) with labels `y`."""
        import torch  # takes seconds to import, and only this classifier needs it

        from ...generators.engine.optimisers import AdamW

        self.classes_, codes = np.unique(y, return_inverse=True)
        rng = np.random.default_rng(self.seed)
        share = sample_weight / sample_weight.sum()
        data, target = torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(codes)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.model = torch.nn.Sequential(
                torch.nn.Linear(x.shape[1], self.HIDDEN),
                torch.nn.ReLU(),
                torch.nn.Dropout(0.3),
                torch.nn.Linear(self.HIDDEN, len(self.classes_)),
            )
            optimiser = AdamW(self.model.parameters(), lr=1e-3, weight_decay=1e-2)
            for _ in range(self.STEPS):
                rows = torch.as_tensor(rng.choice(len(x), size=self.BATCH, p=share))
                loss = torch.nn.functional.cross_entropy(self.model(data[rows]), target[rows])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        self.model.eval()
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Class probabilities (n × classes)."""
        import torch

        with torch.no_grad():
            return torch.softmax(self.model(torch.as_tensor(x, dtype=torch.float32)), 1).double().numpy()


class ShrunkenCentroids:
    """Nearest shrunken centroids with equal class priors (Tibshirani et al. 2002, PNAS 99:6567, equations 1 to 8).

    scikit-learn's ``NearestCentroid`` takes no sample weights, which synthetic rows need, and leaves the offset s0 out
    of the distances. A row counts by its weight, so that copies that share a row's weight change nothing. With one row
    per class there is no spread within classes: plain distances to the rows.

    Parameters
    ----------
    threshold : float
        Soft threshold of the standardised differences from the overall centroid.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold

    def fit(self, x: np.ndarray, y: np.ndarray, sample_weight: np.ndarray) -> ShrunkenCentroids:
        """Fit to rows `x` (n × genes) with labels `y` and weights."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        means, counts = _class_means(x, codes, sample_weight)
        n, k = counts.sum(), len(counts)
        centre = np.bincount(codes, weights=sample_weight) @ means / sample_weight.sum()
        self.scale, self.centroids = np.ones(x.shape[1]), means
        if n - k > 1e-6:
            squares = sample_weight @ (x - means[codes]) ** 2 / sample_weight.sum()
            within = np.sqrt(squares * n / (n - k))
            self.scale = np.maximum(within + np.median(within), 1e-9)
            spread = np.sqrt(np.maximum(1 / counts - 1 / n, 1e-12))[:, None] * self.scale
            difference = (means - centre) / spread
            shrunk = np.sign(difference) * np.maximum(np.abs(difference) - self.threshold, 0)
            self.centroids = centre + spread * shrunk
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Class probabilities (n × classes)."""
        z, centroids = x / self.scale, self.centroids / self.scale
        return softmax(z @ centroids.T - (centroids**2).sum(1) / 2, axis=1)


class EmpiricalBayesMeans:
    """Nearest class mean, where means are best linear unbiased predictions (:mod:`....generators.space.means`).

    A class of few rows is drawn towards the mean of all classes by as much as the variances within and between classes
    ask for (Henderson 1975, Biometrics 31:423). These are the means that generators are fitted with: what a generator
    gains over this classifier is not the gain of its class means.

    Parameters
    ----------
    independent : float
        Number of independent genes that all of them count as, since genes vary together; it changes probabilities
        alone.
    """

    def __init__(self, independent: float) -> None:
        self.independent = independent

    def fit(self, x: np.ndarray, y: np.ndarray, sample_weight: np.ndarray) -> EmpiricalBayesMeans:
        """Fit to rows `x` (n × genes) with labels `y`; the weights of a class sum to its number of rows."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        means, counts = _class_means(x, codes, sample_weight)
        n, k = counts.sum(), len(counts)
        share = sample_weight / n
        spread = (share @ (x - share @ x) ** 2).mean() * n / (n - 1)
        within = (share @ (x - means[codes]) ** 2).mean() * n / (n - k) if n - k > 1e-6 else 0.0
        classes = Classes(means, counts, np.arange(k), np.zeros(k, dtype=int), np.array([False]))
        self.means = predict_class_means(classes, np.array([within]), np.array([spread]))[:, 0]
        self.variance = max(within or spread, 1e-12)
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Class probabilities (n × classes)."""
        scores = x @ self.means.T - (self.means**2).sum(1) / 2
        return softmax(self.independent * scores / (x.shape[1] * self.variance), axis=1)


class ShrunkenLda:
    """Linear discriminant analysis with equal class priors and the within-class covariance shrunk to the sphere.

    (1 - a) W + a tr(W) / p I, as scikit-learn's ``LinearDiscriminantAnalysis`` with ``solver="lsqr"``, which takes no
    sample weights.

    Parameters
    ----------
    shrinkage : float
        a, between 0 and 1.
    genes : int
        p, where the rows given are in a basis of fewer columns.
    """

    def __init__(self, shrinkage: float, genes: int) -> None:
        self.shrinkage, self.genes = shrinkage, genes

    def fit(self, x: np.ndarray, y: np.ndarray, sample_weight: np.ndarray) -> ShrunkenLda:
        """Fit to rows `x` (n × columns) with labels `y` and weights."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        means, _ = _class_means(x, codes, sample_weight)
        residuals = (x - means[codes]) * np.sqrt(sample_weight / sample_weight.sum())[:, None]
        within = residuals.T @ residuals
        sphere = np.trace(within) / self.genes
        if sphere < 1e-12:  # one row per class, or copies of it: plain distances to the rows
            within, sphere = np.eye(x.shape[1]), 1.0
        mixed = (1 - self.shrinkage) * within + self.shrinkage * sphere * np.eye(x.shape[1])
        self.coef = np.linalg.solve(mixed, means.T)
        self.intercept = -(means.T * self.coef).sum(0) / 2
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Class probabilities (n × classes)."""
        return softmax(x @ self.coef + self.intercept, axis=1)


def _class_means(x: np.ndarray, codes: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean (classes × columns) and total weight of each class."""
    total = np.bincount(codes, weights=weight)
    shares = np.zeros((len(total), len(codes)))
    shares[codes, np.arange(len(codes))] = weight / total[codes]
    return shares @ x, total


def make_classifier(
    name: str, *, seed: int, n_train: int, setting: float, genes: int
) -> LogisticRegression | LinearSVC | Network | ShrunkenCentroids | ShrunkenLda | EmpiricalBayesMeans:
    """Unfitted classifier.

    `n_train` decides the solver's iteration limit only; what `setting` is, :data:`DEFAULTS` says; `genes` are counted
    in whatever basis the rows are.

    Raises
    ------
    UserError
        If the name is unknown.
    """
    if name == "logistic":
        return LogisticRegression(C=setting, max_iter=500, tol=1e-4)
    if name == "svm":
        return LinearSVC(C=setting, dual="auto", random_state=seed, max_iter=2000 if n_train < 2000 else 500, tol=1e-3)
    if name == "mlp":
        return Network(seed)
    if name == "lda":
        return ShrunkenLda(setting, genes)
    if name == "nearest_centroids":
        return ShrunkenCentroids(setting)
    if name == "empirical_bayes":
        return EmpiricalBayesMeans(setting)
    known = dict.fromkeys((*CLASSIFIERS, *BASELINES))
    raise UserError(
        f"unknown classifier {name!r}", where="augmentation.classifiers", remedy=f"one of: {', '.join(known)}"
    )


def balanced_weights(y: np.ndarray, sample_weight: np.ndarray | None = None) -> np.ndarray:
    """Sample weights (n,) rescaled so that every class has the same total and the overall total stays."""
    weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    _, codes = np.unique(y, return_inverse=True)
    totals = np.bincount(codes, weights=weight)
    return weight * weight.sum() / (len(totals) * totals[codes])


def rotate(x: np.ndarray) -> np.ndarray:
    """Orthonormal basis (genes × rank) of the row space of `x` (n × genes).

    With an L2 penalty the weights lie in the span of the training rows, so that a linear classifier fitted to
    ``x @ basis`` is the same classifier in n instead of p dimensions (Hastie & Tibshirani 2004, Biostatistics 5:329).
    """
    return np.linalg.svd(np.asarray(x, dtype=np.float64), full_matrices=False)[2].T


def _fit_scores(
    name: str,
    x: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    x_test: np.ndarray,
    seed: int,
    setting: float,
    genes: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Scores (n_test × classes) and classes of a classifier fitted to at least two classes."""
    model = make_classifier(name, seed=seed, n_train=len(x), setting=setting, genes=genes)
    with warnings.catch_warnings():
        # One profile per class is a setting we ask for, not a regression problem.
        warnings.filterwarnings("ignore", message="The number of unique classes is greater than 50%")
        # How many rows a class mean is of tells how far it is shrunk; the means themselves know no class frequencies.
        weighted = weight if name == "empirical_bayes" else balanced_weights(y, weight)
        model.fit(x, y, sample_weight=weighted)
    if name == "svm":
        scores = model.decision_function(x_test)
        if scores.ndim == 1:
            scores = np.column_stack([-scores, scores])
    else:
        scores = model.predict_proba(x_test)
    return scores, model.classes_


def _rotatable(name: str) -> bool:
    """Whether a classifier is the same in any orthonormal basis of the rows' space."""
    return name in ("logistic", "svm", "lda")


class Choice(NamedTuple):
    """A classifier with its setting, and its balanced accuracy in the inner cross-validation (NaN without one)."""

    name: str
    setting: float
    accuracy: float = np.nan


def choose_setting(name: str, x: np.ndarray, y: np.ndarray, seed: int) -> Choice:
    """Setting of a classifier by inner cross-validation over the rows given.

    Held-out predictions of all folds are pooled into one balanced accuracy, so that classes of two or three rows
    count as well; a class of one row, which is never both trained on and held out, does not. Settings within
    :data:`TOLERANCE` standard errors of the best accuracy count as just as accurate: of a few dozen rows the best
    itself is mostly luck (Breiman et al. 1984, Classification and Regression Trees, section 3.4.3, who allow one). Of
    those, the strongest is taken; for ``logistic`` and ``empirical_bayes`` the one whose held-out probabilities have
    the smallest logarithmic loss: where classes are far apart every penalty is as accurate, and the strongest would
    leave probabilities near chance. Give it real rows only: synthetic rows derived from the real ones would leak
    between the folds. With fewer rows than two per class on average, and for ``mlp``, it is that of :data:`DEFAULTS`.
    """
    y = np.asarray(y)
    classes, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    often = counts[codes] > 1
    if name == "mlp" or len(classes) < 2 or len(y) < 2 * len(classes) or len(np.unique(codes[often])) < 2:
        return Choice(name, DEFAULTS[name])
    z, genes = np.asarray(x, dtype=np.float64), x.shape[1]
    if _rotatable(name) and genes > len(z):
        z = z @ rotate(z)
    deals = [stratified_folds(codes, derive(seed, "penalty", i)) for i in range(DEALS if len(y) < FEW else 1)]
    grid = GRIDS[name]
    found = np.array(
        [[_held_out(name, z, codes, folds, seed, value, often, genes) for folds in deals] for value in grid]
    ).mean(1)
    means, losses = found.T
    best = means.max()
    alike = np.flatnonzero(means >= best - TOLERANCE * _error(best, counts))
    at = alike[losses[alike].argmin()] if name in _BY_LOSS else alike[0]
    return Choice(name, grid[int(at)], float(means[at]))


def _error(accuracy: float, counts: np.ndarray) -> float:
    """Standard error of a balanced accuracy over classes of `counts` rows; those of one row are not counted."""
    counts = counts[counts > 1]
    return float(np.sqrt(accuracy * (1 - accuracy) * np.mean(1 / counts) / len(counts)))


def choose_baseline(x: np.ndarray, y: np.ndarray, seed: int) -> dict[str, Choice]:
    """Every baseline with its setting, and under :data:`BEST` the one that inner cross-validation prefers.

    By the same rule as for settings: the simplest, in the order of :data:`BASELINES`, whose inner accuracy is within
    :data:`TOLERANCE` standard errors of the largest; ``logistic`` where there are too few rows to choose.
    """
    choices = {name: choose_setting(name, x, y, seed) for name in BASELINES}
    accuracy = np.array([choice.accuracy for choice in choices.values()])
    if np.isnan(accuracy).any():
        return choices | {BEST: choices["logistic"]}
    least = accuracy.max() - TOLERANCE * _error(accuracy.max(), np.unique(y, return_counts=True)[1])
    return choices | {BEST: choices[BASELINES[int((accuracy >= least).argmax())]]}


def stratified_folds(codes: np.ndarray, seed: int) -> np.ndarray:
    """Fold (0 to `FOLDS` - 1) of each row; a class's rows lie in as many folds as they can."""
    order = np.lexsort((np.random.default_rng(seed).random(len(codes)), codes))
    folds = np.empty(len(codes), dtype=int)
    folds[order] = np.arange(len(codes)) % FOLDS
    return folds


def _held_out(
    name: str,
    x: np.ndarray,
    codes: np.ndarray,
    folds: np.ndarray,
    seed: int,
    setting: float,
    counted: np.ndarray,
    genes: int,
) -> tuple[float, float]:
    """Balanced accuracy and logarithmic loss on the `counted` rows, each predicted by the classifier of the others."""
    probability = np.zeros((len(codes), codes.max() + 1))
    for fold in np.unique(folds):
        train, held_out = folds != fold, folds == fold
        if len(kinds := np.unique(codes[train])) == 1:
            probability[held_out, kinds[0]] = 1
            continue
        weight = np.ones(train.sum())
        scores, classes = _fit_scores(name, x[train], codes[train], weight, x[held_out], seed, setting, genes)
        # Distances of the support vector machine may be negative, and a class absent from a fold is never predicted.
        probability[np.ix_(held_out, classes)] = softmax(scores, axis=1) if name == "svm" else scores
    truth, weight = codes[counted], balanced_weights(codes[counted])
    right = np.clip(probability[counted, truth], 1e-6, 1)
    accuracy = balanced_accuracy(truth, probability[counted].argmax(1))
    return accuracy, float(-np.average(np.log(right), weights=weight))


def fit_predict(
    name: str,
    x: np.ndarray,
    y: np.ndarray,
    sample_weight: np.ndarray | None,
    x_test: np.ndarray,
    seed: int,
    *,
    setting: float | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fit a class-balanced classifier and predict.

    Parameters
    ----------
    x, y : ndarray
        Training rows (n × genes, standardised) and labels (n,).
    sample_weight : ndarray or None
        Weights (n,) before balancing; None = 1.
    x_test : ndarray
        Rows to predict (n_test × genes).
    setting : float, optional
        Inverse penalty, shrinkage, threshold or independent genes; None = :func:`choose_setting` on the training
        rows.

    Returns
    -------
    predictions : ndarray (n_test,)
    scores : ndarray (n_test × classes)
        Probabilities; for ``svm`` signed distances, which rank as well.
    classes : ndarray (classes,)
    """
    y = np.asarray(y)
    weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    if (classes := np.unique(y)).size == 1:
        return np.repeat(classes, len(x_test)), np.ones((len(x_test), 1)), classes
    if setting is None:
        setting = choose_setting(name, x, y, seed).setting
    genes = x.shape[1]
    if _rotatable(name) and genes > 2 * len(x):  # else the decomposition costs more than it saves
        basis = rotate(x)
        x, x_test = x @ basis, x_test @ basis
    scores, classes = _fit_scores(name, x, y, weight, x_test, seed, setting, genes)
    return classes[scores.argmax(1)], scores, classes


def balanced_accuracy(truth: np.ndarray, predictions: np.ndarray) -> float:
    """Mean recall over the classes in `truth`."""
    return float(np.mean([(predictions[truth == k] == k).mean() for k in np.unique(truth)]))


def transferred_accuracy(x: np.ndarray, y: np.ndarray, x_real: np.ndarray, y_real: np.ndarray) -> float:
    """Balanced accuracy on real profiles of a plain logistic regression trained on `x`, synthetic ones say (TSTR).

    Expression is standardised (profiles × genes); `y` has two classes or more.
    """
    model = LogisticRegression(C=0.01, class_weight="balanced", max_iter=500).fit(x, y)
    return balanced_accuracy(y_real, model.predict(x_real))


def majority_rate(y: np.ndarray, truth: np.ndarray) -> float:
    """Accuracy on `truth` of always predicting the most frequent training label of `y`."""
    classes, counts = np.unique(y, return_counts=True)
    return float((truth == classes[counts.argmax()]).mean())


def details(
    name: str, truth: np.ndarray, predictions: np.ndarray, scores: np.ndarray, classes: np.ndarray
) -> dict[str, float]:
    """Recall of each class in `truth` (``recall_<class>``) and, where there are probabilities, their calibration."""
    truth, predictions = np.asarray(truth), np.asarray(predictions)
    found = {f"{RECALL}{k}": float((predictions[truth == k] == k).mean()) for k in np.unique(truth)}
    if name != "svm":  # its distances are no probabilities
        found["brier"] = brier(truth, scores, classes)
        found["calibration_error"] = calibration_error(truth, scores, classes)
    return found


def metrics(truth: np.ndarray, predictions: np.ndarray, scores: np.ndarray, classes: np.ndarray) -> dict[str, float]:
    """Balanced accuracy, macro F1, macro one-vs-rest area under the precision-recall curve, and accuracy.

    Averages run over the classes of `truth`; a class absent from training scores its prevalence in ``auprc``.
    """
    truth, predictions = np.asarray(truth), np.asarray(predictions)
    present = np.unique(truth)
    column = {k: i for i, k in enumerate(classes)}
    auprc = [
        average_precision_score(truth == k, scores[:, column[k]] if k in column else np.zeros(len(truth)))
        for k in present
    ]
    return {
        "balanced_accuracy": balanced_accuracy(truth, predictions),
        "macro_f1": float(f1_score(truth, predictions, labels=present, average="macro", zero_division=0)),
        "auprc": float(np.mean(auprc)),
        "accuracy": float((truth == predictions).mean()),
    }
