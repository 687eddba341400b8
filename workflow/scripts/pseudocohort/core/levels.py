"""The level of a profile, factorised as technology, aggregation and context."""

from __future__ import annotations

import pandas as pd

from .errors import ContractError

TECHNOLOGIES = ("umi_3prime", "full_length", "bulk")
AGGREGATIONS = ("cell", "pseudobulk", "bulk")
CONTEXTS = ("in_vitro", "tumour", "normal")
LEVELS = ("cell", "pseudobulk", "line_bulk", "tumour", "normal")
FACTORS = {"technology": TECHNOLOGIES, "aggregation": AGGREGATIONS, "context": CONTEXTS}

CELL_LEVELS = ("cell", "pseudobulk", "line_bulk")
TISSUE_LEVELS = ("tumour", "normal")
#: How the donor of a pseudo-bulk of several lines is called; it holds cells of theirs, so it is never held out.
MIXTURE = "mixture:"


def level_of(aggregation: str, context: str) -> str:
    """Readable name of a level: ``cell``, ``pseudobulk``, ``line_bulk``, ``tumour`` or ``normal``.

    Raises
    ------
    ContractError
        If a factor is not one of the declared values.
    """
    for name, value in (("aggregation", aggregation), ("context", context)):
        if value not in FACTORS[name]:
            raise ContractError(f"unknown {name} {value!r}; one of {', '.join(FACTORS[name])} is expected")
    if aggregation != "bulk":
        return aggregation
    return "line_bulk" if context == "in_vitro" else context


def add_level(obs: pd.DataFrame) -> pd.DataFrame:
    """Copy of `obs` with the column ``level`` computed from its factors."""
    out = obs.copy()
    out["level"] = [level_of(a, c) for a, c in zip(out["aggregation"], out["context"], strict=True)]
    return out
