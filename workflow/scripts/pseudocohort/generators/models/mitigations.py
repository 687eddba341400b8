"""Generators around another generator that are meant to give less away; each has to be audited like any other."""

from __future__ import annotations

from typing import Any, Self

import anndata as ad
import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from ...core.errors import UserError
from ...core.groups import Key, keys_of, rows_by_key
from ...core.seeds import derive
from ...core.settings import Setting, integer, number, text
from ..base.description import Description
from ..base.generator import Generator
from ..base.registry import get

#: Draws of a profile that comes too near to a training profile; the last one stays.
ROUNDS = 10


_AROUND = {
    "of": text("mvn", "Generator that it is around."),
    "settings": Setting({}, "Settings of that generator.", {"type": "object"}),
}

ENSEMBLE = Description(
    name="ensemble",
    summary="models of disjoint shares of the donors, each drawing its share of the profiles",
    source="after Papernot et al. 2017, ICLR (disjoint teachers), without its vote",
    implementation=":Ensemble",
    settings=_AROUND | {"parts": integer(3, "Shares that the donors are dealt into.", minimum=1)},
    order=27,
    assumptions="Those of the generator that it is around.",
    limits="Each model learns from one share of the donors, and does not compose conditions and levels.",
)
SCREENED = Description(
    name="screened",
    summary="draws again what comes too near to a training profile",
    source="control; for its leak see Ganev & De Cristofaro 2023",
    implementation=":Screened",
    settings=_AROUND
    | {"share": number(0.5, "Quantile of nearest-neighbour distances below which is too near.", minimum=0, maximum=1)},
    order=28,
    assumptions="Those of the generator that it is around.",
    limits="It leaks by itself: no profile is ever drawn beside a training donor. The model holds their profiles.",
)
GENERATORS = (ENSEMBLE, SCREENED)


class _Around(Generator):
    """A generator that fits and samples generators of another kind: ``of``, with its own ``settings``."""

    def _inner(self) -> type[Generator]:
        kind = get(self.settings["of"])
        if issubclass(kind, _Around) or kind.capabilities.private:
            raise UserError(
                f"{self.name!r} cannot be of {kind.name!r}",
                where=f"generator_settings.{self.name}.of",
                remedy="name a generator without privacy of its own",
            )
        return kind

    def _fit_inner(self, profiles: ad.AnnData, seed: int, device: str) -> Generator:
        return self._inner()().fit(profiles, settings=self.settings["settings"], seed=seed, device=device)


class Ensemble(_Around):
    """Several models, each of its own share of the donors; every profile comes from one of them.

    A donor is known to one model in ``parts``, which learns from that many fewer donors. Donors are dealt out condition
    by condition; a profile of a condition comes from the models that know it.
    """

    description = ENSEMBLE

    def fit(self, profiles: ad.AnnData, *, settings=None, seed, device="cpu", checkpoint=None) -> Self:
        self.settings = self.merge_settings(settings)
        rng, part = np.random.default_rng(derive(seed, "parts")), {}
        dealt = 0
        for _, donors in profiles.obs.groupby("condition", observed=True)["donor"]:
            for donor in rng.permutation(np.sort(donors.astype(str).unique())):
                if donor not in part:
                    part[donor] = dealt % self.settings["parts"]
                    dealt += 1
        number = profiles.obs["donor"].astype(str).map(part).to_numpy()
        self.models, self.knows = [], []
        for i in np.unique(number):
            own = profiles[number == i].copy()
            self.models.append(self._fit_inner(own, derive(seed, "part", str(i)), device))
            self.knows.append(sorted(set(keys_of(own.obs))))
        return self

    def sample(self, obs: pd.DataFrame, *, seed: int, device: str = "cpu") -> np.ndarray:
        keys, rng = keys_of(obs), np.random.default_rng(derive(seed, "deal"))
        able = {key: [i for i, known in enumerate(self.knows) if key in known] for key in set(keys)}
        if missing := sorted(key for key, models in able.items() if not models):
            raise UserError(
                f"condition {missing[0][0]!r} was not seen at level {missing[0][1]!r}",
                where=f"generator {self.name}",
                remedy="ask for what was trained on; an ensemble does not compose",
            )
        model = np.array([able[key][rng.integers(len(able[key]))] for key in keys])
        out: np.ndarray | None = None
        for i in np.unique(model):
            rows = model == i
            made = self.models[i].sample(obs[rows].reset_index(drop=True), seed=derive(seed, str(i)), device=device)
            out = np.empty((len(obs), made.shape[1]), np.float32) if out is None else out
            out[rows] = made
        return out

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        arrays, about = {}, []
        for i, model in enumerate(self.models):
            own, metadata = model.state()
            arrays |= {f"{i}/{key}": value for key, value in own.items()}
            about.append(metadata)
        return arrays, {"settings": self.settings, "models": about, "knows": self.knows}

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> Self:
        out = cls()
        out.settings = metadata["settings"]
        out.knows = [[tuple(key) for key in known] for known in metadata["knows"]]
        out.models = [
            out._inner().from_state({k.removeprefix(f"{i}/"): v for k, v in arrays.items() if k.startswith(f"{i}/")}, m)
            for i, m in enumerate(metadata["models"])
        ]
        return out


class Screened(_Around):
    """Draws again what lies too near to a training profile.

    Too near is nearer than the ``share`` quantile of the distances between training profiles of the condition and level
    and their nearest neighbours. It hides copies from attacks by distance, and leaks by itself: where no profile is
    ever drawn, someone was (Ganev & De Cristofaro 2023, arXiv:2312.05114). The model holds the training profiles.
    """

    description = SCREENED

    def fit(self, profiles: ad.AnnData, *, settings=None, seed, device="cpu", checkpoint=None) -> Self:
        self.settings = self.merge_settings(settings)
        self.model = self._fit_inner(profiles, seed, device)
        self.rows = {key: np.asarray(profiles.X[rows], np.float32) for key, rows in rows_by_key(profiles.obs).items()}
        self.least = {key: self._least(rows) for key, rows in self.rows.items()}
        return self

    def _least(self, rows: np.ndarray) -> float:
        if len(rows) < 2:
            return 0.0
        distance = cdist(rows, rows)
        np.fill_diagonal(distance, np.inf)
        return float(np.quantile(distance.min(1), self.settings["share"]))

    def sample(self, obs: pd.DataFrame, *, seed: int, device: str = "cpu") -> np.ndarray:
        out = self.model.sample(obs, seed=seed, device=device)
        keys = keys_of(obs)
        for attempt in range(1, ROUNDS):
            again = self._near(out, keys)
            if not again.any():
                break
            wanted = obs[again].reset_index(drop=True)
            out[again] = self.model.sample(wanted, seed=derive(seed, "again", str(attempt)), device=device)
        return out

    def _near(self, x: np.ndarray, keys: list[Key]) -> np.ndarray:
        near = np.zeros(len(x), dtype=bool)
        for key in set(keys) & set(self.rows):
            own = np.array([k == key for k in keys])
            near[own] = cdist(x[own], self.rows[key]).min(1) < self.least[key]
        return near

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        own, about = self.model.state()
        keys = sorted(self.rows)
        arrays = {f"model/{key}": value for key, value in own.items()}
        arrays |= {f"rows/{i}": self.rows[key] for i, key in enumerate(keys)}
        return arrays, {"settings": self.settings, "model": about, "keys": keys}

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> Self:
        out = cls()
        out.settings = metadata["settings"]
        own = {k.removeprefix("model/"): v for k, v in arrays.items() if k.startswith("model/")}
        out.model = out._inner().from_state(own, metadata["model"])
        out.rows = {tuple(key): arrays[f"rows/{i}"] for i, key in enumerate(metadata["keys"])}
        out.least = {key: out._least(rows) for key, rows in out.rows.items()}
        return out
