"""One model per condition instead of one for all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import anndata as ad
import numpy as np
import pandas as pd

from ...core.errors import UserError
from ...core.seeds import derive
from ..base.generator import Generator
from ..base.serialization import METADATA, load_state, of_prefix, save_state, with_prefix

if TYPE_CHECKING:
    from ..base.checkpoint import Checkpoint

#: A condition with fewer donors than that has no model of its own: it is drawn from one fitted on all conditions.
MIN_DONORS = 5
_JOINT = ""


class PerCondition:
    """Generators of one kind, each fitted on one condition's profiles at all levels.

    Nothing is shared between conditions: no condition learns from others, which is the price, nor is blurred by them.
    A condition of fewer than five donors would be learned by heart; it comes from a model of all conditions.

    Parameters
    ----------
    kind : type
        Class of the generators.
    """

    name = "per_condition"

    def __init__(self, kind: type[Generator]) -> None:
        self.kind = kind
        self.models: dict[str, Generator] = {}
        self.history: pd.DataFrame | None = None

    def fit(
        self,
        profiles: ad.AnnData,
        *,
        settings: dict[str, Any] | None,
        seed: int,
        device: str,
        checkpoint: Callable[[str, ad.AnnData], Checkpoint | None],
    ) -> Self:
        """Fit a model on each condition of the standardised `profiles`; unlabelled ones are not used.

        Parameters
        ----------
        profiles, settings, seed, device
            As of :meth:`..base.generator.Generator.fit`.
        checkpoint : callable
            Checkpoint of the model with a name (the condition; empty for the joint one) and its training profiles.
        """
        condition = profiles.obs["condition"].astype(str)
        labelled = profiles[(condition != "").to_numpy()].copy()
        donors = labelled.obs.groupby(labelled.obs["condition"].astype(str))["donor"].nunique()
        parts = {
            c: labelled[(labelled.obs["condition"] == c).to_numpy()].copy() for c in donors.index[donors >= MIN_DONORS]
        }
        if len(parts) < len(donors):
            parts[_JOINT] = labelled
        histories = []
        for name, part in parts.items():
            model = self.kind().fit(
                part, settings=settings, seed=derive(seed, "condition", name), device=device,
                checkpoint=checkpoint(name, part),
            )  # fmt: skip
            self.models[name] = model
            if model.history is not None:
                start = histories[-1]["step"].iloc[-1] if histories else 0
                histories.append(model.history.assign(step=model.history["step"] + start))
        self.history = pd.concat(histories, ignore_index=True) if histories else None
        return self

    def sample(self, obs: pd.DataFrame, *, seed: int, device: str = "cpu") -> np.ndarray:
        """Profiles of the conditions and levels that `obs` asks for; as of :meth:`..base.generator.Generator.sample`.

        Raises
        ------
        UserError
            If a condition was not seen.
        """

        return self._by_condition("sample", obs, seed, device)

    def sample_clamped(
        self, obs: pd.DataFrame, clamped: np.ndarray, *, seed: int, device: str = "cpu", expected: bool = False
    ) -> np.ndarray:
        """Profiles given some of their genes; as of :meth:`..base.generator.Generator.sample_clamped`."""
        return self._by_condition("sample_clamped", obs, seed, device, clamped, expected=expected)

    def _by_condition(
        self, method: str, obs: pd.DataFrame, seed: int, device: str, *arrays: np.ndarray, **options: bool
    ) -> np.ndarray:
        """What a method of each condition's model makes of its rows of `obs` and `arrays`."""
        condition = obs["condition"].astype(str).to_numpy()
        out: np.ndarray | None = None
        for name in dict.fromkeys(condition):
            model = self.models.get(name, self.models.get(_JOINT))
            if model is None:
                raise UserError(
                    f"condition {name!r} was not seen in training",
                    where="generators",
                    remedy=f"conditions: {', '.join(sorted(self.models))}",
                )
            rows = condition == name
            own = [obs[rows].reset_index(drop=True), *(array[rows] for array in arrays)]
            made = getattr(model, method)(*own, seed=derive(seed, "condition", name), device=device, **options)
            out = np.empty((len(obs), made.shape[1]), dtype=np.float32) if out is None else out
            out[rows] = made
        return out

    def save(self, path: str | Path) -> None:
        """Write all models to the folder `path`, in one rename."""
        arrays: dict[str, np.ndarray] = {}
        metadata = []
        for i, (name, model) in enumerate(self.models.items()):
            of_model, about = model.state()
            arrays |= with_prefix(str(i), of_model)
            metadata.append([name, about])
        save_state(path, self.name, arrays, {"kind": self.kind.name, "models": metadata})

    @classmethod
    def load(cls, path: str | Path, kind: type[Generator]) -> Self:
        """Read what :meth:`save` wrote."""
        arrays, metadata = load_state(path, cls.name)
        out = cls(kind)
        for i, (name, about) in enumerate(metadata["models"]):
            out.models[name] = kind.from_state(of_prefix(str(i), arrays), about)
        return out


def load_model(path: str | Path, kind: type[Generator]) -> Generator | PerCondition:
    """A stored generator of class `kind`, or the generators of that class that stand for one condition each."""
    try:
        scope = json.loads((Path(path) / METADATA).read_text()).get("name")
    except (OSError, ValueError):
        scope = None  # the loader below says what is wrong with it
    return PerCondition.load(path, kind) if scope == PerCondition.name else kind.load(path)
