"""Which profiles stand behind each training set, and in which role.

Every function takes the ``obs`` of the harmonised profiles (index = sample id) with the column ``split`` (train | test,
by donor) and returns rows ``sample_id, role, condition`` of one training set.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from ..core.contracts import MEMBERS_COLUMNS
from ..core.errors import ContractError, UserError
from ..core.levels import TISSUE_LEVELS
from ..core.seeds import derive, generator
from ..prepare.pseudobulk import MIXTURE
from .splits import SPLIT_IN_REPEAT, dealt


def with_split(obs: pd.DataFrame, donors: pd.DataFrame) -> pd.DataFrame:
    """Copy of `obs` with the columns ``split`` (train | test) and ``genes`` (yes | no) of each profile's donor.

    Raises
    ------
    ContractError
        If a donor has no split, or two.
    """
    split = donors.drop_duplicates(["donor", "split"]).set_index("donor")["split"]
    if not split.index.is_unique:
        raise ContractError(
            f"donor {split.index[split.index.duplicated()][0]!r} is held out and not", where="donors.tsv"
        )
    out = obs.copy()
    out["split"] = out["donor"].astype(str).map(split)
    chooses = donors.drop_duplicates("donor").set_index("donor")["genes"]
    out["genes"] = out["donor"].astype(str).map(chooses)
    mixture = out["donor"].astype(str).str.startswith(MIXTURE)  # of lines, which are all for training
    out.loc[mixture, ["split", "genes"]] = "train", "yes"
    if out["split"].isna().any():
        raise ContractError(f"donor {out['donor'][out['split'].isna()].iloc[0]!r} has no split", where="donors.tsv")
    return out


def task_label(obs: pd.DataFrame, task: dict[str, Any]) -> pd.Series:
    """Label of each profile for a task: the columns of ``task["label"]``, joined by ``|``."""
    return obs[task["label"]].astype(str).agg("|".join, axis=1)


def in_task(obs: pd.DataFrame, task: dict[str, Any]) -> pd.Series:
    """Which profiles a task is about: those of its levels (default: tissue levels) and of its ``where`` filter."""
    inside = obs["level"].isin(task.get("levels") or TISSUE_LEVELS)
    for column, values in (task.get("where") or {}).items():
        inside &= obs[column].astype(str).isin([str(v) for v in values])
    return inside


def nested_order(labels: pd.Series, rng: np.random.Generator) -> pd.Index:
    """Random order of the ids in `labels` whose every prefix of at least one-per-class length holds every class.

    The first row of each class (in random order) comes first, then the rest: a prefix of n rows has natural class
    frequencies with at least one row per class, and a longer prefix contains every shorter one.
    """
    shuffled = labels.iloc[rng.permutation(len(labels))]
    first = ~shuffled.duplicated()
    return shuffled.index[first].append(shuffled.index[~first])


def _rows(obs: pd.DataFrame, ids: pd.Index, role: str, condition: pd.Series | str | None = None) -> pd.DataFrame:
    if condition is None:
        condition = obs.loc[ids, "condition"].astype(str)
    values = condition if isinstance(condition, str) else condition.to_numpy()
    return pd.DataFrame({"sample_id": ids, "role": role, "condition": values})


def full(obs: pd.DataFrame, row: dict[str, Any], config: dict[str, Any]) -> pd.DataFrame:
    """Fidelity: four fifths of the training donors, drawn anew in every repeat, against all held-out profiles.

    The fifth left out is the reference of private generators that take one; for all others it does not exist.
    """
    levels = config["fidelity"]["levels"] or [x for x in TISSUE_LEVELS if x in set(obs["level"])]
    inside = obs[obs["level"].isin(levels)]
    train = inside[inside["split"] == "train"]
    rng = generator(config["seed"], "full", row["repeat"])
    keep: list[str] = []
    for _, donors in train.groupby("condition", observed=True)["donor"]:
        names = np.sort(donors.unique())
        keep.extend(rng.permutation(names)[: max(1, round(0.8 * len(names)))])
    kept = train["donor"].isin(set(keep)).to_numpy()
    return pd.concat(
        [
            _rows(obs, train.index[kept], "train"),
            _rows(obs, train.index[~kept], "reference"),
            _rows(obs, inside.index[inside["split"] == "test"], "test"),
        ]
    )


def augmentation(obs: pd.DataFrame, row: dict[str, Any], config: dict[str, Any]) -> pd.DataFrame:
    """Augmentation: what the generator sees in a regime, and the held-out profiles of the task.

    ``same_n``: the n real rows; ``oracle``: the whole training pool; ``unlabeled``: the n rows and the rest of the pool
    without labels; ``transfer``: the n rows and every training profile outside the task (other conditions or levels).
    """
    task = config["augmentation"]["tasks"][row["task"]]
    inside = in_task(obs, task)
    trainable = obs["split"] == "train"
    pool, test = obs.index[inside & trainable], obs.index[inside & ~trainable]
    labels = task_label(obs.loc[pool], task)
    order = nested_order(labels, generator(config["seed"], "augmentation", row["task"], row["repeat"]))
    classes = labels.nunique()
    if classes < 2:
        raise UserError(
            f"task {row['task']!r} has {classes} class(es) among its training profiles; at least two are needed",
            where=f"augmentation.tasks.{row['task']}",
            remedy="check its label, levels and where",
        )
    n = {-1: len(order), 0: classes}.get(row["n_real"], max(int(row["n_real"]), classes))
    chosen = order[:n]
    parts = [_rows(obs, pool if row["regime"] == "oracle" else chosen, "train")]
    if row["regime"] == "unlabeled":
        parts.append(_rows(obs, pool.difference(chosen), "unlabeled", ""))
    if row["regime"] == "transfer":
        parts.append(_rows(obs, obs.index[~inside & trainable], "train"))
    return pd.concat([*parts, _rows(obs, test, "test")])


def privacy_reference(obs: pd.DataFrame, config: dict[str, Any]) -> set[str]:
    """Donors of the attacker's reference set: a share of each condition's donors, the same for every coin."""
    rng = generator(config["seed"], "privacy", "reference")
    reference: set[str] = set()
    first = obs.drop_duplicates("donor")
    for _, donors in first.groupby("condition", observed=True)["donor"]:
        names = np.sort(donors.unique())
        reference |= set(rng.permutation(names)[: max(1, round(config["privacy"]["reference_share"] * len(names)))])
    return reference


def privacy(obs: pd.DataFrame, row: dict[str, Any], config: dict[str, Any]) -> pd.DataFrame:
    """Privacy: each donor outside the reference is a member by its own fair coin.

    In the negative control the generator sees the reference only (role train), and the coins are the same.
    """
    inside = obs[obs["level"] == config["privacy"]["level"]]
    reference = privacy_reference(inside, config)
    candidates = np.sort([d for d in inside["donor"].unique() if d not in reference])
    heads = generator(config["seed"], "privacy", "coin", row["repeat"]).random(len(candidates)) < 0.5
    members = set(candidates[heads])
    # A condition whose donors all fell on one side cannot be audited; its coins stay as they fell.
    role = np.where(
        inside["donor"].isin(reference), "reference", np.where(inside["donor"].isin(members), "member", "non_member")
    )
    parts = [_rows(obs, inside.index[role == r], r) for r in ("member", "non_member", "reference")]
    if row["regime"] == "negative_control":
        parts.append(_rows(obs, inside.index[role == "reference"], "train"))
    return pd.concat(parts)


def _both_levels(obs: pd.DataFrame, settings: dict[str, Any]) -> tuple[pd.Series, pd.DataFrame, pd.DataFrame]:
    """Merged condition of every profile, and the tissue profiles and training cell-level profiles of the shared ones.

    Raises
    ------
    UserError
        If a condition is missing at a level.
    """
    merged = obs["condition"].astype(str).replace(settings["map"])
    shared = merged.isin(settings["conditions"])
    tissue = obs[shared & (obs["level"] == settings["tissue_level"])]
    cells = obs[shared & (obs["level"] == settings["cell_level"]) & (obs["split"] == "train")]
    for name, rows, level in (("tissue", tissue, settings["tissue_level"]), ("cell", cells, settings["cell_level"])):
        missing = sorted(set(settings["conditions"]) - set(merged[rows.index]))
        if missing:
            raise UserError(
                f"condition {missing[0]!r} has no {level} profile, so the {name} level cannot be compared",
                where="combination.conditions",
                remedy="list only conditions that both levels have, after combination.map",
            )
    return merged, tissue, cells


def _permuted(labels: pd.Series, donors: pd.Series, rng: np.random.Generator) -> pd.Series:
    """`labels` dealt out anew among donors; the profiles of a donor keep one label."""
    of_donor = pd.Series(labels.to_numpy(), index=donors.to_numpy())
    of_donor = of_donor[~of_donor.index.duplicated()].sort_index()
    permuted = pd.Series(rng.permutation(of_donor.to_numpy()), index=of_donor.index)
    return pd.Series(permuted[donors.to_numpy()].to_numpy(), index=labels.index)


def _share_of_donors(obs: pd.DataFrame, labels: pd.Series, share: float, rng: np.random.Generator) -> set[str]:
    """A random share of each condition's donors, at least one."""
    chosen: set[str] = set()
    for _, donors in obs["donor"].astype(str).groupby(labels.to_numpy()):
        names = np.sort(donors.unique())
        chosen |= set(rng.permutation(names)[: max(1, round(share * len(names)))])
    return chosen


def _wrong_names(labels: pd.Series, rng: np.random.Generator) -> pd.Series:
    """`labels` with every condition under the name of another one: the next in a random circle."""
    names = rng.permutation(np.unique(labels.astype(str)))
    return labels.astype(str).map(dict(zip(names, np.roll(names, -1), strict=True)))


def combination(obs: pd.DataFrame, row: dict[str, Any], config: dict[str, Any]) -> pd.DataFrame:
    """Combination: k real tissue profiles per condition, the cell level, both, or both with wrong names of conditions.

    Held-out patients are dealt anew in each draw. All other patients are there without label, those of conditions that
    are not compared as well (``unlabeled: all``), as nobody knows which these are, or only those of the conditions
    compared (``unlabeled: conditions``). Variants of both: ``both+line_bulk`` has bulk profiles of lines besides,
    ``both+cells`` single cells; the others change how the levels are brought together.
    """
    settings = config["combination"]
    merged, tissue, cells = _both_levels(obs, settings)
    rng = generator(config["seed"], "combination", row["repeat"])
    chosen: list[str] = []
    train = tissue[tissue["split"] == "train"]
    n_test = settings["n_test"]
    test_rng = generator(config["seed"], "combination", "test", row["repeat"])
    test = tissue.index[tissue["split"] == "test"]
    test_ids = list(test if len(test) <= n_test else test[np.sort(test_rng.permutation(len(test))[:n_test])])
    for condition in settings["conditions"]:
        ids = train.index[(merged[train.index] == condition).to_numpy()]
        chosen.extend(ids[rng.permutation(len(ids))[: row["n_real"]]])
    arm, parts = row["regime"], []
    if row["n_real"] > 0:
        parts.append(_rows(obs, pd.Index(chosen), "train", merged[chosen]))
    if arm != "tissue_only":
        labels = merged[cells.index]
        if arm == "permuted":
            labels = _wrong_names(labels, rng)
        parts.append(_rows(obs, cells.index, "train", labels))
    added = {"both+line_bulk": "line_bulk", "both+offset": "line_bulk", "both+cells": "cell"}.get(arm)
    if added:
        further = obs.index[merged.isin(settings["conditions"]) & (obs["level"] == added)]
        if further.empty:
            raise UserError(
                f"there is no {added.replace('_', ' ')} profile of the conditions compared",
                where="combination.variants",
                remedy=f"add such profiles (a dataset, or prepare.pseudobulk.single_cells), or leave out {arm[5:]}",
            )
        parts.append(_rows(obs, further, "train", merged[further]))
    pool = train.index
    if settings.get("unlabeled", "all") == "all":
        pool = obs.index[(obs["level"] == settings["tissue_level"]) & (obs["split"] == "train")]
    parts.append(_rows(obs, pool.difference(chosen), "unlabeled", ""))
    parts.append(_rows(obs, pd.Index(test_ids), "test", merged[test_ids]))
    return pd.concat(parts)


def held_out_level(obs: pd.DataFrame, row: dict[str, Any], config: dict[str, Any]) -> pd.DataFrame:
    """Held-out level: everything but one condition at one level; real profiles of it there are test and reference.

    Four fifths of the donors are drawn anew in every repeat. Hidden tissue is tested on held-out patients, and its
    training patients are the reference (the ceiling). Lines are not split by the study: of those of the hidden
    condition half are tested and half are the reference, of the others a fifth is tested; mixtures of lines, which hold
    cells of tested lines, are left out. In the arm ``permuted`` the profiles at the other level have labels of other
    donors.
    """
    settings = config["combination"]
    merged, tissue, cells = _both_levels(obs, settings)
    hidden, arm = row["regime"].split("_")
    rng = generator(config["seed"], "held_out_level", row["task"], hidden, row["repeat"])
    patients = tissue[tissue["split"] == "train"]
    patients = patients[patients["donor"].isin(_share_of_donors(patients, merged[patients.index], 0.8, rng))]
    lines = cells[cells["donor"].isin(_share_of_donors(cells, merged[cells.index], 0.8, rng))]
    if hidden == "tissue":
        here, source = patients, lines
        test = tissue[tissue["split"] == "test"]
        test = test.iloc[np.sort(rng.permutation(len(test))[: settings["n_test"]])]
        reference = patients[(merged[patients.index] == row["task"]).to_numpy()]
    else:
        here, source = lines, patients
        cells = cells[~cells["donor"].astype(str).str.startswith(MIXTURE)]
        here = here[here.index.isin(cells.index)]
        mine = cells[(merged[cells.index] == row["task"]).to_numpy()]
        tested = _share_of_donors(mine, merged[mine.index], 0.5, rng)
        reference = mine[~mine["donor"].isin(tested)]
        others = cells[~cells["donor"].isin(set(lines["donor"]) | set(mine["donor"]))]
        test = pd.concat([mine[mine["donor"].isin(tested)], others])
    here = here[(merged[here.index] != row["task"]).to_numpy()]
    labels = merged[source.index]
    if arm == "permuted":
        labels = _permuted(labels, source["donor"], rng)
    return pd.concat(
        [
            _rows(obs, here.index, "train", merged[here.index]),
            _rows(obs, source.index, "train", labels),
            _rows(obs, test.index, "test", merged[test.index]),
            _rows(obs, reference.index, "reference", merged[reference.index]),
        ]
    )


def folds(obs: pd.DataFrame, row: dict[str, Any], config: dict[str, Any]) -> pd.DataFrame:
    """CAMDA and Lacan tracks: folds of all donors, stratified by condition; one is tested, the others train."""
    track = row["purpose"]
    settings = config[track]
    levels = settings["levels"] if "levels" in settings else [settings["level"]]
    inside = obs[obs["level"].isin(levels)]
    condition = inside["condition"].astype(str)
    fewest = inside["donor"].groupby(condition.to_numpy()).nunique()
    if fewest.empty or fewest.min() < settings["folds"]:
        at = " or ".join(map(repr, levels))
        raise UserError(
            f"condition {fewest.idxmin()!r} has {fewest.min()} donors at level {at}, fewer than folds"
            if len(fewest)
            else f"no profile at level {at}",
            where=track,
            remedy=f"lower {track}.folds, choose another level, or exclude the condition",
        )
    repeat, fold = divmod(row["repeat"], settings["folds"])
    seed = derive(config["seed"], track, *([repeat] if repeat else [])) % 2**32
    split = StratifiedGroupKFold(settings["folds"], shuffle=True, random_state=seed)
    train, test = list(split.split(np.zeros(len(inside)), condition, inside["donor"].astype(str)))[fold]
    return pd.concat([_rows(obs, inside.index[train], "train"), _rows(obs, inside.index[test], "test")])


_MEMBERS = {
    "full": full,
    "augmentation": augmentation,
    "privacy": privacy,
    "combination": combination,
    "held_out_level": held_out_level,
    "camda": folds,
    "lacan": folds,
}


def members(obs: pd.DataFrame, rows: list[dict[str, Any]], config: dict[str, Any]) -> pd.DataFrame:
    """Members of every training set in `rows` (all of one purpose): columns of ``contracts.MEMBERS_COLUMNS``.

    Parameters
    ----------
    obs : DataFrame
        ``obs`` of the harmonised profiles with the column ``split``.
    rows : list of dict
        Rows of :func:`.enumerate.training_sets`.
    config : dict
        The study's configuration.
    """
    parts = []
    splits = {0: obs}
    for row in rows:
        repeat = int(row["repeat"]) if row["purpose"] in SPLIT_IN_REPEAT else 0
        if repeat not in splits:
            splits[repeat] = dealt(obs, repeat, config["seed"])
        part = _MEMBERS[row["purpose"]](splits[repeat], row, config)
        part.insert(0, "training_set", row["training_set"])
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)[list(MEMBERS_COLUMNS)]
    for column in ("training_set", "role", "condition"):
        table[column] = table[column].astype("category")
    return table
