"""The audit of a synthetic cohort: fidelity, use and privacy in one table, with verdicts and a page."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from .. import __version__
from ..core.errors import UserError
from ..core.io import write_json, write_table
from ..core.seeds import RandomState, derive, seed_of
from ..core.survival import EVENT, TIME
from ..prepare.follow_up import survival_columns
from . import measure, verdicts
from .cohorts import Cohort, Given, read, together
from .measure import REAL, SYNTHETIC, TRAIN

log = logging.getLogger(__name__)

#: What an audit consists of: likeness, use, attacks.
EVALUATIONS = ("fidelity", "augmentation", "privacy")
#: Numbers of synthetic profiles that are training profiles, in the order in which they are counted.
COPIES = ("exact_copies", "near_copies", "disguised_copies")
#: Columns of the table.
COLUMNS = (
    "evaluation", "task", "generator", "regime", "n_real", "n_synthetic", "estimator", "metric", "value", "ci_low",
    "ci_high", "n",
)  # fmt: skip
#: What holds of every audit.
LIMITS = (
    "One cohort is one draw of its generator, from one set of donors: intervals are over donors and hold for this "
    "cohort. What the generator gives away in general takes several cohorts, each from donors chosen by coin toss.",
    "95 % intervals of single attacks are not corrected for their number; the p-value of the best one is.",
    "Attacks see the cohort alone, not the model. An attack that nobody has thought of may find more.",
)


@dataclass(repr=False)
class Audit:
    """Result of :func:`audit`.

    Attributes
    ----------
    table : DataFrame
        One row per measurement: ``evaluation`` (fidelity, augmentation, privacy), the keys of the evaluation tables,
        ``metric``, ``value``, ``ci_low``, ``ci_high`` (95 %) and ``n`` (donors). Generators are ``synthetic``, ``real``
        (real profiles of donors whom nobody trained on, in its place), ``train`` (the training profiles themselves)
        and the controls.
    verdicts : dict
        By name (privacy, instead, addition, fidelity, survival): ``question``, ``status`` (yes, no, cannot_tell,
        nothing_to_gain), ``answer`` and ``advice`` in words, ``points``: further sentences.
    copies : DataFrame
        Synthetic profiles that are training profiles: ``synthetic train donor``.
    facts : dict of str
        What was audited.
    notes : list of str
        What was left out, and what could not be judged.
    limits : tuple of str
        What holds of every audit.
    """

    table: pd.DataFrame
    verdicts: dict[str, dict[str, Any]]
    copies: pd.DataFrame
    facts: dict[str, str]
    notes: list[str] = field(default_factory=list)
    limits: tuple[str, ...] = LIMITS

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        from ..report.page import STATUS

        lines = [
            f"{v['question']} {STATUS[v['status']].upper()}\n  {v['answer']}\n  {v['advice']}"
            for v in self.verdicts.values()
        ]
        return "\n\n".join([*lines, *([" ".join(["Notes:", *self.notes])] if self.notes else [])])

    def save(self, folder: str | Path) -> None:
        """Write ``table.tsv``, ``copies.tsv`` and ``audit.json`` (verdicts, facts, notes, limits) into a folder."""
        folder = Path(folder)
        write_table(self.table, folder / "table.tsv")
        write_table(self.copies, folder / "copies.tsv")
        content = {"verdicts": self.verdicts, "facts": self.facts, "notes": self.notes, "limits": list(self.limits)}
        write_json(content | {"version": __version__}, folder / "audit.json")

    def report(self, path: str | Path) -> None:
        """Write one self-contained HTML page."""
        from .page import render  # matplotlib takes a second to import

        render(self, path)


def audit(
    *,
    train: Given,
    synthetic: Given,
    holdout: Given | None = None,
    reference: Given | None = None,
    condition: str | None = None,
    donor: str | None = None,
    survival: Mapping[str, str] | None = None,
    evaluations: Sequence[str] = EVALUATIONS,
    controls: Sequence[str] | None = None,
    random_state: RandomState = 0,
) -> Audit:
    """Judge a synthetic cohort, whoever made it: is it like patients, is it of use, does it give them away?

    Parameters
    ----------
    train : AnnData, DataFrame, path, or pair of paths
        Real profiles that the generator was trained on. AnnData or h5ad: log2 values, counts or other linear values in
        ``X``; data frame or table (TSV, CSV): a profile per row, genes and annotation in columns; pair: matrix (TSV,
        CSV, GCT, h5ad) and sample table.
    synthetic
        The synthetic cohort, likewise; it needs no donors.
    holdout : optional
        Real profiles of donors whom the generator never saw, from the same source. Without them only copies are found:
        a membership attack needs non-members, a classifier needs a test, and likeness to training profiles is what a
        photocopier has.
    reference : optional
        Real profiles of further donors, as an attacker may hold them. Without them attacks that need none are run.
    condition : str, optional
        Column of the condition (subtype, tissue); without it, use is not judged.
    donor : str, optional
        Column of the donor of real profiles; without it every profile is a donor of its own.
    survival : mapping of str, optional
        Columns of the follow-up, ``{"time": ..., "event": ...}``: times as numbers, and whether the event ended them (1
        or 0, dead or alive). Where held-out donors and the cohort have it, the genes that go with survival in either
        are compared, within conditions.
    evaluations : sequence of str
        What to evaluate: ``fidelity``, ``augmentation``, ``privacy``.
    controls : sequence of str, optional
        Simple generators that are fitted to the training profiles and judged beside the cohort; default: all controls
        that need nothing else. ``()``: none.
    random_state : int, Generator or RandomState, optional
        Seed.

    Returns
    -------
    Audit

    Raises
    ------
    UserError
        If cohorts cannot be read, share too few genes, differ in their units or conditions, or share donors.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> def patients(n, name):
    ...     x = pd.DataFrame(rng.normal(8, 1, (n, 60)), columns=[f"g{i}" for i in range(60)])
    ...     return x.set_index(name + x.index.astype(str)).assign(subtype=np.resize(["A", "B"], n))
    >>> train, holdout = patients(40, "t"), patients(40, "h")
    >>> found = audit(train=train, synthetic=train, holdout=holdout, condition="subtype", controls=())
    >>> found.verdicts["privacy"]["status"], len(found.copies)
    ('no', 40)
    """
    evaluations = [evaluations] if isinstance(evaluations, str) else evaluations
    controls = [controls] if isinstance(controls, str) else controls
    random_state = seed_of(random_state)
    for name in evaluations:
        if name not in EVALUATIONS:
            raise UserError(f"no evaluation {name!r}", where="evaluations", remedy=f"one of: {', '.join(EVALUATIONS)}")
    uses = {name: f"the {what}" for what, name in (("condition", condition), ("donor", donor)) if isinstance(name, str)}
    columns = survival_columns(survival, uses)
    if columns and "fidelity" not in evaluations:
        raise UserError(
            "survival is judged with fidelity, which is not among the evaluations",
            where="survival",
            remedy="add fidelity, or leave survival out",
        )
    given = {"train": train, "synthetic": synthetic, "holdout": holdout, "reference": reference}
    cohorts = {
        name: read(one, name, condition=condition, donor=donor, survival=columns)
        for name, one in given.items()
        if one is not None
    }
    no_follow_up = _without_follow_up(cohorts, columns) if columns else []
    cohorts, unit, notes = together(cohorts)
    trained, made, held_out, known = (cohorts.get(name) for name in given)
    copies = measure.exact_copies(made, trained)
    counts = dict(zip(COPIES, measure.copies_of(made, trained), strict=True))
    not_run = measure.attacks_without(known)[1] if held_out is not None and "privacy" in evaluations else []
    stand_ins = {SYNTHETIC: made}
    if held_out is not None:
        names = measure.controls() if controls is None else controls
        wanted = made.obs["condition"]
        for name in names:
            log.info("control %s", name)
            stand_ins[name] = measure.fit_control(name, trained, wanted, derive(random_state, name))
    likeness, use, privacy = _tables(stand_ins, trained, held_out, known, evaluations, random_state)
    summary = verdicts.Given(
        holdout=0 if held_out is None else held_out.donors,
        reference=0 if known is None else known.donors,
        copies=copies,
        near_copies=counts["near_copies"],
        synthetic=len(made),
        conditions=trained.obs["condition"].nunique(),
        not_run=not_run,
        unseen=made.unseen,
        disguised=counts["disguised_copies"],
        of_holdout=0 if held_out is None else sum(measure.copies_of(made, held_out)),
    )
    found = {}
    if "privacy" in evaluations:
        found["privacy"] = verdicts.privacy_verdict(summary, privacy)
    if "augmentation" in evaluations:
        found |= verdicts.use_verdicts(summary, use)
    if "fidelity" in evaluations:
        found["fidelity"] = verdicts.likeness_verdict(summary, likeness)
        if columns:
            found["survival"] = verdicts.survival_verdict(likeness, no_follow_up)
    parts = {"fidelity": likeness, "augmentation": use}
    parts["privacy"] = None if privacy is None else measure.with_intervals(privacy)
    tables = [part.assign(evaluation=name) for name, part in parts.items() if part is not None]
    counted = pd.DataFrame({"generator": SYNTHETIC, "metric": list(counts), "value": list(counts.values())})
    table = pd.concat([*tables, counted.assign(evaluation="copies")], ignore_index=True)
    table = table.reindex(columns=COLUMNS)
    return Audit(table, found, copies, _facts(cohorts, unit, random_state), notes + _not_judged(cohorts, not_run))


def _without_follow_up(cohorts: dict[str, Cohort], columns: Mapping[str, str]) -> list[str]:
    """Which of the held-out donors and the cohort have no follow-up.

    Raises
    ------
    UserError
        If no cohort has the columns.
    """
    if not any(TIME in cohort.obs for cohort in cohorts.values()):
        raise UserError(
            f"no cohort has the columns {columns[TIME]!r} and {columns[EVENT]!r}",
            where="survival",
            remedy="name columns of the annotation of the held-out donors and of the synthetic cohort",
        )
    return [name for name in ("holdout", SYNTHETIC) if name not in cohorts or TIME not in cohorts[name].obs]


def _tables(
    stand_ins: dict[str, Cohort],
    train: Cohort,
    holdout: Cohort | None,
    reference: Cohort | None,
    evaluations: Sequence[str],
    seed: int,
) -> tuple[pd.DataFrame | None, pd.DataFrame | None, pd.DataFrame | None]:
    """Likeness, use and privacy of the cohort and of what stands beside it; None where it is not judged."""
    likeness = use = privacy = None
    if holdout is None:
        return likeness, use, privacy
    if "fidelity" in evaluations and holdout.donors >= measure.FEWEST_TO_HALVE:
        parts = []
        for name, cohort in {SYNTHETIC: stand_ins[SYNTHETIC], REAL: None, **stand_ins}.items():
            log.info("likeness of %s", name)
            halvings = measure.HALVINGS if name in (SYNTHETIC, REAL) else 1
            own = derive(seed, "likeness")
            parts.append(measure.likeness(cohort, name, train, holdout, own, halvings=halvings))
        likeness = pd.concat(parts, ignore_index=True)
    if "augmentation" in evaluations and holdout.obs["condition"].nunique() > 1:
        log.info("use")
        use = measure.use(stand_ins, train, holdout, derive(seed, "use"))
    if "privacy" in evaluations:
        attacks = measure.Attacks(train, holdout, reference, derive(seed, "attacks"))
        parts = []
        for name, cohort in (stand_ins | {TRAIN: replace(train, name="synthetic")}).items():
            log.info("attacks on %s", name)
            parts.append(attacks.on(cohort, name))
        log.info("controls of the attacks")
        parts += [attacks.halves(stand_ins[SYNTHETIC], SYNTHETIC), attacks.floor()]
        privacy = pd.concat([part for part in parts if part is not None], ignore_index=True)
        # Bounds on epsilon need donors that are in or out by fair coins, which those of one given cohort are not.
        privacy = privacy[~privacy["metric"].str.startswith("epsilon_").to_numpy()]
    return likeness, use, privacy


def _facts(cohorts: dict[str, Cohort], unit: str, seed: int) -> dict[str, str]:
    train = cohorts["train"]
    titles = {
        "train": "Training", "synthetic": "Synthetic", "holdout": "Held out", "reference": "Attacker's reference"
    }  # fmt: skip
    facts = {}
    for name, title in titles.items():
        if name not in cohorts:
            facts[title] = "not given"
            continue
        cohort = cohorts[name]
        donors = "" if name == "synthetic" else f" of {cohort.donors:,} donors"
        counts = cohort.obs["condition"].value_counts()
        named = ", ".join(f"{c} {k:,}" for c, k in counts.items()) if len(counts) > 1 else ""
        file = cohort.where.removeprefix(f"{name}: ") if cohort.where != name else ""
        facts[title] = f"{len(cohort):,} profiles{donors}" + (f": {named}" if named else "")
        facts[title] += f" ({Path(file).name})" if file else ""
    return facts | {"Genes": f"{len(train.genes):,} in common", "Unit": unit, "Seed": str(seed)}


def _not_judged(cohorts: dict[str, Cohort], not_run: list[str]) -> list[str]:
    notes = []
    if "holdout" not in cohorts:
        notes.append("no held-out donors: membership attacks, use and likeness are not judged")
    elif cohorts["holdout"].donors < measure.FEWEST_TO_HALVE:
        notes.append(
            f"{cohorts['holdout'].donors} held-out donors: too few to cut into halves, so that likeness is not judged "
            "and the attacks have no control among non-members"
        )
    if not_run:
        notes.append(f"no reference: {len(not_run)} attacks are not run, and there are no real profiles in its place")
    elif "reference" in cohorts and cohorts["reference"].donors < measure.FEWEST_TO_HALVE:
        notes.append("a small reference: the attacks have no real profiles in the cohort's place as their floor")
    return notes
