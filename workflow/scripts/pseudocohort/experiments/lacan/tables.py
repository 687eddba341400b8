"""Published rows beside the table of the Lacan track."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ..shared.tables import Extra
from .score import PUBLISHED


def tables(summary: pd.DataFrame, config: dict[str, Any], files: dict[str, list[str]]) -> list[Extra]:
    """Medians that Lacan et al. show, for their own matrices."""
    rows = [{"Published": name, "GTEx": gtex, "TCGA": tcga} for name, (gtex, tcga) in PUBLISHED.items()]
    note = (
        "Medians read from the authors' committed figure, for 974 and 978 landmark genes, 26 and 24 tissues, split by "
        "sample, so that one donor may be on both sides. Other matrices than the one above: read beside it, not "
        "against it."
    )
    return [Extra(pd.DataFrame(rows).round(4), "Published reverse accuracy", note)]
