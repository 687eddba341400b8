"""The downstream classifiers and their metrics, against scikit-learn and closed forms."""

from __future__ import annotations

import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.datasets import make_classification
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, balanced_accuracy_score, f1_score, log_loss, recall_score
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.neighbors import NearestCentroid

from pseudocohort.core.errors import UserError
from pseudocohort.core.seeds import derive
from pseudocohort.experiments.shared import classifiers as c
from pseudocohort.generators.space.means import fit_class_means

ALL = tuple(dict.fromkeys((*c.CLASSIFIERS, *c.BASELINES)))


def _gaussians(n: int, genes: int, seed: int = 0, gap: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    means = np.random.default_rng(99).normal(size=(3, genes)) * gap / np.sqrt(genes) * 3
    y = np.arange(n) % 3
    return means[y] + rng.normal(size=(n, genes)), np.array(["a", "b", "c"], dtype=object)[y]


def test_logistic_in_the_row_space_is_scikit_learns_in_all_genes() -> None:
    x, y = _gaussians(40, 300)
    y[:10] = "a"  # unbalanced
    x_test, _ = _gaussians(50, 300, seed=1)
    weight = np.random.default_rng(2).uniform(0.1, 1, size=40)
    _, scores, classes = c.fit_predict("logistic", x, y, weight, x_test, 0, setting=0.01)
    reference = LogisticRegression(C=0.01, max_iter=2000, tol=1e-8).fit(
        x, y, sample_weight=c.balanced_weights(y, weight)
    )
    np.testing.assert_array_equal(classes, reference.classes_)
    np.testing.assert_allclose(scores, reference.predict_proba(x_test), atol=2e-3)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=40), st.integers(0, 1000))
def test_balanced_weights_give_each_class_the_same_share(labels: list[str], seed: int) -> None:
    y, w = np.array(labels), np.random.default_rng(seed).uniform(0.1, 2, size=len(labels))
    balanced = c.balanced_weights(y, w)
    totals = [balanced[y == k].sum() for k in np.unique(y)]
    np.testing.assert_allclose(totals, w.sum() / len(totals))


@pytest.mark.parametrize("name", ALL)
def test_each_classifier_comes_near_bayes_and_is_deterministic(name: str) -> None:
    x, y = _gaussians(300, 50, gap=1.5)
    x_test, y_test = _gaussians(300, 50, seed=1, gap=1.5)
    first = c.fit_predict(name, x, y, None, x_test, 3)
    again = c.fit_predict(name, x, y, None, x_test, 3)
    np.testing.assert_array_equal(first[1], again[1])
    means = np.random.default_rng(99).normal(size=(3, 50)) * 1.5 / np.sqrt(50) * 3
    bayes = np.array(["a", "b", "c"], dtype=object)[(x_test @ means.T - (means**2).sum(1) / 2).argmax(1)]
    assert c.balanced_accuracy(y_test, first[0]) > c.balanced_accuracy(y_test, bayes) - 0.06


@pytest.mark.parametrize("name", ALL)
def test_binary_scores_have_a_column_per_class(name: str) -> None:
    x, y = make_classification(60, 10, class_sep=2, random_state=0)
    predictions, scores, classes = c.fit_predict(name, x, y, None, x, 0)
    assert scores.shape == (60, 2)
    np.testing.assert_array_equal(classes[scores.argmax(1)], predictions)
    assert c.balanced_accuracy(y, predictions) > 0.85


@pytest.mark.parametrize("name", ALL)
def test_one_profile_per_class_and_one_class_work(name: str) -> None:
    x, y = _gaussians(3, 30)
    predictions, scores, _ = c.fit_predict(name, x, y, None, x, 0)
    assert scores.shape == (3, 3)
    np.testing.assert_array_equal(predictions, y)
    alone, scores, _ = c.fit_predict(name, x, np.repeat("a", 3), None, x, 0)
    assert set(alone) == {"a"}
    assert scores.shape == (3, 1)


def test_a_row_of_weight_two_is_the_row_twice() -> None:
    x, y = _gaussians(30, 10)
    weight = np.ones(30)
    weight[:5] = 2
    doubled = np.concatenate([x, x[:5]]), np.concatenate([y, y[:5]])
    weighted = c.fit_predict("logistic", x, y, weight, x, 0, setting=0.1)[1]
    np.testing.assert_allclose(weighted, c.fit_predict("logistic", *doubled, None, x, 0, setting=0.1)[1], atol=1e-3)


def test_setting_is_chosen_by_the_data_and_default_for_few_rows() -> None:
    x, y = _gaussians(60, 200, gap=2)
    for name in ALL:
        few = c.choose_setting(name, x[:5], y[:5], 0)
        assert few.setting == c.DEFAULTS[name] and np.isnan(few.accuracy)
    assert c.choose_setting("mlp", x, y, 0).setting == c.DEFAULTS["mlp"]
    # Nearly separable with any setting: ties go to the strongest.
    for name in ("svm", "lda", "nearest_centroids"):
        assert c.choose_setting(name, *_gaussians(60, 200, gap=6), 0).setting == c.GRIDS[name][0]
    # A small gene decides and a large one distracts: only a weak penalty lets the small one speak.
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1], 150)
    large = 3 * rng.normal(size=300) + 1.5 * label
    small = 0.2 * (2 * label - 1) + 0.05 * rng.normal(size=300)
    assert c.choose_setting("logistic", np.column_stack([large, small]), label, 0).setting >= 0.1


def test_penalties_that_are_as_accurate_do_not_wreck_calibration() -> None:
    """Two classes far apart: every penalty is right, and the strongest says 51 %."""
    rng = np.random.default_rng(1)
    label = np.repeat(["a", "b"], 40).astype(object)
    x = 0.05 * rng.normal(size=(80, 5)) + 0.5 * (label == "b")[:, None]
    choice = c.choose_setting("logistic", x, label, 0)
    fitted = c.fit_predict("logistic", x, label, None, x, 0, setting=choice.setting)
    assert choice.accuracy == 1 and c.details("logistic", label, *fitted)["brier"] < 0.1
    strongest = c.fit_predict("logistic", x, label, None, x, 0, setting=c.GRIDS["logistic"][0])
    assert c.details("logistic", label, *strongest)["brier"] > 0.45


def test_discriminant_analysis_is_scikit_learns_in_all_genes() -> None:
    x, y = _gaussians(40, 100)
    y[:10] = "a"  # unbalanced
    x_test, _ = _gaussians(50, 100, seed=1)
    reference = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3, priors=np.full(3, 1 / 3)).fit(x, y)
    scores = c.fit_predict("lda", x, y, None, x_test, 0, setting=0.3)[1]
    np.testing.assert_allclose(scores, reference.predict_proba(x_test), atol=1e-8)


def test_shrunken_centroids_are_scikit_learns() -> None:
    x, y = _gaussians(60, 40)
    model = c.ShrunkenCentroids(1.0).fit(x, y, np.ones(60))
    reference = NearestCentroid(shrink_threshold=1.0).fit(x, y)
    np.testing.assert_allclose(model.centroids, reference.centroids_, atol=1e-10)
    within = reference.within_class_std_dev_
    np.testing.assert_allclose(model.scale, within + np.median(within))
    # The discriminant scores of the paper's equation 6: squared distances, in units of the offset scale.
    x_test, _ = _gaussians(50, 40, seed=1)
    distance = (((x_test[:, None] - model.centroids) / model.scale) ** 2).sum(2)
    np.testing.assert_allclose(model.predict_proba(x_test), softmax(-distance / 2, axis=1))


def test_empirical_bayes_means_are_those_that_generators_are_fitted_with() -> None:
    x, y = _gaussians(30, 80)
    x, y = x[:24], y[:24].copy()
    y[:9] = "a"  # unbalanced
    obs = pd.DataFrame({"condition": y, "level": "bulk", "donor": np.arange(24).astype(str)})
    profiles = ad.AnnData(x, obs=obs.set_index(obs["donor"].rename(None)))
    reference = fit_class_means(profiles).of([(name, "bulk") for name in "abc"])
    model = c.EmpiricalBayesMeans(10.0).fit(x, y, np.ones(24))
    np.testing.assert_allclose(model.means, reference, atol=1e-8)
    # Copies that share a row's weight change nothing.
    twice = c.EmpiricalBayesMeans(10.0).fit(np.vstack([x, x]), np.concatenate([y, y]), np.full(48, 0.5))
    np.testing.assert_allclose(twice.means, model.means)
    # The class with fewest rows is drawn to the others most.
    moved = [np.linalg.norm(m - x[y == k].mean(0)) for k, m in zip("abc", model.means, strict=True)]
    assert np.argmax(moved) == np.argmin([(y == k).sum() for k in "abc"])


def test_one_row_per_class_is_its_own_mean_to_empirical_bayes() -> None:
    x, y = _gaussians(3, 50, gap=3)
    x_test, y_test = _gaussians(60, 50, seed=1, gap=3)
    found = c.fit_predict("empirical_bayes", x, y, None, x_test, 0)[0]
    nearest = ((x_test[:, None] - x) ** 2).sum(2).argmin(1)
    np.testing.assert_array_equal(found, y[nearest])


def test_the_baseline_is_the_simplest_of_those_that_do_as_well() -> None:
    x, y = _gaussians(90, 60, gap=4)
    choices = c.choose_baseline(x, y, 0)
    assert set(choices) == {*c.BASELINES, c.BEST} and choices[c.BEST].name == c.BASELINES[0]
    # Classes that differ along one direction in which they vary little: centroids cannot see it.
    rng = np.random.default_rng(2)
    label = np.repeat(["a", "b"], 60).astype(object)
    shared = 5 * rng.normal(size=(120, 1))
    x = np.hstack([shared + 0.1 * rng.normal(size=(120, 1)) + 0.2 * (label == "b")[:, None], shared])
    best = c.choose_baseline(x, label, 0)[c.BEST]
    assert best.name not in ("nearest_centroids", "empirical_bayes") and best.accuracy > 0.8
    assert c.choose_baseline(x[::60], label[::60], 0)[c.BEST].name == "logistic"  # too few rows to choose


def test_metrics_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    truth = rng.choice(["a", "b", "c"], size=90).astype(object)
    scores = rng.dirichlet(np.ones(3), size=90)
    classes = np.array(["a", "b", "c"], dtype=object)
    predictions = classes[scores.argmax(1)]
    found = c.metrics(truth, predictions, scores, classes)
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, predictions))
    assert found["macro_f1"] == pytest.approx(f1_score(truth, predictions, average="macro"))
    one_hot = truth[:, None] == classes
    assert found["auprc"] == pytest.approx(average_precision_score(one_hot, scores, average="macro"))
    assert found["accuracy"] == pytest.approx((truth == predictions).mean())


def test_a_class_absent_from_training_scores_its_prevalence() -> None:
    truth = np.array(["a", "a", "b", "z"], dtype=object)
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.5, 0.5]])
    found = c.metrics(truth, np.array(["a", "a", "b", "a"], dtype=object), scores, np.array(["a", "b"], dtype=object))
    assert found["auprc"] == pytest.approx((1 + 1 + 0.25) / 3)
    assert found["balanced_accuracy"] == pytest.approx(2 / 3)


def test_majority_rate() -> None:
    assert c.majority_rate(np.array(["a", "a", "b"]), np.array(["a", "b", "b", "b"])) == 0.25


def test_unknown_classifier_is_named() -> None:
    with pytest.raises(UserError, match="unknown classifier 'forest'"):
        c.make_classifier("forest", seed=0, n_train=10, setting=1.0, genes=5)


def test_setting_has_the_least_loss_within_half_a_standard_error_of_the_best_held_out_accuracy() -> None:
    x, y = _gaussians(150, 60, gap=1)
    x, y = np.concatenate([x, x[:1]]), np.append(y, "once")  # a class of one row is trained on, never judged
    chosen = c.choose_setting("logistic", x, y, 3).setting
    codes = np.unique(y, return_inverse=True)[1]
    kinds, counts = np.unique(y[:-1], return_counts=True)
    means, losses = [], []
    for penalty in c.GRIDS["logistic"]:
        deals = []
        for i in range(c.DEALS):
            split = PredefinedSplit(c.stratified_folds(codes, derive(3, "penalty", i)))
            model = LogisticRegression(C=penalty, class_weight="balanced", max_iter=500)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a fold without the class of one row
                scores = cross_val_predict(model, x, y, cv=split, method="predict_proba")[:-1]
            predicted = np.append(kinds, "once")[scores.argmax(1)]
            loss = [log_loss(y[:-1][y[:-1] == k] == k, scores[y[:-1] == k, i], labels=[False, True])
                    for i, k in enumerate(kinds)]  # fmt: skip
            deals.append((recall_score(y[:-1], predicted, average="macro", labels=kinds), np.mean(loss)))
        accuracy, loss = np.mean(deals, axis=0)
        means.append(accuracy)
        losses.append(loss)
    best = max(means)
    error = np.sqrt(best * (1 - best) * (1 / counts).sum()) / len(counts)
    allowed = [i for i, mean in enumerate(means) if mean >= best - error / 2]
    assert len(allowed) > 1
    assert chosen == c.GRIDS["logistic"][min(allowed, key=lambda i: losses[i])]


@given(st.lists(st.integers(0, 3), min_size=10, max_size=40), st.integers(0, 5))
def test_folds_part_every_class_as_evenly_as_can_be(codes: list[int], seed: int) -> None:
    folds = c.stratified_folds(np.array(codes), seed)
    for code in set(codes):
        sizes = np.bincount(folds[np.array(codes) == code], minlength=c.FOLDS)
        assert sizes.max() - sizes.min() <= 1
