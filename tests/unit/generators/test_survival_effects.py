"""Generators that are conditioned on follow-up: their profiles go with survival as the training profiles do."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.duration.hazard_regression import PHReg
from support.generators import FACTORS, FAST

from pseudocohort.core.contracts import check_evaluation
from pseudocohort.experiments.fidelity.score import fidelity, patients
from pseudocohort.experiments.shared.inputs import ScoreInputs
from pseudocohort.experiments.shared.profiles import Profiles
from pseudocohort.generators.fit.batch import train_batch
from pseudocohort.generators.fit.covariates import CovariateEffects, FollowUpCoding, beyond_chance, two_groups
from pseudocohort.generators.fit.inference import sample_batch
from pseudocohort.metrics.survival import Patients, cox
from pseudocohort.plan.requests import request
from pseudocohort.release.bundle import without_follow_up

KINDS = {"days": "time", "died": "event", "age": "numeric"}
GENES, PROGNOSTIC = 120, 10


def cohort(n, seed, log_hr=0.8, shared=0.3):
    """Tumours of two conditions; ten genes go with survival. A factor is common to the others."""
    rng = np.random.default_rng(seed)
    condition = np.where(np.arange(n) % 2, "A", "B")
    x = rng.normal(size=(n, GENES))
    x[:, PROGNOSTIC:] += shared * rng.normal(size=(n, 1))
    effect = np.where(np.arange(GENES) < PROGNOSTIC, log_hr * (-1.0) ** np.arange(GENES), 0)
    time = rng.weibull(1.4, n) * np.exp(-x @ effect / 1.4) * np.where(condition == "A", 1, 3)
    censored = rng.uniform(0, 6, n)
    obs = pd.DataFrame(
        {"donor": [f"{seed}-{i}" for i in range(n)], "dataset": "toy", "condition": condition, "level": "tumour",
         **FACTORS["tumour"], "days": np.minimum(time, censored) * 1000, "died": (time <= censored) * 1.0,
         "age": rng.normal(60, 9, n), "unit": "tpm"},
        index=[f"s{seed}-{i}" for i in range(n)],
    )  # fmt: skip
    var = pd.DataFrame({"symbol": [f"G{i}" for i in range(GENES)]}, index=[f"ENSG{i:011d}" for i in range(GENES)])
    uns = {"pseudocohort": {"unit": "log2 expression", "covariates": KINDS}}
    return ad.AnnData((8 + x).astype(np.float32), obs=obs, var=var, uns=uns)


def called(data):
    """Genes that go with survival at FDR 5 %, as sets of numbers."""
    obs = data.obs
    found = cox(Patients(data.X, obs["days"].to_numpy(), obs["died"].to_numpy(), obs["condition"].to_numpy(str)))
    return set(np.flatnonzero(stats.false_discovery_control(found.p) < 0.05))


def made_of(data, folder, name="mvn"):
    members = pd.DataFrame(
        {"training_set": "set", "sample_id": data.obs_names, "role": "train", "condition": data.obs["condition"]}
    )
    options = {"generator": name, "device": "cpu"}
    train_batch(
        data, members, ["set"], folder / "models", settings=FAST.get(name, {}), seed=1, checkpoints=folder / "c",
        checkpoint_minutes=5, **options,
    )  # fmt: skip
    wanted = data.obs[["condition", *FACTORS["tumour"], "level", *KINDS]].reset_index(drop=True)
    return sample_batch(folder / "models", {"set": wanted}, data.var, seeds={"set": 1}, **options)


def test_the_number_of_a_follow_up_gives_the_score_of_cox_regression():
    data = cohort(160, 0)
    x, obs = data.X.astype(float), data.obs
    coding = FollowUpCoding.of_follow_up("days", "died", obs, np.ones(160))
    score = coding.columns(obs)[:, 0] * coding.spread @ x
    for gene in range(5):
        model = PHReg(obs["days"], x[:, [gene]], status=obs["died"], strata=obs["condition"])
        assert score[gene] == pytest.approx(model.score(np.zeros(1))[0], abs=1e-6)
    blank = obs.assign(days=np.nan)
    assert (coding.columns(blank) == 0).all() and (coding.columns(obs.drop(columns="died")) == 0).all()
    assert (coding.columns(obs.assign(condition="C")) == 0).all()
    # Nobody with an event, nothing to learn.
    assert FollowUpCoding.of_follow_up("days", "died", obs.assign(died=0.0), np.ones(160)) is None


def test_two_groups_keep_few_strong_effects_and_drop_the_others():
    rng = np.random.default_rng(1)
    z = rng.normal(size=2000)
    z[:20] += 7
    kept = two_groups(z**2)
    assert kept[:20].min() > 0.6 and np.median(kept[20:]) < 0.05
    weak = two_groups((1.5 * rng.normal(size=2000)) ** 2)  # all of them, a little: shrunk alike
    assert weak.mean() == pytest.approx(1 - 1 / 2.25, abs=0.12) and np.ptp(weak) < 0.5
    assert two_groups(np.full(50, 3000.0)).min() > 0.99  # every gene beyond doubt


@pytest.mark.parametrize("name", ["mvn", "ddpm"])
def test_known_prognostic_genes_are_found_in_synthetic_profiles(name, tmp_path):
    data = cohort(400, 1)
    made = made_of(data, tmp_path, name)
    assert made.obs["days"].notna().all() and set(made.obs["died"]) == {0.0, 1.0}
    truth, found = set(range(PROGNOSTIC)), called(made)
    assert len(truth & found) >= 9 and len(found - truth) <= 2
    shuffled = made.copy()
    order = np.random.default_rng(0).permutation(made.n_obs)
    shuffled.obs[["days", "died"]] = made.obs[["days", "died"]].to_numpy()[order]
    assert not called(shuffled)


@pytest.mark.parametrize("seed", range(5))
def test_of_a_null_nothing_is_claimed(seed, tmp_path):
    """A factor that many genes share goes with survival by chance, and may not be learned."""
    data = cohort(300, seed, log_hr=0, shared=0.7)
    effects = CovariateEffects.fit(data.X, data.obs, {"days": "time", "died": "event"})
    assert (effects.effects == 0).all()
    assert not called(made_of(data, tmp_path))


def test_profiles_of_one_donor_are_no_evidence_of_their_own():
    """Four profiles of each of forty donors: with every profile dealt out by itself, all of these nulls are claimed."""
    claimed = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        obs = pd.DataFrame(
            {"donor": [f"d{i}" for i in range(40)], "condition": "A", **FACTORS["tumour"], "level": "tumour",
             "days": rng.exponential(size=40), "died": (rng.random(40) < 0.5) * 1.0}
        )  # fmt: skip
        obs, x = obs.loc[np.repeat(obs.index, 4)], np.repeat(rng.normal(size=(40, 30)), 4, axis=0)
        coding = FollowUpCoding.of_follow_up("days", "died", obs, np.full(160, 0.25))
        claimed.append(beyond_chance(x + 0.3 * rng.normal(size=x.shape), obs, coding))
    assert sum(claimed) <= 2


def test_effects_are_kept_and_other_covariates_stay(tmp_path):
    data = cohort(200, 2)
    data.X[:, 20] += (data.obs["age"].to_numpy() - 60) / 9
    effects = CovariateEffects.fit(data.X, data.obs, KINDS)
    again = CovariateEffects.from_state(*effects.state())
    np.testing.assert_allclose(again.of(data.obs), effects.of(data.obs), atol=1e-5)
    np.testing.assert_allclose(effects.add(effects.remove(data.X, data.obs), data.obs), data.X, atol=1e-4)
    shown = again.shown(data.obs[["condition", "level", *KINDS]])
    assert shown["days"].notna().all() and shown["died"].notna().all()
    np.testing.assert_allclose(
        CovariateEffects.fit(data.X, data.obs, {"age": "numeric"}).effects[0], effects.effects[0], atol=0.1
    )
    without = made_of(data, tmp_path, "copy")  # it repeats profiles and knows no covariates
    assert without.obs["days"].isna().all() and without.obs["died"].isna().all()


def test_fidelity_says_how_far_genes_go_with_survival(tmp_path):
    data = cohort(900, 3)
    role = np.where(np.arange(900) < 300, "train", "test")
    members = pd.DataFrame(
        {"training_set": "full-r0", "sample_id": data.obs_names, "role": role, "condition": data.obs["condition"]}
    )
    row = {"training_set": "full-r0", "experiment": "fidelity"}
    config = {"seed": 1, "fidelity": {"n_synthetic": 0}}
    asked = request(row, members, data.obs, config, covariates=KINDS)
    trained = data.obs[role == "train"]
    assert len(asked) == 600
    for condition, own in asked.groupby("condition"):  # of training donors of the condition, whole
        there = trained[trained["condition"] == condition][[*KINDS]]
        assert set(map(tuple, own[[*KINDS]].to_numpy())) == set(map(tuple, there.to_numpy()))
    train_batch(
        data, members, ["full-r0"], tmp_path / "models", settings={}, seed=1, checkpoints=tmp_path / "c",
        checkpoint_minutes=5, generator="mvn", device="cpu",
    )  # fmt: skip
    made = sample_batch(
        tmp_path / "models", {"full-r0": asked}, data.var, seeds={"full-r0": 1}, generator="mvn", device="cpu"
    )
    released = without_follow_up(made, KINDS).obs  # times of real patients are not released
    assert set(made.obs) - set(released) == {"days", "died"}
    sets = pd.DataFrame({"training_set": ["full-r0"], "repeat": [0], "seed": [1]})
    values = {}
    for name, given in (("real", {}), ("mvn", {"full-r0": made})):
        table = fidelity(
            ScoreInputs(data, given, sets, members, study="s", generator=name, settings={"neighbours": 5}, seed=1)
        )
        check_evaluation(table, "test")
        values[name] = table[table["task"].isna()].set_index("metric")["value"]
    assert min(v["survival_recall"] for v in values.values()) > 0.55
    assert min(v["survival_log_hr_r"] for v in values.values()) > 0.5
    assert max(v["survival_false_share"] for v in values.values()) < 0.25
    assert all(v["survival_permuted_calls"] <= 2 and "covariate_days_recovered" not in v for v in values.values())


def test_of_a_patient_with_several_profiles_one_with_a_follow_up_counts():
    obs = pd.DataFrame({"donor": ["a", "a", "a", "b"], "condition": "A", "level": "tumour"}).assign(
        days=[np.nan, 5, 5, 7], died=[np.nan, 1, 1, 0]
    )
    found = patients(Profiles.annotated(np.arange(4.0)[:, None], obs), ("days", "died"))
    assert found.x[:, 0].tolist() == [1, 3] and found.time.tolist() == [5, 7] and found.event.tolist() == [1, 0]
