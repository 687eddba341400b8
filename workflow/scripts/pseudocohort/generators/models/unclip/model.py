"""unCLIP for expression: joint embedding, prior, decoder."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Self

import anndata as ad
import numpy as np
import torch
from torch import nn

from ....core.levels import AGGREGATIONS, CONTEXTS, LEVELS, level_of
from ...engine.batches import Batches
from ...engine.diffusion_schedule import Predict, Schedule
from ...engine.diffusion_signals import denoising_signals
from ...engine.loss_trained import Batch, LossTrainedGenerator, Phase
from ...engine.network_generator import ATTACK_NOISES, Inputs, Tables
from ...engine.networks import Denoiser
from ...engine.streams import Streams
from ...engine.training import Losses, Trained, number_of_steps
from ...space.axes import leading_axes
from . import UNCLIP
from .embedding import Encoder, degeneracy, supervised_contrastive

#: Steps of sampling, at most, where means of draws are all that is wanted.
MAX_STEPS_FOR_MEANS = 5


class UnCLIPNetwork(nn.Module):
    """The three networks (Ramesh et al. 2022, section 2) in one module, so that they are stored and averaged as one."""

    def __init__(self, dim: int, conditions: int, settings: dict[str, Any], basis: np.ndarray) -> None:
        super().__init__()
        view = len(basis)
        width, hidden = settings["embedding"], settings["width"]
        self.encoder = Encoder(view, width, hidden)
        self.reconstruct = nn.Linear(width, view)
        #: The prior denoises z given condition and level; the decoder denoises h given z and level.
        self.prior = Denoiser(width, conditions, hidden, settings["blocks"])
        self.decoder = Denoiser(dim, conditions, hidden, settings["blocks"])
        self.from_z = nn.Linear(width, self.decoder.context)
        self.no_z = nn.Parameter(torch.zeros(self.decoder.context))
        # Basis of the profiles that the encoder sees, scaled; stored with the weights.
        self.register_buffer("basis", torch.as_tensor(basis, dtype=torch.float32))

    def decode(self, h, t, z, factors, dropped=None):
        """Velocity of h_t given z; `dropped` rows get no z (classifier-free guidance)."""
        context = self.from_z(z)
        if dropped is not None:
            context = torch.where(dropped[..., None], self.no_z[..., None, :], context)
        none = torch.full(h.shape[:-1], self.decoder.embed.none, device=h.device)
        return self.decoder(h, t, none, factors, context)


class UnCLIP(LossTrainedGenerator):
    """unCLIP-like model (Ramesh et al. 2022): joint embedding z of all levels, prior p(z | condition, level), decoder.

    1. One encoder embeds profiles of every level; rows of a condition attract each other, across levels most
       (supervised contrastive loss), and z must reconstruct the profile linearly, so that it keeps what varies within
       a condition.
    2. The prior is a diffusion model of z given condition and level (``prior: diffusion``), or one of its ablations:
       the class Gaussian of the training embeddings (``gaussian``) or their bootstrap (``neighbours``).
    3. The decoder is a diffusion model of the residual components around the class means, given z and level, with
       guidance on z (``guidance``).

    Where a class has one profile, the prior knows one embedding and the decoder what it came from: drawn profiles would
    be that one. With ``moments`` the means of drawn rows are those of the training rows, shrunk to the class mean.
    """

    description = UNCLIP

    sets_covariance = False

    def inputs(self, profiles: ad.AnnData, h: np.ndarray, condition: np.ndarray) -> Inputs:
        """Of each profile the scaled components that the encoder sees and the number of its level; and their basis."""
        x, largest = np.asarray(profiles.X, np.float64), max(2, len(self.space.basis))
        values, vectors = leading_axes(x, largest)
        rank = max(2, min(largest, len(x) // 2, int((values > 1e-6 * values[0]).sum())))
        # One profile per level leaves nothing but zeros after standardisation: then there is nothing to scale by.
        spread = values[:rank, None] / np.sqrt(len(x))
        basis = vectors[:rank] / np.where(spread > 1e-6, spread, 1.0)
        level = np.array([LEVELS.index(v) for v in profiles.obs["level"].astype(str)])
        return Inputs(((x @ basis.T).astype(np.float32), level), {"basis": basis})

    def stored_tables(self, weights: dict[str, np.ndarray]) -> Tables:
        return {"basis": weights["basis"]}

    def build(self, dim: int, conditions: int, tables: Tables) -> nn.Module:
        return UnCLIPNetwork(dim, conditions, self.settings, **tables)

    def phases(self, batches: Batches) -> list[Phase]:
        s = self.settings
        first, second = (
            number_of_steps(s[name], s["max_epochs"], batches.rows, batches.size)
            for name in ("embedding_steps", "steps")
        )
        return [Phase(self.embedding_loss, first, freeze="encoder"), Phase(self.loss, second)]

    def length(self, batches: Batches) -> int:
        return sum(phase.steps for phase in self.phases(batches))

    def embedding_loss(self, network: nn.Module, batch: Batch, random: Streams) -> Losses:
        """Contrastive loss of two noised views of the rows, and the error of reconstructing them from the embedding."""
        s = self.settings
        _, condition, _, y, level = batch
        views = [y + s["view_noise"] * random.randn(*y.shape[-2:]) for _ in range(2)]
        z, other = (network.encoder(view) for view in views)
        contrast = supervised_contrastive(z, other, condition, level, s["temperature"])
        error = (network.reconstruct(z) - y).square().flatten(-2)
        return {"contrastive": contrast, "reconstruction": s["reconstruction"] * error}

    def loss(self, network: nn.Module, batch: Batch, random: Streams) -> Losses:
        """Squared errors of the velocities of prior and decoder; embeddings are taken as they are."""
        s, schedule = self.settings, self._schedule()
        h, condition, factors, y, _ = batch
        n = h.shape[-2]
        with torch.no_grad():
            z = network.encoder(y)

        def noised(x0: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            t, noise = random.randint(s["diffusion_steps"], n), random.randn(n, x0.shape[-1])
            return schedule.add_noise(x0, noise, t), t, schedule.velocity(x0, noise, t)

        zt, t, velocity = noised(z)
        prior = (network.prior(zt, t, condition, factors) - velocity).square().mean(-1)
        ht, t, velocity = noised(h)
        dropped = random.rand(n) < s["z_dropout"]
        decoder = (network.decode(ht, t, z, factors, dropped) - velocity).square().mean(-1)
        return {"prior": prior, "decoder": decoder}

    def keep(self, trained: Trained, batches: Batches) -> None:
        super().keep(trained, batches)
        _, condition, _, y, level = batches.columns
        with torch.no_grad():
            z = self.network.encoder(y)
        self.z, self.z_condition, self.z_level = (tensor.cpu().numpy() for tensor in (z, condition, level))
        names = np.array(self.conditions)[self.z_condition]
        levels = np.array(LEVELS)[self.z_level]
        self.checks = asdict(degeneracy(self.z.astype(float), names, levels))

    def _schedule(self) -> Schedule:
        return Schedule.make("cosine", self.settings["diffusion_steps"], self.device)

    def _prior(self, condition: torch.Tensor, factors: torch.Tensor) -> Predict:
        """The noise in embeddings, as the prior predicts it."""

        def predict(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            return self._schedule().noise_of(x, self.network.prior(x, t, condition, factors), t)

        return predict

    def _decoder(self, z: torch.Tensor, factors: torch.Tensor, guidance: float = 1.0) -> Predict:
        """The noise in latent rows, as the decoder predicts it from embeddings."""
        everyone = torch.ones(len(z), dtype=torch.bool, device=self.device)

        def predict(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            velocity = self.network.decode(x, t, z, factors)
            if guidance != 1.0:
                free = self.network.decode(x, t, z, factors, everyone)
                velocity = free + guidance * (velocity - free)
            return self._schedule().noise_of(x, velocity, t)

        return predict

    def _draw_z(
        self, condition: torch.Tensor, factors: torch.Tensor, level: np.ndarray, random: torch.Generator, steps: int
    ) -> torch.Tensor:
        s, width = self.settings, self.settings["embedding"]
        if s["prior"] == "diffusion":
            predict = self._prior(condition, factors)
            z = self._schedule().sample_ddim(predict, (len(condition), width), steps, 0.0, random)
        else:
            noise = torch.randn(len(condition), width, generator=random, device=self.device).cpu().numpy()
            pick = torch.rand(len(condition), generator=random, device=self.device).cpu().numpy()
            out = np.empty((len(condition), width), dtype=np.float32)
            for i, (c, v) in enumerate(zip(condition.cpu().numpy(), level, strict=True)):
                # Training embeddings of the condition at the level, else at any level.
                of_condition = self.z_condition == c
                here = of_condition & (self.z_level == v)
                rows = self.z[here if here.sum() > 1 else of_condition]
                if s["prior"] == "gaussian":
                    out[i] = rows.mean(0) + noise[i] * rows.std(0)
                else:
                    out[i] = rows[int(pick[i] * len(rows))] + 0.1 * noise[i] * rows.std(0)
            z = torch.as_tensor(out, device=self.device)
        return nn.functional.normalize(z, dim=1) * width**0.5

    def _decode(self, z: torch.Tensor, factors: torch.Tensor, random: torch.Generator, steps: int) -> torch.Tensor:
        predict = self._decoder(z, factors, self.settings["guidance"])
        return self._schedule().sample_ddim(predict, (len(z), self.space.dim), steps, 0.0, random)

    def draw(
        self, condition: torch.Tensor, factors: torch.Tensor, random: torch.Generator, steps: int | None = None
    ) -> torch.Tensor:
        steps = steps or self.settings["sampling_steps"]
        _, aggregation, context = factors.cpu().numpy().T
        names = [level_of(AGGREGATIONS[a], CONTEXTS[c]) for a, c in zip(aggregation, context, strict=True)]
        level = np.array([LEVELS.index(name) for name in names])
        return self._decode(self._draw_z(condition, factors, level, random, steps), factors, random, steps)

    def draw_for_moments(self, condition: torch.Tensor, factors: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        """In few steps: the mean of DDIM draws is that of the data in any number where these are Gaussian."""
        return self.draw(condition, factors, random, min(MAX_STEPS_FOR_MEANS, self.settings["sampling_steps"]))

    def signals(self, h, condition, factors, x) -> dict[str, torch.Tensor]:
        """Every stage by itself: reconstruction from the embedding, the stored embeddings, prior and decoder."""
        y = x @ self.network.basis.T
        z = self.network.encoder(y)
        stored = torch.as_tensor(self.z, device=self.device)
        found = {
            "embedding": -(self.network.reconstruct(z) - y).square().sum(1),
            "stored_embeddings": -torch.cdist(z, stored).min(1).values,
        }
        stages = {"prior": (self._prior(condition, factors), z), "decoder": (self._decoder(z, factors), h)}
        for name, (predict, rows) in stages.items():
            noises = self.fixed_noise(ATTACK_NOISES, rows.shape[1])
            parts = denoising_signals(self._schedule(), predict, rows, noises)
            found |= {f"{name}_{key}": value for key, value in parts.items()}
        return found

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        arrays, metadata = super().state()
        arrays |= {
            "z": self.z.astype(np.float32),
            "z_condition": self.z_condition.astype(np.int64),
            "z_level": self.z_level.astype(np.int64),
        }
        return arrays, metadata | {"checks": {k: None if np.isnan(v) else v for k, v in self.checks.items()}}

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> Self:
        out = super().from_state(arrays, metadata)
        out.z, out.z_condition, out.z_level = (arrays[k] for k in ("z", "z_condition", "z_level"))
        out.checks = {k: np.nan if v is None else v for k, v in metadata["checks"].items()}
        out.device = torch.device("cpu")
        return out
