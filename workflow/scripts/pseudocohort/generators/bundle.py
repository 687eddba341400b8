"""Training and sampling of a batch of training sets: scale, fit, store; load, sample, take the scale back."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd

from ..contracts import SIGNALS_COLUMNS
from ..errors import ContractError, UserError
from ..io import atomic, write_table
from ..levels import FACTORS
from ..prepare.scale import Scaler
from ..seeds import derive
from . import registry
from .alignment import COMMON_SCALE, STANDARDISED, add_technology_offset, align
from .base import Generator
from .counts import LibrarySizes, counts_of
from .detection import DetectionLimits
from .per_condition import PerCondition, load_model
from .private_statistics import LABELS, Public
from .storage import load_state, save_state

if TYPE_CHECKING:
    from .checkpoint import Checkpoint

log = logging.getLogger(__name__)

#: What a generator is told about a profile.
OBS = ("donor", "condition", *FACTORS, "level")


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
    subset = ad.AnnData(np.asarray(seen.X), obs=seen.obs[list(OBS)].astype(str), var=profiles.var)
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
    from ..versions import code_version

    digest = hashlib.sha256(code_version("generators.bundle", f"generators.{registry.MODULES[generator]}").encode())
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


def _with_public(learned: ad.AnnData, profiles: ad.AnnData, members: pd.DataFrame, training_set: str) -> ad.AnnData:
    """Training profiles with what is public beside them: the study's labels, and donors with role reference."""
    own = members[(members["training_set"] == training_set).to_numpy()]
    trained = set(learned.obs["donor"])
    rows = own[(own["role"].astype(str) == "reference").to_numpy()]
    reference = profiles[rows["sample_id"].to_numpy()].copy()
    # The negative control is trained on the reference, which then is not public.
    shared = reference.n_obs and not trained.isdisjoint(reference.obs["donor"].astype(str))
    labels = profiles.obs[list(LABELS)].astype(str).drop_duplicates()
    learned.uns["public"] = Public(labels, None if shared or not reference.n_obs else reference)
    return learned


def fit(
    profiles: ad.AnnData,
    members: pd.DataFrame,
    training_set: str,
    *,
    generator: str,
    settings: dict[str, Any],
    seed: int,
    device: str,
    folder: Path,
    checkpoint_minutes: float,
    alignment: str = "",
    scope: str = "joint",
) -> tuple[Generator | PerCondition, Scaler, DetectionLimits]:
    """Fit one generator, or one per condition, on one training set, resuming from a checkpoint in `folder`."""
    kind = registry.get(generator)
    learned, scaled = training_profiles(profiles, members, training_set, unlabeled=kind.capabilities.unlabeled)
    if kind.capabilities.private:
        # One model for all conditions, no alignment: whatever else is fitted would have to be noised as well.
        scaler, scope = _without_scale(profiles), "joint"
        learned = _with_public(learned, profiles, members, training_set)
    else:
        if alignment == "offset":
            learned.X, scaled.X = add_technology_offset(learned), add_technology_offset(scaled)
        scaler = Scaler(by_level=alignment not in COMMON_SCALE).fit(scaled.X, scaled.obs)
        unscaled = learned.X
        learned.X = scaler.transform(learned.X, learned.obs)
        if alignment in STANDARDISED:
            learned.X = align(learned, alignment)

    def checkpoint(condition: str, part: ad.AnnData) -> Checkpoint | None:
        if not kind.capabilities.trained:
            return None
        from .checkpoint import Checkpoint  # imports torch, which the controls do without

        name = f"{training_set}@{condition}" if condition else training_set
        digest = fingerprint(generator, settings, seed, part)
        return Checkpoint(folder / f"{name}.safetensors", checkpoint_minutes, digest)

    own = {"settings": settings, "seed": derive(seed, training_set), "device": device}
    if scope == "per_condition":
        model = PerCondition(kind).fit(learned, checkpoint=checkpoint, **own)
    else:
        model = kind().fit(learned, checkpoint=checkpoint("", learned), **own)
    if kind.capabilities.private:  # shares of training profiles on a floor would be exact statistics of the donors
        return model, scaler, DetectionLimits()

    def made(obs: pd.DataFrame) -> np.ndarray:
        z = model.sample(obs, seed=derive(seed, training_set, "detection"), device=device)
        return np.maximum(scaler.inverse(z, obs), 0)

    labelled = (learned.obs["condition"] != "").to_numpy()
    return model, scaler, DetectionLimits.fit(unscaled[labelled], learned.obs[labelled], made)


def lengthened(kind: type[Generator], settings: dict[str, Any], factor: float) -> dict[str, Any]:
    """Settings under which a generator trains `factor` times as long: its steps and passes over the rows.

    Raises
    ------
    UserError
        If the generator has no steps.
    """
    if factor == 1:
        return settings
    whole = kind.merge_settings(settings)
    changed = {k: max(1, round(whole[k] * factor)) for k in ("steps", "passes", "embedding_steps") if k in whole}
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
    for number, training_set in enumerate(training_sets, 1):
        target = checkpoints / "done" / training_set
        if target.is_dir():
            log.info("%s: done before the interruption", training_set)
            continue
        model, scaler, limits = fit(
            profiles, members, training_set, generator=generator,
            settings=lengthened(kind, settings, (lengths or {}).get(training_set, 1.0)), seed=seed, device=device,
            folder=checkpoints, checkpoint_minutes=checkpoint_minutes,
            alignment=(alignments or {}).get(training_set, ""), scope=scope,
        )  # fmt: skip
        with atomic(target) as folder:
            folder.mkdir(parents=True)
            model.save(folder / "model")
            save_state(folder / "scale", "scale", *scaler.state())
            save_state(folder / "detection", "detection", *limits.state())
            # Exact library sizes would void a guarantee.
            sizes = LibrarySizes() if kind.capabilities.private else library_sizes(profiles, members, training_set)
            save_state(folder / "library", "library", *sizes.state())
            if model.history is not None:
                write_table(model.history, folder / "history.tsv")
        for left in checkpoints.glob("*.safetensors*"):
            left.unlink()
        log.info("%s: %d of %d (%s)", training_set, number, len(training_sets), kind.name)
    with atomic(out_dir) as folder:
        folder.mkdir()
        for training_set in training_sets:
            shutil.copytree(checkpoints / "done" / training_set, folder / training_set)
    shutil.rmtree(checkpoints)


def sample_batch(
    models_dir: Path,
    requests: dict[str, pd.DataFrame],
    var: pd.DataFrame,
    *,
    generator: str,
    seeds: dict[str, int],
    device: str,
    name: str = "",
) -> ad.AnnData:
    """Sample from each model of a batch what is asked of it.

    Parameters
    ----------
    models_dir : Path
        Written by :func:`train_batch`.
    requests : dict of DataFrame
        Conditions and levels to sample, by training set (:func:`..plan.requests.request`).
    var : DataFrame
        Genes.
    generator : str
        Name in the registry.
    seeds : dict of int
        Seed of each training set.
    device : {'auto', 'cpu', 'cuda'}
        Where networks run.
    name : str
        Name that the profiles carry; `generator` if none is given.

    Returns
    -------
    AnnData
        log2 expression, not below 0, silent genes on their floor (:mod:`.detection`); keeps ``contracts.SYNTHETIC``.
        Where the profiles that all models were trained on were counts, the layer ``counts`` has integers at library
        sizes drawn like theirs.
    """
    kind, name = registry.get(generator), name or generator
    parts, tables, counts = [], [], []
    for training_set, wanted in requests.items():
        folder = models_dir / training_set
        scaler = Scaler.from_state(*load_state(folder / "scale", "scale"))
        model = load_model(folder / "model", kind)
        z = model.sample(wanted, seed=derive(seeds[training_set], generator, "sample"), device=device)
        limits = DetectionLimits.from_state(*load_state(folder / "detection", "detection"))
        parts.append(limits.apply(np.maximum(scaler.inverse(z, wanted), 0), wanted).astype(np.float32))
        rng = np.random.default_rng(derive(seeds[training_set], generator, "counts"))
        library = LibrarySizes.from_state(*load_state(folder / "library", "library")).draw(wanted, rng)
        counts.append(None if library is None else counts_of(parts[-1], library, rng))
        table = wanted.copy()
        table.insert(0, "training_set", training_set)
        table.insert(1, "generator", name)
        tables.append(table)
        log.info("%s: %d profiles", training_set, len(wanted))
    obs = pd.concat(tables, ignore_index=True)
    obs.index = obs["training_set"] + ":" + name + ":" + obs.groupby("training_set").cumcount().astype(str)
    return ad.AnnData(
        np.concatenate(parts),
        obs=obs,
        var=var,
        layers={} if any(part is None for part in counts) else {"counts": np.concatenate(counts)},
        uns={"pseudocohort": {"unit": "log2 expression", "synthetic": True}},
    )


def expected_given(
    folder: Path, obs: pd.DataFrame, clamped: np.ndarray, *, generator: str, seed: int, device: str
) -> np.ndarray:
    """Profiles that a stored generator expects given the values of some of their genes.

    Parameters
    ----------
    folder : Path
        Of one training set, written by :func:`train_batch`.
    obs : DataFrame
        Conditions and levels.
    clamped : ndarray (len(obs) × genes)
        log2 expression of the clamped genes, NaN where a gene is free.
    generator : str
        Name in the registry.
    seed : int
        Of the generator's draws.
    device : {'auto', 'cpu', 'cuda'}
        Where networks run.

    Returns
    -------
    ndarray (len(obs) × genes)
        log2 expression.
    """
    scaler = Scaler.from_state(*load_state(folder / "scale", "scale"))
    model = load_model(folder / "model", registry.get(generator))
    z = model.sample_clamped(obs, scaler.transform(clamped, obs), seed=seed, device=device, expected=True)
    return scaler.inverse(z, obs)


def signals_batch(
    models_dir: Path,
    profiles: ad.AnnData,
    members: pd.DataFrame,
    training_sets: list[str],
    *,
    generator: str,
    device: str,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """White-box signals of each model about the candidates of its audit, and the models' privacy ledgers.

    Parameters
    ----------
    models_dir : Path
        Written by :func:`train_batch`.
    profiles : AnnData
        Harmonised profiles (log2 units).
    members : DataFrame
        Members of the training sets; the candidates are those with role member or non_member.
    training_sets : list of str
        Their ids.
    generator : str
        Name in the registry.
    device : {'auto', 'cpu', 'cuda'}
        Where networks run.

    Returns
    -------
    signals : DataFrame
        ``training_set sample_id signal score``, higher for members; without rows if the generator has no such attack.
    ledgers : dict
        Training set -> state of its :class:`.ledger.Ledger`; empty for generators without one.
    """
    kind = registry.get(generator)
    parts, ledgers = [pd.DataFrame(columns=list(SIGNALS_COLUMNS))], {}
    for training_set in training_sets:
        folder = models_dir / training_set
        scaler = Scaler.from_state(*load_state(folder / "scale", "scale"))
        model = load_model(folder / "model", kind)
        if isinstance(model, PerCondition):
            log.info("%s: one model per condition; white-box attacks are defined for joint models", training_set)
            continue
        if model.ledger is not None:
            ledgers[training_set] = model.ledger.state()
        own = members[(members["training_set"] == training_set).to_numpy()]
        rows = own[own["role"].astype(str).isin(["member", "non_member"]).to_numpy()]
        seen = profiles[rows["sample_id"].to_numpy()]
        obs = seen.obs[list(OBS)].astype(str)
        obs["condition"] = rows["condition"].astype(str).to_numpy()
        candidates = ad.AnnData(scaler.transform(np.asarray(seen.X), obs), obs=obs, var=profiles.var)
        for signal, score in model.member_signals(candidates, device=device).items():
            ids = {"training_set": training_set, "sample_id": seen.obs_names, "signal": signal, "score": score}
            parts.append(pd.DataFrame(ids))
        log.info("%s: signals of %d candidates", training_set, len(rows))
    return pd.concat(parts[1:] or parts, ignore_index=True)[list(SIGNALS_COLUMNS)], ledgers
