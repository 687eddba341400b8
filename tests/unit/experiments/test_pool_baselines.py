"""Baselines of the combination without a generator: closed forms, and what they do without evidence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from pseudocohort.experiments.combination import pool_baselines as methods
from pseudocohort.experiments.combination.baselines import Cells
from pseudocohort.experiments.combination.finish import finish
from pseudocohort.experiments.combination.pool_baselines import Draw

LABELS = np.array(["a", "b", "c"], dtype=object)


def drawn(
    seed: int = 0, k: int = 3, *, shared: float = 0.7, n: int = 200, lines: bool = True
) -> tuple[Draw, np.ndarray, np.ndarray]:
    """A draw of three conditions that are clusters, and test profiles with their labels."""
    rng = np.random.default_rng(seed)
    contrast = rng.normal(size=(3, 120)) * 0.5
    contrast -= contrast.mean(0)
    own = shared * contrast + np.sqrt(1 - shared**2) * 0.5 * rng.normal(size=contrast.shape)
    of_line = np.repeat(range(3), 6)
    cells = Cells(
        4 + own[of_line] + 0.5 * rng.normal(size=(18, 120)), LABELS[of_line], np.array([f"l{i}" for i in range(18)])
    )
    y = np.repeat(range(3), k)
    pool, test = rng.choice(3, n, p=[0.6, 0.25, 0.15]), np.repeat(range(3), 30)
    x, unlabelled, held_out = (contrast[v] + rng.normal(size=(len(v), 120)) for v in (y, pool, test))
    return Draw(LABELS, x, LABELS[y], unlabelled, cells if lines else None, seed), held_out, LABELS[test]


def accuracy(method: methods.Method, draw: Draw, x: np.ndarray, y: np.ndarray) -> float:
    scores, classes = method(draw, x)
    assert scores.shape == (len(x), len(classes))
    assert np.isfinite(scores).all()
    return balanced_accuracy_score(y.astype(str), classes[scores.argmax(1)].astype(str))


@pytest.mark.parametrize("name", [*methods.WITHOUT_POOL, *methods.WITH_POOL])
@pytest.mark.parametrize("k", [0, 1, 4])
def test_every_method_uses_lines_that_know_the_contrasts(name, k):
    assert accuracy((methods.WITHOUT_POOL | methods.WITH_POOL)[name], *drawn(k=k)) > 0.6


@pytest.mark.parametrize("name", methods.OF_PATIENTS)
def test_methods_without_lines_use_patients(name):
    assert accuracy(methods.OF_PATIENTS[name], *drawn(k=4, lines=False)) > 0.6


def test_centring_makes_methods_blind_to_a_shift_of_the_labelled_and_tested_patients():
    """They lie around the mean of their own class means, wherever the pool's mean, with its shares, lies."""
    draw, x, _ = drawn(k=4)
    shift = np.full(120, 0.7)
    moved = Draw(LABELS, draw.x + shift, draw.y, draw.pool, draw.cells, draw.seed)
    for name in ("stacking_centred", "ridge_map", "shrunken_centroids"):
        first, second = (
            m[0] for m in (methods.WITHOUT_POOL[name](draw, x), methods.WITHOUT_POOL[name](moved, x + shift))
        )
        np.testing.assert_allclose(first, second, atol=1e-4)


def test_shrunken_centroids_are_the_lines_contrasts_or_the_patients_means():
    draw, _, _ = drawn(k=4)
    x = draw.x - draw.centre
    means = np.stack([x[draw.y == c].mean(0) for c in LABELS])
    np.testing.assert_allclose(methods._shrunken(draw, x, draw.y, 0.0), means)
    np.testing.assert_allclose(methods._shrunken(draw, x, draw.y, 1e6), draw.contrasts())
    one = methods._shrunken(draw, x, draw.y, 0.4)
    np.testing.assert_allclose(np.abs(one - means).max(), 0.2)  # .4 standard errors of a mean over four


def test_mixture_that_declines_falls_back():
    draw, x, y = drawn(k=2, n=30)
    assert not draw.named.parts
    for method in (methods.em, methods.em_logistic):
        np.testing.assert_array_equal(method(draw, x)[0], methods.empirical_bayes_centred(draw, x)[0])
    alone, x, y = drawn(k=2, n=30, lines=False)
    np.testing.assert_array_equal(methods.em(alone, x)[0], methods.own_centre(alone, x)[0])


def test_best_baseline_is_named_and_gains_are_paired():
    def rows(generator: str, regime: str, values: list[float]) -> list[dict]:
        keys = {"generator": generator, "regime": regime, "n_real": 1, "metric": "balanced_accuracy", "task": None}
        return [keys | {"estimator": "logistic", "repeat": i, "value": v} for i, v in enumerate(values)]

    table = pd.DataFrame(
        rows("stacking", "both", [0.6, 0.8])
        + rows("ridge_map", "both", [0.7, 0.8])
        + rows("em_logistic", "both", [0.9, 0.9])
        + rows("em", "permuted", [1.0, 1.0])  # wrong names are no baseline
        + rows("mvn", "both", [0.85, 0.95])
    )
    found = finish(table)
    best = found[found["generator"] == "best_without_pool"]
    assert list(best["estimator"]) == ["ridge_map"] * 2
    assert list(best["value"]) == [0.7, 0.8]
    assert set(found.loc[found["generator"] == "best_with_pool", "estimator"]) == {"em_logistic"}
    gain = found[(found["generator"] == "mvn") & (found["metric"] == "gain_over_best_without_pool")]
    np.testing.assert_allclose(gain["value"], [0.15, 0.15])
    gain = found[(found["generator"] == "mvn") & (found["metric"] == "gain_over_em_logistic")]
    np.testing.assert_allclose(gain["value"], [-0.05, 0.05])
