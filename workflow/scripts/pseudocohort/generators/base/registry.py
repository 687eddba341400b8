"""All generators by name, found by a scan of their descriptions, which imports none of their code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...core.plugins import PACKAGE, pick, scan
from .description import Description

if TYPE_CHECKING:
    from .generator import Generator


def generators() -> dict[str, Description]:
    """Descriptions of all generators by name, controls first."""
    return scan(f"{PACKAGE}.generators.models", "GENERATORS")


def describe(name: str) -> Description:
    """Description of the generator called `name`.

    Raises
    ------
    UserError
        If there is none.
    """
    return pick(generators(), name, "generator", "generators")


def get(name: str) -> type[Generator]:
    """Class of the generator called `name`.

    Raises
    ------
    UserError
        If there is none.
    """
    found = describe(name)
    return found.load(found.implementation)


def kind_of(config: dict[str, Any], name: str) -> str:
    """Registry name of a study's generator: its own, or that of the generator of which its settings make a variant."""
    return config.get("generator_settings", {}).get(name, {}).get("generator", name)


def describe_kind(config: dict[str, Any], name: str) -> Description:
    """Description of the generator that a study's generator is, or is a variant of."""
    return describe(kind_of(config, name))


def settings_of(config: dict[str, Any], name: str) -> dict[str, Any]:
    """Settings of a study's generator that differ from the defaults of its kind."""
    return {key: value for key, value in config["generator_settings"].get(name, {}).items() if key != "generator"}


def modules_of(config: dict[str, Any], name: str) -> list[str]:
    """Modules that define a study's generator, relative to the package; of one around another, of both."""
    inner = settings_of(config, name).get("of")
    kinds = [kind_of(config, name), *([inner] if inner in generators() else [])]
    return [module for kind in kinds for module in describe(kind).modules]


def is_control(name: str) -> bool:
    """Whether a generator is a floor or ceiling that others are read against; a study's variants are not."""
    return name in generators() and generators()[name].control
