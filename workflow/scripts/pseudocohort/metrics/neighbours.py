"""Exact nearest-neighbour distances, block by block.

:func:`nearest` and :func:`within` look at all pairs in single precision, which a processor multiplies twice as fast as
double, with a bound on what rounding can have done; the few pairs that this leaves open are computed again from their
differences in double precision. So results are those of double precision throughout, and copies are at distance 0.
:func:`distance_blocks` has all distances, in double precision.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..core.errors import UserError

#: Distances held at a time (64 MiB in float64).
BLOCK = 8 * 1024**2
#: Distances held at a time in single precision (8 MiB): what is done to them stays in the cache.
SCREENED = 2 * 1024**2
#: Below this share of the rows' squared norms a squared distance is computed from the differences.
CANCELS = 1e-4
#: Two distances that differ by less than this share are equal: rounding must not decide who is nearer.
TIE = 1e-9
#: Relative rounding error of one operation in single precision.
UNIT = 2.0**-24
#: Values of pairs held at a time (1 MiB).
COMPARED = 1024**2 // 8
#: Genes multiplied at a time: a sum of fewer products is rounded less.
GENES = 500
#: Least bound on the error of a squared distance, the largest squared norm being 1: below it numbers underflow.
MIN_BOUND = 1e-30


def distance_blocks(a: np.ndarray, b: np.ndarray, *, exclude_self: bool = False) -> Iterator[tuple[slice, np.ndarray]]:
    """Euclidean distances between rows of `a` (n × genes) and of `b` (m × genes), in blocks of rows of `a`.

    Parameters
    ----------
    exclude_self : bool
        `a` and `b` are the same rows: the distance of a row to itself is infinite (that to its duplicates stays 0).

    Yields
    ------
    rows : slice
        Rows of `a`.
    distances : ndarray (rows, m), float64
    """
    right = np.array(b, dtype=np.float64)
    centre = right.mean(0)
    right -= centre
    right_norm = np.einsum("ij,ij->i", right, right)
    step = max(1, BLOCK // max(len(b), a.shape[1]))
    for start in range(0, len(a), step):
        left = np.asarray(a[start : start + step], dtype=np.float64) - centre
        norms = np.einsum("ij,ij->i", left, left)[:, None] + right_norm[None]
        squared = norms - 2 * (left @ right.T)
        i, j = np.nonzero(squared < CANCELS * norms)
        pairs = max(1, BLOCK // a.shape[1])
        for k in range(0, len(i), pairs):
            part = slice(k, k + pairs)
            difference = left[i[part]] - right[j[part]]
            squared[i[part], j[part]] = np.einsum("ij,ij->i", difference, difference)
        if exclude_self:
            squared[np.arange(len(left)), np.arange(start, start + len(left))] = np.inf
        yield slice(start, start + len(left)), np.sqrt(np.maximum(squared, 0, out=squared), out=squared)


class _Screen:
    """Squared distances between rows of `a` (n × genes) and of `b` (m × genes), in single precision with error bounds.

    A sum of g products of single precision is off by less than (g + 1) `UNIT` of the product of the norms (Higham 2002,
    "Accuracy and Stability of Numerical Algorithms", section 3.1). Products are summed over `GENES` at a time, and then
    these sums are added: a squared distance with all its roundings is off by less than (`GENES` + sums + 32) `UNIT` of
    the sum of the squared norms. Everything is divided by the largest norm first.

    Raises
    ------
    UserError
        If a value is not finite.
    """

    def __init__(self, a: np.ndarray, b: np.ndarray) -> None:
        self.a, self.b = a, b
        self.centre = b.mean(0, dtype=np.float64)
        self.left_norm, self.right_norm = (
            np.concatenate([np.einsum("ij,ij->i", part, part) for _, part in self._parts(x)]) for x in (a, b)
        )
        largest = max(self.left_norm.max(), self.right_norm.max())
        if not np.isfinite(largest):
            raise UserError(
                "distances between profiles with values that are not finite",
                remedy="look for missing or infinite values in the tables that the profiles come from",
            )
        self.scale = float(np.sqrt(largest)) or 1.0
        self.left_norm /= self.scale**2
        self.right_norm /= self.scale**2
        self.right = np.empty(b.shape, dtype=np.float32)
        for rows, part in self._parts(b):
            self.right[rows] = part / self.scale
        self.sums = range(0, a.shape[1], GENES)
        self.share = (min(GENES, a.shape[1]) + len(self.sums) + 32) * UNIT

    def _parts(self, x: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """Rows of `x` around the centre, in parts."""
        step = max(1, min(SCREENED // len(self.b), BLOCK // x.shape[1]))
        for start in range(0, len(x), step):
            rows = slice(start, min(start + step, len(x)))
            yield rows, x[rows] - self.centre

    def __iter__(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Rows of `a`, and upper bounds of their squared distances over `scale`² (rows × m), float32."""
        more = 1 + self.share
        right = (self.right_norm * more + MIN_BOUND).astype(np.float32)
        for rows, left in self._parts(self.a):
            left = (left * (-2 / self.scale)).astype(np.float32)
            upper = left[:, :GENES] @ self.right[:, :GENES].T
            for gene in self.sums[1:]:
                upper += left[:, gene : gene + GENES] @ self.right[:, gene : gene + GENES].T
            upper += (self.left_norm[rows, None] * more).astype(np.float32)
            upper += right
            yield rows, upper

    def doubt(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """By how much upper bounds lie above lower ones, at most: the sum of a part (rows × 1) and a part (m,)."""
        twice = np.float32(2 * self.share)
        left, right = self.left_norm[rows, None] * twice, self.right_norm * twice + 2 * MIN_BOUND
        return left.astype(np.float32), right.astype(np.float32)

    def exact(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Distances of the pairs of rows `i` of `a` and `j` of `b`."""
        out, pairs = np.empty(len(i)), max(1, COMPARED // self.a.shape[1])
        for k in range(0, len(i), pairs):
            part = slice(k, k + pairs)
            difference = np.asarray(self.a[i[part]], np.float64) - self.b[j[part]]
            out[part] = np.einsum("ij,ij->i", difference, difference)
        return np.sqrt(out, out=out)


def nearest(query: np.ndarray, reference: np.ndarray, k: int = 1, *, exclude_self: bool = False) -> np.ndarray:
    """Distances (n × k, ascending) of each row of `query` to its `k` nearest rows of `reference`.

    Raises
    ------
    UserError
        If the reference has fewer than `k` rows (besides the row itself), or a value is not finite.
    """
    available = len(reference) - int(exclude_self)
    if not 1 <= k <= available:
        raise UserError(f"{k} nearest neighbours asked of {available} rows", remedy="lower the number of neighbours")
    out, screen = np.empty((len(query), k)), _Screen(query, reference)
    for rows, bound in screen:
        if exclude_self:
            bound[np.arange(len(bound)), np.arange(rows.start, rows.stop)] = np.inf
        # k rows are no farther than this; whose lower bound is above it is none of the nearest.
        limit = np.partition(bound, k - 1, axis=1)[:, [k - 1]]
        left, right = screen.doubt(rows)
        bound -= right
        i, j = np.nonzero(bound <= limit + left)
        distances = screen.exact(i + rows.start, j)
        order = np.lexsort((distances, i))
        first = np.searchsorted(i, np.arange(len(bound)))
        out[rows] = distances[order][first[:, None] + np.arange(k)]
    return out


def within(a: np.ndarray, b: np.ndarray, *radii: np.ndarray) -> Iterator[tuple[slice, list[np.ndarray]]]:
    """Whether rows of `b` (m × genes) are nearer to rows of `a` (n × genes) than radii, by :func:`closer`.

    Parameters
    ----------
    *radii : ndarray
        One per row of `a` (n × 1), or one per row of `b` (1 × m).

    Yields
    ------
    rows : slice
        Rows of `a`.
    near : list of ndarray (rows × m), bool
        An answer for each of `radii`.
    """
    screen = _Screen(a, b)
    for rows, bound in screen:
        left, right = screen.doubt(rows)
        own = [radius if len(radius) == 1 else radius[rows] for radius in radii]
        with np.errstate(over="ignore"):
            squares = [((radius * (1 - TIE) / screen.scale) ** 2).astype(np.float32) for radius in own]
        near = [bound < square for square in squares]
        bound -= right
        for answer, square, radius in zip(near, squares, own, strict=True):
            i, j = np.nonzero((bound < square + left) & ~answer)
            radius = np.broadcast_to(radius, answer.shape)
            answer[i, j] = closer(screen.exact(i + rows.start, j), radius[i, j])
        yield rows, near


def closer(d: np.ndarray, than: np.ndarray) -> np.ndarray:
    """Whether each distance `d` is smaller than `than`, equal up to rounding counting as no."""
    return d < than * (1 - TIE)
