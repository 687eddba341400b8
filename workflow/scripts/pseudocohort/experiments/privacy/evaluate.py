"""Reads signals and ledgers of a generator's models for the privacy score."""

from __future__ import annotations

import pandas as pd

from ...core import contracts, io
from ..shared.inputs import ScoreInputs
from .score import privacy


def score(given: ScoreInputs) -> pd.DataFrame:
    """As :func:`.score.privacy`, with the files of signals and ledgers, where there are any."""
    if not given.files:
        return privacy(given)
    signals = pd.concat([io.read_table(path, contracts.SIGNALS_COLUMNS) for path in given.files["signals"]])
    ledgers = {name: one for path in given.files["ledgers"] for name, one in io.read_json(path).items()}
    return privacy(given, signals=signals, ledgers=ledgers)
