"""What the two adversarial generators share: networks, optimisers, noise."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from ...engine.batches import Batches
from ...engine.network_generator import NetworkGenerator, Tables
from ...engine.networks import ProjectionCritic, Synthesiser
from ...engine.training import Losses, Trained, Training, number_of_steps


class AdversarialGenerator(NetworkGenerator):
    """A generator trained against a critic; subclasses give one :meth:`step` of both.

    Attributes
    ----------
    betas : tuple of float
        Moments of Adam.
    batches_per_step : str, optional
        Setting that says how many batches a step takes for the critic; 1 if None.
    """

    betas: tuple[float, float]
    batches_per_step: str | None = None

    @abstractmethod
    def step(self, adversaries: AdversarialStep) -> Losses:
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

    def optimiser(self, name: str, module: nn.Module) -> torch.optim.Optimizer:
        """Optimiser of the ``generator`` or the ``critic``."""
        s = self.settings
        rate = (name == "critic" and s.get("critic_learning_rate")) or s["learning_rate"]
        if s.get("optimiser") == "rmsprop":
            return torch.optim.RMSprop(module.parameters(), lr=rate)
        return torch.optim.Adam(module.parameters(), lr=rate, betas=self.betas, fused=True)

    def critics(self) -> dict[str, nn.Module]:
        return {"critic": self.build_critic()}

    def train(self, network, batches, seed, checkpoint, critic: nn.Module) -> Training:
        s = self.settings
        optimisers = {
            name: self.optimiser(name, module) for name, module in (("generator", network), ("critic", critic))
        }
        run = Training(
            {"generator": network, "critic": critic}, optimisers,
            averaged="generator", decay=s["decay"], seed=seed, device=self.device,
        )  # fmt: skip
        adversaries = AdversarialStep(network, critic, run, batches, s["noise"])
        return run.run(
            lambda: self.step(adversaries), self.length(batches), checkpoint, self.name,
            kind=lambda: self.penalised(run.step),
        )  # fmt: skip

    def length(self, batches: Batches) -> int:
        s = self.settings
        max_epochs = s["max_epochs"] // (s[self.batches_per_step] if self.batches_per_step else 1)
        return number_of_steps(s["steps"], max_epochs, batches.rows, batches.size)

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
        return arrays | {f"critic/{k}": v.detach().cpu().numpy() for k, v in self.critic.state_dict().items()}, metadata

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> Self:
        out = super().from_state(arrays, metadata)
        out.critic = out.build_critic().requires_grad_(False)
        out.critic.load_state_dict(
            {k.removeprefix("critic/"): torch.as_tensor(v) for k, v in arrays.items() if k.startswith("critic/")}
        )
        return out


class AdversarialStep:
    """What a step of adversarial training is made of: batches of real and generated rows, and their scores."""

    def __init__(self, generator, critic, run: Training, batches: Batches, noise: int) -> None:
        self.generator, self.critic = generator, critic
        self.run, self.batches, self.noise = run, batches, noise

    def real(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """A batch of latent rows with their conditions and level factors."""
        return self.batches.draw(self.run.random)

    def fake(self, condition: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
        """Generated rows of the given conditions and level factors."""
        return self.generator(self.run.random.randn(self.batches.size, self.noise), condition, factors)

    def scores(self, real, fake, condition, factors) -> tuple[torch.Tensor, torch.Tensor]:
        """The critic's scores of real and generated rows of the same conditions and level factors."""
        rows = torch.cat([real, fake], -2)
        return self.critic(rows, torch.cat([condition] * 2, -1), torch.cat([factors] * 2, -2)).chunk(2, -1)

    def score_of_fake(self) -> torch.Tensor:
        """The critic's scores of fresh generated rows, for the generator's update."""
        _, condition, factors = self.real()
        return self.critic(self.fake(condition, factors), condition, factors)


def squared_slope(
    critic: nn.Module, rows: torch.Tensor, condition: torch.Tensor, factors: torch.Tensor
) -> torch.Tensor:
    """Squared norm (... × n) of the critic's gradient at rows (... × n × components), to be differentiated further."""
    rows = rows.detach().requires_grad_(True)
    (slope,) = torch.autograd.grad(critic(rows, condition, factors).sum(), rows, create_graph=True)
    return slope.square().sum(-1)
