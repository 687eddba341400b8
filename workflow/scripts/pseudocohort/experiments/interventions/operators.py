"""Operators that predict what a change of one gene does to the others, from observational tissue profiles.

All are linear: they give slopes, the change of every gene per unit change of the perturbed one (log2 per log2), and a
predicted change is slope times imposed change. The model behind them is one Gaussian per class with a mean of its own
and a covariance shared by the classes (Ledoit and Wolf 2004, doi:10.1016/S0047-259X(03)00096-4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.covariance import ledoit_wolf

from .graph import Graph

_CONSTANT = 1e-6  # sd, log2 units, below which a gene does not vary


@dataclass(frozen=True)
class TissueModel:
    """Class-centred profiles and their shrunk covariance.

    Attributes
    ----------
    z : ndarray (n, G)
        Profiles, centred per class and divided by `scale`.
    scale : ndarray (G,)
        Pooled within-class standard deviation, log2 units; 1 for genes that do not vary.
    varies : ndarray of bool (G,)
    covariance : ndarray (G, G)
        Ledoit-Wolf covariance of `z`.
    ridge : float
        What the shrinkage added to the diagonal of `covariance`. A conditional expectation takes it off the perturbed
        gene again: left there, it would bias the gene's own effect, and only that, towards zero.
    """

    z: np.ndarray
    scale: np.ndarray
    varies: np.ndarray
    covariance: np.ndarray
    ridge: float

    @classmethod
    def fit(cls, x: np.ndarray, classes: np.ndarray) -> TissueModel:
        """Model of the profiles `x` (n, G; log2 units) of the `classes` (n,)."""
        centred = centre(x, classes)
        sd = centred.std(0)
        varies = sd > _CONSTANT
        scale = np.where(varies, sd, 1.0)
        z = centred / scale
        covariance, shrinkage = ledoit_wolf(z, assume_centered=True)
        return cls(z, scale, varies, covariance, float(shrinkage * np.mean(z**2)))

    def _slopes(self, gene: int, standardised: np.ndarray) -> np.ndarray:
        slopes = standardised * self.scale / self.scale[gene]
        slopes[gene] = 1.0
        return slopes

    def see(self, gene: int) -> np.ndarray:
        """SEE: slopes (G,) of E[x | x_gene, class], association without adjustment; each is the least-squares slope."""
        # Off the diagonal the shrinkage is a common factor, which the variance without the ridge has too.
        return self._slopes(gene, self.covariance[:, gene] / (self.covariance[gene, gene] - self.ridge))

    def components(self, k: int) -> np.ndarray:
        """Loadings (k, G) of the `k` leading principal components of `z`."""
        return np.linalg.svd(self.z, full_matrices=False)[2][:k]

    def see_without(self, gene: int, loadings: np.ndarray) -> np.ndarray:
        """SEE slopes (G,) after the components `loadings` (k, G) are taken out of the profiles.

        Hidden programmes (purity, proliferation, batch) are what the leading components mostly hold.
        """
        rest = self.z - (self.z @ loadings.T) @ loadings
        return self._slopes(gene, rest.T @ rest[:, gene] / (rest[:, gene] @ rest[:, gene]))

    def do(self, gene: int, descendants: np.ndarray) -> np.ndarray:
        """DO|G: slopes (G,) when `gene` is set and its non-descendants keep their values.

        The descendants follow E[x_D | x_gene, x_ND, class]: the non-descendants ND hold every parent of the gene and
        are not moved by the intervention, so conditioning on them blocks each back-door path (Pearl, Causality, 2009,
        section 3.3). Everything else stays where it is.

        Parameters
        ----------
        gene : int
        descendants : ndarray of int
            Descendants of the gene in the graph; none of them is the gene.
        """
        slopes = np.zeros(len(self.scale))
        if len(descendants):
            others = np.setdiff1d(np.arange(len(self.scale)), np.append(descendants, gene))
            s = self.covariance
            adjust = np.linalg.solve(s[np.ix_(others, others)], s[others, gene])
            explained = s[np.ix_(others, descendants)].T @ adjust
            left = s[gene, gene] - self.ridge - s[others, gene] @ adjust
            slopes[descendants] = (s[descendants, gene] - explained) / left
        return self._slopes(gene, slopes)


def centre(x: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Profiles minus the mean of their class."""
    out = np.asarray(x, dtype=np.float64).copy()
    for value in np.unique(classes):
        out[classes == value] -= out[classes == value].mean(0)
    return out


def sign_matrix(graph: Graph, genes: list[str]) -> np.ndarray:
    """Signs (G, G) of the edges among `genes`: entry [target, regulator]; 0 without an edge."""
    index = {gene: i for i, gene in enumerate(genes)}
    edges = graph.edges[graph.edges["regulator"].isin(index) & graph.edges["target"].isin(index)]
    signs = np.zeros((len(genes), len(genes)))
    signs[edges["target"].map(index), edges["regulator"].map(index)] = edges["sign"]
    return signs


def regulon_sign(signs: np.ndarray, gene: int) -> np.ndarray:
    """Slopes (G,) of the baseline without a model: direct targets move by the sign of their edge."""
    slopes = signs[:, gene].copy()
    slopes[gene] = 1.0
    return slopes


def ridge_weights(model: TissueModel, signs: np.ndarray, penalty: float = 5.0) -> np.ndarray:
    """Weights (G, G) of a ridge regression of each gene on its regulators in the graph, on the scale of ``model.z``."""
    weights = np.zeros_like(signs)
    for target in np.flatnonzero(signs.any(1)):
        parents = np.flatnonzero(signs[target])
        z = model.z[:, parents]
        weights[target, parents] = np.linalg.solve(z.T @ z + penalty * np.eye(len(parents)), z.T @ model.z[:, target])
    return weights


def propagate(model: TissueModel, weights: np.ndarray, gene: int, steps: int = 3) -> np.ndarray:
    """Slopes (G,) of a unit change of `gene` sent `steps` times through `weights`, the gene held at its new value.

    The scheme of CellOracle (Kamimoto et al. 2023, doi:10.1038/s41586-022-05688-9), as a baseline.
    """
    change = np.zeros(len(weights))
    change[gene] = 1.0
    for _ in range(steps):
        change = weights @ change
        change[gene] = 1.0
    return model._slopes(gene, change)
