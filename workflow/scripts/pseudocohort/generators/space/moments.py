"""Means and covariance of a generator, set right after training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np

from .covariance import symmetric_root

#: Draws of the generator for each condition and level.
DRAWS = 500
#: Rows of a condition and level at which the mean of its training rows counts half.
EQUAL_WEIGHT = 5.0
#: Variances are raised by no more than the inverse of this share.
MIN_SHARE = 0.02


@dataclass
class Moments:
    """An affine map of latent rows that gives a generator the training rows' means, and their pooled covariance.

    An adversarial generator is asked only to deceive its critic: it keeps too little variance along weak directions,
    and its class means wander. The map takes its class means to those of the training rows, and its covariance within
    classes to theirs by the linear map that moves rows least (optimal transport between Gaussians; Dowson & Landau
    1982, J. Multivariate Analysis 12:450). What is beyond two moments stays the generator's. A model that first draws
    an embedding draws that of the only profile where a class has one, and decodes that profile: its means are set.

    Attributes
    ----------
    pairs : ndarray (pairs × 4)
        Number of the condition, and of the level's three factors.
    made, wanted : ndarray (pairs × components)
        Mean of the generator's rows, and of training rows (0, the class mean itself, where there are none).
    turn : ndarray (components × components)
        Symmetric.
    """

    pairs: np.ndarray
    made: np.ndarray
    wanted: np.ndarray
    turn: np.ndarray

    @classmethod
    def fit(
        cls,
        h: np.ndarray,
        pairs: np.ndarray,
        weight: np.ndarray,
        conditions: int,
        draw: Callable[[np.ndarray], np.ndarray],
        *,
        covariance: bool = True,
    ) -> Self:
        """From training rows `h` (n × components) with weights (n,), and draws of the generator.

        `pairs` (n × 4) are numbers of the condition and of the level factors, for which `draw` gives rows. Each of the
        `conditions` is mapped at every level, seen there or not. Without `covariance` the means alone are set.
        """
        levels = np.unique(pairs[:, 1:], axis=0)
        every = np.array([(c, *level) for level in levels for c in range(conditions)])
        made, wanted, share = np.empty((len(every), h.shape[1])), np.zeros((len(every), h.shape[1])), []
        of_made, of_real = np.zeros((h.shape[1],) * 2), np.zeros((h.shape[1],) * 2)
        for i, pair in enumerate(every):
            rows = (pairs == pair).all(1)
            share.append(weight[rows].sum() / weight.sum())
            drawn = draw(np.repeat(pair[None], DRAWS, axis=0)).astype(np.float64)
            made[i] = drawn.mean(0)
            if not rows.any():
                continue
            of_made += share[i] * np.cov(drawn, rowvar=False).reshape(of_made.shape)
            mean = np.average(h[rows], axis=0, weights=weight[rows])
            centred = (h[rows] - mean) * np.sqrt(weight[rows] / weight.sum())[:, None]
            of_real += centred.T @ centred
            wanted[i] = mean * rows.sum() / (rows.sum() + EQUAL_WEIGHT)
        seen = int((np.array(share) > 0).sum())
        if not covariance or len(h) <= seen:  # one row each: no covariance to go by
            return cls(every, made, wanted, np.eye(h.shape[1]))
        of_real *= len(h) / (len(h) - seen)
        root = symmetric_root(of_real)
        values, vectors = np.linalg.eigh(root @ of_made @ root)
        least = MIN_SHARE * max(float(np.median(np.diag(of_real))) ** 2, 1e-12)
        turn = root @ (vectors / np.sqrt(np.maximum(values, least))) @ vectors.T @ root
        return cls(every, made, wanted, turn)

    def apply(self, h: np.ndarray, pairs: np.ndarray) -> np.ndarray:
        """Rows (n × components) of the generator for pairs (n × 4), with the moments set right."""
        number = {tuple(pair): i for i, pair in enumerate(self.pairs.tolist())}
        found = np.array([number.get(tuple(pair), -1) for pair in pairs.tolist()])
        known = found >= 0
        out = np.array(h, dtype=np.float64)
        out[known] = self.wanted[found[known]] + (out[known] - self.made[found[known]]) @ self.turn
        return out

    def state(self) -> dict[str, np.ndarray]:
        """Arrays for storage."""
        return {
            "pairs": self.pairs.astype(np.int64),
            **{name: getattr(self, name).astype(np.float32) for name in ("made", "wanted", "turn")},
        }

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray]) -> Self:
        """Restored from :meth:`state`."""
        return cls(arrays["pairs"], *(arrays[name].astype(np.float64) for name in ("made", "wanted", "turn")))
