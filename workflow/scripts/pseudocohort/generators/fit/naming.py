"""Unlabelled training profiles get the condition that other levels name them, before a generator is fitted."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import anndata as ad
import numpy as np
import pandas as pd

from ..space.label_em import Evidence, Source, name_pool

log = logging.getLogger(__name__)


def one_per_donor(x: np.ndarray, donor: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean profile of each donor and label (n × genes), and its label: bootstrapped pseudo-bulks count once."""
    groups = pd.DataFrame({"label": label.astype(str), "donor": donor.astype(str)}).groupby(["label", "donor"]).indices
    return np.stack([x[rows].mean(0) for rows in groups.values()]), np.array([k for k, _ in groups], dtype=object)


def name_unlabelled(
    profiles: ad.AnnData, unit: Mapping[str, np.ndarray] | None = None, *, guarded: bool = True
) -> tuple[ad.AnnData, dict[str, Evidence]]:
    """Give unlabelled profiles the condition that :mod:`.label_em` is sure of.

    Parameters
    ----------
    profiles : AnnData
        Standardised training profiles; an empty condition means unlabelled.
    unit : mapping of ndarray (genes,), optional
        log2 units of one unit of `profiles`, by level; 1 by default.
    guarded : bool
        See :func:`.label_em.name_pool`.

    Returns
    -------
    profiles : AnnData
        With new conditions where they are known, and without those of other levels that contradict labelled profiles.
    evidence : dict of Evidence
        By level with unlabelled profiles.
    """
    obs = profiles.obs
    level, condition, donor = (obs[c].astype(str).to_numpy(dtype=object) for c in ("level", "condition", "donor"))
    named, keep, evidence = condition.copy(), np.ones(len(obs), bool), {}
    for at in np.unique(level[condition == ""].astype(str)):
        pool = np.flatnonzero((level == at) & (condition == ""))
        own = np.flatnonzero((level == at) & (condition != ""))
        sources = []
        for other in np.unique(level[(level != at) & (condition != "")].astype(str)):
            rows = (level == other) & (condition != "")
            x = np.asarray(profiles.X[rows], np.float64) * (1.0 if unit is None else unit[other])
            sources.append(Source(*one_per_donor(x, donor[rows], condition[rows])))
        found = name_pool(
            np.asarray(profiles.X[pool], np.float64), sources,
            np.asarray(profiles.X[own], np.float64), condition[own], guarded=guarded,
        )  # fmt: skip
        named[pool], evidence[at] = found.labels, found.evidence
        if guarded and found.evidence.contradicted:
            # Where the level has no profile of a condition, what contradicts it elsewhere is all there is.
            keep &= (level == at) | ~np.isin(condition.astype(str), condition[own].astype(str))
        log.info(
            "%s: %d of %d unlabelled profiles named; %s",
            at,
            (found.labels != "").sum(),
            len(pool),
            found.evidence.reason,
        )
    if not evidence:
        return profiles, evidence
    out = profiles[keep].copy() if not keep.all() else profiles.copy()
    out.obs["condition"] = named[keep].astype(str)
    return out, evidence
