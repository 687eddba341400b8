"""Clamped genes: the posterior of Gaussians and of Gaussian mixtures in closed form, and trained generators."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pytest
from scipy import stats
from scipy.special import softmax
from support.generators import FAST, annotation, toy

from pseudocohort.core.errors import UserError
from pseudocohort.generators.base import registry
from pseudocohort.generators.fit.per_condition import PerCondition
from pseudocohort.generators.space.clamping import DRAWS, rows_given

CLAMPING = [
    name
    for name in registry.generators()
    if registry.get(name).capabilities.mask and not registry.get(name).capabilities.private
]


def gaussian_posterior(mean, covariance, loading, noise, y):
    """Kalman update, textbook form."""
    gain = covariance @ loading @ np.linalg.inv(loading.T @ covariance @ loading + np.diag(noise**2))
    return mean + gain @ (y - loading.T @ mean), covariance - gain @ loading.T @ covariance


@pytest.mark.parametrize("genes", [1, 5, 200])
def test_gaussian_draws_give_the_gaussian_posterior(genes):
    rng = np.random.default_rng(genes)
    r, noise = 6, np.full(genes, 0.5)
    mixing, centre = rng.normal(size=(r, r)), rng.normal(size=r)
    draws = centre + rng.normal(size=(20 * DRAWS, r)) @ mixing.T
    loading = rng.normal(size=(r, genes)) / 2
    y = loading.T @ (centre + mixing @ rng.normal(size=r)) + noise * rng.normal(size=genes)
    mean, covariance = gaussian_posterior(centre, mixing @ mixing.T, loading, noise, y)
    h = rows_given(draws, loading, noise, np.tile(y, (4000, 1)), rng)
    spread = np.sqrt(np.trace(covariance))
    assert np.linalg.norm(h.mean(0) - mean) < 0.12 * spread
    np.testing.assert_allclose(np.cov(h.T), covariance, atol=0.12 * np.trace(covariance))


def test_modes_get_their_posterior_weights():
    """Of two modes, a marker gene tells which: a Gaussian would put the row between them."""
    rng = np.random.default_rng(0)
    modes, share = np.array([[-2.0, 0, 1], [2.0, 1, -1]]), np.array([0.3, 0.7])
    which = rng.random(DRAWS) < share[1]
    draws = modes[which.astype(int)] + 0.4 * rng.normal(size=(DRAWS, 3))
    loading, noise = np.array([[1.0], [0.0], [0.0]]), np.array([1.0])
    for y in (-1.0, 0.0, 0.5):
        h = rows_given(draws, loading, noise, np.full((4000, 1), y), rng)
        log = np.log(share) + stats.norm.logpdf(y, modes[:, 0], np.hypot(0.4, 1.0))
        assert (h[:, 0] > 0).mean() == pytest.approx(softmax(log)[1], abs=0.06), y
        assert (np.abs(h[:, 0]) < 0.5).mean() < 0.05  # hardly any row lies between the modes


def test_without_clamped_genes_the_rows_are_the_draws_in_distribution():
    rng = np.random.default_rng(1)
    draws = rng.gamma(2.0, size=(DRAWS, 4))
    h = rows_given(draws, np.zeros((4, 0)), np.zeros(0), np.zeros((4000, 0)), rng)
    for j in range(4):
        assert stats.ks_2samp(h[:, j], draws[:, j]).statistic < 0.06


def factors(n, seed, p=30, rank=4, noise=0.4):
    """Two conditions around which genes follow a few factors, and what the first half of the genes says of the rest."""
    fixed = np.random.default_rng(7)
    means, loading = {c: fixed.normal(size=p) for c in "AB"}, fixed.normal(size=(rank, p)) / np.sqrt(rank)
    rng = np.random.default_rng(seed)
    condition = ["A", "B"] * (n // 2)
    centre = np.stack([means[c] for c in condition])
    x = centre + rng.normal(size=(n, rank)) @ loading + noise * rng.normal(size=(n, p))
    covariance, half = loading.T @ loading + noise**2 * np.eye(p), p // 2
    slopes = np.linalg.solve(covariance[:half, :half], covariance[:half, half:])
    best = centre[:, half:] + (x - centre)[:, :half] @ slopes
    return ad.AnnData(x.astype(np.float32), obs=annotation(condition, ["tumour"] * n)), centre[:, half:], best


@pytest.mark.parametrize("name", CLAMPING)
def test_generators_keep_clamped_genes_and_predict_the_free_ones(name):
    """Half of the genes of unseen profiles are given: the free half, between the class mean and the best prediction."""
    data, (unseen, centre, best) = factors(400, 0)[0], factors(200, 1)
    model = registry.get(name)().fit(data, settings=FAST[name], seed=2)
    given = np.array(unseen.X, np.float64)
    given[:, 15:] = np.nan
    x = model.sample_clamped(unseen.obs, given, seed=1)
    assert x.shape == unseen.shape and x.dtype == np.float32 and np.isfinite(x).all()
    np.testing.assert_array_equal(x[:, :15], unseen.X[:, :15])
    np.testing.assert_array_equal(x, model.sample_clamped(unseen.obs, given, seed=1))
    mean = np.mean([model.sample_clamped(unseen.obs, given, seed=s)[:, 15:] for s in range(20)], axis=0)
    error, floor, ceiling = (((unseen.X[:, 15:] - y) ** 2).mean() for y in (mean, best, centre))
    # Adversarial generators get the covariance between genes less well, and with it what one says of another.
    share = {"gan": 0.25, "wgan_gp": 0.6}.get(name, 0.9)
    assert (ceiling - error) / (ceiling - floor) > share
    expected = model.sample_clamped(unseen.obs, given, seed=1, expected=True)[:, 15:]
    np.testing.assert_allclose(mean, expected, atol=6 * np.sqrt(ceiling / 20))
    assert ((unseen.X[:, 15:] - expected) ** 2).mean() < 1.02 * error


def test_models_of_one_condition_each_clamp_as_one():
    data, (unseen, centre, _) = factors(300, 0)[0], factors(40, 1)
    own = {"settings": FAST["flow"], "seed": 2, "device": "cpu", "checkpoint": lambda *_: None}
    model = PerCondition(registry.get("flow")).fit(data, **own)
    given = np.array(unseen.X, np.float64)
    given[:, 15:] = np.nan
    expected = model.sample_clamped(unseen.obs, given, seed=1, expected=True)[:, 15:]
    truth = unseen.X[:, 15:]
    assert ((expected - truth) ** 2).mean() < 0.6 * ((centre - truth) ** 2).mean()


def test_who_cannot_clamp_says_so():
    data = toy()
    given = np.full((1, data.n_vars), np.nan)
    wanted = annotation(["A"], ["tumour"])
    with pytest.raises(UserError, match="'mvn' cannot clamp genes"):
        registry.get("mvn")().fit(data, seed=1).sample_clamped(wanted, given, seed=1)
    model = registry.get("ddpm")().fit(data, settings={"components": 0, "steps": 5}, seed=1)
    with pytest.raises(UserError, match="works on the genes themselves"):
        model.sample_clamped(wanted, given, seed=1)
