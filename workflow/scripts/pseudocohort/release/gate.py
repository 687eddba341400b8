"""The gate of a release: the privacy evidence of the released generator, and whether it is good enough.

Evidence is what the attacks of the privacy evaluation (:mod:`..experiments.privacy.score`) found on cohorts of the same
generator, trained on donors chosen by coin; :func:`..experiments.privacy.evidence.judge` judges it, as it does for the
report. The gate looks besides at the very cohort that is to be released. Passing it means that none of these attacks
did better than the study allows; it is no proof that no attack can.
"""

from __future__ import annotations

from dataclasses import dataclass

import anndata as ad
import numpy as np
import pandas as pd

from ..core.errors import UserError
from ..core.words import number
from ..experiments.privacy.evidence import Bounds, Evidence, evidence, judge
from ..metrics.copies import count_copies
from .inputs import not_audited

#: Share by which a cohort may have more profiles per training profile than the largest one that was attacked.
SIZE_TOLERANCE = 0.1


@dataclass(frozen=True)
class Cohort:
    """What the gate looks at in the very cohort: its size, that of its training set, and copies of training donors."""

    profiles: int
    training_profiles: int
    exact_copies: int
    near_copies: int
    disguised_copies: int = 0

    @classmethod
    def of(cls, released: ad.AnnData, training: ad.AnnData) -> Cohort:
        """Compare the released profiles with the training profiles (both log2, genes in one order)."""
        donors = training.obs["donor"].astype(str).to_numpy()
        return cls(
            released.n_obs, training.n_obs, *count_copies(np.asarray(released.X), np.asarray(training.X), donors)
        )


@dataclass(frozen=True)
class Decision:
    """What the gate found.

    Attributes
    ----------
    evidence : Evidence or None
        None if privacy was not evaluated for the generator (only with an override).
    bounds : Bounds
        What was allowed.
    failed : tuple of str
        What the gate holds against the release, one sentence each.
    override : str
        The reason given for releasing all the same; empty if nothing was overridden.
    """

    evidence: Evidence | None
    bounds: Bounds
    failed: tuple[str, ...]
    override: str


def of_cohort(cohort: Cohort, found: Evidence | None) -> list[str]:
    """What speaks against the very cohort, one sentence each."""
    sentences = []
    if cohort.exact_copies or cohort.near_copies:
        sentences.append(
            f"The cohort holds {cohort.exact_copies} exact and {cohort.near_copies} near copies of training donors."
        )
    if cohort.disguised_copies:
        sentences.append(
            f"The cohort holds {cohort.disguised_copies} copies of training donors on another scale or in part."
        )
    if found and found.most_synthetic is not None:
        ratio = cohort.profiles / max(cohort.training_profiles, 1)
        if ratio > (1 + SIZE_TOLERANCE) * found.most_synthetic:
            sentences.append(
                f"The cohort has {number(ratio)} profiles per training profile; those attacked had "
                f"{number(found.most_synthetic)} at most (privacy.release_sizes)."
            )
    return sentences


def decide(
    table: pd.DataFrame | None, generator: str, *, bounds: Bounds, cohort: Cohort, override: str = ""
) -> Decision:
    """Let a release pass, or refuse it.

    Parameters
    ----------
    table : DataFrame or None
        Long privacy table; None if the study has no privacy evaluation.
    override : str
        Reason for releasing against the evidence, or without any; empty for none.

    Raises
    ------
    UserError
        If something speaks against the release, or privacy was not evaluated for the generator, and there is no reason
        in `override`.
    """
    reason = override.strip()
    found = None if table is None else evidence(table, generator)
    against = of_cohort(cohort, found)
    if found is None:
        if not reason:
            raise not_audited(generator)
        return Decision(None, bounds, (f"Privacy was not evaluated for {generator}.", *against), reason)
    failed = (*(objection.text for objection in judge(found, bounds)), *against)
    if failed and not reason:
        raise UserError(
            f"the gate refuses to release {generator!r}, for {len(failed)} reason(s):\n  " + "\n  ".join(failed),
            where=f"tables/privacy.tsv, generator {generator}; section release of the configuration",
            remedy="release a generator that leaks less (release.generator), train on more donors, run more coins "
            "(privacy.coins) where an interval is wide only, or give the reason for releasing it all the same in "
            "release.override; it is printed on the card (docs/privacy.md)",
        )
    return Decision(found, bounds, failed, reason if failed else "")
