"""What the score of an experiment is given: one object, so that an experiment names only what it uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anndata as ad
import pandas as pd


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
