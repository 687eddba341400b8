"""The dataset sheet of a study: validated with errors for people, paths resolved."""

from __future__ import annotations

import difflib
import fnmatch
from pathlib import Path
from typing import Any

import pandas as pd

from .core.errors import UserError
from .core.paths import data_root
from .core.validation import validate

#: Columns of the dataset sheet that are numbers.
NUMBERS = (("log_offset", float, "1 or 0.001"), ("annotation_rows", int, "2"))


def read_datasets(config: dict[str, Any], schema_file: Path) -> dict[str, dict[str, Any]]:
    """Rows of the dataset sheet that the study uses, by name; paths have ``{data_root}`` replaced.

    Raises
    ------
    UserError
        If the sheet is missing or wrong, a dataset is not in it, or ``{data_root}`` is used but not set.
    """
    sheet = Path(config["datasets_sheet"])
    if not sheet.is_file():
        raise UserError(f"no dataset sheet at {str(sheet)!r}", where="datasets_sheet", remedy="give its path")
    table = pd.read_csv(sheet, sep="\t", dtype=str, comment="#")
    if "dataset" not in table:
        raise UserError(
            "no column 'dataset'",
            where=str(sheet),
            remedy="the sheet is tab-separated with a header line; see config/README.md",
        )
    repeated = table["dataset"][table["dataset"].duplicated()]
    if len(repeated):
        raise UserError(f"dataset {repeated.iloc[0]!r} has two rows", where=str(sheet), remedy="names must be unique")
    rows = {
        row["dataset"]: {k: v for k, v in row.items() if isinstance(v, str) and v} for row in table.to_dict("records")
    }
    chosen = {}
    for name in config["datasets"]:
        if name not in rows:
            close = difflib.get_close_matches(name, rows, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"datasets in the sheet: {', '.join(rows)}"
            raise UserError(f"dataset {name!r} is not in {sheet}", where="datasets", remedy=hint)
        row = rows[name]
        for column, number, example in NUMBERS:
            if column in row:
                try:
                    row[column] = number(row[column])
                except ValueError:
                    raise UserError(
                        f"{column} {row[column]!r} is not a number",
                        where=f"{sheet}, row {name!r}",
                        remedy=f"e.g. {example}",
                    ) from None
        validate(row, schema_file, f"{sheet}, row {name!r}")
        if "convert" in row and row["kind"] != "bulk":
            raise UserError(
                "convert is for bulk samples only",
                where=f"{sheet}, row {name!r}, column 'convert'",
                remedy="leave it empty: UMIs are counted at the end of a transcript, whatever its length",
            )
        for column in ("source", "samples", "more_samples"):
            if "{data_root}" in row.get(column, ""):
                if not data_root(config):
                    raise UserError(
                        "{data_root} is not set",
                        where=f"{sheet}, row {name!r}, column {column!r}",
                        remedy="add --config data_root=FOLDER, or set the environment variable PSEUDOCOHORT_DATA",
                    )
                row[column] = row[column].replace("{data_root}", data_root(config).rstrip("/"))
        chosen[name] = row
    return chosen


def conditions_of(config: dict[str, Any], dataset: str) -> dict[str, Any]:
    """``prepare.conditions`` as they hold for one dataset: its own map (``dataset_maps``) goes before the common one.

    Labels that a dataset's own map names are mapped by it alone; ``{Breast: Breast}`` keeps a label as it is.
    """
    conditions = dict(config["prepare"]["conditions"])
    own: dict[str, str] = {}
    for pattern, labels in conditions.pop("dataset_maps", {}).items():
        if fnmatch.fnmatchcase(dataset, pattern):
            own |= labels
    return conditions | {"map": {**conditions.get("map", {}), **own}}
