"""Classifiers that stand for the downstream user, and their metrics.

All of them balance the classes themselves, so that the class frequencies of added profiles are no advantage.
"""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score
from sklearn.svm import LinearSVC

from ...core.errors import UserError
from ...core.seeds import derive
from ...metrics.calibration import brier, calibration_error

CLASSIFIERS = ("logistic", "svm", "mlp")
#: Inverse L2 penalty where it is not chosen (``mlp`` has none). On training donors of three studies, ``logistic``: real
#: profiles alone do as well with .01; with synthetic ones added PAM50 does, and twelve classes and 22 tissues do better
#: with .1. ``svm``: PAM50 does better with .01 (50 profiles and synthetic ones: .68 against .65), the others alike.
DEFAULT_C = {"logistic": 0.1, "svm": 0.01, "mlp": 1.0}
#: Grid of the inner cross-validation, strongest penalty first: ties go to it.
C_GRID = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
FOLDS = 5
#: Deals of the folds of fewer than `FEW` rows, whose accuracy depends on the deal.
DEALS, FEW = 3, 200
#: Standard errors below the best accuracy within which the strongest penalty is taken.
TOLERANCE = 0.5
METRICS = ("balanced_accuracy", "macro_f1", "auprc", "accuracy")
#: Before the class in the name of its recall.
RECALL = "recall_"


class Network:
    """Multilayer perceptron with one hidden layer and the same number of gradient steps whatever the number of rows.

    A fixed number of epochs would train longer on more rows, and more synthetic rows would look like a gain. Batches
    are drawn in proportion to the sample weights.

    Parameters
    ----------
    seed : int
        Seed of initialisation, batches and dropout.
    steps, batch, hidden : int
        Gradient steps, rows per step, hidden units.
    """

    def __init__(self, seed: int, *, steps: int = 300, batch: int = 64, hidden: int = 128) -> None:
        self.seed, self.steps, self.batch, self.hidden = seed, steps, batch, hidden

    def fit(self, x: np.ndarray, y: np.ndarray, sample_weight: np.ndarray) -> Network:
        """Fit to rows `x` (n × genes) with labels `y`."""
        import torch  # takes seconds to import, and only this classifier needs it

        self.classes_, codes = np.unique(y, return_inverse=True)
        rng = np.random.default_rng(self.seed)
        share = sample_weight / sample_weight.sum()
        data, target = torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(codes)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.model = torch.nn.Sequential(
                torch.nn.Linear(x.shape[1], self.hidden),
                torch.nn.ReLU(),
                torch.nn.Dropout(0.3),
                torch.nn.Linear(self.hidden, len(self.classes_)),
            )
            optimiser = torch.optim.AdamW(self.model.parameters(), lr=1e-3, weight_decay=1e-2)
            for _ in range(self.steps):
                rows = torch.as_tensor(rng.choice(len(x), size=self.batch, p=share))
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


def make_classifier(name: str, *, seed: int, n_train: int, c: float) -> LogisticRegression | LinearSVC | Network:
    """Unfitted classifier.

    Parameters
    ----------
    name : str
        ``logistic`` (multinomial, L2), ``svm`` (linear, squared hinge, one-vs-rest) or ``mlp``.
    seed : int
        Seed of what is random in it.
    n_train : int
        Training rows; decides the solver's iteration limit only.
    c : float
        Inverse penalty of the linear classifiers, against the sum of weighted losses.

    Raises
    ------
    UserError
        If the name is unknown.
    """
    if name == "logistic":
        return LogisticRegression(C=c, max_iter=500, tol=1e-4)
    if name == "svm":
        return LinearSVC(C=c, random_state=seed, max_iter=2000 if n_train < 2000 else 500, tol=1e-3)
    if name == "mlp":
        return Network(seed)
    raise UserError(
        f"unknown classifier {name!r}", where="augmentation.classifiers", remedy=f"one of: {', '.join(CLASSIFIERS)}"
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
    name: str, x: np.ndarray, y: np.ndarray, weight: np.ndarray, x_test: np.ndarray, seed: int, c: float
) -> tuple[np.ndarray, np.ndarray]:
    """Scores (n_test × classes) and classes of a classifier fitted to at least two classes."""
    model = make_classifier(name, seed=seed, n_train=len(x), c=c)
    with warnings.catch_warnings():
        # One profile per class is a setting we ask for, not a regression problem.
        warnings.filterwarnings("ignore", message="The number of unique classes is greater than 50%")
        model.fit(x, y, sample_weight=balanced_weights(y, weight))
    if name == "svm":
        scores = model.decision_function(x_test)
        if scores.ndim == 1:
            scores = np.column_stack([-scores, scores])
    else:
        scores = model.predict_proba(x_test)
    return scores, model.classes_


def choose_c(name: str, x: np.ndarray, y: np.ndarray, seed: int) -> float:
    """Inverse penalty by inner cross-validation over the rows given.

    Held-out predictions of all folds are pooled into one balanced accuracy, so that classes of two or three rows count
    as well; a class of one row, which is never both trained on and held out, does not. Of the penalties whose accuracy
    is within :data:`TOLERANCE` standard errors of the best one the strongest is taken (Breiman et al. 1984,
    Classification and Regression Trees, section 3.4.3, who allow one): of a few dozen rows the best itself is mostly
    luck. Give it real rows only: synthetic rows derived from the real ones would leak between the folds. With fewer
    rows than two per class on average, and for ``mlp``, it is that of :data:`DEFAULT_C`.
    """
    y = np.asarray(y)
    classes, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    often = counts[codes] > 1
    if name == "mlp" or len(classes) < 2 or len(y) < 2 * len(classes) or len(np.unique(codes[often])) < 2:
        return DEFAULT_C[name]
    z = np.asarray(x, dtype=np.float64)
    if z.shape[1] > len(z):
        z = z @ rotate(z)
    deals = [stratified_folds(codes, derive(seed, "penalty", i)) for i in range(DEALS if len(y) < FEW else 1)]
    means = np.array([np.mean([_held_out(name, z, y, folds, seed, c, often) for folds in deals]) for c in C_GRID])
    best = means.max()
    error = np.sqrt(best * (1 - best) * np.mean(1 / counts[counts > 1]) / (counts > 1).sum())
    return C_GRID[int(np.flatnonzero(means >= best - TOLERANCE * error)[0])]


def stratified_folds(codes: np.ndarray, seed: int) -> np.ndarray:
    """Fold (0 to `FOLDS` - 1) of each row; a class's rows lie in as many folds as they can."""
    order = np.lexsort((np.random.default_rng(seed).random(len(codes)), codes))
    folds = np.empty(len(codes), dtype=int)
    folds[order] = np.arange(len(codes)) % FOLDS
    return folds


def _held_out(
    name: str, x: np.ndarray, y: np.ndarray, folds: np.ndarray, seed: int, c: float, counted: np.ndarray
) -> float:
    """Balanced accuracy on the `counted` rows, each predicted by the classifier of the other folds."""
    predictions = np.empty(len(y), dtype=object)
    for fold in np.unique(folds):
        train, held_out = folds != fold, folds == fold
        if len(kinds := np.unique(y[train])) == 1:
            predictions[held_out] = kinds[0]
            continue
        scores, classes = _fit_scores(name, x[train], y[train], np.ones(train.sum()), x[held_out], seed, c)
        predictions[held_out] = classes[scores.argmax(1)]
    return balanced_accuracy(y[counted], predictions[counted])


def fit_predict(
    name: str,
    x: np.ndarray,
    y: np.ndarray,
    sample_weight: np.ndarray | None,
    x_test: np.ndarray,
    seed: int,
    *,
    c: float | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fit a class-balanced classifier and predict.

    Parameters
    ----------
    name : str
        One of :data:`CLASSIFIERS`.
    x, y : ndarray
        Training rows (n × genes, standardised) and labels (n,).
    sample_weight : ndarray or None
        Weights (n,) before balancing; None = 1.
    x_test : ndarray
        Rows to predict (n_test × genes).
    seed : int
        Seed.
    c : float, optional
        Inverse penalty; None = :func:`choose_c` on the training rows.

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
    if c is None:
        c = choose_c(name, x, y, seed)
    if name != "mlp" and x.shape[1] > 2 * len(x):  # else the decomposition costs more than it saves
        basis = rotate(x)
        x, x_test = x @ basis, x_test @ basis
    scores, classes = _fit_scores(name, x, y, weight, x_test, seed, c)
    return classes[scores.argmax(1)], scores, classes


def balanced_accuracy(truth: np.ndarray, predictions: np.ndarray) -> float:
    """Mean recall over the classes in `truth`."""
    return float(np.mean([(predictions[truth == k] == k).mean() for k in np.unique(truth)]))


def transferred_accuracy(x: np.ndarray, y: np.ndarray, x_real: np.ndarray, y_real: np.ndarray) -> float:
    """Balanced accuracy on real profiles of a plain logistic regression trained on `x`, synthetic ones say (TSTR).

    Parameters
    ----------
    x, x_real : ndarray (profiles × genes)
        Standardised expression.
    y, y_real : ndarray of str
        Their classes; `y` has two or more.
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
    if name != "svm":
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
