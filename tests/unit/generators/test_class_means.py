"""Class means against the mixed model's equations, its closed forms and its limits."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from pseudocohort.generators.space import variance_components
from pseudocohort.generators.space.means import fit_class_means
from pseudocohort.generators.space.variance_components import Classes, contrast_covariance, predicted_means


def profiles(x, condition, level, donor=None) -> ad.AnnData:
    """Profiles with the labels that class means read."""
    donor = [f"d{i}" for i in range(len(x))] if donor is None else donor
    obs = pd.DataFrame({"condition": condition, "level": level, "donor": donor}, index=[f"s{i}" for i in range(len(x))])
    return ad.AnnData(np.asarray(x, np.float32), obs=obs)


def drawn(conditions: int, genes: int, gamma: np.ndarray, seed: int) -> tuple[Classes, np.ndarray, np.ndarray]:
    """Class means of known contrasts, some classes missing; their noise, and the true means (conditions × levels)."""
    rng = np.random.default_rng(seed)
    levels = len(gamma)
    truth = rng.standard_normal((conditions, genes, levels)) @ np.linalg.cholesky(gamma).T
    truth = truth.transpose(0, 2, 1) + rng.standard_normal((levels, genes))
    seen = rng.random((conditions, levels)) < 0.8
    seen[0], size = True, rng.integers(1, 9, (conditions, levels))
    condition, level = np.nonzero(seen)
    noise = 1.0 / size[seen]
    mean = truth[seen] + np.sqrt(noise)[:, None] * rng.standard_normal((seen.sum(), genes))
    return Classes(mean, size[seen], condition, level, np.zeros(levels, bool)), noise, truth


GAMMA = np.array([[0.5, 0.3, 0.0], [0.3, 0.4, 0.1], [0.0, 0.1, 0.3]])


def test_predictions_solve_hendersons_mixed_model_equations():
    classes, noise, _ = drawn(6, 20, GAMMA, 1)
    levels, conditions = len(GAMMA), 6
    fixed = np.eye(levels)[classes.level]
    random = np.eye(conditions * levels)[classes.condition * levels + classes.level]
    inverse = np.diag(1 / noise)
    system = np.block(
        [
            [fixed.T @ inverse @ fixed, fixed.T @ inverse @ random],
            [
                random.T @ inverse @ fixed,
                random.T @ inverse @ random + np.kron(np.eye(conditions), np.linalg.inv(GAMMA)),
            ],
        ]
    )
    solved = np.linalg.solve(system, np.concatenate([fixed.T, random.T]) @ inverse @ classes.mean)
    expected = solved[:levels] + solved[levels:].reshape(conditions, levels, -1)
    np.testing.assert_allclose(predicted_means(classes, noise, GAMMA), expected, atol=2e-3)  # of levels' flat prior


@pytest.fixture
def exact(monkeypatch):
    """No prior, and iterations to the end."""
    monkeypatch.setattr(variance_components, "PRIOR_CONDITIONS", 0.0)
    monkeypatch.setattr(variance_components, "TOLERANCE", 1e-9)


def test_covariance_of_contrasts_is_found_with_many_conditions(exact):
    classes, noise, _ = drawn(60, 600, GAMMA, 2)
    np.testing.assert_allclose(contrast_covariance(classes, noise, np.ones(3)), GAMMA, atol=0.03)


def test_variance_of_contrasts_at_one_level_is_that_of_the_analysis_of_variance(exact):
    """Balanced, the restricted likelihood has the closed form: variance of the means less their noise."""
    rng = np.random.default_rng(3)
    mean = rng.normal(0, 0.9, (7, 400))
    classes = Classes(mean, np.full(7, 4), np.arange(7), np.zeros(7, int), np.zeros(1, bool))
    found = contrast_covariance(classes, np.full(7, 0.25), np.ones(1))
    assert found[0, 0] == pytest.approx(mean.var(0, ddof=1).mean() - 0.25, rel=0.005)


def test_predictions_are_nearer_to_the_truth_than_observed_means():
    classes, noise, truth = drawn(12, 200, GAMMA, 4)
    gamma = contrast_covariance(classes, noise, np.full(3, 0.4))
    predicted = predicted_means(classes, noise, gamma)[classes.condition, classes.level]
    errors = [((means - truth[classes.condition, classes.level]) ** 2).mean() for means in (predicted, classes.mean)]
    assert errors[0] < 0.75 * errors[1]


def test_prior_of_class_means_fades_as_real_profiles_come():
    rng = np.random.default_rng(4)
    p, distances = 200, []
    contrast = rng.normal(size=p)
    for k in (1, 3, 30):
        means = {"A": contrast + 0.5 * rng.normal(size=p), "B": -contrast + 0.5 * rng.normal(size=p)}
        rows, condition, level = [], [], []
        for c, sign in (("A", 1), ("B", -1)):
            rows += [means[c] + rng.normal(size=p) for _ in range(k)]
            rows += [sign * contrast + 0.1 * rng.normal(size=p) for _ in range(5)]
            condition += [c] * (k + 5)
            level += ["tumour"] * k + ["pseudobulk"] * 5
        data = profiles(np.stack(rows), condition, level)
        raw, predicted = data.X[:k].mean(0), fit_class_means(data).mean["A", "tumour"]
        assert np.linalg.norm(predicted - means["A"]) <= np.linalg.norm(raw - means["A"]) * 1.02
        distances.append(np.linalg.norm(predicted - raw))
    assert distances[2] < distances[1]


def test_bootstraps_of_a_line_count_once():
    rng = np.random.default_rng(5)
    x, condition = rng.normal(size=(6, 30)), ["A", "A", "A", "B", "B", "B"]
    donor = [f"d{i}" for i in range(6)]
    once = fit_class_means(profiles(x, condition, ["tumour"] * 6, donor))
    rows = [0, 0, 0, 0, 1, 2, 3, 4, 5]
    often = profiles(x[rows], [condition[i] for i in rows], ["tumour"] * 9, [donor[i] for i in rows])
    np.testing.assert_allclose(fit_class_means(often).mean["A", "tumour"], once.mean["A", "tumour"], atol=1e-6)


def test_contrast_of_an_unseen_condition_is_taken_by_the_slope_that_the_others_show():
    """Lines show twice the contrasts of tissue: the unseen one is halved; with permuted lines little is left of it."""
    rng = np.random.default_rng(4)
    contrast, names = rng.normal(size=(9, 200)), [f"c{i}" for i in range(9)]
    x, level = np.concatenate([contrast[:8], 2 * contrast]), ["tumour"] * 8 + ["pseudobulk"] * 9
    origin = contrast[:8].mean(0)
    found = fit_class_means(profiles(x, names[:8] + names, level)).mean["c8", "tumour"] - origin
    np.testing.assert_allclose(found, contrast[8] - origin, atol=0.15 * np.abs(contrast[8] - origin).max())
    permuted = names[:8] + np.roll(names[:8], 1).tolist() + ["c8"]
    left = fit_class_means(profiles(x, permuted, level)).mean["c8", "tumour"] - origin
    assert np.linalg.norm(left) < 0.5 * np.linalg.norm(contrast[8] - origin)


def test_a_level_with_one_condition_says_nothing_of_others():
    """Her2 alone among the lines has no contrast there that a tumour of it could be placed by."""
    x = np.random.default_rng(6).normal(size=(8, 40))
    condition, level = ["A", "A", "B", "B", "B", "A", "C", "C"], ["tumour"] * 6 + ["pseudobulk"] * 2
    found = fit_class_means(profiles(x, condition, level))
    assert ("C", "pseudobulk") in found.mean and ("C", "tumour") not in found.mean


def test_conditions_of_one_level_only_do_not_move_what_both_levels_share():
    """Lines of types that no tumour has: the tumours' contrast of A and B is still placed among tumours' types."""
    rng = np.random.default_rng(7)
    contrast = {c: rng.normal(size=300) for c in "ABCDEFG"}
    tumours, lines = "ABCDE", "ABFG"
    rows = [(c, "tumour", contrast[c] + rng.normal(size=300)) for c in tumours for _ in range(2)]
    rows += [(c, "pseudobulk", contrast[c] + 0.1 * rng.normal(size=300)) for c in lines for _ in range(4)]
    found = fit_class_means(profiles(np.stack([r[2] for r in rows]), [r[0] for r in rows], [r[1] for r in rows]))
    for c in "AB":
        raw = np.mean([r[2] for r in rows if r[:2] == (c, "tumour")], axis=0)
        errors = [np.linalg.norm(m - contrast[c]) for m in (found.mean[c, "tumour"], raw)]
        assert errors[0] < errors[1]
