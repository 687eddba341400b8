"""Rows of the classes that are wanted, from generators that draw classes themselves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

#: Draws until a class that is rarely drawn is given up.
ROUNDS = 20


def until_filled(draw: Callable[[int], pd.DataFrame], n_per_class: dict[str, int], column: str) -> pd.DataFrame:
    """As many rows of each class as wanted, of as many draws as it takes; class as index.

    Parameters
    ----------
    draw : callable
        A number of rows, with the class in `column`.
    n_per_class : dict of int
    column : str

    Raises
    ------
    RuntimeError
        If a class is hardly ever drawn.
    """
    lacking, parts = dict(n_per_class), []
    for _ in range(ROUNDS):
        rows = draw(sum(n_per_class.values()))
        for name, part in rows.groupby(column):
            part = part.head(lacking.get(name, 0))
            lacking[name] = lacking.get(name, 0) - len(part)
            parts.append(part)
        if not any(n > 0 for n in lacking.values()):
            return pd.concat(parts).set_index(column)
    raise RuntimeError(f"no profiles of {', '.join(k for k, n in lacking.items() if n > 0)} in {ROUNDS} draws")


def per_class(
    fit_sample: Callable[[pd.DataFrame, int], pd.DataFrame],
    train: pd.DataFrame,
    classes: np.ndarray,
    n_per_class: dict[str, int],
) -> pd.DataFrame:
    """Rows of a model for each class; class as index.

    Parameters
    ----------
    fit_sample : callable
        Profiles of a class and how many to make, in; made profiles, out.
    train : DataFrame (profiles × genes)
    classes : ndarray of str (profiles,)
    n_per_class : dict of int
    """
    parts = []
    for name, n in n_per_class.items():
        made = fit_sample(train[classes == name].reset_index(drop=True), n)
        parts.append(made[train.columns].set_axis([name] * len(made), axis=0))
    return pd.concat(parts)
