"""What the verdicts of experiments share: choosing rows, the best generator, and the page's answers.

Choosing the best of several generators and then quoting its interval would overstate it: intervals and p-values of the
best are corrected for the number of generators (Bonferroni), those of the tables are not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...generators.base.registry import is_control
from ..registry import experiments
from .statistics import interval

NOT_RUN = {"status": "not_run", "answer": "Not part of this study.", "points": []}


def rows_with(table: pd.DataFrame, **keys: Any) -> pd.DataFrame:
    """Rows with the given keys; None asks for an empty key."""
    keep = np.ones(len(table), dtype=bool)
    for key, value in keys.items():
        keep &= (table[key].isna() if value is None else table[key] == value).to_numpy()
    return table[keep]


def profiles_in_words(n: float) -> str:
    """Number of real profiles in words."""
    return {0: "one real profile per class", -1: "all real profiles"}.get(int(n), f"{int(n)} real profiles")


def best_generator(gains: pd.DataFrame) -> dict[str, Any] | None:
    """Generator with the highest mean gain at the largest number of synthetic profiles.

    The number is fixed beforehand; the interval allows for the choice among the generators (Bonferroni), and `clear`
    says that it lies above 0.
    """
    if gains.empty:
        return None
    m = gains["n_synthetic"].max()
    groups = gains[gains["n_synthetic"] == m].groupby("generator")["value"]
    means = groups.mean()
    chosen = interval(groups.get_group(means.idxmax()), confidence=1 - 0.05 / len(groups))
    controls = means[[is_control(g) for g in means.index]]
    return {
        "control": (controls.idxmax(), controls.max()) if len(controls) else (None, np.nan),
        "generator": means.idxmax(), "m": int(m), "candidates": len(groups),
        "mean": chosen.mean, "low": chosen.low, "high": chosen.high, "clear": bool(chosen.low > 0),
    }  # fmt: skip


def verdicts(tables: dict[str, pd.DataFrame], config: dict[str, Any]) -> dict[str, Any]:
    """Answers by question; a question whose experiment was not run says so.

    Parameters
    ----------
    tables : dict of DataFrame
        Long evaluation tables by experiment.
    config : dict
        The study's configuration.
    """
    questions = {}
    for name, experiment in experiments().items():
        run = name in tables and len(tables[name])
        answer = experiment.load("verdict:verdict")(tables[name], config) if run else NOT_RUN
        questions[name] = {"question": experiment.question, **answer}
    return {"questions": questions}
