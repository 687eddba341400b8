"""How well the source of a profile can be told from its values, condition by condition."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from .batch import group_of, scope_of

#: Donors of each source that a group needs to be judged.
MIN_DONORS = 5
#: Components that the classifier sees.
COMPONENTS = 20
#: Profiles of a source of a group at most; more change the AUC by little.
MOST = 300
COLUMNS = ("level", "condition", "source", "other_source", "n", "n_other", "pc1_auc", "classifier_auc", "shift")


def source_signal(x: np.ndarray, obs: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """AUC of telling two sources of one condition and level apart, by the first component and by a classifier.

    .5: the sources cannot be told apart; 1: they can be, without error. The first principal component (of genes with
    mean 0 and sd 1) needs no fit to the sources; the classifier (logistic regression on 20 components) is
    cross-validated by donor. Cultured cells are compared per condition, all lines together.

    Parameters
    ----------
    x : ndarray (profiles × genes)
        log2 expression.
    obs : DataFrame
        ``source``, ``donor``, ``condition``, ``level``.
    seed : int
        Of the folds, and of the choice where a source has more than 300 profiles.

    Returns
    -------
    DataFrame
        Columns :data:`COLUMNS`; `shift` is the mean absolute difference of the two sources' gene means, log2 units.
        The rows where the sources are told apart best come first.
    """
    rows = []
    level, condition, source = (obs[c].astype(str).to_numpy() for c in ("level", "condition", "source"))
    donor = obs["donor"].astype(str).to_numpy()
    tissue = scope_of(obs) == "tissue"
    lines = group_of(obs)
    for name, kind in sorted(set(zip(level, condition, strict=True))):
        inside = np.flatnonzero((level == name) & (condition == kind))
        for first, second in combinations(np.unique(source[inside]), 2):
            chosen = [inside[source[inside] == one] for one in (first, second)]
            if not tissue[inside[0]]:  # the same lines, or lines would be told apart in the place of sources
                both = np.intersect1d(*(lines[part] for part in chosen))
                chosen = [part[np.isin(lines[part], both)] for part in chosen]
            if min(len(np.unique(donor[part])) for part in chosen) < (MIN_DONORS if tissue[inside[0]] else 3):
                continue
            rng = np.random.default_rng(seed)
            chosen = [np.sort(rng.permutation(part)[:MOST]) for part in chosen]
            part = np.concatenate(chosen)
            truth = np.repeat([0, 1], [len(c) for c in chosen])
            values = np.asarray(x[part], dtype=np.float64)
            means = [values[truth == one].mean(axis=0) for one in (0, 1)]
            rows.append(
                {
                    "level": name, "condition": kind, "source": first, "other_source": second,
                    "n": len(chosen[0]), "n_other": len(chosen[1]),
                    "pc1_auc": _first_component(values, truth),
                    "classifier_auc": _classifier(values, truth, donor[part], seed),
                    "shift": float(np.abs(means[1] - means[0]).mean()),
                }
            )  # fmt: skip
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.sort_values(["pc1_auc", "level", "condition"], ascending=[False, True, True], ignore_index=True)


def _first_component(x: np.ndarray, truth: np.ndarray) -> float:
    score = PCA(1, svd_solver="full").fit_transform(StandardScaler().fit_transform(x))[:, 0]
    auc = float(roc_auc_score(truth, score))
    return max(auc, 1 - auc)  # the sign of a component means nothing


def _classifier(x: np.ndarray, truth: np.ndarray, donor: np.ndarray, seed: int) -> float:
    """Cross-validated AUC; donors of both sources (lines, or a patient in two datasets) are on one side of a split."""
    folds = min(5, *(len(np.unique(donor[truth == one])) for one in (0, 1)))
    size = int(min(COMPONENTS, len(x) * (folds - 1) // folds - 1, x.shape[1]))
    model = make_pipeline(
        StandardScaler(), PCA(size, svd_solver="full"), LogisticRegression(C=0.1, max_iter=2000, random_state=seed)
    )
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    score = cross_val_predict(model, x, truth, groups=donor, cv=split, method="decision_function")
    return float(roc_auc_score(truth, score))
