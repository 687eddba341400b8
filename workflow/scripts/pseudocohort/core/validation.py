"""Values against a JSON Schema, with errors for people: file, key, value, nearest name and what to do."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from .errors import UserError


def nearest(name: object, known: list[str]) -> str:
    """Beginning of the remedy for an unknown name: the nearest known one; empty if none is near."""
    same = [one for one in known if one.lower() == str(name).lower()]
    close = same or difflib.get_close_matches(str(name), known, 1)
    return f"did you mean {close[0]!r}? " if close else ""


def field(path: Any) -> str:
    """Path of a key as it is written: ``combination.k[0]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _explain(error: jsonschema.ValidationError) -> tuple[str, str]:
    """What is wrong and what to do, for one violation of the schema."""
    value, schema = error.instance, error.schema
    told = schema.get("description", "") if isinstance(schema, dict) else ""
    if not told and error.parent is not None:  # one of several alternatives
        told = error.parent.schema.get("description", "")
    if error.validator == "additionalProperties":
        known = list(schema.get("properties", {}))
        unknown = sorted(set(value) - set(known), key=str)[0]
        remedy = nearest(unknown, known).rstrip() or f"known keys: {', '.join(known) or 'none'}"
        return f"unknown key {unknown!r}", remedy
    if error.validator == "enum":
        allowed = [str(v) for v in error.validator_value]
        return f"{value!r} is not allowed", f"{nearest(value, allowed)}one of: {', '.join(allowed)}"
    if error.validator == "required":
        missing = [k for k in error.validator_value if k not in value]
        hints = {key: _hint(schema.get("properties", {}).get(key, {})) for key in missing}
        if len(missing) == 1:
            return f"{missing[0]!r} is missing", f"add it: {hints[missing[0]]}".rstrip(": ")
        lines = [f"  {key}: {hint}".rstrip(": ") for key, hint in hints.items()]
        return f"{', '.join(map(repr, missing))} are missing", "\n".join(["add them:", *lines])
    if error.validator == "pattern":
        return f"{value!r} is not allowed", told or f"it must match {error.validator_value}"
    if error.validator == "type":
        wanted = error.validator_value
        if wanted == "array" and isinstance(value, str | int | float):
            return f"{value!r} is no list", f"put it in brackets: [{value}]"
        wanted = wanted if isinstance(wanted, str) else " or ".join(wanted)
        return f"{value!r} is not of type {wanted}", told or "correct its type"
    if error.validator == "minItems" and not value:
        return "the list is empty", f"name one at least: {told}"
    return error.message, told or "correct the value"


def _hint(schema: Mapping[str, Any]) -> str:
    """What a key is and may be."""
    allowed = ", ".join(map(str, schema.get("enum", [])))
    return " ".join(part for part in (schema.get("description", ""), f"[{allowed}]" if allowed else "") if part)


def _is_number(checker: Any, value: Any) -> bool:
    """Numbers of JSON: neither NaN nor infinite, which no bound would refuse."""
    return jsonschema.Draft202012Validator.TYPE_CHECKER.is_type(value, "number") and math.isfinite(value)


_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("number", _is_number),
)


def _check_keys(instance: Any, where: str, path: list[Any]) -> None:
    """Refuse keys that are no text: a label ``NO`` or ``1`` that YAML read as false or a number would fit nothing."""
    if isinstance(instance, Mapping):
        for key, value in instance.items():
            if not isinstance(key, str):
                raise UserError(
                    f"the key {key!r} is no text, but a {type(key).__name__}",
                    where=f"{where}: {field(path) or 'top level'}",
                    remedy="put it in quotes as it is meant: YAML reads NO, yes, on and off as true or false, 1 as a "
                    "number, 2020-01-01 as a date",
                )
            _check_keys(value, where, [*path, key])
    elif isinstance(instance, list):
        for i, value in enumerate(instance):
            _check_keys(value, where, [*path, i])


def validate(instance: Any, schema: Mapping[str, Any] | Path, where: str, within: str = "") -> None:
    """Check `instance` against a JSON Schema (draft 2020-12), given as a mapping or as a YAML file.

    Parameters
    ----------
    instance : object
    schema : mapping or Path
    where : str
        What holds the instance, for errors: a file, ``configuration``.
    within : str
        Key under which it lies there.

    Raises
    ------
    UserError
        Naming the first offending key, its value and what is expected.
    """
    if isinstance(schema, Path):
        schema = yaml.safe_load(schema.read_text(encoding="utf-8"))
    _check_keys(instance, where, [within] if within else [])
    errors = _Validator(schema).iter_errors(instance)
    first = min(errors, key=lambda e: list(map(str, e.path)), default=None)
    if first is None:
        return
    # Of alternatives, the violation that lies deepest says most.
    if first.context:
        first = max(first.context, key=lambda e: len(e.absolute_path))
    what, remedy = _explain(first)
    path = field([*([within] if within else []), *first.absolute_path])
    raise UserError(what, where=f"{where}: {path or 'top level'}", remedy=remedy)
