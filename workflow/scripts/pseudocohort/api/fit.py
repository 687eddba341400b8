"""Fit a generator on profiles in memory, as the workflow fits it on a training set."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from ..core import logs
from ..core.errors import UserError
from ..core.groups import donor_weights, rows_by_key
from ..core.levels import FACTORS
from ..core.seeds import RandomState, seed_of
from ..core.survival import FollowUpTimes
from ..generators.base import registry
from ..generators.fit import batch
from ..generators.fit.covariates import CovariateEffects, FollowUpCoding
from ..prepare.follow_up import survival_columns
from ..prepare.log_scale import COUNTED
from .cohort import Cohort
from .inputs import RESERVED, Labels, some, training_profiles_of


def fit(
    profiles: ad.AnnData | pd.DataFrame,
    condition: Labels = "condition",
    *,
    generator: str,
    donor: Labels | None = None,
    level: Labels = "tumour",
    covariates: str | Sequence[str] | Mapping[str, str] | None = (),
    survival: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    random_state: RandomState = 0,
    unit: str = "log2",
    log_offset: float | None = None,
    layer: str | None = None,
    public: ad.AnnData | pd.DataFrame | None = None,
    device: str = "auto",
    training_set: str = "cohort",
    verbose: bool = False,
) -> Cohort:
    """Fit a generator on the profiles of a cohort.

    Scale, generator, limits of detection and seeds are the workflow's: with the name of a training set, its profiles
    and the study's seed, the fit is that of the workflow.

    Parameters
    ----------
    profiles : AnnData or DataFrame
        Profiles × genes; all genes enter. In a DataFrame, columns that are named as condition, donor, level, covariates
        or survival are annotation.
    condition : str, Series or sequence
        Column, or condition of each profile: subtype, cancer, tissue; what :meth:`Cohort.sample` is asked for. A Series
        goes by its index, as those of donors and levels do; other values are in the order of the profiles.
    generator : str
        Name of a plug-in; :func:`pseudocohort.list_generators` lists them.
    donor : str, Series or sequence, optional
        Column, or donor of each profile. Profiles of one donor, condition and level weigh as one. By default each
        profile is of a donor of its own.
    level : str, Series or sequence
        Level of all profiles (``cell``, ``pseudobulk``, ``line_bulk``, ``tumour``, ``normal``), a column of such
        levels, or the level of each profile. Each level has a scale of its own.
    covariates : sequence of str, or mapping
        Columns whose effects profiles carry (sex, age, ...); a mapping says their kind, ``numeric`` or
        ``categorical``. Values may be missing.
    survival : mapping of str, optional
        Columns of the follow-up, ``{"time": ..., "event": ...}``: time from diagnosis to the event or the end of
        observation, as numbers in any one unit, and whether the event ended it (1 or 0, true or false, dead or alive).
        Both may be missing where a patient's follow-up is not known. Profiles then have a follow-up, and the genes
        that go with it, as far as that is beyond chance in the training profiles.
    settings : mapping, optional
        Settings of the generator that differ from its defaults; see its page in ``docs/generators``.
    random_state : int, Generator or RandomState, optional
        None: another fit each time.
    unit : str
        What the values are: ``log2`` (log2(x + 1) of any expression), ``counts``, ``expected_counts``, ``tpm``,
        ``fpkm``, ``rsem``, ``cpm`` or ``vst``. Counts become log2(CPM + 1), others log2(x + 1), as in the workflow.
    log_offset : float, optional
        Values are log2(unit + log_offset).
    layer : str, optional
        Layer of an AnnData with the values, instead of ``X``.
    public : AnnData or DataFrame, optional
        Profiles of the same form that need no protection, for generators with differential privacy that use them.
    device : {'auto', 'cpu', 'cuda'}
        Where networks run.
    training_set : str
        Name from which seeds are derived.
    verbose : bool
        Show the progress of the training.

    Returns
    -------
    Cohort

    Raises
    ------
    UserError
        With what is wrong with the profiles or the arguments, where, and what to do.

    Examples
    --------
    >>> import pseudocohort as pc
    >>> real = pc.example(60, random_state=1)
    >>> cohort = pc.fit(real, condition="cancer", donor="patient", generator="flow", settings={"steps": 20})
    >>> cohort.conditions
    ['breast', 'colon', 'liver', 'lung']

    A table and its labels do as well:

    >>> cohort = pc.fit(real.to_df(), real.obs["cancer"], generator="independent")
    >>> cohort.sample({"lung": 5}).obs["cancer"].unique().tolist()
    ['lung']

    Patients with a follow-up: synthetic ones have times and events of their own.

    >>> real = pc.example(200, random_state=1)
    >>> real.obs[["days", "died"]].head(2)
           days  died
    P0001    52     1
    P0002   683     1
    >>> cohort = pc.fit(real, "cancer", generator="independent", survival={"time": "days", "event": "died"})
    >>> cohort.sample(100).obs[["days", "died"]].head(2)
                   days  died
    synthetic-0  2397.0   0.0
    synthetic-1   721.0   1.0
    """
    kind = registry.describe(generator)
    if settings is not None and not isinstance(settings, Mapping):
        raise UserError(f"{settings!r} is no mapping of settings", where="settings", remedy="e.g. {'steps': 1000}")
    chosen = {key: value.item() if isinstance(value, np.generic) else value for key, value in (settings or {}).items()}
    kind.merged(chosen)
    if device not in ("auto", "cpu", "cuda"):
        raise UserError(f"unknown device {device!r}", where="device", remedy="one of: auto, cpu, cuda")
    if kind.capabilities.counts and unit not in COUNTED:
        raise UserError(
            f"generator {generator!r} learns from counts, and the unit is {unit}",
            where="unit",
            remedy="give counts, with unit='counts'; or take a generator of log expression",
        )
    covariates = [covariates] if isinstance(covariates, str) else () if covariates is None else covariates
    uses = {value: f"the {what}" for what, value in (("condition", condition), ("donor", donor), ("level", level))
            if isinstance(value, str)}  # fmt: skip
    uses |= dict.fromkeys(RESERVED, "a column of the workflow's own")
    survival = survival_columns(survival, uses | dict.fromkeys(covariates, "among the covariates, too"))
    if survival and not kind.capabilities.covariates:
        able = [n for n, other in registry.generators().items() if other.capabilities.covariates]
        raise UserError(
            f"generator {generator!r} cannot be conditioned on survival",
            where="survival",
            remedy=f"leave survival out, or take one of: {', '.join(able)}",
        )
    name = str(condition if isinstance(condition, str) else getattr(condition, "name", None) or "condition")
    if name in (*FACTORS, "level", "generator", *covariates, *survival.values()):
        raise UserError(f"{name!r} cannot be the name of the condition", where="condition", remedy="rename the column")
    seed = seed_of(random_state)
    options = {
        "donor": donor, "level": level, "covariates": covariates, "layer": layer, "unit": unit,
        "log_offset": log_offset, "survival": survival,
    }  # fmt: skip
    data = training_profiles_of(profiles, condition, **options)
    members = pd.DataFrame(
        {"training_set": training_set, "sample_id": data.obs_names, "role": "train", "condition": data.obs["condition"]}
    )
    seen = data.obs.astype({"donor": str}).groupby(["condition", *FACTORS, "level"], observed=True)["donor"]
    seen = seen.agg(profiles="size", donors="nunique").reset_index()
    _warn_of_single_donors(seen)
    if public is not None:
        data, members = _with_public(data, members, public, condition, options, training_set)
        if "public" in kind.settings:
            chosen["public"] = "reference"
    with logs.quiet(not verbose):
        (fitted,) = batch.fit(
            data, members, [training_set], generator=generator, settings=chosen, seed=seed, device=device
        )
    about = {
        "condition": name,
        "covariates": data.uns["pseudocohort"]["covariates"],
        "settings": chosen,
        "random_state": seed,
        "training_set": training_set,
        "unit": unit,
        "device": device,
    }
    if survival:
        _warn_of_survival(fitted.effects)
        about["follow_up"] = _follow_up_times(data.obs[(members["role"] == "train").to_numpy()], survival)
    return Cohort(fitted.as_stored(), data.var.copy(), seen, about)


def _follow_up_times(obs: pd.DataFrame, survival: Mapping[str, str]) -> list[dict[str, Any]]:
    """Distributions of the follow-up of each condition and level of training patients, as JSON has them."""
    time, event = (obs[name].to_numpy(np.float64) for name in survival.values())
    weight, known, out = donor_weights(obs), np.isfinite(time) & np.isfinite(event), []
    for (condition, level), rows in rows_by_key(obs).items():
        if len(own := rows[known[rows]]):
            times = FollowUpTimes.fit(time[own], event[own], weight[own])
            out.append({"condition": condition, "level": level, **times.described()})
    return out


def _warn_of_survival(effects: CovariateEffects) -> None:
    """Say where no gene goes with the follow-up that synthetic profiles will have."""
    rows, found = 0, None
    for coding in effects.codings:
        if isinstance(coding, FollowUpCoding):
            found = effects.effects[rows : rows + len(coding.centre)]
        rows += len(coding.centre)
    if found is None:
        why = "there are too few patients to tell which genes go with survival: synthetic profiles have no follow-up"
    elif not found.any():
        why = (
            "no gene goes with survival more than by chance in the training profiles: synthetic profiles have a "
            "follow-up, and none of their genes goes with it"
        )
    else:
        return
    warnings.warn(f"survival: {why}", stacklevel=3)


def _warn_of_single_donors(seen: pd.DataFrame) -> None:
    """Say which conditions have a single donor: what is drawn there is that donor with some noise."""
    donors = seen.groupby("condition")["donors"].sum()
    if len(single := list(donors.index[donors == 1])):
        have = "condition has" if len(single) == 1 else f"of {len(donors)} conditions have"
        warnings.warn(
            f"{len(single)} {have} a single donor: {some([repr(c) for c in single], 3)}. Synthetic profiles there lie "
            "around this donor's own, and say nothing of how patients differ: add donors, merge conditions, or leave "
            "them out",
            stacklevel=3,
        )


def _with_public(
    data: ad.AnnData, members: pd.DataFrame, public: Any, condition: Labels, options: dict[str, Any], training_set: str
) -> tuple[ad.AnnData, pd.DataFrame]:
    """Training profiles and members with public profiles beside them, whose donors are set aside."""
    if not (isinstance(condition, str) and all(isinstance(options[k], str | None) for k in ("donor", "level"))):
        raise UserError(
            "condition, donor and level are to be columns where there are public profiles",
            where="public",
            remedy="put them into the tables and give the names of the columns",
        )
    other = training_profiles_of(public, condition, **options, where="public")
    if list(other.var_names) != list(data.var_names):
        raise UserError("genes of the public profiles differ", where="public", remedy="give the same, in that order")
    if twice := sorted(set(other.obs_names) & set(data.obs_names)):
        raise UserError(f"profile {twice[0]!r} is public and is not", where="public", remedy="rename or remove it")
    rows = pd.DataFrame(
        {"training_set": training_set, "sample_id": other.obs_names, "role": "reference",
         "condition": other.obs["condition"]}
    )  # fmt: skip
    both = ad.concat([data, other], merge="same")
    both.uns = data.uns
    return both, pd.concat([members, rows])


def list_generators() -> pd.DataFrame:
    """Generators by name: what they are, what they can do, and where they come from.

    Returns
    -------
    DataFrame
        Index: names. ``summary``; ``network`` (has a training loop), ``impute`` (can complete profiles), ``private``
        (counts what it tells of donors), ``counts`` (learns from counts), ``control`` (a floor or ceiling that others
        are read against); ``source``.

    Examples
    --------
    >>> import pseudocohort as pc
    >>> pc.list_generators().loc["flow", "summary"]
    'class Gaussian refined by conditional flow matching'
    """
    rows = {
        name: {
            "summary": kind.summary,
            "network": kind.capabilities.trained,
            "impute": kind.capabilities.mask,
            "private": kind.capabilities.private,
            "counts": kind.capabilities.counts,
            "control": kind.control,
            "source": kind.source,
        }
        for name, kind in registry.generators().items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("generator")
