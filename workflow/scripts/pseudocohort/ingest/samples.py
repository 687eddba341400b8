"""The sample table: found, joined to the matrix, and turned into the contract's columns."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import pandas as pd

from ..core.errors import UserError
from ..core.levels import CONTEXTS, add_level
from .delimited import SEPARATORS, header_and_width
from .matrix import check_ids
from .text import open_text, readable

log = logging.getLogger(__name__)

#: Labels that sources write where they have none.
ABSENT = {"", "nan", "na", "n/a", "none", "unknown", "<not provided>", "not reported"}
#: Name of a first column that has none.
ROW_NAMES = "row_names"
REMEDY = "correct the column names in the dataset sheet"


def read_samples(path: str | Path) -> pd.DataFrame:
    """Sample table (comma-separated if it is named ``.csv``, else tab-separated), all columns as text.

    Raises
    ------
    UserError
        If it is missing, empty, or has a single column.
    """
    path = Path(path)
    name = path.name.removesuffix(".gz")
    separator = SEPARATORS["csv" if name.endswith(".csv") else "tsv"]
    with open_text(path) as file:
        header, width = header_and_width(file, separator, str(path))
    # R writes no name for the column of row names: its header has one field less.
    names = [ROW_NAMES, *header] if len(header) == width - 1 else None
    try:
        with open_text(path) as file, readable(path):
            return pd.read_csv(
                file, sep=separator, dtype=str, keep_default_na=False, names=names, skiprows=1 if names else 0
            )
    except pd.errors.ParserError as error:
        raise UserError(f"cannot be read: {error}", where=str(path), remedy="fetch the file again") from error


def column_of(table: pd.DataFrame, row: dict[str, Any], key: str, where: str) -> pd.Series:
    """The column of the sample table that the sheet names under `key`, as text.

    ``@column:pattern`` takes what the pattern's group matches: ``@SAMPID:^(GTEX-[^-]+)`` is GTEx's subject. Values
    without a match become empty. ``=text`` is that text for every sample.

    Raises
    ------
    UserError
        If there is no such column, the pattern is none, or it matches nowhere.
    """
    if row[key].startswith("="):
        return pd.Series(row[key][1:], index=table.index, name=row[key])
    name, _, pattern = row[key].removeprefix("@").partition(":") if row[key].startswith("@") else (row[key], "", "")
    if name not in table:
        raise UserError(
            f"no column {name!r} ({key} of dataset {row['dataset']!r}); "
            f"there are: {', '.join(map(str, table.columns))}",
            where=where,
            remedy=REMEDY,
        )
    values = table[name].astype(str)
    if not row[key].startswith("@"):
        return values
    sheet = f"dataset {row['dataset']!r}, column {key!r}"
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UserError(f"{pattern!r} is no pattern: {error}", where=sheet, remedy="correct it") from error
    if compiled.groups != 1:
        raise UserError(
            f"{pattern!r} has {compiled.groups} groups", where=sheet, remedy="write @column:pattern with one (group)"
        )
    found = values.str.extract(compiled, expand=False).fillna("")
    if not (found != "").any():
        raise UserError(
            f"{pattern!r} matches no value of column {name!r}; the first is {values.iloc[0]!r}",
            where=sheet,
            remedy="correct the pattern",
        )
    return found


def join_samples(table: pd.DataFrame, ids: pd.Index, row: dict[str, Any], where: str) -> pd.DataFrame:
    """Rows of the sample table for the samples of the matrix, in its order; samples without a row are left out.

    Raises
    ------
    UserError
        If sample ids repeat, or fewer than half of the samples of the smaller one of matrix and table are in the
        other.
    """
    names = column_of(table, row, "sample_column", where) if "sample_column" in row else table.iloc[:, 0].astype(str)
    check_ids(pd.Index(names), "sample", f"{where}, column {names.name!r}")
    indexed = table.set_axis(pd.Index(names), axis=0)
    found = ids[ids.isin(indexed.index)]
    if len(found) < 0.5 * min(len(ids), len(names)):
        first = ids[~ids.isin(indexed.index)][0]
        raise UserError(
            f"{len(ids) - len(found)} of {len(ids)} samples of the matrix are not in the sample table; "
            f"the first is {first!r}, ids of the table look like {names.iloc[0]!r}",
            where=f"{where}, column {names.name!r}",
            remedy="check sample_column, and that both files are of one release",
        )
    if len(found) < len(ids):
        log.warning("%d of %d samples are not in the sample table and are left out", len(ids) - len(found), len(ids))
    return indexed.loc[found]


def context_of(table: pd.DataFrame, row: dict[str, Any], where: str) -> pd.Series:
    """Context of each sample: the sheet's word, or read from a column as ``@column:value=context,...``.

    Samples whose value is not listed get an empty context and are left out by the caller.

    Raises
    ------
    UserError
        If the column is missing, a context is unknown, or no sample has a listed value.
    """
    given = row["context"]
    if not given.startswith("@"):
        return pd.Series(given, index=table.index)
    sheet = f"dataset {row['dataset']!r}, column 'context'"
    match = re.fullmatch(r"@([^:]+):(.+)", given)
    pairs = [pair.partition("=") for pair in match[2].split(",")] if match else []
    if not pairs or any(not equals or context not in CONTEXTS for _, equals, context in pairs):
        raise UserError(
            f"{given!r} is not of the form @column:value=context,value=context",
            where=sheet,
            remedy=f"contexts are {', '.join(CONTEXTS)}",
        )
    if match[1] not in table:
        raise UserError(f"no column {match[1]!r}; there are: {', '.join(table.columns)}", where=where, remedy=REMEDY)
    values = table[match[1]].astype(str)
    context = values.map({value.strip(): context for value, _, context in pairs}).fillna("")
    if not (context != "").any():
        raise UserError(
            f"no sample has a listed value; column {match[1]!r} holds {', '.join(sorted(values.unique())[:5])}",
            where=where,
            remedy=f"correct {sheet}",
        )
    return context


def contract_obs(table: pd.DataFrame, row: dict[str, Any], where: str) -> pd.DataFrame:
    """``donor dataset condition technology aggregation context level``, doublet label, read length, covariates."""
    obs = pd.DataFrame(index=table.index.astype(str))
    obs["donor"] = column_of(table, row, "donor_column", where).str.strip()
    obs["dataset"] = row["dataset"]
    obs["condition"] = column_of(table, row, "condition_column", where).str.strip()
    obs["technology"], obs["aggregation"] = row["technology"], row["aggregation"]
    obs["context"] = context_of(table, row, where)
    if "doublet_column" in row:
        obs["doublet"] = column_of(table, row, "doublet_column", where)
    if "read_length_column" in row:
        obs["read_length"] = column_of(table, row, "read_length_column", where)
    for name in filter(None, (c.strip() for c in row.get("covariates", "").split(","))):
        obs[name.lstrip("_")] = column_of(table, {**row, "covariates": name}, "covariates", where)
    return obs


def name_of_condition(label: str) -> str:
    """A label as a name that can stand in paths: spaces and slashes become ``_``, other signs are left out."""
    return re.sub(r"[^A-Za-z0-9_.+-]", "", re.sub(r"[\s/&]+", "_", label)).strip("_.+-")


def select_conditions(obs: pd.DataFrame, conditions: dict[str, Any], where: str) -> tuple[pd.DataFrame, dict[str, int]]:
    """Samples that enter the study, with their conditions mapped, and how many were left out for what reason.

    Raises
    ------
    UserError
        If nothing is left, two labels become one name, or a condition has fewer donors than ``min_donors``.
    """
    raw = obs["condition"].astype(str)
    mapped = raw.replace(conditions.get("map", {}))
    names = {label: name_of_condition(label) for label in mapped.unique()}
    left_out = set(conditions.get("exclude", []))
    absent = mapped.str.lower().isin(ABSENT) | (obs["donor"].str.lower().isin(ABSENT)) | (mapped.map(names) == "")
    excluded = ~absent & (mapped.isin(left_out) | raw.isin(left_out) | mapped.map(names).isin(left_out))
    elsewhere = ~absent & ~excluded & (obs["context"] == "")
    keep = ~(absent | excluded | elsewhere)
    dropped = {
        "no condition or donor": int(absent.sum()),
        "condition excluded": int(excluded.sum()),
        "context not listed": int(elsewhere.sum()),
    }
    if not keep.any():
        raise UserError(
            "no sample is left: " + ", ".join(f"{n} {reason}" for reason, n in dropped.items() if n),
            where=where,
            remedy="check condition_column, donor_column and context in the sheet, and prepare.conditions",
        )
    kept: dict[str, str] = {}
    for label in sorted(mapped[keep].unique()):
        if names[label] in kept:
            raise UserError(
                f"conditions {kept[names[label]]!r} and {label!r} are both written {names[label]!r}",
                where=where,
                remedy="map one of them to another name in prepare.conditions.map",
            )
        kept[names[label]] = label
    out = obs[keep].assign(condition=mapped[keep].map(names))
    donors = out.groupby("condition")["donor"].nunique()
    few = donors[donors < conditions.get("min_donors", 1)]
    if len(few):
        raise UserError(
            f"condition {few.index[0]!r} has {few.iloc[0]} donor(s), fewer than min_donors = "
            f"{conditions['min_donors']}",
            where=where,
            remedy="list it in prepare.conditions.exclude, map it to another condition, or lower min_donors",
        )
    return add_level(out), dropped
