"""Training of a batch of training sets: scale, fit, store."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
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
    own = members[(members["training_set"] == training_set).to_numpy()]
    role = own["role"].astype(str)
    learned = "train" if (role == "train").any() else "member"
    rows = own[role.isin([learned, "unlabeled"]).to_numpy()]
    seen = profiles[rows["sample_id"].to_numpy()]
    obs = seen.obs[list(OBS)].astype(str).join(seen.obs[list(described(profiles))])
    subset = ad.AnnData(np.asarray(seen.X), obs=obs, var=profiles.var)
    subset.obs["condition"] = rows["condition"].astype(str).to_numpy()
    labelled = (rows["role"].astype(str) == learned).to_numpy()
    if not labelled.any():
        raise ContractError(f"training set {training_set!r} has no training profile", where="plan/members")
    subset.obs.loc[~labelled, "condition"] = ""
    return (subset if unlabeled else subset[labelled].copy()), subset


def library_sizes(profiles: ad.AnnData, members: pd.DataFrame, training_set: str) -> LibrarySizes:
    """Library sizes of the profiles that a generator learns from in a training set."""
    own = members[(members["training_set"] == training_set).to_numpy()]
    role = own["role"].astype(str)
    learned = own.loc[(role == ("train" if (role == "train").any() else "member")).to_numpy(), "sample_id"]
    return LibrarySizes.fit(profiles.obs.loc[learned.to_numpy()])


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

    Parameters
    ----------
    learned : AnnData
        Training profiles; those of public donors are taken out.
    profiles : AnnData
        All of the study.
    members : DataFrame
        Members of the training sets.
    training_set : str
        Its name.
    source : str
        "none", "reference" (donors with that role) or a dataset.

    Raises
    ------
    UserError
        If the dataset is not in the study, or nothing is left to learn from.
    """
    own = members[(members["training_set"] == training_set).to_numpy()]
    donors = profiles.obs["donor"].astype(str)
    labels = profiles.obs[list(LABELS)].astype(str).drop_duplicates()
    if source == "none":
        learned.uns["public"] = Public(labels)
        return learned
    if source == "reference":
        rows = own.loc[(own["role"].astype(str) == "reference").to_numpy(), "sample_id"].unique()
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

    training_set: str
    profiles: ad.AnnData
    scaler: Scaler
    effects: CovariateEffects
    unscaled: np.ndarray

    def detection(self, model: Generator | PerCondition, seed: int, device: str) -> DetectionLimits:
        """Limits of detection of what `model` makes (:mod:`.detection`)."""

        labelled = (self.profiles.obs["condition"] != "").to_numpy()
        return DetectionLimits.fit(
            self.unscaled[labelled], self.profiles.obs[labelled], self._made(model, seed, device)
        )

    def public_detection(
        self, model: Generator | PerCondition, settings: dict[str, Any], seed: int, device: str
    ) -> DetectionLimits:
        """Limits from the public profiles of a private generator, without their conditions; none where there are none.

        They cost no privacy: they depend on the training donors through what the generator makes alone.
        """
        public, keys = vocabulary(self.profiles, settings)
        if public.reference is None:
            return DetectionLimits()
        labels = public.labels[[key in set(keys) for key in keys_of(public.labels)]]
        x, level = np.asarray(public.reference.X), public.reference.obs["level"].astype(str).to_numpy()
        known = np.isin(level, labels["level"].astype(str))
        # Conditions in turn: those of the public profiles need not be known.
        rows = [labels[labels["level"].astype(str) == at] for at in level[known]]
        obs = pd.DataFrame([own.iloc[i % len(own)] for i, own in enumerate(rows)], columns=labels.columns)
        return DetectionLimits.fit(x[known], obs.reset_index(drop=True), self._made(model, seed, device))

    def _made(self, model: Generator | PerCondition, seed: int, device: str) -> Callable[[pd.DataFrame], np.ndarray]:
        """What `model` makes of a table of conditions and levels: profiles in log2 units."""

        def made(obs: pd.DataFrame) -> np.ndarray:
            z = model.sample(obs, seed=derive(seed, self.training_set, "detection"), device=device)
            return np.maximum(self.scaler.inverse(self.effects.add(z, obs), obs), 0)

        return made


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
        # No scale and no alignment: whatever else is fitted would have to be noised as well.
        public = kind.merge_settings(settings)["public"]
        learned = _with_public(learned, profiles, members, training_set, public)
        return _Prepared(training_set, learned, _without_scale(profiles), CovariateEffects(), learned.X)
    if kind.capabilities.counts:
        sizes = profiles.obs["library_size"] if "library_size" in profiles.obs else pd.Series(0.0, profiles.obs_names)
        learned.obs["library_size"] = sizes[learned.obs_names].to_numpy()
        return _Prepared(training_set, learned, _without_scale(profiles), CovariateEffects(), unscaled)
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
    return _Prepared(training_set, learned, scaler, effects, unscaled)


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

    if scope == "per_condition" and not kind.capabilities.private:
        models = []
        for own, set_seed in zip(sets, seeds, strict=True):

            def of_condition(condition: str, part: ad.AnnData, name: str = own.training_set) -> Checkpoint | None:
                return checkpoint(f"{name}@{condition}" if condition else name, [part])

            model = PerCondition(kind).fit(
                own.profiles, settings=settings, seed=set_seed, device=device, checkpoint=of_condition
            )
            models.append(model)
    else:
        models = kind.fit_together(
            [own.profiles for own in sets], settings=settings, seeds=seeds, device=device,
            checkpoint=lambda group: checkpoint(training_sets[group[0]], [sets[i].profiles for i in group]),
        )  # fmt: skip
    # Counts have their zeros by themselves. Shares of training profiles on a floor would be exact statistics of the
    # donors of a private generator.
    if kind.capabilities.counts:
        limits = [DetectionLimits() for _ in models]
    elif kind.capabilities.private:
        whole = kind.merge_settings(settings)
        limits = [own.public_detection(m, whole, seed, device) for own, m in zip(sets, models, strict=True)]
    else:
        limits = [own.detection(model, seed, device) for own, model in zip(sets, models, strict=True)]
    # Exact library sizes would void a guarantee as well.
    sizes = [
        LibrarySizes() if kind.capabilities.private else library_sizes(profiles, members, name)
        for name in training_sets
    ]
    return [
        Fitted(generator, model, own.scaler, own.effects, limit, size)
        for model, own, limit, size in zip(models, sets, limits, sizes, strict=True)
    ]


def _groups(
    training_sets: list[str], members: pd.DataFrame, lengths: dict[str, float], together: int
) -> list[list[str]]:
    """Training sets in the order of training: small ones of one length by `together`, each other one by itself."""
    rows = members["role"].astype(str).isin(["train", "member", "unlabeled"])
    size = members[rows.to_numpy()].groupby("training_set", observed=True).size()
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
    members : DataFrame
        Members of the training sets.
    training_sets : list of str
        Their ids.
    out_dir : Path
        Written in one rename.
    generator : str
        Name in the registry.
    settings : dict
        Settings that differ from the generator's defaults.
    seed : int
        Master seed.
    device : {'auto', 'cpu', 'cuda'}
        Where networks run.
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
