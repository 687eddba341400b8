"""Regulatory graphs from files: DoRothEA, CollecTRI, or a user's own edges."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..core.errors import UserError

#: Names of the columns in the tables of DoRothEA (tf, target, mor), CollecTRI (source, target, weight) and our own.
_REGULATOR, _SIGN = ("regulator", "tf", "source"), ("sign", "mor", "weight")
#: Share of all possible edges above which a graph no longer says what a gene does not reach.
MAX_DENSITY = 0.2
_MANY = 50  # targets: below, a share says little


def read_graph(path: str | Path, confidence: Sequence[str] = ()) -> pd.DataFrame:
    """Edges of a graph file: ``regulator``, ``target``, ``sign`` (1 or -1).

    Parameters
    ----------
    path : path
        TSV or CSV (± gz) with the columns regulator, target, sign; tf and mor, or source and weight, do as well.
    confidence : sequence of str
        Levels kept where the file has a column ``confidence``; none = all.

    Raises
    ------
    UserError
        If the file is missing, lacks a column, has a weight of 0 or none, or is too dense to be of use.
    """
    where = str(path)
    if not Path(path).is_file():
        raise UserError("no graph file is there", where=f"interventions.graph: {where}", remedy="give its path")
    table = _table(path)
    regulator, sign = (next((c for c in names if c in table), None) for names in (_REGULATOR, _SIGN))
    missing = [n for n, c in (("regulator", regulator), ("target", "target"), ("sign", sign)) if c not in table]
    if missing:
        raise UserError(
            f"missing column(s) of the regulatory graph: {', '.join(missing)}", where=where,
            remedy="the columns are regulator, target, sign, or those of DoRothEA or CollecTRI",
        )  # fmt: skip
    if "confidence" in table and confidence:
        known = set(table["confidence"].astype(str))
        table = table[table["confidence"].astype(str).isin(list(confidence))]
        if table.empty:
            raise UserError(
                f"no edge has confidence {', '.join(confidence)}", where=where,
                remedy=f"interventions.confidence may hold: {', '.join(sorted(known))}",
            )  # fmt: skip
    weights = pd.to_numeric(table[sign], errors="coerce")
    if (bad := (weights.isna() | (weights == 0)).to_numpy()).any():
        row = int(np.flatnonzero(bad)[0])
        raise UserError(
            f"sign {table[sign].iloc[row]} of {table[regulator].iloc[row]} on {table['target'].iloc[row]} says nothing",
            where=where, remedy="give 1 for activation and -1 for repression",
        )  # fmt: skip
    edges = pd.DataFrame(
        {
            "regulator": table[regulator].astype(str),
            "target": table["target"].astype(str),
            "sign": np.sign(weights).astype(int),
        }
    ).drop_duplicates(["regulator", "target"], ignore_index=True)
    n_regulators, n_targets = edges["regulator"].nunique(), edges["target"].nunique()
    density = len(edges) / (n_regulators * n_targets)
    if n_targets >= _MANY and density > MAX_DENSITY:
        raise UserError(
            f"the graph has {density:.0%} of all possible edges between {n_regulators} regulators and {n_targets} "
            "targets: if nearly every gene is reached, none is left to adjust for",
            where=where,
            remedy="keep edges of high confidence (interventions.confidence), e.g. DoRothEA A to C",
        )
    return edges


def has_confidence(path: str | Path) -> bool:
    """Whether the edges of a graph file have levels of confidence."""
    return "confidence" in _table(path, nrows=0)


def _table(path: str | Path, nrows: int | None = None) -> pd.DataFrame:
    return pd.read_csv(path, sep="," if ".csv" in Path(path).name else "\t", comment="#", nrows=nrows)


def checksum(path: str | Path) -> str:
    """First twelve digits of a file's SHA-256, by which an answer names its graph."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]
