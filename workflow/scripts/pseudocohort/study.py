"""A study's configuration and dataset sheet: validated with errors for people, paths resolved."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import yaml

from .core.errors import UserError
from .generators.base.registry import COUNTED, MODULES, kind_of
from .plan.enumerate import training_sets

#: Columns of the dataset sheet that are numbers.
NUMBERS = (("log_offset", float, "1 or 0.001"), ("annotation_rows", int, "2"))


def _field(path: Any) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _explain(error: jsonschema.ValidationError) -> tuple[str, str]:
    """What is wrong and what to do, for one violation of the schema."""
    value, schema = error.instance, error.schema
    if error.validator == "additionalProperties":
        known = list(schema.get("properties", {}))
        unknown = sorted(set(value) - set(known))[0]
        close = difflib.get_close_matches(unknown, known, 1)
        return f"unknown key {unknown!r}", f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}"
    if error.validator == "enum":
        allowed = [str(v) for v in error.validator_value]
        close = difflib.get_close_matches(str(value), allowed, 1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        return f"{value!r} is not allowed", f"{hint}one of: {', '.join(allowed)}"
    if error.validator == "required":
        missing = [k for k in error.validator_value if k not in value][0]
        description = schema.get("properties", {}).get(missing, {}).get("description", "")
        return f"{missing!r} is missing", f"add it: {description}" if description else "add it"
    if error.validator == "pattern":
        return f"{value!r} is not allowed", schema.get("description", f"it must match {error.validator_value}")
    if error.validator == "type":
        return f"{value!r} is not of type {error.validator_value}", schema.get("description", "correct its type")
    return error.message, schema.get("description", "correct the value")


def validate(instance: Any, schema_file: Path, where: str, generators: Iterable[str] = ()) -> None:
    """Check `instance` against a YAML schema; `generators` are names beside the registry's.

    Raises
    ------
    UserError
        Naming the first offending field, its value and what is expected.
    """
    schema = yaml.safe_load(schema_file.read_text())
    if generators:
        schema["$defs"]["generator"]["enum"] += generators
    errors = sorted(jsonschema.Draft202012Validator(schema).iter_errors(instance), key=lambda e: list(map(str, e.path)))
    if errors:
        what, remedy = _explain(errors[0])
        raise UserError(what, where=f"{where}: {_field(errors[0].absolute_path) or 'top level'}", remedy=remedy)


def data_root(config: dict[str, Any]) -> str:
    """Folder that replaces ``{data_root}``: the configuration's, else the environment's."""
    return str(config.get("data_root") or os.environ.get("PSEUDOCOHORT_DATA", ""))


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
        for column in ("source", "samples"):
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


def is_remote(source: str) -> bool:
    """Whether a source has to be downloaded."""
    return source.startswith(("http://", "https://"))


def validate_configuration(config: dict[str, Any], schemas: Path) -> None:
    """Check a configuration against its schema, with the variants of generators that it names itself.

    Raises
    ------
    UserError
        For the first thing wrong.
    """
    given = config.get("generator_settings")
    given = given if isinstance(given, dict) else {}
    variants = {name: own["generator"] for name, own in given.items() if isinstance(own, dict) and "generator" in own}
    validate(config, schemas / "config.schema.yaml", "configuration", variants)
    for name, kind in variants.items():
        where = f"generator_settings.{name}"
        if name in MODULES or name == "real" or not re.fullmatch("[a-z][a-z0-9_]*", name):
            raise UserError(
                f"{name!r} cannot be the name of a variant", where=where,
                remedy="take a name of its own, of small letters, digits and _, e.g. ddpm_short",
            )  # fmt: skip
        if kind not in MODULES:
            close = difflib.get_close_matches(str(kind), MODULES, 1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise UserError(
                f"{kind!r} is no generator", where=f"{where}.generator", remedy=f"{hint}one of: {', '.join(MODULES)}"
            )


def check_study(config: dict[str, Any], schemas: Path) -> dict[str, dict[str, Any]]:
    """Validate a study's configuration and its datasets; the datasets' rows by name.

    Raises
    ------
    UserError
        For the first thing wrong.
    """
    validate_configuration(config, schemas)
    datasets = read_datasets(config, schemas / "datasets.schema.yaml")
    kept = {c.strip().lstrip("_") for row in datasets.values() for c in row.get("covariates", "").split(",")} - {""}
    for name in config["prepare"]["covariates"]:
        if name not in kept:
            raise UserError(
                f"no dataset of the study keeps a covariate {name!r}",
                where=f"prepare.covariates.{name}",
                remedy=f"name its column under covariates in the sheet; kept are: {', '.join(sorted(kept)) or 'none'}",
            )
    uncounted = [name for name, row in datasets.items() if row["unit"] != "counts" or row.get("convert")]
    for name in config["generators"]:
        if kind_of(config, name) in COUNTED and uncounted:
            raise UserError(
                f"generator {name!r} learns from counts, and dataset {uncounted[0]!r} has none",
                where="generators",
                remedy="use cvae, or datasets whose unit is counts, without convert",
            )
    asked = config["evaluations"]
    if "augmentation" in asked and not config["augmentation"]["tasks"]:
        raise UserError(
            "no task is defined",
            where="augmentation.tasks",
            remedy="define one, or leave augmentation out of evaluations",
        )
    for evaluation, fewest in (("combination", 2), ("held_out_level", 3)):
        if evaluation in asked and len(config["combination"]["conditions"]) < fewest:
            raise UserError(
                f"fewer than {fewest} conditions", where="combination.conditions",
                remedy=f"list the conditions that both levels have, or leave {evaluation} out of evaluations",
            )  # fmt: skip
    if "interventions" in asked and not (config["interventions"]["graph"] and config["interventions"]["truth"]):
        raise UserError(
            "graph or truth is not given", where="interventions",
            remedy="give both files, or leave interventions out of evaluations",
        )  # fmt: skip
    for section in ("augmentation", "privacy", "camda", "lacan"):
        strange = [g for g in config[section]["generators"] if g not in config["generators"]]
        if strange and section in asked:
            raise UserError(
                f"generator {strange[0]!r} is not among the study's generators",
                where=f"{section}.generators",
                remedy=f"add it to generators, or choose from: {', '.join(config['generators'])}",
            )
    training_sets(config)
    return datasets
