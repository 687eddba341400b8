"""Settings that describe themselves: default, type, choices or range, and help in one place.

Plug-ins (generators, experiments, attacks) declare a mapping of names to :class:`Setting`. The schema of the
configuration, the checks before a run and the tables of the documentation are made from these.

Examples
--------
>>> settings = {"width": integer(128, "Units of a hidden layer.", minimum=1)}
>>> defaults(settings)
{'width': 128}
>>> check(settings, {"width": 64}, "generator_settings.ddpm")
{'width': 64}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .validation import validate


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes
    ----------
    default : Any
        Value where the configuration gives none.
    help : str
        One sentence, for the documentation and for errors.
    schema : dict
        JSON Schema of the value: type, choices, range.
    """

    default: Any
    help: str
    schema: Mapping[str, Any] = field(default_factory=dict)

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of the value with description and default."""
        return {**self.schema, "description": self.help, "default": self.default}

    def but(self, default: Any) -> Setting:
        """The same setting with another default."""
        return replace(self, default=default)


def _bounds(minimum: float | None, maximum: float | None, above: float | None, below: float | None) -> dict[str, float]:
    given = {"minimum": minimum, "maximum": maximum, "exclusiveMinimum": above, "exclusiveMaximum": below}
    return {key: value for key, value in given.items() if value is not None}


def integer(default: int, help: str, *, minimum: int | None = None, maximum: int | None = None) -> Setting:
    """A whole number."""
    return Setting(default, help, {"type": "integer", **_bounds(minimum, maximum, None, None)})


def number(
    default: float,
    help: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> Setting:
    """A number; `above` and `below` are bounds that it must not reach."""
    return Setting(default, help, {"type": "number", **_bounds(minimum, maximum, above, below)})


def boolean(default: bool, help: str) -> Setting:
    """True or false."""
    return Setting(default, help, {"type": "boolean"})


def text(default: str, help: str) -> Setting:
    """A string."""
    return Setting(default, help, {"type": "string"})


def choice(default: str, help: str, options: Sequence[str]) -> Setting:
    """One of some names."""
    return Setting(default, help, {"enum": list(options)})


def many(default: list, help: str, items: Mapping[str, Any], *, minimum: int = 0, unique: bool = True) -> Setting:
    """A list whose items have the JSON Schema `items`."""
    schema: dict[str, Any] = {"type": "array", "items": dict(items)}
    schema |= {"minItems": minimum} if minimum else {}
    schema |= {"uniqueItems": True} if unique else {}
    return Setting(default, help, schema)


def mapping(default: dict, help: str, values: Mapping[str, Any], **keywords: Any) -> Setting:
    """A map whose values have the JSON Schema `values`; further keywords (``propertyNames``) as they are."""
    return Setting(default, help, {"type": "object", "additionalProperties": dict(values), **keywords})


def defaults(settings: Mapping[str, Setting]) -> dict[str, Any]:
    """Default of every setting."""
    return {name: setting.default for name, setting in settings.items()}


def json_schema(settings: Mapping[str, Setting], description: str = "") -> dict[str, Any]:
    """JSON Schema of a map of settings; other keys are refused."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: setting.json_schema() for name, setting in settings.items()},
        **({"description": description} if description else {}),
    }


def allowed(schema: Mapping[str, Any]) -> str:
    """What a JSON Schema allows, in a few words: choices, or type and range."""
    if "anyOf" in schema:
        return " or ".join(allowed(part) for part in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    kinds = schema.get("type", "")
    text = kinds if isinstance(kinds, str) else " or ".join(kinds)
    if "items" in schema:
        text = f"list of {allowed(schema['items'])}"
    for key, sign in (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<")):
        if key in schema:
            text += f"{',' if sign in '≤<' and ('≥' in text or '>' in text) else ''} {sign} {schema[key]:g}"
    return text


def check(settings: Mapping[str, Setting], given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """`given` over the defaults, after checking names, types, choices and ranges.

    Parameters
    ----------
    settings : mapping of Setting
    given : mapping
        Values by name.
    where : str
        Key of the configuration that holds them: ``generator_settings.ddpm``.

    Raises
    ------
    UserError
        For the first wrong key or value, with the nearest name or what is allowed.
    """
    validate(dict(given), json_schema(settings), "configuration", within=where)
    return {**defaults(settings), **{name: _whole(settings[name], value) for name, value in given.items()}}


def _whole(setting: Setting, value: Any) -> Any:
    """`value`, as an int where a whole number is asked for: JSON Schema takes 3.0 for one."""
    return int(value) if setting.schema.get("type") == "integer" else value
