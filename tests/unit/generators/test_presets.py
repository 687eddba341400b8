"""Published hyper-parameters as presets, networks on the genes themselves, and the options that came with them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.generators import FAST, annotation, toy

from pseudocohort.core.errors import UserError
from pseudocohort.generators.base import registry
from pseudocohort.generators.engine.diffusion_schedule import Schedule
from pseudocohort.generators.space.latent import GeneSpace, LatentSpace

#: Published settings cut down in width and length only.
SMALL = {
    "wgan_gp": {"width": [32, 48], "critic_width": [48, 16], "steps": 60, "batch": 32},
    "ddpm": {"width": 48, "steps": 80, "batch": 64, "diffusion_steps": 100, "sampling_steps": 100},
}


@pytest.mark.parametrize("name", SMALL)
def test_paper_preset_works_on_the_genes_and_is_stored(name, tmp_path):
    data, kind = toy(), registry.get(name)
    model = kind().fit(data, settings={"preset": "paper", **SMALL[name]}, seed=1)
    assert type(model.space) is GeneSpace and model.space.dim == data.n_vars
    whole = kind.merge_settings({"preset": "paper"})
    assert whole["components"] == 0 and kind.merge_settings({})["components"] > 0
    assert kind.merge_settings({"preset": "paper", "components": 9})["components"] == 9
    wanted = annotation(["A"] * 20 + ["B"] * 20, ["tumour"] * 40)
    made = model.sample(wanted, seed=2)
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(kind.load(tmp_path / "m").sample(wanted, seed=2), made)
    assert made.shape == (40, data.n_vars) and np.isfinite(made).all()
    assert "latent_space" not in model.member_signals(data[:5].copy())


def test_unknown_presets_and_spaces_are_refused():
    with pytest.raises(UserError, match="'papre' is not allowed") as caught:
        registry.get("ddpm").merge_settings({"preset": "papre"})
    assert "paper" in caught.value.remedy
    with pytest.raises(UserError, match="unknown key 'preset'"):
        registry.get("mvn").merge_settings({"preset": "paper"})
    with pytest.raises(UserError, match="unknown key 'preset'"):
        registry.get("dp_ddpm").merge_settings({"preset": "paper"})
    with pytest.raises(UserError, match="0 is less than the minimum of 1"):
        registry.get("flow")().fit(toy(), settings={**FAST["flow"], "components": 0}, seed=1)


def test_a_network_on_genes_learns_the_class_means_that_the_latent_space_gives_for_nothing():
    data = toy(n=240)
    settings = {"components": 0, "steps": 900, "max_epochs": 10**6, "width": 64, "batch": 64}
    wanted = annotation(["A"] * 400 + ["B"] * 400, ["tumour"] * 800)
    made = registry.get("ddpm")().fit(data, settings=settings, seed=1).sample(wanted, seed=1)
    apart = made[:400].mean(0) - made[400:].mean(0)
    label, x = data.obs["condition"].to_numpy(), np.asarray(data.X)
    tumours = (data.obs["level"] == "tumour").to_numpy()
    truth = x[tumours & (label == "A")].mean(0) - x[tumours & (label == "B")].mean(0)
    assert np.corrcoef(apart, truth)[0, 1] > 0.9
    assert isinstance(registry.get("ddpm")().fit(data, settings=FAST["ddpm"], seed=1).space, LatentSpace)


@pytest.mark.parametrize("prediction", ["noise", "velocity"])
def test_weights_of_steps_are_those_of_the_clean_row_cut_at_five(prediction):
    """In terms of the error in x0 either weight is min(SNR, 5): an error e in the noise is e / sqrt(SNR) in x0."""
    model = registry.get("ddpm")()
    model.settings = model.merge_settings({"weighting": "min_snr", "prediction": prediction})
    schedule, t = Schedule.make("cosine", 1000), torch.tensor([0, 50, 400, 700, 999])
    snr = schedule.signal_to_noise(t)
    torch.testing.assert_close(snr, schedule.abar[t] / (1 - schedule.abar[t]))
    x0, noise = torch.randn(5, 4, dtype=torch.float64), torch.randn(5, 4, dtype=torch.float64)
    wrong = torch.randn(5, 4, dtype=torch.float64)  # error in x0, at the same x_t
    x = schedule.add_noise(x0, noise, t)
    abar = schedule.abar[t][:, None]
    noise_of = (x - abar.sqrt() * (x0 + wrong)) / (1 - abar).sqrt()
    made = noise_of if prediction == "noise" else schedule.velocity(x0 + wrong, noise_of, t)
    target = noise if prediction == "noise" else schedule.velocity(x0, noise, t)
    weighted = model.weight(snr) * (made - target).square().mean(1)
    torch.testing.assert_close(weighted, snr.clamp(max=5) * wrong.square().mean(1), rtol=1e-6, atol=1e-9)


def test_mixed_precision_multiplies_in_bfloat16_and_learns_the_same(monkeypatch):
    from pseudocohort.generators.engine.networks import Denoiser

    kinds = set()
    original = Denoiser.forward

    def watched(self, *inputs):
        made = original(self, *inputs)
        kinds.add((made.dtype, self.leave.weight.dtype))
        return made

    monkeypatch.setattr(Denoiser, "forward", watched)
    data, settings = toy(n=240), {"components": 0, "steps": 300, "max_epochs": 10**6, "width": 64, "batch": 64}
    wanted = annotation(["A"] * 50 + ["B"] * 50, ["tumour"] * 100)
    histories, samples = [], []
    for precision, expected in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        kinds.clear()
        model = registry.get("ddpm")().fit(data, settings=settings | {"precision": precision}, seed=1)
        samples.append(model.sample(wanted, seed=1))
        assert kinds == {(expected, torch.float32)}  # in training and sampling
        histories.append(model.history["denoising"].to_numpy())
    np.testing.assert_allclose(histories[1], histories[0], rtol=0.1)
    assert not np.array_equal(histories[1], histories[0])
    assert np.corrcoef(samples[0].ravel(), samples[1].ravel())[0, 1] > 0.95
    with pytest.raises(UserError, match="'half' is not allowed"):
        registry.get("ddpm")().fit(data, settings=settings | {"precision": "half"}, seed=1)
