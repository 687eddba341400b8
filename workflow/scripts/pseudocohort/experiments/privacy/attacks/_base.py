"""What an attack is, and what there are of them: the modules of this folder whose names start with a letter."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np


@dataclass(frozen=True)
class Attack:
    """A membership inference attack on a synthetic cohort; each module of this folder has one, called ``ATTACK``.

    Attributes
    ----------
    name : str
        As in ``privacy.attacks`` of the configuration: the name of its module.
    summary : str
        What it asks of a donor, one sentence with a question mark.
    source : str
        Authors, year and venue; "this project" without a publication.
    score : callable
        ``score(space, *, seed)`` gives one number per candidate of an :class:`._space.AttackSpace`; higher: member. It
        raises :class:`._space.CannotRun` where it has nothing to go by.
    default : bool
        In the battery where a study does not say which attacks it wants.
    required : bool
        Part of the least battery: a release without its result is refused.
    needs : tuple of str
        What the attacker holds: ``release``, and ``reference`` where real profiles of other donors are used.
    cost : str
        Order of magnitude, in words.
    """

    name: str
    summary: str
    source: str
    score: Callable[..., np.ndarray]
    default: bool = False
    required: bool = False
    needs: tuple[str, ...] = ("release", "reference")
    cost: str = "seconds"

    def __call__(self, space: object, *, seed: int) -> np.ndarray:
        """Scores of the candidates."""
        return self.score(space, seed=seed)


def scan(package: str) -> MappingProxyType[str, Attack]:
    """Attacks of the modules of a package, by name.

    Raises
    ------
    TypeError
        If a module has no ``ATTACK``, or one of another name.
    """
    found = {}
    folder = importlib.import_module(package).__path__
    for module in sorted(m.name for m in pkgutil.iter_modules(folder) if not m.name.startswith("_")):
        attack = getattr(importlib.import_module(f"{package}.{module}"), "ATTACK", None)
        if not isinstance(attack, Attack) or attack.name != module:
            raise TypeError(f"{package}.{module} has no attack called {module!r} (ATTACK = Attack(name=...))")
        found[module] = attack
    return MappingProxyType(found)
