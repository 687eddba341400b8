"""The one interface of every generator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import anndata as ad
import numpy as np
import pandas as pd

from ...core.errors import UserError
from .description import Capabilities, Description

if TYPE_CHECKING:
    from .checkpoint import Checkpoint
    from .ledger import Ledger


class Generator(ABC):
    """Conditional generator of expression profiles.

    A generator works on standardised profiles: the caller (:mod:`..fit.batch`) scales genes with statistics of the
    training donors before ``fit`` and takes the scale back after ``sample``. The condition and the level factors of
    every profile are in ``obs`` (``condition``, ``technology``, ``aggregation``, ``context``, ``level``).
    """

    #: What its plug-in says about it, from which the attributes below follow.
    description: ClassVar[Description]
    name: ClassVar[str]
    summary: ClassVar[str]
    reference: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    #: Default settings; ``generator_settings.<name>`` of the config overrides them key by key.
    defaults: ClassVar[dict[str, Any]]
    #: Settings that the setting ``preset`` puts in the place of the defaults, by its value.
    presets: ClassVar[Mapping[str, Mapping[str, Any]]]

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if own := cls.__dict__.get("description"):
            cls.name, cls.summary, cls.reference = own.name, own.summary, own.source
            cls.capabilities, cls.defaults, cls.presets = own.capabilities, own.defaults, own.presets

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
        from .registry import generators

        able = [name for name, described in generators().items() if described.capabilities.mask]
        raise UserError(
            f"generator {self.name!r} cannot clamp genes", where="generators", remedy=f"one of: {', '.join(able)}"
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
            For the first unknown key, wrong type, unknown choice or value out of range.
        """
        return cls.description.merged(settings)
