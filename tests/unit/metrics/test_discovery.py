"""What is found in a synthetic cohort, against known truths and limma's numbers."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy import special, stats
from sklearn.linear_model import LogisticRegression

from pseudocohort.metrics.correlation import correlation_error
from pseudocohort.metrics.discovery import (
    agreement,
    attribution_overlap,
    attributions,
    discovery,
    inverse_trigamma,
    moderated_t,
    modules,
    set_test,
    variance_prior,
)

SET_ROWS = ((0, 8), (20, 35), (3, 12))


def example() -> tuple[np.ndarray, np.ndarray]:
    """Twelve profiles of sixty genes, eight of them changed in five profiles."""
    rng = np.random.default_rng(7)
    sd = np.sqrt(0.4 * 6 / rng.chisquare(6, 60))
    x = rng.normal(8, 1, (12, 60)) * 0 + 8 + rng.normal(0, 1, (12, 60)) * sd
    kind = np.arange(12) < 5
    x[kind, :8] += np.linspace(0.5, 2, 8)
    return np.round(x, 3), kind


def cohort(n: int, seed: int, *, change: float = 1.5, genes: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Profiles of two classes; twenty genes differ."""
    rng = np.random.default_rng(seed)
    classes = np.resize(["a", "b"], n)
    return rng.normal(size=(n, genes)) + (classes == "a")[:, None] * (np.arange(genes) < 20) * change, classes


def test_attributions_are_shapley_values() -> None:
    """Against the definition, over all orders of three genes: a gene not in a coalition is at its mean."""
    x, classes = cohort(60, 3, genes=3)
    model = LogisticRegression(C=0.01, class_weight="balanced", max_iter=500).fit(x, classes)
    values = np.zeros_like(x)
    for order in permutations(range(3)):
        at = np.tile(x.mean(0), (len(x), 1))
        for gene in order:
            before = model.decision_function(at)
            at[:, gene] = x[:, gene]
            values[:, gene] += (model.decision_function(at) - before) / 6
    np.testing.assert_allclose(attributions(x, classes), np.abs(values).mean(0), rtol=1e-8)


def test_the_genes_of_a_classifier_are_found_again_where_they_are_the_same() -> None:
    (x, classes), (fresh, _) = cohort(400, 1, genes=500), cohort(400, 2, genes=500)
    assert attribution_overlap(x, x, classes, classes) == 1
    shared = attribution_overlap(x, fresh, classes, classes)
    shuffled = attribution_overlap(x, fresh, classes, np.random.default_rng(0).permutation(classes))
    assert shared >= 0.4 and shuffled < 0.25  # twenty of fifty genes differ; by chance a tenth is shared
    assert np.isnan(attribution_overlap(x[:, :99], x[:, :99], classes, classes))
    # A half of the held-out patients may lack a rare class.
    assert np.isnan(attribution_overlap(x[classes == "a"], x, classes[classes == "a"], classes))


def test_moderated_t_is_limmas():
    """Numbers of pylimma 0.2.0 (``lm_fit``, ``e_bayes``, ``camera_pr``), a port of limma, on the same values."""
    x, kind = example()
    found = moderated_t(x, kind)
    assert found.prior_df == pytest.approx(5.794765054420989)
    assert found.prior_variance == pytest.approx(0.4763370699556575)
    t = [0.481113, 0.663152, 0.66698, 4.972933, 1.90234, 3.107269, 3.970927, 4.932004, 0.032397, -2.036257]
    assert found.t[:10] == pytest.approx(t, abs=1e-6)
    assert found.p[:4] == pytest.approx([0.637033073, 0.516795598, 0.514411371, 1.43510856e-4], rel=1e-7)
    sets = np.array([(np.arange(60) >= a) & (np.arange(60) < b) for a, b in SET_ROWS])
    assert set_test(found.t, sets)[1] == pytest.approx([6.146345e-07, 0.3971882, 1.796678e-03], rel=1e-5)


def test_prior_of_known_variances():
    rng = np.random.default_rng(3)
    d0, s0, d = 8.0, 0.5, 20
    variances = d0 * s0 / rng.chisquare(d0, 50_000) * rng.chisquare(d, 50_000) / d
    prior_df, prior_variance = variance_prior(variances, d)
    assert prior_df == pytest.approx(d0, rel=0.1) and prior_variance == pytest.approx(s0, rel=0.03)
    assert np.isinf(variance_prior(np.full(100, 2.0), 10)[0])
    for y in (1e-3, 0.5, 3.0, 1e4):
        assert special.polygamma(1, inverse_trigamma(y)) == pytest.approx(y, rel=1e-8)


def test_without_a_change_p_is_uniform():
    x, classes = cohort(40, 1, change=0.0, genes=2000)
    p = moderated_t(x, classes == "a").p
    assert stats.kstest(p, "uniform").pvalue > 1e-3
    assert (stats.false_discovery_control(p) < 0.05).sum() <= 2


def test_a_copy_finds_everything_and_nothing_else():
    x, classes = cohort(60, 2)
    sets = np.arange(200) // 20 == np.arange(10)[:, None]
    found = discovery(x, x, classes, classes, sets=sets)
    for name in ("discovery", "set"):
        assert found[f"{name}_recall"] == 1 and found[f"{name}_false_share"] == 0
        assert found[f"{name}_p_r"] == pytest.approx(1) and found[f"{name}_calls"] == found[f"{name}_real_calls"]
    assert found["module_ari"] == 1 and found["discovery_real_calls"] == pytest.approx(20, abs=3)


def test_fresh_profiles_find_it_and_shuffled_labels_do_not():
    (real, classes), (fresh, _) = cohort(60, 3), cohort(60, 4)
    found = discovery(real, fresh, classes, classes)
    assert found["discovery_recall"] > 0.9 and found["discovery_false_share"] < 0.25
    shuffled = np.random.default_rng(5).permutation(classes)
    none = discovery(real, fresh, classes, shuffled)
    assert none["discovery_recall"] < 0.1 and none["discovery_calls"] < 2
    swapped = discovery(real, fresh, classes, np.where(classes == "a", "b", "a"))
    assert swapped["discovery_recall"] == 0 and swapped["discovery_false_share"] == 1 and swapped["discovery_p_r"] < 0


def test_too_few_profiles_say_nothing():
    x, classes = cohort(60, 6)
    assert "discovery_recall" not in discovery(x[:6], x[:6], classes[:6], classes[:6])


def test_agreement_counts():
    real_p, p = np.r_[1e-9, 1e-9, 1e-9, np.full(7, 0.9)], np.r_[1e-9, 1e-9, 0.9, 1e-9, np.full(6, 0.9)]
    t = np.ones(10)
    found = agreement(t, real_p, np.r_[1, -1, np.ones(8)], p, "x")
    assert found["x_calls"] == 3 and found["x_real_calls"] == 3
    assert found["x_recall"] == pytest.approx(1 / 3) and found["x_false_share"] == pytest.approx(2 / 3)


def test_modules_are_the_factors_behind_the_genes():
    rng = np.random.default_rng(8)
    truth = np.repeat(np.arange(4), 25)
    x = rng.normal(size=(80, 4))[:, truth] + 0.5 * rng.normal(size=(80, 100))
    found = modules(x, None, 4)
    assert all(len(set(found[truth == k])) == 1 for k in range(4)) and len(set(found)) == 4


def test_correlation_error_is_numpys():
    rng = np.random.default_rng(9)
    a, b = rng.normal(size=(30, 6)), rng.normal(size=(40, 6))
    upper = np.triu_indices(6, 1)
    expected = np.abs(np.corrcoef(a.T)[upper] - np.corrcoef(b.T)[upper]).mean()
    assert correlation_error(a, b) == pytest.approx(expected)
    assert correlation_error(a, a) == pytest.approx(0, abs=1e-12)
