"""The downstream classifiers and their metrics, against scikit-learn and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, balanced_accuracy_score, f1_score, recall_score
from sklearn.model_selection import PredefinedSplit, cross_val_predict

from pseudocohort.core.errors import UserError
from pseudocohort.core.seeds import derive
from pseudocohort.experiments.shared import classifiers as c


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
    _, scores, classes = c.fit_predict("logistic", x, y, weight, x_test, 0, c=0.01)
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


@pytest.mark.parametrize("name", c.CLASSIFIERS)
def test_each_classifier_comes_near_bayes_and_is_deterministic(name: str) -> None:
    x, y = _gaussians(300, 50, gap=1.5)
    x_test, y_test = _gaussians(300, 50, seed=1, gap=1.5)
    first = c.fit_predict(name, x, y, None, x_test, 3)
    again = c.fit_predict(name, x, y, None, x_test, 3)
    np.testing.assert_array_equal(first[1], again[1])
    means = np.random.default_rng(99).normal(size=(3, 50)) * 1.5 / np.sqrt(50) * 3
    bayes = np.array(["a", "b", "c"], dtype=object)[(x_test @ means.T - (means**2).sum(1) / 2).argmax(1)]
    assert c.balanced_accuracy(y_test, first[0]) > c.balanced_accuracy(y_test, bayes) - 0.06


@pytest.mark.parametrize("name", c.CLASSIFIERS)
def test_binary_scores_have_a_column_per_class(name: str) -> None:
    x, y = make_classification(60, 10, class_sep=2, random_state=0)
    predictions, scores, classes = c.fit_predict(name, x, y, None, x, 0)
    assert scores.shape == (60, 2)
    np.testing.assert_array_equal(classes[scores.argmax(1)], predictions)
    assert c.balanced_accuracy(y, predictions) > 0.85


@pytest.mark.parametrize("name", c.CLASSIFIERS)
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
    weighted = c.fit_predict("logistic", x, y, weight, x, 0, c=0.1)[1]
    np.testing.assert_allclose(weighted, c.fit_predict("logistic", *doubled, None, x, 0, c=0.1)[1], atol=1e-3)


def test_penalty_is_chosen_by_the_data_and_default_for_few_rows() -> None:
    x, y = _gaussians(60, 200, gap=2)
    assert c.choose_c("logistic", x[:5], y[:5], 0) == c.DEFAULT_C["logistic"]
    assert c.choose_c("mlp", x, y, 0) == c.DEFAULT_C["mlp"]
    # Nearly separable with any penalty: ties go to the strongest.
    assert c.choose_c("logistic", *_gaussians(60, 200, gap=6), 0) == c.C_GRID[0]
    # A small gene decides and a large one distracts: only a weak penalty lets the small one speak.
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1], 150)
    large = 3 * rng.normal(size=300) + 1.5 * label
    small = 0.2 * (2 * label - 1) + 0.05 * rng.normal(size=300)
    assert c.choose_c("logistic", np.column_stack([large, small]), label, 0) >= 0.1


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
        c.make_classifier("forest", seed=0, n_train=10, c=1.0)


def test_penalty_is_the_strongest_within_half_a_standard_error_of_the_best_held_out_accuracy() -> None:
    x, y = _gaussians(150, 60, gap=1)
    x, y = np.concatenate([x, x[:1]]), np.append(y, "once")  # a class of one row is trained on, never judged
    chosen = c.choose_c("logistic", x, y, 3)
    counts = np.unique(y[:-1], return_counts=True)[1]
    means = []
    for penalty in c.C_GRID:
        deals = []
        for i in range(c.DEALS):
            folds = c.stratified_folds(np.unique(y, return_inverse=True)[1], derive(3, "penalty", i))
            predicted = cross_val_predict(
                LogisticRegression(C=penalty, class_weight="balanced", max_iter=500), x, y, cv=PredefinedSplit(folds)
            )
            deals.append(recall_score(y[:-1], predicted[:-1], average="macro", labels=np.unique(y[:-1])))
        means.append(np.mean(deals))
    best = max(means)
    error = np.sqrt(best * (1 - best) * (1 / counts).sum()) / len(counts)
    allowed = [p for p, mean in zip(c.C_GRID, means, strict=True) if mean >= best - error / 2]
    assert chosen == allowed[0]


@given(st.lists(st.integers(0, 3), min_size=10, max_size=40), st.integers(0, 5))
def test_folds_part_every_class_as_evenly_as_can_be(codes: list[int], seed: int) -> None:
    folds = c.stratified_folds(np.array(codes), seed)
    for code in set(codes):
        sizes = np.bincount(folds[np.array(codes) == code], minlength=c.FOLDS)
        assert sizes.max() - sizes.min() <= 1
