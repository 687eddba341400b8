"""A flow's inversion against closed forms: there and back, the Gaussian's map, the monotone map of one component."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pytest
from scipy import stats
from support.generators import FACTORS, annotation

from pseudocohort.generators.base import registry
from pseudocohort.generators.models.flow.translation import translated

FACTORS["normal"] = {"technology": "bulk", "aggregation": "bulk", "context": "normal"}


def fitted(x: np.ndarray, condition: list[str], level: list[str], **settings):
    data = ad.AnnData(x.astype(np.float32), obs=annotation(condition, level))
    return registry.get("flow")().fit(data, settings={"width": 32, **settings}, seed=0)


def test_an_untrained_flow_moves_one_class_gaussian_onto_the_other() -> None:
    rng = np.random.default_rng(0)
    n, genes = 3000, 3
    mixing, mean = rng.normal(size=(2, genes, genes)), np.array([[1.0, 0, -1], [-1, 2, 0]])
    x = np.concatenate([m + rng.normal(size=(n, genes)) @ a for a, m in zip(mixing, mean, strict=True)])
    model = fitted(
        x, ["A"] * n + ["B"] * n, ["tumour"] * 2 * n, components=genes, marginals=0, steps=1, learning_rate=1e-9
    )  # fmt: skip
    of = {c: annotation([c] * n, ["tumour"] * n) for c in "AB"}
    made = translated(model, x[:n], of["A"], of["B"])
    np.testing.assert_allclose(made.mean(0), x[n:].mean(0), atol=0.1)
    np.testing.assert_allclose(np.cov(made.T), np.cov(x[n:].T), atol=0.05 * np.abs(np.cov(x[n:].T)).max())
    # The map of Cholesky roots, in the components of the space.
    space, root = model.space, model.network.root.numpy()
    h = (x[:n] - space.means.mean["A", "tumour"]) @ space.basis.T / space.sd
    expected = space.means.mean["B", "tumour"] + (h @ np.linalg.inv(root[0]).T @ root[1].T * space.sd) @ space.basis
    np.testing.assert_allclose(made, expected, atol=1e-3)


def test_a_trained_flow_comes_back_and_is_the_monotone_map_along_one_component() -> None:
    """In one dimension paths of an ODE do not cross: the map takes quantiles to quantiles (optimal transport)."""
    rng = np.random.default_rng(1)
    n, many = 500, 2000
    two_modes, skewed = rng.choice([-1.5, 1.5], n) + 0.3 * rng.normal(size=n), rng.gamma(2, 1, n) - 2
    scores = np.concatenate([(v - v.mean()) / v.std() for v in (two_modes, skewed)])
    x = scores[:, None] * np.array([1.0, 1.0, -1.0, 0.5]) + 0.02 * rng.normal(size=(2 * n, 4))
    model = fitted(
        x, ["A"] * 2 * n, ["tumour"] * n + ["normal"] * n,
        components=1, marginals=0, steps=600, max_epochs=5000, learning_rate=1e-2, sampling_steps=60,
    )  # fmt: skip
    tumour, normal = annotation(["A"] * many, ["tumour"] * many), annotation(["A"] * many, ["normal"] * many)
    of_tumours, of_normals = model.sample(tumour, seed=1), model.sample(normal, seed=2)
    made = translated(model, of_tumours, tumour, normal)
    np.testing.assert_allclose(translated(model, of_tumours, tumour, tumour), of_tumours, atol=2e-3)
    np.testing.assert_allclose(translated(model, made, normal, tumour), of_tumours, atol=0.02)
    before, after, wanted = (z @ model.space.basis[0] for z in (of_tumours, made, of_normals))
    assert stats.spearmanr(before, after).statistic == pytest.approx(1, abs=1e-4)
    assert stats.ks_2samp(after, wanted).pvalue > 0.01 > stats.ks_2samp(before, wanted).pvalue
