"""Worth of synthetic profiles in real ones, recall by class and calibration, beside what is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import least_squares
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, recall_score

from pseudocohort.core.io import evaluation_table
from pseudocohort.experiments.augmentation.curves import curves as augmentation_curves
from pseudocohort.experiments.combination.curves import curves as combination_curves
from pseudocohort.experiments.shared.classifiers import details
from pseudocohort.experiments.shared.learning_curve import (
    DOUBLED,
    ENOUGH,
    SAVED,
    Estimate,
    LearningCurve,
    PowerLaw,
    ResampledCurves,
    extrapolate,
    power_laws,
)
from pseudocohort.metrics.calibration import brier, calibration_error


def profiles_saved(alone: pd.DataFrame, gain: pd.Series, n: int, *, chance: float, seed: int = 0) -> Estimate:
    return ResampledCurves(alone.loc[gain.index], n, chance=chance, seed=seed).saved(gain.to_numpy())


def test_worth_is_read_off_the_curve_and_ends_with_it() -> None:
    curve = LearningCurve({10: 0.5, 20: 0.7, 40: 0.9})
    assert curve.worth(0.7) == 20 and curve.worth(0.8) == pytest.approx(30)
    assert curve.worth(0.95) == 40 and curve.worth(0.1) == 10
    assert LearningCurve({10: 0.5, 20: 0.7}, chance=0.2).worth(0.35) == pytest.approx(5)


def test_a_plateau_counts_at_its_left_end() -> None:
    curve = LearningCurve({2: 0.5, 5: 1.0, 20: 1.0, 50: 1.0})
    assert curve.worth(1.0) == 5
    # Copies of 20 profiles that are all right save nothing, and a loss does not save either.
    assert curve.saved(20, 0.0) == 0 and curve.saved(20, 1e-9) == 30 and curve.saved(20, -0.1) < 0
    assert curve.saved(2, 0.5) == 3


@given(st.dictionaries(st.integers(1, 300), st.floats(0, 1), min_size=2), st.floats(-0.5, 0.5))
def test_more_accuracy_is_never_worth_less(accuracy: dict[int, float], gain: float) -> None:
    curve = LearningCurve(accuracy)
    worth = [curve.worth(v) for v in np.linspace(0, 1, 30)]
    assert (np.diff(worth) >= -1e-9).all() and min(accuracy) <= worth[0] and worth[-1] <= max(accuracy)
    for n in accuracy:
        assert curve.saved(n, 0.0) == 0 and curve.saved(n, gain) * gain >= 0


SIZES = (1, 2, 5, 10, 17, 33)


def _alone(rng: np.random.Generator, repeats: int, sd: float = 0.03) -> pd.DataFrame:
    """A curve that flattens, with the spread of a few draws."""
    truth = 0.92 - 0.35 * np.array(SIZES, dtype=float) ** -0.6
    values = np.clip(truth + sd * rng.normal(size=(repeats, len(SIZES))), 0, 1)
    return pd.DataFrame(values, index=range(repeats), columns=list(SIZES))


@pytest.mark.parametrize("n", [2, 17])
def test_adding_nothing_saves_nothing(n: int) -> None:
    """A null arm, as noisy as the real profiles: mapped repeat by repeat it "saved" profiles at both sizes."""
    rng = np.random.default_rng(n)
    values, covered = [], 0
    for table in range(40):
        alone = _alone(rng, 20)
        found = profiles_saved(alone, pd.Series(rng.normal(0, 0.03, 20)), n, chance=1 / 3, seed=table)
        values.append(found.value)
        covered += found.low <= 0 <= found.high
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 3 * error + 0.02 * n
    assert stats.binomtest(40 - covered, 40, 0.05, alternative="greater").pvalue > 1e-3
    assert profiles_saved(_alone(rng, 20), pd.Series(np.zeros(20)), n, chance=1 / 3)[:3] == (0, 0, 0)


def test_an_arm_worth_three_profiles_saves_three() -> None:
    rng, covered, values = np.random.default_rng(3), 0, []
    gain = 0.35 * (2**-0.6 - 5**-0.6)
    for table in range(40):
        found = profiles_saved(_alone(rng, 20), pd.Series(rng.normal(gain, 0.03, 20)), 2, chance=1 / 3, seed=table)
        values.append(found.value)
        covered += found.low <= 3 <= found.high
    assert np.mean(values) == pytest.approx(3, abs=0.5)
    assert stats.binomtest(40 - covered, 40, 0.05, alternative="greater").pvalue > 1e-3


def test_two_repeats_give_no_interval() -> None:
    found = profiles_saved(_alone(np.random.default_rng(0), 2), pd.Series([0.1, 0.1]), 2, chance=1 / 3)
    assert found.value > 0 and np.isnan(found.low)


def test_the_power_law_fits_as_well_as_scipy_from_many_starts() -> None:
    rng = np.random.default_rng(4)
    for _ in range(40):
        sizes = np.sort(rng.choice(np.arange(2, 400), size=int(rng.integers(4, 8)), replace=False)).astype(float)
        y = np.clip(rng.uniform(0.3, 1) - rng.uniform(-0.1, 0.8) * (sizes / sizes[0]) ** -rng.uniform(0.1, 2.5), 0, 1)
        y, se = y + rng.normal(0, 0.02, len(y)), rng.uniform(0.002, 0.05, len(y))

        def residuals(p, sizes=sizes, y=y, se=se):
            return (p[0] - p[1] * (sizes / sizes[0]) ** -p[2] - y) / se

        starts = [(a, b, c) for a in (0.5, 0.95) for b in (0.05, 0.6) for c in (0.1, 0.5, 1.5, 2.8)]
        fits = [least_squares(residuals, start, bounds=([0, 0, 0.05], [1, 1, 3])) for start in starts]
        found = 0.5 * (residuals(PowerLaw(sizes, y, se).parameters) ** 2).sum()
        assert found <= min(fit.cost for fit in fits) * (1 + 1e-4) + 1e-9


def test_the_power_law_is_found_and_extrapolated() -> None:
    rng = np.random.default_rng(5)
    sizes = np.array([10, 25, 50, 100, 200])
    truth = 0.9 - 0.6 * sizes**-0.5
    alone = pd.DataFrame(truth + 0.004 * rng.normal(size=(12, 5)), columns=sizes)
    found = extrapolate(power_laws(alone), lambda law: law.at(400), repeats=12)
    assert found.identified and found.value == pytest.approx(0.87, abs=0.01)
    assert found.low <= 0.87 <= found.high and found.high - found.low < 0.05
    needed = extrapolate(power_laws(alone), lambda law: law.needed(0.86), repeats=12, number=True)
    assert needed.identified and needed.low <= 225 <= needed.high
    exact = PowerLaw(sizes, truth, np.full(5, 0.01))
    assert exact.needed(0.87) == pytest.approx(400, rel=0.02) and exact.at(800) == pytest.approx(
        0.9 - 0.6 * 800**-0.5, abs=1e-3
    )
    assert exact.needed(0.95) == np.inf


def test_what_the_curve_does_not_say_is_not_identified() -> None:
    rng = np.random.default_rng(6)
    flat = pd.DataFrame(0.7 + 0.02 * rng.normal(size=(10, 5)), columns=[10, 25, 50, 100, 200])
    assert not extrapolate(power_laws(flat), lambda law: law.needed(0.8), repeats=10, number=True).identified
    rising = pd.DataFrame(np.tile([0.5, 0.6, 0.7], (10, 1)) + 0.01 * rng.normal(size=(10, 3)), columns=[10, 20, 40])
    lost = extrapolate(power_laws(rising), lambda law: law.at(80), repeats=10)
    assert not lost.identified and np.isnan(lost.value)


@pytest.mark.parametrize("repeats", [3, 5, 10])
def test_the_interval_of_an_extrapolation_has_its_coverage(repeats: int) -> None:
    """Percentiles of a bootstrap of three repeats missed the truth in 44 of 100 tables, of five in 19."""
    rng, sizes, covered, tables = np.random.default_rng(repeats), np.array([10, 20, 40, 80, 160]), 0, 25

    def truth(n):
        return 0.9 - 0.4 * (np.asarray(n) / 10) ** -0.6

    for table in range(tables):
        values = truth(sizes) + rng.normal(0, 0.01, (repeats, 1)) + rng.normal(0, 0.015, (repeats, 5))
        laws = power_laws(pd.DataFrame(values, columns=sizes), table)
        found = extrapolate(laws, lambda law: law.at(100) - law.at(50), repeats=repeats)
        covered += found.low <= truth(100) - truth(50) <= found.high
        assert not extrapolate(laws, lambda law: law.needed(0.85), repeats=5, number=True).identified
    assert stats.binomtest(covered, tables, 0.95, alternative="less").pvalue > 1e-3


def test_repeats_without_any_size_do_not_break_the_power_law() -> None:
    values = np.full((12, 5), np.nan)
    values[:3] = 0.9 - 0.6 * np.array([10, 25, 50, 100, 200]) ** -0.5
    assert len(power_laws(pd.DataFrame(values, columns=[10, 25, 50, 100, 200]))) > 1


def _table() -> pd.DataFrame:
    rows = []
    for repeat in range(4):
        keys = {"study": "s", "task": "t", "repeat": repeat, "seed": repeat}
        for n, value in ((0, 0.5), (10, 0.6), (20, 0.8), (40, 0.85)):
            none = {**keys, "generator": "real", "regime": "none", "n_real": n, "n_synthetic": 0, "estimator": "best"}
            rows += [{**none, "metric": "balanced_accuracy", "value": value + 0.02 * repeat - 0.03}]
            rows += [{**none, "metric": f"recall_{c}", "value": 0.5} for c in "ABCDE"]
        ceiling = {**keys, "generator": "real", "regime": "ceiling", "n_real": -1, "estimator": "best"}
        rows.append({**ceiling, "metric": "balanced_accuracy", "value": 0.87})
        for n, gain in ((0, 0.1), (10, 0.1), (20, 0.0), (40, 0.02)):
            made = {**keys, "generator": "mvn", "regime": "same_n", "n_real": n, "estimator": "logistic"}
            rows.append({**made, "n_synthetic": 100, "metric": "balanced_accuracy_gain", "value": gain})
            rows.append({**made, "n_synthetic": 100, "metric": "recall_A_gain", "value": 0.1})
    return evaluation_table(rows)


def test_summary_of_augmentation_reads_the_curve() -> None:
    summary = augmentation_curves(_table())
    saved = summary[summary["metric"] == SAVED].set_index("n_real")
    # One profile per class of five classes: .6 is what 10 do, so 5 are saved; .7 with 10 is what 15 do. The largest
    # number of the curve has no saving of its own.
    assert saved["value"].to_dict() == pytest.approx({0: 5.0, 10: 5.0, 20: 0.0})
    assert (saved["n"] == 4).all() and (saved["ci_low"] <= saved["value"] + 1e-9).all()
    doubled = summary[summary["metric"] == DOUBLED]
    assert set(doubled["n_real"]) == {0, 10, 20, 40} and set(doubled["regime"]) == {"none"}
    assert len(summary[summary["metric"] == ENOUGH]) == 1
    none = augmentation_curves(_table().query("estimator != 'best'"))
    assert none.empty and list(none.columns) == list(summary.columns)


def test_summary_of_the_combination_starts_at_chance() -> None:
    rows = []
    for repeat in range(5):
        keys = {"study": "s", "repeat": repeat, "seed": repeat, "estimator": "logistic"}
        for k, value in ((1, 0.6), (5, 0.8)):
            real = {**keys, "generator": "real", "regime": "tissue_only", "n_real": k, "metric": "balanced_accuracy"}
            rows.append({**real, "value": value})
        arm = {**keys, "generator": "mvn", "n_synthetic": 10}
        rows.append({**arm, "regime": "cell_only", "n_real": 0, "metric": "balanced_accuracy", "value": 0.6})
        rows.append({**arm, "regime": "both", "n_real": 1, "metric": "gain_over_real_only", "value": 0.1})
        rows.append({**arm, "regime": "permuted", "n_real": 1, "metric": "gain_over_real_only", "value": 0.1})
    rows.append(
        {"study": "s", "generator": "real", "regime": "ceiling", "repeat": 0, "metric": "chance", "value": 1 / 3}
    )
    summary = combination_curves(evaluation_table(rows))
    assert dict(zip(summary["n_real"], summary["value"], strict=True)) == pytest.approx({0: 1.0, 1: 2.0})
    assert set(summary["regime"]) == {"both", "cell_only"}


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
