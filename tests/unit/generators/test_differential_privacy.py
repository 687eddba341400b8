"""Differential privacy: gradients against autograd and opacus, epsilon against closed forms, sensitivities, audits."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from support.generators import annotation, study_of, toy

from pseudocohort.configuration import check_study, complete
from pseudocohort.core.errors import ContractError, UserError
from pseudocohort.core.groups import Key
from pseudocohort.experiments.privacy.audit import epsilon_lower_bound
from pseudocohort.generators.base import registry
from pseudocohort.generators.base.checkpoint import Checkpoint
from pseudocohort.generators.base.device import choose_device
from pseudocohort.generators.base.ledger import (
    Ledger,
    Mechanism,
    auc_bound,
    delta_of_mu,
    epsilon_of,
    mu_of,
    noise_for,
    tpr_bound,
)
from pseudocohort.generators.engine.streams import Streams
from pseudocohort.generators.fit.batch import fit, train_batch
from pseudocohort.generators.private import checks, dp_sgd
from pseudocohort.generators.private.dp_sgd import DonorBatches, clipped_sum, per_example_gradients, private_gradient
from pseudocohort.generators.private.noise import NoiseKey, NoiseStream
from pseudocohort.generators.private.statistics import (
    LABELS,
    DonorProfiles,
    PrivateStatistics,
    Public,
    principal_components,
)
from pseudocohort.plan.requests import request

SMALL = {"components": 5, "width": 16, "steps": 20, "batch": 16}


def with_public(data: ad.AnnData) -> ad.AnnData:
    """The training profiles with the study's labels, and 60 public profiles of other donors."""
    reference = toy(n=60, p=data.n_vars, seed=9)
    data.uns["public"] = Public(data.obs[list(LABELS)].astype(str).drop_duplicates(), reference)
    return data


def settings_of_toy(name: str) -> dict:
    """Settings under which a private generator has a guarantee on :func:`toy`."""
    settings = {"genes": "public", "conditions": ["A", "B"]}
    settings |= {"public": "reference", "components": 5} if name == "dp_components" else {"centre": 0.0}
    return settings | (SMALL if name == "dp_ddpm" else {})


# --- gradients ---------------------------------------------------------------------------------------------------


def autograd_loop(network, losses_of_one, n):
    """Gradients (n × parameters) by one backward pass each."""
    rows = []
    for i in range(n):
        network.zero_grad()
        losses_of_one(i).mean().backward()
        rows.append({k: torch.zeros_like(v) if v.grad is None else v.grad for k, v in network.named_parameters()})
    return {k: torch.stack([row[k] for row in rows]) for k in rows[0]}


def secret(seed=0):
    """A stream of noise that can be repeated."""
    return NoiseKey.of_seed(seed).stream("test")


def test_per_example_gradients_are_autograds():
    name = "dp_ddpm"
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
        max_norm=2.0, noise_multiplier=3.0, expected=4.0, secret=secret(),
    )  # fmt: skip
    assert float(network.weight.grad.std()) == pytest.approx(3 * 2 / 4, rel=0.02)


def test_batches_are_poisson_samples_of_donors_with_one_row_each():
    donor = np.repeat(np.arange(40), np.arange(40) % 3 + 1)
    rows = np.arange(len(donor), dtype=np.float32)[:, None]
    shuffled = np.random.default_rng(0).permutation(len(donor))
    batches = DonorBatches(
        rows[shuffled], donor[shuffled], np.zeros((len(donor), 3), int), donor[shuffled], 0.3, torch.device("cpu")
    )
    random = secret()
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

    def release(self, what, total, sensitivity, detail):
        self.seen = {**getattr(self, "seen", {}), what: (total, sensitivity)}
        return super().release(what, total, sensitivity, detail)


def released(data: ad.AnnData, keys: list[Key]) -> dict:
    made = Recorded(DonorProfiles.of(data, keys), keys, Ledger(1e-5), None, {}, secret())
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
    made = PrivateStatistics(DonorProfiles.of(data, keys), keys, ledger, 2.0, shares, secret())
    noised, sd = made.release("class means", np.zeros(20_000), 5.0, "")
    assert noised.std() == pytest.approx(sd, rel=0.03) and sd == pytest.approx(2 / np.sqrt(0.9) * 5)
    made.release("class counts", np.zeros(3), 1.0, "")
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


@pytest.mark.parametrize("name", [n for n, d in registry.generators().items() if d.capabilities.private])
def test_private_generators_stay_within_epsilon_and_store_their_ledger(name, tmp_path):
    if name == "public_profiles":
        return  # spends nothing: tested below
    settings = settings_of_toy(name) | {"epsilon": 4.0, "delta": 1e-4}
    model = registry.get(name)().fit(with_public(toy()), settings=settings, seed=1)
    assert model.ledger.guarantee and 3.9 < model.ledger.epsilon() <= 4.0
    assert model.history is None
    model.save(tmp_path / "model")
    assert registry.get(name).load(tmp_path / "model").ledger == model.ledger
    assert np.isfinite(model.sample(annotation(["A"] * 5, ["tumour"] * 5), seed=1)).all()
    # The genes that a study chose on its donors void the guarantee, and so does a vocabulary read off them.
    exact = {"genes": "chosen", "epsilon": None, "conditions": [], "noise_seed": "study"}
    chosen = registry.get(name)().fit(with_public(toy()), settings=settings | exact, seed=1)
    broken = {entry.what for entry in chosen.ledger.broken_by}
    assert {"choice of genes", "names of conditions and levels", "class counts", "noise"} <= broken
    with pytest.raises(UserError, match="genes"):
        registry.get(name)().fit(with_public(toy()), settings=settings | {"genes": "mine"}, seed=1)


# --- the noise ---------------------------------------------------------------------------------------------------


def test_noise_is_normal_and_of_the_system_by_default():
    x = NoiseKey.of_system().stream("a").normal(200_000)
    assert stats.kstest(x, "norm").pvalue > 1e-4
    assert abs(np.corrcoef(x[1:], x[:-1])[0, 1]) < 0.01
    stream = NoiseKey.of_seed(1).stream("a")
    first, second = stream.normal(100), stream.normal(100)
    assert (first != second).any()
    np.testing.assert_array_equal(NoiseKey.of_seed(1).stream("a").normal(100), first)
    assert (NoiseKey.of_seed(1).stream("b").normal(100) != first).all()
    made = [registry.get("dp_naive_bayes")().fit(
        with_public(toy()), settings=settings_of_toy("dp_naive_bayes") | extra, seed=1
    ) for extra in ({}, {}, {"noise_seed": "study"}, {"noise_seed": "study"})]  # fmt: skip
    assert (made[0].mean != made[1].mean).any()
    assert made[0].ledger.guarantee
    # A seed that is printed on a card takes the noise away; the ledger knows.
    np.testing.assert_array_equal(made[2].mean, made[3].mean)
    assert [entry.what for entry in made[2].ledger.broken_by] == ["noise"]


@pytest.mark.parametrize("sd", [1e-6, 0.37, 5e4])
def test_noised_sums_lie_on_a_grid_that_hides_their_low_bits(sd):
    x = np.random.default_rng(0).normal(size=1000)
    grid = 2.0 ** np.floor(np.log2(sd)) * 2.0**-20
    out = NoiseKey.of_seed(3).stream("x").added(x, sd)
    np.testing.assert_array_equal(np.rint(out / grid) * grid, out)
    assert (out - x).std() == pytest.approx(sd, rel=0.1)


def test_a_key_is_kept_for_the_same_run_and_never_serves_another(tmp_path):
    path = tmp_path / "set.safetensors.noise"
    first = NoiseKey.kept(path, "run")
    assert NoiseKey.kept(path, "run") == first and not first.public
    assert path.stat().st_mode & 0o077 == 0
    assert NoiseKey.kept(path, "other data") != first


def test_a_run_that_is_killed_and_resumed_spends_once(tmp_path, monkeypatch):
    """Statistics, space and weights are those of a run that was not killed, and so is the ledger."""
    data, settings = with_public(toy()), settings_of_toy("dp_ddpm") | {"steps": 8}
    kind = registry.get("dp_ddpm")

    class Killed(Exception):
        pass

    def run(folder, key, stop=None):
        folder.mkdir(exist_ok=True)
        checkpoint = Checkpoint(folder / "set.safetensors", 0.0, "one run")
        if key is not None:
            (folder / "set.safetensors.noise").write_text(key)
        calls = 0
        original = DonorBatches.draw

        def draw(self, stream):
            nonlocal calls
            calls += 1
            if calls == stop:
                raise Killed
            return original(self, stream)

        with monkeypatch.context() as patch:
            patch.setattr(DonorBatches, "draw", draw)
            return kind().fit(data, settings=settings, seed=1, checkpoint=checkpoint)

    with pytest.raises(Killed):
        run(tmp_path / "a", None, stop=6)
    assert (tmp_path / "a/set.safetensors").is_file()
    key = (tmp_path / "a/set.safetensors.noise").read_text()
    resumed, whole = run(tmp_path / "a", None), run(tmp_path / "b", key)
    assert resumed.ledger == whole.ledger and resumed.ledger.guarantee
    left, right = resumed.state()[0], whole.state()[0]
    assert left.keys() == right.keys()
    for name in left:
        np.testing.assert_array_equal(left[name], right[name], err_msg=name)


# --- a whole fit, held against its ledger ------------------------------------------------------------------------


def watched(name: str, mutant=None, **settings) -> None:
    """Fit a generator, and hold what it did against what its ledger says.

    Watched are, of every statistic, the noise over the sensitivity and that it is released once; of DP-SGD, the number
    of gradients, the share of donors in a batch, what is left of a gradient when the clipped sum is taken off, which is
    computed here anew, and the divisor.
    """
    seen: dict = {"statistics": [], "noise": [], "sizes": []}
    with pytest.MonkeyPatch.context() as patch:
        release, draw, step = PrivateStatistics.release, DonorBatches.draw, dp_sgd.private_gradient

        def watch_release(self, what, total, sensitivity, detail):
            out = release(self, what, total, sensitivity, detail)
            seen["statistics"].append((what, (out[0] - total) / sensitivity))
            return out

        def watch_draw(self, stream):
            batch = draw(self, stream)
            seen["sizes"].append(len(batch[0]) / len(self.count))
            return batch

        def watch_step(network, rule, inputs, **given):
            gradients = per_example_gradients(network, rule, *inputs) if len(inputs[0]) else {}
            norm = (
                torch.stack([g.flatten(1).square().sum(1) for g in gradients.values()]).sum(0).sqrt()
                if gradients
                else 0
            )
            step(network, rule, inputs, **given)
            left = []
            for key, parameter in network.named_parameters():
                exact = torch.zeros_like(parameter)
                if gradients:
                    weight = (model_settings["max_grad_norm"] / norm.clamp(min=1e-12)).clamp(max=1)
                    exact = torch.einsum("n,n...->...", weight, gradients[key])
                left.append((parameter.grad * model_settings["batch"] - exact).flatten())
            seen["noise"].append(torch.cat(left).double().numpy() / model_settings["max_grad_norm"])

        module = __import__(registry.get(name).__module__, fromlist=["x"])
        patch.setattr(PrivateStatistics, "release", watch_release)
        patch.setattr(DonorBatches, "draw", watch_draw)
        if hasattr(module, "private_gradient"):
            patch.setattr(module, "private_gradient", watch_step)
        if mutant:  # last, so that what it calls is watched
            mutant(patch)
        model_settings = registry.get(name).merge_settings(settings_of_toy(name) | settings)
        data = with_public(toy(n=400, p=40))
        model = registry.get(name)().fit(data, settings=settings_of_toy(name) | settings, seed=1)
    entries = {entry.what: entry.mechanism for entry in model.ledger.entries if entry.mechanism}
    assert model.ledger.guarantee
    by_name = [what for what, _ in seen["statistics"]]
    assert sorted(by_name) == sorted(set(entries) - {"weights"})
    for what, noise in seen["statistics"]:
        n, ratio = noise.size, noise.std() / entries[what].noise_multiplier
        if n >= 30:
            assert abs(ratio - 1) < 5 / np.sqrt(2 * n), (what, ratio)
        else:  # few numbers: none may be without noise, and together they have its size
            assert (np.abs(noise) > 1e-6 * entries[what].noise_multiplier).all(), what
    whole = [noise.ravel() / entries[what].noise_multiplier for what, noise in seen["statistics"]]
    whole = np.concatenate(whole)
    assert abs(np.sqrt((whole**2).mean()) - 1) < 5 / np.sqrt(2 * len(whole))
    if "weights" in entries:
        claimed = entries["weights"]
        assert len(seen["noise"]) == len(seen["sizes"]) == claimed.steps == model_settings["steps"]
        rate, n = claimed.sampling_rate, 400
        error = np.sqrt(rate * (1 - rate) / (n * claimed.steps))
        assert abs(np.mean(seen["sizes"]) - rate) < 4 * error, (np.mean(seen["sizes"]), rate)
        # Every step by itself: a gradient over the number that came has another scale in each.
        for noise in seen["noise"]:
            ratio = np.sqrt((noise**2).mean()) / claimed.noise_multiplier
            assert abs(ratio - 1) < 5 / np.sqrt(2 * noise.size), (ratio, noise.size)
        # The batch is what the ledger's rate expects of it, and the mechanism is the one that was paid for.
        spent = epsilon_of(model.ledger.mechanisms, model.ledger.delta)
        assert spent <= model_settings["epsilon"] + 1e-6


WATCHED = {"dp_ddpm": {"steps": 40, "batch": 60, "epsilon": 4.0}, "dp_components": {}, "dp_naive_bayes": {}}


@pytest.mark.parametrize("name", WATCHED)
def test_a_whole_fit_does_what_its_ledger_says(name):
    watched(name, **WATCHED[name])


def no_noise(patch):
    patch.setattr(NoiseStream, "added", lambda self, total, sd: np.asarray(total, float))


def half_noise(patch):
    added = NoiseStream.added
    patch.setattr(NoiseStream, "added", lambda self, total, sd: added(self, total, sd / 2))


def budget_of_a_third(patch):
    """Three gradients a step, one of them counted."""
    draw, module = DonorBatches.draw, __import__(registry.get("dp_ddpm").__module__, fromlist=["x"])
    step = module.private_gradient

    def three(network, rule, inputs, **given):
        for _ in range(3):
            step(network, rule, inputs, **given)

    patch.setattr(module, "private_gradient", three)

    def draw_three(self, stream):
        for _ in range(2):
            draw(self, stream)
        return draw(self, stream)

    patch.setattr(DonorBatches, "draw", draw_three)


def doubled_rate(patch):
    made = DonorBatches.__init__

    def double(self, h, condition, factors, donor, rate, device):
        made(self, h, condition, factors, donor, rate, device)
        self.drawn_at = min(1.0, 2 * rate)

    def draw(self, stream):
        self.rate, kept = self.drawn_at, self.rate
        try:
            return original(self, stream)
        finally:
            self.rate = kept

    original = DonorBatches.draw
    patch.setattr(DonorBatches, "__init__", double)
    patch.setattr(DonorBatches, "draw", draw)


def no_clipping(patch):
    clipped = dp_sgd.clipped_sum
    patch.setattr(dp_sgd, "clipped_sum", lambda gradients, max_norm: clipped(gradients, 100 * max_norm))


def real_batch_size(patch):
    """Gradients over the number of donors that came, which says who did."""
    module = __import__(registry.get("dp_ddpm").__module__, fromlist=["x"])
    step = module.private_gradient

    def own(network, rule, inputs, **given):
        step(network, rule, inputs, **given | {"expected": float(max(len(inputs[0]), 1))})

    patch.setattr(module, "private_gradient", own)


def drawn_twice(patch):
    """A statistic is released twice and entered once."""
    release = PrivateStatistics.release

    def twice(self, what, total, sensitivity, detail):
        if what == "class means":
            ledger, self.ledger = self.ledger, Ledger(1e-5)
            release(self, what, total, sensitivity, detail)
            self.ledger = ledger
        return release(self, what, total, sensitivity, detail)

    counts = PrivateStatistics.release_counts

    def again(self):
        ledger, self.ledger = self.ledger, Ledger(1e-5)
        counts(self)
        self.ledger = ledger
        counts(self)

    patch.setattr(PrivateStatistics, "release", twice)
    patch.setattr(PrivateStatistics, "release_counts", again)


@pytest.mark.parametrize(
    ("name", "mutant"),
    [
        ("dp_ddpm", no_noise), ("dp_ddpm", half_noise), ("dp_ddpm", doubled_rate), ("dp_ddpm", no_clipping),
        ("dp_ddpm", real_batch_size), ("dp_ddpm", drawn_twice), ("dp_components", no_noise),
        ("dp_components", half_noise), ("dp_components", drawn_twice), ("dp_naive_bayes", half_noise),
    ],
)  # fmt: skip
def test_watching_a_fit_finds_each_broken_mechanism(name, mutant):
    with pytest.raises(AssertionError):
        watched(name, mutant, **WATCHED[name])


def test_a_budget_counted_once_in_three_is_found():
    """The number of batches drawn is held against the steps of the ledger."""
    with pytest.raises(AssertionError):
        watched("dp_ddpm", budget_of_a_third, **WATCHED["dp_ddpm"])


@pytest.mark.parametrize("public", ["none", "reference"])
@pytest.mark.parametrize("name", WATCHED)
def test_nothing_of_the_donors_reaches_a_private_model_but_what_is_released(name, public, tmp_path):
    """With every released sum and gradient replaced by fixed numbers, other donors, and fewer, give the same model."""
    if public == "none" and registry.describe(name).capabilities.needs_public:
        return
    settings = settings_of_toy(name) | {"public": public, "epsilon": 4.0, "steps": 3, "batch": 16}
    settings = {k: v for k, v in settings.items() if k in registry.get(name).defaults}

    def fixed(self, what, total, sensitivity, detail):
        self.ledger.noised(what, detail, Mechanism(self.multiplier / np.sqrt(self.shares[what])))
        return np.cos(np.arange(total.size, dtype=float)).reshape(total.shape) + 30 * (what == "class counts"), 0.1

    def fixed_gradient(network, rule, inputs, **given):
        for parameter in network.parameters():
            parameter.grad = torch.full_like(parameter, 0.01)

    stored = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PrivateStatistics, "release", fixed)
        module = __import__(registry.get(name).__module__, fromlist=["x"])
        if hasattr(module, "private_gradient"):
            patch.setattr(module, "private_gradient", fixed_gradient)
        for seed, members_of in ((0, 60), (5, 45)):
            data, members = study_of(toy(n=120, seed=seed))
            data.X[60:] = study_of(toy(n=120, seed=9))[0].X[60:]
            for rows, silent in ((slice(60), seed), (slice(60, None), 9)):  # more often in some donors than in others
                data.X[rows][np.random.default_rng(silent).random((60, data.n_vars)) < 0.1 + silent / 20] = 0
            members["role"] = ["member"] * members_of + ["non_member"] * (60 - members_of) + ["reference"] * 60
            data.obs["condition"] = members["condition"] = np.array(["A", "B"] * 60)
            folder = tmp_path / str(seed)
            folder.mkdir()
            fit(
                data, members, ["set"], generator=name, settings=settings, seed=1, device="cpu", folder=folder,
                checkpoint_minutes=5,
            )[0].save(folder)  # fmt: skip
            stored.append({str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()})
    of_model = [{k: v for k, v in files.items() if not k.startswith("set.")} for files in stored]
    assert of_model[0].keys() == of_model[1].keys() and of_model[0]
    assert [k for k in of_model[0] if of_model[0][k] != of_model[1][k]] == []


# --- what a guarantee proves -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("epsilon", "area"), [(1.0, 0.575), (3.0, 0.694), (10.0, 0.921)])
def test_mu_of_a_gaussian_mechanism_bounds_the_best_attack(epsilon, area):
    noise = noise_for(epsilon, 1e-5)
    mu = mu_of([Mechanism(noise)])
    assert mu == pytest.approx(1 / noise)
    assert auc_bound(mu) == pytest.approx(area, abs=0.002)
    assert delta_of_mu(epsilon_of([Mechanism(noise)], 1e-5), mu) == pytest.approx(1e-5, rel=0.05)
    # The best attack on one coordinate reaches the bound: N(1, noise) against N(0, noise).
    rng = np.random.default_rng(0)
    inside, outside = 1 + noise * rng.normal(size=20_000), noise * rng.normal(size=20_000)
    found = stats.mannwhitneyu(inside, outside).statistic / 20_000**2
    assert found == pytest.approx(auc_bound(mu), abs=0.01)
    threshold = np.quantile(outside, 0.99)
    assert (inside > threshold).mean() == pytest.approx(tpr_bound(mu, 0.01), abs=0.03)
    # k mechanisms are one of noise / sqrt(k).
    assert mu_of([Mechanism(2 * noise)] * 4) == pytest.approx(mu)


def test_mu_of_sampled_mechanisms_lies_above_their_privacy_profile():
    import dp_accounting

    mechanism = Mechanism(1.0, 0.1, 50)
    mu = mu_of([mechanism])
    accountant = dp_accounting.pld.PLDAccountant(dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE)
    accountant.compose(mechanism.event())
    for epsilon in (0.1, 0.5, 1.0, 2.0):
        assert delta_of_mu(epsilon, mu) >= accountant.get_delta(epsilon) * (1 - 1e-3)
    # Central limit of Bu et al. 2020: mu = rate * sqrt(steps * (exp(1 / noise^2) - 1)); the exact one lies near.
    assert mu == pytest.approx(0.1 * np.sqrt(50 * (np.e - 1)), rel=0.5)


# --- dp_components -----------------------------------------------------------------------------------------------


def released_by_components(data: ad.AnnData) -> dict:
    seen = {}

    def keep(self, what, total, sensitivity, detail):
        seen[what] = (np.array(total), sensitivity)
        return np.array(total), 0.0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PrivateStatistics, "release", keep)
        # Class means enter later statistics: the same ones, as if they had been released.
        patch.setattr("pseudocohort.generators.models.dp_components.model.shrunk_class_means",
                      lambda totals, count, noise_sd: np.zeros_like(totals))  # fmt: skip
        patch.setattr("pseudocohort.generators.models.dp_components.model.shrunk", lambda x, noise_sd: np.zeros_like(x))
        registry.get("dp_components")().fit(data, settings=settings_of_toy("dp_components") | {"epsilon": None}, seed=1)
    return seen


def test_no_donor_moves_a_statistic_of_dp_components_by_more_than_its_sensitivity():
    data = with_public(toy(n=60, levels=("tumour", "pseudobulk")))
    data.X *= 4  # so that every length is cut
    data.obs["donor"] = ["many" if i % 9 == 0 else f"d{i // 2}" for i in range(data.n_obs)]
    whole = released_by_components(data)
    assert set(whole) == {"class counts", "mean profile", "class means", "covariance", "residual scale"}
    largest = dict.fromkeys(whole, 0.0)
    for donor in ("many", "d1", "d5", "d30"):
        rest = data[(data.obs["donor"] != donor).to_numpy()].copy()
        rest.uns["public"] = data.uns["public"]
        without = released_by_components(rest)
        for what, (total, sensitivity) in whole.items():
            change = np.linalg.norm(total - without[what][0]) / sensitivity
            assert change <= 1 + 1e-9, (what, donor, change)
            largest[what] = max(largest[what], change)
    assert min(largest.values()) > 0.5, largest


@pytest.mark.parametrize("size", [10.0, 1e30])
def test_a_donor_whose_profiles_of_all_conditions_point_one_way_moves_no_statistic_by_more(size):
    data = with_public(toy(n=60, levels=("tumour", "pseudobulk")))
    keys = list(zip(data.obs["condition"], data.obs["level"], strict=True))
    mine = np.isin(np.arange(data.n_obs), [keys.index(key) for key in set(keys)])
    data.obs.loc[mine, "donor"] = "one"
    data.X[mine] = size * np.random.default_rng(0).normal(size=data.n_vars)
    rest = data[~mine].copy()
    rest.uns["public"] = data.uns["public"]
    with np.errstate(over="raise", invalid="raise"):
        of_components = released_by_components(data), released_by_components(rest)
        of_statistics = released(data, sorted(set(keys))), released(rest, sorted(set(keys)))
    of_statistics[0].pop("mean profile")  # around the mean level that is released before; its noise is off here
    for whole, without in (of_components, of_statistics):
        for what, (total, sensitivity) in whole.items():
            assert np.linalg.norm(total - without[what][0]) <= sensitivity * (1 + 1e-6), what


def test_dp_components_without_noise_has_the_class_means_and_spread_of_its_donors():
    data = toy(n=2060)
    public = np.arange(data.n_obs) % 103 < 3  # other donors of the same tissue
    labels = data.obs[list(LABELS)].astype(str).drop_duplicates()
    reference, data = data[public].copy(), data[~public].copy()
    data.uns["public"] = Public(labels, reference)
    settings = settings_of_toy("dp_components") | {"epsilon": None, "radius": 50.0, "mean_radius": 50.0}
    for residuals in ("gaussian", "public_rows"):
        model = registry.get("dp_components")().fit(data, settings=settings | {"residuals": residuals}, seed=1)
        made = model.sample(annotation(["A"] * 2000 + ["B"] * 2000, ["tumour"] * 4000), seed=2)
        labels = data.obs["condition"].to_numpy()
        real = data.X[labels == "A"].mean(0) - data.X[labels == "B"].mean(0)
        ours = made[:2000].mean(0) - made[2000:].mean(0)
        assert np.corrcoef(real, ours)[0, 1] > 0.98
        assert np.abs(ours).sum() / np.abs(real).sum() == pytest.approx(1, abs=0.2)
        assert np.median(made.std(0) / data.X.std(0)) == pytest.approx(1, abs=0.2)


def test_epsilon_0_looks_at_no_training_donor(tmp_path):
    """Other donors, the same public profiles: the same model; and the model survives being stored."""
    for name in ("dp_components", "dp_naive_bayes", "public_profiles"):
        settings = settings_of_toy(name) | {"epsilon": 0, "public": "reference"}
        settings.pop("centre", None)
        models = [registry.get(name)().fit(with_public(toy(seed=seed)), settings=settings, seed=1) for seed in (0, 5)]
        wanted = annotation(["A", "B"] * 10, ["tumour"] * 20)
        made = [model.sample(wanted, seed=3) for model in models]
        np.testing.assert_array_equal(*made)
        assert models[0].ledger.epsilon() == 0 and auc_bound(models[0].ledger.mu()) == 0.5
        models[0].save(tmp_path / name)
        np.testing.assert_allclose(registry.get(name).load(tmp_path / name).sample(wanted, seed=3), made[0], rtol=1e-5)


def test_genes_are_silent_as_often_as_in_public_profiles_and_together_as_they_are():
    """Thirty genes behind three factors; a half is seen above a limit only, by three, six or nine in ten profiles."""
    rng = np.random.default_rng(0)
    loadings, shares = rng.normal(size=(3, 30)), np.r_[np.resize([0.3, 0.6, 0.9], 15), np.zeros(15)]

    def drawn(n: int) -> ad.AnnData:
        x = 6 + rng.normal(size=(n, 3)) @ loadings + rng.normal(0, 0.6, (n, 30))
        x = np.maximum(x, 6 + stats.norm.ppf(shares, scale=np.hypot(np.linalg.norm(loadings, axis=0), 0.6)))
        return ad.AnnData(x.astype(np.float32), obs=annotation(["A"] * n, ["tumour"] * n))

    data, public = drawn(40), drawn(200)
    data.uns["public"] = Public(data.obs[list(LABELS)].astype(str).drop_duplicates(), public)
    settings = settings_of_toy("dp_components") | {"epsilon": 0, "conditions": ["A"]}
    for residuals in ("public_rows", "gaussian"):
        model = registry.get("dp_components")().fit(data, settings=settings | {"residuals": residuals}, seed=1)
        made = model.sample(annotation(["A"] * 2000, ["tumour"] * 2000), seed=2)[:, :15]
        silent, truth = made <= public.X[:, :15].min(0) + 0.1, drawn(4000).X[:, :15]
        np.testing.assert_allclose(silent.mean(0), shares[:15], atol=0.12)
        together = np.corrcoef(silent, rowvar=False) - np.corrcoef(truth <= truth.min(0) + 1e-5, rowvar=False)
        assert np.abs(together).mean() < 0.1


def test_donors_of_undeclared_conditions_change_nothing():
    data = toy(n=60)
    data.obs["condition"] = ["A"] * 20 + ["B"] * 20 + ["rare"] * 20
    settings = settings_of_toy("dp_components") | {"noise_seed": "study"}
    whole = registry.get("dp_components")().fit(with_public(data), settings=settings, seed=1)
    rest = registry.get("dp_components")().fit(with_public(data[:40].copy()), settings=settings, seed=1)
    np.testing.assert_array_equal(whole.means, rest.means)
    with pytest.raises(UserError, match="'rare'"):
        whole.sample(annotation(["rare"], ["tumour"]), seed=1)


@pytest.mark.parametrize("epsilon", [1.0, 3.0])
def test_canaries_through_fit_stay_below_epsilon_and_are_found_without_noise(epsilon):
    """Each canary is the only donor of its condition, far out along a component; a coin says whether it is there."""
    n, rng = 300, np.random.default_rng(0)
    names = [f"c{i}" for i in range(n)]
    public = toy(n=60, p=12, seed=9)
    direction = np.linalg.svd(public.X - public.X.mean(0))[2][0]
    x = public.X.mean(0) + 30 * direction + 0.01 * rng.normal(size=(n, 12))
    member = rng.random(n) < 0.5
    table = annotation(names, ["tumour"] * n)
    data = ad.AnnData(x.astype(np.float32), obs=table)[member].copy()
    data.uns["public"] = Public(table[list(LABELS)].astype(str).drop_duplicates(), public)
    settings = {"genes": "public", "conditions": names, "public": "reference", "components": 3}
    found = {}
    for noise in (epsilon, None):
        model = registry.get("dp_components")().fit(data, settings=settings | {"epsilon": noise}, seed=1)
        far = model.basis.split(x[:1])[0][0]
        order = [model.keys.index((name, "tumour")) for name in names]
        scores = model.means[order] @ far
        found[noise] = epsilon_lower_bound(scores[:, None], member, seed=0)[0]
    assert found[epsilon] < epsilon < found[None]


def test_preparation_that_looks_at_the_donors_is_refused_before_anything_runs(project_root):
    space = {"kind": "all", "min_median": -1000, "min_sd": -1, "min_cell_level_mean": 0}

    def check(genes, **prepare):
        private = {"epsilon": 1, "genes": genes, "conditions": ["LumA", "Basal"]}
        schemas = project_root / "workflow/schemas"
        config = {"study": "s", "datasets": ["tcga_brca"], "generators": ["private"], "experiments": ["fidelity"],
                  "generator_settings": {"private": {"generator": "dp_naive_bayes", **private}},
                  "datasets_sheet": str(project_root / "config/datasets.tsv"), "prepare": prepare,
                  "data_root": str(project_root)}  # fmt: skip
        check_study(complete(config, schemas), schemas)

    check("public", gene_space=space)
    check("chosen", gene_space={"kind": "most_variable"}, harmonisation="linear")
    for wrong in ({"kind": "most_variable"}, {"min_median": 1.0}, {"min_sd": 0}, {"min_cell_level_mean": 1}):
        with pytest.raises(UserError, match="chooses them on the training donors"):
            check("public", gene_space=space | wrong)
    for harmonisation in ("location_scale", "linear"):
        with pytest.raises(UserError, match="changes each profile by all training donors"):
            check("public", gene_space=space, harmonisation=harmonisation)


def test_public_profiles_that_are_not_there_are_refused_before_anything_runs():
    check = checks.check_public_profiles
    for public, needed in (("none", False), ("reference", True), ("gtex", True), ("gtex", False)):
        check({"public": public}, "mine", ["brca", "gtex"], needed=needed)
    with pytest.raises(UserError, match="'mine' has no public profiles"):
        check({"public": "none"}, "mine", ["brca"], needed=True)
    with pytest.raises(UserError, match="'gtxe', which is no dataset"):
        check({"public": "gtxe"}, "mine", ["brca", "gtex"], needed=False)
    needing = {name for name, known in registry.generators().items() if known.capabilities.needs_public}
    for name in needing:
        with pytest.raises(UserError, match="public profiles"):
            registry.get(name)().fit(toy(), settings={"public": "none"}, seed=1)


def test_a_private_generator_without_the_public_profiles_it_asks_for_is_refused():
    data = toy()
    with pytest.raises(UserError, match="no public profiles"):
        registry.get("dp_components")().fit(data, settings={"public": "none"}, seed=1)
    with pytest.raises(UserError, match="no public profiles 'reference'"):
        registry.get("dp_naive_bayes")().fit(data, settings={"public": "reference"}, seed=1)


def test_bundle_fits_no_scale_and_takes_public_donors_out_of_training(tmp_path):
    data, members = study_of(toy())
    data.obs["dataset"] = "cohort"
    members["role"] = ["member"] * 30 + ["non_member"] * 30 + ["reference"] * 20
    settings = {
        "public": "reference",
        "genes": "public",
        "conditions": ["A", "B"],
        "epsilon": 5.0,
        "noise_seed": "study",
    }
    options = {"seed": 1, "device": "cpu", "folder": tmp_path, "checkpoint_minutes": 5}

    def fitted(rows, **changed):
        return fit(data, rows, ["set"], generator="dp_naive_bayes", settings=settings | changed, **options)[0]

    found = fitted(members)
    assert (found.scaler.mean["tumour"] == 0).all() and (found.scaler.sd["tumour"] == 1).all()
    assert not found.limits.limit and not found.effects.codings
    said = {entry.what: entry.detail for entry in found.model.ledger.entries}
    assert said["public profiles"] == "20 profiles (reference), declared public: they are not protected"
    # Public donors among the training donors are not learned from, so that none is counted as protected.
    both = pd.concat([members, members[60:].assign(role="member")])
    np.testing.assert_array_equal(fitted(both).model.mean, found.model.mean)
    # The negative control is trained on the reference: half of it is public, the other half is protected.
    control = pd.concat([members, members[60:].assign(role="train")])
    said = {entry.what: entry.detail for entry in fitted(control).model.ledger.entries}
    assert said["public profiles"].startswith("10 profiles")
    with pytest.raises(UserError, match="no dataset of the study"):
        fitted(members, public="gtexx")
    with pytest.raises(UserError, match="every training profile"):
        fitted(members, public="cohort")


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
        made = request(row, members, data.obs, {"seed": 1, "privacy": {"release_sizes": []}}, private=True)
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
    settings = {"epsilon": epsilon, "genes": "public", "centre": 0.0, "conditions": ["A"]}

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
    random = secret(seed)
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
            max_norm=1.0, noise_multiplier=noise, expected=100.0, secret=random,
        )  # fmt: skip

    return step


def batch_step(noise):
    """The published mistake: the batch's mean gradient is clipped, and no donor's."""

    def step(network, rows, random):
        network.zero_grad()
        network(rows[:, 0]).mean().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        network.weight.grad += noise / 100 * torch.as_tensor(random.normal(*network.weight.shape)).float()

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


def test_chunks_of_a_batch_add_up(monkeypatch):
    network, x = torch.nn.Linear(3, 1), torch.randn(10, 1, 3)
    made = []
    for size in (64, 3):
        monkeypatch.setattr(dp_sgd, "CHUNK", size)
        private_gradient(
            network, lambda f, a: f(a)[:, 0], (x,),
            max_norm=1.0, noise_multiplier=1.0, expected=5.0, secret=secret(1),
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
