"""Lacan track: their spaces and network, controls where they must stand, folds by donor at two levels."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors
from support.scores import config, made_by, score

from pseudocohort.core.errors import UserError
from pseudocohort.experiments.lacan import score as track
from pseudocohort.experiments.lacan.figures.lacan import draw
from pseudocohort.experiments.lacan.published_network import PublishedNetwork
from pseudocohort.experiments.registry import describe
from pseudocohort.experiments.shared.statistics import summarise
from pseudocohort.experiments.shared.verdicts import verdicts
from pseudocohort.plan.members import members
from pseudocohort.plan.training_sets import training_sets
from pseudocohort.report.tables import summary_table

LEVELS = {
    level: {"technology": "bulk", "aggregation": "bulk", "context": level, "level": level}
    for level in ("tumour", "normal")
}


def _profiles(n: int = 120, genes: int = 30, seed: int = 0) -> ad.AnnData:
    """Three tissues; every donor has a tumour, and every other one a normal profile; genes share a factor."""
    rng = np.random.default_rng(seed)
    mean = {c: 6 + 1.5 * rng.normal(size=genes) for c in "abc"}
    status, shared = rng.normal(size=genes), rng.normal(size=genes)
    rows, obs = [], []
    for i in range(n):
        for level in ("tumour", "normal")[: 1 + i % 2]:
            c = "abc"[i % 3]
            shift = 0.5 * status * (level == "tumour") + 0.6 * rng.normal() * shared
            rows.append(mean[c] + shift + 0.7 * rng.normal(size=genes))
            obs.append({"condition": c, "dataset": "d", "donor": f"p{i}", **LEVELS[level], "split": "train"})
    table = pd.DataFrame(obs, index=[f"s{i}" for i in range(len(obs))])
    return ad.AnnData(np.maximum(rows, 0).astype(np.float32), obs=table)


CONFIG = config("lacan", seed=4, generators=["g"], levels=["tumour", "normal"], folds=5, repeats=1, neighbours=5)


def _keys(obs: pd.DataFrame) -> np.ndarray:
    return (obs["condition"].astype(str) + obs["level"].astype(str)).to_numpy()


def _copies(train: ad.AnnData, wanted: pd.DataFrame) -> np.ndarray:
    rows = {key: list(np.flatnonzero(_keys(train.obs) == key)) for key in set(_keys(train.obs))}
    return np.asarray(train.X)[[rows[key].pop() for key in _keys(wanted)]]


def _independent(train: ad.AnnData, wanted: pd.DataFrame) -> np.ndarray:
    rng, x = np.random.default_rng(0), np.asarray(train.X)
    out = np.empty((len(wanted), train.n_vars), np.float32)
    for key in set(_keys(wanted)):
        own, here = x[_keys(train.obs) == key], _keys(wanted) == key
        out[here] = own.mean(0) + own.std(0) * rng.normal(size=(here.sum(), train.n_vars))
    return np.maximum(out, 0)


@pytest.fixture(scope="module")
def scored() -> pd.DataFrame:
    profiles, rows = _profiles(), training_sets(CONFIG)[:3]
    tables = [score(track.lacan, profiles, CONFIG, rows=rows)]
    for generator, make in (("copy", _copies), ("independent", _independent)):
        made = made_by(make, profiles, CONFIG, rows)
        tables.append(score(track.lacan, profiles, CONFIG, made, generator, rows=rows))
    return pd.concat(tables, ignore_index=True)


@pytest.fixture(scope="module")
def means(scored: pd.DataFrame) -> pd.Series:
    return scored.groupby(["estimator", "generator", "metric"])["value"].mean()


@pytest.mark.parametrize("space", list(track.SPACES))
def test_a_photocopier_is_perfect_by_the_published_metrics_and_nothing_but_real_by_ours(means, space: str) -> None:
    copy, real = means[space, "copy"], means[space, "real"]
    assert copy[["precision_train", "recall_train", "coverage_train", "correlation_score_train"]].min() > 1 - 1e-9
    assert copy["frechet_train"] == pytest.approx(0, abs=1e-6)
    assert copy["aa_train"] == 0 < copy["aa"]
    assert copy["coverage"] == pytest.approx(real["coverage"], abs=0.15)
    assert copy["reverse_accuracy"] == pytest.approx(real["reverse_accuracy"], abs=0.12)


@pytest.mark.parametrize("space", list(track.SPACES))
def test_independent_genes_score_high_pooled_and_nothing_within_conditions(means, space: str) -> None:
    junk = means[space, "independent"]
    assert junk["correlation_score_train"] > 0.5 > 0.25 > abs(junk["correlation_score_within_train"])
    assert abs(junk["correlation_score_within"]) < 0.25 < means[space, "real"]["correlation_score_within"]


def test_spaces_are_fitted_on_training_profiles_alone() -> None:
    profiles = _profiles()
    x, obs = np.asarray(profiles.X), profiles.obs
    linear = np.exp2(x.astype(float)) - 1
    largest = track.space("max_abs", x, obs)(x, obs)
    np.testing.assert_allclose(largest, linear / linear.max(0), rtol=1e-5)
    z = track.space("z_linear", x, obs)
    np.testing.assert_allclose(z(x, obs), (linear - linear.mean(0)) / linear.std(0), rtol=1e-3, atol=1e-5)
    few = slice(0, 7)  # of other rows, nothing is fitted anew
    np.testing.assert_allclose(z(x[few], obs[few]), z(x, obs)[few], rtol=1e-5)


def test_precision_against_training_profiles_is_that_of_a_neighbour_search(scored: pd.DataFrame) -> None:
    profiles = _profiles()
    rows = training_sets(CONFIG)
    table = members(profiles.obs, rows[:1], CONFIG).astype({"role": str})
    train, test = (profiles[table.loc[table["role"] == role, "sample_id"]] for role in ("train", "test"))
    transform = track.space("max_abs", np.asarray(train.X), train.obs)
    x, y = (transform(np.asarray(part.X), part.obs).astype(float) for part in (train, test))
    radius = NearestNeighbors(n_neighbors=6).fit(x).kneighbors(x)[0][:, -1]
    distance = np.sqrt(((y[:, None] - x[None]) ** 2).sum(-1))
    inside = (distance <= radius).any(1).mean()
    found = scored.query(
        "generator == 'real' and metric == 'precision_train' and estimator == 'max_abs' and repeat == 0"
    )
    assert found["value"].item() == pytest.approx(inside, abs=1e-9)


def test_the_published_network_has_the_published_layers_and_learns_what_a_linear_classifier_does() -> None:
    rng = np.random.default_rng(1)
    y = np.resize(list("aaab"), 400)
    x = rng.normal(size=(400, 20)) + 2.0 * np.eye(2, 20)[(y == "b").astype(int)]
    network = PublishedNetwork(3).fit(x[:300], y[:300])
    widths = [m.out_features for m in network.model.modules() if hasattr(m, "out_features")]
    assert widths == [256, 16, 2] and network.features(x).shape == (400, 16)
    linear = LogisticRegression(class_weight="balanced", max_iter=1000).fit(x[:300], y[:300])
    accuracy = [np.mean(model.predict(x[300:]) == y[300:]) for model in (network, linear)]
    assert accuracy[0] > accuracy[1] - 0.06
    again = PublishedNetwork(3).fit(x[:300], y[:300])
    np.testing.assert_array_equal(again.features(x), network.features(x))


def test_donors_are_tested_once_and_never_trained_on_then() -> None:
    profiles = _profiles()
    table = members(profiles.obs, training_sets(CONFIG), CONFIG).astype({"role": str})
    donor = profiles.obs["donor"].reindex(table["sample_id"]).to_numpy()
    tested = table[table["role"] == "test"].assign(donor=donor[table["role"] == "test"])
    assert tested["sample_id"].is_unique and set(tested["sample_id"]) == set(profiles.obs_names)
    for _, own in table.assign(donor=donor).groupby("training_set", observed=True):
        by_role = own.groupby("role")["donor"].agg(set)
        assert by_role["train"].isdisjoint(by_role["test"])


def test_folds_are_dealt_anew_and_each_time_test_every_donor_once() -> None:
    profiles = _profiles()
    config = CONFIG | {"lacan": CONFIG["lacan"] | {"repeats": 2}}
    rows = training_sets(config)
    assert [row["repeat"] for row in rows] == list(range(10)) and rows[7]["training_set"] == "lacan-r1-f2"
    table = members(profiles.obs, rows, config).astype({"role": str})
    tested = {
        name: frozenset(own["sample_id"])
        for name, own in table[table["role"] == "test"].groupby("training_set", observed=True)
    }
    for repeat in (0, 1):
        names = [row["training_set"] for row in rows if row["repeat"] // 5 == repeat]
        assert sum(len(tested[name]) for name in names) == profiles.n_obs
        assert set().union(*(tested[name] for name in names)) == set(profiles.obs_names)
    assert tested["lacan-f0"] != tested["lacan-r1-f0"]
    once = members(profiles.obs, training_sets(CONFIG), CONFIG)
    assert once["sample_id"].tolist() == table["sample_id"][: len(once)].tolist()


def test_a_condition_with_fewer_donors_than_folds_is_refused() -> None:
    profiles = _profiles(9)
    with pytest.raises(UserError, match="has 3 donors at level 'tumour' or 'normal', fewer than folds") as error:
        members(profiles.obs, training_sets(CONFIG), CONFIG)
    assert "lacan.folds" in str(error.value)


def test_verdict_table_and_figure_show_the_control_and_the_ceiling(scored: pd.DataFrame) -> None:
    named = pd.concat([scored, scored[scored["generator"] == "copy"].replace({"generator": {"copy": "ddpm"}})])
    named = named.replace({"generator": {"independent": "mvn"}})
    said = verdicts({"lacan": named}, {})["questions"]["lacan"]
    assert "those of mvn" in said["answer"] and said["notes"][0].startswith("The control copy reaches")
    assert len(said["points"]) == 3
    summary = summarise(named)
    table = summary_table(describe("lacan"), summary)
    assert table.header[:3] == ["Space", "Generator", "Reverse accuracy"] and len(table.rows) == 4 * 3
    assert len(draw(summary, {}).axes) == 4
