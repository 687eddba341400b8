"""Deep generators where the truth is known: means, covariances, and what is not Gaussian within a class."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pseudocohort.generators.base import registry

DEEP = {
    "gan": {},
    "wgan_gp": {"steps": 250},
    "cvae": {"steps": 400},
    "ddpm": {"steps": 400},
    "flow": {"steps": 300},
    "unclip": {"embedding_steps": 150, "steps": 400},
}
BULK = {"technology": "bulk", "aggregation": "bulk", "context": "tumour", "level": "tumour"}


def annotation(kind: np.ndarray, prefix: str) -> pd.DataFrame:
    names = [f"{prefix}{i}" for i in range(len(kind))]
    return pd.DataFrame({"donor": names, "condition": [f"c{k}" for k in kind], **BULK}, index=names)


class Mixture:
    """Conditions with means of their own and ten factors in common: covariance L'L + I, on unit scale per gene."""

    def __init__(self, genes: int, conditions: int) -> None:
        rng = np.random.default_rng(7)
        self.mean = 0.7 * rng.normal(size=(conditions, genes))
        self.loadings = 0.6 * rng.normal(size=(10, genes))

    def draw(self, each: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        kind = np.repeat(np.arange(len(self.mean)), each)
        x = self.mean[kind] + rng.normal(size=(len(kind), 10)) @ self.loadings
        return x + rng.normal(size=x.shape), kind


@pytest.mark.parametrize(("genes", "conditions"), [(200, 3), (2000, 12)])
@pytest.mark.parametrize("name", DEEP)
def test_means_and_covariance_are_those_of_the_mixture(name: str, genes: int, conditions: int) -> None:
    """Within 1.6 times the error of the sample means, and .65 to 1.5 of the variance along the ten true factors."""
    truth, each = Mixture(genes, conditions), 60 if conditions == 3 else 30
    x, kind = truth.draw(each, 1)
    train = ad.AnnData(x.astype(np.float32), obs=annotation(kind, "t"))
    model = registry.get(name)().fit(train, settings=DEEP[name], seed=1)
    wanted = np.repeat(np.arange(conditions), 300)
    made = model.sample(annotation(wanted, "s"), seed=2)

    sampled = np.stack([x[kind == k].mean(0) for k in range(conditions)])
    found = np.stack([made[wanted == k].mean(0) for k in range(conditions)])
    error = np.sqrt(((found - truth.mean) ** 2).mean())
    assert error < 1.6 * np.sqrt(((sampled - truth.mean) ** 2).mean())

    _, size, direction = np.linalg.svd(truth.loadings, full_matrices=False)
    residual = made - found[wanted]
    along = (residual @ direction.T).var(0) / (size**2 + 1)
    assert 0.65 < along.mean() < 1.5, along
    # Genes drawn one by one have their own variance, and a tenth or less of what the factors make them share.
    across = np.linalg.svd(np.random.default_rng(3).normal(size=(genes, 10)), full_matrices=False)[0].T
    beside = across - across @ direction.T @ direction
    beside /= np.linalg.norm(beside, axis=1, keepdims=True)
    outside = (residual @ beside.T).var(0).mean()
    assert outside < 0.3 * (residual @ direction.T).var(0).mean()


def bimodal(each: int, seed: int, genes: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two conditions, each of two modes on a common axis: weights .3 and .7, seven standard deviations apart."""
    fixed, rng = np.random.default_rng(11), np.random.default_rng(seed)
    axis = fixed.normal(size=genes)
    axis /= np.linalg.norm(axis)
    kind = np.repeat([0, 1], each)
    mode = np.where(rng.random(2 * each) < 0.3, 5.0, -2.0)
    x = 0.8 * fixed.normal(size=(2, genes))[kind] + mode[:, None] * axis + rng.normal(size=(2 * each, genes))
    return x.astype(np.float32), kind, axis


@pytest.mark.parametrize("name", DEEP)
def test_two_modes_within_a_class_are_learned_where_a_gaussian_cannot(name: str) -> None:
    """Along one of sixty components of equal spread."""
    x, kind, axis = bimodal(300, 1)
    held_out, held_kind, _ = bimodal(1000, 2)
    train, wanted = ad.AnnData(x, obs=annotation(kind, "t")), annotation(held_kind, "s")
    distance, share = {}, {}
    for model, settings in ((name, DEEP[name]), ("mvn", None)):
        made = registry.get(model)().fit(train, settings=settings, seed=1).sample(wanted, seed=2)
        distance[model] = np.mean(
            [stats.wasserstein_distance(made[held_kind == k] @ axis, held_out[held_kind == k] @ axis) for k in (0, 1)]
        )
        centre = [(held_out[held_kind == k] @ axis).mean() for k in (0, 1)]
        above = [(made[held_kind == k] @ axis > centre[k] + 1.4).mean() for k in (0, 1)]  # midway between the modes
        between = [np.abs(made[held_kind == k] @ axis - centre[k] - 1.4) < 1 for k in (0, 1)]
        share[model] = (np.mean(above), np.mean(between))
    assert distance[name] < 0.4 * distance["mvn"]
    assert abs(share[name][0] - 0.3) < 0.08
    assert share[name][1] < 0.3 * share["mvn"][1]  # few lie between the modes, where a Gaussian puts many
