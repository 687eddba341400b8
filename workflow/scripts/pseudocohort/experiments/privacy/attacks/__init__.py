"""Membership inference attacks on a synthetic cohort: one module each, found by a scan of this folder."""

from __future__ import annotations

from collections.abc import Sequence

from ....core.plugins import pick, scan
from ._base import Attack
from ._space import AttackSpace, CannotRun, attack_space

#: Attack by name.
ATTACKS = scan(__name__, "ATTACK")
#: Attacks of a study that names none.
DEFAULT = tuple(name for name, attack in ATTACKS.items() if attack.default)
#: The least battery that a release needs.
REQUIRED = tuple(name for name, attack in ATTACKS.items() if attack.required)

#: Stands for every attack in ``privacy.attacks``.
ALL = "all"


def chosen(names: Sequence[str]) -> list[str]:
    """Attacks of a study: those of ``privacy.attacks``, the default ones if it is empty, every one if it says "all".

    Raises
    ------
    UserError
        If a name is unknown.
    """
    for name in names:
        if name != ALL:
            pick(ATTACKS, name, "attack", "privacy.attacks")
    return list(ATTACKS) if ALL in names else list(names) or list(DEFAULT)


__all__ = ["ALL", "ATTACKS", "DEFAULT", "REQUIRED", "Attack", "AttackSpace", "CannotRun", "attack_space", "chosen"]
