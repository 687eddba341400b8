"""Differential privacy: gradients against autograd and opacus, epsilon against closed forms, sensitivities, audits."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from test_generators import annotation, study_of, toy

from pseudocohort.core.errors import ContractError, UserError
from pseudocohort.core.groups import Key
from pseudocohort.experiments.privacy.audit import epsilon_lower_bound
from pseudocohort.generators.base import registry
from pseudocohort.generators.base.device import choose_device
from pseudocohort.generators.base.ledger import Ledger, Mechanism, epsilon_of, noise_for
from pseudocohort.generators.engine.networks import ProjectionCritic
from pseudocohort.generators.engine.streams import Streams
from pseudocohort.generators.fit.batch import fit, train_batch
from pseudocohort.generators.models.adversarial.wgan_gp import gradient_penalty
from pseudocohort.generators.private import dp_sgd
from pseudocohort.generators.private.dp_sgd import DonorBatches, clipped_sum, per_example_gradients, private_gradient
from pseudocohort.generators.private.statistics import (
    LABELS,
    DonorProfiles,
    PrivateStatistics,
    Public,
    principal_components,
)
from pseudocohort.plan.requests import request

NETWORKS = ("dp_cvae", "dp_ddpm", "dp_flow")
SMALL = {"components": 5, "width": 16, "steps": 20, "batch": 16}


def with_public(data: ad.AnnData) -> ad.AnnData:
    data.uns["public"] = Public(data.obs[list(LABELS)].astype(str).drop_duplicates())
    return data


# --- gradients ---------------------------------------------------------------------------------------------------


def autograd_loop(network, losses_of_one, n):
    """Gradients (n × parameters) by one backward pass each."""
    rows = []
    for i in range(n):
        network.zero_grad()
        losses_of_one(i).mean().backward()
        rows.append({k: torch.zeros_like(v) if v.grad is None else v.grad for k, v in network.named_parameters()})
    return {k: torch.stack([row[k] for row in rows]) for k in rows[0]}


@pytest.mark.parametrize("name", NETWORKS)
def test_per_example_gradients_are_autograds(name):
    settings = {**SMALL, "epsilon": None, "centre": 0.0}
    model = registry.get(name)().fit(toy(n=30), settings=settings, seed=1)
    network = model.network.requires_grad_(True)
    random, n, k = torch.Generator().manual_seed(0), 6, 3
    h, condition = torch.randn(n, k, model.space.dim, generator=random), torch.randint(0, 2, (n, k), generator=random)
    factors = torch.randint(0, 2, (n, k, 3), generator=random)
    draws = [x.reshape(n, k, *x.shape[1:]) for x in model.loss_draws(n * k, Streams(0))]
    inputs = (h, condition, factors, *draws)
    ours = per_example_gradients(network, model.row_losses, *inputs)
    expected = autograd_loop(network, lambda i: model.row_losses(network, *(x[i] for x in inputs)), n)
    assert ours.keys() == expected.keys()
    for key in ours:
        torch.testing.assert_close(ours[key], expected[key], atol=1e-5, rtol=1e-5)
    assert max(float(v.abs().max()) for v in ours.values()) > 1e-3


def test_per_example_gradients_of_the_critic_are_autograds_with_its_penalty():
    kind = registry.get("dp_wgan_gp")
    model, critic = kind(), ProjectionCritic(5, 2, 16, 2)
    model.settings = kind.merge_settings(None)
    random = torch.Generator().manual_seed(1)
    real, fake = torch.randn(4, 1, 5, generator=random), torch.randn(4, 1, 5, generator=random)
    condition, factors = torch.tensor([[0], [1], [1], [0]]), torch.ones(4, 1, 3, dtype=torch.long)
    share = torch.rand(4, 1, 1, generator=torch.Generator().manual_seed(2))
    ours = per_example_gradients(critic, model.row_losses, real, condition, factors, fake, share)

    def loss(i):
        class Fixed:  # gradient_penalty draws its share; here it is given
            def rand(*shape):
                return share[i]

        penalty = gradient_penalty(critic, real[i], fake[i], condition[i], factors[i], Fixed)
        distance = critic(real[i], condition[i], factors[i]) - critic(fake[i], condition[i], factors[i])
        return model.settings["penalty"] * penalty - distance

    expected = autograd_loop(critic, loss, 4)
    for key in ours:
        torch.testing.assert_close(ours[key], expected[key], atol=1e-5, rtol=1e-5)


def test_per_example_gradients_are_opacus():
    from opacus.grad_sample import GradSampleModule

    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    x, y = torch.randn(7, 4), torch.randn(7, 3)
    ours = per_example_gradients(network, lambda f, a, b: (f(a) - b).square().sum(1), x[:, None], y[:, None])
    theirs = GradSampleModule(network, loss_reduction="sum")
    (theirs(x) - y).square().sum().backward()
    for key, parameter in theirs._module.named_parameters():
        torch.testing.assert_close(ours[key], parameter.grad_sample, atol=1e-5, rtol=1e-5)


def test_one_example_adds_at_most_the_clipping_norm():
    gradients = {"a": torch.randn(9, 3, 2) * 10, "b": torch.randn(9, 4)}
    gradients["a"][0] = float("nan")
    whole = clipped_sum(gradients, 0.7)
    for i in range(9):
        rest = clipped_sum({k: torch.cat([v[:i], v[i + 1 :]]) for k, v in gradients.items()}, 0.7)
        change = torch.cat([(whole[k] - rest[k]).flatten() for k in whole]).norm()
        assert change <= 0.7 + 1e-5
    short = {k: v[1:2] * 1e-3 for k, v in gradients.items()}
    torch.testing.assert_close(clipped_sum(short, 0.7)["b"], short["b"][0])


def test_noise_has_the_multiplier_and_an_empty_batch_is_noise_alone():
    network = torch.nn.Linear(200, 200, bias=False)
    inputs = (torch.zeros(0, 1, 200),)
    private_gradient(
        network, lambda f, x: f(x).sum(1), inputs,
        max_norm=2.0, noise_multiplier=3.0, expected=4.0, random=torch.Generator().manual_seed(0),
    )  # fmt: skip
    assert float(network.weight.grad.std()) == pytest.approx(3 * 2 / 4, rel=0.02)


def test_batches_are_poisson_samples_of_donors_with_one_row_each():
    donor = np.repeat(np.arange(40), np.arange(40) % 3 + 1)
    rows = np.arange(len(donor), dtype=np.float32)[:, None]
    shuffled = np.random.default_rng(0).permutation(len(donor))
    batches = DonorBatches(
        rows[shuffled], donor[shuffled], np.zeros((len(donor), 3), int), donor[shuffled], 0.3, torch.device("cpu")
    )
    random = torch.Generator().manual_seed(0)
    drawn = [batches.draw(random) for _ in range(2000)]
    assert all(len(set(c.tolist())) == len(c) for _, c, _ in drawn)
    sizes = np.array([len(c) for _, c, _ in drawn])
    assert sizes.mean() == pytest.approx(12, rel=0.03) and sizes.var() == pytest.approx(40 * 0.3 * 0.7, rel=0.1)
    often = np.bincount(np.concatenate([h[:, 0].numpy().astype(int) for h, _, _ in drawn]), minlength=len(donor))
    share = 2000 * 0.3 / (donor % 3 + 1)
    assert (np.abs(often - share) < 6 * np.sqrt(share)).all()
    assert (donor[np.concatenate([h[:, 0].numpy().astype(int) for h, _, _ in drawn])]
            == np.concatenate([c.numpy() for _, c, _ in drawn])).all()  # fmt: skip


# --- epsilon -----------------------------------------------------------------------------------------------------


def delta_of_gaussian(epsilon: float, noise: float) -> float:
    """Balle & Wang 2018, ICML, theorem 8."""
    a, b = 0.5 / noise, epsilon * noise
    return stats.norm.cdf(a - b) - np.exp(epsilon) * stats.norm.cdf(-a - b)


@pytest.mark.parametrize("noise", [0.5, 1.0, 3.0, 10.0])
def test_epsilon_of_the_gaussian_mechanism_is_the_closed_form(noise):
    import dp_accounting

    epsilon = epsilon_of([Mechanism(noise)], 1e-5)
    assert epsilon == pytest.approx(dp_accounting.get_epsilon_gaussian(noise, 1e-5), abs=2e-3)
    assert delta_of_gaussian(epsilon, noise) == pytest.approx(1e-5, rel=0.05)
    # k Gaussian mechanisms are one of noise / sqrt(k).
    assert epsilon_of([Mechanism(noise * 2)] * 4, 1e-5) == pytest.approx(epsilon, abs=5e-3)


@pytest.mark.parametrize(("noise", "rate", "steps"), [(1.0, 0.01, 1000), (4.0, 0.25, 300)])
def test_epsilon_of_dp_sgd_agrees_with_opacus_prv_and_lies_below_renyi(noise, rate, steps):
    import dp_accounting
    from dp_accounting import rdp
    from opacus.accountants import PRVAccountant

    ours = epsilon_of([Mechanism(noise, rate, steps)], 1e-5)
    prv = PRVAccountant()
    prv.history = [(noise, rate, steps)]
    assert ours == pytest.approx(prv.get_epsilon(1e-5, eps_error=0.005), rel=0.02)
    renyi = rdp.RdpAccountant(neighboring_relation=dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE)
    renyi.compose(Mechanism(noise, rate, steps).event())
    assert ours < renyi.get_epsilon(1e-5)


@pytest.mark.parametrize("epsilon", [1.0, 3.0, 10.0])
def test_least_noise_spends_epsilon_and_no_more(epsilon):
    before = [Mechanism(noise_for(epsilon / 2, 1e-5))]
    noise = noise_for(epsilon, 1e-5, sampling_rate=0.2, steps=100, before=before)
    spent = epsilon_of([*before, Mechanism(noise, 0.2, 100)], 1e-5)
    assert 0.99 * epsilon < spent <= epsilon
    with pytest.raises(UserError, match="nothing of epsilon"):
        noise_for(epsilon / 4, 1e-5, before=before)
    with pytest.raises(UserError, match="epsilon above 0"):
        noise_for(0, 1e-5)


# --- statistics --------------------------------------------------------------------------------------------------


class Recorded(PrivateStatistics):
    """Statistics that keep the exact totals and the sensitivity claimed for each."""

    def _release(self, what, total, sensitivity, detail):
        self.seen = {**getattr(self, "seen", {}), what: (total, sensitivity)}
        return super()._release(what, total, sensitivity, detail)


def released(data: ad.AnnData, keys: list[Key]) -> dict:
    made = Recorded(DonorProfiles.of(data, keys), keys, Ledger(1e-5), None, {}, np.random.default_rng(0))
    made.release_counts()
    made.centre(0.0, 0.1, 0.4)
    centre = np.zeros((len(keys), data.n_vars))
    made.class_means(centre, 0.5)
    made.variances(centre, None, 0.8)
    made.covariance(centre, 0.5)
    return made.seen


def test_a_donor_with_many_profiles_changes_no_statistic_by_more_than_its_sensitivity():
    data = toy(n=40, levels=("tumour", "pseudobulk"))
    data.X *= 3  # so that every bound is reached
    keys = [(c, v) for c in "AB" for v in ("pseudobulk", "tumour")]
    data.obs["donor"] = ["many" if i % 9 == 0 else f"d{i // 2}" for i in range(data.n_obs)]
    whole = released(data, keys)
    assert set(whole) == {"class counts", "mean level", "mean profile", "class means", "variances", "covariance"}
    largest = dict.fromkeys(whole, 0.0)
    for donor in ("many", "d1", "d5", "d30"):
        rest = released(data[(data.obs["donor"] != donor).to_numpy()].copy(), keys)
        for what, (total, sensitivity) in whole.items():
            change = np.linalg.norm(total - rest[what][0]) / sensitivity
            assert change <= 1 + 1e-9, (what, donor)
            largest[what] = max(largest[what], change)
    assert min(largest.values()) > 0.5


def test_noise_of_statistics_has_the_sensitivity_and_shares_add_up():
    data = with_public(toy(n=60, p=8))
    shares = {"class counts": 0.1, "class means": 0.9}
    ledger = Ledger(1e-5)
    keys = [("A", "tumour"), ("B", "tumour")]
    made = PrivateStatistics(DonorProfiles.of(data, keys), keys, ledger, 2.0, shares, np.random.default_rng(0))
    noised, sd = made._release("class means", np.zeros(20_000), 5.0, "")
    assert noised.std() == pytest.approx(sd, rel=0.03) and sd == pytest.approx(2 / np.sqrt(0.9) * 5)
    made._release("class counts", np.zeros(3), 1.0, "")
    assert epsilon_of(ledger.mechanisms, 1e-5) == pytest.approx(epsilon_of([Mechanism(2.0)], 1e-5), abs=5e-3)


def test_components_of_a_noised_covariance_are_those_above_the_noise():
    rng = np.random.default_rng(0)
    genes, axis = 60, np.eye(60)[0]
    noise = np.triu(rng.normal(size=(genes, genes)))
    noise = 0.5 * (noise + np.triu(noise, 1).T)
    basis, sd, rest = principal_components(30 * np.outer(axis, axis) + noise, 0.5, 10, 1000)
    assert len(basis) == 1 and abs(basis[0, 0]) > 0.9 and sd[0] ** 2 == pytest.approx(30, rel=0.2)
    assert (rest > 0).all()


# --- ledger and models -------------------------------------------------------------------------------------------


def test_one_exact_entry_voids_the_guarantee_and_says_why():
    ledger = Ledger(1e-5)
    assert not ledger.guarantee
    ledger.public("genes", "a published list")
    ledger.noised("weights", "DP-SGD", Mechanism(2.0, 0.1, 10))
    assert ledger.guarantee and ledger.epsilon() == pytest.approx(epsilon_of([Mechanism(2.0, 0.1, 10)], 1e-5))
    assert Ledger.from_state(ledger.state()) == ledger
    ledger.exact("scale", "means of the training donors")
    assert not ledger.guarantee and ledger.epsilon() is None
    assert ledger.statement() == "no DP guarantee (scale: means of the training donors)"
    state = ledger.state()
    state["entries"][1]["status"] = "public"
    with pytest.raises(ContractError, match="'weights'"):
        Ledger.from_state(state)


@pytest.mark.parametrize("name", [n for n in registry.names() if registry.get(n).capabilities.private])
def test_private_generators_stay_within_epsilon_and_store_their_ledger(name, tmp_path):
    settings = {"epsilon": 4.0, "delta": 1e-4, "genes": "public", "centre": 0.0}
    settings |= {} if name == "dp_naive_bayes" else SMALL
    model = registry.get(name)().fit(with_public(toy()), settings=settings, seed=1)
    assert model.ledger.guarantee and 3.9 < model.ledger.epsilon() <= 4.0
    assert model.history is None
    model.save(tmp_path / "model")
    assert registry.get(name).load(tmp_path / "model").ledger == model.ledger
    assert np.isfinite(model.sample(annotation(["A"] * 5, ["tumour"] * 5), seed=1)).all()
    # The genes that a study chose on its donors void the guarantee, and so does a vocabulary read off them.
    chosen = registry.get(name)().fit(toy(), settings={**settings, "genes": "chosen", "epsilon": None}, seed=1)
    broken = {entry.what for entry in chosen.ledger.broken_by}
    assert {"choice of genes", "names of conditions and levels", "class counts"} <= broken
    with pytest.raises(UserError, match="genes is 'mine'"):
        registry.get(name)().fit(toy(), settings={"genes": "mine"}, seed=1)


def test_noise_of_the_system_is_not_the_studys():
    made = []
    for source in ("study", "study", "system", "system"):
        settings = {"epsilon": 4.0, "centre": 0.0, "noise_seed": source}
        made.append(registry.get("dp_naive_bayes")().fit(with_public(toy()), settings=settings, seed=1).mean)
    np.testing.assert_array_equal(made[0], made[1])
    assert (made[2] != made[3]).any() and (made[2] != made[0]).any()


def test_bundle_fits_no_scale_for_private_generators_and_declares_the_reference(tmp_path):
    data, members = study_of(toy())
    members["role"] = ["member"] * 30 + ["non_member"] * 30 + ["reference"] * 20
    options = {
        "settings": {"public": "reference", "genes": "public", "epsilon": 5.0}, "seed": 1, "device": "cpu",
        "folder": tmp_path, "checkpoint_minutes": 5,
    }  # fmt: skip
    found = fit(data, members, ["set"], generator="dp_naive_bayes", **options)[0]
    assert (found.scaler.mean["tumour"] == 0).all() and (found.scaler.sd["tumour"] == 1).all()
    assert not found.limits.limit and not found.effects.codings
    assert found.model.ledger.guarantee and "reference" in {entry.what for entry in found.model.ledger.entries}
    control = pd.concat([members, members[60:].assign(role="train")])
    found = fit(data, control, ["set"], generator="dp_naive_bayes", **options)[0]
    assert "reference" not in {entry.what for entry in found.model.ledger.entries}


def test_requests_of_private_generators_say_nothing_of_the_coins():
    data = toy(n=40)
    row = {"training_set": "priv-c0", "experiment": "privacy", "regime": "audit"}
    asked = []
    for seed in range(2):
        coin = np.random.default_rng(seed).random(40) < 0.5
        members = pd.DataFrame({
            "sample_id": data.obs_names, "condition": data.obs["condition"].to_numpy(),
            "role": np.where(coin, "member", "non_member"),
        }).sort_values("sample_id")  # fmt: skip
        made = request(row, members, data.obs, {"seed": 1, "privacy": {}}, private=True)
        assert len(made) == 20
        asked.append(made["condition"].value_counts().to_dict())
    assert abs(asked[0]["A"] - asked[1]["A"]) <= 4 and sum(asked[0].values()) == 20


# --- audits ------------------------------------------------------------------------------------------------------


def canaries(model_of, donors: int, seed: int = 0):
    """Mean of the released class mean along each canary, who is a member by coin; canary i is high in gene i alone."""
    rng = np.random.default_rng(seed)
    member = rng.random(donors) < 0.5
    x = np.zeros((donors, donors), np.float32)
    x[np.arange(donors), np.arange(donors)] = 50.0
    table = annotation(["A"] * donors, ["tumour"] * donors)
    whole = ad.AnnData(x, obs=table)
    labels = Public(table[list(LABELS)].astype(str).drop_duplicates())
    part = whole[member].copy()
    part.uns["public"] = labels
    model = model_of(part)
    return np.asarray(model.mean[0], float), member, model


@pytest.mark.parametrize("epsilon", [1.0, 3.0, 10.0])
def test_audit_of_a_private_model_stays_below_epsilon_and_finds_it_without_noise(epsilon):
    settings = {"epsilon": epsilon, "genes": "public", "centre": 0.0}

    def fitted(changed):
        return lambda data: registry.get("dp_naive_bayes")().fit(data, settings=settings | changed, seed=2)

    scores, member, model = canaries(fitted({}), 400)
    assert model.ledger.guarantee and model.ledger.epsilon() <= epsilon
    bound, ceiling = epsilon_lower_bound(scores[:, None], member, seed=0)
    assert bound < epsilon
    scores, member, model = canaries(fitted({"epsilon": None}), 400)
    broken, _ = epsilon_lower_bound(scores[:, None], member, seed=0)
    # 400 donors cannot disprove an epsilon of 10; they do disprove 1 and 3.
    assert not model.ledger.guarantee and 3 < broken <= ceiling < 10


def gradient_canaries(step, donors: int = 400, steps: int = 20, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Weights of a linear model after private steps; the gradient of canary i has one coordinate, the i-th, of 100."""
    member = np.random.default_rng(seed).random(donors) < 0.5
    network = torch.nn.Linear(donors, 1, bias=False)
    torch.nn.init.zeros_(network.weight)
    batches = DonorBatches(
        (100 * np.eye(donors, dtype=np.float32))[member], np.zeros(member.sum(), int),
        np.zeros((member.sum(), 3), int), np.arange(member.sum()), 0.5, choose_device("cpu"),
    )  # fmt: skip
    random = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        rows = batches.draw(random)[0][:, None]
        step(network, rows, random)
        with torch.no_grad():
            network.weight -= network.weight.grad
    return -network.weight.detach().numpy()[0].astype(float), member


def per_example_step(noise):
    def step(network, rows, random):
        private_gradient(
            network, lambda f, x: f(x)[:, 0], (rows,),
            max_norm=1.0, noise_multiplier=noise, expected=100.0, random=random,
        )  # fmt: skip

    return step


def batch_step(noise):
    """The published mistake: the batch's mean gradient is clipped, and no donor's."""

    def step(network, rows, random):
        network.zero_grad()
        network(rows[:, 0]).mean().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        network.weight.grad += noise / 100 * torch.randn(network.weight.shape, generator=random)

    return step


@pytest.mark.parametrize("epsilon", [1.0, 3.0, 10.0])
def test_audit_of_dp_sgd_stays_below_epsilon_and_catches_noise_off_and_batch_clipping(epsilon):
    noise = noise_for(epsilon, 1e-5, sampling_rate=0.5, steps=20)
    scores, member = gradient_canaries(per_example_step(noise))
    bound, ceiling = epsilon_lower_bound(scores[:, None], member, seed=0)
    assert bound < epsilon
    for broken in (per_example_step(0.0), batch_step(noise)):
        scores, member = gradient_canaries(broken)
        found, _ = epsilon_lower_bound(scores[:, None], member, seed=0)
        if epsilon < ceiling:
            assert found > epsilon
        else:
            assert found > bound + 1


def test_audit_has_power_where_there_is_something_to_find():
    """At epsilon 10 a tenth of the noise already shows: the bound is no constant 0."""
    noise = noise_for(10.0, 1e-5, sampling_rate=0.5, steps=20)
    scores, member = gradient_canaries(per_example_step(noise))
    assert epsilon_lower_bound(scores[:, None], member, seed=0)[0] > 0.5


def test_a_network_without_noise_and_clipping_is_found_by_its_loss_and_the_private_one_is_not():
    rng = np.random.default_rng(3)
    data = ad.AnnData(rng.normal(size=(160, 80)).astype(np.float32), obs=annotation(["A"] * 160, ["tumour"] * 160))
    member = rng.random(160) < 0.5
    labels = Public(data.obs[list(LABELS)].astype(str).drop_duplicates())
    found = {}
    for what, changed in {
        "private": {"epsilon": 1.0, "steps": 50},
        "broken": {"epsilon": None, "max_grad_norm": 1e6, "width": 128, "steps": 700, "batch": 80,
                   "learning_rate": 3e-3, "noise_multiplicity": 1, "decay": 0.9},
    }.items():  # fmt: skip
        part = data[member].copy()
        part.uns["public"] = labels
        settings = {"genes": "public", "centre": 0.0, "components": 40, "beta": 0.01} | changed
        model = registry.get("dp_cvae")().fit(part, settings=settings, seed=1)
        h = torch.as_tensor(model.space.encode(data.X.astype(float), [("A", "tumour")] * 160))
        zeros = torch.zeros(160, dtype=torch.long)
        with torch.no_grad():
            error, _ = model.network.bounds(
                h,
                zeros,
                torch.ones(160, 3, dtype=torch.long),
                torch.zeros(160, model.settings["latent"]),
            )
        found[what] = epsilon_lower_bound(-error.numpy()[:, None].astype(float), member, seed=0)[0]
    assert found["private"] < 1.0 < found["broken"]


def test_chunks_of_a_batch_add_up(monkeypatch):
    network, x = torch.nn.Linear(3, 1), torch.randn(10, 1, 3)
    made = []
    for size in (64, 3):
        monkeypatch.setattr(dp_sgd, "CHUNK", size)
        private_gradient(
            network, lambda f, a: f(a)[:, 0], (x,),
            max_norm=1.0, noise_multiplier=1.0, expected=5.0, random=torch.Generator().manual_seed(1),
        )  # fmt: skip
        made.append(network.weight.grad.clone())
    torch.testing.assert_close(made[0], made[1])


def test_stored_models_of_a_batch_hold_the_ledger(tmp_path):
    data, members = study_of(toy())
    train_batch(
        data, members, ["set"], tmp_path / "m", generator="dp_naive_bayes", settings={"epsilon": 2.0}, seed=1,
        device="cpu", checkpoints=tmp_path / "c", checkpoint_minutes=5,
    )  # fmt: skip
    ledger = registry.get("dp_naive_bayes").load(tmp_path / "m" / "set" / "model").ledger
    assert ledger.statement().startswith("no DP guarantee (choice of genes")
