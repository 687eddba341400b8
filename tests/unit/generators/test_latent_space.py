"""The networks' space: marginals of residuals and the size of the noise, against what was put in and scikit-learn."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.preprocessing import QuantileTransformer

from pseudocohort.generators.base import registry
from pseudocohort.generators.space.axes import leading_axes
from pseudocohort.generators.space.latent import LatentSpace
from pseudocohort.generators.space.marginals import Marginals
from pseudocohort.generators.space.noise_size import NoiseSize

TUMOUR = {"technology": "bulk", "aggregation": "bulk", "context": "tumour", "level": "tumour"}


def _fit(x: np.ndarray, knots: int = 20) -> tuple[Marginals, np.ndarray]:
    level = np.repeat("tumour", len(x))
    return Marginals.fit(x, level, {"tumour": float(len(x))}, knots), level


@pytest.fixture(scope="module")
def skewed() -> np.ndarray:
    """Log-normal, heavy-tailed and normal residuals."""
    rng = np.random.default_rng(0)
    x = np.column_stack([np.exp(rng.normal(size=4000)), rng.standard_t(3, 4000), rng.normal(size=4000)])
    return x - x.mean(0)


def test_scores_are_normal_with_the_spread_of_the_residuals(skewed: np.ndarray) -> None:
    marginals, level = _fit(skewed)
    g = marginals.scores(skewed, level)
    inner = (np.abs(g - g.mean(0)) < 2 * g.std(0)).all(1)  # beyond the outer knots the map has slope 1
    assert np.abs(stats.skew(g[inner])).max() < 0.15 < 0.8 < stats.skew(skewed)[0]
    np.testing.assert_allclose(g.std(0), skewed.std(0), rtol=0.25)
    np.testing.assert_allclose(g[:, 2], skewed[:, 2], atol=0.15)  # a normal gene stays as it is


def test_the_map_is_that_of_scikit_learn_between_the_knots(skewed: np.ndarray) -> None:
    marginals, level = _fit(skewed, knots=40)
    g = marginals.scores(skewed, level)[:, 0] / skewed[:, 0].std()
    theirs = QuantileTransformer(n_quantiles=1000, output_distribution="normal").fit_transform(skewed[:, :1])[:, 0]
    inner = np.abs(theirs) < 1.9
    slope = stats.linregress(theirs[inner], g[inner])
    assert slope.rvalue > 0.9995 and slope.slope == pytest.approx(1, abs=0.05)


@given(st.integers(0, 2**31), st.integers(2, 30), st.integers(30, 90))
def test_values_of_scores_are_the_residuals_anywhere(seed: int, knots: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.gamma(1.5, size=(n, 3)) * [0.01, 1, 30]
    marginals, _ = _fit(x, knots)
    anywhere = rng.normal(size=(20, 3)) * 5 * x.std(0)
    level = np.repeat("tumour", 20)
    g = marginals.scores(anywhere, level)
    np.testing.assert_allclose(marginals.values(g, level), anywhere, atol=1e-4 * x.std(0).max())
    order = np.argsort(anywhere[:, 1])
    assert (np.diff(g[order, 1]) >= 0).all()


def test_tied_values_get_the_middle_of_their_scores_and_constant_genes_stay() -> None:
    rng = np.random.default_rng(1)
    x = np.column_stack([np.where(rng.random(500) < 0.4, -1.0, rng.gamma(2, size=500)), np.zeros(500)])
    marginals, level = _fit(x)
    g = marginals.scores(x, level)
    tied = g[x[:, 0] == -1, 0]
    # 40 % at the bottom: the middle of their normal scores is between the median and the tenth of the distribution.
    assert np.ptp(tied) < 1e-5 and stats.norm.cdf(tied[0] / x[:, 0].std()) == pytest.approx(0.15, abs=0.1)
    np.testing.assert_allclose(g[:, 1], 0, atol=1e-5)
    back = marginals.values(g, level)
    assert np.isfinite(back).all() and np.abs(back[:, 1]).max() < 1e-4


def test_levels_with_few_profiles_and_zero_knots_change_nothing() -> None:
    rng = np.random.default_rng(2)
    x, level = rng.gamma(1, size=(60, 4)), np.repeat(["tumour", "pseudobulk"], [45, 15])
    marginals = Marginals.fit(x, level, {"tumour": 44.0, "pseudobulk": 14.0}, 20)
    assert list(marginals.quantile) == ["tumour"] and len(marginals.quantile["tumour"]) == 8
    g = marginals.scores(x, level)
    np.testing.assert_array_equal(g[45:], x[45:])
    assert np.abs(g[:45] - x[:45]).max() > 0.1
    none = Marginals.fit(x, level, {"tumour": 44.0, "pseudobulk": 14.0}, 0)
    np.testing.assert_array_equal(none.scores(x, level), x)


def _profiles(n: int, genes: int, spread: float, seed: int = 0, skew: bool = False) -> ad.AnnData:
    """Two conditions, three factors, noise of log-normal size; with `skew` the noise is that of a gamma."""
    rng = np.random.default_rng(seed)
    condition = np.resize(["A", "B"], n)
    mean = {c: rng.normal(size=genes) for c in "AB"}
    noise = (rng.gamma(1.0, size=(n, genes)) - 1) if skew else rng.normal(size=(n, genes))
    x = np.stack([mean[c] for c in condition]) + rng.normal(size=(n, 3)) @ rng.normal(size=(3, genes))
    x += np.exp(spread * rng.normal(size=(n, 1))) * noise
    obs = pd.DataFrame({"condition": condition, "donor": [f"d{i}" for i in range(n)], **TUMOUR})
    return ad.AnnData(x.astype(np.float32), obs=obs.set_index(obs["donor"].add("s")))


@pytest.mark.parametrize("spread", [0.15, 0.4])
def test_the_spread_of_sizes_is_recovered_without_what_is_chance(spread: float) -> None:
    data = _profiles(600, 120, spread)
    space = LatentSpace.fit(data, 8, 20)
    assert space.size is not None and space.dim == len(space.basis) + 1
    assert space.size.true_sd == pytest.approx(spread, rel=0.2)
    h = space.encode(np.asarray(data.X, float), space.keys(data))
    assert h[:, -1].std() == pytest.approx(1, abs=0.05)
    made = ad.AnnData(space.decode(h, data.obs, np.random.default_rng(0)), obs=data.obs)
    again = space.encode(np.asarray(made.X, float), space.keys(made))
    assert np.corrcoef(h[:, -1], again[:, -1])[0, 1] > 0.6
    assert again[:, -1].std() == pytest.approx(1, abs=0.12)
    total = [np.square(space._outside(np.asarray(a.X, float), space.keys(a))).mean() for a in (data, made)]
    assert total[1] == pytest.approx(total[0], rel=0.1)


def test_noise_of_one_size_has_no_coordinate() -> None:
    keys, rng = [("A", "tumour")] * 400, np.random.default_rng(3)
    few = 0.5 * np.log(rng.chisquare(100, 400) / 100)
    fitted = NoiseSize.fit(few, keys, np.ones(400), 100)
    assert fitted is None or fitted.true_sd < 0.04  # .07 is chance
    assert NoiseSize.fit(few, keys, np.ones(400), 10) is None
    assert NoiseSize.fit(few[:3], keys[:3], np.ones(3), 100) is None


def test_profiles_of_conditions_with_few_donors_tell_no_size() -> None:
    data = _profiles(200, 120, 0.4)
    data.obs.iloc[:2, data.obs.columns.get_loc("condition")] = "C"
    space = LatentSpace.fit(data, 8, 20)
    h = space.encode(np.asarray(data.X, float), space.keys(data))
    assert (h[:2, -1] == 0).all() and (h[2:, -1] != 0).all()
    made = space.decode(h, data.obs, np.random.default_rng(0))
    assert np.isfinite(made).all()


def test_a_stored_space_is_the_same_space() -> None:
    data = _profiles(150, 80, 0.3, skew=True)
    space = LatentSpace.fit(data, 8, 20)
    again = LatentSpace.from_state(*space.state())
    x, keys = np.asarray(data.X, float), space.keys(data)
    np.testing.assert_allclose(again.encode(x, keys), space.encode(x, keys), atol=1e-4)
    h = space.encode(x, keys).astype(float)
    drawn = [s.decode(h, data.obs, np.random.default_rng(1)) for s in (space, again)]
    np.testing.assert_allclose(*drawn, atol=1e-4)


def test_expected_profiles_are_the_mean_of_decoded_ones() -> None:
    data = _profiles(300, 80, 0.0, skew=True)
    space = LatentSpace.fit(data, 4, 20)
    space.size = None
    h = space.encode(np.asarray(data.X, float), space.keys(data)).astype(float)[:10]
    draws = [space.decode(h, data.obs[:10], np.random.default_rng(i)) for i in range(400)]
    np.testing.assert_allclose(space.expected(h, data.obs[:10]), np.mean(draws, 0), atol=0.25)
    assert np.abs(space.expected(h, data.obs[:10]) - np.mean(draws, 0)).mean() < 0.06


@pytest.mark.parametrize("name", ["copula", "ddpm", "flow", "unclip", "cvae"])
def test_synthetic_genes_are_as_skewed_and_profiles_as_far_apart_as_real_ones(name: str) -> None:
    """What a Gaussian cannot show: skew of single genes, and a spread of distances from the class mean."""
    data, settings = _profiles(400, 80, 0.4, seed=5, skew=True), {"components": 8}
    if name in ("ddpm", "flow", "unclip", "cvae"):
        settings["steps"] = 300
    spreads, skews = {}, {}
    for kind, own in ((name, settings), ("mvn", {})):
        x = registry.get(kind)().fit(data, settings=own, seed=1).sample(data.obs, seed=2)
        spreads[kind], skews[kind] = _far_apart(x, data.obs), np.median(stats.skew(_centred(x, data.obs)))
    real, skew = _far_apart(data.X, data.obs), np.median(stats.skew(_centred(data.X, data.obs)))
    assert abs(spreads[name] - real) < 0.5 * abs(spreads["mvn"] - real)
    assert abs(skews["mvn"]) < 0.1 and skews[name] > 0.5 * skew > 0.2


def _centred(x: np.ndarray, obs: pd.DataFrame) -> np.ndarray:
    return x - pd.DataFrame(np.asarray(x)).groupby(obs["condition"].to_numpy()).transform("mean").to_numpy()


def _far_apart(x: np.ndarray, obs: pd.DataFrame) -> float:
    """Standard deviation of the log distance of profiles from their class mean, in a metric of the noise."""
    centred = _centred(x, obs)
    basis = np.linalg.svd(centred, full_matrices=False)[2][:3]
    return float(np.log(np.square(centred - centred @ basis.T @ basis).sum(1)).std() / 2)


def test_the_map_of_marginals_is_numpys_interpolation_with_slope_one_beyond_it():
    from pseudocohort.generators.space import marginals

    rng = np.random.default_rng(4)
    start, end = (np.sort(rng.normal(size=(7, 30)), axis=0) for _ in range(2))
    start[2, 5] = start[3, 5]  # tied knots within, and at the end
    start[-2, 6] = start[-1, 6]
    x = 2 * rng.normal(size=(400, 30))
    x[:7] = start
    wanted = np.stack([np.interp(x[:, j], start[:, j], end[:, j]) for j in range(30)], axis=1)
    wanted += np.minimum(x - start[0], 0) + np.maximum(x - start[-1], 0)
    for block in (7 * 30, 10**6):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(marginals, "BLOCK", block)
            np.testing.assert_allclose(marginals._map(x, start, end), wanted, rtol=0, atol=1e-12)


def test_leading_axes_of_a_large_matrix_are_those_of_its_decomposition(monkeypatch) -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(300, 40)) * 10 * 0.8 ** np.arange(40)) @ rng.normal(size=(40, 500)) / 20
    x += rng.normal(size=x.shape)
    _, exact, vectors = np.linalg.svd(x, full_matrices=False)
    monkeypatch.setattr("pseudocohort.generators.space.axes.EXACT", 100)
    values, axes = leading_axes(x, 10)
    assert axes.shape == (10, 500)
    np.testing.assert_allclose(values[:8], exact[:8], rtol=1e-3)
    np.testing.assert_allclose(values[8:], exact[8:10], rtol=1e-2)  # nearly as small as the noise
    np.testing.assert_allclose(np.abs((axes * vectors[:10]).sum(1))[:5], 1, atol=1e-3)
    np.testing.assert_array_equal(leading_axes(x, 10)[1], axes)
    np.testing.assert_allclose(leading_axes(x, 300)[0], exact)  # all of them are computed exactly


@pytest.mark.parametrize(("n", "expected"), [(60, 16), (300, 24), (900, 30)])
def test_few_profiles_have_few_components(n: int, expected: int) -> None:
    data = _profiles(n, 200, 0.3)
    assert len(LatentSpace.fit(data, 30, 20, 12).basis) == expected
    assert len(LatentSpace.fit(data, 30, 20).basis) == min(30, (n - 2) // 2)


def test_a_space_of_many_profiles_is_worked_out_in_parts(monkeypatch) -> None:
    data = _profiles(150, 80, 0.3, skew=True)
    spaces, rows, made = [], [], []
    for most in (10**6, 64):
        monkeypatch.setattr("pseudocohort.generators.space.latent.ROWS", most)
        monkeypatch.setattr("pseudocohort.generators.space.marginals.ROWS", most)
        space = LatentSpace.fit(data, 8, 20)
        spaces.append(space)
        rows.append(space.encode(data.X, space.keys(data)))
        made.append(space.decode(rows[-1].astype(float), data.obs, np.random.default_rng(1)))
    np.testing.assert_allclose(spaces[0].noise, spaces[1].noise)
    np.testing.assert_allclose(*rows, atol=1e-5)
    np.testing.assert_allclose(*made, atol=1e-5)
