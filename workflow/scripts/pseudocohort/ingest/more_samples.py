"""A second sample table, joined to the first on a key: GTEx's subjects, recount3's read lengths."""

from __future__ import annotations

import logging
from typing import Any

import pandas as pd

from ..core.errors import UserError
from .samples import column_of, read_samples

log = logging.getLogger(__name__)


def join_second_table(table: pd.DataFrame, row: dict[str, Any], where: str) -> pd.DataFrame:
    """The sample table with the columns of the second one (``more_samples`` of the sheet), as text.

    ``join`` says how rows are matched: ``COLUMN`` of both tables, ``COLUMN=KEY`` (of the first and the second), or
    ``@COLUMN:pattern=KEY``, where the pattern's (group) is the key: ``@SAMPID:^(GTEX-[^-]+)=SUBJID``. Every row of the
    first table stays, with empty values where the second has no row. A column that both have keeps the first's values.

    Parameters
    ----------
    table : DataFrame
        The first sample table.
    row : dict
        Row of the dataset sheet, paths resolved.
    where : str
        File of the first table.

    Raises
    ------
    UserError
        If a column is not there, a key has several rows in the second table, or fewer than half of the first table's
        keys are in it.
    """
    if "more_samples" not in row:
        return table
    path = row["more_samples"].removeprefix("file://")
    sheet = f"dataset {row['dataset']!r}, column 'join'"
    if "join" not in row:
        raise UserError(
            "a second sample table is given, and no key to join it on", where=sheet,
            remedy="e.g. subject_id=SUBJID, or @SAMPID:^(GTEX-[^-]+)=SUBJID",
        )  # fmt: skip
    mine, _, theirs = row["join"].rpartition("=")
    mine = mine or theirs
    second = read_samples(path)
    if theirs not in second:
        raise UserError(
            f"no column {theirs!r} in the second sample table; there are: {', '.join(map(str, second.columns))}",
            where=f"{path} ({sheet})",
            remedy="write COLUMN=KEY, with KEY a column of the second table",
        )
    keys = column_of(table, row | {"join": mine}, "join", where).astype(str).str.strip()
    index = second[theirs].astype(str).str.strip()
    if (repeated := index[index.duplicated() & index.isin(set(keys))]).size:
        raise UserError(
            f"key {repeated.iloc[0]!r} has several rows", where=f"{path}, column {theirs!r}",
            remedy="join on a column whose values are unique",
        )  # fmt: skip
    found = keys.isin(set(index))
    if found.sum() < 0.5 * min(len(keys), len(index)):
        raise UserError(
            f"{int((~found).sum())} of {len(keys)} samples have no row in the second sample table; the first is "
            f"{keys[~found].iloc[0]!r}, its keys look like {index.iloc[0]!r}" if len(index) else "it has no rows",
            where=f"{path}, column {theirs!r}",
            remedy="check join, and that both tables are of one release",
        )  # fmt: skip
    if not found.all():
        log.warning("%d of %d samples have no row in %s", int((~found).sum()), len(keys), path)
    new = second.set_axis(pd.Index(index), axis=0)
    new = new[~new.index.duplicated()].drop(columns=[c for c in second if c in table or c == theirs])
    added = new.reindex(keys).fillna("").set_axis(table.index, axis=0)
    if theirs not in table:
        added.insert(0, theirs, keys.where(found, "").to_numpy())
    return pd.concat([table, added], axis=1)
