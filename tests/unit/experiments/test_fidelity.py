"""Fidelity metrics: against plain implementations, and what they say of known generators."""

from __future__ import annotations

import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors

from pseudocohort.core.contracts import check_evaluation
from pseudocohort.core.errors import ContractError, UserError
from pseudocohort.experiments.fidelity.score import fidelity
from pseudocohort.experiments.shared.inputs import ScoreInputs
from pseudocohort.metrics.adversarial import adversarial_accuracy
from pseudocohort.metrics.correlation import correlation_score
from pseudocohort.metrics.differential import contrast, differential_recovery
from pseudocohort.metrics.discriminator import discriminator_auc
from pseudocohort.metrics.memorisation import closer_to_train_share, memorisation_share
from pseudocohort.metrics.moments import (
    frechet_distance,
    gene_marginals,
    kolmogorov_smirnov,
    maximum_mean_discrepancy,
)
from pseudocohort.metrics.neighbours import closer, nearest, within
from pseudocohort.metrics.prdc import precision_recall_density_coverage
from pseudocohort.metrics.sizes import donor_halves, matched_chunks, matched_subset


def plain_prdc(real, synthetic, k):
    """The definitions, written out."""
    own, other, between = cdist(real, real), cdist(synthetic, synthetic), cdist(real, synthetic)
    radius, synthetic_radius = np.sort(own, 1)[:, k], np.sort(other, 1)[:, k]
    inside = between < radius[:, None]
    return {
        "precision": inside.any(0).mean(),
        "recall": (between < synthetic_radius[None]).any(1).mean(),
        "density": inside.sum(0).mean() / k,
        "coverage": inside.any(1).mean(),
    }


@given(st.integers(0, 10**6), st.integers(7, 40), st.integers(7, 40), st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_prdc_is_the_plain_one(seed, n, m, k):
    rng = np.random.default_rng(seed)
    real, synthetic = rng.normal(size=(n, 6)), 0.5 + rng.normal(size=(m, 6))
    ours, plain = precision_recall_density_coverage(real, synthetic, k), plain_prdc(real, synthetic, k)
    for name, value in plain.items():
        assert ours[name] == pytest.approx(value, abs=1e-12), name


def test_prdc_does_not_depend_on_the_block(monkeypatch):
    rng = np.random.default_rng(1)
    real, synthetic = rng.normal(size=(60, 5)), rng.normal(size=(50, 5))
    whole = precision_recall_density_coverage(real, synthetic, 5)
    monkeypatch.setattr("pseudocohort.metrics.neighbours.SCREENED", 200)
    monkeypatch.setattr("pseudocohort.metrics.neighbours.GENES", 2)
    assert precision_recall_density_coverage(real, synthetic, 5) == whole


@given(st.integers(0, 10**6), st.floats(0, 1e4))
@settings(max_examples=30, deadline=None)
def test_nearest_is_scikit_learns_even_far_from_the_origin_and_for_copies(seed, offset):
    rng = np.random.default_rng(seed)
    reference = rng.normal(size=(30, 4)) + offset
    query = np.concatenate([rng.normal(size=(10, 4)) + offset, reference[:3]])
    expected = NearestNeighbors(n_neighbors=3, algorithm="brute").fit(reference - offset).kneighbors(query - offset)[0]
    ours = nearest(query, reference, 3)
    np.testing.assert_allclose(ours, expected, atol=1e-6 * (1 + offset * 1e-3))
    assert (ours[10:, 0] == 0).all()


@given(st.integers(0, 10**6), st.sampled_from([4, 700]), st.sampled_from([1e-25, 1e-3, 1.0, 1e25]), st.floats(1, 1e6))
@example(1, 4, 1e-25, 1.0000000000000002)
@settings(max_examples=40, deadline=None)
def test_screening_in_single_precision_decides_as_double_precision_does(seed, genes, scale, outlier):
    """On lattices, full of ties, beside one far row, at any scale: neighbours, and who is within a radius."""
    rng = np.random.default_rng(seed)
    a, b = (rng.integers(0, 3, size=(n, genes)).astype(np.float64) for n in (12, 15))
    b[-1] *= outlier
    plain = np.sqrt(((a[:, None] - b[None]) ** 2).sum(2))
    found, expected = nearest(a * scale, b * scale, 4), np.sort(plain, axis=1)[:, :4] * scale
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15 * scale)  # of the products' own rounding
    by_row, by_column = plain[:, [3]], plain[[5]]
    ((_, (near, reached)),) = within(a * scale, b * scale, by_row * scale, by_column * scale)
    np.testing.assert_array_equal(near, closer(plain, by_row))
    np.testing.assert_array_equal(reached, closer(plain, by_column))


def test_values_that_are_not_finite_have_no_neighbours():
    x = np.ones((5, 3))
    x[2, 1] = np.nan
    with pytest.raises(UserError, match="not finite"):
        nearest(x, np.ones((5, 3)), 1)


def test_adversarial_accuracy_and_its_halves():
    rng = np.random.default_rng(2)
    real, fresh = rng.normal(size=(300, 10)), rng.normal(size=(300, 10))
    assert adversarial_accuracy(real, fresh)["aa"] == pytest.approx(0.5, abs=0.06)
    assert adversarial_accuracy(real, real)["aa"] == 0
    assert adversarial_accuracy(real, fresh + 50)["aa"] == 1
    wide = rng.normal(size=(2, 300, 200))
    junk = adversarial_accuracy(wide[0], 3 * wide[1])
    assert junk["truth_half"] > 0.95 and junk["synthetic_half"] < 0.05


def test_pooled_correlation_flatters_what_the_within_condition_score_exposes():
    rng = np.random.default_rng(3)
    classes = np.repeat(list("abcdef"), 60)
    means = 2 * rng.normal(size=(6, 30))[np.repeat(np.arange(6), 60)]
    mixing = rng.normal(size=(30, 30)) / np.sqrt(30)
    real, fresh = (means + rng.normal(size=(360, 30)) @ mixing for _ in range(2))
    independent = means + rng.normal(size=(360, 30)) * mixing.std()
    assert correlation_score(real, fresh) > 0.95 and correlation_score(real, fresh, classes, classes) > 0.9
    assert correlation_score(real, independent) > 0.8
    assert abs(correlation_score(real, independent, classes, classes)) < 0.15


def test_correlation_score_is_numpys():
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(50, 8)), rng.normal(size=(40, 8))
    upper = np.triu_indices(8, 1)
    expected = np.corrcoef(np.corrcoef(a, rowvar=False)[upper], np.corrcoef(b, rowvar=False)[upper])[0, 1]
    assert correlation_score(a, b) == pytest.approx(expected, abs=1e-12)


def test_memorisation_and_closeness():
    rng = np.random.default_rng(5)
    train, holdout, fresh = (rng.normal(size=(n, 20)) for n in (200, 100, 150))
    labels = np.repeat("a", 200)
    assert memorisation_share(train[:50], train) == 1
    assert memorisation_share(fresh, train) < 0.05
    assert closer_to_train_share(train[:50], train, holdout, labels, labels[:100]) > 0.6
    assert closer_to_train_share(fresh, train, holdout, labels, labels[:100]) == pytest.approx(0.5, abs=0.1)


def test_expected_share_is_the_mean_over_random_subsets():
    rng = np.random.default_rng(6)
    train, holdout, made = rng.normal(size=(12, 3)), rng.normal(size=(5, 3)), rng.normal(size=(8, 3))
    labels = np.repeat("a", 12)
    exact = closer_to_train_share(made, train, holdout, labels, labels[:5])
    limit = cdist(made, holdout).min(1)
    drawn = [(cdist(made, train[rng.choice(12, 5, replace=False)]).min(1) < limit).mean() for _ in range(4000)]
    assert exact == pytest.approx(np.mean(drawn), abs=0.01)


def test_discriminator_is_at_chance_on_real_and_finds_what_is_off():
    rng = np.random.default_rng(7)
    real, fresh = rng.normal(size=(150, 10)), rng.normal(size=(150, 10))
    donors = np.arange(150)
    assert discriminator_auc(real, fresh, donors, 1) == pytest.approx(0.5, abs=0.1)
    assert discriminator_auc(real, fresh * 2, donors, 1) > 0.9
    repeated = fresh[rng.integers(0, 20, 150)]
    assert discriminator_auc(real, repeated, donors, 1) < 0.75
    for value in (np.nan, np.inf, 1e60):
        with pytest.raises(ContractError, match="1 values are not finite"):
            discriminator_auc(real, np.where(np.arange(1500).reshape(150, 10) == 7, value, fresh), donors, 1)


def test_frechet_is_the_closed_form_for_diagonal_gaussians():
    rng = np.random.default_rng(8)
    a = rng.normal(size=(4000, 3)) * [1, 2, 3]
    b = rng.normal(size=(4000, 3)) * [2, 2, 1] + [1, 0, 0]
    assert frechet_distance(a, b) == pytest.approx(1 + 1 + 0 + 4, rel=0.06)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)


def test_mmd_is_unbiased_under_the_null_and_positive_otherwise():
    rng = np.random.default_rng(9)
    null = [maximum_mean_discrepancy(rng.normal(size=(40, 4)), rng.normal(size=(40, 4))) for _ in range(60)]
    assert abs(np.mean(null)) < 3 * np.std(null) / np.sqrt(60) + 1e-3
    assert maximum_mean_discrepancy(rng.normal(size=(40, 4)), 1 + rng.normal(size=(40, 4))) > 5 * np.std(null)


def test_marginals_are_scipys():
    rng = np.random.default_rng(10)
    a, b = rng.normal(size=(30, 4)), 2 * rng.normal(size=(25, 4)) + np.arange(4)
    out = gene_marginals(a, b)
    assert out["ks_median"] == pytest.approx(np.median([stats.ks_2samp(a[:, j], b[:, j]).statistic for j in range(4)]))
    assert out["gene_sd_ratio"] == pytest.approx(np.median(b.std(0) / a.std(0)))


def test_differential_recovery_of_the_truth_and_of_noise():
    rng = np.random.default_rng(11)
    classes = np.repeat(["a", "b"], 40)
    effect = np.r_[2 * np.ones(10), np.zeros(90)]
    real, fresh = (rng.normal(size=(80, 100)) + (classes == "a")[:, None] * effect for _ in range(2))
    good = differential_recovery(real, fresh, classes, classes)
    assert good["de_tpr"] > 0.9 and good["de_fpr"] < 0.1 and good["de_sign_agreement"] > 0.95
    noise = differential_recovery(real, rng.normal(size=(80, 100)), classes, classes)
    assert noise["de_tpr"] < 0.3 and abs(noise["de_logfc_r"]) < 0.4
    assert differential_recovery(real[:2], fresh[:2], classes[:2], classes[:2]) == {}


@given(st.integers(0, 10**6), st.integers(4, 60), st.integers(4, 60))
@settings(max_examples=50, deadline=None)
def test_matched_sizes_keep_rows_disjoint_and_classes(seed, n, m):
    rng = np.random.default_rng(seed)
    a, b = rng.choice(list("xyz"), n), rng.choice(list("xyz"), m)
    left, right = matched_chunks(a, b, rng)
    assert {len(part) for part in left + right} == {min(n, m)}
    for parts in (left, right):
        rows = np.concatenate(parts)
        assert len(set(rows)) == len(rows)
    chosen = matched_subset(a, b, rng)
    assert len(set(chosen)) == len(chosen)
    for name in "xyz":
        assert (a[chosen] == name).sum() == min((a == name).sum(), (b == name).sum())


def test_halves_share_no_donor():
    rng = np.random.default_rng(12)
    donors = rng.integers(0, 30, 90)
    classes = rng.choice(list("ab"), 90)
    one, two = donor_halves(donors, classes, rng)
    assert not set(donors[one]) & set(donors[two]) and len(one) + len(two) == 90


@pytest.fixture(scope="module")
def study():
    """A study in which train, test and fresh profiles are of one law: conditions with correlated genes."""
    rng = np.random.default_rng(13)
    mixing, means = rng.normal(size=(40, 40)) / 6, {c: rng.normal(size=40) for c in "ABC"}

    def draw(n, prefix):
        condition = np.array([*"ABC"])[np.arange(n) % 3]
        x = 6 + np.stack([means[c] for c in condition]) + rng.normal(size=(n, 40)) @ mixing
        obs = pd.DataFrame(
            {
                "donor": [f"{prefix}{i}" for i in range(n)], "condition": condition, "technology": "bulk",
                "aggregation": "bulk", "context": "tumour", "level": "tumour",
            },
            index=[f"{prefix}{i}" for i in range(n)],
        )  # fmt: skip
        return ad.AnnData(x.astype(np.float32), obs=obs)

    train, test, fresh = draw(180, "train"), draw(300, "test"), draw(300, "fresh")
    profiles = ad.concat([train, test])
    members = pd.DataFrame(
        {
            "training_set": "full-r0", "sample_id": profiles.obs_names, "role": ["train"] * 180 + ["test"] * 300,
            "condition": profiles.obs["condition"].to_numpy(),
        }
    )  # fmt: skip
    sets = pd.DataFrame({"training_set": ["full-r0"], "repeat": [0], "seed": [1]})

    def score(synthetic, generator="model"):
        given = {} if synthetic is None else {"full-r0": synthetic}
        table = fidelity(
            ScoreInputs(
                profiles, given, sets, members, study="s", generator=generator, settings={"neighbours": 5}, seed=1
            )
        )
        check_evaluation(table, "test")
        return table[table["task"].isna()].set_index("metric")["value"]

    return score, train, fresh


def test_real_against_real_reaches_every_ceiling(study):
    score, _, fresh = study
    for values in (score(None, "real"), score(fresh)):
        assert values["aa_test"] == pytest.approx(0.5, abs=0.1)
        assert values["coverage"] > 0.85 and values["precision"] > 0.8 and values["recall"] > 0.8
        assert values["correlation_score_within"] > 0.7
        assert values["discriminator_auc"] == pytest.approx(0.5, abs=0.13)
        assert values["memorisation_share"] < 0.05
        assert values["tstr_balanced_accuracy"] > 0.9


def test_photocopier_is_perfect_against_train_and_exposed_by_memorisation(study):
    score, train, _ = study
    values = score(train[np.random.default_rng(1).permutation(180)[:150]].copy())
    assert values["memorisation_share"] == 1
    assert values["coverage_train"] > 0.9 and values["aa_train"] < 0.35
    assert values["aa_privacy_loss"] > 0.15
    assert values["closer_to_train_share"] > 0.55


def test_junk_at_adversarial_accuracy_one_half_is_exposed_by_its_halves(study):
    score, _, fresh = study
    junk = fresh.copy()
    junk.X = (6 + 6 * np.random.default_rng(2).normal(size=junk.X.shape)).astype(np.float32)
    values = score(junk)
    assert values["aa_test"] == pytest.approx(0.5, abs=0.1)
    assert values["aa_test_truth_half"] > 0.95 and values["aa_test_synthetic_half"] < 0.25
    assert values["discriminator_auc"] > 0.9


@given(
    arrays(float, st.tuples(st.integers(1, 30), st.just(5)), elements=st.integers(-3, 3)),
    arrays(float, st.tuples(st.integers(1, 30), st.just(5)), elements=st.integers(-3, 3)),
)
def test_kolmogorov_smirnov_is_scipys_also_with_ties(a: np.ndarray, b: np.ndarray) -> None:
    expected = stats.ks_2samp(a, b, axis=0, method="asymp").statistic
    np.testing.assert_array_equal(kolmogorov_smirnov(a, b), expected)


def test_a_gene_that_is_the_same_in_all_profiles_is_no_difference_and_no_warning():
    x = np.random.default_rng(0).normal(8, 1, (12, 3)).astype(np.float32)
    x[:, 1] = 3.3
    x[:6, 2] = 3.3  # the same within one class only
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        change, p = contrast(x, np.arange(12) < 6)
    assert p[1] == 1 and change[1] == 0 and p[2] < 0.01
