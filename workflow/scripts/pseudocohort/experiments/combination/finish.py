"""Rows of the combination that compare generators with the baselines, which are in another table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .names import COMBINED, GROUPS

_Key = tuple[str, str, int, int]  # generator, arm, k, draw


def finish(table: pd.DataFrame) -> pd.DataFrame:
    """`table` of all generators, with the best baselines and the gains over them.

    Of each group of :data:`.names.GROUPS` the baseline that is best on average over draws stands at each k under the
    group's name, its own name in ``estimator``. Gains are paired over draws: ``gain_over_<group>``, and
    ``gain_over_em_logistic``, over logistic regression on the labels that a generator was given.
    """
    accuracy = table[(table["metric"] == "balanced_accuracy") & table["task"].isna()]
    rows: dict[_Key, dict[str, Any]] = {
        (r["generator"], r["regime"], int(r["n_real"]), int(r["repeat"])): r for r in accuracy.to_dict("records")
    }
    best = _best(rows)
    value = {key: row["value"] for key, row in (rows | best).items()}
    added = list(best.values())
    for (generator, arm, k, draw), row in rows.items():
        if k < 0 or not (arm in COMBINED or "+" in arm):
            continue
        both = "both" if k else "cell_only"
        for other in (*GROUPS, "em_logistic"):
            key = other, both, k, draw
            if key in value and (generator, arm) != (other, both):
                added.append({**row, "metric": f"gain_over_{other}", "value": row["value"] - value[key]})
    return pd.concat([table, pd.DataFrame(added, columns=table.columns)], ignore_index=True) if added else table


def _best(rows: dict[_Key, dict[str, Any]]) -> dict[_Key, dict[str, Any]]:
    """Rows of the best baseline of each group at each k, in the arm of the generators that they stand beside."""
    out = {}
    for k in {k for _, _, k, _ in rows if k >= 0}:
        arms = (*COMBINED, "tissue_only")
        for group, names in GROUPS.items():
            values: dict[tuple[str, str], list[float]] = {}
            for (generator, arm, at, _), row in rows.items():
                if at == k and generator in names and arm in arms:
                    values.setdefault((generator, arm), []).append(row["value"])
            if not values:
                continue
            best = max(values, key=lambda key: float(np.mean(values[key])))
            both = "both" if k else "cell_only"
            for (generator, arm, at, draw), row in rows.items():
                if at == k and (generator, arm) == best:
                    name = {"generator": group, "regime": both, "estimator": generator}
                    out[group, both, k, draw] = {**row, **name}
    return out
