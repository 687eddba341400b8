"""Membership inference attacks on a synthetic cohort: one module each, found by a scan of this folder."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from ....core.errors import UserError
from ._base import Attack, scan
from ._space import AttackSpace, CannotRun, attack_space

#: Attack by name.
ATTACKS = scan(__name__)
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
    if unknown := [name for name in names if name not in ATTACKS and name != ALL]:
        near = difflib.get_close_matches(unknown[0], ATTACKS, 1)
        raise UserError(
            f"unknown attack {unknown[0]!r}" + (f"; did you mean {near[0]!r}?" if near else ""),
            where="privacy.attacks",
            remedy=f"choose among {', '.join(sorted(ATTACKS))}; [] = the default battery, [{ALL}] = every attack",
        )
    return list(ATTACKS) if ALL in names else list(names) or list(DEFAULT)


__all__ = ["ALL", "ATTACKS", "DEFAULT", "REQUIRED", "Attack", "AttackSpace", "CannotRun", "attack_space", "chosen"]
