"""TRANSLATE against closed forms, scikit-learn, patients simulated with a known share of own signal, and real pairs."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, Ridge

from pseudocohort.core.contracts import check_evaluation
from pseudocohort.core.errors import UserError
from pseudocohort.experiments.interventions import translation as scoring
from pseudocohort.experiments.shared.statistics import summarise
from pseudocohort.intervene import translation
from pseudocohort.intervene.answers import answer
from pseudocohort.intervene.graph import Graph
from pseudocohort.intervene.questions import Question
from pseudocohort.intervene.study import Study
from pseudocohort.intervene.translation import (
    Identity,
    Translation,
    leading_components,
    own_rank,
    pairs_of,
    shrunk_slopes,
    transport,
)

G = 120


def patients(n: int, seed: int, own: float = 0.5) -> ad.AnnData:
    """Pairs of three conditions: a normal programme seen in the tumour, genes of the person, and noise."""
    fixed = np.random.default_rng(7)
    loadings, means = fixed.normal(0, 0.5, (3, G)), fixed.normal(6, 1, (2, 3, G))
    personal = np.where(np.arange(G) < 20, own, 0.0)
    rng = np.random.default_rng(seed)
    condition = rng.integers(0, 3, n)
    programme, person = rng.normal(0, 1, (n, 3)), rng.normal(0, 1, (n, G)) * personal
    normal = means[0, condition] + programme @ loadings + person + rng.normal(0, 0.3, (n, G))
    tumour = means[1, condition] + own * programme @ loadings + person + rng.normal(0, 0.6, (n, G))
    obs = pd.DataFrame(
        {"donor": [f"p{i}" for i in range(n)], "dataset": "t", "condition": [f"c{k}" for k in condition]}
    )
    obs = pd.concat([obs.assign(level="tumour"), obs.assign(level="normal")], ignore_index=True)
    obs.index = [f"s{i}" for i in range(len(obs))]
    genes = [f"ENSG{i:011d}" for i in range(G)]
    var = pd.DataFrame({"symbol": [f"S{i}" for i in range(G)]}, index=genes)
    return ad.AnnData(np.concatenate([tumour, normal]).astype(np.float32), obs=obs, var=var)


def test_components_are_those_of_scikit_learn() -> None:
    x = np.random.default_rng(0).normal(size=(30, 50))
    x -= x.mean(0)
    reference = PCA(4).fit(x).components_
    ours = leading_components(x, 4)
    np.testing.assert_allclose(np.abs(ours @ reference.T), np.eye(4), atol=1e-8)
    assert len(leading_components(x[:3] - x[:3].mean(0), 10)) == 2, "no more components than the rows have"


def test_translation_is_ridge_regression_on_the_components_of_normals() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 60, G))
    a, b = a - a.mean(0), b + 0.5 * a - (b + 0.5 * a).mean(0)
    model = Translation.fit(a, b, seed=0, components=5)
    unit = np.trace(a @ a.T) / len(a)
    ridge = Ridge(alpha=model.penalty * unit * len(a), fit_intercept=False).fit(a, b @ model.components.T)
    rest = a - a @ model.components.T @ model.components
    expected = ridge.predict(a) @ model.components + rest * model.slopes
    np.testing.assert_allclose(model.change(a), expected, atol=1e-8)
    assert ((model.slopes >= 0) & (model.slopes <= 1)).all()
    assert model.slopes.mean() == pytest.approx(0.5, abs=0.1)


def test_slopes_without_shrinkage_are_those_of_least_squares() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2000, 6))
    y = x * np.array([0.0, 0.2, 0.4, 0.6, 0.8, 1.0]) + 0.1 * rng.normal(size=x.shape)
    x, y = x - x.mean(0), y - y.mean(0)
    slopes, noise = shrunk_slopes(x, y)
    exact = [LinearRegression().fit(x[:, [j]], y[:, j]).coef_[0] for j in range(6)]
    np.testing.assert_allclose(slopes, exact, atol=1e-3)
    np.testing.assert_allclose(noise, 0.01, rtol=0.1)
    noisy, _ = shrunk_slopes(rng.normal(size=(20, 200)), rng.normal(size=(20, 200)))
    assert np.abs(noisy).max() < 0.3, "slopes of noise are drawn to their mean"


def test_transport_moves_one_gaussian_onto_the_other() -> None:
    rng = np.random.default_rng(2)
    mixing = rng.normal(size=(2, 4, 4))
    a, b = (5 * k + rng.normal(size=(20_000, 4)) @ m for k, m in enumerate(mixing))
    moved = transport(a, b, a, components=4)
    np.testing.assert_allclose(moved.mean(0), b.mean(0), atol=1e-6)
    scale = np.abs(np.cov(b.T)).max()
    np.testing.assert_allclose(np.cov(moved.T) / scale, np.cov(b.T) / scale, atol=0.02)


def test_inversion_of_a_flow_is_scored_without_having_seen_the_patient() -> None:
    """It lies where normals of the class lie, knows no patient, and a patient's own normal changes nothing of it."""
    pairs = pairs_of(patients(90, 1, 0.8))
    folds = [(np.arange(10, 90), np.arange(10))]
    made = scoring.inverted(pairs, folds, {"steps": 30, "width": 16}, seed=1)
    means = pairs.take(folds[0][0]).means()
    truth = translation.centred(pairs.normal, pairs.classes, means[1])[:10]
    shift = translation.centred(pairs.tumour, pairs.classes, means[0])[:10]
    assert 0.3 < np.abs(made[:10]).mean() / np.abs(truth).mean() < 1.5 and not made[10:].any()
    assert np.corrcoef(made[:10].ravel(), shift.ravel())[0, 1] > 0.5, "it starts from the tumour"
    pairs.normal[3] += 50 * np.random.default_rng(0).normal(size=G)
    np.testing.assert_array_equal(scoring.inverted(pairs, folds, {"steps": 30, "width": 16}, seed=1), made)


def test_rank_of_the_own_normal() -> None:
    similarity = np.array([[0.9, 0.1, 0.2], [0.5, 0.5, 0.1], [0.9, 0.8, 0.1]])
    np.testing.assert_allclose(own_rank(similarity, np.arange(3)), [1, 0.75, 0])


def test_pairs_are_found_whatever_the_order_of_the_rows() -> None:
    profiles = patients(20, 0)
    pairs = pairs_of(profiles)
    shuffled = profiles[np.random.default_rng(0).permutation(profiles.n_obs)].copy()
    alone = shuffled[~((shuffled.obs["donor"] == "p3") & (shuffled.obs["level"] == "normal")).to_numpy()]
    other = pairs_of(alone)
    assert len(pairs) == 20 and len(other) == 19 and "p3" not in other.donors
    keep = pairs.donors != "p3"
    np.testing.assert_array_equal(pairs.take(np.flatnonzero(keep)).normal, other.normal)
    with pytest.raises(UserError, match="no patient has both"):
        pairs_of(profiles[(profiles.obs["level"] == "tumour").to_numpy()])


def test_score_tells_patients_with_own_signal_from_patients_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "CURVE", (12, 60))
    values = {}
    for own in (0.0, 0.8):
        table = scoring.score(patients(150, 1, own), study="s", seed=1, flow={"steps": 30, "width": 16})
        check_evaluation(table, "test")
        summary = summarise(table)
        assert {"auc"} == set(summary.loc[summary["task"] == "translate_attacked", "metric"])
        summary = summary[summary["task"] != "translate_attacked"]
        values[own] = summary[summary["regime"] == "all"].set_index(["task", "generator", "n_real", "metric"])
    null, full = values[0.0]["value"], values[0.8]["value"]
    key = ("translate", "translate", np.nan, "r2")
    assert abs(null[key]) < 0.02 and full[key] > 0.3
    assert full[key] > full["translate", "plain_shift", np.nan, "r2"] + 0.2
    for possible in ("bures", "flow_inversion"):
        assert full["translate", possible, np.nan, "r2"] < full[key]
    curve = [full["translate_curve", "translate", n, "r2"] for n in (12.0, 60.0)]
    assert curve[0] < curve[1] < full[key] + 0.05
    assert full["translate_unseen", "translate", np.nan, "r2"] > 0.2
    assert full["translate", "identity", np.nan, "own_rank"] > 0.75
    assert null["translate", "identity", np.nan, "own_rank"] == pytest.approx(0.5, abs=0.08)
    assert null["translate", "translate", np.nan, "own_rank"] == pytest.approx(0.5, abs=0.08)
    assert full["translate", "translate", np.nan, "own_rank"] > 0.75


def test_membership_attacks_find_normals_that_are_in_the_cohort_themselves() -> None:
    """Positive control: a translation that is the patient's normal; negative: one that knows the class alone."""
    pairs = pairs_of(patients(150, 1, 0.8))
    strongest = {}
    for name, made in (("copied", pairs.normal), ("class", pairs.normal[np.random.default_rng(0).permutation(150)])):
        table = pd.DataFrame(scoring.attacked(pairs, made, seed=1))
        assert set(table["repeat"]) == set(range(scoring.COINS))
        strongest[name] = table.groupby("estimator")["value"].mean().max()
    assert strongest["copied"] > 0.95 and strongest["class"] < 0.65


def test_r2_is_that_of_the_pooled_patients() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(80, 30))
    predicted = 0.5 * truth + rng.normal(size=truth.shape) * 0.3
    pooled = 1 - ((truth - predicted) ** 2).sum() / (truth**2).sum()
    values = scoring.pseudo_r2(truth, predicted)
    assert values.mean() == pytest.approx(pooled, abs=1e-3)
    draws = rng.integers(0, 80, (4000, 80))
    error, total = ((truth - predicted) ** 2).sum(1), (truth**2).sum(1)
    bootstrap = 1 - error[draws].sum(1) / total[draws].sum(1)
    assert values.std(ddof=1) / np.sqrt(80) == pytest.approx(bootstrap.std(), rel=0.1)


def test_no_patient_is_predicted_by_a_model_that_saw_him() -> None:
    """A normal that is nothing like any other must not be predicted, however often it is asked for."""
    profiles = patients(100, 2, own=0.0)
    row = ((profiles.obs["donor"] == "p5") & (profiles.obs["level"] == "normal")).to_numpy()
    profiles.X[row] += 50 * np.random.default_rng(0).normal(size=(1, G)).astype(np.float32)
    pairs = pairs_of(profiles)
    folds = [(np.setdiff1d(np.arange(100), t), t) for t in np.array_split(np.arange(100), 10)]
    made = scoring.cross_fitted(pairs, folds, seed=0)
    here = np.flatnonzero(pairs.donors == "p5")[0]
    own = np.corrcoef(made["truth"][here], made["translate"][here])[0, 1]
    assert abs(own) < 0.3


def test_identity_is_learned_from_other_patients(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = pairs_of(patients(60, 1)).common()
    rows = np.arange(len(pairs))
    folds = [(np.setdiff1d(rows, t), t) for t in np.array_split(rows, 10)]
    learned = []

    def watched(tumour: np.ndarray, normal: np.ndarray) -> Identity:
        learned.append((tumour, normal))
        return fit(tumour, normal)

    fit = Identity.fit
    monkeypatch.setattr(scoring.Identity, "fit", watched)
    scoring.identified(pairs, folds)
    for (train, _), given in zip(folds, learned, strict=True):
        for x, part in zip(given, (pairs.tumour, pairs.normal), strict=True):
            own = translation.centred(part, pairs.classes, pairs.take(train).means()[int(part is pairs.normal)])
            np.testing.assert_array_equal(x, own[train])


def test_an_answer_predicts_a_patient_by_means_and_models_that_saw_neither_profile_of_his() -> None:
    """However the patient's own normal is changed, what is predicted of it stays the same; of others it changes."""
    said = []
    for far in (0, 50):
        profiles = patients(100, 2, own=0.5)
        row = ((profiles.obs["donor"] == "p5") & (profiles.obs["level"] == "normal")).to_numpy()
        profiles.X[row] += far * np.random.default_rng(0).normal(size=(1, G)).astype(np.float32)
        graph = Graph("g", pd.DataFrame({"regulator": ["a"], "target": ["b"], "sign": [1]}))
        made = answer(Question("t", "translate"), Study.of(profiles, graph, depth=1, seed=1))
        said.append(made.extra["patients_profiles"].set_index("gene").drop(columns="symbol"))
    np.testing.assert_array_equal(said[0]["s5"], said[1]["s5"])
    assert (said[0] != said[1]).any().sum() > 80


def test_conditions_of_few_pairs_are_left_out_and_their_tumours_translated_all_the_same() -> None:
    profiles = patients(120, 1, 0.8)
    profiles.obs.loc[profiles.obs["donor"].isin(["p0", "p1"]), "condition"] = "rare"
    profiles.obs.loc[profiles.obs["donor"] == "p2", "condition"] = "lone"
    pairs = pairs_of(profiles).common()
    assert len(pairs) == 117 and set(pairs.classes) == {"c0", "c1", "c2"}
    table = scoring.score(profiles, study="s", seed=1)
    assert set(table["regime"].dropna()) == {"all", "c0", "c1", "c2"}
    graph = Graph("g", pd.DataFrame({"regulator": ["a"], "target": ["b"], "sign": [1]}))
    made = answer(Question("t", "translate"), Study.of(profiles, graph, depth=1, seed=1))
    table = made.extra["patients"].set_index("donor")
    assert made.status == "answered" and len(table) == 120
    assert table.index[~table["pair"]].tolist() == ["p0", "p1", "p2"]


def test_too_few_pairs_are_refused() -> None:
    with pytest.raises(UserError, match="21 patients have both") as error:
        scoring.score(patients(30, 0), study="s", seed=1)  # of one condition there are nine
    assert "class-mean normal" in error.value.remedy
    with pytest.raises(UserError, match="only 5 pairs"):
        Translation.fit(np.zeros((5, 9)), np.zeros((5, 9)), seed=0)


def test_identity_is_learned_from_genes_of_the_person() -> None:
    pairs = pairs_of(patients(200, 3, own=0.9))
    means = pairs.means()
    a, b = (translation.centred(x, pairs.classes, m) for x, m in zip((pairs.tumour, pairs.normal), means, strict=True))
    weights = Identity.fit(a, b, components=3).weights
    assert weights[:20].min() > weights[20:].max()


def test_bars_on_the_real_pairs(real_pairs: ad.AnnData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "CURVE", ())
    summary = summarise(scoring.score(real_pairs, study="paired", seed=1))
    summary = summary[summary["task"] != "translate_attacked"].set_index(["task", "generator", "regime", "metric"])
    r2 = summary.xs(("translate", "translate", "r2"), level=["task", "generator", "metric"])
    assert r2.loc["all", "value"] >= 0.04
    assert (r2.drop("all")["ci_low"] > 0).sum() >= 5
    gain = summary.loc[("translate", "translate", "all", "r_gain_over_plain_shift")]
    assert gain["value"] >= 0.05 and gain["ci_low"] > 0
    assert summary.loc[("translate", "identity", "all", "own_rank"), "value"] >= 0.92
    assert summary.loc[("translate", "identity", "all", "own_first"), "value"] >= 0.45
    assert summary.loc[("translate", "translate", "all", "own_rank"), "value"] > 0.65, (
        "translated profiles link persons"
    )
    assert summary.loc[("translate_unseen", "translate", "all", "r2"), "value"] > 0
