"""Which training sets a study has: a pure function of its configuration, so that the workflow can plan without data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..core.seeds import derive

#: Arms that hold real tissue profiles with labels, and arms that hold cell-level profiles.
TISSUE_ARMS = ("tissue_only", "both", "permuted")
CELL_ARMS = ("cell_only", "both", "permuted")

#: Before the factor in the task of the training sets that are trained for another length than the settings say.
LENGTH = "training length x"


def _full(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for repeat in range(config["fidelity"]["repeats"]):
        yield {"training_set": f"full-r{repeat}", "repeat": repeat, "generators": config["generators"]}


def _augmentation(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    settings = config["augmentation"]
    generators = settings["generators"] or config["generators"]
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


def _privacy(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    settings = config["privacy"]
    for coin in range(settings["coins"]):
        for prefix, regime in (("priv", "audit"), ("privneg", "negative_control")):
            yield {
                "training_set": f"{prefix}-c{coin}",
                "regime": regime,
                "repeat": coin,
                "generators": settings["generators"] or config["generators"],
            }
    lengths = settings.get("training_lengths", {})
    for factor in sorted({f for factors in lengths.values() for f in factors}):
        for coin in range(settings["coins"]):
            yield {
                "training_set": f"privlen-x{factor:g}-c{coin}",
                "task": f"{LENGTH}{factor:g}",
                "regime": "training_length",
                "repeat": coin,
                "generators": [name for name, factors in lengths.items() if factor in factors],
            }


def length_of(row: dict[str, Any]) -> float:
    """Length of training of a training set's models, in lengths of the generator's settings."""
    task = str(row.get("task"))
    return float(task.removeprefix(LENGTH)) if task.startswith(LENGTH) else 1.0


def _combination(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    settings = config["combination"]
    for draw in range(settings["draws"]):
        generators = settings["generators"] if draw < settings["generator_draws"] else []
        for k in settings["k"]:
            for arm in settings["arms"]:
                # Without real tissue there is nothing tissue-only to train on, and "both" is "cell only".
                if (k == 0 and arm in ("tissue_only", "both")) or (k > 0 and arm == "cell_only"):
                    continue
                yield {
                    "training_set": f"comb-{arm}-k{k}-d{draw}",
                    "regime": arm,
                    "n_real": k,
                    "repeat": draw,
                    "generators": generators,
                }
        if generators:
            for k in settings["variant_k"]:
                for variant in settings["variants"]:
                    yield {
                        "training_set": f"comb-both+{variant}-k{k}-d{draw}",
                        "regime": f"both+{variant}",
                        "n_real": k,
                        "repeat": draw,
                        "generators": generators,
                    }


def _folds(track: str) -> Callable[[dict[str, Any]], Iterator[dict[str, Any]]]:
    """Training sets of a track of folds: all but one of them, and that as often as the folds are dealt anew."""

    def sets(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
        settings = config[track]
        generators = settings["generators"] or config["generators"]
        for repeat in range(settings["repeats"]):
            for fold in range(settings["folds"]):
                name = f"{track}-f{fold}" if repeat == 0 else f"{track}-r{repeat}-f{fold}"
                yield {"training_set": name, "repeat": repeat * settings["folds"] + fold, "generators": generators}

    return sets


def _held_out_level(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    settings = config["held_out_level"]
    for condition in config["combination"]["conditions"]:
        for hidden in settings["hidden"]:
            for arm in ("combined", "permuted"):
                for repeat in range(settings["repeats"]):
                    yield {
                        "training_set": f"held-{hidden}-{arm}-{condition}-r{repeat}",
                        "task": condition,
                        "regime": f"{hidden}_{arm}",
                        "repeat": repeat,
                        "generators": settings["generators"],
                    }


_PURPOSES = {
    "full": ("fidelity", _full),
    "augmentation": ("augmentation", _augmentation),
    "privacy": ("privacy", _privacy),
    "combination": ("combination", _combination),
    "held_out_level": ("held_out_level", _held_out_level),
    "camda": ("camda", _folds("camda")),
    "lacan": ("lacan", _folds("lacan")),
}
#: The evaluation that reads the training sets of a purpose.
EVALUATION_OF_PURPOSE = {purpose: evaluation for purpose, (evaluation, _) in _PURPOSES.items()}
PURPOSE_OF_EVALUATION = {evaluation: purpose for purpose, evaluation in EVALUATION_OF_PURPOSE.items()}


def training_sets(config: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of ``plan/training_sets.tsv`` (columns of ``contracts.TRAINING_SETS_COLUMNS``), in a stable order.

    ``generators`` lists, separated by ``;``, the generators trained on the set; it is empty for sets that only serve
    as real rows of a baseline.
    """
    rows = []
    for purpose, (evaluation, enumerate_sets) in _PURPOSES.items():
        if evaluation not in config["evaluations"]:
            continue
        for row in enumerate_sets(config):
            rows.append(
                {
                    "training_set": row["training_set"],
                    "purpose": purpose,
                    "generators": ";".join(row["generators"]),
                    "task": row.get("task"),
                    "regime": row.get("regime"),
                    "n_real": row.get("n_real"),
                    "repeat": row["repeat"],
                    "seed": derive(config["seed"], row["training_set"]),
                }
            )
    return rows


def batches(config: dict[str, Any], purpose: str, generator: str) -> dict[str, list[str]]:
    """Training sets of each training job of a generator: ``{"b000": [ids], ...}``, ``training.sets_per_job`` a job."""
    ids = [
        row["training_set"]
        for row in training_sets(config)
        if row["purpose"] == purpose and generator in row["generators"].split(";")
    ]
    size = config["training"]["sets_per_job"]
    return {f"b{i // size:03d}": ids[i : i + size] for i in range(0, len(ids), size)}


def alignments(config: dict[str, Any], purpose: str, training_sets_of_job: list[str]) -> dict[str, str]:
    """How the levels are brought together before training, by training set; sets of the usual way are left out.

    Wrong names of conditions (arm ``permuted``) are not checked against labelled profiles, which would reject them.
    """
    if purpose != "combination":
        return {}
    rows = {row["training_set"]: row["regime"] for row in training_sets(config) if row["purpose"] == purpose}
    named = {n: "unguarded" if rows[n] == "permuted" else rows[n].partition("+")[2] for n in training_sets_of_job}
    return {name: variant for name, variant in named.items() if variant not in ("", "line_bulk", "cells")}


def lengths(config: dict[str, Any], ids: list[str]) -> dict[str, float]:
    """Training lengths, other than 1, of the training sets `ids`."""
    wanted = {row["training_set"]: length_of(row) for row in training_sets(config) if row["training_set"] in set(ids)}
    return {name: factor for name, factor in wanted.items() if factor != 1}


def purposes(config: dict[str, Any]) -> list[str]:
    """Purposes that the configured evaluations need."""
    return [p for p, (evaluation, _) in _PURPOSES.items() if evaluation in config["evaluations"]]


def generators_of(config: dict[str, Any], purpose: str) -> list[str]:
    """Generators that are trained for a purpose, in configured order."""
    names: dict[str, None] = {}
    for row in training_sets(config):
        if row["purpose"] == purpose and row["generators"]:
            names.update(dict.fromkeys(row["generators"].split(";")))
    return list(names)
