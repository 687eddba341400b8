"""Attacks with the model in hand, and with the other coins' models as shadows."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from support.generators import FAST, annotation, study_of, toy
from support.privacy import audits, table_of

from pseudocohort.core.contracts import SIGNALS_COLUMNS, check_evaluation
from pseudocohort.core.errors import ContractError, UserError
from pseudocohort.experiments.privacy.figures.leakage import curves, draw
from pseudocohort.experiments.privacy.score import privacy
from pseudocohort.experiments.privacy.shadow import shadow_scores
from pseudocohort.experiments.shared.inputs import ScoreInputs
from pseudocohort.experiments.shared.statistics import delong, summarise
from pseudocohort.experiments.shared.style import save
from pseudocohort.generators.base import registry
from pseudocohort.generators.base.ledger import auc_bound
from pseudocohort.generators.engine.diffusion_schedule import Schedule
from pseudocohort.generators.engine.diffusion_signals import denoising_loss, step_error
from pseudocohort.generators.fit.batch import lengthened, train_batch
from pseudocohort.generators.fit.inference import signals_batch
from pseudocohort.plan.members import members
from pseudocohort.plan.requests import request
from pseudocohort.plan.training_sets import facts, training_sets

#: Signals of each family, and the settings under which a network learns 80 random profiles by heart.
OVERFITTED = {
    "cvae": ({"steps": 1000, "beta": 0.01, "width": 256}, {"reconstruction", "evidence"}),
    "ddpm": ({"steps": 600}, {"denoising", "step"}),
    "flow": ({"steps": 500, "profiles_per_component": 0}, {"matching"}),
    "gan": ({"steps": 1000}, {"critic"}),
    "wgan_gp": ({"steps": 600, "max_epochs": 4000}, {"critic"}),
    "unclip": (
        {"embedding_steps": 200, "steps": 400},
        {"embedding", "stored_embeddings", "prior_denoising", "prior_step", "decoder_denoising", "decoder_step"},
    ),
}


@pytest.mark.parametrize("name", OVERFITTED)
def test_each_family_is_found_by_its_own_signal_and_a_loaded_model_says_the_same(name, tmp_path):
    rng = np.random.default_rng(0)
    data = ad.AnnData(rng.normal(size=(160, 60)).astype(np.float32), obs=annotation(["A", "B"] * 80, ["tumour"] * 160))
    member = rng.random(160) < 0.5
    settings, expected = OVERFITTED[name]
    model = registry.get(name)().fit(data[member].copy(), settings=settings, seed=1)
    found = model.member_signals(data)
    assert set(found) == expected | {"latent_space"}
    auc = {signal: delong(member, score).auc for signal, score in found.items()}
    # The components of 80 profiles in 60 genes are the members' own.
    assert auc["latent_space"] > 0.9
    assert max(auc[signal] for signal in expected) > (0.55 if name in ("gan", "cvae") else 0.85), auc
    model.save(tmp_path / "model")
    again = type(model).load(tmp_path / "model")
    part = again.member_signals(data[40:50].copy())
    for signal, score in part.items():
        np.testing.assert_allclose(score, found[signal][40:50], rtol=2e-3, atol=1e-4, err_msg=signal)


def test_a_candidate_of_an_unknown_condition_is_held_against_the_nearest():
    data = toy()
    model = registry.get("cvae")().fit(data, settings=FAST["cvae"], seed=1)
    other = data[:3].copy()
    other.obs["condition"] = "C"
    known, unknown = model.member_signals(data[:3].copy()), model.member_signals(other)
    assert all(np.isfinite(score).all() for score in unknown.values())
    np.testing.assert_allclose(known["latent_space"], unknown["latent_space"], rtol=1e-6)


def test_signals_of_an_ideal_denoiser():
    schedule = Schedule.make("cosine", 1000)
    x0, bank = torch.randn(8, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).split([5, 3])

    def ideal(x, t):  # knows that every row is x0
        abar = schedule.abar[t][:, None]
        return (x - abar.sqrt() * x0) / (1 - abar).sqrt()

    assert float(denoising_loss(schedule, ideal, x0, bank).max()) < 1e-12
    half = denoising_loss(schedule, lambda x, t: 0 * x, x0, bank)
    torch.testing.assert_close(half, bank.square().mean().expand(5))

    # With a noise that does not depend on x, a step and its way back cancel.
    assert float(step_error(schedule, lambda x, t: torch.ones_like(x), x0).max()) < 1e-12
    assert float(step_error(schedule, lambda x, t: x * t[:, None] / 100, x0).min()) > 1e-6


# --- shadows -----------------------------------------------------------------------------------------------------


def coins(donors=300, models=9, seed=0):
    """Signals with a difficulty of each donor, and a shift of members that hides beneath it."""
    rng = np.random.default_rng(seed)
    member = rng.random((donors, models)) < 0.5
    difficulty = 3 * rng.normal(size=(donors, 1))
    scores = difficulty + 0.8 * member + 0.5 * rng.normal(size=(donors, models)) + rng.normal(size=models)
    return scores, member


def test_shadows_see_what_a_donors_difficulty_hides():
    scores, member = coins()
    raw = delong(member[:, 0], scores[:, 0]).auc
    found = {name: delong(member[:, 0], s).auc for name, s in shadow_scores(scores, member, 0).items()}
    # Members differ by 0.8 in noise of 0.5: with the difficulty known the area is Phi(0.8 / (0.5 sqrt 2)) = 0.87.
    limit = stats.norm.cdf(0.8 / (0.5 * np.sqrt(2)))
    assert raw < 0.62 and 0.75 < found["rmia"] <= limit + 0.03 and 0.75 < found["lira"] <= limit + 0.03


def test_shadow_scores_are_the_gaussian_likelihood_ratio_and_do_not_use_the_targets_coins():
    scores, member = coins(donors=40, models=13, seed=2)
    made = shadow_scores(scores, member, 3)
    flipped = member.copy()
    flipped[:, 3] = ~flipped[:, 3]
    for name, values in shadow_scores(scores, flipped, 3).items():
        np.testing.assert_array_equal(values, made[name])
    scaled = (scores - scores.mean(0)) / scores.std(0)
    rest = np.delete(np.arange(13), 3)
    expected, sds = [], []
    for kind in (member[:, rest], ~member[:, rest]):
        residuals = [scaled[i, rest][kind[i]] - scaled[i, rest][kind[i]].mean() for i in range(40)]
        sd = np.sqrt(sum((r**2).sum() for r in residuals) / sum(len(r) - 1 for r in residuals))
        means = [scaled[i, rest][kind[i]].mean() for i in range(40)]
        expected.append(stats.norm.logpdf(scaled[:, 3], means, sd))
        sds.append(sd)
    np.testing.assert_allclose(made["lira"], expected[0] - expected[1], rtol=1e-6)


def test_shadows_find_nothing_where_nothing_is():
    areas = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        scores, member = rng.normal(size=(200, 6)), rng.random((200, 6)) < 0.5
        areas.append(delong(member[:, 1], shadow_scores(scores, member, 1)["lira"]).auc)
    assert abs(np.mean(areas) - 0.5) < 0.02


# --- the table ---------------------------------------------------------------------------------------------------


def test_white_box_rows_stand_beside_the_battery_and_leave_it_alone():
    plain, full = table_of(5).sort_index(), table_of(5, white_box=True, shadow=True).sort_index()
    pd.testing.assert_series_equal(full.loc[plain.index], plain)
    for coin in range(5):
        assert full[coin, "white_box", "loss", "auc"] > 0.95
        assert full[coin, "white_box", "battery", "epsilon_lower_bound"] > 0.5
        assert full[coin, "shadow", "lira_loss", "auc"] > 0.9
        assert "lira_nearest_neighbour" in full[coin, "shadow"].index.get_level_values(0)


def test_what_cannot_run_says_why_and_has_no_area():
    full = table_of(2, shadow=True)
    assert full[0, "shadow", "battery", "not_run_fewer_than_5_coins"] == 2
    # 30 synthetic profiles span all 12 genes.
    assert np.isnan(full[0, "audit", "span_residual", "auc"])
    assert full[0, "audit", "span_residual", "not_run_the_synthetic_rows_span_the_whole_space"] == 1
    assert np.isfinite(full[0, "audit", "battery", "max_auc"])


def test_the_claim_of_a_ledger_is_in_the_table():
    full = table_of(2)
    claim = full[0, "audit", "ledger"]
    assert claim["guarantee"] == 1 and claim["delta"] == 1e-5 and claim["epsilon"] == pytest.approx(2.5, rel=0.01)
    assert (
        claim["auc_bound"] == pytest.approx(auc_bound(claim["mu"])) and 0.01 < claim["tpr_bound"] < claim["auc_bound"]
    )
    # A ledger without a guarantee claims nothing.
    assert full[1, "audit", "ledger"].to_dict() == {"guarantee": 0, "delta": 1e-5}


def test_a_candidate_without_signal_is_an_error():
    data, synthetic, sets, plan, signals = audits(2)
    with pytest.raises(ContractError, match="no white-box signal"):
        privacy(ScoreInputs(
            data, synthetic, sets, plan, study="s", generator="toy", seed=1,
            settings={"attacks": ["nearest_neighbour"], "white_box": True},
        ), signals=signals.iloc[1:])  # fmt: skip


@pytest.mark.parametrize(("name", "wanted"), [("ddpm", 3), ("dp_naive_bayes", 1), ("mvn", 0)])
def test_signals_of_stored_models(name, wanted, tmp_path):
    data, members = study_of(toy())
    members["role"] = ["member"] * 30 + ["non_member"] * 30 + ["reference"] * 20
    train_batch(
        data, members, ["set"], tmp_path / "m", generator=name, settings=FAST.get(name, {}), seed=1, device="cpu",
        checkpoints=tmp_path / "c", checkpoint_minutes=5,
    )  # fmt: skip
    signals, ledgers = signals_batch(tmp_path / "m", data, members, ["set"], generator=name, device="cpu")
    assert tuple(signals.columns) == SIGNALS_COLUMNS and len(signals) == 60 * wanted
    assert signals["signal"].nunique() == wanted
    assert set(ledgers) == ({"set"} if name.startswith("dp_") else set())
    assert not set(signals["sample_id"]) & set(members["sample_id"][60:])


# --- training length and release size ----------------------------------------------------------------------------

PRIVACY = {
    "generators": ["ddpm", "mvn"], "coins": 2, "reference_share": 0.3, "level": "tumour",
    "attacks": ["nearest_neighbour", "span_residual"], "training_lengths": {}, "release_sizes": [],
}  # fmt: skip


def study(**privacy_settings):
    return {
        "seed": 1, "generators": ["ddpm", "mvn"], "experiments": ["privacy"], "training": {"sets_per_job": 3},
        "privacy": PRIVACY | privacy_settings,
    }  # fmt: skip


def test_training_lengths_are_audits_of_the_named_generators_with_the_same_coins():
    config = study(training_lengths={"ddpm": [0.25, 4]})
    rows = {row["training_set"]: row for row in training_sets(config)}
    assert len(rows) == 4 + 4 and rows["privlen-x0.25-c1"]["generators"] == "ddpm"
    assert {row["training_set"] for row in training_sets(study())} == {n for n in rows if "len" not in n}
    assert rows["privlen-x0.25-c1"]["training_length"] == 0.25 and rows["priv-c1"]["training_length"] == 1
    assert facts(config, ["priv-c0", "privlen-x4-c0"], "training_length", 1.0) == {"privlen-x4-c0": 4.0}
    obs = toy(n=60).obs.assign(split="train", dataset="d")
    a, b = (members(obs, [rows[n]], config).drop(columns="training_set") for n in ("priv-c1", "privlen-x0.25-c1"))
    pd.testing.assert_frame_equal(a, b)


def test_a_release_is_the_prefix_of_a_larger_one():
    data = toy(n=60)
    config, larger = study(), study(release_sizes=[0.5, 3])
    row = next(r for r in training_sets(config) if r["training_set"] == "priv-c0")
    rows = members(data.obs.assign(split="train", dataset="d"), [row], config)
    one, many = (request(row, rows, data.obs, c) for c in (config, larger))
    assert len(many) == 3 * len(one)
    pd.testing.assert_frame_equal(one, many[: len(one)])
    control = row | {"regime": "negative_control", "training_set": "x"}
    trained = pd.concat([rows, rows[rows["role"] == "reference"].assign(role="train")])
    assert len(request(control, trained, data.obs, larger)) == len(one)


def test_lengthened_settings_scale_steps_and_passes():
    kind = registry.get("unclip")
    whole = kind.merge_settings(None)
    changed = lengthened(kind, {"steps": 1000}, 0.25)
    assert changed == {
        "steps": 250,
        "max_epochs": whole["max_epochs"] // 4,
        "embedding_steps": whole["embedding_steps"] // 4,
    }
    assert lengthened(kind, {"width": 3}, 1) == {"width": 3}
    with pytest.raises(UserError, match="'mvn' has no training length"):
        lengthened(registry.get("mvn"), {}, 2)


def test_batches_train_each_set_for_its_length(tmp_path):
    data, plan = study_of(toy())
    plan = pd.concat([plan, plan.assign(training_set="long")])
    train_batch(
        data, plan, ["set", "long"], tmp_path / "m", generator="cvae", settings={"steps": 100}, seed=1, device="cpu",
        checkpoints=tmp_path / "c", checkpoint_minutes=5, lengths={"long": 3.0},
    )  # fmt: skip
    steps = {n: pd.read_csv(tmp_path / f"m/{n}/history.tsv", sep="\t")["step"].max() for n in ("set", "long")}
    assert steps == {"set": 100, "long": 300}


def leaking(members_known: int, seed: int):
    """An audit whose synthetic cohort holds ever more copies of members, the longer it is."""
    data, synthetic, sets, plan, signals = audits(2)
    for name in list(synthetic):
        own = plan[plan["training_set"] == name]
        member = own[own["role"] == "member"]["sample_id"].to_numpy()
        fresh = data[own[own["role"] == "reference"]["sample_id"].to_numpy()].copy()
        fresh.X = fresh.X + np.random.default_rng(seed).normal(size=fresh.shape).astype(np.float32)
        copies = data[member[:members_known]].copy()
        synthetic[name] = ad.concat([fresh, copies])
    return data, synthetic, sets, plan, signals


def test_release_sizes_and_training_lengths_have_rows_of_their_own_and_a_figure(tmp_path):
    data, synthetic, sets, plan, signals = leaking(30, 0)
    sets["generators"] = "ddpm"
    longer = sets.assign(
        training_set=sets["training_set"].str.replace("priv", "privlen"), regime="training_length",
        task="training length x4",
    )  # fmt: skip
    plan = pd.concat([plan, plan.assign(training_set=plan["training_set"].str.replace("priv", "privlen"))])
    also = signals.assign(training_set=signals["training_set"].str.replace("priv", "privlen"))
    synthetic |= {name.replace("priv", "privlen"): made for name, made in synthetic.items()}
    table = privacy(ScoreInputs(
        data, synthetic, pd.concat([sets, longer]), plan, study="s", generator="ddpm", seed=1,
        settings={"attacks": ["nearest_neighbour"], "white_box": True, "release_sizes": [0.5, 2]},
    ), signals=pd.concat([signals, also]))  # fmt: skip
    check_evaluation(table, "here")
    first = table[(table["metric"] == "auc") & (table["repeat"] == 0) & (table["estimator"] == "nearest_neighbour")]
    auc = first.set_index(["regime", "task"])["value"]
    assert auc.index.is_unique
    assert auc["release_size", "release x2"] > auc.xs("audit").iloc[0] + 0.1
    assert abs(auc["release_size", "release x0.5"] - 0.5) < 0.2
    assert auc["training_length", "training length x4"] > 0.8
    found = summarise(table)
    length, size = curves(found, "training_length"), curves(found, "release_size")
    assert list(size["factor"]) == [0.5, 1, 2] and not size["white_box"].any()
    assert sorted(length.loc[length["white_box"], "factor"]) == [1, 4]
    save(draw(found, {}), tmp_path / "leakage.svg")
    assert "synthetic profiles per member" in (tmp_path / "leakage.svg").read_text()
    save(draw(found[found["regime"] == "audit"], {}), tmp_path / "none.svg")
    assert "privacy.release_sizes is empty" in (tmp_path / "none.svg").read_text()
