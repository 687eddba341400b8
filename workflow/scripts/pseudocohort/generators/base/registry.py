"""All generators by name. Importing this module is cheap: a generator's own module is imported when it is asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ...core.errors import UserError

if TYPE_CHECKING:
    from .generator import Generator

#: Module (in this package) that defines each generator.
MODULES = {
    "copy": "controls",
    "jitter": "controls",
    "mixup": "controls",
    "independent": "controls",
    "mvn": "mvn.model",
    "mvn_camda": "mvn.camda",
    "ppca": "ppca",
    "copula": "copula",
    "gan": "adversarial.gan",
    "wgan_gp": "adversarial.wgan_gp",
    "cvae": "cvae.model",
    "nb_cvae": "nb_cvae.model",
    "ddpm": "ddpm.model",
    "flow": "flow.model",
    "unclip": "unclip.model",
    "ensemble": "mitigations",
    "screened": "mitigations",
    "dp_naive_bayes": "dp_naive_bayes.model",
    "dp_cvae": "dp_networks.model",
    "dp_ddpm": "dp_networks.model",
    "dp_flow": "dp_networks.model",
    "dp_wgan_gp": "dp_networks.model",
}
#: Generators trained by gradient descent; they use a GPU where there is one.
TRAINED = (
    "gan", "wgan_gp", "cvae", "nb_cvae", "ddpm", "flow", "unclip", "dp_cvae", "dp_ddpm", "dp_flow", "dp_wgan_gp",
)  # fmt: skip
#: Generators that learn from counts, and are refused where there are none.
COUNTED = ("nb_cvae",)
#: Generators with differential privacy; their models hold a ledger.
PRIVATE = ("dp_naive_bayes", "dp_cvae", "dp_ddpm", "dp_flow", "dp_wgan_gp")


#: Floors and ceilings that trained generators are read against.
CONTROLS = ("copy", "jitter", "mixup", "independent", "mvn", "mvn_camda")


def names() -> list[str]:
    """Names of all generators, controls first."""
    return list(MODULES)


def kind_of(config: dict[str, Any], name: str) -> str:
    """Registry name of a study's generator: its own, or that of the generator of which its settings make a variant."""
    return config.get("generator_settings", {}).get(name, {}).get("generator", name)


def settings_of(config: dict[str, Any], name: str) -> dict[str, Any]:
    """Settings of a study's generator that differ from the defaults of its kind."""
    return {key: value for key, value in config["generator_settings"].get(name, {}).items() if key != "generator"}


def modules_of(config: dict[str, Any], name: str) -> list[str]:
    """Modules that define a study's generator: that of its kind, and that of the generator that its kind is around."""
    inner = settings_of(config, name).get("of")
    return [MODULES[kind] for kind in (kind_of(config, name), inner) if kind in MODULES]


def get(name: str) -> type[Generator]:
    """Class of the generator called `name`.

    Raises
    ------
    UserError
        If there is none.
    """
    if name not in MODULES:
        raise UserError(f"unknown generator {name!r}", where="generators", remedy=f"one of: {', '.join(MODULES)}")
    module = importlib.import_module(f"..models.{MODULES[name]}", __package__)
    return next(c for c in vars(module).values() if isinstance(c, type) and c.__dict__.get("name") == name)


def is_control(name: str) -> bool:
    """Whether a generator is a control; variants are controls as their kind is."""
    return name in CONTROLS


def describe(name: str) -> type[Generator]:
    """Class of a generator, which has its description."""
    return get(name)
