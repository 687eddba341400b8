"""Generators with networks under differential privacy: cvae, ddpm, flow and wgan_gp trained by DP-SGD."""

from __future__ import annotations

from typing import Any, Self

import anndata as ad
import numpy as np
import pandas as pd
import torch
from torch import nn

from ....core.groups import keys_of
from ....core.levels import FACTORS
from ....core.seeds import derive
from ...base.checkpoint import Checkpoint
from ...base.device import choose_device
from ...base.ledger import Ledger, Mechanism, noise_for
from ...engine.network_generator import NetworkGenerator, factor_numbers
from ...engine.streams import Streams
from ...engine.training import Training, cosine
from ...private.dp_sgd import DonorBatches, Rule, private_gradient
from ...private.settings import open_ledger, secret_seed, statistics, vocabulary
from ...private.statistics import LEAST_VARIANCE, principal_components, reference_centre
from ...space.latent import LatentSpace
from ...space.means import ClassMeans
from ..adversarial.wgan_gp import WGANGP
from ..cvae.model import CVAE
from ..ddpm.model import DDPM
from ..flow.model import Flow
from . import DP_CVAE, DP_DDPM, DP_FLOW, DP_WGAN_GP

SHARES = {"class counts": 0.05, "mean level": 0.02, "mean profile": 0.23, "class means": 0.4, "covariance": 0.3}
REFERENCE_SHARES = {"class counts": 0.2, "class means": 0.8}


class PrivateNetwork(NetworkGenerator):
    """A network generator trained by DP-SGD in a latent space of noised or public statistics.

    Mixed with a generator that has ``loss_draws(n, random)``, what the losses of n rows draw at random, and
    ``row_losses(network, h, condition, factors, *draws)``, the losses (n,).
    """

    #: Gradients taken of the donors per training step.
    gradients_per_step = 1

    def fit(self, profiles: ad.AnnData, *, settings=None, seed, device="cpu", checkpoint=None) -> Self:
        s = self.settings = self.merge_settings(settings)
        self.device = choose_device(device)
        self.ledger = open_ledger(profiles, s)
        public, keys = vocabulary(profiles, s)
        reference = public.reference
        part = None if s["epsilon"] is None else s["epsilon"] * s["statistics_share"]
        shares = SHARES if reference is None else REFERENCE_SHARES
        made = statistics(profiles, keys, s, self.ledger, shares, epsilon=part, seed=seed)
        made.release_counts()
        if reference is None:
            centre = np.tile(made.centre(s["centre"], s["centre_span"], s["centre_radius"]), (len(keys), 1))
            mean = made.class_means(centre, s["radius"])
            covariance, noise = made.covariance(mean, s["radius"])
            parts = principal_components(covariance, noise, s["components"], made.total)
        else:
            centre, residual = reference_centre(reference, keys)
            mean = made.class_means(centre, s["radius"])
            parts = _components_of(residual, s["components"])
            self.ledger.public("components", "principal components of the reference")
        means = ClassMeans(dict(zip(keys, mean, strict=True)), set(keys))
        self.space = LatentSpace(means, *parts)
        self.conditions = sorted({condition for condition, _ in keys})
        self._labels(public.labels, keys, made.count)
        rows = keys_of(profiles.obs)
        batches = DonorBatches(
            self.space.encode(np.asarray(profiles.X, np.float64), rows),
            np.array([self.conditions.index(c) for c, _ in rows]),
            factor_numbers(profiles.obs),
            profiles.obs["donor"].astype(str).to_numpy(),
            min(1.0, s["batch"] / made.total),
            self.device,
        )
        self.noise = self._budget(batches.rate, seed)
        torch.manual_seed(derive(seed, "weights"))
        network = self.build(self.space.dim, len(self.conditions), {})
        modules = {"network": network, **self.critics()}
        modules = {name: module.to(self.device) for name, module in modules.items()}
        random = secret_seed(s, seed, "training") % 2**63
        run = self.train(batches=batches, seed=random, checkpoint=checkpoint, **modules)
        self.keep(run.results()[0], batches)
        self.history = None  # a loss would be an exact statistic of the training donors
        return self

    @classmethod
    def fit_together(cls, profiles, **given) -> list[Self]:
        return super(NetworkGenerator, cls).fit_together(profiles, **given)  # gradients of donors fill a device

    def _budget(self, rate: float, seed: int) -> float:
        """Noise multiplier of the gradients, within what the statistics left of epsilon; 0 with the noise off."""
        s, steps = self.settings, self.settings["steps"] * self.gradients_per_step
        detail = f"DP-SGD, {steps} gradients clipped to {s['max_grad_norm']:g}, one per donor"
        if s["epsilon"] is None:
            self.ledger.noised("weights", f"{detail}; noise is off", None)
            return 0.0
        before = self.ledger.mechanisms
        noise = noise_for(s["epsilon"], s["delta"], sampling_rate=rate, steps=steps, before=before)
        self.ledger.noised("weights", detail, Mechanism(noise, rate, steps))
        return noise

    def _labels(self, labels: pd.DataFrame, keys: list, count: np.ndarray) -> None:
        """Labels that a GAN's generator is asked for in training, in the noised frequencies of their classes."""
        table = labels[list(FACTORS)].assign(key=list(keys_of(labels))).drop_duplicates("key").set_index("key")
        self.label_conditions = torch.tensor([self.conditions.index(c) for c, _ in keys], device=self.device)
        self.label_factors = torch.as_tensor(factor_numbers(table.loc[keys]), device=self.device)
        self.label_weights = torch.as_tensor(count / count.sum(), dtype=torch.float32, device=self.device)

    def _gradient(self, network: nn.Module, rule: Rule, batch, draws, run: Training) -> None:
        """Set the private gradient; the draws are of as many rows as the batch times the multiplicity."""
        s = self.settings
        n, k = len(batch[0]), s["noise_multiplicity"]
        repeated = [x[:, None].expand(n, k, *x.shape[1:]) for x in batch]
        drawn = [x.reshape(n, k, *x.shape[1:]) for x in draws]
        private_gradient(
            network, rule, (*repeated, *drawn),
            max_norm=s["max_grad_norm"], noise_multiplier=self.noise, expected=float(s["batch"]),
            random=run.random.generator,
        )  # fmt: skip

    def train(self, network, batches: DonorBatches, seed: int, checkpoint: Checkpoint | None) -> Training:
        s = self.settings
        optimiser = torch.optim.AdamW(network.parameters(), lr=s["learning_rate"], weight_decay=s["weight_decay"])
        run = Training(
            {"network": network}, {"network": optimiser},
            averaged="network", decay=s["decay"], seed=seed, device=self.device, learning_rate=cosine,
        )  # fmt: skip

        def one_step() -> dict[str, torch.Tensor]:
            batch = batches.draw(run.random.generator)
            draws = self.loss_draws(len(batch[0]) * s["noise_multiplicity"], run.random)
            self._gradient(network, self.row_losses, batch, draws, run)
            optimiser.step()
            return {}

        return run.run(one_step, s["steps"], checkpoint, self.name)

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        arrays, metadata = super().state()
        return arrays, metadata | {"ledger": self.ledger.state()}

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> Self:
        out = super().from_state(arrays, metadata)
        out.ledger = Ledger.from_state(metadata["ledger"])
        return out


def _components_of(residual: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Principal components of public residuals (n × genes): axes, standard deviations, what is left of each gene."""
    _, values, axes = np.linalg.svd(residual, full_matrices=False)
    rank = max(1, min(most, len(residual) // 2, int((values > 1e-6 * values[0]).sum())))
    rest = residual - residual @ axes[:rank].T @ axes[:rank]
    least = np.sqrt(LEAST_VARIANCE)
    return axes[:rank], np.maximum(values[:rank] / np.sqrt(len(residual)), least), np.maximum(rest.std(0), least)


class DPCVAE(PrivateNetwork, CVAE):
    """:class:`..cvae.model.CVAE` by DP-SGD."""

    description = DP_CVAE


class DPDDPM(PrivateNetwork, DDPM):
    """:class:`model.DDPM` by DP-SGD, each donor's gradient averaged over several times and noises before clipping."""

    description = DP_DDPM


class DPFlow(PrivateNetwork, Flow):
    """:class:`..flow.model.Flow` by DP-SGD.

    The start is the Gaussian of the noised covariance, without one for each class; and rows meet draws at random, for
    optimal pairs within a batch would let one donor change the gradients of all others.
    """

    description = DP_FLOW


class DPWGANGP(PrivateNetwork, WGANGP):
    """:class:`..adversarial.wgan_gp.WGANGP` whose critic is trained by DP-SGD (Xie et al. 2018, arXiv:1802.06739).

    The critic alone sees donors: each donor's gradient is that of its distance to a generated row of its condition and
    of the penalty between the two. The generator learns from the critic and from noised class frequencies.
    """

    description = DP_WGAN_GP

    @property
    def gradients_per_step(self) -> int:
        return self.settings["critic_steps"]

    def loss_draws(self, n: int, random: Streams) -> tuple[torch.Tensor, ...]:
        return random.randn(n, self.settings["noise"]), random.rand(n, 1)

    def row_losses(self, network, real, condition, factors, fake, share) -> torch.Tensor:
        """Losses of the critic: its score of the fake row less that of the real one, and the penalty between them."""
        between = share * real + (1 - share) * fake
        slope = torch.func.grad(lambda x: network(x, condition, factors).sum())(between)
        penalty = ((slope.square().sum(1) + 1e-12).sqrt() - 1).square()
        distance = network(real, condition, factors) - network(fake, condition, factors)
        return self.settings["penalty"] * penalty - distance

    def train(self, network, batches: DonorBatches, seed: int, checkpoint: Checkpoint | None, critic) -> Training:
        s = self.settings
        optimisers = {
            name: torch.optim.Adam(module.parameters(), lr=s["learning_rate"], betas=self.betas)
            for name, module in (("generator", network), ("critic", critic))
        }
        run = Training(
            {"generator": network, "critic": critic}, optimisers,
            averaged="generator", decay=s["decay"], seed=seed, device=self.device,
        )  # fmt: skip

        def one_step() -> dict[str, torch.Tensor]:
            for _ in range(s["critic_steps"]):
                batch = batches.draw(run.random.generator)
                k = s["noise_multiplicity"]
                z, share = self.loss_draws(len(batch[0]) * k, run.random)
                with torch.no_grad():
                    fake = network(z, batch[1].repeat_interleave(k), batch[2].repeat_interleave(k, dim=0))
                self._gradient(critic, self.row_losses, batch, (fake, share), run)
                optimisers["critic"].step()
            u = run.random.rand(s["batch"])
            label = torch.searchsorted(self.label_weights.cumsum(0), u).clamp_(max=len(self.label_weights) - 1)
            condition, factors = self.label_conditions[label], self.label_factors[label]
            z, _ = self.loss_draws(s["batch"], run.random)
            run.optimizer_step("generator", -critic(network(z, condition, factors), condition, factors).mean())
            return {}

        return run.run(one_step, s["steps"], checkpoint, self.name)
