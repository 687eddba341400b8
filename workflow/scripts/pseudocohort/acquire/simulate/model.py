"""Structural causal model of log2 expression: x = base + W (x - base) + u, with a sparse acyclic W.

The exogenous term u of a profile adds tissue, tumour, subtype, hidden programmes, donor and noise. Because the model
is linear and acyclic, x = base + (I - W)^-1 u, and setting gene j to v changes every profile by exactly
(I - W)^-1[:, j] * (v - x_j) (Pearl, Causality, 2009, section 3.2). The noise is heavy-tailed and each condition is a
mixture of two subtypes, so no Gaussian generator is the truth; the do-effects do not depend on that.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...core import seeds
from ...core.errors import UserError

PROGRAMMES = ("purity", "proliferation", "batch")
CONTEXTS = ("tumour", "normal")
#: Mean and spread of (purity, proliferation, batch) by context: normals proliferate little, lines much.
_PROGRAMME_MEAN = {"tumour": (0.0, 0.0, 0.0), "normal": (-0.5, -0.5, 0.0), "in_vitro": (0.5, 0.8, 0.0)}
_PROGRAMME_SD = {"tumour": (1.0, 1.0, 1.0), "normal": (0.4, 0.4, 1.0), "in_vitro": (0.0, 0.4, 0.0)}
_NOISE_DF = 4
_ROOT = Path(__file__).resolve().parents[5]


@dataclass(frozen=True)
class Model:
    """Structural causal model.

    Attributes
    ----------
    genes : DataFrame
        ``gene_id`` (versioned Ensembl), ``symbol``, ``role``; G rows, the order of every gene axis.
    weights : ndarray (G, G)
        W[i, j] is the direct effect of gene j on gene i, log2 per log2.
    total : ndarray (G, G)
        (I - W)^-1: total effects; its diagonal is 1 because W is acyclic.
    base : ndarray (G,)
        Mean log2 abundance before any effect.
    tissue, tumour_specific, culture_specific : ndarray (K, G)
        Effects of the K conditions.
    tumour_shared, culture : ndarray (G,)
        Effects shared by all tumours and by all lines.
    subtype : ndarray (K, 2, G)
        Effects of the two subtypes of each condition; weighted by their shares they sum to zero.
    sex : ndarray (G,)
        What women have more of than men, known of the subjects of the GTEx-like data.
    programmes : ndarray (G, 3)
        Loadings of purity, proliferation and batch.
    parameters : dict
        The parameters it was made from.
    """

    genes: pd.DataFrame
    weights: np.ndarray
    total: np.ndarray
    base: np.ndarray
    tissue: np.ndarray
    tumour_specific: np.ndarray
    culture_specific: np.ndarray
    tumour_shared: np.ndarray
    culture: np.ndarray
    subtype: np.ndarray
    sex: np.ndarray
    programmes: np.ndarray
    parameters: dict[str, Any]

    @property
    def conditions(self) -> list[str]:
        """Names of the K conditions."""
        return list(self.parameters["conditions"])

    @property
    def regulators(self) -> np.ndarray:
        """Indices of the regulators."""
        return np.flatnonzero(self.genes["role"] == "regulator")

    def states(self, exogenous: np.ndarray) -> np.ndarray:
        """Log2 abundances (n, G) of the exogenous terms (n, G)."""
        return self.base + exogenous @ self.total.T

    def exogenous(
        self,
        rng: np.random.Generator,
        condition: np.ndarray,
        context: str,
        subtype: np.ndarray,
        donor: np.ndarray,
    ) -> np.ndarray:
        """Exogenous terms of tissue profiles.

        Parameters
        ----------
        rng : Generator
        condition : ndarray of int (n,)
            Index of each profile's condition.
        context : {"tumour", "normal"}
        subtype : ndarray of int (n,)
            Subtype of each profile's tumour, 0 or 1; without effect on normals.
        donor : ndarray (n, G)
            Effects of each profile's donor, shared by the profiles of that donor.

        Returns
        -------
        ndarray (n, G)
        """
        effects = self.parameters["effects"]
        n = len(condition)
        u = self.tissue[condition] + donor
        if context == "tumour":
            u = u + self.tumour_shared + self.tumour_specific[condition] + self.subtype[condition, subtype]
        scores = rng.normal(_PROGRAMME_MEAN[context], _PROGRAMME_SD[context], (n, len(PROGRAMMES)))
        return u + scores @ self.programmes.T + _noise(rng, effects["noise"], (n, len(self.base)))

    def line_exogenous(self, rng: np.random.Generator, condition: int, tumour_subtype: int) -> np.ndarray:
        """Exogenous term (G,) of a cell line derived from a tumour of `condition` and `tumour_subtype`."""
        lines = self.parameters["lines"]
        tumour = self.tissue[condition] + self.tumour_shared + self.tumour_specific[condition]
        tumour = tumour + self.subtype[condition, tumour_subtype]
        culture = self.culture + self.culture_specific[condition]
        scores = rng.normal(_PROGRAMME_MEAN["in_vitro"], _PROGRAMME_SD["in_vitro"])
        donor = self.draw_donors(rng, 1)[0]
        noise = _noise(rng, lines["line_noise"], self.base.shape)
        return lines["kept"] * tumour + culture + self.programmes @ scores + donor + noise

    def cell_exogenous(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """What sets the `n` cells of a line apart from its mean: proliferation and noise; (n, G)."""
        proliferation = rng.normal(0, 0.6, (n, 1)) * self.programmes[:, 1]
        return proliferation + _noise(rng, self.parameters["lines"]["cell_noise"], (n, len(self.base)))

    def draw_donors(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Effects of `n` donors, (n, G)."""
        return rng.normal(0, self.parameters["effects"]["donor"], (n, len(self.base)))

    def draw_subtypes(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Subtypes of `n` tumours, 0 or 1."""
        return (rng.random(n) < self.parameters["effects"]["subtype_share"]).astype(int)


def do_truth(model: Model, gene: int, shift: float) -> np.ndarray:
    """Exact change (G,) of every gene, in log2 units, when gene `gene` is set `shift` above its own value.

    The gene itself changes by `shift`; genes that are not its descendants do not change.
    """
    return model.total[:, gene] * shift


def _noise(rng: np.random.Generator, sd: float, shape: tuple[int, ...]) -> np.ndarray:
    """Student t noise scaled to standard deviation `sd`."""
    return rng.standard_t(_NOISE_DF, shape) * sd / np.sqrt(_NOISE_DF / (_NOISE_DF - 2))


def _sparse_normal(rng: np.random.Generator, settings: list[float], shape: tuple[int, ...]) -> np.ndarray:
    """Normal effects with sd ``settings[0]``; a share ``settings[1]`` of them is not zero."""
    sd, share = settings
    return rng.normal(0, sd, shape) * (rng.random(shape) < share)


def _read_genes(path: str) -> pd.DataFrame:
    found = next((p for p in (Path(path), _ROOT / path) if p.is_file()), None)
    if found is None:
        raise UserError(
            f"the simulator's gene table {path!r} is not there",
            where="genes, in the simulator's parameters",
            remedy="give the path of a TSV with the columns gene_id, symbol, role",
        )
    genes = pd.read_csv(found, sep="\t")
    missing = [c for c in ("gene_id", "symbol", "role") if c not in genes]
    if missing:
        raise UserError(f"missing column(s): {', '.join(missing)}", where=str(found))
    # Regulators first: a gene's parents then always precede it.
    return genes.sort_values("role", key=lambda r: r != "regulator", kind="stable").reset_index(drop=True)


def draw_weights(rng: np.random.Generator, roles: np.ndarray, settings: dict[str, Any]) -> np.ndarray:
    """Direct effects (G, G) of a sparse acyclic graph: only regulators regulate, earlier ones later ones."""
    regulators = np.flatnonzero(roles == "regulator")
    weights = np.zeros((len(roles), len(roles)))
    for rank, gene in enumerate(regulators):
        n = min(rank, rng.integers(0, settings["max_regulator_parents"] + 1))
        parents = rng.choice(regulators[:rank], n, replace=False) if n else []
        weights[gene, parents] = rng.normal(0, settings["weight_sd"], n)
    for gene in np.flatnonzero(roles == "target"):
        n = rng.integers(1, settings["max_target_parents"] + 1)
        weights[gene, rng.choice(regulators, n, replace=False)] = rng.normal(0, settings["weight_sd"], n)
    edges = weights != 0
    weights[edges] = np.sign(weights[edges]) * np.maximum(np.abs(weights[edges]), settings["min_weight"])
    return weights


def make_model(parameters: dict[str, Any], seed: int) -> Model:
    """Model drawn with `seed` from `parameters` (see ``resources/demo_parameters.yaml``).

    Raises
    ------
    UserError
        If the gene table or a parameter is missing.
    """
    try:
        effects, lines, graph = parameters["effects"], parameters["lines"], parameters["graph"]
        genes = _read_genes(parameters["genes"])
        k, g = len(parameters["conditions"]), len(genes)
        weights = draw_weights(seeds.generator(seed, "graph"), genes["role"].to_numpy(), graph)
        rng = seeds.generator(seed, "effects")
        nuclear = (genes["role"] != "mitochondrial").to_numpy()
        base = np.where(nuclear, np.clip(rng.normal(6.5, 1.3, g), 4, 10), rng.normal(9, 0.5, g))
        subtype = _sparse_normal(rng, effects["subtype"], (k, 1, g))
        share = effects["subtype_share"]
        subtype = np.concatenate([-share * subtype, (1 - share) * subtype], axis=1)
        return Model(
            genes=genes,
            weights=weights,
            total=np.linalg.inv(np.eye(g) - weights),
            base=base,
            tissue=_sparse_normal(rng, effects["tissue"], (k, g)) * nuclear,
            tumour_shared=_sparse_normal(rng, effects["tumour_shared"], (g,)) * nuclear,
            tumour_specific=_sparse_normal(rng, effects["tumour_specific"], (k, g)) * nuclear,
            subtype=subtype * nuclear,
            sex=_sparse_normal(seeds.generator(seed, "sex"), effects["sex"], (g,)) * nuclear,
            programmes=_sparse_normal(rng, effects["programme"], (g, len(PROGRAMMES))) * nuclear[:, None],
            culture=_sparse_normal(rng, lines["culture"], (g,)) * nuclear,
            culture_specific=_sparse_normal(rng, lines["culture_specific"], (k, g)) * nuclear,
            parameters=parameters,
        )
    except KeyError as error:
        raise UserError(
            f"the simulator's parameter {error.args[0]!r} is missing",
            remedy="resources/demo_parameters.yaml lists every parameter",
        ) from error
