"""Attribute inference: does the cohort tell more about its members' unknown genes and condition than about others'?

An attacker who knows half of a donor's genes predicts the other half, and the condition, from the synthetic cohort. How
well that works in donors who were not trained on is what the cohort says about everybody (its use); what it says about
its members beyond that is leakage (Stadler, Oprisanu & Troncoso 2022, USENIX Security, section 6; Giomi et al. 2023,
PoPETs 2023(2):312).
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from .attacks import AttackSpace
from .attacks.distances import nearest_row

#: Share of the genes that the attacker knows.
KNOWN = 0.5


def hidden_agreement(space: AttackSpace, *, seed: int) -> np.ndarray:
    """Correlation (n_candidates,) of a candidate's hidden genes with those of the synthetic row nearest on known genes.

    Genes are standardised on the reference, so that the correlation is of what is particular to a donor.
    """
    genes = np.random.default_rng(seed).permutation(space.candidates.shape[1])
    known, hidden = np.split(genes, [max(1, int(KNOWN * len(genes)))])
    guess = space.synthetic[nearest_row(space.candidates[:, known], space.synthetic[:, known])][:, hidden]
    truth = space.candidates[:, hidden]
    a, b = (x - x.mean(1, keepdims=True) for x in (guess, truth))
    norm = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    return np.where(norm > 0, (a * b).sum(1) / np.where(norm > 0, norm, 1), 0.0)


def condition_agreement(space: AttackSpace, *, seed: int) -> np.ndarray:
    """Whether (1 or 0) the synthetic row nearest to a candidate has the candidate's condition."""
    rows = nearest_row(space.candidates, space.synthetic)
    return (space.synthetic_condition[rows] == space.candidate_condition).astype(np.float64)


ATTRIBUTES = {"hidden_genes": hidden_agreement, "condition": condition_agreement}


def excess(agreement: np.ndarray, member: np.ndarray) -> dict[str, float]:
    """Mean agreement of members and of others, and the difference with its 95 % interval (Welch 1947)."""
    inside, outside = agreement[member], agreement[~member]
    found = {"members": float(inside.mean()), "non_members": float(outside.mean())}
    found["excess"] = found["members"] - found["non_members"]
    if min(len(inside), len(outside)) > 1:
        parts = np.array([inside.var(ddof=1) / len(inside), outside.var(ddof=1) / len(outside)])
        if parts.sum() > 0:
            freedom = parts.sum() ** 2 / (parts**2 / [len(inside) - 1, len(outside) - 1]).sum()
            half = float(stats.t.ppf(0.975, freedom) * np.sqrt(parts.sum()))
            found |= {"excess_low": found["excess"] - half, "excess_high": found["excess"] + half}
    return found
