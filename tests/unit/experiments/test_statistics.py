"""Coverage of intervals, DeLong, low false-positive rates, corrected maxima: against scipy and by brute force."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score, roc_curve

from pseudocohort.core.contracts import check_evaluation
from pseudocohort.core.errors import ContractError
from pseudocohort.core.io import evaluation_table
from pseudocohort.experiments.shared import scales
from pseudocohort.experiments.shared.statistics import (
    corrected_maximum,
    delong,
    held_out_standard_error,
    interval,
    summarise,
    tpr_at_fpr,
)


def test_small_samples_get_students_t():
    x = [0.1, 0.4, 0.2, 0.6]
    low, high = stats.t.interval(0.95, 3, loc=np.mean(x), scale=np.std(x, ddof=1) / 2)
    assert interval(x) == pytest.approx((np.mean(x), low, high, 4))


TABLES = 2000


def _draws(name: str, size: tuple[int, int]) -> tuple[np.ndarray, float, tuple[float, float]]:
    """Values of repeats, their true mean, and the bounds of the metric."""
    rng = np.random.default_rng(20)
    if name == "difference":
        return rng.normal(0.01, 0.04, size), 0.01, scales.REAL
    if name == "accuracy":  # the true accuracy differs between draws, and 200 are tested in each
        return rng.binomial(200, rng.beta(60, 20, size)) / 200, 0.75, scales.SHARE
    if name == "high share":
        return rng.beta(90, 6, size), 90 / 96, scales.SHARE
    if name == "correlation":
        return 2 * rng.beta(40, 10, size) - 1, 0.6, scales.CORRELATION
    return rng.gamma(16, 0.02, size), 0.32, scales.POSITIVE


@pytest.mark.parametrize("level", [0.95, 1 - 0.05 / 6])
@pytest.mark.parametrize("n", [3, 5, 10, 20])
@pytest.mark.parametrize("name", ["difference", "accuracy", "high share", "correlation", "distance"])
def test_intervals_miss_the_truth_as_seldom_as_they_say(name: str, n: int, level: float) -> None:
    draws, truth, bounds = _draws(name, (TABLES, n))
    found = [interval(x, confidence=level, bounds=bounds) for x in draws]
    found = [i for i in found if np.isfinite(i.low)]  # shares of 200 patients may agree in all of three repeats
    assert len(found) > 0.98 * TABLES
    assert all(bounds[0] <= i.low <= i.mean <= i.high <= bounds[1] for i in found)
    missed = sum(not i.low <= truth <= i.high for i in found)
    # Skewed values miss a little more often than normal ones: a fifth more is allowed, beside chance.
    assert stats.binomtest(missed, len(found), 1.2 * (1 - level), alternative="greater").pvalue > 1e-3
    assert stats.binomtest(missed, len(found), 0.5 * (1 - level), alternative="less").pvalue > 1e-3


def test_two_values_give_no_interval_and_p_values_none_at_all() -> None:
    assert np.isnan(interval([0.1, 0.2]).low)
    rows = [
        {"study": "s", "repeat": r, "metric": metric, "value": 0.2 + 0.1 * r}
        for r in range(4)
        for metric in ("p_corrected", "auc", "auc_se", "balanced_accuracy_gain")
    ]
    summary = summarise(evaluation_table(rows)).set_index("metric")
    assert summary["ci_low"].isna().to_dict() == {
        "p_corrected": True, "auc": False, "auc_se": True, "balanced_accuracy_gain": False,
    }  # fmt: skip
    assert (summary["value"].round(9) == 0.35).all()
    # The gain's interval is the plain one, the area's lies within 0 and 1.
    plain = stats.t.interval(0.95, 3, loc=0.35, scale=np.std([0.2, 0.3, 0.4, 0.5], ddof=1) / 2)
    assert tuple(summary.loc["balanced_accuracy_gain", ["ci_low", "ci_high"]]) == pytest.approx(plain)
    assert summary.loc["auc", "ci_low"] > plain[0]


@pytest.mark.parametrize(
    ("metric", "bounds"),
    {
        "balanced_accuracy": scales.SHARE, "recall_Her2": scales.SHARE, "discriminator_auc": scales.SHARE,
        "aa_test_truth_half": scales.SHARE, "memorisation_share": scales.SHARE, "recall_Her2_gain": scales.REAL,
        "both_minus_permuted": scales.REAL, "gain_over_stacking": scales.REAL, "excess": scales.REAL,
        "mmd_over_level_shift": scales.REAL, "centroid_r": scales.CORRELATION, "pearson_delta": scales.CORRELATION,
        "pearson_delta_gain_over_see": scales.REAL, "mmd": scales.REAL, "brier": scales.POSITIVE,
        "real_profiles_saved": scales.REAL, "mmd_challenge": scales.REAL, "frechet_within": scales.POSITIVE,
        "em_kept": scales.CORRELATION, "em_used": scales.SHARE,
        "p_corrected": None, "precision": scales.SHARE, "a_new_metric": scales.REAL,
    }.items(),
)  # fmt: skip
def test_a_metrics_name_says_where_it_can_lie(metric: str, bounds: tuple[float, float] | None) -> None:
    assert scales.bounds(metric) == bounds


def test_a_metric_whose_name_promises_too_much_does_not_stop_a_study(caplog) -> None:
    rows = [{"metric": "a_share", "repeat": i, "value": value} for i, value in enumerate((-0.2, 0.3, 0.4, 0.5))]
    summary = summarise(evaluation_table(rows)).iloc[0]
    plain = stats.t.interval(0.95, 3, loc=0.25, scale=np.std([-0.2, 0.3, 0.4, 0.5], ddof=1) / 2)
    assert (summary["ci_low"], summary["ci_high"]) == pytest.approx(plain)
    assert "a_share: values from -0.2 to 0.5" in caplog.text


def test_a_value_that_cannot_be_is_refused() -> None:
    with pytest.raises(ContractError, match="1.2 where 0 to 1"):
        interval([0.3, 0.5, 1.2], bounds=scales.SHARE)


def test_interval_of_nothing_one_and_equal_values() -> None:
    assert interval([]).n == 0
    one = interval([0.5, np.nan])
    assert (one.mean, one.n) == (0.5, 1)
    assert np.isnan(one.low)
    assert interval([0.3] * 12) == (pytest.approx(0.3), pytest.approx(0.3), pytest.approx(0.3), 12)
    # Repeats of a share that are all 1 do not say how far it is from 1.
    assert np.isnan(interval([1.0] * 5, bounds=scales.SHARE).low)


def _predictions(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    labels = np.repeat(["a", "b", "c"], [n // 2, n // 3, n - n // 2 - n // 3])
    first = rng.random(n) < 0.8
    return first, np.where(rng.random(n) < 0.85, first, ~first), labels


def test_error_of_the_held_out_donors_is_that_of_a_paired_bootstrap() -> None:
    rng = np.random.default_rng(5)
    right, without, labels = _predictions(rng, 90)
    difference = right.astype(float) - without
    parts = [difference[labels == k] for k in "abc"]
    resampled = [np.mean([rng.choice(p, len(p)).mean() for p in parts]) for _ in range(4000)]
    assert held_out_standard_error(right, without, labels) == pytest.approx(np.std(resampled), rel=0.06)
    # Two profiles of each donor say no more than one.
    twice = held_out_standard_error(*(np.repeat(v, 2) for v in (right, without, labels, np.arange(90))))
    assert twice == pytest.approx(held_out_standard_error(right, without, labels))


def test_interval_with_the_patients_part_holds_for_other_patients() -> None:
    """Repeats draw their held-out patients from one cohort: further repeats do not bring further patients."""
    rng = np.random.default_rng(7)
    cohort, share, repeats, missed = 400, 0.3, 10, {"repeats": 0, "patients": 0}
    for _ in range(600):
        effect = rng.normal(0, 0.5, cohort)  # of each patient, over all patients 0
        gains, errors = [], []
        for _ in range(repeats):
            tested = effect[rng.permutation(cohort)[: int(share * cohort)]]
            gains.append(tested.mean() + rng.normal(0, 0.01))
            errors.append(tested.std() / np.sqrt(len(tested)))
        se = np.sqrt(share * np.mean(np.square(errors)))
        for name, found in (("repeats", interval(gains)), ("patients", interval(gains, shared_se=se))):
            missed[name] += not found.low <= 0 <= found.high
    assert stats.binomtest(missed["patients"], 600, 0.05, alternative="greater").pvalue > 1e-3
    assert missed["repeats"] > 2 * missed["patients"]


def test_summary_has_an_interval_for_other_patients_where_their_part_is_known() -> None:
    values = [0.02, 0.05, -0.01, 0.03]
    rows = [
        {"study": "s", "task": None, "repeat": r, "metric": metric, "value": value}
        for r, v in enumerate(values)
        for metric, value in (("balanced_accuracy_gain", v), ("balanced_accuracy_gain_shared_se", 0.02))
    ]
    summary = summarise(evaluation_table(rows)).set_index("metric")
    assert set(summary.index) == {"balanced_accuracy_gain", "balanced_accuracy_gain_patients"}
    wide = interval(values, shared_se=0.02)
    assert summary.loc["balanced_accuracy_gain_patients", "ci_low"] == pytest.approx(wide.low)
    assert wide.low < summary.loc["balanced_accuracy_gain", "ci_low"]


@given(st.integers(0, 10_000), st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_auc_is_scikit_learns_also_with_ties(seed, levels):
    rng = np.random.default_rng(seed)
    labels = np.r_[True, False, rng.random(40) < 0.4]
    scores = rng.integers(0, levels + 1, 42).astype(float)
    result = delong(labels, scores)
    assert result.auc == pytest.approx(roc_auc_score(labels, scores))
    assert 0 <= result.low <= result.auc <= result.high <= 1
    assert delong(~labels, -scores).auc == pytest.approx(result.auc)
    assert delong(~labels, -scores).se == pytest.approx(result.se)


def test_delong_variance_is_the_formula_by_brute_force():
    rng = np.random.default_rng(3)
    labels = rng.random(60) < 0.5
    scores = np.round(rng.normal(size=60) + labels, 1)
    x, y = scores[labels], scores[~labels]
    psi = (x[:, None] > y[None]) + 0.5 * (x[:, None] == y[None])
    variance = psi.mean(1).var(ddof=1) / len(x) + psi.mean(0).var(ddof=1) / len(y)
    assert delong(labels, scores).se == pytest.approx(np.sqrt(variance))


@given(st.integers(0, 10_000), st.sampled_from([0.1, 0.2, 0.5]), st.integers(1, 30))
@settings(max_examples=40, deadline=None)
def test_low_false_positive_rate_is_on_scikit_learns_curve(seed, fpr, levels):
    rng = np.random.default_rng(seed)
    labels = np.r_[np.ones(50, bool), np.zeros(120, bool)]
    scores = rng.integers(0, levels + 1, 170).astype(float)
    false, true, _ = roc_curve(labels, scores, drop_intermediate=False)
    assert tpr_at_fpr(labels, scores, fpr) == pytest.approx(true[false <= fpr + 1e-12].max())


def test_low_false_positive_rate_needs_enough_negatives():
    labels = np.r_[np.ones(50, bool), np.zeros(200, bool)]
    scores = labels.astype(float)
    assert tpr_at_fpr(labels, scores, 0.01) is None
    assert tpr_at_fpr(labels, scores, 0.1) == 1.0


def test_corrected_maximum_keeps_its_type_one_error_and_has_power():
    rng = np.random.default_rng(1)
    ps = []
    for k in range(120):
        shared = rng.normal(size=(80, 1))
        scores = shared + rng.normal(size=(80, 6))
        ps.append(corrected_maximum(scores, rng.random(80) < 0.5, permutations=199, seed=k))
    assert np.mean(np.array(ps) <= 0.05) <= 0.11
    assert stats.kstest(ps, "uniform").pvalue > 0.001
    labels = rng.random(80) < 0.5
    scores[:, 2] += 1.5 * labels
    assert corrected_maximum(scores, labels, permutations=999) < 0.01


def test_summary_averages_over_repeats_and_keeps_absent_keys_apart():
    rows = [
        {"study": "s", "generator": g, "task": task, "n_real": n, "repeat": r, "seed": r, "metric": "m", "value": v + r}
        for g, v in (("a", 0.0), ("b", 10.0))
        for task, n in ((None, 5), ("t", None))
        for r in range(3)
    ]
    summary = summarise(evaluation_table(rows))
    check_evaluation(summary, "summary", summary=True)
    assert len(summary) == 4
    assert set(summary["value"]) == {1.0, 11.0}
    assert (summary["n"] == 3).all()
    assert pd.isna(summary["task"]).sum() == 2
