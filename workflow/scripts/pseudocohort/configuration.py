"""A study's configuration: its schema from what plug-ins say of themselves, its defaults, all checks before a run."""

from __future__ import annotations

import copy
import fnmatch
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from .core import settings as setting_files
from .core.errors import UserError
from .core.levels import FACTORS
from .core.paths import data_root
from .core.validation import nearest, validate
from .experiments.registry import describe, experiments, of_study
from .generators.base import registry
from .generators.base.description import Description
from .generators.private.checks import check_preparation, check_public_profiles
from .intervene.questions import read_questions
from .plan.training_sets import training_sets
from .study import read_datasets


def base_schema(schemas: Path) -> dict[str, Any]:
    """The schema of what is no plug-in's: study, data, preparation, training, release."""
    return yaml.safe_load((schemas / "config.schema.yaml").read_text(encoding="utf-8"))


def schema(schemas: Path, config: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """JSON Schema of a configuration: the base, and a section for each experiment.

    Parameters
    ----------
    schemas : Path
        Folder of the schema files.
    config : mapping, optional
        A configuration, for the variants of generators that it names itself.
    """
    out = base_schema(schemas)
    kinds = {name: name for name in registry.generators()} | variants(config or {})
    can = {name: registry.describe(kind).capabilities for name, kind in kinds.items() if kind in registry.generators()}
    out["$defs"] |= {
        "generator": {"enum": list(kinds)},
        "composing": {"enum": [name for name, what in can.items() if what.composition]},
        "clamping": {"enum": [name for name, what in can.items() if what.mask]},
        "experiment": {"enum": list(experiments())},
    }
    out["properties"]["generator_settings"]["properties"] = {
        name: _settings_schema(registry.describe(kind), variant=name != kind)
        for name, kind in kinds.items()
        if kind in registry.generators()
    }
    for name, experiment in experiments().items():
        out["properties"][name] = setting_files.json_schema(experiment.settings, experiment.summary)
    return out


def _settings_schema(kind: Description, *, variant: bool) -> dict[str, Any]:
    """Schema of the settings of a generator, or of a variant, which names its generator as well."""
    out = setting_files.json_schema(kind.all_settings, kind.summary)
    if variant:
        out["properties"]["generator"] = {"const": kind.name, "description": "Generator that this is a variant of."}
    return out


def variants(config: Mapping[str, Any]) -> dict[str, str]:
    """Variants of generators that a configuration names, with the generator that each is a variant of."""
    given = config.get("generator_settings")
    given = given if isinstance(given, Mapping) else {}
    return {
        str(name): str(own["generator"])
        for name, own in given.items()
        if isinstance(own, Mapping) and "generator" in own
    }


def _fill(given: Any, part: Mapping[str, Any], definitions: Mapping[str, Any]) -> Any:
    """`given` with the defaults of a schema put in where a key is missing."""
    if "$ref" in part:
        part = {**definitions[part["$ref"].rpartition("/")[2]], **part}
    if not isinstance(given, dict) or "properties" not in part:
        return given
    out = dict(given)
    for key, value in part["properties"].items():
        if key in out:
            out[key] = _fill(out[key], value, definitions)
        elif "default" in value:
            out[key] = copy.deepcopy(value["default"])
        elif "properties" in value:
            out[key] = _fill({}, value, definitions)
    return out


def complete(config: Mapping[str, Any], schemas: Path) -> dict[str, Any]:
    """The configuration with every default filled in; what is given stays as it is."""
    whole = schema(schemas, config)
    # Settings of generators stay as given: a generator knows its own defaults.
    del whole["properties"]["generator_settings"]["properties"]
    return _fill(dict(config), whole, whole["$defs"])


def validate_configuration(config: Mapping[str, Any], schemas: Path) -> None:
    """Check names, types, choices and ranges of every key, the settings of generators included.

    Raises
    ------
    UserError
        For the first thing wrong.
    """
    known = list(registry.generators())
    for name, kind in variants(config).items():
        where = f"generator_settings.{name}"
        if name in known or name == "real" or not re.fullmatch("[a-z][a-z0-9_]*", name):
            raise UserError(
                f"{name!r} cannot be the name of a variant",
                where=where,
                remedy="take a name of its own, of small letters, digits and _, e.g. ddpm_short",
            )
        if kind not in known:
            raise UserError(
                f"{kind!r} is no generator",
                where=f"{where}.generator",
                remedy=f"{nearest(kind, known)}one of: {', '.join(known)}",
            )
    validate(dict(config), schema(schemas, config), "configuration")


def check_study(config: dict[str, Any], schemas: Path, project: Path | None = None) -> dict[str, dict[str, Any]]:
    """Check a complete configuration and its datasets; the datasets' rows by name.

    Parameters
    ----------
    config : dict
        As :func:`complete` returns it.
    schemas : Path
        Folder of the schema files.
    project : Path, optional
        Where the dataset sheet is looked for if it is not below the working directory.

    Raises
    ------
    UserError
        For the first thing wrong.
    """
    validate_configuration(config, schemas)
    sheet = Path(config["datasets_sheet"])
    if project is not None and not sheet.is_file() and (project / sheet).is_file():
        config = config | {"datasets_sheet": str(project / sheet)}
    datasets = read_datasets(config, schemas / "datasets.schema.yaml")
    _check_covariates(config, datasets)
    _check_counts(config, datasets)
    _check_patterns(config, datasets)
    for name in config["generators"]:
        described = registry.describe(registry.kind_of(config, name))
        if described.capabilities.private:
            settings = described.defaults | registry.settings_of(config, name)
            check_preparation(config["prepare"], settings, name)
            check_public_profiles(settings, name, datasets, needed=described.capabilities.needs_public)
    for experiment in of_study(config):
        _check_generators(config, experiment.name)
        _check_levels(config, experiment.name, datasets)
        if experiment.has("plan:check"):
            experiment.load("plan:check")(config, datasets)
    if config["interventions"]["questions"]:
        read_questions(config["interventions"]["questions"], root=data_root(config))
    training_sets(config)
    return datasets


def _kept(row: dict[str, Any]) -> set[str]:
    """Columns of the sample table that a dataset keeps."""
    return {c.strip().lstrip("_") for c in row.get("covariates", "").split(",")} - {""}


def _check_covariates(config: dict[str, Any], datasets: dict[str, dict[str, Any]]) -> None:
    kept = set().union(*map(_kept, datasets.values()))
    for name in config["prepare"]["covariates"]:
        if name not in kept:
            raise UserError(
                f"no dataset of the study keeps a covariate {name!r}",
                where=f"prepare.covariates.{name}",
                remedy=f"name its column under covariates in the sheet; kept are: {', '.join(sorted(kept)) or 'none'}",
            )
    survival = config["prepare"]["survival"]
    for part, name in survival.items():
        where = f"prepare.survival.{part}"
        if name not in kept:
            raise UserError(
                f"no dataset of the study keeps a column {name!r}",
                where=where,
                remedy=f"name it under covariates in the sheet; kept are: {', '.join(sorted(kept)) or 'none'}",
            )
        if name in config["prepare"]["covariates"]:
            raise UserError(
                f"{name!r} is among the covariates, too", where=where, remedy="take it out of prepare.covariates"
            )
    if survival and survival["time"] == survival["event"]:
        raise UserError(
            f"time and event are one column, {survival['time']!r}", where="prepare.survival", remedy="name two columns"
        )
    kinds = [registry.kind_of(config, name) for name in config["generators"]]
    if survival and not any(registry.describe(kind).capabilities.covariates for kind in kinds):
        raise UserError(
            "no generator of the study can be conditioned on survival",
            where="prepare.survival",
            remedy="add one that carries covariates, e.g. mvn or ddpm, or leave survival out",
        )


def _check_patterns(config: dict[str, Any], datasets: dict[str, dict[str, Any]]) -> None:
    """Patterns of datasets fit one of the study's."""
    maps = config["prepare"]["conditions"]["dataset_maps"]
    for key, section in (("sources", config["prepare"]["sources"]), ("conditions.dataset_maps", maps)):
        for pattern in section:
            if not any(fnmatch.fnmatchcase(name, pattern) for name in datasets):
                raise UserError(
                    f"no dataset is called {pattern!r}",
                    where=f"prepare.{key}",
                    remedy=f"{nearest(pattern, list(datasets))}datasets are: {', '.join(datasets)}",
                )
    for name, row in datasets.items():
        pattern = next((p for p in config["prepare"]["sources"] if fnmatch.fnmatchcase(name, p)), None)
        source = config["prepare"]["sources"].get(pattern, "")
        if source.startswith("@") and source[1:] not in (kept := _kept(row)) | {*FACTORS}:
            raise UserError(
                f"dataset {name!r} keeps no column {source[1:]!r}",
                where=f"prepare.sources.{pattern}",
                remedy=f"name it under covariates in the sheet, or give the source itself; kept are: "
                f"{', '.join(sorted(kept)) or 'none'}",
            )


def _check_counts(config: dict[str, Any], datasets: dict[str, dict[str, Any]]) -> None:
    uncounted = [name for name, row in datasets.items() if row["unit"] != "counts" or row.get("convert")]
    for name in config["generators"]:
        if registry.describe(registry.kind_of(config, name)).capabilities.counts and uncounted:
            raise UserError(
                f"generator {name!r} learns from counts, and dataset {uncounted[0]!r} has none",
                where="generators",
                remedy="use a generator of log expression, or datasets whose unit is counts, without convert",
            )


def _check_generators(config: dict[str, Any], name: str) -> None:
    """Generators of an experiment are among the study's, where it does not train generators of its own."""
    if describe(name).crosses_levels:
        return
    for generator in config[name].get("generators", []):
        if generator not in config["generators"]:
            raise UserError(
                f"generator {generator!r} is not among the study's generators",
                where=f"{name}.generators",
                remedy=f"add it to generators, or choose from: {', '.join(config['generators'])}",
            )


def levels_of(config: dict[str, Any], datasets: dict[str, dict[str, Any]]) -> set[str]:
    """Levels that the datasets of a study can have, by their rows of the sheet."""
    found: set[str] = set()
    for row in datasets.values():
        if row["kind"] == "single_cell":
            found |= {"pseudobulk"} | ({"cell"} if config["prepare"]["pseudobulk"]["single_cells"] else set())
        else:
            found |= {part.rpartition("=")[2].strip() for part in row["context"].split(",")}
    return {"line_bulk" if level == "in_vitro" else level for level in found}


def _check_levels(config: dict[str, Any], name: str, datasets: dict[str, dict[str, Any]]) -> None:
    """Levels that an experiment names are levels of the study's datasets."""
    here = levels_of(config, datasets)
    for key, value in config[name].items():
        if key not in ("level", "levels", "tissue_level", "cell_level"):
            continue
        for level in [value] if isinstance(value, str) else value:
            if level not in here:
                raise UserError(
                    f"the study has no profile at level {level!r}",
                    where=f"{name}.{key}",
                    remedy=f"choose one of {', '.join(sorted(here))}, or leave {name} out of experiments",
                )


__all__ = ["check_study", "complete", "data_root", "schema", "validate_configuration"]
