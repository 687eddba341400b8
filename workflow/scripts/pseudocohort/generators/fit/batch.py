"""Training of a batch of training sets: scale, fit, store."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd

from ...core.errors import ContractError, UserError
from ...core.groups import OBS, keys_of
from ...core.io import atomic
from ...core.seeds import derive
from ...prepare.scale import Scaler
from ..base import registry
from ..base.generator import Generator
from ..private.settings import vocabulary
from ..private.statistics import LABELS, Public
from .alignment import COMMON_SCALE, STANDARDISED, add_technology_offset, align
from .counts import LibrarySizes
from .covariates import CovariateEffects, described
from .detection import DetectionLimits
from .fitted import Fitted
from .naming import name_unlabelled
from .per_condition import PerCondition

if TYPE_CHECKING:
    from ..base.checkpoint import Checkpoint

log = logging.getLogger(__name__)

#: Variants in which unlabelled profiles get no label, and in which the labels of other levels are trusted blindly (for
#: the control with wrong labels).
UNNAMED, UNGUARDED = "unnamed", "unguarded"
#: Profiles of the largest training set that is trained together with others; a batch of a larger one fills a device.
SMALL = 1000


def members_of(members: pd.DataFrame, training_set: str, *roles: str) -> pd.DataFrame:
    """Rows of `members` of a training set, those with some roles."""
    own = members[(members["training_set"] == training_set).to_numpy()]
    return own[own["role"].astype(str).isin(roles).to_numpy()] if roles else own


def training_profiles(
    profiles: ad.AnnData, members: pd.DataFrame, training_set: str, *, unlabeled: bool
) -> tuple[ad.AnnData, ad.AnnData]:
    """Profiles that a generator may see of a training set, and those (a superset) that its scale may be fitted on.

    In privacy audits these are the members (negative control: the rows with role train). Rows with role ``unlabeled``
    enter the scale always, and the training with an empty condition if `unlabeled`. Rows with the roles test,
    reference and non_member are never returned.

    Raises
    ------
    ContractError
        If the training set has no training row.
    """
    learned = "train" if len(members_of(members, training_set, "train")) else "member"
    rows = members_of(members, training_set, learned, "unlabeled")
    seen = profiles[rows["sample_id"].to_numpy()]
    obs = seen.obs[list(OBS)].astype(str).join(seen.obs[list(described(profiles))])
    subset = ad.AnnData(np.asarray(seen.X), obs=obs, var=profiles.var)
    subset.obs["condition"] = rows["condition"].astype(str).to_numpy()
    labelled = (rows["role"].astype(str) == learned).to_numpy()
    if not labelled.any():
        raise ContractError(f"training set {training_set!r} has no training profile", where="plan/members")
    subset.obs.loc[~labelled, "condition"] = ""
    return (subset if unlabeled else subset[labelled].copy()), subset


def fingerprint(generator: str, settings: dict[str, Any], seed: int, profiles: ad.AnnData) -> str:
    """Digest of all that a fit depends on: code, settings, seed and training profiles."""
    from ...core.versions import code_version

    code = code_version("generators.fit.batch", *registry.describe(generator).modules)
    digest = hashlib.sha256(code.encode())
    digest.update(json.dumps([generator, settings, seed], sort_keys=True).encode())
    digest.update(pd.util.hash_pandas_object(profiles.obs).to_numpy().tobytes())
    digest.update(np.ascontiguousarray(profiles.X).tobytes())
    return digest.hexdigest()


def _without_scale(profiles: ad.AnnData) -> Scaler:
    """Scale that changes nothing: an exact scale of the training donors would void a guarantee."""
    scaler = Scaler(by_level=True)
    for level in profiles.obs["level"].astype(str).unique():
        scaler.mean[level], scaler.sd[level] = np.zeros(profiles.n_vars), np.ones(profiles.n_vars)
    return scaler


def _with_public(
    learned: ad.AnnData, profiles: ad.AnnData, members: pd.DataFrame, training_set: str, source: str
) -> ad.AnnData:
    """Training profiles with what is public beside them: the study's labels, and the profiles declared public.

    Profiles of public donors are taken out of those `learned`. `source` is "none", "reference" (donors with that role)
    or a dataset.

    Raises
    ------
    UserError
        If the dataset is not in the study, or nothing is left to learn from.
    """
    donors = profiles.obs["donor"].astype(str)
    labels = profiles.obs[list(LABELS)].astype(str).drop_duplicates()
    if source == "none":
        learned.uns["public"] = Public(labels)
        return learned
    if source == "reference":
        rows = members_of(members, training_set, "reference")["sample_id"].unique()
        public = set(donors[rows])
        if public and public >= set(learned.obs["donor"].astype(str)):
            # The negative control is trained on the reference: half of it stays public, the other half is learned from.
            names = np.random.default_rng(derive(0, "public half", training_set)).permutation(sorted(public))
            public = set(names[: len(names) // 2])
        rows = [row for row in rows if donors[row] in public]
    else:
        datasets = profiles.obs["dataset"].astype(str)
        if source not in set(datasets):
            raise UserError(
                f"public is {source!r}, which is no dataset of the study",
                where="generator_settings, public",
                remedy=f"none, reference, or one of: {', '.join(sorted(datasets.unique()))}",
            )
        rows = list(profiles.obs_names[(datasets == source).to_numpy()])
        public = set(donors[rows])
    learned = learned[~learned.obs["donor"].astype(str).isin(public).to_numpy()].copy()
    if not learned.n_obs:
        raise UserError(
            f"every training profile of {training_set!r} is of a public donor",
            where="generator_settings, public",
            remedy="name another dataset: there is nothing to protect here",
        )
    learned.uns["public"] = Public(labels, profiles[rows].copy() if len(rows) else None)
    return learned


@dataclass
class _Prepared:
    """What a generator is fitted on: standardised profiles, what was done to make them so, and their values before."""

    profiles: ad.AnnData
    scaler: Scaler
    effects: CovariateEffects
    unscaled: np.ndarray
    library: LibrarySizes


def _prepare(
    profiles: ad.AnnData,
    members: pd.DataFrame,
    training_set: str,
    kind: type[Generator],
    alignment: str,
    settings: dict[str, Any],
) -> _Prepared:
    """Take the profiles of a training set, standardised and aligned; a private generator gets them as they are."""
    learned, scaled = training_profiles(profiles, members, training_set, unlabeled=kind.capabilities.unlabeled)
    unscaled = learned.X
    if kind.capabilities.private:
        # No scale, no alignment and no library sizes: whatever else is fitted would have to be noised as well.
        public = kind.merge_settings(settings)["public"]
        learned = _with_public(learned, profiles, members, training_set, public)
        return _Prepared(learned, _without_scale(profiles), CovariateEffects(), learned.X, LibrarySizes())
    library = LibrarySizes.fit(profiles.obs.loc[scaled.obs_names[scaled.obs["condition"] != ""]])
    if kind.capabilities.counts:
        sizes = profiles.obs["library_size"] if "library_size" in profiles.obs else pd.Series(0.0, profiles.obs_names)
        learned.obs["library_size"] = sizes[learned.obs_names].to_numpy()
        return _Prepared(learned, _without_scale(profiles), CovariateEffects(), unscaled, library)
    if alignment == "offset":
        learned.X, scaled.X = add_technology_offset(learned), add_technology_offset(scaled)
        unscaled = learned.X
    scaler = Scaler(by_level=alignment not in COMMON_SCALE).fit(scaled.X, scaled.obs)
    learned.X = scaler.transform(learned.X, learned.obs)
    if alignment in STANDARDISED:
        learned.X = align(learned, alignment)
    effects = CovariateEffects()
    if kind.capabilities.covariates and (kinds := described(profiles)):
        effects = CovariateEffects.fit(learned.X, learned.obs, kinds)
        learned.X = effects.remove(learned.X, learned.obs)
    if alignment != UNNAMED:
        unit = {at: scaler.unit(at) for at in learned.obs["level"].astype(str).unique()}
        named, _ = name_unlabelled(learned, unit, guarded=alignment != UNGUARDED)
        learned, unscaled = named, unscaled[learned.obs_names.get_indexer(named.obs_names)]
    return _Prepared(learned, scaler, effects, unscaled, library)


def _silent(own: _Prepared, kind: type[Generator], settings: dict[str, Any]) -> tuple[np.ndarray, pd.DataFrame] | None:
    """Profiles (log2) whose silent genes tell limits of detection, with conditions and levels; None for no limits."""
    if kind.capabilities.counts:  # they have their zeros by themselves
        return None
    if not kind.capabilities.private:
        labelled = (own.profiles.obs["condition"] != "").to_numpy()
        return own.unscaled[labelled], own.profiles.obs[labelled]
    # Shares of training profiles on a floor would be exact statistics of donors. Those of public profiles cost nothing.
    public, keys = vocabulary(own.profiles, kind.merge_settings(settings))
    if public.reference is None:
        return None
    labels = public.labels[[key in set(keys) for key in keys_of(public.labels)]]
    x, level = np.asarray(public.reference.X), public.reference.obs["level"].astype(str).to_numpy()
    known = np.isin(level, labels["level"].astype(str))
    # Conditions in turn: those of the public profiles need not be known.
    of_level = [labels[labels["level"].astype(str) == at] for at in level[known]]
    obs = pd.DataFrame([rows.iloc[i % len(rows)] for i, rows in enumerate(of_level)], columns=labels.columns)
    return x[known], obs.reset_index(drop=True)


def fit(
    profiles: ad.AnnData,
    members: pd.DataFrame,
    training_sets: list[str],
    *,
    generator: str,
    settings: dict[str, Any],
    seed: int,
    device: str,
    folder: Path | None = None,
    checkpoint_minutes: float = 0.0,
    alignments: dict[str, str] | None = None,
    scope: str = "joint",
) -> list[Fitted]:
    """Fit one generator, or one per condition, on each training set, resuming from checkpoints in `folder`, if any.

    Generators of one shape are trained together (:meth:`..base.generator.Generator.fit_together`).
    """
    kind = registry.get(generator)
    sets = [
        _prepare(profiles, members, name, kind, (alignments or {}).get(name, ""), settings) for name in training_sets
    ]
    seeds = [derive(seed, name) for name in training_sets]

    def checkpoint(name: str, parts: list[ad.AnnData]) -> Checkpoint | None:
        if not kind.capabilities.trained or folder is None:
            return None
        from ..base.checkpoint import Checkpoint

        digests = [fingerprint(generator, settings, seed, part) for part in parts]
        return Checkpoint(folder / f"{name}.safetensors", checkpoint_minutes, ",".join(digests))

    def of_condition(name: str, condition: str, part: ad.AnnData) -> Checkpoint | None:
        return checkpoint(f"{name}@{condition}" if condition else name, [part])

    if scope == "per_condition" and not kind.capabilities.private:
        models = [
            PerCondition(kind).fit(
                own.profiles,
                settings=settings,
                seed=set_seed,
                device=device,
                checkpoint=partial(of_condition, name),
            )  # fmt: skip
            for name, own, set_seed in zip(training_sets, sets, seeds, strict=True)
        ]
    else:
        models = kind.fit_together(
            [own.profiles for own in sets], settings=settings, seeds=seeds, device=device,
            checkpoint=lambda group: checkpoint(training_sets[group[0]], [sets[i].profiles for i in group]),
        )  # fmt: skip
    out = []
    for name, own, model in zip(training_sets, sets, models, strict=True):
        fitted = Fitted(generator, model, own.scaler, own.effects, library=own.library)
        if (silent := _silent(own, kind, settings)) is not None:
            draw = partial(fitted.drawn, seed=derive(seed, name, "detection"), device=device)
            fitted.limits = DetectionLimits.fit(*silent, draw)
        out.append(fitted)
    return out


def _groups(
    training_sets: list[str], members: pd.DataFrame, lengths: dict[str, float], together: int
) -> list[list[str]]:
    """Training sets in the order of training: small ones of one length by `together`, each other one by itself."""
    rows = members["role"].astype(str).isin(["train", "member", "unlabeled"]).to_numpy()
    size = members[rows].groupby("training_set", observed=True).size()
    alike: dict[object, list[str]] = {}
    for name in training_sets:
        small = together > 1 and size.get(name, 0) <= SMALL
        alike.setdefault(lengths.get(name, 1.0) if small else name, []).append(name)
    return [names[i : i + together] for names in alike.values() for i in range(0, len(names), together)]


def lengthened(kind: type[Generator], settings: dict[str, Any], factor: float) -> dict[str, Any]:
    """Settings under which a generator trains `factor` times as long.

    Raises
    ------
    UserError
        If the generator has no steps.
    """
    if factor == 1:
        return settings
    whole = kind.merge_settings(settings)
    changed = {k: max(1, round(whole[k] * factor)) for k in kind.description.training_length if k in whole}
    if not changed:
        raise UserError(
            f"generator {kind.name!r} has no training length",
            where="privacy.training_lengths",
            remedy="name generators with networks",
        )
    return settings | changed


def train_batch(
    profiles: ad.AnnData,
    members: pd.DataFrame,
    training_sets: list[str],
    out_dir: Path,
    *,
    generator: str,
    settings: dict[str, Any],
    seed: int,
    device: str,
    checkpoints: Path,
    checkpoint_minutes: float,
    alignments: dict[str, str] | None = None,
    scope: str = "joint",
    lengths: dict[str, float] | None = None,
    together: int = 1,
) -> None:
    """Train a generator on each training set and store the models in `out_dir`, one folder each.

    Finished models of an interrupted run are taken from `checkpoints`, and the unfinished one resumes there; the folder
    is removed when all are done.

    Parameters
    ----------
    profiles : AnnData
        Harmonised profiles (log2 units).
    out_dir : Path
        Written in one rename.
    settings : dict
        Settings that differ from the generator's defaults.
    seed : int
        Master seed.
    device : {'auto', 'cpu', 'cuda'}
    checkpoints : Path
        Folder for unfinished work.
    checkpoint_minutes : float
        Between two checkpoints of a training run.
    alignments : dict of str, optional
        Alignment of the levels (:mod:`.alignment`), by training set; others are standardised by level.
    scope : {'joint', 'per_condition'}
        One model for all conditions of a training set, or one for each.
    lengths : dict of float, optional
        By training set: length of its training, in lengths of the settings; 1 where none is given.
    together : int
        Most training sets whose networks are trained as one, where they are small and agree in shape.
    """
    kind = registry.get(generator)
    checkpoints.mkdir(parents=True, exist_ok=True)
    run = (
        fingerprint(generator, {**settings, "lengths": lengths or {}}, seed, profiles)
        + hashlib.sha256(pd.util.hash_pandas_object(members.astype(str), index=False).to_numpy().tobytes()).hexdigest()
    )
    stamp = checkpoints / "run.txt"
    if stamp.is_file() and stamp.read_text() != run:
        log.warning("%s holds the work of another run; it is discarded", checkpoints)
        shutil.rmtree(checkpoints)
        checkpoints.mkdir(parents=True)
    with atomic(stamp) as temporary:
        temporary.write_text(run)
    lengths, finished = lengths or {}, 0
    if not kind.capabilities.trained or kind.capabilities.private or scope == "per_condition":
        together = 1
    for names in _groups(training_sets, members, lengths, together):
        finished += len(names)
        missing = [name for name in names if not (checkpoints / "done" / name).is_dir()]
        if not missing:
            log.info("%s: done before the interruption", ", ".join(names))
            continue
        found = fit(
            profiles, members, names, generator=generator,
            settings=lengthened(kind, settings, lengths.get(names[0], 1.0)), seed=seed, device=device,
            folder=checkpoints, checkpoint_minutes=checkpoint_minutes, alignments=alignments, scope=scope,
        )  # fmt: skip
        for name, one in zip(names, found, strict=True):
            if name not in missing:
                continue
            with atomic(checkpoints / "done" / name) as folder:
                folder.mkdir(parents=True)
                one.save(folder)
        for left in checkpoints.glob("*.safetensors*"):
            left.unlink()
        log.info("%s: %d of %d (%s)", ", ".join(names), finished, len(training_sets), kind.name)
    with atomic(out_dir) as folder:
        folder.mkdir()
        for training_set in training_sets:
            shutil.copytree(checkpoints / "done" / training_set, folder / training_set)
    shutil.rmtree(checkpoints)
