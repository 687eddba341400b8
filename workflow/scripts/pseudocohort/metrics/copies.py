"""Copies of training donors in a cohort: rows next to one donor's profile and far from all others'."""

from __future__ import annotations

import numpy as np
from scipy import special

from .neighbours import distance_blocks

#: A row is a near copy if the nearest donor is nearer than this share of the distance to the second nearest donor. With
#: hundreds of genes all donors are about equally far: of real profiles of other donors, none comes near it.
RATIO = 0.5
#: A row is an exact copy if the distance to a donor is at most this share of the donor's distance to other donors.
EXACT = 1e-3
#: Training donors are one person under several names, and are counted as one, if both of them are nearer to each other
#: than this many others are: most names of a person that are looked for.
MAX_NAMES = 4
#: Genes whose values are a donor's within this share of their standard deviation agree with the donor.
AGREES = 0.1
#: A row is a copy in part if so many genes more, as a share and as a number, agree with one donor than with any other.
#: Of real profiles of other donors about one gene in twenty does, with whichever donor.
PART, MIN_AGREEING = 0.15, 10
#: Nearest donors among whom the one is looked for from whom a part may be.
LOOKED_AT = 10
#: Standard deviations beyond which a value counts as so far: one gene must not hide a copy of all others.
MAX_DEVIATION = 4.0


def copied_donors(synthetic: np.ndarray, train: np.ndarray, donors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which rows of a cohort copy a training donor.

    Parameters
    ----------
    synthetic, train : ndarray (rows × genes)
        Expression on one scale; genes are divided by their standard deviation in `train`, flat genes left out.
    donors : ndarray (train rows,)
        Donor of each training row: several profiles of a donor are no evidence against a copy of one.

    Returns
    -------
    exact, near : ndarray of bool (synthetic rows,)
        A row is never both.
    """
    train, synthetic = np.asarray(train, np.float64), np.asarray(synthetic, np.float64)
    sd = train.std(0)
    kept = sd > 0
    number = _persons(train[:, kept] / sd[kept], donors)
    names = np.unique(number)
    exact, near = np.zeros((2, len(synthetic)), dtype=bool)
    if len(names) < 3 or not kept.any():
        # Without a second nearest donor only identity can be told.
        for part, distances in distance_blocks(synthetic, train):
            exact[part] = distances.min(1) <= EXACT * max(float(np.linalg.norm(sd)), 1e-12)
        return exact, near
    first, second = _two_nearest(synthetic[:, kept] / sd[kept], train[:, kept] / sd[kept], number)
    exact = first <= EXACT * second
    return exact, ~exact & (first < RATIO * second)


def count_copies(synthetic: np.ndarray, train: np.ndarray, donors: np.ndarray) -> tuple[int, int, int]:
    """Numbers of exact, near and disguised copies in a cohort, each row counted once; arguments as above."""
    exact, near = copied_donors(synthetic, train, donors)
    disguised = disguised_copies(synthetic, train, donors) & ~exact & ~near
    return int(exact.sum()), int(near.sum()), int(disguised.sum())


def disguised_copies(synthetic: np.ndarray, train: np.ndarray, donors: np.ndarray) -> np.ndarray:
    """Which rows of a cohort copy a training donor on another scale, or in part; arguments as :func:`copied_donors`.

    On another scale: the order of a row's genes is a donor's, as after a shift, a factor, another logarithm or a
    normalisation of the profile; it is held against the second nearest donor as :func:`copied_donors` does it. In part:
    many genes have one donor's values and the others something else. Rows that :func:`copied_donors` finds as they are
    may be among them.
    """
    train, synthetic = np.asarray(train, np.float64), np.asarray(synthetic, np.float64)
    mean, sd = train.mean(0), train.std(0)
    kept = sd > 0
    z, made = ((x[:, kept] - mean[kept]) / sd[kept] for x in (train, synthetic))
    number = _persons(z, donors)
    if len(np.unique(number)) < 3:
        return np.zeros(len(synthetic), dtype=bool)
    ranks, made_ranks = (_rank_scores(x[:, kept]) for x in (train, synthetic))
    spread = ranks.std(0)
    first, second = _two_nearest(
        made_ranks[:, spread > 0] / spread[spread > 0], ranks[:, spread > 0] / spread[spread > 0], number
    )
    return (first < RATIO * second) | _in_part(made, z, number)


def _persons(z: np.ndarray, donors: np.ndarray) -> np.ndarray:
    """Number of the person of each training row: donors who are each other's copies have one.

    Else a donor under two names would hide a copy of both: the second nearest would be as near as the nearest.
    """
    number = np.unique(np.asarray(donors, dtype=str), return_inverse=True)[1]
    count = int(number.max()) + 1
    if count < MAX_NAMES + 2 or not z.shape[1]:
        return number
    nearest, of = np.empty((2, count, MAX_NAMES + 1))
    nearest[:] = np.inf
    for part, distances in distance_blocks(z, z, exclude_self=True):
        rows = number[part]
        distances[rows[:, None] == number[None]] = np.inf
        by_donor = _by_donor(distances, number, count)
        order = np.argsort(by_donor, axis=1)[:, : MAX_NAMES + 1]
        found = np.take_along_axis(by_donor, order, axis=1)
        for row, donor in enumerate(rows):  # of a donor's rows the one with the nearest other donor stands for it
            if found[row, 0] < nearest[donor, 0]:
                nearest[donor], of[donor] = found[row], order[row]
    # Two donors of a rare condition lie next to each other and far from all others as well, but as far as donors lie.
    usual = np.median(nearest[:, -1])
    same = np.arange(count)
    for names in range(1, MAX_NAMES + 1):
        last, next_one = nearest[:, names - 1], nearest[:, names]
        for donor in np.flatnonzero((last < RATIO * next_one) & (last < RATIO * usual)):
            together = np.append(of[donor, :names].astype(int), donor)
            same[np.isin(same, same[together])] = same[together].min()
    return same[number]


def _by_donor(distances: np.ndarray, number: np.ndarray, count: int) -> np.ndarray:
    """Least distance of each row to the rows of each donor."""
    nearest = np.full((len(distances), count), np.inf)
    np.minimum.at(nearest.T, number, distances.T)
    return nearest


def _two_nearest(synthetic: np.ndarray, train: np.ndarray, number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances of each row to the nearest donor and to the second nearest."""
    number = np.unique(number, return_inverse=True)[1]
    found = np.empty((len(synthetic), 2))
    for part, distances in distance_blocks(synthetic, train):
        found[part] = np.partition(_by_donor(distances, number, int(number.max()) + 1), 1, axis=1)[:, :2]
    return found[:, 0], found[:, 1]


def _rank_scores(x: np.ndarray) -> np.ndarray:
    """Normal scores of the ranks of each row's genes, ties in the middle."""
    from scipy.stats import rankdata  # takes a second to import

    return special.ndtri((rankdata(x, axis=1) - 0.5) / max(x.shape[1], 1))


def _in_part(synthetic: np.ndarray, train: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Which standardised rows agree with one donor in many more genes than with any other near one.

    Genes at their lowest value do not count: rows of little depth agree in the silent genes of a donor of little depth.
    """
    found = np.zeros(len(synthetic), dtype=bool)
    genes = synthetic.shape[1]
    least = max(PART * genes, MIN_AGREEING)
    bounded, lowest = np.clip(train, -MAX_DEVIATION, MAX_DEVIATION), train.min(0)
    for part, distances in distance_blocks(np.clip(synthetic, -MAX_DEVIATION, MAX_DEVIATION), bounded):
        for row, of in zip(range(part.start, part.stop), distances, strict=True):
            order = np.argsort(of)
            rows = order[np.sort(np.unique(number[order], return_index=True)[1])[:LOOKED_AT]]
            near = (np.abs(synthetic[row] - train[rows]) < AGREES) & (train[rows] > lowest)
            agree = np.sort(near.sum(1))
            found[row] = agree[-1] - agree[-2] >= least
    return found
