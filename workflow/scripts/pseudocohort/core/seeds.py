"""One master seed, many independent streams."""

from __future__ import annotations

import hashlib

import numpy as np

from .errors import UserError

#: What scikit-learn takes for randomness: a seed, a generator, or None for a seed of the system.
RandomState = int | np.random.Generator | np.random.RandomState | None


def derive(seed: int, *names: object) -> int:
    """Seed of the stream that `names` identify, as a 31-bit integer.

    The same arguments give the same seed on every machine and in every process (unlike ``hash``), and different names
    give unrelated streams, so that adding an experiment never changes the random choices of another.
    """
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little") & 0x7FFFFFFF


def generator(seed: int, *names: object) -> np.random.Generator:
    """NumPy generator seeded with :func:`derive`."""
    return np.random.default_rng(derive(seed, *names))


def seed_of(random_state: RandomState, default: int | None = None) -> int:
    """Seed of a ``random_state`` as scikit-learn takes it; None is `default`, or a seed of the system.

    Raises
    ------
    UserError
        If it is none.
    """
    if random_state is None:
        return default if default is not None else int(np.random.default_rng().integers(2**31))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31))
    if not isinstance(random_state, int | np.integer) or isinstance(random_state, bool) or random_state < 0:
        raise UserError(f"{random_state!r} is no seed", where="random_state", remedy="give a whole number from 0 on")
    return int(random_state)
