"""A fitted generator, with what takes its standardised profiles to log2 units and counts; stored in a folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import numpy as np
import pandas as pd

from ...core.io import read_table, write_table
from ...core.seeds import derive
from ...prepare.scale import Scaler
from ..base import registry
from ..base.generator import Generator
from ..base.serialization import load_state, save_state, stored_as_expected
from .counts import LibrarySizes, counts_of
from .covariates import CovariateEffects
from .detection import DetectionLimits
from .per_condition import PerCondition, load_model

HISTORY = "history.tsv"
#: Names under which the parts are stored, and what they are.
_PARTS = {
    "scaler": ("scale", Scaler),
    "effects": ("covariates", CovariateEffects),
    "limits": ("detection", DetectionLimits),
    "library": ("library", LibrarySizes),
}
#: All that :meth:`Fitted.save` writes into a folder.
STORED = ("model", *(name for name, _ in _PARTS.values()), HISTORY)


@dataclass
class Fitted:
    """A generator, by its name in the registry, and what was fitted on the same training profiles beside it."""

    generator: str
    model: Generator | PerCondition
    scaler: Scaler
    effects: CovariateEffects
    limits: DetectionLimits = field(default_factory=DetectionLimits)
    library: LibrarySizes = field(default_factory=LibrarySizes)

    def standardised(self, x: np.ndarray, obs: pd.DataFrame) -> np.ndarray:
        """Profiles (n × genes, log2) of conditions, levels and covariates `obs`, as the generator sees them."""
        return self.effects.remove(self.scaler.transform(x, obs), obs)

    def log2(self, z: np.ndarray, obs: pd.DataFrame) -> np.ndarray:
        """Profiles (n × genes, log2) of what the generator makes of `obs`."""
        return self.scaler.inverse(self.effects.add(z, obs), obs)

    def drawn(self, obs: pd.DataFrame, *, seed: int, device: str) -> np.ndarray:
        """Profiles (len(obs) × genes, log2, not below 0) as the generator draws them."""
        return np.maximum(self.log2(self.model.sample(obs, seed=seed, device=device), obs), 0)

    def sample(self, obs: pd.DataFrame, *, seed: int, device: str) -> np.ndarray:
        """Profiles (len(obs) × genes, log2, not below 0) with silent genes on their floor (:mod:`.detection`)."""
        x = self.drawn(obs, seed=derive(seed, self.generator, "sample"), device=device)
        return self.limits.apply(x, obs).astype(np.float32)

    def counts(self, x: np.ndarray, obs: pd.DataFrame, *, seed: int) -> np.ndarray | None:
        """Counts (n × genes) of synthetic profiles `x`; None where the training profiles of a level were no counts."""
        rng = np.random.default_rng(derive(seed, self.generator, "counts"))
        library = self.library.draw(obs, rng)
        return None if library is None else counts_of(x, library, rng)

    def given(
        self, obs: pd.DataFrame, clamped: np.ndarray, *, seed: int, device: str, expected: bool = True
    ) -> np.ndarray:
        """Profiles (n × genes, log2), expected or drawn, given the values `clamped` of some of their genes.

        `clamped` (n × genes, log2) is NaN where a gene is free.

        Raises
        ------
        UserError
            If the generator cannot clamp genes.
        """
        z = self.model.sample_clamped(obs, self.standardised(clamped, obs), seed=seed, device=device, expected=expected)
        return self.log2(z, obs)

    def save(self, folder: Path) -> None:
        """Write everything into the folder, which exists: safetensors and JSON, and the loss curve."""
        self.model.save(folder / "model")
        for attribute, (name, _) in _PARTS.items():
            save_state(folder / name, name, *getattr(self, attribute).state())
        if self.model.history is not None:
            write_table(self.model.history, folder / HISTORY)

    def as_stored(self) -> Self:
        """The same after storage, in single precision: what it gives now it gives after any further loading."""
        with TemporaryDirectory() as folder:
            self.save(Path(folder))
            out = type(self).load(Path(folder), self.generator)
        out.model.history = self.model.history
        return out

    @classmethod
    def load(cls, folder: Path, generator: str) -> Self:
        """Read what :meth:`save` wrote of the generator called `generator`.

        Raises
        ------
        UserError
            If there is no such generator, or the folder is missing, damaged or of another version.
        """
        kind = registry.get(generator)
        with stored_as_expected(folder):
            parts = {
                attribute: part.from_state(*load_state(folder / name, name))
                for attribute, (name, part) in _PARTS.items()
            }
            model = load_model(folder / "model", kind)
            if (folder / HISTORY).is_file():
                model.history = read_table(folder / HISTORY)
        return cls(generator, model, **parts)
