"""Intervals, DeLong, low false-positive rates, corrected maxima: against scipy, scikit-learn and brute force."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score, roc_curve

from pseudocohort.core.contracts import check_evaluation
from pseudocohort.core.io import evaluation_table
from pseudocohort.experiments.shared.statistics import corrected_maximum, delong, interval, summarise, tpr_at_fpr


def test_small_samples_get_students_t():
    x = [0.1, 0.4, 0.2, 0.6]
    low, high = stats.t.interval(0.95, 3, loc=np.mean(x), scale=np.std(x, ddof=1) / 2)
    assert interval(x) == pytest.approx((np.mean(x), low, high, 4))


def test_intervals_cover_the_mean_as_often_as_they_say():
    rng = np.random.default_rng(0)
    for n in (4, 15):
        hits = [i.low <= 0 <= i.high for i in (interval(rng.normal(size=n)) for _ in range(200))]
        assert 0.88 <= np.mean(hits) <= 0.99


def test_interval_of_nothing_one_and_a_constant():
    assert interval([]).n == 0
    one = interval([0.5, np.nan])
    assert (one.mean, one.n) == (0.5, 1)
    assert np.isnan(one.low)
    assert interval([0.3] * 12) == (pytest.approx(0.3), pytest.approx(0.3), pytest.approx(0.3), 12)


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
