"""Silent genes as censored ones: against the truncated normal distribution, and a factor model whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pseudocohort.generators.space.censored import tobit, with_draws


@pytest.mark.parametrize("limit", [-1.0, 0.0, 1.5])
def test_tobit_finds_mean_and_spread_of_censored_values(limit: float) -> None:
    x = np.random.default_rng(0).normal(0.3, 1.4, (20_000, 1))
    mean, sd = tobit(np.maximum(x, limit), x <= limit, np.array([limit]))
    assert mean[0] == pytest.approx(0.3, abs=0.08) and sd[0] == pytest.approx(1.4, abs=0.08)


def test_draws_of_one_gene_are_the_truncated_normal() -> None:
    rng = np.random.default_rng(1)
    x = np.column_stack([rng.normal(0, 1, 4000), rng.normal(5, 1, 4000)])
    drawn, censored = with_draws(np.maximum(x, 0), rng)
    assert censored.tolist() == [True, False]
    below = drawn[x[:, 0] <= 0, 0]
    assert stats.kstest(below, stats.truncnorm(-np.inf, 0).cdf).statistic < 0.04
    np.testing.assert_array_equal(drawn[:, 1], x[:, 1])


def test_what_is_not_seen_goes_with_the_profiles_other_genes() -> None:
    """Three factors behind sixty genes, a third of them silent in about half of the profiles."""
    rng = np.random.default_rng(2)
    loadings = rng.normal(0, 1, (3, 60))
    truth = rng.normal(size=(400, 3)) @ loadings + rng.normal(0, 0.7, (400, 60))
    seen = truth.copy()
    seen[:, :20] = np.maximum(truth[:, :20], np.median(truth[:, :20], axis=0))
    drawn, censored = with_draws(seen, rng)
    assert censored.tolist() == [True] * 20 + [False] * 40
    silent = seen[:, :20] > truth[:, :20]
    found = stats.pearsonr(drawn[:, :20][silent], truth[:, :20][silent]).statistic
    assert found > 0.6
    real, ours, blurred = (np.corrcoef(v[:, :20], rowvar=False) for v in (truth, drawn, seen))
    assert np.abs(ours - real).mean() < 0.6 * np.abs(blurred - real).mean()


@given(st.integers(0, 10_000), st.integers(6, 40), st.floats(0, 1), st.integers(1, 6))
def test_only_values_on_a_floor_change_and_stay_below_the_limit(seed: int, n: int, share: float, genes: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.where(rng.random((n, genes)) < share, 0.0, rng.gamma(2, size=(n, genes)))
    drawn, censored = with_draws(x, np.random.default_rng(0))
    silent = x == x.min(0)
    assert np.isfinite(drawn).all()
    np.testing.assert_array_equal(drawn[~silent], x[~silent])
    np.testing.assert_array_equal(drawn[:, ~censored], x[:, ~censored])
    limit = np.minimum(np.where(silent, np.inf, x).min(0), x.min(0) + 0.5)
    assert (drawn <= np.where(silent, limit, np.inf) + 1e-9).all()
    assert (silent.sum(0)[censored] >= 5).all()
