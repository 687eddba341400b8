"""Networks trained together are the networks trained one by one."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from support.generators import FAST, STACKED, annotation, settings_of, toy

from pseudocohort.generators.base import registry
from pseudocohort.generators.base.checkpoint import Checkpoint
from pseudocohort.generators.engine.batches import Batches, StackedBatches
from pseudocohort.generators.engine.networks import Denoiser, ProjectionCritic
from pseudocohort.generators.engine.stacking import Stack
from pseudocohort.generators.engine.streams import Streams
from pseudocohort.generators.engine.training import Training

BULK_AND_CELLS = ("tumour", "pseudobulk")


@pytest.mark.parametrize("name", STACKED)
def test_trained_together_as_trained_one_by_one(name):
    kind, settings = registry.get(name), settings_of(name)
    # Two of one size, and one of another, whose network has its own batches.
    parts = [toy(seed=1, levels=BULK_AND_CELLS), toy(seed=2, levels=BULK_AND_CELLS), toy(n=30, seed=3)]
    alone = [kind().fit(part, settings=settings, seed=i) for i, part in enumerate(parts)]
    together = kind.fit_together(parts, settings=settings, seeds=[0, 1, 2])
    wanted = annotation(["A", "B"] * 10, ["tumour"] * 20)
    for one, other in zip(alone, together, strict=True):
        for a, b in zip(one.network.state_dict().values(), other.network.state_dict().values(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
        pd.testing.assert_frame_equal(one.history, other.history, rtol=1e-3)
        np.testing.assert_allclose(one.sample(wanted, seed=1), other.sample(wanted, seed=1), atol=1e-4)
        assert one.state()[0].keys() == other.state()[0].keys()
    assert not np.allclose(together[0].sample(wanted, seed=1), together[1].sample(wanted, seed=1), atol=0.1)


@pytest.mark.parametrize("name", ["ddpm", "wgan_gp"])
def test_sets_of_one_shape_are_one_run(name, monkeypatch):
    runs = []
    original = Training.run

    def counted(self, *arguments, **named):
        runs.append(self.random.stacked and len(self.random.generators))
        return original(self, *arguments, **named)

    monkeypatch.setattr(Training, "run", counted)
    kind = registry.get(name)
    kind.fit_together([toy(seed=i) for i in range(4)] + [toy(n=30)], settings=settings_of(name, 3), seeds=range(5))
    assert runs == [4, False]


def test_private_generators_are_not_stacked(monkeypatch):
    kind = registry.get("dp_ddpm")
    settings = FAST["dp_ddpm"] | {"steps": 5}
    parts = [toy(seed=1), toy(seed=2)]
    for part in parts:
        part.uns["public"] = None
    monkeypatch.setattr("pseudocohort.generators.engine.network_generator.Stack", None)
    for part, model in zip(parts, kind.fit_together(parts, settings=settings, seeds=[1, 2]), strict=True):
        seed = 1 if part is parts[0] else 2
        alone = kind().fit(part, settings=settings, seed=seed)
        for a, b in zip(alone.network.parameters(), model.network.parameters(), strict=True):
            assert torch.equal(a, b)


def test_a_stack_calls_each_network_on_its_own_rows_and_gives_gradients():
    torch.manual_seed(0)
    networks = [ProjectionCritic(6, 2, 8, 2) for _ in range(3)]
    stack, random = Stack(networks), Streams([1, 2, 3])
    x, condition, factors = random.randn(5, 6), random.randint(2, 5), random.randint(2, 5, 3)
    made = stack(x, condition, factors)
    for i, network in enumerate(networks):
        torch.testing.assert_close(made[i], network(x[i], condition[i], factors[i]))
    x.requires_grad_(True)
    (slope,) = torch.autograd.grad(stack(x, condition, factors).sum(), x, create_graph=True)
    slope.square().sum().backward()  # the gradient penalty's second derivative
    for i, network in enumerate(networks):
        own = x.detach()[i].requires_grad_(True)
        (slope,) = torch.autograd.grad(network(own, condition[i], factors[i]).sum(), own, create_graph=True)
        slope.square().sum().backward()
        for key, weight in network.named_parameters():
            found = stack.weights.get_parameter(key).grad
            expected = torch.zeros_like(weight) if weight.grad is None else weight.grad
            torch.testing.assert_close(torch.zeros_like(weight) if found is None else found[i], expected)
    with pytest.raises(ValueError, match="different shapes"):
        Stack([ProjectionCritic(6, 2, 8, 2), ProjectionCritic(7, 2, 8, 2)])
    with pytest.raises(AttributeError):
        Stack([Denoiser(2, 2, 8, 1)]).no_such_part  # noqa: B018


def test_a_stack_gives_its_weights_back_to_its_networks_and_a_copy_of_it_does_too():
    torch.manual_seed(0)
    networks = [ProjectionCritic(6, 2, 8, 2) for _ in range(3)]
    before = copy.deepcopy(networks)
    stack = Stack(networks)
    other = copy.deepcopy(stack)
    with torch.no_grad():
        for weight in other.parameters():
            weight += 1
    for network, old in zip(networks, before, strict=True):  # neither stack shares memory with them
        for a, b in zip(network.parameters(), old.parameters(), strict=True):
            assert torch.equal(a, b)
    for add, which in ((1, other), (0, stack)):
        assert all(a is b for a, b in zip(which.unstack(), networks, strict=True))
        for network, old in zip(networks, before, strict=True):
            for a, b in zip(network.parameters(), old.parameters(), strict=True):
                assert torch.equal(a, b + add)
    other.weights.score.requires_grad_(False)
    assert not other.unstack()[0].score.weight.requires_grad and networks[0].features[0][0].weight.requires_grad


def test_networks_on_the_genes_are_trained_together_in_mixed_precision():
    kind, parts = registry.get("ddpm"), [toy(seed=1), toy(seed=2)]
    settings = settings_of("ddpm", 40) | {"components": 0, "precision": "bfloat16"}
    alone = [kind().fit(part, settings=settings, seed=i) for i, part in enumerate(parts)]
    together = kind.fit_together(parts, settings=settings, seeds=[0, 1])
    for one, other in zip(alone, together, strict=True):
        for a, b in zip(one.network.parameters(), other.network.parameters(), strict=True):
            # Adam moves a weight by the learning rate even where the gradient is all rounding.
            torch.testing.assert_close(a, b, rtol=0, atol=0.02)
            assert (a - b).abs().mean() < 2e-3


def test_stacked_batches_are_each_sets_own():
    rng = np.random.default_rng(0)
    parts = [
        Batches(rng.normal(size=(n, 3)), np.full(n, i), np.zeros((n, 3), int), rng.random(n), 20, torch.device("cpu"))
        for i, n in enumerate((25, 40, 21))
    ]
    both, seeds = StackedBatches(parts), [4, 5, 6]
    assert both.rows == 40
    assert both.size == 20
    streams, own = Streams(seeds), [Streams(seed) for seed in seeds]
    for _ in range(20):
        drawn = both.draw(streams)
        for i, (part, stream) in enumerate(zip(parts, own, strict=True)):
            for ours, theirs in zip(drawn, part.draw(stream), strict=True):
                assert torch.equal(ours[i], theirs)


@pytest.mark.parametrize("name", ["flow", "wgan_gp"])
def test_a_killed_stack_resumes_bit_for_bit(name, tmp_path, monkeypatch):
    kind, parts = registry.get(name), [toy(seed=1), toy(seed=2)]
    options = {"settings": settings_of(name), "seeds": [1, 2]}
    whole = kind.fit_together(parts, **options)
    checkpoint = Checkpoint(tmp_path / "c.safetensors", 5, "same")
    original = Training._update_average

    def killed(self):
        original(self)
        if self.step == 30:
            checkpoint.save(*self._state())
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Training, "_update_average", killed)
        kind.fit_together(parts, checkpoint=lambda _: checkpoint, **options)
    steps = []
    monkeypatch.setattr(Training, "_update_average", lambda self: (steps.append(self.step), original(self)))
    resumed = kind.fit_together(parts, checkpoint=lambda _: checkpoint, **options)
    assert steps[0] == 31
    for one, other in zip(whole, resumed, strict=True):
        for a, b in zip(one.network.state_dict().values(), other.network.state_dict().values(), strict=True):
            assert torch.equal(a, b)
        # The kill came before the losses of its step were noted, as no kill between two savings does.
        pd.testing.assert_frame_equal(one.history.query("step != 30").reset_index(drop=True), other.history)


STOPPED = {"validation": 0.2, "patience": 3}


@pytest.mark.parametrize("name", ["cvae", "ddpm", "flow", "unclip"])
def test_early_stopping_keeps_the_weights_of_least_validation_loss_together_as_alone(name):
    kind, parts = registry.get(name), [toy(n=40, seed=1), toy(n=40, seed=2)]
    settings = settings_of(name, 100) | STOPPED | {"max_epochs": 10**4, "learning_rate": 5e-3}
    alone = [kind().fit(part, settings=settings, seed=i) for i, part in enumerate(parts)]
    together = kind.fit_together(parts, settings=settings, seeds=[0, 1])
    for one, other in zip(alone, together, strict=True):
        loss = one.history["validation"].to_numpy()
        loss = loss[np.isfinite(loss)]
        best = int(loss.argmin())
        # The run ends three points after the minimum, unless it ends by itself.
        assert len(loss) - 1 - best == 3 or len(one.history) == 100
        pd.testing.assert_frame_equal(one.history, other.history, rtol=1e-2, atol=1e-3)
        for a, b in zip(one.network.parameters(), other.network.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-2, atol=1e-3)


def test_held_out_donors_are_not_trained_on_and_their_loss_is_the_lowest_kept(monkeypatch):
    kind, data = registry.get("ddpm"), toy(n=60)
    seen = []
    original = Batches.draw
    monkeypatch.setattr(Batches, "draw", lambda self, random: seen.append(self) or original(self, random))
    model = kind().fit(data, settings=settings_of("ddpm", 60) | {"validation": 0.25}, seed=3)
    (batches,) = {id(b): b for b in seen}.values()
    held = batches.held_out
    assert batches.rows == 46 and held.columns[0].shape[0] == 14  # 7 of 30 donors of each condition
    both = torch.cat([batches.columns[0], held.columns[0]])
    assert len(torch.unique(both, dim=0)) == 60
    validation = model.validation(batches, model_seed(3))
    assert float(validation.loss(model.network)) == pytest.approx(model.history["validation"].min(), rel=1e-5)


def model_seed(seed):
    from pseudocohort.core.seeds import derive

    return derive(seed, "training")


def test_an_early_stopped_run_resumes_bit_for_bit(tmp_path, monkeypatch):
    kind, data = registry.get("cvae"), toy(n=40)
    settings = settings_of("cvae", 100) | STOPPED | {"max_epochs": 10**4, "patience": 20}
    whole = kind().fit(data, settings=settings, seed=1)
    checkpoint = Checkpoint(tmp_path / "c.safetensors", 0, "same")
    original = Checkpoint.save

    def killed(self, tensors, metadata):
        original(self, tensors, metadata)
        if metadata["step"] == 40:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Checkpoint, "save", killed)
        kind().fit(data, settings=settings, seed=1, checkpoint=checkpoint)
    resumed = kind().fit(data, settings=settings, seed=1, checkpoint=checkpoint)
    pd.testing.assert_frame_equal(whole.history, resumed.history)
    for a, b in zip(whole.network.parameters(), resumed.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_private_generators_have_no_validation():
    private = [d for d in registry.generators().values() if d.capabilities.private]
    assert private and not any("validation" in d.settings for d in private)
