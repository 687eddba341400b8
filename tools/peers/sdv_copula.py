"""SDV's Gaussian copula, fitted to genes and class together."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ._rows import until_filled

TITLE = "SDV Gaussian copula"
SOURCE = "sdv 2.0.0 (Patki et al. 2016, DSAA)"
LICENSE = "BSL 1.1, source available"
LIMITS = (
    "the class is a column of the table, as its documentation has it; normal marginals: its default, beta "
    "distributions, is fitted gene by gene and takes long"
)
ENVIRONMENT = "sdv"
CLASS = "class of the profile"


def metadata(table: pd.DataFrame):
    """What SDV wants to know of the columns."""
    from sdv.metadata import Metadata

    columns = {name: {"sdtype": "categorical" if name == CLASS else "numerical"} for name in table.columns}
    return Metadata.load_from_dict({"tables": {"profiles": {"columns": columns}}})


def fit(table: pd.DataFrame, seed: int):
    """A fitted synthesizer."""
    from sdv.single_table import GaussianCopulaSynthesizer

    np.random.seed(seed)  # noqa: NPY002 (SDV draws from the global generator)
    synthesizer = GaussianCopulaSynthesizer(metadata(table), default_distribution="norm")
    synthesizer.fit({"profiles": table})
    return synthesizer


def fit_sample(train: pd.DataFrame, classes: np.ndarray, n_per_class: dict[str, int], seed: int) -> pd.DataFrame:
    """See the module."""
    synthesizer = fit(train.assign(**{CLASS: classes}), seed)
    return until_filled(lambda n: synthesizer.sample(n)["profiles"], n_per_class, CLASS)
