"""Labels of unlabelled profiles: against scikit-learn, closed forms and simulated levels; when to say nothing."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score
from sklearn.mixture import GaussianMixture

from pseudocohort.generators.fit.naming import name_unlabelled, one_per_donor
from pseudocohort.generators.space.label_em import MIN_AGREEMENT, MIN_IN_POOL, Named, Source, name_pool
from pseudocohort.generators.space.mixture import fit_mixture

NAMES = np.array(["a", "b", "c"], dtype=object)
GENES = 200


class Levels:
    """Two levels: a pool of tissue whose conditions differ by `strength`, and lines that know the share `shared` of it.

    Three programmes vary in tissue beside the conditions, one of them in two groups: with weak conditions these are the
    clusters of the pool.
    """

    def __init__(self, seed: int, strength: float, shared: float = 0.6, programmes: float = 0.5, n: int = 300) -> None:
        self.rng = rng = np.random.default_rng(seed)
        contrast = rng.normal(size=(3, GENES)) * strength
        self.number = rng.choice(3, n, p=[0.6, 0.25, 0.15])
        self.x = contrast[self.number] + rng.normal(size=(n, GENES))
        scores = np.column_stack([rng.choice([-1.0, 1.0], n), rng.normal(size=(n, 2)) / 2])
        self.x += programmes * scores @ rng.normal(size=(3, GENES))
        of_line = np.repeat(np.arange(3), 8)
        own = shared * contrast + np.sqrt(1 - shared**2) * strength * rng.normal(size=contrast.shape)
        lines = 5 + rng.normal(size=GENES) + own[of_line] + 0.8 * rng.normal(size=(24, GENES))
        self.source, self.y = Source(lines, NAMES[of_line]), NAMES[self.number]

    def labelled(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows of `k` labelled profiles per condition, and of the others."""
        rows = np.concatenate([np.flatnonzero(self.number == j)[:k] for j in range(3)]).astype(int)
        return rows, np.setdiff1d(np.arange(len(self.x)), rows)

    def accuracy(self, named: Named, rows: np.ndarray | slice = slice(None)) -> float:
        """Balanced accuracy on `rows` of the pool."""
        return balanced_accuracy_score(
            self.y[rows].astype(str), named.conditions[named.predict(self.x[rows]).argmax(1)].astype(str)
        )


def renamed(source: Source) -> Source:
    """`source` with every condition under the name of another."""
    return Source(source.x, np.vectorize(dict(zip(NAMES, np.roll(NAMES, 1), strict=True)).get)(source.labels))


def test_mixture_without_prior_is_scikit_learns_tied_mixture():
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(m, 1, (60, 4)) for m in (0.0, 2.0, 5.0)])
    start = x[[0, 70, 150]]
    covariance = 0.6 * np.cov(x.T)
    reference = GaussianMixture(
        3, covariance_type="tied", means_init=start, weights_init=np.full(3, 1 / 3),
        precisions_init=np.linalg.inv(covariance), max_iter=30, tol=0, reg_covar=0,
    )  # fmt: skip
    with pytest.warns(UserWarning, match="converge"):
        reference.fit(x)
    found = fit_mixture(x, start, spherical=0, weight_prior=0)
    np.testing.assert_allclose(found.means, reference.means_, rtol=1e-6)
    np.testing.assert_allclose(found.covariance, reference.covariances_, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.weights, reference.weights_, rtol=1e-6)
    np.testing.assert_allclose(found.responsibilities(x), reference.predict_proba(x), atol=1e-6)


def test_mixture_of_rows_whose_class_is_known_is_the_analysis_of_variance():
    """With a prior scatter S of m profiles the covariance is (S + within) / (m + n)."""
    rng = np.random.default_rng(2)
    y = np.repeat([0, 1], [30, 50])
    x, other = rng.normal(size=(80, 3)) + y[:, None], rng.normal(size=(20, 3))
    found = fit_mixture(x, rng.normal(size=(2, 3)), scatter=other.T @ other, n_scatter=20, fixed=y, spherical=0)
    means = np.stack([x[y == j].mean(0) for j in (0, 1)])
    np.testing.assert_allclose(found.means, means)
    within = x - means[y]
    np.testing.assert_allclose(found.covariance, (other.T @ other + within.T @ within) / 100)
    np.testing.assert_allclose(found.weights, [32 / 84, 52 / 84])
    distance = (means[0] - means[1]) @ np.linalg.solve(found.covariance, means[0] - means[1])
    assert found.separation == pytest.approx(np.sqrt(distance))


@pytest.mark.parametrize("seed", range(5))
def test_conditions_that_are_clusters_are_named(seed):
    levels = Levels(seed, strength=0.3)
    named = name_pool(levels.x, [levels.source])
    assert named.evidence.used == "source"
    assert named.evidence.agreement > 0.8
    assert levels.accuracy(named) > 0.95
    sure = named.labels != ""
    assert sure.mean() > 0.8
    assert (named.labels[sure] == levels.y[sure]).mean() > 0.97


@pytest.mark.parametrize("seed", range(5))
def test_wrong_names_give_wrong_labels_and_labelled_profiles_reject_them(seed):
    levels = Levels(seed, strength=0.3)
    assert levels.accuracy(name_pool(levels.x, [renamed(levels.source)])) < 0.05
    own, rest = levels.labelled(2)
    guarded = name_pool(levels.x[rest], [renamed(levels.source)], levels.x[own], levels.y[own])
    assert guarded.evidence.contradicted
    assert guarded.evidence.used != "source"
    assert "0 of 6" in guarded.evidence.reason
    without = name_pool(levels.x[rest], [], levels.x[own], levels.y[own])
    np.testing.assert_array_equal(guarded.responsibilities, without.responsibilities)
    trusting = name_pool(levels.x[rest], [renamed(levels.source)], levels.x[own], levels.y[own], guarded=False)
    assert levels.accuracy(trusting, rest) < 0.1


@pytest.mark.parametrize("strength", [0.0, 0.05, 0.1])
@pytest.mark.parametrize("seed", range(5))
def test_conditions_that_are_no_clusters_are_not_named(strength, seed):
    levels = Levels(seed, strength)
    named = name_pool(levels.x, [levels.source])
    assert named.evidence.used == "nothing"
    assert "not clusters" in named.evidence.reason
    assert (named.labels == "").all()
    with pytest.raises(ValueError, match="not clusters"):
        named.predict(levels.x)


def test_source_without_relation_to_the_pool_is_no_worse_than_none():
    """The clusters are there, but the lines know nothing of them: mostly refused, and no harm on average."""
    with_source, without = [], []
    for seed in range(12):
        levels = Levels(seed, strength=0.3, shared=0.0)
        own, rest = levels.labelled(2)
        args = levels.x[rest], levels.x[own], levels.y[own]
        for sources, values in (([levels.source], with_source), ([], without)):
            named = name_pool(args[0], sources, *args[1:])
            values.append(levels.accuracy(named, rest) if named.parts else np.nan)
    paired = np.array([with_source, without])
    paired = paired[:, np.isfinite(paired).all(0)]
    assert paired.shape[1] >= 9
    assert paired[0].mean() > paired[1].mean() - 0.01


def test_pool_of_few_patients_is_left_alone():
    levels = Levels(0, strength=0.3, n=MIN_IN_POOL - 1)
    named = name_pool(levels.x, [levels.source])
    assert named.evidence.used == "nothing"
    assert f"{MIN_IN_POOL - 1} unlabelled profiles are too few" in named.evidence.reason


def test_condition_that_the_source_lacks_needs_labelled_profiles():
    levels = Levels(3, strength=0.4)
    keep = levels.source.labels != "c"
    source = Source(levels.source.x[keep], levels.source.labels[keep])
    assert set(name_pool(levels.x, [source]).conditions) == {"a", "b"}
    own, rest = levels.labelled(3)
    named = name_pool(levels.x[rest], [source], levels.x[own], levels.y[own])
    assert set(named.conditions) == {"a", "b", "c"}
    assert levels.accuracy(named, rest) > 0.9


def test_sources_of_several_units_are_better_than_one():
    gains = []
    for seed in range(6):
        levels = Levels(seed, strength=0.17, shared=0.5)
        other = Levels(seed, strength=0.17, shared=0.5)  # the same conditions
        noise = np.random.default_rng(100 + seed).normal(size=other.source.x.shape)
        second = Source(100 * (other.source.x + noise), other.source.labels)
        one, both = (name_pool(levels.x, s, guarded=False) for s in ([second], [levels.source, second]))
        gains.append(levels.accuracy(both) - levels.accuracy(one))
    assert np.mean(gains) > 0


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(0.1, 10), shift=st.floats(-5, 5))
def test_units_and_order_of_the_pool_do_not_matter(seed, scale, shift):
    levels = Levels(4, strength=0.3, n=120)
    order = np.random.default_rng(seed).permutation(len(levels.x))
    first = name_pool(levels.x, [levels.source])
    second = name_pool(shift + scale * levels.x[order], [levels.source])
    np.testing.assert_allclose(second.responsibilities, first.responsibilities[order], atol=1e-6)


def test_training_profiles_get_labels_and_a_contradicted_level_leaves():
    levels = Levels(5, strength=0.4)
    own, rest = levels.labelled(2)

    def profiles(source: Source) -> ad.AnnData:
        condition = levels.y.copy()
        condition[rest] = ""
        obs = pd.DataFrame(
            {
                "condition": np.r_[condition, np.repeat(source.labels, 2)].astype(str),
                "level": ["tumour"] * len(levels.x) + ["pseudobulk"] * 48,
                "donor": [f"p{i}" for i in range(len(levels.x))] + [f"l{i // 2}" for i in range(48)],
            },
            index=[f"s{i}" for i in range(len(levels.x) + 48)],
        )
        return ad.AnnData(np.concatenate([levels.x, np.repeat(source.x, 2, axis=0)]).astype(np.float32), obs=obs)

    data = profiles(levels.source)
    named, evidence = name_unlabelled(data)
    assert set(evidence) == {"tumour"}
    assert named.n_obs == data.n_obs
    assert (data.obs["condition"].iloc[rest] == "").all(), "the caller's profiles were changed"
    found = named.obs["condition"].iloc[rest].to_numpy()
    assert (found != "").mean() > 0.8
    assert (found == levels.y[rest])[found != ""].mean() > 0.97
    assert (named.obs["condition"].iloc[own] == levels.y[own]).all()
    wrong, _ = name_unlabelled(profiles(renamed(levels.source)))
    assert set(wrong.obs["level"]) == {"tumour"}
    kept, _ = name_unlabelled(profiles(renamed(levels.source)), guarded=False)
    assert kept.n_obs == data.n_obs


def test_profiles_without_unlabelled_ones_are_returned_as_they_are():
    obs = pd.DataFrame({"condition": ["a", "b"], "level": "tumour", "donor": ["p", "q"]}, index=["x", "y"])
    data = ad.AnnData(np.zeros((2, 3), np.float32), obs=obs)
    assert name_unlabelled(data) == (data, {})


def test_bootstraps_of_a_line_count_once():
    x = np.array([[0.0], [2.0], [10.0]])
    mean, label = one_per_donor(x, np.array(["l", "l", "m"]), np.array(["a", "a", "a"]))
    assert sorted(mean.ravel()) == [1.0, 10.0]
    assert list(label) == ["a", "a"]


def test_threshold_of_agreement_lies_between_simulated_clusters_and_none():
    def agreement(strength: float) -> list[float]:
        levels = (Levels(seed, strength) for seed in range(20, 26))
        return [name_pool(one.x, [one.source], guarded=False).evidence.agreement for one in levels]

    assert max(agreement(0.05)) < MIN_AGREEMENT < min(agreement(0.3))
