"""The dataset sheet of a study: validated with errors for people, paths resolved."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from .core.errors import UserError
from .core.paths import data_root, in_data_root
from .core.validation import nearest, validate
from .ingest.fields import read_frame
from .ingest.rows import check_orientation, check_row
from .ingest.text import read_text

#: Columns of the dataset sheet that are numbers.
NUMBERS = (("log_offset", float, "1 or 0.001"), ("annotation_rows", int, "2"))
#: How like a column of the sheet another one has to be to be taken for a slip.
SLIP = 0.75


class _Loader(yaml.SafeLoader):
    """YAML in which nothing is lost or changed without a word: no key is given twice, and 010 is not taken for 8."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if (key.tag, key.value) in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"key {key.value!r} is given twice", key.start_mark
                    )
                seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        number = super().construct_yaml_int(node)
        if re.fullmatch(r"[-+]?(0[0-7_]+|[0-9_]+(:[0-5]?[0-9])+)", node.value):
            raise yaml.constructor.ConstructorError(
                None, None, f"{node.value} is read as {number} (octal, or to base 60)", node.start_mark
            )
        return number


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


def read_study(path: str | Path) -> dict[str, Any]:
    """Content of a study file.

    Raises
    ------
    UserError
        If it is missing, no text, no YAML, or no map of keys.
    """
    try:
        content = yaml.load(read_text(path, "a study file (YAML)"), _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).split("\n")[0]
        hint = "indent with blanks, not with tabs" if "\\t" in str(error) else "correct the YAML there"
        raise UserError(f"no YAML: {problem}", where=f"{path}{line}", remedy=hint) from error
    except (RecursionError, ValueError, OverflowError) as error:
        raise UserError(f"cannot be read: {str(error)[:80]}", where=str(path), remedy="correct the YAML") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UserError(
            f"the file holds a {type(content).__name__}, not keys with values", where=str(path),
            remedy="write key: value lines; see config/README.md",
        )  # fmt: skip
    return content


def read_sheet(sheet: str | Path, columns: Iterable[str]) -> dict[str, dict[str, str]]:
    """Rows of a dataset sheet by name, empty cells left out. Lines that begin with ``#`` are comments.

    Columns of one's own are allowed, unless they look like a slip for one of `columns`.

    Raises
    ------
    UserError
        If the sheet is missing, no tab-separated text, or names a dataset twice.
    """
    table = read_frame(sheet, "\t", "a dataset sheet (tab-separated text)")
    if "dataset" not in table:
        raise UserError(
            "no column 'dataset'",
            where=str(sheet),
            remedy="the sheet is tab-separated with a header line; see config/README.md",
        )
    known = list(columns)
    for name in table.columns:
        close = [] if name in known else difflib.get_close_matches(name.strip().lower(), known, 1, SLIP)
        if close:
            raise UserError(
                f"unknown column {name!r}", where=str(sheet), remedy=f"did you mean {close[0]!r}? Rename or remove it"
            )
    table = table[~table["dataset"].str.startswith("#")]
    repeated = table["dataset"][table["dataset"].duplicated() & (table["dataset"] != "")]
    if len(repeated):
        raise UserError(f"dataset {repeated.iloc[0]!r} has two rows", where=str(sheet), remedy="names must be unique")
    return {row["dataset"]: {str(k): v for k, v in row.items() if v} for row in table.to_dict("records")}


def read_datasets(config: dict[str, Any], schema_file: Path) -> dict[str, dict[str, Any]]:
    """Rows of the dataset sheet that the study uses, by name; paths have ``{data_root}`` replaced.

    Raises
    ------
    UserError
        If the sheet is missing or wrong, a dataset is not in it, or ``{data_root}`` is used but not set.
    """
    sheet = Path(config["datasets_sheet"])
    if not sheet.is_file():
        raise UserError(
            f"no dataset sheet at {str(sheet)!r}",
            where="datasets_sheet",
            remedy="give its path under datasets_sheet of a study file, and the study file with --configfile; relative "
            "paths begin in the folder of the run",
        )
    rows = read_sheet(sheet, yaml.safe_load(schema_file.read_text())["properties"])
    chosen = {}
    for name in config["datasets"]:
        if name not in rows:
            hint = nearest(name, list(rows)).rstrip() or f"datasets in the sheet: {', '.join(rows)}"
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
        check_row(row, f"{sheet}, row {name!r}")
        check_orientation(row, f"{sheet}, row {name!r}")
        for column in ("source", "samples", "more_samples"):
            if "{data_root}" in row.get(column, ""):
                if not data_root(config):
                    raise UserError(
                        "{data_root} is not set",
                        where=f"{sheet}, row {name!r}, column {column!r}",
                        remedy="add --config data_root=FOLDER, or set the environment variable PSEUDOCOHORT_DATA",
                    )
                row[column] = in_data_root(row[column], config)
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
