"""Moments of adversarial generators: set to those of the training rows, by the map that moves rows least."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from pseudocohort.generators.space.moments import Moments

TUMOUR, LINE = (0, 0, 1), (1, 1, 0)


def _rows(rng: np.random.Generator, n: int, root: np.ndarray, shift: float = 0.0) -> np.ndarray:
    return shift + rng.normal(size=(n, len(root))) @ root


@pytest.fixture(scope="module")
def fitted() -> tuple[Moments, np.ndarray, np.ndarray, np.ndarray]:
    """Training rows of two conditions at one level and of one at another; a generator with means and covariance off."""
    rng = np.random.default_rng(0)
    root, narrow = np.linalg.qr(rng.normal(size=(4, 4)))[0] * [1.5, 1, 0.8, 0.5], np.diag([0.9, 0.6, 0.5, 0.25])
    pairs = np.repeat([(0, *TUMOUR), (1, *TUMOUR), (0, *LINE)], 400, axis=0)
    h = _rows(rng, 1200, root)
    h[:400, 0] += 1
    draws = np.random.default_rng(1)
    moments = Moments.fit(h, pairs, np.ones(1200), 2, lambda p: _rows(draws, len(p), narrow, 0.7))
    made = np.random.default_rng(2).normal(size=(1200, 4)) @ narrow + 0.7
    return moments, h, pairs, made


def test_means_and_pooled_covariance_are_those_of_the_training_rows(fitted) -> None:
    moments, h, pairs, made = fitted
    x = moments.apply(made, pairs)
    for pair in np.unique(pairs, axis=0):
        rows = (pairs == pair).all(1)
        np.testing.assert_allclose(x[rows].mean(0), h[rows].mean(0), atol=0.25)

    def within(rows: np.ndarray) -> np.ndarray:
        return np.mean([np.cov(rows[(pairs == pair).all(1)].T) for pair in np.unique(pairs, axis=0)], axis=0)

    np.testing.assert_allclose(within(x), within(h), atol=0.15)
    assert np.abs(within(made) - within(h)).max() > 0.8


def test_the_map_is_the_optimal_transport_between_gaussians(fitted) -> None:
    moments, h, pairs, _ = fitted
    np.testing.assert_allclose(moments.turn, moments.turn.T, atol=1e-9)
    assert np.linalg.eigvalsh(moments.turn).min() > 0
    made = np.diag([0.9, 0.6, 0.5, 0.25]) ** 2
    centred = np.concatenate(
        [h[(pairs == p).all(1)] - h[(pairs == p).all(1)].mean(0) for p in np.unique(pairs, axis=0)]
    )
    real = np.cov(centred.T)
    root = sqrtm(real)
    expected = root @ np.linalg.inv(sqrtm(root @ made @ root)) @ root
    np.testing.assert_allclose(moments.turn, expected, atol=0.25)


def test_a_condition_never_seen_at_a_level_gets_the_class_mean_and_strangers_stay(fitted) -> None:
    moments, _, _, made = fitted
    unseen = np.repeat([(1, *LINE)], len(made), axis=0)
    np.testing.assert_allclose(moments.apply(made, unseen).mean(0), 0, atol=0.3)
    stranger = np.repeat([(0, 2, 2, 2)], 5, axis=0)
    np.testing.assert_array_equal(moments.apply(made[:5], stranger), made[:5])


def test_directions_that_the_generator_lost_are_not_blown_up() -> None:
    rng = np.random.default_rng(3)
    h, pairs = rng.normal(size=(200, 3)), np.repeat([(0, *TUMOUR)], 200, axis=0)
    flat = np.diag([1.0, 1.0, 1e-6])
    moments = Moments.fit(h, pairs, np.ones(200), 1, lambda p: _rows(rng, len(p), flat))
    assert np.linalg.eigvalsh(moments.turn).max() < 20
    one_each = Moments.fit(
        h[:2], np.array([(0, *TUMOUR), (1, *TUMOUR)]), np.ones(2), 2, lambda p: _rows(rng, len(p), flat)
    )
    np.testing.assert_array_equal(one_each.turn, np.eye(3))


def test_stored_moments_are_the_same(fitted) -> None:
    moments, _, pairs, made = fitted
    again = Moments.from_state(moments.state())
    np.testing.assert_allclose(again.apply(made, pairs), moments.apply(made, pairs), atol=1e-5)
