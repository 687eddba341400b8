"""What the two adversarial generators share: networks, optimisers, noise."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from ...base.serialization import of_prefix, with_prefix
from ...engine.batches import Batches
from ...engine.network_generator import NetworkGenerator, Tables, arrays_of, with_weights
from ...engine.networks import ProjectionCritic, Synthesiser
from ...engine.optimisers import Adam, RMSprop
from ...engine.training import Losses, Trained, Training, number_of_steps


class AdversarialGenerator(NetworkGenerator):
    """A generator trained against a critic; subclasses give one :meth:`step` of both.

    Attributes
    ----------
    betas : tuple of float
        Moments of Adam.
    """

    betas: tuple[float, float]

    @abstractmethod
    def step(self, run: Training, batches: Batches) -> Losses:
        """One update of critic and generator; the losses."""

    def penalised(self, step: int) -> bool:
        """Whether the critic's gradient is penalised in a step."""
        return True

    def build(self, dim: int, conditions: int, tables: Tables) -> nn.Module:
        s = self.settings
        return Synthesiser(s["noise"], dim, conditions, s["width"], s["layers"])

    def build_critic(self) -> nn.Module:
        """Critic with fresh weights."""
        s = self.settings
        return ProjectionCritic(self.space.dim, len(self.conditions), s.get("critic_width") or s["width"], s["layers"])

    def critics(self) -> dict[str, nn.Module]:
        return {"critic": self.build_critic()}

    def optimiser(self, module: nn.Module, rate: float) -> torch.optim.Optimizer:
        """Optimiser of the generator or the critic."""
        if self.settings.get("optimiser") == "rmsprop":
            return RMSprop(module.parameters(), lr=rate)
        return Adam(module.parameters(), lr=rate, betas=self.betas, fused=True)

    def train(self, network, batches, seed, checkpoint, critic: nn.Module) -> Training:
        s = self.settings
        optimisers = {
            "generator": self.optimiser(network, s["learning_rate"]),
            "critic": self.optimiser(critic, s.get("critic_learning_rate") or s["learning_rate"]),
        }
        run = Training(
            {"generator": network, "critic": critic}, optimisers,
            averaged="generator", decay=s["decay"], seed=seed, device=self.device,
        )  # fmt: skip
        return run.run(
            lambda: self.step(run, batches), self.length(batches), checkpoint, self.name,
            kind=lambda: self.penalised(run.step),
        )  # fmt: skip

    def length(self, batches: Batches) -> int:
        s = self.settings
        return number_of_steps(s["steps"], s["max_epochs"] // s.get("critic_steps", 1), batches.rows, batches.size)

    def batch(self, run: Training, batches: Batches) -> tuple[torch.Tensor, ...]:
        """Real and generated rows of the same conditions and level factors, and these."""
        real, condition, factors = batches.draw(run.random)
        noise = run.random.randn(batches.size, self.settings["noise"])
        return real, run.modules["generator"](noise, condition, factors), condition, factors

    def score_of_fake(self, run: Training, batches: Batches) -> torch.Tensor:
        """The critic's scores of fresh generated rows, for the generator's update."""
        _, fake, condition, factors = self.batch(run, batches)
        return run.modules["critic"](fake, condition, factors)

    def keep(self, trained: Trained, batches: Batches) -> None:
        super().keep(trained, batches)
        self.critic = trained.modules["critic"]

    def draw(self, condition: torch.Tensor, factors: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        z = torch.randn(len(condition), self.settings["noise"], generator=random, device=self.device)
        return self.network(z, condition, factors)

    def signals(self, h, condition, factors, x) -> dict[str, torch.Tensor]:
        """Score of the critic, which was trained to be high on members (Hayes et al. 2019, PoPETs 2019(1):133)."""
        return {"critic": self.critic.to(self.device)(h, condition, factors)}

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        arrays, metadata = super().state()
        return arrays | with_prefix("critic", arrays_of(self.critic)), metadata

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> Self:
        out = super().from_state(arrays, metadata)
        out.critic = with_weights(out.build_critic(), of_prefix("critic", arrays))
        return out


def scores(critic: nn.Module, real, fake, condition, factors) -> tuple[torch.Tensor, torch.Tensor]:
    """The critic's scores (... × n) of real and generated rows of the same conditions and level factors."""
    rows = torch.cat([real, fake], -2)
    return critic(rows, torch.cat([condition] * 2, -1), torch.cat([factors] * 2, -2)).chunk(2, -1)


def squared_slope(
    critic: nn.Module, rows: torch.Tensor, condition: torch.Tensor, factors: torch.Tensor
) -> torch.Tensor:
    """Squared norm (... × n) of the critic's gradient at rows (... × n × components), to be differentiated further."""
    rows = rows.detach().requires_grad_(True)
    (slope,) = torch.autograd.grad(critic(rows, condition, factors).sum(), rows, create_graph=True)
    return slope.square().sum(-1)
