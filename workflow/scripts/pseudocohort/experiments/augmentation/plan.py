"""Training sets of augmentation: n real profiles, and what a generator sees beside them in each regime."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from ...core.errors import UserError
from ...core.seeds import generator
from ..shared.plan import Roles, generators_of, in_proportion, in_task, nested_order, rows, task_label
from ..shared.splits import dealt


def check(config: dict[str, Any], datasets: dict[str, dict[str, Any]]) -> None:
    """Refuse a study without tasks."""
    if not config["augmentation"]["tasks"]:
        raise UserError(
            "no task is defined",
            where="augmentation.tasks",
            remedy="define one, e.g. tasks: {subtype: {label: [condition], levels: [tumour]}}, or leave augmentation "
            "out of experiments, which has it by default",
        )


def training_sets(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """For each task, repeat, regime and number of real profiles."""
    settings = config["augmentation"]
    generators = generators_of(config, "augmentation")
    # The real rows of `same_n` are the classifier's rows in every regime, so that its sets exist even where it is not
    # among the regimes; then no generator is trained on them.
    regimes = settings["regimes"] if "same_n" in settings["regimes"] else ["same_n", *settings["regimes"]]
    for task in settings["tasks"]:
        for repeat in range(settings["repeats"]):
            for regime in regimes:
                # What an oracle sees does not depend on n: it is trained once per repeat and serves every n.
                for n_real in [-1] if regime == "oracle" else settings["n_real"]:
                    size = "all" if n_real == -1 else f"n{n_real}"
                    yield {
                        "training_set": f"aug-{task}-{regime}-{size}-r{repeat}",
                        "task": task,
                        "regime": regime,
                        "n_real": n_real,
                        "repeat": repeat,
                        "generators": generators if regime in settings["regimes"] else [],
                    }
            # Sizes at which only the curve of real profiles alone is known.
            for n_real in sorted(set(settings["curve"]) - set(settings["n_real"])):
                yield {
                    "training_set": f"aug-{task}-same_n-n{n_real}-r{repeat}",
                    "task": task,
                    "regime": "same_n",
                    "n_real": n_real,
                    "repeat": repeat,
                    "generators": [],
                }


def members(obs: pd.DataFrame, row: dict[str, Any], config: dict[str, Any]) -> pd.DataFrame:
    """What the generator sees in a regime, and the profiles of the task held out in the repeat.

    ``same_n``: the n real rows; ``oracle``: the whole training pool; ``unlabeled``: the n rows and the rest of the pool
    without labels; ``transfer``: the n rows and every training profile outside the task (other conditions or levels).
    """
    task = config["augmentation"]["tasks"][row["task"]]
    obs = dealt(obs, row, config)
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
    parts = [rows(obs, pool if row["regime"] == "oracle" else chosen, "train")]
    if row["regime"] == "unlabeled":
        parts.append(rows(obs, pool.difference(chosen), "unlabeled", ""))
    if row["regime"] == "transfer":
        parts.append(rows(obs, obs.index[~inside & trainable], "train"))
    return pd.concat([*parts, rows(obs, test, "test")])


def request(
    row: dict[str, Any], roles: Roles, config: dict[str, Any], rng: np.random.Generator, *, private: bool
) -> pd.DataFrame:
    """The largest number of synthetic profiles, in the proportions of the task's real ones; less is a prefix."""
    task = config["augmentation"]["tasks"][row["task"]]
    target = roles.requests("train")[in_task(roles.obs.loc[roles.ids("train")], task).to_numpy()]
    return in_proportion(target.reset_index(drop=True), max(config["augmentation"]["n_synthetic"]), rng)
