"""Worth of synthetic profiles in real ones, recall by class and calibration, beside what is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, recall_score

from pseudocohort.core.io import evaluation_table
from pseudocohort.experiments.shared.classifiers import details
from pseudocohort.experiments.shared.learning_curve import SAVED, LearningCurve, real_profiles_saved
from pseudocohort.metrics.calibration import brier, calibration_error


def test_worth_is_read_off_the_curve_and_censored_at_its_ends() -> None:
    curve = LearningCurve({10: [0.4, 0.6], 20: [0.7], 40: [0.9]})
    assert curve.worth(0.7) == 20 and curve.worth(0.8) == pytest.approx(30)
    assert curve.worth(0.95) == 40 and curve.worth(0.1) == 10


@given(st.dictionaries(st.integers(1, 300), st.lists(st.floats(0, 1), min_size=1, max_size=4), min_size=2))
def test_more_accuracy_is_never_worth_less(accuracy: dict[int, list[float]]) -> None:
    curve = LearningCurve(accuracy)
    worth = [curve.worth(v) for v in np.linspace(0, 1, 30)]
    assert (np.diff(worth) >= -1e-9).all() and min(accuracy) <= worth[0] and worth[-1] <= max(accuracy)


def _table() -> pd.DataFrame:
    rows = []
    for repeat in range(2):
        keys = {"study": "s", "task": "t", "estimator": "logistic", "repeat": repeat, "seed": repeat}
        for n, value in ((0, 0.5), (10, 0.6), (20, 0.8)):
            none = {**keys, "generator": "real", "regime": "none", "n_real": n, "n_synthetic": 0}
            rows += [{**none, "metric": "balanced_accuracy", "value": value + 0.02 * repeat - 0.01}]
            rows += [{**none, "metric": f"recall_{c}", "value": 0.5} for c in "ABCDE"]
        rows.append({**keys, "generator": "real", "regime": "ceiling", "n_real": -1, "metric": "balanced_accuracy",
                     "value": 0.99})  # fmt: skip
        for n, value in ((0, 0.6), (10, 0.7), (20, 0.9)):
            made = {**keys, "generator": "mvn", "regime": "same_n", "n_real": n, "n_synthetic": 100}
            rows += [{**made, "metric": "balanced_accuracy", "value": value}]
            rows += [{**made, "metric": "recall_A_gain", "value": 0.1}]
    return evaluation_table(rows)


def test_saved_profiles_are_those_beyond_the_ones_there_were() -> None:
    saved = real_profiles_saved(_table())
    assert (saved["metric"] == SAVED).all() and list(saved.columns) == list(_table().columns)
    # One profile per class of five classes: .6 is what 10 do, so 5 are saved; .7 with 10 is what 15 do.
    assert dict(saved.groupby("n_real")["value"].mean()) == pytest.approx({0: 5.0, 10: 5.0})
    assert set(saved["repeat"]) == {0, 1}
    assert real_profiles_saved(_table()[lambda t: t["n_real"] != 10][lambda t: t["n_real"] != 20]).empty


def test_calibration_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(4000)
    truth = np.where(rng.random(4000) < 0.5 + (p - 0.5) / 2, "b", "a")  # less sure than it says
    both, classes = np.column_stack([1 - p, p]), np.array(["a", "b"])
    assert brier(truth, both, classes) == pytest.approx(2 * brier_score_loss(truth == "b", p))
    confidence, right = both.max(1), classes[both.argmax(1)] == truth
    assert calibration_error(truth, both, classes) > 0.05
    honest = np.where(rng.random(4000) < p, "b", "a")
    assert calibration_error(honest, both, classes) < 0.03
    count = np.histogram(confidence, bins=np.linspace(0, 1, 11))[0]
    share, mean = calibration_curve(right, confidence, n_bins=10, strategy="uniform")
    expected = (np.abs(share - mean) * count[count > 0] / 4000).sum()
    assert calibration_error(truth, both, classes) == pytest.approx(expected)


def test_recall_by_class_is_scikit_learns() -> None:
    rng = np.random.default_rng(1)
    classes = np.array(["a", "b", "c"])
    truth, scores = rng.choice(classes, 200), rng.dirichlet(np.ones(3), 200)
    predicted = classes[scores.argmax(1)]
    found = details("logistic", truth, predicted, scores, classes)
    expected = recall_score(truth, predicted, labels=classes, average=None)
    assert [found[f"recall_{c}"] for c in classes] == pytest.approx(list(expected))
    assert "brier" in found and "brier" not in details("svm", truth, predicted, scores, classes)
