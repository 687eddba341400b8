"""What an attack says about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ....core.plugins import Plugin


@dataclass(frozen=True, kw_only=True)
class Attack(Plugin):
    """A membership inference attack on a synthetic cohort; each module of this folder has one, called ``ATTACK``.

    Attributes
    ----------
    name, summary, source, home : str
        As of every plug-in; the summary is what it asks of a donor, with a question mark.
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

    score: Callable[..., np.ndarray]
    default: bool = False
    required: bool = False
    needs: tuple[str, ...] = ("release", "reference")
    cost: str = "seconds"

    def __call__(self, space: object, *, seed: int) -> np.ndarray:
        """Scores of the candidates."""
        return self.score(space, seed=seed)
