"""Noise that nobody can repeat: normal numbers from a key of the operating system, by a cryptographic hash.

A mechanism is private as long as its noise is secret. NumPy's and torch's generators are made for simulation: from some
of their numbers the others follow, and seeds of 31 bits can all be tried. Here numbers are the output of SHAKE-256
(FIPS 202) under a key of 256 bits from the operating system's secure source. The key is kept with a checkpoint, and
goes with it: a run that is interrupted and resumed draws the same noise again, so that nothing is released twice.

Gap: numbers are computed in floating point. Sums are rounded to a grid of 2^-20 of the noise's standard deviation
before noise is added, and the noise to the same grid, so that the low bits of an output, which tell inputs apart
(Mironov 2012, CCS), are not there; what is left is rounding of the noise's distribution, of the order 2^-40, and its
end at 8.2 standard deviations. It is no proof about the machine's arithmetic.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import ndtri

from ...core.io import atomic

KEY_BYTES = 32
#: Grid of noised sums, in standard deviations of the noise.
GRID = 2.0**-20


@dataclass(frozen=True)
class NoiseKey:
    """A secret from which streams of numbers are made.

    Attributes
    ----------
    key : bytes
        256 bits.
    public : bool
        Whether the key follows from something that others know, such as a study's seed; then there is no privacy.
    """

    key: bytes
    public: bool = False

    @classmethod
    def of_system(cls) -> NoiseKey:
        """A new key of the operating system's secure source."""
        return cls(secrets.token_bytes(KEY_BYTES))

    @classmethod
    def of_seed(cls, seed: int) -> NoiseKey:
        """The key of a seed, for tests and simulations: whoever knows the seed can take the noise away."""
        return cls(hashlib.sha256(f"noise {seed}".encode()).digest(), public=True)

    @classmethod
    def kept(cls, path: Path, fingerprint: str) -> NoiseKey:
        """The key in a file that the user alone can read; a new one if there is none, or it is of another run.

        A key must never serve two sets of data: the difference of the outputs would have no noise.
        """
        if path.is_file():
            saved = json.loads(path.read_text())
            if saved["fingerprint"] == fingerprint:
                return cls(bytes.fromhex(saved["key"]))
        made = cls.of_system()
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(path) as temporary:
            temporary.touch(mode=0o600)
            temporary.write_text(json.dumps({"fingerprint": fingerprint, "key": made.key.hex()}))
            temporary.chmod(0o600)
        return made

    def stream(self, *names: object) -> NoiseStream:
        """Numbers of one use; the same names give the same numbers, others give independent ones."""
        return NoiseStream(hashlib.sha256(self.key + "\x1f".join(map(str, names)).encode()).digest())


class NoiseStream:
    """Numbers of one use of a key, each drawn once."""

    def __init__(self, key: bytes) -> None:
        self._key, self._drawn = key, 0

    def uniform(self, *shape: int) -> np.ndarray:
        """Numbers of the open interval (0, 1) in steps of 2^-53, float64."""
        n = int(np.prod(shape))
        block = self._key + self._drawn.to_bytes(8, "little")
        self._drawn += 1
        whole = np.frombuffer(hashlib.shake_256(block).digest(8 * n), dtype="<u8") >> np.uint64(11)
        return ((whole.astype(np.float64) + 0.5) * 2.0**-53).reshape(shape)

    def normal(self, *shape: int) -> np.ndarray:
        """Standard normal numbers, by the inverse of the distribution function."""
        return ndtri(self.uniform(*shape))

    def added(self, total: np.ndarray, sd: float) -> np.ndarray:
        """`total` with noise of standard deviation `sd`, both on the grid of the noise."""
        grid = 2.0 ** np.floor(np.log2(sd)) * GRID
        whole = np.rint(np.asarray(total, np.float64) / grid) + np.rint(self.normal(*np.shape(total)) * (sd / grid))
        return whole * grid
