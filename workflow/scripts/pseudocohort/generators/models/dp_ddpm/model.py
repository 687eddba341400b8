"""Denoising diffusion under differential privacy: the network of ``ddpm`` trained by DP-SGD."""

from __future__ import annotations

from typing import Any, Self

import anndata as ad
import numpy as np
import torch
from torch import nn

from ....core.groups import keys_of
from ....core.seeds import derive
from ...base.checkpoint import Checkpoint
from ...base.device import choose_device
from ...base.ledger import Ledger, Mechanism, noise_for
from ...engine.network_generator import NetworkGenerator, factor_numbers
from ...engine.optimisers import AdamW
from ...engine.training import Training, cosine
from ...private.dp_sgd import DonorBatches, private_gradient
from ...private.noise import NoiseKey
from ...private.settings import noise_key, open_ledger, protected, statistics, vocabulary
from ...private.statistics import MIN_VARIANCE, principal_components, reference_centre
from ...space.latent import LatentSpace
from ...space.means import ClassMeans
from ..ddpm.model import DDPM
from . import DP_DDPM

SHARES = {"class counts": 0.05, "mean level": 0.02, "mean profile": 0.23, "class means": 0.4, "covariance": 0.3}
REFERENCE_SHARES = {"class counts": 0.2, "class means": 0.8}


class DPDDPM(DDPM):
    """:class:`..ddpm.model.DDPM` by DP-SGD, in a latent space of noised or public statistics.

    Each donor's gradient is averaged over several times and noises before it is clipped.
    """

    description = DP_DDPM

    def fit(self, profiles: ad.AnnData, *, settings=None, seed, device="cpu", checkpoint=None) -> Self:
        s = self.settings = self.merge_settings(settings)
        self.device = choose_device(device)
        self.ledger = open_ledger(profiles, s)
        public, keys = vocabulary(profiles, s)
        reference = public.reference
        part = None if s["epsilon"] is None else s["epsilon"] * s["statistics_share"]
        shares = SHARES if reference is None else REFERENCE_SHARES
        key = noise_key(s, seed, checkpoint)
        made = statistics(profiles, keys, self.ledger, shares, epsilon=part, key=key)
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
        profiles = protected(profiles, keys)
        rows = keys_of(profiles.obs)
        batches = DonorBatches(
            self.space.encode(np.asarray(profiles.X, np.float64), rows),
            np.array([self.conditions.index(c) for c, _ in rows]),
            factor_numbers(profiles.obs),
            profiles.obs["donor"].astype(str).to_numpy(),
            min(1.0, s["batch"] / made.total),
            self.device,
        )
        self.noise_multiplier = self._budget(batches.rate)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(seed, "weights"))
            network = self.build(self.space.dim, len(self.conditions), {}).to(self.device)
        run = self._descend(network, batches, key, derive(seed, "training"), checkpoint)
        self.keep(run.results()[0], batches)
        self.history = None  # a loss would be an exact statistic of the training donors
        return self

    @classmethod
    def fit_together(cls, profiles, **given) -> list[Self]:
        return super(NetworkGenerator, cls).fit_together(profiles, **given)  # gradients of donors fill a device

    def _budget(self, rate: float) -> float:
        """Noise multiplier of the gradients, within what the statistics left of epsilon; 0 with the noise off."""
        s, steps = self.settings, self.settings["steps"]
        detail = f"DP-SGD, {steps} gradients clipped to {s['max_grad_norm']:g}, one per donor"
        if s["epsilon"] is None:
            self.ledger.noised("weights", f"{detail}; noise is off", None)
            return 0.0
        before = self.ledger.mechanisms
        noise = noise_for(s["epsilon"], s["delta"], sampling_rate=rate, steps=steps, before=before)
        self.ledger.noised("weights", detail, Mechanism(noise, rate, steps))
        return noise

    def _descend(
        self, network: nn.Module, batches: DonorBatches, key: NoiseKey, seed: int, checkpoint: Checkpoint | None
    ) -> Training:
        """Train by private gradients; times and noises of the diffusion come from `seed`, and need not be secret."""
        s = self.settings
        optimiser = AdamW(network.parameters(), lr=s["learning_rate"], weight_decay=s["weight_decay"])
        run = Training(
            {"network": network}, {"network": optimiser},
            averaged="network", decay=s["decay"], seed=seed, device=self.device, learning_rate=cosine,
        )  # fmt: skip

        def one_step() -> dict[str, torch.Tensor]:
            # Streams by step: a run resumed from a checkpoint draws what the interrupted one drew.
            batch = batches.draw(key.stream("batch", run.step))
            n, k = len(batch[0]), s["noise_multiplicity"]
            repeated = [x[:, None].expand(n, k, *x.shape[1:]) for x in batch]
            drawn = [x.reshape(n, k, *x.shape[1:]) for x in self.loss_draws(n * k, run.random)]
            private_gradient(
                network, self.row_losses, (*repeated, *drawn),
                max_norm=s["max_grad_norm"], noise_multiplier=self.noise_multiplier, expected=float(s["batch"]),
                secret=key.stream("gradient", run.step),
            )  # fmt: skip
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
    least = np.sqrt(MIN_VARIANCE)
    return axes[:rank], np.maximum(values[:rank] / np.sqrt(len(residual)), least), np.maximum(rest.std(0), least)
