"""The one interface of every generator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import anndata as ad
import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from .checkpoint import Checkpoint
    from .ledger import Ledger


@dataclass(frozen=True)
class Capabilities:
    """What a generator can do beyond sampling from a seen condition and level.

    Attributes
    ----------
    trained : bool
        Has an iterative training loop (loss curve, checkpoints, device).
    composition : bool
        Can sample a (condition, level) pair never seen together in training.
    unlabeled : bool
        Learns from profiles whose condition is unknown (empty string in ``obs["condition"]``).
    mask : bool
        Can clamp any subset of genes (:meth:`Generator.sample_clamped`).
    log_density : bool
        Has ``log_density(profiles) -> ndarray (n,)`` in nats.
    covariates : bool
        Learns distributions, which can be shifted by the effects of covariates (:mod:`covariates`). Generators that
        repeat profiles cannot: a copy of a man's profile is not a woman's.
    private : bool
        Counts all that it fits in a ledger (:mod:`.ledger`). It gets profiles in log2 units, not standardised ones, for
        the scale would be an exact statistic of the training donors; and what is public in ``uns["public"]``.
    counts : bool
        Learns from counts. It gets profiles as log2(CPM + 1), not standardised ones, with ``obs["library_size"]``, and
        makes such profiles.
    """

    trained: bool = False
    composition: bool = False
    unlabeled: bool = False
    mask: bool = False
    log_density: bool = False
    covariates: bool = True
    private: bool = False
    counts: bool = False


class Generator(ABC):
    """Conditional generator of expression profiles.

    A generator works on standardised profiles: the caller (:mod:`..fit.batch`) scales genes with statistics of the
    training donors before ``fit`` and takes the scale back after ``sample``. The condition and the level factors of
    every profile are in ``obs`` (``condition``, ``technology``, ``aggregation``, ``context``, ``level``).
    """

    name: ClassVar[str]
    #: One sentence on what it is, shown in reports.
    summary: ClassVar[str]
    #: Source: authors and year, venue or DOI.
    reference: ClassVar[str]
    capabilities: ClassVar[Capabilities] = Capabilities()
    #: Default settings; ``generator_settings.<name>`` of the config overrides them key by key.
    defaults: ClassVar[dict[str, Any]] = {}
    #: Settings that the setting ``preset`` puts in the place of the defaults, by its value.
    presets: ClassVar[dict[str, dict[str, Any]]] = {}

    @abstractmethod
    def fit(
        self,
        profiles: ad.AnnData,
        *,
        settings: dict[str, Any] | None = None,
        seed: int,
        device: str = "cpu",
        checkpoint: Checkpoint | None = None,
    ) -> Self:
        """Learn from `profiles` (n × genes, float32, standardised); `checkpoint` makes training resumable."""

    @classmethod
    def fit_together(
        cls,
        profiles: Sequence[ad.AnnData],
        *,
        settings: dict[str, Any] | None = None,
        seeds: Sequence[int],
        device: str = "cpu",
        checkpoint: Callable[[list[int]], Checkpoint | None] | None = None,
    ) -> list[Self]:
        """One generator for each training set, as :meth:`fit` makes it, but for rounding.

        Parameters
        ----------
        profiles, seeds : sequence
            Training profiles of each set, and its seed.
        settings, device
            As of :meth:`fit`.
        checkpoint : callable, optional
            Checkpoint of the training sets with the given numbers, which are trained as one.
        """
        return [
            cls().fit(part, settings=settings, seed=seed, device=device, checkpoint=checkpoint and checkpoint([i]))
            for i, (part, seed) in enumerate(zip(profiles, seeds, strict=True))
        ]

    @abstractmethod
    def sample(self, obs: pd.DataFrame, *, seed: int, device: str = "cpu") -> np.ndarray:
        """Profiles (len(obs) × genes, float32, standardised) of the conditions and levels that `obs` asks for.

        Raises
        ------
        UserError
            If a condition was not seen in training, or a (condition, level) pair was not and the generator cannot
            compose them.
        """

    def sample_clamped(
        self, obs: pd.DataFrame, clamped: np.ndarray, *, seed: int, device: str = "cpu", expected: bool = False
    ) -> np.ndarray:
        """Profiles like those of :meth:`sample`, given the values of some of their genes.

        Parameters
        ----------
        obs : DataFrame
            Conditions and levels.
        clamped : ndarray (len(obs) × genes)
            Standardised values of the genes to clamp; NaN where a gene is free.
        expected : bool
            Expected profiles instead of drawn ones.

        Returns
        -------
        ndarray (len(obs) × genes)
            float32, standardised; the clamped genes have their values.

        Raises
        ------
        UserError
            As :meth:`sample`, and if the generator cannot clamp genes.
        """
        from ...core.errors import UserError

        raise UserError(
            f"generator {self.name!r} cannot clamp genes",
            where="generators",
            remedy="one with a latent space can: gan, wgan_gp, cvae, ddpm, flow, unclip",
        )

    @abstractmethod
    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and JSON-able metadata from which :meth:`from_state` makes an equal generator."""

    @classmethod
    @abstractmethod
    def from_state(cls, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> Self:
        """Generator restored from :meth:`state`."""

    def save(self, path: str | Path) -> None:
        """Write the generator to the folder `path` (safetensors + JSON, no pickle), in one rename."""
        from .serialization import save_state

        save_state(path, self.name, *self.state())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a generator from the folder written by :meth:`save`."""
        from .serialization import load_state

        return cls.from_state(*load_state(path, cls.name))

    def member_signals(self, profiles: ad.AnnData, *, device: str = "cpu") -> dict[str, np.ndarray]:
        """What an attacker who holds the model reads from it about `profiles` (n × genes, scaled as for :meth:`fit`).

        Returns
        -------
        dict of ndarray (n,)
            Scores by name of the attack, higher for members; empty for a generator without a white-box attack. A score
            depends on no other of the profiles.
        """
        return {}

    #: What was fitted on private data, and epsilon; None for a generator that makes no claim of privacy.
    ledger: Ledger | None = None
    #: Loss curve of the last ``fit``: one row per logged step (``step``, then one column per loss); None if untrained.
    history: pd.DataFrame | None = None

    @classmethod
    def merge_settings(cls, settings: dict[str, Any] | None) -> dict[str, Any]:
        """Defaults, overridden by those of a preset and these by the other `settings`.

        Raises
        ------
        UserError
            If a key of `settings`, or its preset, is unknown.
        """
        from ...core.errors import UserError

        settings = dict(settings or {})
        preset = settings.pop("preset", "tuned") if cls.presets else "tuned"
        if preset != "tuned" and preset not in cls.presets:
            raise UserError(
                f"generator {cls.name!r} has no preset {preset!r}",
                where=f"generator_settings.{cls.name}.preset",
                remedy=f"one of: tuned, {', '.join(cls.presets)}",
            )
        unknown = sorted(set(settings) - set(cls.defaults))
        if unknown:
            raise UserError(
                f"unknown setting {unknown[0]!r} of generator {cls.name!r}",
                where=f"generator_settings.{cls.name}.{unknown[0]}",
                remedy=f"known settings: {', '.join(sorted(cls.defaults)) or 'none'}",
            )
        return {**cls.defaults, **cls.presets.get(preset, {}), **settings}
