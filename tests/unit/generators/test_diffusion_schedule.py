"""Schedules and samplers against diffusers."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler

from pseudocohort.generators.engine.diffusion_schedule import Schedule

KINDS = {"linear": "linear", "quadratic": "scaled_linear", "cosine": "squaredcos_cap_v2"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [50, 1000])
def test_schedules(kind, steps):
    ours = Schedule.make(kind, steps)
    theirs = DDPMScheduler(num_train_timesteps=steps, beta_schedule=KINDS[kind], beta_start=1e-4, beta_end=0.02)
    torch.testing.assert_close(ours.abar.float(), theirs.alphas_cumprod, atol=1e-5, rtol=0)


def test_noise_and_velocity():
    schedule = Schedule.make("linear", 1000)
    theirs = DDPMScheduler(num_train_timesteps=1000, beta_start=1e-4, beta_end=0.02)
    x, noise, t = torch.randn(6, 5), torch.randn(6, 5), torch.tensor([0, 10, 300, 500, 998, 999])
    noisy = schedule.add_noise(x, noise, t)
    torch.testing.assert_close(noisy, theirs.add_noise(x, noise, t), atol=1e-5, rtol=0)
    velocity = schedule.velocity(x, noise, t)
    torch.testing.assert_close(velocity, theirs.get_velocity(x, noise, t), atol=1e-5, rtol=0)
    torch.testing.assert_close(schedule.noise_of(noisy, velocity, t), noise, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("t", [0, 1, 500, 900])
def test_ancestral_posterior(kind, t):
    schedule = Schedule.make(kind, 1000)
    theirs = DDPMScheduler(
        num_train_timesteps=1000, beta_schedule=KINDS[kind], beta_start=1e-4, beta_end=0.02, clip_sample=False
    )
    # In float32 its 1 - abar has three digits at the first steps.
    theirs.alphas_cumprod = torch.cumprod(1 - theirs.betas.double(), 0)
    theirs.one = theirs.one.double()
    x, noise = torch.randn(4, 3), torch.randn(4, 3)
    expected = theirs.step(noise, t, x, generator=torch.Generator().manual_seed(5)).prev_sample
    fresh = torch.randn(4, 3, generator=torch.Generator().manual_seed(5))
    torch.testing.assert_close(schedule.ancestral_step(x, noise, t, fresh), expected.float(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("steps", [10, 50])
def test_ddim_steps_and_times(eta, steps):
    schedule = Schedule.make("linear", 1000)
    theirs = DDIMScheduler(
        num_train_timesteps=1000, beta_start=1e-4, beta_end=0.02, clip_sample=False, timestep_spacing="trailing"
    )
    theirs.set_timesteps(steps)
    times = schedule.ddim_times(steps)
    assert times == theirs.timesteps.tolist()
    x, noise = torch.randn(4, 3), torch.randn(4, 3)
    for t, to in [*zip(times[:-1], times[1:], strict=True)][:: max(1, steps // 5)]:
        expected = theirs.step(noise, t, x, eta=eta, generator=torch.Generator().manual_seed(2)).prev_sample
        fresh = torch.randn(4, 3, generator=torch.Generator().manual_seed(2))
        torch.testing.assert_close(schedule.ddim_step(x, noise, t, to, eta, fresh), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [5, 20])
def test_dpm_solver_goes_the_way_of_diffusers(kind, steps):
    schedule = Schedule.make(kind, 1000)
    theirs = DPMSolverMultistepScheduler(
        num_train_timesteps=1000, trained_betas=schedule.beta.numpy(), timestep_spacing="trailing",
        final_sigmas_type="zero",
    )  # fmt: skip
    theirs.set_timesteps(steps)
    assert schedule.ddim_times(steps) == theirs.timesteps.tolist()
    weights = torch.randn(3, 3, generator=torch.Generator().manual_seed(0)) / 3

    def predict(x, t):  # some noise that depends on x and t
        return torch.tanh(x @ weights) + t[:, None] / 1000

    start = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    x = start.clone()
    for t in theirs.timesteps:
        x = theirs.step(predict(x, t.expand(6)), t, x).prev_sample
    found = schedule.sample_dpm(predict, (6, 3), steps, torch.Generator().manual_seed(1))
    torch.testing.assert_close(found, x, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("sampler", ["ddim", "ancestral", "dpm"])
def test_samplers_with_the_exact_score_of_a_gaussian_recover_it(sampler):
    schedule = Schedule.make("linear", 1000)
    mean, sd = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 2.0])

    def exact(x, t):
        abar = schedule.abar[t][:, None]
        variance = abar * sd**2 + 1 - abar
        return (1 - abar).sqrt() * (x - abar.sqrt() * mean) / variance

    random = torch.Generator().manual_seed(1)
    x = (
        schedule.sample_ddim(exact, (4000, 2), 100, 0.0, random)
        if sampler == "ddim"
        else schedule.sample_dpm(exact, (4000, 2), 20, random)
        if sampler == "dpm"
        else schedule.sample_ancestral(exact, (4000, 2), random)
    )
    torch.testing.assert_close(x.mean(0).float(), mean, atol=0.12, rtol=0)
    torch.testing.assert_close(x.std(0).float(), sd, atol=0.12, rtol=0.03)
