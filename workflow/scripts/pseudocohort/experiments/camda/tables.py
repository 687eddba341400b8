"""Published rows beside the table of the CAMDA track."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ..shared.tables import Extra
from .score import PUBLISHED


def tables(summary: pd.DataFrame, config: dict[str, Any], files: dict[str, list[str]]) -> list[Extra]:
    """Rows that teams of the challenge published, for its own matrix."""
    rows = [{"Published": name, "Accuracy": a, "AUPRC": b} for name, (a, b) in PUBLISHED.items()]
    note = (
        "For the challenge's own matrix (TCGA-BRCA, 1,089 patients, 978 landmark genes, VST; PMBio README and the "
        "teams' result files, CAMDA 2025). Another matrix than the one above: read beside it, not against it."
    )
    return [Extra(pd.DataFrame(rows), "Published in the challenge", note)]
