"""Reads signals and ledgers of a generator's models for the privacy score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anndata as ad
import pandas as pd

from ...core import contracts, io
from .score import privacy


def score(
    profiles: ad.AnnData,
    synthetic: Mapping[str, ad.AnnData],
    training_sets: pd.DataFrame,
    members: pd.DataFrame,
    *,
    inputs: Mapping[str, list[str]],
    **further: Any,
) -> pd.DataFrame:
    """As :func:`.score.privacy`, with the files of signals and ledgers in `inputs`, where there are any."""
    if inputs:
        further["signals"] = pd.concat([io.read_table(f, contracts.SIGNALS_COLUMNS) for f in inputs["signals"]])
        further["ledgers"] = {name: one for f in inputs["ledgers"] for name, one in io.read_json(f).items()}
    return privacy(profiles, synthetic, training_sets, members, **further)
