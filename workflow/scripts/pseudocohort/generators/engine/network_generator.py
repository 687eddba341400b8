"""What the generators with networks share: latent space, encoding of conditions, storage."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, NamedTuple, Self

import anndata as ad
import numpy as np
import pandas as pd
import torch
from torch import nn

from ...core.errors import UserError
from ...core.groups import donor_weights, held_out_rows, keys_of
from ...core.levels import FACTORS
from ...core.seeds import derive
from ..base.checkpoint import Checkpoint
from ..base.device import choose_device
from ..base.generator import Generator
from ..base.serialization import of_prefix, with_prefix
from ..space.clamping import DRAWS, rows_given
from ..space.latent import space_of
from ..space.moments import Moments
from .batches import Batches, StackedBatches
from .stacking import Stack
from .training import Trained, Training, number_of_steps

#: Arrays that a network has among its buffers, by name.
Tables = dict[str, np.ndarray]
#: Seed of a training run, or one for each of the networks that are trained together.
Seeds = int | list[int]

#: Noises that white-box attacks average over.
ATTACK_NOISES = 16
#: A network in a latent space is no wider than its training set is long, in steps of so many units.
WIDTH_STEP = 32
#: Most weights that are trained as one.
MAX_WEIGHTS = 20_000_000


class Inputs(NamedTuple):
    """What a network needs of the training profiles beside latent rows, conditions and level factors.

    Columns (n × ...) that batches have of each row as well, and what :meth:`NetworkGenerator.build` gets as tables.
    """

    columns: tuple[np.ndarray, ...] = ()
    tables: Tables = {}


class Start(NamedTuple):
    """A training run before its first step: ``network`` and what is trained beside it, batches, and the run's seed."""

    modules: dict[str, nn.Module]
    batches: Batches
    seed: int


class NetworkGenerator(Generator):
    """A generator whose network works in a :class:`..space.latent.LatentSpace`.

    Subclasses say how to :meth:`build` the network that is sampled from, how to :meth:`train` it
    (:class:`.loss_trained.LossTrainedGenerator`: by one loss) and how to :meth:`draw` latent rows.

    Attributes
    ----------
    moments : Moments, optional
        What sets the means of drawn rows right, and their covariance (setting ``moments``).
    """

    #: Whether ``moments`` sets the covariance as well as the means.
    sets_covariance: ClassVar[bool] = True
    moments: Moments | None = None

    @abstractmethod
    def build(self, dim: int, conditions: int, tables: Tables) -> nn.Module:
        """Network that is sampled from, with fresh weights, and `tables` among its buffers."""

    @abstractmethod
    def draw(self, condition: torch.Tensor, factors: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        """Latent rows (n × components) of the given conditions and level factors, as the network gives them."""

    @abstractmethod
    def train(
        self, network: nn.Module, batches: Batches, seed: Seeds, checkpoint: Checkpoint | None, **critics: nn.Module
    ) -> Training:
        """Train `network`, or a stack of networks, which the run averages; the run.

        `critics` are those of :meth:`critics`. Losses are means over the last axes, (networks,) for a stack.
        """

    def draw_for_moments(self, condition: torch.Tensor, factors: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        """As :meth:`draw`, where the moments that are set are all that is wanted."""
        return self.draw(condition, factors, random)

    def inputs(self, profiles: ad.AnnData, h: np.ndarray, condition: np.ndarray) -> Inputs:
        """What the network needs of the training profiles beside latent rows `h`, conditions and level factors."""
        return Inputs()

    def stored_tables(self, weights: dict[str, np.ndarray]) -> Tables:
        """Tables with which :meth:`build` makes a network that stored `weights` fit."""
        return {}

    def length(self, batches: Batches) -> int:
        """Steps of a training run."""
        return number_of_steps(self.settings["steps"], self.settings["max_epochs"], batches.rows, batches.size)

    def critics(self) -> dict[str, nn.Module]:
        """Networks with fresh weights that are trained beside the one that is sampled from, by name."""
        return {}

    def keep(self, trained: Trained, batches: Batches) -> None:
        """Keep what was trained on the rows of `batches`."""
        self.network, self.history = trained.average.eval(), trained.history

    def fit(self, profiles: ad.AnnData, *, settings=None, seed, device="cpu", checkpoint=None) -> Self:
        _train_as_one([self], [self._start(profiles, settings, seed, device)], checkpoint)
        return self

    @classmethod
    def fit_together(cls, profiles, *, settings=None, seeds, device="cpu", checkpoint=None) -> list[Self]:
        models = [cls() for _ in profiles]
        starts = [
            model._start(part, settings, seed, device)
            for model, part, seed in zip(models, profiles, seeds, strict=True)
        ]
        for group in _groups(models, starts):
            saved = checkpoint(group) if checkpoint else None
            _train_as_one([models[i] for i in group], [starts[i] for i in group], saved)
        return models

    def _start(self, profiles: ad.AnnData, settings: dict[str, Any] | None, seed: int, device: str) -> Start:
        """Fit the latent space, and make networks with fresh weights."""
        self.settings = self.merge_settings(settings)
        self.device = choose_device(device)
        components = self.settings["components"]
        if components:
            self.settings["width"] = width_for(self.settings["width"], profiles.n_obs)
        self.space = space_of(components).fit(
            profiles, components, self.settings.get("marginals", 0), self.settings["profiles_per_component"]
        )
        keys = self.space.keys(profiles)
        self.conditions = sorted({condition for condition, _ in self.space.means.mean})
        condition = np.array([self.conditions.index(c) for c, _ in keys])
        labelled = profiles.obs.assign(condition=[c for c, _ in keys])
        h = self.space.encode(profiles.X, keys)
        inputs = self.inputs(profiles, h, condition)
        batches = Batches(
            h,
            condition,
            factor_numbers(profiles.obs),
            donor_weights(labelled),
            self.settings["batch"],
            self.device,
            *inputs.columns,
            held_out=held_out_rows(labelled, self.settings.get("validation", 0.0), derive(seed, "held out")),
        )
        with torch.random.fork_rng(devices=[]):  # the caller's random numbers stay as they were
            torch.manual_seed(derive(seed, "weights"))
            network = self.build(self.space.dim, len(self.conditions), inputs.tables)
            modules = {"network": network, **self.critics()}
        modules = {name: module.to(self.device) for name, module in modules.items()}
        return Start(modules, batches, derive(seed, "training"))

    @torch.no_grad()
    def _set_moments(self, batches: Batches) -> None:
        if not self.settings.get("moments", False):
            return
        h, condition, factors = (column.cpu().numpy() for column in batches.columns[:3])
        weight = np.diff(batches.cumulative.double().cpu().numpy(), prepend=0.0)
        random = torch.Generator(device=self.device).manual_seed(derive(0, "moments"))

        def draw(pairs: np.ndarray) -> np.ndarray:
            numbers = torch.as_tensor(pairs, device=self.device)
            return self.draw_for_moments(numbers[:, 0], numbers[:, 1:], random).cpu().numpy()

        self.moments = Moments.fit(
            h.astype(np.float64), np.column_stack([condition, factors]), weight, len(self.conditions), draw,
            covariance=self.sets_covariance,
        )  # fmt: skip

    def sample(self, obs: pd.DataFrame, *, seed: int, device: str = "cpu") -> np.ndarray:
        h = self.latent_rows(obs, seed=seed, device=device)
        return self.space.decode(h, obs, np.random.default_rng(derive(seed, "genes")))

    def sample_clamped(
        self, obs: pd.DataFrame, clamped: np.ndarray, *, seed: int, device: str = "cpu", expected: bool = False
    ) -> np.ndarray:
        if not len(self.space.basis):
            raise UserError(
                f"generator {self.name!r} cannot clamp genes when it works on the genes themselves",
                where=f"generator_settings.{self.name}.components",
                remedy="set 1 or more components",
            )
        rng = None if expected else np.random.default_rng(derive(seed, "clamped"))
        free, keys = np.isnan(clamped), keys_of(obs)
        means, loading = self.space.means.of(keys), self.space.loading
        h = np.empty((len(obs), self.space.dim))
        for key in dict.fromkeys(keys):
            here = np.array([i for i, other in enumerate(keys) if other == key])
            many = obs.iloc[np.repeat(here[:1], DRAWS)]
            draws = self.latent_rows(many, seed=derive(seed, "draws", *key), device=device)
            patterns, pattern = np.unique(free[here], axis=0, return_inverse=True)
            for number, hidden in enumerate(patterns):
                rows = here[pattern.reshape(-1) == number]
                values = clamped[np.ix_(rows, ~hidden)] - means[np.ix_(rows, ~hidden)]
                values = self.space.marginals.scores(values, np.repeat(key[1], len(rows)), ~hidden)
                h[rows] = rows_given(draws, loading[:, ~hidden], self.space.noise[~hidden], values, rng)
        made = self.space.expected(h, obs) if rng is None else self.space.decode(h, obs, rng)
        return np.where(free, made, clamped).astype(np.float32)

    @torch.no_grad()
    def latent_rows(self, obs: pd.DataFrame, *, seed: int, device: str = "cpu") -> np.ndarray:
        """Latent rows (len(obs) × components) of the conditions and levels that `obs` asks for."""
        self.device = choose_device(device)
        self.network.to(self.device)
        self.space.means.of(list(dict.fromkeys(keys_of(obs))))  # refuses what has no mean, with a message
        condition, factors = self._condition_and_factors(obs["condition"].astype(str), obs)
        random = torch.Generator(device=self.device).manual_seed(derive(seed, "latent"))
        rows = self.draw(condition, factors, random).double().cpu().numpy()
        if self.moments is not None:
            rows = self.moments.apply(rows, torch.column_stack([condition, factors]).cpu().numpy())
        return self.space.latent(rows, obs)

    def _condition_and_factors(self, conditions: Iterable[str], obs: pd.DataFrame) -> tuple[torch.Tensor, torch.Tensor]:
        """Numbers of conditions (n,), and of the level factors of `obs` (n × 3), where the network is."""
        condition = torch.tensor([self.conditions.index(name) for name in conditions], device=self.device)
        return condition, torch.as_tensor(factor_numbers(obs), device=self.device)

    @torch.no_grad()
    def member_signals(self, profiles: ad.AnnData, *, device: str = "cpu") -> dict[str, np.ndarray]:
        self.device = choose_device(device)
        self.network.to(self.device)
        # A condition that the model does not know is held against the nearest one that it does.
        known = set(self.space.means.mean)
        labels = [c if (c, at) in known else "" for c, at in keys_of(profiles.obs)]
        keys = self.space.keys(ad.AnnData(profiles.X, obs=profiles.obs.assign(condition=labels)))
        x = np.asarray(profiles.X, np.float64)
        h = torch.as_tensor(self.space.encode(x, keys), device=self.device)
        condition, factors = self._condition_and_factors((c for c, _ in keys), profiles.obs)
        found = self.signals(h, condition, factors, torch.as_tensor(x, dtype=torch.float32, device=self.device))
        signals = {k: v.double().cpu().numpy() for k, v in found.items()}
        if not len(self.space.basis):
            return signals
        return {"latent_space": -self.space.distance(x, keys)} | signals

    def signals(
        self, h: torch.Tensor, condition: torch.Tensor, factors: torch.Tensor, x: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Signals of the network itself about latent rows (n × components) of profiles `x`; higher for members."""
        return {}

    def fixed_noise(self, size: int, *shape: int) -> torch.Tensor:
        """Normal draws (size × shape), the same for every row, model and coin: signals differ by the row alone."""
        random = torch.Generator().manual_seed(derive(0, "noise bank", str(shape)))
        return torch.randn(size, *shape, generator=random).to(self.device)

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        arrays, metadata = self.space.state()
        arrays = with_prefix("space", arrays) | with_prefix("network", arrays_of(self.network))
        if self.moments is not None:
            arrays |= with_prefix("moments", self.moments.state())
        return arrays, {"space": metadata, "conditions": self.conditions, "settings": self.settings}

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> Self:
        out = cls()
        out.settings, out.conditions = metadata["settings"], metadata["conditions"]
        space = space_of(out.settings["components"])
        out.space = space.from_state(of_prefix("space", arrays), metadata["space"])
        weights = of_prefix("network", arrays)
        with torch.random.fork_rng(devices=[]):
            network = out.build(out.space.dim, len(out.conditions), out.stored_tables(weights))
        out.network = with_weights(network, weights).eval()
        moments = of_prefix("moments", arrays)
        out.moments = Moments.from_state(moments) if moments else None
        return out


def _groups(models: list[NetworkGenerator], starts: list[Start]) -> list[list[int]]:
    """Numbers of the runs that are run as one: of one length and shape, with no more than :data:`MAX_WEIGHTS`."""
    alike: dict[tuple, list[int]] = {}
    for i, (model, (modules, batches, _)) in enumerate(zip(models, starts, strict=True)):
        shapes = [tuple(w.shape) for module in modules.values() for w in module.state_dict().values()]
        held_out = len(batches.held_out.weight) if batches.held_out else 0
        alike.setdefault((model.length(batches), batches.size, held_out, *shapes), []).append(i)
    groups = []
    for numbers in alike.values():
        weights = sum(w.numel() for module in starts[numbers[0]].modules.values() for w in module.parameters())
        at_once = max(1, MAX_WEIGHTS // weights)
        groups += [numbers[i : i + at_once] for i in range(0, len(numbers), at_once)]
    return groups


def _train_as_one(models: list[NetworkGenerator], starts: list[Start], checkpoint: Checkpoint | None) -> None:
    """Train the networks of one or of several models of one shape, in one run."""
    modules, batches, seed = starts[0]
    if len(starts) > 1:
        modules = {name: Stack([start.modules[name] for start in starts]) for name in modules}
        batches, seed = StackedBatches([start.batches for start in starts]), [start.seed for start in starts]
    run = models[0].train(batches=batches, seed=seed, checkpoint=checkpoint, **modules)
    for model, start, trained in zip(models, starts, run.results(), strict=True):
        model.keep(trained, start.batches)
        model._set_moments(start.batches)


def arrays_of(network: nn.Module) -> dict[str, np.ndarray]:
    """Weights and buffers of a network, for storage."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}


def with_weights(network: nn.Module, weights: dict[str, np.ndarray]) -> nn.Module:
    """`network` with the stored `weights` (:func:`arrays_of`), no longer to be trained."""
    network.load_state_dict({name: torch.as_tensor(weight) for name, weight in weights.items()})
    return network.requires_grad_(False)


def width_for(width: int | list[int], rows: int) -> int | list[int]:
    """`width`, or less for few training rows; widths that are given layer by layer stay.

    On training donors of ``breast``, networks of 128 units that learned 50 profiles drew too near to the centre of
    their classes (density 2.0; 50 real profiles: 1.2) and to those profiles; of 64 units they did not (1.2), with the
    same gain in prediction, in half the time.
    """
    return width if isinstance(width, list | tuple) else min(width, WIDTH_STEP * math.ceil(rows / WIDTH_STEP))


def factor_numbers(obs: pd.DataFrame) -> np.ndarray:
    """Technology, aggregation and context of each profile as numbers (n × 3)."""
    columns = [obs[name].astype(str).map({v: i for i, v in enumerate(values)}) for name, values in FACTORS.items()]
    return np.stack(columns, axis=1).astype(np.int64)
