"""Rows of augmentation that need the curve of real profiles, which is in another table than the generators."""

from __future__ import annotations

import pandas as pd

from ..shared.learning_curve import real_profiles_saved


def finish(table: pd.DataFrame) -> pd.DataFrame:
    """`table` of all generators, with what their profiles are worth in real ones."""
    return pd.concat([table, real_profiles_saved(table)], ignore_index=True)
