"""CAMDA track: folds by donor, metrics against scikit-learn and closed forms, controls where they must stand."""

from __future__ import annotations

from functools import partial

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.metrics.pairwise import rbf_kernel
from support.scores import config, made_by, mean, score

from pseudocohort.core.errors import UserError
from pseudocohort.experiments.camda import score as track
from pseudocohort.experiments.camda.figures.camda import draw
from pseudocohort.experiments.shared.statistics import summarise
from pseudocohort.experiments.shared.verdicts import verdicts
from pseudocohort.plan.members import members
from pseudocohort.plan.requests import request
from pseudocohort.plan.training_sets import training_sets

LEVEL = {"technology": "bulk", "aggregation": "bulk", "context": "tumour", "level": "tumour"}


def _profiles(n: int = 150, genes: int = 24, seed: int = 0) -> ad.AnnData:
    """Three conditions; every fifth donor has two profiles."""
    rng = np.random.default_rng(seed)
    condition = np.resize(list("abc"), n)
    mean = {c: 6 + 1.2 * rng.normal(size=genes) for c in "abc"}
    x = np.stack([mean[c] for c in condition]) + rng.normal(size=(n, genes))
    donor = [f"p{i}" for i in range(n)]
    for i in range(0, n - 3, 15):
        donor[i + 3] = donor[i]
    obs = pd.DataFrame(
        {"condition": condition, "dataset": "d", "donor": donor, **LEVEL}, index=[f"s{i}" for i in range(n)]
    )
    obs["split"] = "train"
    return ad.AnnData(x.astype(np.float32), obs=obs)


_config = partial(config, "camda", seed=4, generators=["g"], level="tumour", folds=5, repeats=1, neighbours=5)


def _copies(train: ad.AnnData, wanted: pd.DataFrame) -> np.ndarray:
    rows = {c: list(np.flatnonzero((train.obs["condition"] == c).to_numpy())) for c in "abc"}
    return np.asarray(train.X)[[rows[c].pop() for c in wanted["condition"]]]


def _noise(train: ad.AnnData, wanted: pd.DataFrame) -> np.ndarray:
    return np.random.default_rng(0).normal(6, 1, (len(wanted), train.n_vars)).astype(np.float32)


@pytest.fixture(scope="module")
def scored() -> pd.DataFrame:
    profiles, study = _profiles(), _config()
    tables = [score(track.camda, profiles, study)]
    for generator, make in (("copy", _copies), ("independent", _noise)):
        tables.append(score(track.camda, profiles, study, made_by(make, profiles, study), generator))
    return pd.concat(tables, ignore_index=True)


def test_folds_keep_donors_together_and_every_profile_is_tested_once() -> None:
    profiles, config = _profiles(), _config()
    rows = training_sets(config)
    table = members(profiles.obs, rows, config).astype({"role": str})
    tested = table.loc[table["role"] == "test", "sample_id"]
    assert sorted(tested) == sorted(profiles.obs_names)
    for name, fold in table.groupby("training_set", observed=True):
        donors = {r: set(profiles.obs.loc[g["sample_id"], "donor"]) for r, g in fold.groupby("role")}
        assert not donors["train"] & donors["test"], name
        counts = profiles.obs.loc[fold.loc[fold["role"] == "test", "sample_id"], "condition"].value_counts()
        assert counts.max() - counts.min() <= 4
        row = next(r for r in rows if r["training_set"] == name)
        train = fold[fold["role"] == "train"]
        wanted = request(row, fold, profiles.obs, config)
        assert wanted["condition"].value_counts().to_dict() == train["condition"].astype(str).value_counts().to_dict()
    with pytest.raises(UserError, match="fewer than folds"):
        members(profiles.obs, training_sets(_config(folds=60)), _config(folds=60))


def test_copies_reach_real_and_are_exposed_and_noise_is_chance(scored: pd.DataFrame) -> None:
    assert mean(scored, "accuracy", "copy") == pytest.approx(mean(scored, "accuracy", "real"), abs=1e-9)
    assert mean(scored, "dcr", "copy") == pytest.approx(0, abs=1e-6)
    assert mean(scored, "memorisation_share", "copy") > 0.95
    assert mean(scored, "dcr_base", "real") > 1
    assert abs(mean(scored, "accuracy", "independent") - 1 / 3) < 0.15
    assert mean(scored, "feature_overlap", "copy") > mean(scored, "feature_overlap", "independent")
    assert mean(scored, "coverage", "copy") > 0.8


def test_mmd_is_the_one_of_scikit_learns_kernel() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(20, 5)), rng.normal(size=(30, 5)) + 0.5
    k = [rbf_kernel(x, y, gamma=1 / 5) for x, y in ((a, a), (b, b), (a, b))]
    expected = sum((m.sum() - len(m)) / (len(m) * (len(m) - 1)) for m in k[:2]) - 2 * k[2].mean()
    assert track.mmd_rbf(a, b) == pytest.approx(expected)


def test_scores_are_one_against_rest_and_macro_average_precision() -> None:
    rng = np.random.default_rng(2)
    y = np.resize(list("abc"), 90)
    x = rng.normal(size=(90, 6)) + np.eye(3, 6)[np.resize(range(3), 90)]
    found = track._scores(track._classifier(x[:60], y[:60]), x[60:], y[60:])
    score = np.column_stack(
        [LogisticRegression(max_iter=1000).fit(x[:60], y[:60] == c).predict_proba(x[60:])[:, 1] for c in "abc"]
    )
    assert found["accuracy"] == pytest.approx(np.mean(np.array(list("abc"))[score.argmax(1)] == y[60:]))
    score = score / score.sum(1, keepdims=True)  # probabilities over classes
    expected = np.mean([average_precision_score(y[60:] == c, s) for c, s in zip("abc", score.T, strict=True)])
    assert found["auprc"] == pytest.approx(expected)


def test_important_features_are_the_planted_ones() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(300, 60))
    y = np.resize(list("ab"), 300)
    x[y == "a", :10] += 3
    model = track._classifier(x, np.where(y == "a", "b1", "a0"))
    assert track.important_features(model) >= set(range(10))


def test_discriminative_f1_of_a_coin_flip_is_what_the_imbalance_gives() -> None:
    """Same distribution: .5 of the calls are "real"; real are (.3 n + m) of (.6 n + m)."""
    rng = np.random.default_rng(4)
    values = [track.discriminative_f1(*(rng.normal(size=(n, 3)) for n in (400, 400, 100)), seed) for seed in range(20)]
    share = (0.3 * 400 + 100) / (0.6 * 400 + 100)
    assert np.mean(values) == pytest.approx(2 * share * 0.5 / (share + 0.5), abs=0.06)
    far = track.discriminative_f1(rng.normal(size=(200, 3)), rng.normal(size=(200, 3)) + 9, rng.normal(size=(50, 3)), 0)
    assert far > 0.99


def test_dcr_is_the_mean_distance_to_the_nearest_training_profile(scored: pd.DataFrame) -> None:
    profiles, config = _profiles(), _config()
    rows = training_sets(config)
    table = members(profiles.obs, rows, config).astype({"role": str})
    first = table[table["training_set"] == rows[0]["training_set"]]
    x = np.asarray(profiles[first.loc[first["role"] == "train", "sample_id"]].X, dtype=float)
    distance = cdist(x, x)
    np.fill_diagonal(distance, np.inf)
    found = scored[(scored["generator"] == "real") & (scored["metric"] == "dcr_base") & (scored["repeat"] == 0)]
    assert found["value"].item() == pytest.approx(distance.min(1).mean())


def test_verdict_quotes_ceiling_and_baseline_and_the_figure_has_a_panel_per_metric(scored: pd.DataFrame) -> None:
    named = scored.replace({"generator": {"copy": "ddpm", "independent": "mvn_camda"}})
    said = verdicts({"camda": named}, {})["questions"]["camda"]
    assert said["status"] == "yes" and "mvn_camda" in said["answer"]
    assert said["facts"][-1][0] == "Trained on real profiles"
    assert any("Against mvn_camda: accuracy +" in p for p in said["points"])
    worse = scored.replace({"generator": {"copy": "mvn_camda", "independent": "ddpm"}})
    assert verdicts({"camda": worse}, {})["questions"]["camda"]["status"] == "no"
    summary = named.groupby(["generator", "metric"], as_index=False)["value"].mean().assign(ci_low=0.1, ci_high=0.9)
    assert len(draw(summary, {}).axes) == 4


def test_the_summary_is_over_all_folds(scored: pd.DataFrame) -> None:
    summary = summarise(scored)
    rows = summary[(summary["generator"] == "copy") & (summary["metric"] == "accuracy")]
    assert rows["n"].tolist() == [5]
