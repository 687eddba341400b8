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

import anndata as ad
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
from ...metrics.sizes import donor_halves, matched_subset
from ...prepare.scale import Scaler
from ..shared.inputs import ScoreInputs
from ..shared.split_guard import Members, check_no_leak
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
    """Map of log2 profiles into one of :data:`SPACES`, fitted on training profiles.

    Parameters
    ----------
    name : str
    x : ndarray (n × genes)
        Training profiles, log2(expression + 1).
    obs : DataFrame
        Their levels.
    """
    if name == "z_log":
        return Scaler(by_level=True).fit(np.asarray(x), obs).transform
    scaler = {"max_abs": MaxAbsScaler, "z_linear": StandardScaler}[name]().fit(_linear(x))
    return lambda rows, _: scaler.transform(_linear(rows)).astype(np.float32)


def lacan(given: ScoreInputs) -> pd.DataFrame:
    """Score one generator, or real profiles (``generator="real"``), in every fold and space.

    Parameters
    ----------
    given : ScoreInputs
        As many synthetic profiles of each condition and level as were trained on. Of the generator ``real``: the
        network trained on the training profiles themselves; for the metrics of likeness, held-out against training
        profiles, and one half of the held-out donors against the other.

    Returns
    -------
    DataFrame
        Evaluation table, a fold per ``repeat`` and a space per ``estimator``. Metrics ending in ``_train`` are against
        training profiles, as published; ``reverse_accuracy`` is theirs.
    """
    profiles, synthetic, members = given.profiles, given.synthetic, given.members
    generator, settings, seed = given.generator, given.settings, given.seed
    check_no_leak(profiles, members)
    index = Members(profiles, members)
    rows: list[dict[str, Any]] = []
    for row in given.training_sets.to_dict("records"):
        name = row["training_set"]
        train, test = (profiles[index.of(name, role)[0]] for role in ("train", "test"))
        made = None if generator == "real" else synthetic[name]
        for where in SPACES:
            transform = space(where, np.asarray(train.X), train.obs)
            own = derive(seed, "lacan", row["repeat"])
            values = _scores(*(_Set.of(part, transform) for part in (train, test, made)), settings["neighbours"], own)
            keys = {
                "study": given.study, "generator": generator, "repeat": row["repeat"], "seed": row["seed"],
                "estimator": where,
            }  # fmt: skip
            rows += [keys | {"metric": metric, "value": value} for metric, value in values.items()]
    return evaluation_table(rows)


class _Set:
    """Profiles in a space (n × genes) with their condition, class (condition and level) and donor."""

    def __init__(self, x: np.ndarray, condition: np.ndarray, classes: np.ndarray, donor: np.ndarray) -> None:
        self.x, self.condition, self.classes, self.donor = x, condition, classes, donor

    def __getitem__(self, rows: np.ndarray) -> _Set:
        return _Set(self.x[rows], self.condition[rows], self.classes[rows], self.donor[rows])

    @classmethod
    def of(cls, profiles: ad.AnnData | None, transform: Transform) -> _Set | None:
        if profiles is None:
            return None
        obs = profiles.obs[["condition", "level"]].astype(str)
        donor = profiles.obs["donor"].to_numpy(dtype=str) if "donor" in profiles.obs else np.array([])
        classes = (obs["condition"] + "|" + obs["level"]).to_numpy(dtype=str)
        x = transform(np.asarray(profiles.X), profiles.obs)
        return cls(x, obs["condition"].to_numpy(dtype=str), classes, donor if len(donor) else classes)


def _scores(train: _Set, test: _Set, made: _Set | None, k: int, seed: int) -> dict[str, float]:
    """Their metrics against training profiles, the same against held-out ones, and reverse validation."""
    rng = random_generator(seed, "rows")
    judge = PublishedNetwork(derive(seed, "judge")).fit(train.x, train.condition)
    reverse = judge if made is None else PublishedNetwork(derive(seed, "reverse")).fit(made.x, made.condition)
    said = reverse.predict(test.x)
    out = {
        "reverse_accuracy": float(accuracy_score(test.condition, said)),
        "reverse_balanced_accuracy": float(balanced_accuracy_score(test.condition, said)),
    }
    if made is None:
        here, there = donor_halves(test.donor, test.classes, rng)
        pairs = {"_train": (train, test), "": (test[here], test[there])}
    else:
        pairs = {"_train": (train, made), "": (test, made[matched_subset(made.classes, test.classes, rng)])}
    for suffix, (reality, stand_in) in pairs.items():
        out |= {f"{metric}{suffix}": value for metric, value in _likeness(reality, stand_in, judge, k, rng).items()}
    return out


def _likeness(
    reality: _Set, stand_in: _Set, judge: PublishedNetwork, k: int, rng: np.random.Generator
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
