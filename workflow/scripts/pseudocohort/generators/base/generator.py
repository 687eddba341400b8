"""The one interface of every generator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
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
    capabilities: ClassVar[Capabilities]
    #: Default settings; ``generator_settings.<name>`` of the config overrides them key by key.
    defaults: ClassVar[dict[str, Any]]

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if own := cls.__dict__.get("description"):
            cls.name, cls.capabilities, cls.defaults = own.name, own.capabilities, own.defaults

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
        """One generator for the profiles and the seed of each training set, as :meth:`fit` makes it, but for rounding.

        `checkpoint` gives that of the training sets with some numbers, which are trained as one.
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
        """Profiles like those of :meth:`sample`, drawn or expected, given the values of some of their genes.

        `clamped` (len(obs) × genes) are standardised values of the genes to clamp, which they keep; NaN where a gene
        is free.

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
