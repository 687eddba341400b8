"""What the score of an experiment is given: one object, so that an experiment names only what it uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import anndata as ad
import pandas as pd

from .split_guard import Members, check_no_leak


@dataclass(frozen=True)
class ScoreInputs:
    """What the score of an experiment is given.

    Attributes
    ----------
    profiles : AnnData
        Harmonised profiles (samples × genes, log2 units).
    synthetic : mapping
        Training set -> synthetic profiles of the generator, on the log2 scale, in shuffled order; ``{}`` for `real`.
    training_sets, members : DataFrame
        The plan's rows of the experiment.
    study : str
        Name of the study.
    generator : str
        Name of the generator; or ``real`` for the rows without one: baselines and the ceiling.
    settings : mapping
        The experiment's section of the configuration.
    seed : int
        Master seed.
    files : mapping
        Further files by name, of an experiment whose plan has ``inputs``.
    shared : dict
        Kept between scores that differ in the generator alone; a score may leave there what the others need as well.
    """

    profiles: ad.AnnData
    synthetic: Mapping[str, ad.AnnData]
    training_sets: pd.DataFrame
    members: pd.DataFrame
    study: str
    generator: str
    settings: Mapping[str, Any]
    seed: int
    files: Mapping[str, list[str]] = field(default_factory=dict)
    shared: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def index(self) -> Members:
        """Members by training set and role.

        Raises
        ------
        ContractError
            If a held-out donor was trained on (:func:`.split_guard.check_no_leak`).
        """
        check_no_leak(self.profiles, self.members)
        return Members(self.profiles, self.members)

    def real(self, training_set: str, role: str) -> ad.AnnData:
        """Real profiles of a role in a training set."""
        return self.profiles[self.index.of(training_set, role)[0]]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Rows of the training sets."""
        return self.training_sets.to_dict("records")

    @property
    def own_rows(self) -> list[dict[str, Any]]:
        """Those that the generator is trained on."""
        return [row for row in self.rows if self.generator in str(row["generators"]).split(";")]

    def keys(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Keys of what is measured on a training set."""
        return {"study": self.study, "generator": self.generator, "repeat": row["repeat"], "seed": row["seed"]}
