"""What the verdicts of experiments share: choosing rows, and the page's answers.

Choosing the best of several generators and then quoting its interval would overstate it: intervals and p-values of the
best are corrected for the number of comparisons (Bonferroni), those of the tables are not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..registry import experiments

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
