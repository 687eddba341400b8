"""The space that attacks work in: genes expressed in the attacker's reference, on the reference's own scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....core.errors import ContractError

#: A gene is expressed if, in the reference, its standard deviation and its median (log2 units) exceed these.
LEAST_SD, LEAST_MEDIAN = 0.3, 1.0
#: With fewer expressed genes than this all genes are kept.
FEWEST_GENES = 50
#: Standard deviations below this share of the median one are raised to it: a flat gene must not decide a distance.
SD_FLOOR = 0.1


class CannotRun(Exception):
    """An attack has nothing to go by on these cohorts; the message says why, in a few words."""


@dataclass(frozen=True)
class AttackSpace:
    """What an attacker has: candidate profiles, a reference of the same population and the synthetic cohort.

    Rows are profiles, columns the same standardised genes; conditions are public labels of the rows. There is no
    membership in it, so that no attack can use it. Columns times `scale`, plus `centre`, are in log2 units again.
    """

    candidates: np.ndarray
    reference: np.ndarray
    synthetic: np.ndarray
    candidate_condition: np.ndarray
    reference_condition: np.ndarray
    synthetic_condition: np.ndarray
    scale: np.ndarray | float = 1.0
    centre: np.ndarray | float = 0.0


def expressed(reference: np.ndarray) -> np.ndarray:
    """Which genes (columns, log2 units) are expressed in the reference; all if fewer than 50 are.

    Genes that are constant in the reference have no scale of their own and make every distance erratic.
    """
    keep = (reference.std(0) > LEAST_SD) & (np.median(reference, axis=0) > LEAST_MEDIAN)
    return keep if keep.sum() >= FEWEST_GENES else np.ones(reference.shape[1], dtype=bool)


def attack_space(
    candidates: np.ndarray,
    reference: np.ndarray,
    synthetic: np.ndarray,
    candidate_condition: np.ndarray,
    reference_condition: np.ndarray,
    synthetic_condition: np.ndarray,
) -> AttackSpace:
    """Space of attacks on log2 profiles (rows); genes, means and standard deviations come from the reference alone.

    Raises
    ------
    ContractError
        If there are no candidates or fewer than two reference or synthetic rows, or their genes differ in number.
    """
    for name, rows, least in (("candidate", candidates, 1), ("reference", reference, 2), ("synthetic", synthetic, 2)):
        if len(rows) < least:
            raise ContractError(f"{len(rows)} {name} profile(s); an attack needs at least {least}")
        if rows.shape[1] != reference.shape[1]:
            raise ContractError(f"{rows.shape[1]} genes in the {name} profiles, {reference.shape[1]} in the reference")
    known = np.asarray(reference, dtype=np.float64)
    genes = expressed(known)
    mean, sd = known[:, genes].mean(0), known[:, genes].std(0)
    sd = np.maximum(sd, max(SD_FLOOR * float(np.median(sd)), 1e-6))
    scaled = ((np.asarray(x, dtype=np.float64)[:, genes] - mean) / sd for x in (candidates, reference, synthetic))
    labels = (np.asarray(x, dtype=str) for x in (candidate_condition, reference_condition, synthetic_condition))
    return AttackSpace(*scaled, *labels, scale=sd, centre=mean)
