"""CAMDA track: the protocol and the eight metrics of the CAMDA / ELSA Health Privacy Challenge, and ours beside them.

Five folds by donor, stratified by condition; a generator sees four of them and gives as many profiles as it saw, in the
same class counts; everything is scored on the fifth (PMBio/Health-Privacy-Challenge, ``src/evaluation``). Their metrics
are taken on unscaled log expression, as theirs are on unscaled VST.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, average_precision_score, balanced_accuracy_score, f1_score
from sklearn.model_selection import train_test_split
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import label_binarize

from ...core.io import evaluation_table
from ...core.seeds import derive
from ...core.seeds import generator as random_generator
from ...metrics.neighbours import nearest
from ...prepare.scale import Scaler
from ..fidelity.score import compare
from ..shared.inputs import ScoreInputs
from ..shared.profiles import Profiles, stand_ins

#: Genes with the largest positive coefficients of each class that make the important features.
TOP = 10
#: Published rows for the challenge's own matrix (978 landmark genes, VST), accuracy and macro AP: PMBio README and the
#: result files of the teams (CAMDA 2025). Another matrix than any of ours: to be read beside, not against.
PUBLISHED = {
    "real to real": (0.865, 0.866),
    "MVN (1.5 Σ)": (0.8476, 0.8415),
    "CVAE": (0.8348, 0.8396),
    "Private-PGM without DP": (0.8209, 0.7834),
    "NoisyDiffusion": (0.7778, 0.7585),
    "CTGAN": (0.2112, 0.2260),
}


def _values(profiles: ad.AnnData) -> tuple[np.ndarray, np.ndarray]:
    """Expression and condition."""
    return np.asarray(profiles.X, np.float64), profiles.obs["condition"].astype(str).to_numpy()


def _classifier(x: np.ndarray, y: np.ndarray) -> OneVsRestClassifier:
    return OneVsRestClassifier(LogisticRegression(max_iter=1000)).fit(x, y)


def _scores(model: OneVsRestClassifier, x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Accuracy, balanced accuracy and macro average precision over the classes of `y`."""
    classes = model.classes_
    truth = label_binarize(y, classes=classes)
    truth = np.column_stack([1 - truth, truth]) if truth.shape[1] == 1 else truth
    score = model.predict_proba(x)
    seen = truth.any(0)
    return {
        "accuracy": float(accuracy_score(y, model.predict(x))),
        "balanced_accuracy": float(balanced_accuracy_score(y, model.predict(x))),
        "auprc": float(average_precision_score(truth[:, seen], score[:, seen], average="macro")),
    }


def important_features(model: OneVsRestClassifier) -> set[int]:
    """Union over classes of the ten features with the largest positive coefficients."""
    out: set[int] = set()
    for part in model.estimators_:
        weight = part.coef_[0]
        top = np.argsort(weight)[::-1][:TOP]
        out |= {int(i) for i in top if weight[i] > 0}
    return out


def mmd_rbf(a: np.ndarray, b: np.ndarray) -> float:
    """Unbiased squared MMD with the kernel exp(-d² / genes), on unscaled values."""
    gamma, n, m = 1 / a.shape[1], len(a), len(b)
    within_a, within_b, between = (np.exp(-gamma * cdist(x, y, "sqeuclidean")) for x, y in ((a, a), (b, b), (a, b)))
    return float((within_a.sum() - n) / (n * (n - 1)) + (within_b.sum() - m) / (m * (m - 1)) - 2 * between.mean())


def discriminative_f1(train: np.ndarray, made: np.ndarray, test: np.ndarray, seed: int) -> float:
    """F1 of the class "real" of a logistic regression, on 30 % of both sets and the held-out real profiles.

    With more real than synthetic profiles in the test a coin flip scores about .56, and saying "real" always .79; being
    linear, it cannot tell a wrong covariance.
    """
    x, y = np.concatenate([train, made]), np.r_[np.ones(len(train)), np.zeros(len(made))]
    seen, unseen, of_seen, of_unseen = train_test_split(x, y, test_size=0.3, stratify=y, random_state=seed % 2**32)
    model = LogisticRegression(max_iter=1000).fit(seen, of_seen)
    truth = np.r_[of_unseen, np.ones(len(test))]
    return float(f1_score(truth, model.predict(np.concatenate([unseen, test]))))


def camda(given: ScoreInputs) -> pd.DataFrame:
    """Score one generator, or real profiles (``generator="real"``), in every fold.

    Of the generator ``real``: classifiers trained on the real profiles of the four folds; for the metrics of likeness,
    one half of the held-out fold against the other.

    Evaluation table, a fold per ``repeat``. The challenge's: ``accuracy``, ``auprc``, ``feature_overlap``,
    ``mmd_challenge``, ``discriminative_f1``, ``dcr``, ``dcr_base``; the rest are those of fidelity.
    """
    rows: list[dict[str, Any]] = []
    for row in given.rows:
        name = row["training_set"]
        real = {role: given.real(name, role) for role in ("train", "test")}
        (x, y), (x_test, y_test) = map(_values, real.values())
        of_real = _classifier(x, y)
        seed = derive(given.seed, "camda", row["repeat"])
        made = None if given.generator == "real" else given.synthetic[name]
        if made is None:
            values = _scores(of_real, x_test, y_test) | {"dcr_base": float(nearest(x, x, exclude_self=True).mean())}
        else:
            x_made, y_made = _values(made)
            of_made = _classifier(x_made, y_made)
            values = _scores(of_made, x_test, y_test)
            values["feature_overlap"] = float(len(important_features(of_made) & important_features(of_real)))
            values["mmd_challenge"] = mmd_rbf(x_made, x_test)
            values["discriminative_f1"] = discriminative_f1(x, x_made, x_test, seed)
            values["dcr"] = float(nearest(x_made, x).mean())
        values |= _likeness(real, made, given.settings["neighbours"], seed)
        keys = given.keys(row) | {"level": given.settings["level"]}
        rows += [keys | {"metric": metric, "value": value} for metric, value in values.items()]
    return evaluation_table(rows)


def _likeness(real: Mapping[str, ad.AnnData], made: ad.AnnData | None, k: int, seed: int) -> dict[str, float]:
    """Fidelity of profiles against the held-out fold."""
    scaler = Scaler(by_level=True).fit(np.asarray(real["train"].X), real["train"].obs)
    train, test = (Profiles.of(real[role].X, real[role].obs, scaler) for role in ("train", "test"))
    rng = random_generator(seed, "likeness")
    reality, stand_in = stand_ins(test, None if made is None else Profiles.of(made.X, made.obs, scaler), rng)
    return compare(train, reality, stand_in, k, rng, seed)
