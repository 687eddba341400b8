"""Tables beside that of fidelity: correlations by condition, and joint embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from ...core.io import read_json
from ..shared.tables import Extra
from .plan import FIRST


def tables(summary: pd.DataFrame, config: dict[str, Any], files: dict[str, list[str]]) -> list[Extra]:
    """Correlations within conditions, and checks of the embeddings of models that have one."""
    return [*_conditions(summary), *_embeddings(files.get("models", []))]


def _conditions(summary: pd.DataFrame) -> list[Extra]:
    """The within-condition correlation score by condition."""
    rows = summary[summary["task"].notna() & (summary["metric"] == "correlation_score_within")]
    if rows.empty:
        return []
    wide = rows.assign(condition=rows["task"].str.removeprefix("condition:")).pivot_table(
        index="condition", columns="generator", values="value"
    )
    note = (
        "Correlation of gene-gene correlations with those of held-out donors; conditions with ten donors in each half."
    )
    table = wide.reset_index().rename(columns={"condition": "Condition"})
    return [Extra(table, "Correlations within condition, by condition", note)]


def _embeddings(models: list[str]) -> list[Extra]:
    """Degeneracy checks stored with the models of the first training set, where they have a joint embedding."""
    rows = []
    for folder in map(Path, models):
        values = read_json(folder / FIRST / "model/metadata.json").get("checks")
        if values:
            rows.append(
                {
                    "Generator": folder.parent.name,
                    "Effective rank": values["effective_rank"],
                    "Variance within conditions": values["within_condition_share"],
                    "Level AUROC": "" if values["level_auroc"] is None else values["level_auroc"],
                }
            )
    note = (
        "On the first training set. Effective rank near 1: the embedding has collapsed. Variance within conditions "
        "near 0: it knows the condition only. Level AUROC near .5: its levels lie together; 1: apart."
    )
    return [Extra(pd.DataFrame(rows), "Joint embedding", note)] if rows else []
