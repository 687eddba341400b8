"""Covariates: their effects against statsmodels, and that every generator of distributions has them."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.anova import anova_lm
from support.generators import FACTORS, FAST

from pseudocohort.core import contracts, io
from pseudocohort.core.errors import UserError
from pseudocohort.generators.base import registry
from pseudocohort.generators.fit.batch import train_batch
from pseudocohort.generators.fit.covariates import Coding, CovariateEffects, linear_effects
from pseudocohort.generators.fit.inference import expected_given, sample_batch, signals_batch
from pseudocohort.metrics.covariate_recovery import covariate_recovery
from pseudocohort.plan.requests import request
from pseudocohort.prepare.harmonise import covariate, harmonise

KINDS = {"sex": "categorical", "age": "numeric"}


def cohort(n=160, genes=40, seed=0):
    """Profiles (log2) of two conditions, one of mostly women, with effects of sex on 8 genes and of age on 8 others."""
    rng, truth = np.random.default_rng(seed), np.random.default_rng(99)
    of_sex, of_age = np.zeros(genes), np.zeros(genes)
    of_sex[:8], of_age[8:16] = truth.choice([-2, 2], 8), truth.choice([-0.8, 0.8], 8)
    condition = np.where(np.arange(n) % 2, "A", "B")
    sex = np.where(rng.random(n) < np.where(condition == "A", 0.75, 0.4), "F", "M")
    age = rng.normal(60, 10, n)
    x = 8 + np.outer(condition == "A", truth.normal(size=genes)) + rng.normal(0, 0.5, (n, genes))
    x += np.outer(sex == "F", of_sex) + np.outer((age - 60) / 10, of_age)
    obs = pd.DataFrame(
        {"donor": [f"d{i}" for i in range(n)], "dataset": "toy", "condition": condition, "level": "tumour",
         **FACTORS["tumour"], "sex": sex, "age": age, "unit": "tpm"},
        index=[f"s{i}" for i in range(n)],
    )  # fmt: skip
    var = pd.DataFrame({"symbol": [f"G{i}" for i in range(genes)]}, index=[f"ENSG{i:011d}" for i in range(genes)])
    uns = {"pseudocohort": {"unit": "log2 expression", "covariates": KINDS}}
    return ad.AnnData(x.astype(np.float32), obs=obs, var=var, uns=uns), of_sex, of_age


def codings_of(obs):
    return [Coding.fit(name, kind, obs, np.ones(len(obs))) for name, kind in sorted(KINDS.items())]


def test_effects_are_those_of_least_squares_with_a_mean_for_each_condition():
    data, _, _ = cohort()
    (of_age, of_sex), (f_age, f_sex) = linear_effects(data.X, data.obs, codings_of(data.obs))
    for gene in (0, 9, 30):
        table = data.obs.assign(y=data.X[:, gene].astype(float))
        fitted = smf.ols("y ~ C(condition) + C(sex) + age", table).fit()
        assert of_sex[1, gene] - of_sex[0, gene] == pytest.approx(fitted.params["C(sex)[T.M]"], rel=1e-6)
        assert of_age[0, gene] / table["age"].std(ddof=0) == pytest.approx(fitted.params["age"], rel=1e-6)
        tested = anova_lm(fitted, typ=3)["F"]
        assert f_sex[gene] == pytest.approx(tested["C(sex)"], rel=1e-5)
        assert f_age[gene] == pytest.approx(tested["age"], rel=1e-5)


def test_a_donors_repeated_profiles_weigh_as_one():
    data, _, _ = cohort(60)
    twice = ad.concat([data, data], index_unique="-")
    one = linear_effects(data.X, data.obs, codings_of(data.obs))
    for a, b in zip(linear_effects(twice.X, twice.obs, codings_of(data.obs)), one, strict=True):
        for of_both, of_one in zip(a, b, strict=True):
            np.testing.assert_allclose(of_both, of_one, rtol=1e-6, atol=1e-6)


def test_weak_effects_become_zero_and_strong_ones_stay():
    data, of_sex, of_age = cohort()
    effects = CovariateEffects.fit(data.X, data.obs, KINDS).effects
    women = effects[1] - effects[2]
    np.testing.assert_allclose(women[:8], of_sex[:8], atol=0.3)
    np.testing.assert_allclose(effects[0][8:16], of_age[8:16] * data.obs["age"].std(ddof=0) / 10, atol=0.15)
    assert (women[8:] == 0).mean() > 0.4 and np.abs(women[8:]).max() < 0.4


def test_missing_and_unknown_values_count_as_the_average_of_the_condition_and_effects_come_back():
    data, _, _ = cohort()
    effects = CovariateEffects.fit(data.X, data.obs, KINDS)
    without = effects.remove(data.X, data.obs)
    np.testing.assert_allclose(effects.add(without, data.obs), data.X, atol=1e-5)
    blank = data.obs.assign(sex="", age=np.nan)
    unadjusted = effects.remove(data.X, blank)
    for condition in ("A", "B"):  # mostly women, mostly men: on average what the known values take out
        own = (data.obs["condition"] == condition).to_numpy()
        np.testing.assert_allclose(unadjusted[own].mean(0), without[own].mean(0), atol=0.02)
    np.testing.assert_array_equal(effects.remove(data.X, data.obs.assign(sex="X", age=np.nan)), unadjusted)
    np.testing.assert_array_equal(effects.remove(data.X, data.obs.drop(columns=["sex", "age"])), unadjusted)
    elsewhere = blank.assign(condition="C")  # nothing is known of it
    np.testing.assert_array_equal(effects.remove(data.X, elsewhere), data.X)
    # Fitted with values missing, the effects of those that are there are much the same.
    holes = data.obs.copy()
    holes.iloc[::4, holes.columns.get_loc("sex")] = ""
    holes.iloc[1::4, holes.columns.get_loc("age")] = np.nan
    part = CovariateEffects.fit(data.X, holes, KINDS)
    np.testing.assert_allclose(part.effects, effects.effects, atol=0.35)


@pytest.mark.parametrize("name", KINDS)
def test_values_missing_where_the_covariate_goes_with_the_condition_leave_its_effect(name):
    """Half of the values of condition A are missing, and A's values lie three standard deviations from those of B."""
    data, of_sex, of_age = cohort(400)
    rng, women = np.random.default_rng(1), data.obs["condition"] == "A"
    sex = np.where(rng.random(400) < np.where(women, 0.95, 0.05), "F", "M")
    age = rng.normal(np.where(women, 80, 50), 10)
    x = data.X + np.outer((sex == "F") * 1.0 - (data.obs["sex"] == "F"), of_sex)
    x = x + np.outer((age - data.obs["age"]) / 10, of_age)
    missing = women.to_numpy() & (rng.random(400) < 0.5)
    whole = data.obs.assign(sex=sex, age=age)
    holes = whole.assign(sex=np.where(missing, "", sex), age=np.where(missing, np.nan, age))
    kinds = {name: KINDS[name]}
    effects = CovariateEffects.fit(x, holes, kinds)
    if name == "sex":
        found, truth = effects.effects[0] - effects.effects[1], of_sex
    else:
        found, truth = effects.effects[0] / effects.codings[0].spread * 10, of_age
    genes = truth != 0
    np.testing.assert_allclose(found[genes], truth[genes], atol=0.5 if name == "sex" else 0.15)
    # Asked for without a value, profiles are drawn around the mean of their condition.
    asked = effects.add(effects.remove(x, holes), holes.assign(**{name: "" if name == "sex" else np.nan}))
    np.testing.assert_allclose(asked[women].mean(0), x[women].mean(0), atol=0.1)


@pytest.mark.parametrize("broken", ["constant", "empty", "few", "within one condition"])
def test_covariates_that_say_nothing_change_nothing(broken):
    data, _, _ = cohort(8 if broken == "few" else 60)
    obs = data.obs.copy()
    if broken == "constant":
        obs["sex"], obs["age"] = "F", 50.0
    elif broken == "empty":
        obs["sex"], obs["age"] = "", np.nan
    elif broken == "within one condition":
        obs["sex"], obs["age"] = np.where(obs["condition"] == "A", "F", "M"), (obs["condition"] == "A") * 1.0
    effects = CovariateEffects.fit(data.X, obs, KINDS)
    np.testing.assert_array_equal(effects.remove(data.X, obs), data.X)


@given(st.integers(0, 2**31), st.sampled_from(["F", "M", ""]))
def test_state_is_kept(seed, sex):
    data, _, _ = cohort(60, 17, seed % 5)
    effects = CovariateEffects.fit(data.X, data.obs, KINDS)
    again = CovariateEffects.from_state(*effects.state())
    wanted = data.obs.iloc[:3].assign(sex=sex)
    np.testing.assert_allclose(again.add(data.X[:3], wanted), effects.add(data.X[:3], wanted), atol=1e-5)


MODELS = ["independent", "mvn", "mvn_camda", "ppca", "copula", "gan", "wgan_gp", "cvae", "ddpm", "flow", "unclip"]


@pytest.mark.parametrize("name", MODELS)
def test_profiles_have_the_effects_of_the_covariates_asked_for(name, tmp_path):
    data, of_sex, of_age = cohort()
    members = pd.DataFrame(
        {"training_set": "set", "sample_id": data.obs_names, "role": "train", "condition": data.obs["condition"]}
    )
    options = {"generator": name, "device": "cpu"}
    train_batch(
        data, members, ["set"], tmp_path / "models", settings=FAST.get(name, {}), seed=1,
        checkpoints=tmp_path / "c", checkpoint_minutes=5, **options,
    )  # fmt: skip
    wanted = data.obs.iloc[np.tile(np.arange(40), 15)][["condition", *FACTORS["tumour"], "level", "sex", "age"]]
    wanted = wanted.assign(sex=np.repeat(["F", "M", ""], 200), age=np.resize([50.0, 70.0, np.nan], 600))
    made = sample_batch(tmp_path / "models", {"set": wanted}, data.var, seeds={"set": 1}, **options)
    assert list(made.obs["sex"]) == list(wanted["sex"]) and made.obs["age"].isna().sum() == 200
    x, sex, age = np.asarray(made.X), made.obs["sex"].to_numpy(), made.obs["age"].to_numpy()
    women = x[sex == "F"].mean(0) - x[sex == "M"].mean(0)
    assert np.corrcoef(women, of_sex)[0, 1] > 0.95 and np.abs(women[:8] - of_sex[:8]).max() < 0.6
    older = (x[age == 70].mean(0) - x[age == 50].mean(0)) / 2
    assert np.corrcoef(older, of_age)[0, 1] > 0.8
    # Whose sex is not given is between the two.
    anyone = x[sex == ""].mean(0) - x[sex == "M"].mean(0)
    assert 0.2 < (anyone[:8] @ of_sex[:8]) / (women[:8] @ of_sex[:8]) < 0.8
    found = covariate_recovery((data.X, data.obs), (data.X, data.obs), (x, made.obs), KINDS)
    assert found["covariate_sex_recovered"] == pytest.approx(1, abs=0.2)
    assert found["covariate_age_recovered"] == pytest.approx(1, abs=0.35)
    io.write_profiles(made, tmp_path / "s.h5ad", contracts.SYNTHETIC)
    back = io.read_profiles(tmp_path / "s.h5ad", contracts.SYNTHETIC).obs
    assert list(back["sex"].astype(str)) == list(wanted["sex"]) and back["age"].isna().sum() == 200


@pytest.mark.parametrize("name", ["copy", "jitter", "mixup", "dp_naive_bayes"])
def test_generators_that_repeat_profiles_or_are_private_do_without(name, tmp_path):
    data, _, _ = cohort(60)
    members = pd.DataFrame(
        {"training_set": "set", "sample_id": data.obs_names, "role": "train", "condition": data.obs["condition"]}
    )
    train_batch(
        data, members, ["set"], tmp_path / "models", generator=name, settings=FAST.get(name, {}), seed=1, device="cpu",
        checkpoints=tmp_path / "c", checkpoint_minutes=5,
    )  # fmt: skip
    wanted = data.obs[["condition", *FACTORS["tumour"], "level", "sex", "age"]]
    made = sample_batch(tmp_path / "models", {"set": wanted}, data.var, generator=name, seeds={"set": 1}, device="cpu")
    assert (made.obs["sex"] == "").all() and made.obs["age"].isna().all()
    if name == "copy":
        distance = np.abs(np.asarray(made.X)[:, None] - np.asarray(data.X)[None]).max(-1).min(1)
        assert distance.max() < 1e-4
    assert not covariate_recovery((data.X, data.obs), (data.X, data.obs), (np.asarray(made.X), made.obs), KINDS)


def test_clamped_genes_and_white_box_signals_are_free_of_covariates(tmp_path):
    data, of_sex, _ = cohort()
    roles = np.where(np.arange(160) < 120, "member", "non_member")
    members = pd.DataFrame(
        {"training_set": "set", "sample_id": data.obs_names, "role": roles, "condition": data.obs["condition"]}
    )
    train_batch(
        data, members, ["set"], tmp_path / "models", generator="ddpm", settings=FAST["ddpm"], seed=1, device="cpu",
        checkpoints=tmp_path / "c", checkpoint_minutes=5,
    )  # fmt: skip
    clamped = np.full((2, data.n_vars), np.nan, np.float32)
    clamped[:, 30] = 8.0
    obs = data.obs.iloc[[1, 1]].assign(sex=["F", "M"])
    found = expected_given(tmp_path / "models/set", obs, clamped, generator="ddpm", seed=1, device="cpu")
    np.testing.assert_allclose((found[0] - found[1])[:8], of_sex[:8], atol=0.6)
    np.testing.assert_allclose(found[:, 30], 8.0, atol=1e-4)
    signals, _ = signals_batch(tmp_path / "models", data, members, ["set"], generator="ddpm", device="cpu")
    # Were the effects left in, those whose sex is rare in their condition would lie far from the components.
    outside = signals[signals["signal"] == "latent_space"].set_index("sample_id")["score"]
    rare = ((data.obs["condition"] == "A") == (data.obs["sex"] == "M")).loc[outside.index]
    assert outside[rare].mean() == pytest.approx(outside[~rare].mean(), rel=0.35)


def test_real_profiles_have_the_whole_effect_and_shuffled_covariates_none():
    data, _, _ = cohort(400)
    train, a, b = ((part.X, part.obs) for part in (data[:200], data[200:300], data[300:]))
    found = covariate_recovery(train, a, b, KINDS)
    assert found["covariate_sex_recovered"] == pytest.approx(1, abs=0.15)
    assert found["covariate_age_recovered"] == pytest.approx(1, abs=0.3)
    shuffled = b[1].assign(sex=np.random.default_rng(1).permutation(b[1]["sex"].to_numpy()))
    found = covariate_recovery(train, a, (b[0], shuffled), KINDS)
    assert abs(found["covariate_sex_recovered"]) < 0.3 and found["covariate_age_recovered"] > 0.7
    noise = train[0] - CovariateEffects.fit(*train, KINDS).of(train[1])
    assert "covariate_sex_recovered" not in covariate_recovery((noise, train[1]), a, b, KINDS)


def test_covariates_are_read_or_refused():
    one, two = cohort(6)[0], cohort(4)[0]
    one.obs["age"] = ["61", " 70 ", "", "nan", "50.5", "44"]
    two.obs = two.obs.drop(columns="age")
    assert covariate("age", "numeric", [one, two]).isna().tolist() == [
        False,
        False,
        True,
        True,
        False,
        False,
        *[True] * 4,
    ]
    assert covariate("age", "categorical", [one, two]).tolist()[:3] == ["61", "70", ""]
    one.obs["age"] = ["61", "70", "old", "", "50", "44"]
    with pytest.raises(UserError, match="'old' of sample 's2' is not a number") as caught:
        covariate("age", "numeric", [one, two])
    assert caught.value.where == "prepare.covariates.age"
    for name in ("smoker", "donor"):
        with pytest.raises(UserError, match=f"no dataset of the study has a covariate '{name}'; there are: .*sex"):
            covariate(name, "categorical", [one, two])


def test_harmonised_profiles_keep_covariates_and_requests_ask_for_them(tmp_path):
    data, _, _ = cohort(40)
    data.uns["pseudocohort"] = {"unit": "tpm", "dataset": "toy", "log_offset": 1.0}
    donors = pd.DataFrame({"donor": data.obs["donor"], "dataset": "toy", "split": "train", "genes": "yes"})
    from pseudocohort.prepare.gene_table import load_gene_table

    table = load_gene_table("resources/genes.tsv.gz")
    data.var_names = table.genes.index[: data.n_vars]
    space = {"kind": "all", "n": 9, "min_median": 0, "min_sd": 0, "min_cell_level_mean": 0}
    made, _ = harmonise([data], donors, space, table, KINDS)
    plain, _ = harmonise([data], donors, space, table)
    assert dict(made.uns["pseudocohort"]["covariates"]) == KINDS and "sex" not in plain.obs
    io.write_profiles(made, tmp_path / "h.h5ad", contracts.HARMONISED)
    again = io.read_profiles(tmp_path / "h.h5ad", contracts.HARMONISED)
    assert list(again.obs["sex"].astype(str)) == list(data.obs["sex"])
    np.testing.assert_allclose(again.obs["age"], data.obs["age"])
    io.write_profiles(plain, tmp_path / "p.h5ad", contracts.HARMONISED)
    assert not dict(io.read_profiles(tmp_path / "p.h5ad", contracts.HARMONISED).uns["pseudocohort"]["covariates"])

    members = pd.DataFrame(
        {"sample_id": again.obs_names, "role": ["test"] * 10 + ["train"] * 30, "condition": again.obs["condition"]}
    )
    row = {"training_set": "set", "experiment": "fidelity"}
    config = {"seed": 1, "fidelity": {"n_synthetic": 0}}
    asked = request(row, members, again.obs, config, covariates=KINDS)
    pairs = again.obs.iloc[:10][["sex", "age"]].astype({"sex": str})
    assert sorted(map(tuple, asked[["sex", "age"]].to_numpy())) == sorted(map(tuple, pairs.to_numpy()))
    assert "sex" not in request(row, members, again.obs, config)
    row, config = (
        {"training_set": "set", "experiment": "held_out_level", "regime": "tissue_from_cell", "task": "A"},
        {"seed": 1, "combination": {"tissue_level": "tumour"}, "held_out_level": {"n_synthetic": 5}},
    )
    anyone = request(row, members, again.obs, config, covariates=KINDS)
    assert (anyone["sex"] == "").all() and anyone["age"].isna().all() and len(anyone) == 5
    assert set(registry.get("copy").capabilities.__dataclass_fields__) >= {"covariates"}
