"""Attack by the shift of the synthetic cohort's mean towards its members."""

from __future__ import annotations

import numpy as np

from .space import AttackSpace


def mean_shift(space: AttackSpace, *, seed: int) -> np.ndarray:
    """Component of the candidate along the shift of the mean expression, (x - mean_R)'(mean_S - mean_R).

    The test on aggregates of Homer et al. 2008 (PLoS Genet. 4:e1000167) as the linear statistic of Sankararaman et al.
    2009 (Nat. Genet. 41:965), for expression means as in Backes et al. 2016 (CCS); genes weigh by their variance in the
    reference (standardised).
    """
    mean = space.reference.mean(0)
    return (space.candidates - mean) @ (space.synthetic.mean(0) - mean)
