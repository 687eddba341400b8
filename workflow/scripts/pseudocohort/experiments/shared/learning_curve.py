"""What synthetic profiles are worth in real ones: how many real profiles alone would do as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from sklearn.isotonic import IsotonicRegression

from .classifiers import RECALL

SAVED = "real_profiles_saved"


class LearningCurve:
    """Accuracy of real profiles alone against their number: mean over repeats, made monotone (isotonic regression).

    Parameters
    ----------
    accuracy : mapping
        Number of real profiles -> accuracies over repeats.
    """

    def __init__(self, accuracy: Mapping[int, Sequence[float]]) -> None:
        self.sizes = np.array(sorted(accuracy), dtype=float)
        self.accuracy = IsotonicRegression().fit_transform(self.sizes, [np.mean(accuracy[n]) for n in sorted(accuracy)])

    def worth(self, value: float) -> float:
        """Number of real profiles that reach `value`, linear between sizes.

        What is as good as the largest number or better counts as that number: "at least". Below the smallest, it is
        the smallest.
        """
        return float(np.interp(value, self.accuracy, self.sizes))


def classes_of(table: pd.DataFrame) -> int:
    """Number of classes of a task, from the recalls in its rows."""
    return table.loc[table["metric"].str.startswith(RECALL), "metric"].str.removesuffix("_gain").nunique()


def real_profiles_saved(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of ``real_profiles_saved`` for each augmented classifier of a long evaluation table of augmentation.

    Parameters
    ----------
    table : DataFrame
        All generators and the rows of real profiles alone (regime ``none``).

    Returns
    -------
    DataFrame
        The equivalent number of real profiles less the number there was, for every row of balanced accuracy with
        synthetic profiles and fewer real ones than the largest number of the curve; the same columns as `table`.
    """
    rows = [table.iloc[:0]]
    for _, own in table.groupby(["task", "estimator"], sort=False):
        classes, accuracy = classes_of(own), own[own["metric"] == "balanced_accuracy"]
        alone = accuracy[(accuracy["regime"] == "none") & (accuracy["n_real"] >= 0)]
        values = {int(n) or classes: list(part["value"]) for n, part in alone.groupby("n_real")}
        if len(values) < 2:
            continue
        curve = LearningCurve(values)
        helped = accuracy[(accuracy["generator"] != "real") & (accuracy["n_real"] >= 0)]
        there = helped["n_real"].where(helped["n_real"] > 0, classes)
        short = there < curve.sizes[-1]
        saved = [curve.worth(v) - n for v, n in zip(helped["value"][short], there[short], strict=True)]
        rows.append(helped[short].assign(metric=SAVED, value=saved))
    return pd.concat([part for part in rows if len(part)] or rows, ignore_index=True)
