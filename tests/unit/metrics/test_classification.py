"""Metrics of classification against scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from pseudocohort.metrics.classification import average_precision, macro_f1


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_average_precision_is_that_of_scikit_learn_to_the_last_bit(seed: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    score = rng.normal(size=rng.integers(2, 200))
    score = score.round(1) if ties else score
    truth = rng.random(len(score)) < 0.3
    truth[rng.integers(len(score))] = True
    assert average_precision(truth, score) == average_precision_score(truth, score)


def test_average_precision_refuses_scores_without_an_order() -> None:
    with pytest.raises(ValueError, match="not finite"):
        average_precision(np.array([True, False]), np.array([np.nan, 1.0]))


@pytest.mark.parametrize("seed", range(20))
def test_macro_f1_is_that_of_scikit_learn_to_the_last_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = np.array(["a", "b", "c", "d"], dtype=object)
    truth, predictions = names[rng.integers(0, 3, 50)], names[rng.integers(1, 4, 50)]
    expected = f1_score(truth, predictions, labels=np.unique(truth), average="macro", zero_division=0)
    assert macro_f1(truth, predictions) == expected
