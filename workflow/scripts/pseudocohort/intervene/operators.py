"""Linear operators that predict what a change of some genes does to the others, from observational tissue profiles.

They give slopes, the change of every gene per unit change of the perturbed ones (log2 per log2); a predicted change is
slope times imposed change. The model behind them is one Gaussian per class with a mean of its own and a covariance
shared by the classes, shrunk towards a multiple of the identity (Ledoit and Wolf 2004,
doi:10.1016/S0047-259X(03)00096-4). Neither covariance nor precision is ever formed: both are a diagonal plus a matrix
of the rank of the profiles, so that 20,000 genes fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from .components import leading_components
from .graph import Graph

_CONSTANT = 1e-6  # sd, log2 units, below which a gene does not vary
_MIN_RIDGE = 1e-8  # of a variance: keeps the precision finite where nothing has to be shrunk


@dataclass(frozen=True)
class TissueModel:
    """Class-centred profiles and their shrunk precision.

    Attributes
    ----------
    z : ndarray (n, G)
        Profiles, centred per class and divided by `scale`; a profile counted k times is one row times sqrt(k).
    scale : ndarray (G,)
        Pooled within-class standard deviation, log2 units; 1 for genes that do not vary.
    varies : ndarray of bool (G,)
    ridge : float
        What the shrinkage added to the diagonal. A conditional expectation takes it off the perturbed genes again:
        left there, it would bias the genes' own effects, and only those, towards zero.
    diagonal : float
    loadings : ndarray (G, k)
        The precision is ``diagonal * I - loadings @ loadings.T``.
    """

    z: np.ndarray
    scale: np.ndarray
    varies: np.ndarray
    ridge: float
    diagonal: float
    loadings: np.ndarray

    @classmethod
    def fit(
        cls, x: np.ndarray, classes: np.ndarray, times: np.ndarray | None = None, *, held: bool = True
    ) -> TissueModel:
        """Model of the profiles `x` (n, G; log2 units) of the `classes` (n,), each counted so many `times` (n,).

        One that is not `held` keeps `x` itself, and makes its ``z`` and ``loadings`` anew where they are asked for.
        """
        times = np.ones(len(x)) if times is None else times
        given = (x, classes, times)
        x, classes, times = x[times > 0], classes[times > 0], times[times > 0]
        z = centre(x, classes, times)
        weight = np.sqrt(times)[:, None]
        sd = np.sqrt(_mean_squares(z, times))
        varies = sd > _CONSTANT
        scale = np.where(varies, sd, 1.0)
        z /= scale  # in place: a second matrix of 3,000 profiles of 40,000 genes is 1 GB
        z *= weight
        gram = _gram(z)
        share = shrinkage(z, times, gram)
        total = times.sum()
        ridge = max(share * float(_squared_lengths(z).sum() / total / z.shape[1]), _MIN_RIDGE)
        # (c Z'Z + r I)^-1 = (I - V diag(s / (s + r)) V') / r, with c Z'Z = V diag(s) V'.
        squares, vectors = np.linalg.eigh(gram * ((1 - share) / total))
        kept = squares > 1e-12 * squares[-1]
        squares, vectors = squares[kept], vectors[:, kept]
        last = np.sqrt(squares / (squares + ridge) / ridge)
        if len(z) < z.shape[1]:
            vectors = vectors * np.sqrt((1 - share) / total / squares)
            if not held:
                return RemadeModel(given, vectors * last, scale, varies, ridge)
            vectors = z.T @ vectors
        vectors *= last
        return cls(z, scale, varies, ridge, 1 / ridge, vectors)

    def loadings_of(self, genes: np.ndarray) -> np.ndarray:
        """Loadings (m, k) of some genes."""
        return self.loadings[genes]

    def see(self, genes: int | np.ndarray) -> np.ndarray:
        """SEE: least-squares slopes (G,), or (G, m), of every gene on one or m perturbed ones; association only.

        Slopes are those within classes, the genes that are not perturbed left free.
        """
        z, own = self.z, np.atleast_1d(genes)
        return self._slopes(z[:, own], z[:, own].T @ z, genes)

    def see_without(self, genes: int | np.ndarray, components: np.ndarray) -> np.ndarray:
        """SEE slopes after the `components` (k, G) are taken out of the profiles.

        Hidden programmes (purity, proliferation, batch) are what the leading components mostly hold.
        """
        z, own = self.z, np.atleast_1d(genes)
        scores = z @ components.T
        rest = z[:, own] - scores @ components[:, own]
        # What is taken out of the other genes as well changes their products with `rest`, and no matrix is copied.
        return self._slopes(rest, rest.T @ z - (rest.T @ scores) @ components, genes)

    def _slopes(self, z: np.ndarray, products: np.ndarray, genes: int | np.ndarray) -> np.ndarray:
        """Least-squares slopes on the columns `z` (n, m) of the perturbed genes, from their `products` (m, G)."""
        return self._scaled(np.linalg.lstsq(z.T @ z, products, rcond=None)[0].T, genes)

    def components(self, k: int) -> np.ndarray:
        """Loadings (k, G) of the `k` leading principal components of `z`."""
        return leading_components(self.z, k)

    def do(self, genes: int | np.ndarray, descendants: np.ndarray) -> np.ndarray:
        """DO|G: slopes when `genes` are set and their non-descendants keep their values.

        The descendants follow E[x_D | x_A, x_ND, class]: the non-descendants ND hold every parent of the perturbed
        genes A and are not moved by the intervention, so conditioning on them blocks each back-door path (Pearl,
        Causality, 2009, section 3.3). Everything else stays where it is. In terms of the precision P the slopes are
        -P_DD^-1 P_DA, so that one factorisation serves all genes (Lauritzen, Graphical Models, 1996, section C.1).

        `descendants` of the genes in the graph are none of the genes; slopes are (G,), or (G, m) of m genes.
        """
        own, reached = np.atleast_1d(genes), np.asarray(descendants, dtype=int)
        slopes = np.zeros((len(self.scale), len(own)))
        if len(reached):
            mine, theirs = self.loadings_of(own), self.loadings_of(reached)
            coupling = theirs @ mine.T  # -P_DA: no gene is on both sides
            inner = self._solve(theirs, coupling)
            slopes[reached] = inner
            if self.ridge:
                # Covariance of the genes given ND, with the ridge and without it.
                precision = self.diagonal * np.eye(len(own)) - mine @ mine.T - coupling.T @ inner
                given = np.linalg.inv(precision)
                slopes[reached] = np.linalg.solve((given - self.ridge * np.eye(len(own))).T, (inner @ given).T).T
        return self._scaled(slopes, genes)

    def _solve(self, loadings: np.ndarray, right: np.ndarray) -> np.ndarray:
        """P_DD^-1 `right`, by whichever of genes and components are fewer."""
        genes, rank = loadings.shape
        if genes <= rank:
            return np.linalg.solve(self.diagonal * np.eye(genes) - loadings @ loadings.T, right)
        inner = np.linalg.solve(self.diagonal * np.eye(rank) - loadings.T @ loadings, loadings.T @ right)
        return (right + loadings @ inner) / self.diagonal

    def _scaled(self, standardised: np.ndarray, genes: int | np.ndarray) -> np.ndarray:
        own = np.atleast_1d(genes)
        slopes = standardised * self.scale[:, None] / self.scale[own]
        slopes[own] = np.eye(len(own))
        return slopes[:, 0] if np.ndim(genes) == 0 else slopes


class RemadeModel(TissueModel):
    """A model that holds no matrix of profiles by genes of its own; the same numbers, but for rounding.

    Of twenty bootstraps of 3,000 profiles of 40,000 genes, such matrices would be 25 GB.

    Parameters
    ----------
    given : tuple
        What it was fitted to: profiles (n, G), classes (n,) and times (n,). The profiles are not copied.
    weights : ndarray (n, k)
        Loadings are ``z.T @ weights``.
    scale, varies, ridge
        See :class:`TissueModel`.
    """

    def __init__(
        self,
        given: tuple[np.ndarray, np.ndarray, np.ndarray],
        weights: np.ndarray,
        scale: np.ndarray,
        varies: np.ndarray,
        ridge: float,
    ) -> None:
        values = {"scale": scale, "varies": varies, "ridge": ridge, "diagonal": 1 / ridge}
        for name, value in {**values, "_given": given, "_weights": weights}.items():
            object.__setattr__(self, name, value)

    @property
    def z(self) -> np.ndarray:
        """Standardised profiles (n, G), made anew."""
        return self._z_of(slice(None))

    @property
    def loadings(self) -> np.ndarray:
        """Loadings (G, k), made anew."""
        return self.z.T @ self._weights

    def loadings_of(self, genes: np.ndarray) -> np.ndarray:
        """Loadings (m, k) of some genes."""
        return self._z_of(genes).T @ self._weights

    def _z_of(self, genes: np.ndarray | slice) -> np.ndarray:
        x, classes, times = self._given
        rows = np.flatnonzero(times > 0)
        part = x[rows] if isinstance(genes, slice) else x[np.ix_(rows, genes)]
        z = centre(part, classes[rows], times[rows])
        z /= self.scale[genes]
        z *= np.sqrt(times[rows])[:, None]
        return z


def shrinkage(z: np.ndarray, times: np.ndarray, gram: np.ndarray) -> float:
    """Ledoit-Wolf weight of the identity for centred rows `z` (n, G), without a matrix of genes by genes.

    The squares of all covariances sum to those of the profiles' inner products, which are n by n. Rows counted
    several `times` (n,) are given times the root of that number; `gram` is the smaller product of `z` with itself.
    """
    n, genes = times.sum(), z.shape[1]
    squares = _squared_lengths(z)
    mean = squares.sum() / n / genes
    dispersion = float((gram**2).sum()) / n**2
    distance = (dispersion - genes * mean**2) / genes
    noise = min((float((squares**2 / times).sum()) / n - dispersion) / n / genes, distance)
    return noise / distance if distance > 0 else 0.0


def _squared_lengths(z: np.ndarray) -> np.ndarray:
    """Sum of the squares of each row."""
    return np.einsum("ij,ij->i", z, z)


def _mean_squares(x: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Mean of the squares of each column, each row counted so many `times`."""
    return np.einsum("ij,ij,i->j", x, x, times) / times.sum()


def _gram(z: np.ndarray) -> np.ndarray:
    return z @ z.T if len(z) < z.shape[1] else z.T @ z


def centre(x: np.ndarray, classes: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Profiles minus the mean of their class, in which each counts so many `times`."""
    out = np.asarray(x, dtype=np.float64).copy()
    for value in np.unique(classes):
        here = classes == value
        out[here] -= np.average(out[here], axis=0, weights=times[here])
    return out


def sign_matrix(graph: Graph, genes: list[str]) -> sparse.csc_array:
    """Signs (G, G) of the edges among `genes`: entry [target, regulator]; 0 without an edge."""
    index = {gene: i for i, gene in enumerate(genes)}
    edges = graph.edges[graph.edges["regulator"].isin(index) & graph.edges["target"].isin(index)]
    where = (edges["target"].map(index).to_numpy(int), edges["regulator"].map(index).to_numpy(int))
    return sparse.csc_array((edges["sign"].to_numpy(float), where), shape=(len(genes), len(genes)))


def regulon_sign(signs: sparse.csc_array, gene: int) -> np.ndarray:
    """Slopes (G,) of the baseline without a model: direct targets move by the sign of their edge."""
    slopes = signs[:, [gene]].toarray()[:, 0]
    slopes[gene] = 1.0
    return slopes


def ridge_weights(model: TissueModel, signs: sparse.csc_array, penalty: float = 5.0) -> sparse.csr_array:
    """Weights (G, G) of a ridge regression of each gene on its regulators in the graph, on the scale of ``model.z``."""
    rows = signs.tocsr()
    values = np.zeros(rows.nnz)
    for target in np.flatnonzero(np.diff(rows.indptr)):
        span = slice(rows.indptr[target], rows.indptr[target + 1])
        z = model.z[:, rows.indices[span]]
        values[span] = np.linalg.solve(z.T @ z + penalty * np.eye(z.shape[1]), z.T @ model.z[:, target])
    return sparse.csr_array((values, rows.indices, rows.indptr), shape=rows.shape)


def propagate(model: TissueModel, weights: sparse.csr_array, gene: int, steps: int = 3) -> np.ndarray:
    """Slopes (G,) of a unit change of `gene` sent `steps` times through `weights`, the gene held at its new value.

    The scheme of CellOracle (Kamimoto et al. 2023, doi:10.1038/s41586-022-05688-9), as a baseline.
    """
    change = np.zeros(weights.shape[0])
    change[gene] = 1.0
    for _ in range(steps):
        change = weights @ change
        change[gene] = 1.0
    return model._scaled(change[:, None], gene)
