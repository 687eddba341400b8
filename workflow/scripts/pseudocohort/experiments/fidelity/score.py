"""Fidelity: is the synthetic cohort like patients whom the generator has never seen?

The held-out profiles of a repeat are cut into two halves by donor. Each half is in turn the reality that synthetic
profiles are compared with, and the other half is the ceiling, what real profiles of other patients reach
(``generator`` = ``real``). Synthetic profiles are thinned to the size and the conditions of the half that they stand in
for, since every neighbour distance, test and correlation depends on the number of rows.

Metrics ending in ``_train`` are against training profiles: there, a photocopier is perfect.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from ...core.io import evaluation_table
from ...core.seeds import derive
from ...core.seeds import generator as random_generator
from ...core.survival import EVENT, TIME, follow_up
from ...generators.fit.covariates import described
from ...metrics.adversarial import adversarial_accuracy, matched_adversarial_accuracy
from ...metrics.correlation import correlation_error, correlation_score, scored_genes
from ...metrics.covariate_recovery import covariate_recovery
from ...metrics.differential import differential_recovery
from ...metrics.discovery import attribution_overlap, discovery
from ...metrics.discriminator import discriminator_auc
from ...metrics.memorisation import closer_to_train_share, memorisation_share
from ...metrics.moments import frechet_distance, gene_marginals, maximum_mean_discrepancy
from ...metrics.pathways import pathway_recovery, read_gene_sets, set_matrix
from ...metrics.prdc import precision_recall_density_coverage
from ...metrics.sizes import donor_halves, matched_subset
from ...metrics.survival import Patients, survival_recovery
from ...prepare.scale import Scaler
from ..shared.classifiers import transferred_accuracy
from ..shared.inputs import ScoreInputs
from ..shared.split_guard import Members, check_no_leak

#: Principal components in which Fréchet distance and MMD are taken.
COMPONENTS = 20
#: Profiles of a condition in each half from which on it gets rows of its own.
FEWEST_OF_CONDITION = 10


@dataclass
class Profiles:
    """Standardised profiles (n × genes) with their class (condition and level), condition, donor and annotation."""

    x: np.ndarray
    classes: np.ndarray
    condition: np.ndarray
    donor: np.ndarray
    obs: pd.DataFrame

    def __getitem__(self, rows: np.ndarray) -> Profiles:
        return Profiles(self.x[rows], self.classes[rows], self.condition[rows], self.donor[rows], self.obs.iloc[rows])

    def __len__(self) -> int:
        return len(self.x)

    @classmethod
    def of(cls, x: np.ndarray, obs: pd.DataFrame, scaler: Scaler) -> Profiles:
        condition = obs["condition"].astype(str).to_numpy()
        classes = np.char.add(np.char.add(condition.astype(str), "|"), obs["level"].to_numpy(dtype=str))
        donor = obs["donor"].to_numpy(dtype=str) if "donor" in obs else np.arange(len(obs)).astype(str)
        return cls(scaler.transform(np.asarray(x), obs), classes, condition, donor, obs)


def fidelity(given: ScoreInputs) -> pd.DataFrame:
    """Fidelity of one generator, or of real profiles (``generator="real"``), on each training set.

    Parameters
    ----------
    given : ScoreInputs

    Returns
    -------
    DataFrame
        Evaluation table; rows with the task ``condition:<name>`` are about one condition.
    """
    profiles, synthetic, members = given.profiles, given.synthetic, given.members
    generator, settings, seed = given.generator, given.settings, given.seed
    check_no_leak(profiles, members)
    index = Members(profiles, members)
    path = settings.get("gene_sets")
    sets = set_matrix(read_gene_sets(path), profiles.var["symbol"]) if path else None
    kinds = described(profiles)
    rows: list[dict[str, Any]] = []
    for row in given.training_sets.to_dict("records"):
        name = row["training_set"]
        real = {role: profiles[index.of(name, role)[0]] for role in ("train", "test")}
        scaler = Scaler(by_level=True).fit(np.asarray(real["train"].X), real["train"].obs)
        trained = np.isin(real["test"].obs["level"].to_numpy(dtype=str), list(scaler.mean))
        train = Profiles.of(real["train"].X, real["train"].obs, scaler)
        test = Profiles.of(real["test"].X[trained], real["test"].obs[trained], scaler)
        test = test[np.isin(test.classes, train.classes)]
        made = None
        if generator != "real":
            made = Profiles.of(synthetic[name].X, synthetic[name].obs, scaler)
        keys = {"study": given.study, "generator": generator, "repeat": row["repeat"], "seed": row["seed"]}
        own = derive(seed, "fidelity", row["repeat"])
        values = likeness(train, test, made, k=settings["neighbours"], seed=own, sets=sets, kinds=kinds)
        rows += [keys | {"task": task, "metric": metric, "value": v} for (task, metric), v in values.items()]
    return evaluation_table(rows)


def likeness(
    train: Profiles,
    test: Profiles,
    made: Profiles | None,
    *,
    k: int,
    seed: int,
    sets: np.ndarray | None = None,
    kinds: Mapping[str, str] | None = None,
) -> dict[tuple[str | None, str], float]:
    """Metrics of `made`, or of real profiles where it is None, on average over both halves of `test` as reality.

    Parameters
    ----------
    train, test : Profiles
        Standardised profiles of donors that the generator saw and of others, of the same classes.
    made : Profiles or None
        Synthetic ones.
    k : int
        Neighbours.
    seed : int
        Of the halves and of the discriminator.
    sets : ndarray of bool (sets × genes), optional
        Gene sets, for the recovery of pathways.
    kinds : mapping of str, optional
        Covariates and their kinds.

    Returns
    -------
    dict of float
        By task (None: all; ``condition:<name>``) and metric.
    """
    return _average(list(_halves(train, test, made, k, seed, sets, kinds or {})))


def _average(parts: list[dict[tuple[str | None, str], float]]) -> dict[tuple[str | None, str], float]:
    keys = dict.fromkeys(key for part in parts for key in part)
    out = {}
    for key in keys:
        values = np.array([part[key] for part in parts if key in part])
        out[key] = float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
    return out


def _halves(
    train: Profiles,
    test: Profiles,
    made: Profiles | None,
    k: int,
    seed: int,
    sets: np.ndarray | None,
    kinds: Mapping[str, str],
) -> Iterator[dict[tuple[str | None, str], float]]:
    """Scores with each half of the held-out profiles as reality."""
    for number, (here, there) in enumerate(_both_ways(test, seed)):
        rng, rng_of_floor = random_generator(seed, "half", number), random_generator(seed, "survival", number)
        stand_in = test[there] if made is None else made[matched_subset(made.classes, test.classes[there], rng)]
        reality = test[here]
        values: dict[tuple[str | None, str], float] = {
            (None, metric): v for metric, v in compare(train, reality, stand_in, k, rng, seed, sets).items()
        }
        others = {name: kind for name, kind in kinds.items() if kind not in (TIME, EVENT)}
        found = covariate_recovery(*((part.x, part.obs) for part in (train, reality, stand_in)), others)
        if columns := follow_up(kinds):
            found |= survival_recovery(_patients(reality, columns), _patients(stand_in, columns), rng_of_floor)
        values |= {(None, metric): v for metric, v in found.items()}
        for condition in np.unique(reality.condition):
            left, right = reality[reality.condition == condition], stand_in[stand_in.condition == condition]
            if min(len(left), len(right)) >= FEWEST_OF_CONDITION:
                values |= {(f"condition:{condition}", m): v for m, v in _of_condition(left, right, rng).items()}
        yield values


def _patients(profiles: Profiles, columns: tuple[str, str]) -> Patients:
    """Follow-up of profiles, one of each donor and class: several of a patient are no evidence of their own."""
    first = ~pd.DataFrame({"donor": profiles.donor, "class": profiles.classes}).duplicated().to_numpy()
    own = profiles[np.flatnonzero(first)]
    time, event = (own.obs[name].to_numpy(np.float64) for name in columns)
    return Patients(own.x, time, event, own.classes)


def _both_ways(test: Profiles, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    a, b = donor_halves(test.donor, test.classes, random_generator(seed, "donors"))
    yield a, b
    yield b, a


def compare(
    train: Profiles,
    reality: Profiles,
    stand_in: Profiles,
    k: int,
    rng: np.random.Generator,
    seed: int,
    sets: np.ndarray | None = None,
) -> dict[str, float]:
    """Metrics of likeness of `stand_in` to `reality`, and of copying from `train`.

    Parameters
    ----------
    train, reality, stand_in : Profiles
        Standardised profiles that the generator saw, that it did not see, and that it made.
    k : int
        Neighbours; fewer where there are few profiles.
    rng : Generator
        Of the size-matched subsets.
    seed : int
        Of the discriminator.
    sets : ndarray of bool (sets × genes), optional
        Gene sets, for the recovery of pathways.
    """
    k = max(1, min(k, len(reality) - 2, len(stand_in) - 2))
    out = precision_recall_density_coverage(reality.x, stand_in.x, k)
    seen = train[matched_subset(train.classes, reality.classes, rng)]
    out |= {f"{m}_train": v for m, v in precision_recall_density_coverage(seen.x, stand_in.x, k).items()}
    held_out = adversarial_accuracy(reality.x, stand_in.x)
    trained = matched_adversarial_accuracy(train.x, stand_in.x, train.classes, stand_in.classes, rng)
    out |= {"aa_test": held_out["aa"]}
    out |= {f"aa_test_{half}": held_out[half] for half in ("truth_half", "synthetic_half")}
    out |= {"aa_train": trained["aa"], "aa_privacy_loss": held_out["aa"] - trained["aa"]}
    components = PCA(min(COMPONENTS, len(train) - 1), random_state=seed % 2**31).fit(train.x)
    left, right = components.transform(reality.x), components.transform(stand_in.x)
    out |= {"frechet": frechet_distance(left, right), "mmd": maximum_mean_discrepancy(left, right)}
    genes = scored_genes(train.x.shape[1], rng)
    out["correlation_score"] = correlation_score(reality.x[:, genes], stand_in.x[:, genes])
    out["correlation_score_within"] = correlation_score(
        reality.x[:, genes], stand_in.x[:, genes], reality.classes, stand_in.classes
    )
    out["correlation_error_within"] = correlation_error(
        reality.x[:, genes], stand_in.x[:, genes], reality.classes, stand_in.classes
    )
    out |= gene_marginals(reality.x, stand_in.x)
    out["discriminator_auc"] = discriminator_auc(reality.x, stand_in.x, reality.donor, seed)
    out["memorisation_share"] = memorisation_share(stand_in.x, train.x)
    out["closer_to_train_share"] = closer_to_train_share(stand_in.x, train.x, reality.x, train.classes, reality.classes)
    out |= differential_recovery(reality.x, stand_in.x, reality.classes, stand_in.classes)
    out |= discovery(reality.x, stand_in.x, reality.classes, stand_in.classes, sets=sets, genes=genes)
    if sets is not None:
        out |= pathway_recovery(reality.x, stand_in.x, reality.classes, stand_in.classes, sets)
    if len(np.unique(stand_in.classes)) > 1:
        out["attribution_overlap"] = attribution_overlap(reality.x, stand_in.x, reality.classes, stand_in.classes)
        out["tstr_balanced_accuracy"] = transferred_accuracy(stand_in.x, stand_in.classes, reality.x, reality.classes)
    return out


def _of_condition(reality: Profiles, stand_in: Profiles, rng: np.random.Generator) -> dict[str, float]:
    genes = scored_genes(reality.x.shape[1], rng)
    score = correlation_score(reality.x[:, genes], stand_in.x[:, genes], reality.classes, stand_in.classes)
    k = max(1, min(5, len(reality) - 2, len(stand_in) - 2))
    return {
        "correlation_score_within": score,
        "coverage": precision_recall_density_coverage(reality.x, stand_in.x, k)["coverage"],
        **gene_marginals(reality.x, stand_in.x),
    }
