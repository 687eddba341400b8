"""Fidelity: is the synthetic cohort like patients whom the generator has never seen?

The held-out profiles of a repeat are cut into two halves by donor. Each half is in turn the reality that synthetic
profiles are compared with, and the other half is the ceiling, what real profiles of other patients reach
(``generator`` = ``real``). Synthetic profiles are thinned to the size and the conditions of the half that they stand in
for, since every neighbour distance, test and correlation depends on the number of rows.

Metrics ending in ``_train`` are against training profiles: there, a photocopier is perfect.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import anndata as ad
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
from ..shared.profiles import Profiles

#: Principal components in which Fréchet distance and MMD are taken.
COMPONENTS = 20
#: Profiles of a condition in each half from which on it gets rows of its own.
FEWEST_OF_CONDITION = 10


def fidelity(given: ScoreInputs) -> pd.DataFrame:
    """Fidelity of one generator, or of real profiles (``generator="real"``), on each training set.

    Evaluation table; rows with the task ``condition:<name>`` are about one condition.
    """
    settings, path = given.settings, given.settings.get("gene_sets")
    sets = set_matrix(read_gene_sets(path), given.profiles.var["symbol"]) if path else None
    kinds = described(given.profiles)
    rows: list[dict[str, Any]] = []
    for row in given.rows:
        name = row["training_set"]
        scaler, train, test = standardised(*(given.real(name, role) for role in ("train", "test")))
        made = None
        if given.generator != "real":
            made = Profiles.of(given.synthetic[name].X, given.synthetic[name].obs, scaler)
        own = derive(given.seed, "fidelity", row["repeat"])
        values = likeness(train, test, made, k=settings["neighbours"], seed=own, sets=sets, kinds=kinds)
        rows += [given.keys(row) | {"task": task, "metric": metric, "value": v} for (task, metric), v in values.items()]
    return evaluation_table(rows)


def standardised(seen: ad.AnnData, held_out: ad.AnnData) -> tuple[Scaler, Profiles, Profiles]:
    """Scale of the profiles of donors that a generator saw; these, and those of others of the same classes, on it."""
    scaler = Scaler(by_level=True).fit(np.asarray(seen.X), seen.obs)
    held_out = held_out[np.isin(held_out.obs["level"].to_numpy(dtype=str), list(scaler.mean))]
    train, test = (Profiles.of(part.X, part.obs, scaler) for part in (seen, held_out))
    return scaler, train, test[np.isin(test.classes, train.classes)]


def halved(
    test: Profiles, made: Profiles | None, seed: int
) -> Iterator[tuple[Profiles, Profiles, np.random.Generator]]:
    """Each half of `test` as the reality, what stands in for it, and the generator of further random choices.

    The other half stands in where `made` is None; else as many of these, of the classes of the other half.
    """
    halves = donor_halves(test.donor, test.classes, random_generator(seed, "donors"))
    for number, (here, there) in enumerate((halves, halves[::-1])):
        rng = random_generator(seed, "half", number)
        yield (
            test[here],
            test[there] if made is None else made[matched_subset(made.classes, test.classes[there], rng)],
            rng,
        )


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

    By task (None: all; ``condition:<name>``) and metric.

    Parameters
    ----------
    train, test : Profiles
        Standardised profiles of donors that the generator saw and of others, of the same classes.
    made : Profiles or None
        Synthetic ones.
    sets : ndarray of bool (sets × genes), optional
        Gene sets, for the recovery of pathways.
    kinds : mapping of str, optional
        Covariates and their kinds.
    """
    parts = []
    follow_up_of = follow_up(kinds or {})
    others = {name: kind for name, kind in (kinds or {}).items() if kind not in (TIME, EVENT)}
    for number, (reality, stand_in, rng) in enumerate(halved(test, made, seed)):
        values = compare(train, reality, stand_in, k, rng, seed, sets)
        values |= covariate_recovery(*((part.x, part.obs) for part in (train, reality, stand_in)), others)
        if follow_up_of:
            followed = (patients(part, follow_up_of) for part in (reality, stand_in))
            values |= survival_recovery(*followed, random_generator(seed, "survival", number))
        found: dict[tuple[str | None, str], float] = {(None, metric): v for metric, v in values.items()}
        for condition in np.unique(reality.condition):
            left, right = reality[reality.condition == condition], stand_in[stand_in.condition == condition]
            if min(len(left), len(right)) >= FEWEST_OF_CONDITION:
                found |= {(f"condition:{condition}", m): v for m, v in _of_condition(left, right, rng).items()}
        parts.append(found)
    means = {}
    for key in dict.fromkeys(key for part in parts for key in part):
        both = np.array([part[key] for part in parts if key in part])
        means[key] = float(np.nanmean(both)) if np.isfinite(both).any() else float("nan")
    return means


def patients(profiles: Profiles, columns: tuple[str, str]) -> Patients:
    """Profiles whose follow-up is known, one of each donor and class: several of a patient are no evidence."""
    known = profiles[profiles.obs[list(columns)].notna().all(axis=1).to_numpy()]
    first = ~pd.DataFrame({"donor": known.donor, "class": known.classes}).duplicated().to_numpy()
    own = known[first]
    time, event = (own.obs[name].to_numpy(np.float64) for name in columns)
    return Patients(own.x, time, event, own.classes)


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
    both, classes = (reality.x, stand_in.x), (reality.classes, stand_in.classes)
    genes = scored_genes(train.x.shape[1], rng)
    scored = [x[:, genes] for x in both]
    out["correlation_score"] = correlation_score(*scored)
    out["correlation_score_within"] = correlation_score(*scored, *classes)
    out["correlation_error_within"] = correlation_error(*scored, *classes)
    out |= gene_marginals(*both)
    out["discriminator_auc"] = discriminator_auc(reality.x, stand_in.x, reality.donor, seed)
    out["memorisation_share"] = memorisation_share(stand_in.x, train.x)
    out["closer_to_train_share"] = closer_to_train_share(stand_in.x, train.x, reality.x, train.classes, reality.classes)
    out |= differential_recovery(*both, *classes)
    out |= discovery(*both, *classes, sets=sets, genes=genes)
    if sets is not None:
        out |= pathway_recovery(*both, *classes, sets)
    if len(np.unique(stand_in.classes)) > 1:
        out["attribution_overlap"] = attribution_overlap(*both, *classes)
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
