"""The combination read against the learning curve of real tissue profiles alone."""

from __future__ import annotations

import pandas as pd

from ...core.io import evaluation_table
from ..shared.learning_curve import by_size, saved_rows
from ..shared.tables import rows_with


def curves(table: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Summary rows of :data:`SAVED`, in profiles per condition, of the arms that have both levels.

    Curves start at ``chance`` of the ceiling's rows.
    """
    accuracy = table[table["metric"] == "balanced_accuracy"]
    real = rows_with(accuracy, generator="real", regime="tissue_only")
    chance = table.loc[table["metric"] == "chance", "value"]
    if real.empty or chance.empty:
        return evaluation_table([], summary=True)
    start = float(chance.iloc[0])
    gains = rows_with(table, metric="gain_over_real_only", regime="both")
    without = rows_with(accuracy, regime="cell_only", n_real=0)
    gains = pd.concat([gains, without.assign(value=without["value"] - start)])
    rows = saved_rows(by_size(real, 0), gains, zero=0, chance=start, seed=seed)
    return evaluation_table(rows, summary=True)
