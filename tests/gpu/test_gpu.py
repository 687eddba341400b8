"""Networks on a GPU: what they learn there, together as alone, and after an interruption."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from support.generators import FAST, STACKED, annotation, settings_of, toy

from pseudocohort.generators.base import registry
from pseudocohort.generators.base.checkpoint import Checkpoint
from pseudocohort.generators.base.device import choose_device
from pseudocohort.generators.engine.recording import Recorded
from pseudocohort.generators.engine.training import Training

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def cuda():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device is visible")


def test_auto_is_the_gpu():
    assert choose_device("auto").type == "cuda"


@pytest.mark.parametrize(
    "name", [n for n, d in registry.generators().items() if d.capabilities.trained and not d.capabilities.counts]
)
def test_trained_and_sampled_on_a_gpu_and_read_on_a_cpu(name, tmp_path):
    data = toy()
    model = registry.get(name)().fit(data, settings=FAST.get(name), seed=3, device="cuda")
    model.save(tmp_path / "model")
    on_cpu = registry.get(name).load(tmp_path / "model")
    wanted = annotation(["A", "B"] * 300, ["tumour"] * 600)
    made = [model.sample(wanted, seed=1, device="cuda"), on_cpu.sample(wanted, seed=1, device="cpu")]
    for c in "AB":
        rows = (wanted["condition"] == c).to_numpy()
        real = data.X[(data.obs["condition"] == c).to_numpy()]
        for x in made:
            assert np.isfinite(x).all() and np.corrcoef(x[rows].mean(0), real.mean(0))[0, 1] > 0.9, c
        np.testing.assert_allclose(made[0][rows].std(0), made[1][rows].std(0), rtol=0.35)


@pytest.mark.parametrize("name", STACKED)
def test_trained_together_as_trained_one_by_one(name):
    kind, settings = registry.get(name), settings_of(name, 20)
    parts = [toy(seed=1), toy(seed=2)]
    alone = [kind().fit(part, settings=settings, seed=i, device="cuda") for i, part in enumerate(parts)]
    together = kind.fit_together(parts, settings=settings, seeds=[0, 1], device="cuda")
    for one, other in zip(alone, together, strict=True):
        for a, b in zip(one.network.state_dict().values(), other.network.state_dict().values(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("sets", [1, 3])
@pytest.mark.parametrize("name", STACKED)
def test_recorded_steps_are_those_that_are_not(name, sets, monkeypatch):
    kind, settings = registry.get(name), settings_of(name, 40)
    parts, made = [toy(seed=i) for i in range(sets)], []
    for way in (Recorded, lambda step, kind, random: step):
        monkeypatch.setattr("pseudocohort.generators.engine.training.Recorded", way)
        made.append(kind.fit_together(parts, settings=settings, seeds=range(sets), device="cuda"))
    for one, other in zip(*made, strict=True):
        for a, b in zip(one.network.state_dict().values(), other.network.state_dict().values(), strict=True):
            torch.testing.assert_close(a, b, rtol=2e-3, atol=2e-3)
        pd.testing.assert_frame_equal(one.history, other.history, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("name", STACKED)
def test_resumed_after_an_interruption(name, tmp_path, monkeypatch):
    kind, data, settings = registry.get(name), toy(), settings_of(name, 300)
    whole = kind().fit(data, settings=settings, seed=1, device="cuda")
    saved, original = Checkpoint(tmp_path / "c.safetensors", 0.0, "x"), Training._set_rates

    def interrupted(self, share):
        if share > 0.6:
            raise KeyboardInterrupt
        original(self, share)

    monkeypatch.setattr(Training, "_set_rates", interrupted)
    with pytest.raises(KeyboardInterrupt):
        kind().fit(data, settings=settings, seed=1, device="cuda", checkpoint=saved)
    monkeypatch.setattr(Training, "_set_rates", original)
    resumed = kind().fit(data, settings=settings, seed=1, device="cuda", checkpoint=saved)
    for a, b in zip(whole.network.state_dict().values(), resumed.network.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("name", ["ddpm", "wgan_gp"])
def test_published_networks_train_on_a_gpu(name):
    model = registry.get(name)().fit(toy(p=200), settings={"preset": "paper", "steps": 20}, seed=1, device="cuda")
    assert np.isfinite(model.sample(annotation(["A", "B"], ["tumour"] * 2), seed=1, device="cuda")).all()
