"""Lacan track: the metrics and the reverse validation of Lacan et al., in the spaces they use and in ours.

Lacan, André, Sebag & Hanczar (2024; BMC Bioinformatics 2026) train a classifier of tissues on synthetic profiles and
test it on real ones, and compare synthetic with training profiles. Their protocol is kept, with every metric a second
time against donors whom no model has seen, and with the folds by donor, since rows of one patient on both sides would
flatter every number. Each metric is taken in three spaces: theirs are linear expression over its largest training
value, which networks see, and linear expression standardised, which classifiers see.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

from ...core.io import evaluation_table
from ...core.seeds import derive
from ...core.seeds import generator as random_generator
from ...metrics.adversarial import matched_adversarial_accuracy
from ...metrics.correlation import correlation_score, scored_genes
from ...metrics.moments import frechet_distance
from ...metrics.prdc import precision_recall_density_coverage
from ...prepare.scale import Scaler
from ..shared.inputs import ScoreInputs
from ..shared.profiles import Profiles, stand_ins
from .published_network import PublishedNetwork

#: Spaces, in the words of the report.
SPACES = {
    "max_abs": "linear, over largest value",
    "z_linear": "linear, standardised",
    "z_log": "log, standardised by level",
}
#: Rows that adversarial accuracy is taken on at most.
MOST_ROWS = 4096
#: Medians of reverse accuracy read from the committed figure ``reverse_accuracy_boxplot.png`` of their code, for their
#: own matrices of landmark genes (GTEx: 26 tissues, reading error .0005; TCGA: 24 tissues, .001).
PUBLISHED = {
    "real": (0.9932, 0.937),
    "VAE": (0.9898, 0.890),
    "WGAN-GP": (0.9880, 0.922),
    "DDPM": (0.9922, 0.927),
    "DDIM": (0.9924, 0.926),
}

Transform = Callable[[np.ndarray, pd.DataFrame], np.ndarray]


def _linear(x: np.ndarray) -> np.ndarray:
    """Expression before log2(x + 1)."""
    return np.maximum(np.exp2(np.asarray(x, dtype=np.float64)) - 1, 0)


def space(name: str, x: np.ndarray, obs: pd.DataFrame) -> Transform:
    """Map of log2 profiles into one of :data:`SPACES`, fitted on training profiles."""
    if name == "z_log":
        return Scaler(by_level=True).fit(np.asarray(x), obs).transform
    scaler = {"max_abs": MaxAbsScaler, "z_linear": StandardScaler}[name]().fit(_linear(x))
    return lambda rows, _: scaler.transform(_linear(rows)).astype(np.float32)


def lacan(given: ScoreInputs) -> pd.DataFrame:
    """Score one generator, or real profiles (``generator="real"``), in every fold and space.

    Of the generator ``real``: the network trained on the training profiles themselves; for the metrics of likeness,
    held-out against training profiles, and one half of the held-out donors against the other.

    Evaluation table, a fold per ``repeat`` and a space per ``estimator``. Metrics ending in ``_train`` are against
    training profiles, as published; ``reverse_accuracy`` is theirs.
    """
    rows: list[dict[str, Any]] = []
    for row in given.rows:
        name = row["training_set"]
        parts = [given.real(name, "train"), given.real(name, "test")]
        parts += [] if given.generator == "real" else [given.synthetic[name]]
        for where in SPACES:
            transform = space(where, np.asarray(parts[0].X), parts[0].obs)
            sets = [Profiles.annotated(transform(np.asarray(part.X), part.obs), part.obs) for part in parts]
            values = _scores(*sets, k=given.settings["neighbours"], seed=derive(given.seed, "lacan", row["repeat"]))
            keys = given.keys(row) | {"estimator": where}
            rows += [keys | {"metric": metric, "value": value} for metric, value in values.items()]
    return evaluation_table(rows)


def _scores(train: Profiles, test: Profiles, made: Profiles | None = None, *, k: int, seed: int) -> dict[str, float]:
    """Their metrics against training profiles, the same against held-out ones, and reverse validation."""
    rng = random_generator(seed, "rows")
    judge = PublishedNetwork(derive(seed, "judge")).fit(train.x, train.condition)
    reverse = judge if made is None else PublishedNetwork(derive(seed, "reverse")).fit(made.x, made.condition)
    said = reverse.predict(test.x)
    out = {
        "reverse_accuracy": float(accuracy_score(test.condition, said)),
        "reverse_balanced_accuracy": float(balanced_accuracy_score(test.condition, said)),
    }
    pairs = {"_train": (train, test if made is None else made), "": stand_ins(test, made, rng)}
    for suffix, (reality, stand_in) in pairs.items():
        out |= {f"{metric}{suffix}": value for metric, value in _likeness(reality, stand_in, judge, k, rng).items()}
    return out


def _likeness(
    reality: Profiles, stand_in: Profiles, judge: PublishedNetwork, k: int, rng: np.random.Generator
) -> dict[str, float]:
    """Precision, recall, density and coverage, adversarial accuracy, correlation scores and Fréchet distance."""
    k = max(1, min(k, len(reality.x) - 2, len(stand_in.x) - 2))
    out = precision_recall_density_coverage(reality.x, stand_in.x, k)
    few, few_made = (part[np.sort(rng.permutation(len(part.x))[:MOST_ROWS])] for part in (reality, stand_in))
    out |= {
        f"aa{'' if name == 'aa' else '_' + name}": value
        for name, value in matched_adversarial_accuracy(few.x, few_made.x, few.classes, few_made.classes, rng).items()
    }
    genes = scored_genes(reality.x.shape[1], rng)
    left, right = reality.x[:, genes], stand_in.x[:, genes]
    out["correlation_score"] = correlation_score(left, right)
    out["correlation_score_within"] = correlation_score(left, right, reality.classes, stand_in.classes)
    out["frechet"] = frechet_distance(judge.features(reality.x), judge.features(stand_in.x))
    return out
