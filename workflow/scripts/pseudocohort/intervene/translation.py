"""TRANSLATE: a tumour's own normal, learned from patients of whom both were profiled.

The answer without a model is the mean normal of the class. What a tumour says beyond that is little, and is learned in
two parts from class-centred pairs: the leading components of the normals by ridge regression on the whole tumour
(Hoerl and Kennard 1970), and for the rest of each gene the slope on the same gene of the tumour, shrunk towards the
mean slope of all genes (Efron and Morris 1973). A translated profile keeps what identifies its patient
(:class:`Identity`): it is personal data.
"""

from __future__ import annotations

from dataclasses import dataclass

import anndata as ad
import numpy as np
from sklearn.covariance import ledoit_wolf
from sklearn.model_selection import KFold

from ..core.errors import UserError
from .components import leading_components, without
from .study import Rows

COMPONENTS = 20
#: Pairs below which nothing is learned: with 12, what is learned explains 1 % beyond the class mean.
MIN_PAIRS = 50
#: Pairs of a class below which it is not learned from or scored: its means, without a patient, are of too few.
MIN_OF_CLASS = 10
#: Penalties tried, in units of the tumours' total variance times the number of pairs.
PENALTIES = tuple(np.geomspace(0.003, 300, 16))
_FOLDS = 5


@dataclass(frozen=True)
class Pairs:
    """Tumour and normal of the same patients.

    Attributes
    ----------
    tumour, normal : ndarray (n, G)
        log2 units; row i of both is one patient's.
    classes, donors : ndarray of str (n,)
    """

    tumour: np.ndarray
    normal: np.ndarray
    classes: np.ndarray
    donors: np.ndarray

    def __len__(self) -> int:
        return len(self.donors)

    def take(self, rows: np.ndarray) -> Pairs:
        """Some of the patients."""
        return Pairs(self.tumour[rows], self.normal[rows], self.classes[rows], self.donors[rows])

    def common(self) -> Pairs:
        """Pairs of the classes that have :data:`MIN_OF_CLASS` or more."""
        _, number, counts = np.unique(self.classes, return_inverse=True, return_counts=True)
        return self.take(np.flatnonzero(counts[number] >= MIN_OF_CLASS))

    def means(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Mean tumour and mean normal of each class."""
        kinds = np.unique(self.classes)
        return tuple({c: x[self.classes == c].mean(0) for c in kinds} for x in (self.tumour, self.normal))


def pairs_of(profiles: ad.AnnData) -> Pairs:
    """Pairs of one tumour and one normal of a donor and condition; of several profiles the first by name.

    Raises
    ------
    UserError
        If no donor has both.
    """
    obs = profiles.obs[["donor", "dataset", "condition", "level"]].astype(str)
    obs = obs.assign(row=np.arange(len(obs)), name=profiles.obs_names).sort_values("name")
    wide = obs.drop_duplicates(["donor", "dataset", "condition", "level"])
    wide = wide.pivot(index=["dataset", "condition", "donor"], columns="level", values="row")
    if not {"tumour", "normal"} <= set(wide.columns) or wide[["tumour", "normal"]].dropna().empty:
        raise UserError(
            "no patient has both a tumour and a normal profile",
            where="the study's profiles",
            remedy="pairs are found by donor and condition; a data set such as TCGA's has them",
        )
    wide = wide[["tumour", "normal"]].dropna().astype(int).reset_index()
    x = Rows.of(profiles.X)
    tumour, normal = (x[wide[level].to_numpy()] for level in ("tumour", "normal"))
    return Pairs(tumour, normal, wide["condition"].to_numpy(str), wide["donor"].to_numpy(str))


def centred(x: np.ndarray, classes: np.ndarray, means: dict[str, np.ndarray]) -> np.ndarray:
    """Profiles less the mean of their class."""
    return x - np.stack([means[c] for c in classes])


@dataclass(frozen=True)
class Translation:
    """How a normal differs from its class mean, given how the tumour differs from its own.

    Attributes
    ----------
    components : ndarray (k, G)
        Leading components of the normals.
    coefficients : ndarray (G, k)
        Of their scores on the tumour.
    slopes : ndarray (G,)
        Of each gene's rest on the same gene of the tumour; between 0 and 1.
    penalty : float
        The penalty chosen, in the units of :data:`PENALTIES`.
    """

    components: np.ndarray
    coefficients: np.ndarray
    slopes: np.ndarray
    penalty: float

    @classmethod
    def fit(cls, tumour: np.ndarray, normal: np.ndarray, *, seed: int, components: int = COMPONENTS) -> Translation:
        """Learn from pairs (n, G; log2 units, less the mean of the class): row i of both is one patient's.

        `seed` is that of the folds by patient that choose the penalty.

        Raises
        ------
        UserError
            If there are fewer than 12 pairs.
        """
        if len(tumour) < 12:
            raise UserError(f"only {len(tumour)} pairs of tumour and normal", remedy="give 12 or more; 50 to be of use")
        components = min(components, len(tumour) // 4)
        gram = tumour @ tumour.T
        unit = float(np.trace(gram)) / len(gram)
        errors = np.zeros(len(PENALTIES))
        for train, test in KFold(_FOLDS, shuffle=True, random_state=seed).split(gram):
            # The components too are those of the training patients: a patient's own noise would make one of them his.
            axes = leading_components(normal[train], components)
            values, u = np.linalg.eigh(gram[np.ix_(train, train)])
            left, right = gram[np.ix_(test, train)] @ u, u.T @ (normal[train] @ axes.T)
            scores = normal[test] @ axes.T
            for i, penalty in enumerate(PENALTIES):
                fitted = left @ (right / (np.maximum(values, 0) + penalty * unit * len(train))[:, None])
                errors[i] += ((scores - fitted) ** 2).sum() - (scores**2).sum()
        penalty = PENALTIES[int(errors.argmin())]
        axes = leading_components(normal, components)
        inner = np.linalg.solve(gram + penalty * unit * len(gram) * np.eye(len(gram)), normal @ axes.T)
        slopes = shrunk_slopes(without(tumour, axes), without(normal, axes), len(axes))[0]
        return cls(axes, tumour.T @ inner, np.clip(slopes, 0, 1), float(penalty))

    def change(self, tumour: np.ndarray) -> np.ndarray:
        """Predicted normals less their class mean (n, G), of tumours less theirs."""
        return (tumour @ self.coefficients) @ self.components + without(tumour, self.components) * self.slopes


@dataclass(frozen=True)
class Identity:
    """What of a person is in both tumour and normal: each gene's slope beyond the leading programmes.

    Attributes
    ----------
    tumour_components, normal_components : ndarray (k, G)
    weights : ndarray (G,)
        Slope of the normal on the tumour (none below 0), over the variance of the normal around it.
    """

    tumour_components: np.ndarray
    normal_components: np.ndarray
    weights: np.ndarray

    @classmethod
    def fit(cls, tumour: np.ndarray, normal: np.ndarray, components: int = COMPONENTS) -> Identity:
        """Learn from class-centred pairs (n, G)."""
        axes = leading_components(tumour, components), leading_components(normal, components)
        slopes, noise = shrunk_slopes(without(tumour, axes[0]), without(normal, axes[1]), components)
        # Half a median on top: a gene of almost no noise in these patients must not decide alone.
        return cls(*axes, np.maximum(slopes, 0) / (noise + 0.5 * np.median(noise)))

    def similarity(self, tumour: np.ndarray, normal: np.ndarray) -> np.ndarray:
        """Weighted correlations (n, m) of tumours with normals, both less their class means."""
        x = without(tumour, self.tumour_components) * np.sqrt(self.weights)
        y = without(normal, self.normal_components) * np.sqrt(self.weights)
        sizes = np.outer(np.linalg.norm(x, axis=1), np.linalg.norm(y, axis=1))
        return x @ y.T / np.maximum(sizes, 1e-12)


def shrunk_slopes(x: np.ndarray, y: np.ndarray, taken: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Slope of each column of `y` on the same column of `x`, shrunk towards the mean slope, and its residual variance.

    Both are (n, G), centred; `taken` degrees of freedom were taken before.
    """
    squares = np.maximum((x**2).sum(0), 1e-9)
    slopes = (x * y).sum(0) / squares
    freedom = max(len(x) - taken - 2, 1)
    noise = np.maximum(((y - slopes * x) ** 2).sum(0) / freedom, 1e-6)
    error = noise / squares
    usable = squares > 1e-6
    between = max(float(np.var(slopes[usable]) - np.mean(error[usable])), 1e-6)
    mean = float(slopes[usable].mean())
    return (slopes * between + mean * error) / (between + error), noise


def own_rank(similarity: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Share of the other candidates that are less similar than the own one (n,); 1 = the own is first; ties half.

    `similarity` is (n, m), `own` (n,) the column of each row's own candidate.
    """
    mine = np.take_along_axis(similarity, own[:, None], 1)
    others = np.arange(similarity.shape[1]) != own[:, None]
    lower = ((similarity < mine) & others).sum(1) + 0.5 * ((similarity == mine) & others).sum(1)
    return lower / (similarity.shape[1] - 1)


def transport(source: np.ndarray, target: np.ndarray, rows: np.ndarray, components: int = 50) -> np.ndarray:
    """Rows (p, G) moved by the optimal transport map between two Gaussians (Bures; Olkin and Pukelsheim 1982).

    One possible normal of each tumour, not the patient's: without pairs nothing tells which normal is whose. `source`
    (n, G) and `target` (m, G) are profiles of the two classes, log2 units. Covariances differ in the leading
    `components` of both classes together; outside of them rows keep their rest.
    """
    a, b = source - source.mean(0), target - target.mean(0)
    axes = leading_components(np.concatenate([a, b]), components)
    first, second = (ledoit_wolf(x @ axes.T, assume_centered=True)[0] for x in (a, b))
    root = _power(first, 0.5)
    back = _power(first, -0.5)
    step = back @ _power(root @ second @ root, 0.5) @ back
    moved = rows - source.mean(0)
    return target.mean(0) + without(moved, axes) + moved @ axes.T @ step @ axes


def _power(matrix: np.ndarray, exponent: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.maximum(values, 1e-12) ** exponent @ vectors.T
