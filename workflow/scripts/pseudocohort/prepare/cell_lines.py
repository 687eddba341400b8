"""One name for a cell line, however a source spells it, so that it is one donor across technologies."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ..core.errors import UserError
from ..ingest.fields import SEPARATORS, read_frame

log = logging.getLogger(__name__)

#: Tissues that the Cancer Cell Line Encyclopedia appends to names (MCF7_BREAST).
CCLE_TISSUES = frozenset(
    (
        "ADRENAL_CORTEX", "AUTONOMIC_GANGLIA", "BILIARY_TRACT", "BONE", "BREAST", "CENTRAL_NERVOUS_SYSTEM",
        "CERVIX", "ENDOMETRIUM", "ENGINEERED", "EYE", "FIBROBLAST", "GASTROINTESTINAL_TRACT",
        "HAEMATOPOIETIC_AND_LYMPHOID_TISSUE", "KIDNEY", "LARGE_INTESTINE", "LIVER", "LUNG", "OESOPHAGUS",
        "OVARY", "PANCREAS", "PLACENTA", "PLEURA", "PRIMARY_CELLS", "PROSTATE", "SALIVARY_GLAND", "SKIN",
        "SMALL_INTESTINE", "SOFT_TISSUE", "STOMACH", "TESTIS", "THYROID", "UPPER_AERODIGESTIVE_TRACT",
        "URINARY_TRACT", "UVEA", "VULVA",
    )
)  # fmt: skip
#: Columns with the name of a line that is kept, and with other names of it: DepMap's Model.csv, its sample_info.csv
#: before 22Q4, and tables of one's own (name, aliases).
NAME_COLUMNS = ("StrippedCellLineName", "stripped_cell_line_name", "name")
ALIAS_COLUMNS = (
    "ModelID", "DepMap_ID", "CellLineName", "cell_line_name", "CCLEName", "CCLE_Name", "RRID", "alias", "aliases",
)  # fmt: skip


def key_of(name: str) -> str:
    """What spellings of a line have in common: letters and digits in capitals, without CCLE's tissue and ``NCI-``.

    ``MCF7``, ``MCF-7`` and ``MCF7_BREAST`` are ``MCF7``; ``NCI-H1975`` and ``H1975`` are ``H1975``.
    """
    head, _, tail = name.strip().upper().partition("_")
    bare = re.sub(r"[^A-Z0-9]", "", head if tail in CCLE_TISSUES else name.upper())
    return re.sub(r"^NCI(?=H\d)", "", bare)


@dataclass(frozen=True)
class LineNames:
    """Known lines: kept name by exact name (any case) and by key; a key of several lines leads nowhere."""

    by_name: dict[str, str] = field(default_factory=dict)
    by_key: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.by_name)

    def find(self, name: str) -> str:
        """Kept name of a line; empty if it is not known, or several lines are spelled so."""
        return self.by_name.get(name.strip().upper()) or self.by_key.get(key_of(name), "")


def read_line_names(path: str | Path) -> LineNames:
    """Read a table of lines and their aliases (CSV, or TSV if it is named so): DepMap's, or ``name, aliases``.

    Several aliases in a cell are separated by ``,``, ``;`` or ``|``.

    Raises
    ------
    UserError
        If the file is missing or has no column with names.
    """
    path = Path(path)
    remedy = f"one of the columns has to be {', '.join(NAME_COLUMNS)}"
    if not path.is_file():
        raise UserError("no table of cell lines", where=f"{path} (prepare.line_aliases)", remedy="correct the path")
    table = read_frame(
        path, SEPARATORS["tsv" if ".tsv" in path.suffixes else "csv"], "a table of cell lines", single=True
    )
    column = next((c for c in NAME_COLUMNS if c in table), None)
    if column is None:
        raise UserError("no column with the names of lines", where=f"{path} (prepare.line_aliases)", remedy=remedy)
    exact: dict[str, set[str]] = defaultdict(set)
    keys: dict[str, set[str]] = defaultdict(set)
    for row in table.to_dict("records"):
        kept = row[column].strip()
        if not kept:
            continue
        names = [kept, *(n.strip() for c in ALIAS_COLUMNS for n in re.split(r"[,;|]", row.get(c, "")))]
        for name in filter(None, names):
            exact[name.upper()].add(kept)
            keys[key_of(name)].add(kept)
        # A line's own name goes before another's alias.
    own = {name.strip().upper(): name.strip() for name in table[column] if name.strip()}
    return LineNames(
        {name: next(iter(kept)) for name, kept in exact.items() if len(kept) == 1} | own,
        {key: next(iter(kept)) for key, kept in keys.items() if key and len(kept) == 1},
    )


def name_lines(obs: pd.DataFrame, known: LineNames) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Annotation whose cultured donors have one name per line, and a report.

    With a table of lines, a donor gets the name that the table keeps; one that is not in it, and all without a table,
    get the key of :func:`key_of`. Two lines of one dataset that would become one (``TT`` and ``T.T`` are different
    lines) keep the names that they have.

    Parameters
    ----------
    obs : DataFrame
        ``donor`` and ``context``; tissue donors are left alone.
    known : LineNames
        May be empty.

    Returns
    -------
    obs : DataFrame
        A copy.
    report : dict
        ``lines`` (how many), ``renamed`` (old: new), ``ambiguous``, ``unmatched`` (not in the table; empty without
        one).
    """
    cultured = (obs["context"] == "in_vitro").to_numpy()
    names = sorted(obs.loc[cultured, "donor"].astype(str).unique())
    found = {name: known.find(name) for name in names}
    new = {name: found[name] or key_of(name) or name for name in names}
    spelled: dict[str, list[str]] = defaultdict(list)
    for name in names:
        spelled[new[name]].append(name)
    # In one dataset, two spellings are two lines unless a table says otherwise.
    ambiguous = [n for group in spelled.values() if len(group) > 1 for n in group if not found[n]]
    for name in ambiguous:
        new[name] = name
    out = obs.copy()
    out["donor"] = [new[d] if c else d for d, c in zip(obs["donor"].astype(str), cultured, strict=True)]
    report = {
        "lines": len(set(new.values())),
        "renamed": {old: name for old, name in new.items() if old != name},
        "ambiguous": ambiguous,
        "unmatched": [name for name in names if not found[name]] if known else [],
    }
    if report["unmatched"]:
        log.warning("%d of %d lines are not in the table of cell lines", len(report["unmatched"]), len(names))
    return out, report


def pair_lines(by_dataset: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Which lines are in which datasets: ``line, dataset, datasets_with_line``, sorted."""
    rows = [
        (str(line), name)
        for name, obs in by_dataset.items()
        for line in obs.loc[obs["context"] == "in_vitro", "donor"].unique()
    ]
    table = pd.DataFrame(rows, columns=["line", "dataset"]).sort_values(["line", "dataset"], ignore_index=True)
    table["datasets_with_line"] = table.groupby("line")["dataset"].transform("size").astype(int)
    several = table["dataset"].nunique() > 1
    alone = int((table["datasets_with_line"] == 1).sum())
    if several and alone:
        log.warning("%d lines are in one dataset only; lines.tsv lists them", alone)
    return table
