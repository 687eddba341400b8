"""Membership inference attacks on a synthetic cohort: one module each, found by a scan of this folder."""

from __future__ import annotations

from ._base import Attack, scan
from ._space import AttackSpace, CannotRun, attack_space

#: Attack by name.
ATTACKS = scan(__name__)
#: Attacks of a study that names none.
DEFAULT = tuple(name for name, attack in ATTACKS.items() if attack.default)
#: The least battery that a release needs.
REQUIRED = tuple(name for name, attack in ATTACKS.items() if attack.required)

__all__ = ["ATTACKS", "DEFAULT", "REQUIRED", "Attack", "AttackSpace", "CannotRun", "attack_space"]
