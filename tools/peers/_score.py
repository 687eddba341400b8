"""Scores of one cohort, by the referee of this project."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn import config_context
from sklearn.decomposition import PCA

from pseudocohort.core.seeds import derive
from pseudocohort.experiments.fidelity.score import COMPONENTS, Profiles
from pseudocohort.experiments.shared.classifiers import balanced_accuracy, choose_baseline, fit_predict
from pseudocohort.experiments.shared.estimators import BEST
from pseudocohort.experiments.shared.standardise import moderated_scale
from pseudocohort.generators.fit.detection import DetectionLimits
from pseudocohort.metrics.copies import copied_donors
from pseudocohort.metrics.correlation import correlation_error, correlation_score
from pseudocohort.metrics.discovery import attribution_overlap, discovery
from pseudocohort.metrics.discriminator import discriminator_auc
from pseudocohort.metrics.moments import maximum_mean_discrepancy
from pseudocohort.metrics.pathways import read_gene_sets, set_matrix
from pseudocohort.metrics.prdc import precision_recall_density_coverage
from pseudocohort.metrics.sizes import matched_subset
from pseudocohort.prepare.scale import Scaler
from pseudocohort.referee import measure
from pseudocohort.referee.cohorts import FACTORS, Cohort

from ._data import Matrix

#: Attacks that have a column of their own; the strongest of all attacks has one as well.
ATTACKS = {"nearest_neighbour": "attack_nearest", "gaussian_likelihood_ratio": "attack_ratio"}


def cohort(matrix: Matrix, role: str) -> Cohort:
    """Real profiles as the referee takes them."""
    obs = pd.DataFrame({"condition": matrix.classes.astype(str), "donor": matrix.donors.astype(str)})
    return Cohort(
        role, matrix.x.to_numpy(np.float32), matrix.x.columns, obs.set_index(matrix.x.index.astype(str)), role
    )


def synthetic(x: np.ndarray, classes: np.ndarray, genes: pd.Index) -> Cohort:
    """Made profiles as the referee takes them: below 0 there is no log2(x + 1)."""
    names = pd.Index([f"made{i}" for i in range(len(x))])
    obs = pd.DataFrame({"condition": classes.astype(str), "donor": names}, index=names)
    return Cohort("synthetic", np.maximum(x, 0).astype(np.float32), genes, obs, "synthetic")


def with_floors(made: Cohort, train: Cohort) -> Cohort:
    """The cohort with this project's limits of detection: its lowest values of a gene become the gene's floor."""
    level = {"level": FACTORS["level"]}
    limits = DetectionLimits.fit(train.x, train.obs.assign(**level), lambda _: made.x)
    changed = made.rows(slice(None))
    changed.x = limits.apply(made.x, made.obs.assign(**level))
    return changed


def sets_of(matrix: Matrix, path: Path | None) -> np.ndarray | None:
    """Gene sets (sets × genes) of a GMT file."""
    return None if path is None else set_matrix(read_gene_sets(path), matrix.symbols)


def teacher(train: Cohort, seed: int) -> tuple[str, float]:
    """Classifier and setting that inner cross-validation on the training profiles prefers, as the referee has it."""
    mean, sd = moderated_scale(train.x)
    choice = choose_baseline((train.x.astype(np.float64) - mean) / sd, train.obs["condition"].to_numpy(), seed)[BEST]
    return choice.name, choice.setting


def _likeness(made: Cohort, train: Cohort, holdout: Cohort, seed: int, sets: np.ndarray | None) -> dict[str, float]:
    """Metrics of the fidelity experiment: as many profiles of each class as are held out, against the held-out ones."""
    given = [c.profiles() for c in (train, holdout, made)]
    scaler = Scaler(by_level=True).fit(given[0].X, given[0].obs)
    seen, reality, stand_in = (Profiles.of(p.X, p.obs, scaler) for p in given)
    rng = np.random.default_rng(seed)
    matched = stand_in[matched_subset(stand_in.classes, reality.classes, rng)]
    out = precision_recall_density_coverage(reality.x, matched.x, measure.NEIGHBOURS)
    components = PCA(min(COMPONENTS, len(seen) - 1), random_state=seed % 2**31).fit(seen.x)
    out["mmd"] = maximum_mean_discrepancy(*(components.transform(part.x) for part in (reality, matched)))
    classes = reality.classes, matched.classes
    out["correlation_score_within"] = correlation_score(reality.x, matched.x, *classes)
    out["correlation_error_within"] = correlation_error(reality.x, matched.x, *classes)
    with config_context(assume_finite=True, skip_parameter_validation=True):
        out["discriminator_auc"] = discriminator_auc(reality.x, matched.x, reality.donor, seed)
    out["attribution_overlap"] = attribution_overlap(reality.x, matched.x, *classes)
    return out | discovery(reality.x, matched.x, *classes, sets=sets)


def _use(made: Cohort, holdout: Cohort, taught_by: tuple[str, float], seed: int) -> float:
    """Balanced accuracy on held-out donors of a classifier that is taught by `made` alone."""
    mean, sd = moderated_scale(made.x)
    x, test = ((c.x.astype(np.float64) - mean) / sd for c in (made, holdout))
    name, setting = taught_by
    said = fit_predict(name, x, made.obs["condition"].to_numpy(), None, test, seed, setting=setting)[0]
    return balanced_accuracy(holdout.obs["condition"].to_numpy(), said)


def scores(
    made: Cohort | None,
    parts: dict[str, Cohort],
    seed: int,
    sets: np.ndarray | None,
    taught_by: tuple[str, float],
    *,
    all_of_it: bool = True,
) -> dict[str, float]:
    """Likeness, use, leakage and discovery of a cohort, or of real profiles of others where it is None.

    Parameters
    ----------
    made : Cohort or None
        None: likeness and leakage are those of the reference's donors, use is that of the training profiles.
    parts : dict of Cohort
        ``train``, ``holdout``, ``reference``.
    seed : int
    sets : ndarray of bool (sets × genes), optional
    taught_by : str, float
        Of :func:`teacher`.
    all_of_it : bool
        False: likeness and discovery alone.
    """
    train, holdout, reference = parts["train"], parts["holdout"], parts["reference"]
    out = _likeness(reference if made is None else made, train, holdout, derive(seed, "likeness"), sets)
    if not all_of_it:
        return out
    out["balanced_accuracy"] = _use(train if made is None else made, holdout, taught_by, derive(seed, "use"))
    attacks = measure.Attacks(train, holdout, reference, derive(seed, "attacks"))
    found = attacks.floor() if made is None else attacks.on(made, measure.SYNTHETIC)
    found = found[(found["regime"] == "audit") & (found["metric"] == "auc")]
    areas = found.set_index("estimator")["value"]
    out |= {column: float(areas[attack]) for attack, column in ATTACKS.items()}
    out["attack_strongest"] = float(areas.max())
    if made is not None:
        exact, near = copied_donors(made.x, train.x, train.obs["donor"].to_numpy())
        out["copies"] = float((exact | near).mean())
    return out
