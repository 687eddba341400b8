"""Augmentation read against the learning curve of real profiles alone, which is not in the generators' tables."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from ...core.io import evaluation_table
from ..shared.estimators import BEST
from ..shared.learning_curve import (
    ARM,
    DOUBLED,
    ENOUGH,
    SHORTFALL,
    PowerLaw,
    by_size,
    classes_of,
    extrapolate,
    power_laws,
    saved_rows,
)
from ..shared.tables import rows_with


def curves(table: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Summary rows that read augmentation against the learning curve of real profiles alone.

    Summary rows: :data:`SAVED` of every arm; of real profiles alone :data:`DOUBLED` at every size and :data:`ENOUGH`
    (``n_real`` -1), without a value where the curve does not identify them.
    """
    rows: list[dict[str, object]] = []
    for _, own in table.groupby("task", sort=False):
        classes, accuracy = classes_of(own), own[own["metric"] == "balanced_accuracy"]
        best = accuracy[(accuracy["regime"] == "none") & (accuracy["estimator"] == BEST) & (accuracy["n_real"] >= 0)]
        if best.empty or classes < 2:
            continue
        alone = by_size(best, classes)
        gains = own[(own["metric"] == "balanced_accuracy_gain") & (own["n_real"] >= 0) & (own["regime"] != "none")]
        rows += saved_rows(alone, gains, zero=classes, chance=1 / classes, seed=seed)
        ceiling = rows_with(accuracy, regime="ceiling", estimator=BEST)["value"].mean()
        asked = {(int(n), DOUBLED): _doubled(float(n) or float(classes)) for n in sorted(best["n_real"].unique())}
        if np.isfinite(ceiling):
            asked[-1, ENOUGH] = _enough(ceiling - SHORTFALL)
        keys, laws = best.iloc[0][ARM].to_dict(), power_laws(alone, seed)
        for (n, metric), statistic in asked.items():
            value, low, high, _ = extrapolate(laws, statistic, repeats=len(alone), number=metric == ENOUGH)
            found = {"metric": metric, "value": value, "ci_low": low, "ci_high": high, "n": len(alone)}
            rows.append({**keys, "n_real": n, **found})
    return evaluation_table(rows, summary=True)


def _doubled(n: float) -> Callable[[PowerLaw], float]:
    return lambda law: law.at(2 * n) - law.at(n)


def _enough(target: float) -> Callable[[PowerLaw], float]:
    return lambda law: law.needed(target)
