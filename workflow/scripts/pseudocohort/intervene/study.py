"""What answers of one study share: its profiles, the graph, the model behind the operators, and its bootstraps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import anndata as ad
import numpy as np
from scipy import sparse

from ..core.errors import UserError
from ..core.levels import TISSUE_LEVELS
from ..core.seeds import generator
from ..core.validation import nearest
from .graph import Graph, gene_ids, shuffled
from .operators import TissueModel, sign_matrix

COMPONENTS = 5
BOOTSTRAPS = 20
#: Profiles that the model learns from at most; more change little and cost much.
MAX_PROFILES = 3000
#: Values of the profiles of all bootstraps together up to which their models are held: twice so many numbers, 3 GB.
MAX_HELD = 200_000_000


@dataclass(frozen=True)
class Rows:
    """Rows of a matrix in memory or in a file, in double precision when they are asked for: all of them are large.

    Attributes
    ----------
    matrix : ndarray or h5py.Dataset (N, G)
    chosen : ndarray of int (n,)
        Rows of the matrix that are rows of this one.
    """

    matrix: Any
    chosen: np.ndarray

    @classmethod
    def of(cls, matrix: Any) -> Rows:
        """All rows. A file in chunks is read whole: a single row of it costs as much as a chunk."""
        whole = matrix[()] if getattr(matrix, "chunks", None) else matrix
        return cls(whole, np.arange(len(whole)))

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, rows: np.ndarray | slice | int) -> np.ndarray:
        return self.stored(rows).astype(np.float64)

    def take(self, rows: np.ndarray) -> Rows:
        """Some of the rows, not read yet."""
        return Rows(self.matrix, self.chosen[rows])

    def stored(self, rows: np.ndarray | slice | int) -> np.ndarray:
        """Rows in the precision in which they are stored."""
        at = self.chosen[rows]
        if isinstance(self.matrix, np.ndarray) or not np.ndim(at):
            return self.matrix[at]
        out = np.empty((len(at), self.matrix.shape[1]), self.matrix.dtype)
        for place, row in zip(out, at, strict=True):
            self.matrix.read_direct(place, np.s_[row])
        return out

    def at(self, rows: np.ndarray | slice, columns: Sequence[int]) -> np.ndarray:
        """Some columns of some rows, in double precision."""
        rows = np.arange(len(self))[rows]
        parts = np.array_split(rows, max(len(rows) // 500, 1))
        return np.concatenate([self.stored(part)[:, columns] for part in parts]).astype(np.float64)


@dataclass(frozen=True)
class Study:
    """Tissue-level profiles of a study and a regulatory graph.

    Attributes
    ----------
    profiles : AnnData
        log2 expression, with ``donor``, ``dataset``, ``condition``, ``level``.
    graph : Graph
    depth : int
        Steps of the graph that DO|G follows; 0 = any.
    seed : int
    graph_label : str
        Name and checksum of the graph, for people.
    """

    profiles: ad.AnnData
    graph: Graph
    depth: int
    seed: int
    graph_label: str = "graph"

    @classmethod
    def of(cls, profiles: ad.AnnData, graph: Graph, *, depth: int, seed: int, graph_label: str = "graph") -> Study:
        """Study of the tissue-level profiles among `profiles`.

        Raises
        ------
        UserError
            If there is none.
        """
        tissue = profiles.obs["level"].astype(str).isin(TISSUE_LEVELS).to_numpy()
        if not tissue.any():
            raise UserError(
                "the study has no tissue-level profiles", where="datasets",
                remedy="interventions are asked of tumours and normals; add a data set of them",
            )  # fmt: skip
        return cls(profiles if tissue.all() else profiles[tissue].to_memory(), graph, depth, seed, graph_label)

    @cached_property
    def x(self) -> Rows:
        """Profiles (n, G), log2 units; index rows."""
        return Rows.of(self.profiles.X)

    @cached_property
    def genes(self) -> list[str]:
        """Gene ids."""
        return list(self.profiles.var_names)

    @cached_property
    def symbols(self) -> np.ndarray:
        """Symbols (G,)."""
        return self.profiles.var["symbol"].astype(str).to_numpy()

    @cached_property
    def index(self) -> dict[str, int]:
        """Column of each gene id."""
        return {gene: i for i, gene in enumerate(self.genes)}

    @cached_property
    def ids(self) -> dict[str, str]:
        """Gene id of every id and unambiguous symbol."""
        return gene_ids(self.profiles.var)

    @cached_property
    def condition(self) -> np.ndarray:
        """Condition (n,)."""
        return self.profiles.obs["condition"].astype(str).to_numpy()

    @cached_property
    def level(self) -> np.ndarray:
        """Level (n,)."""
        return self.profiles.obs["level"].astype(str).to_numpy()

    @cached_property
    def donor(self) -> np.ndarray:
        """Donor (n,)."""
        return self.profiles.obs["donor"].astype(str).to_numpy()

    @cached_property
    def classes(self) -> np.ndarray:
        """Condition, level and data set (n,): a batch of its own must not pass for co-variation."""
        dataset = self.profiles.obs["dataset"].astype(str).to_numpy()
        return np.array([f"{c}|{v}|{d}" for c, v, d in zip(self.condition, self.level, dataset, strict=True)])

    @cached_property
    def signs(self) -> sparse.csc_array:
        """Graph as a matrix, [target, regulator]."""
        return sign_matrix(self.graph, self.genes)

    @cached_property
    def _rows(self) -> np.ndarray:
        rows = np.arange(len(self.x))
        return np.sort(generator(self.seed, "profiles").permutation(rows)[:MAX_PROFILES])

    @cached_property
    def model(self) -> TissueModel:
        """Model of the profiles."""
        return TissueModel.fit(self.x.stored(self._rows), self.classes[self._rows])

    @cached_property
    def components(self) -> np.ndarray:
        """Leading components of the model."""
        return self.model.components(COMPONENTS)

    @cached_property
    def shuffled(self) -> Graph:
        """The graph with random targets, as a control."""
        return shuffled(self.graph.restricted(self.genes), generator(self.seed, "shuffled"))

    @cached_property
    def bootstraps(self) -> list[tuple[TissueModel, Graph]]:
        """Models of donors drawn with replacement, each with a graph that has lost a fifth of its edges."""
        out = []
        x, classes = self.x.stored(self._rows), self.classes[self._rows]
        held = BOOTSTRAPS * x.size <= MAX_HELD
        donors, position = np.unique(self.donor[self._rows], return_inverse=True)
        for b in range(BOOTSTRAPS):
            rng = generator(self.seed, "bootstrap", b)
            times = np.bincount(rng.integers(0, len(donors), len(donors)), minlength=len(donors))
            model = TissueModel.fit(x, classes, times[position].astype(float), held=held)
            out.append((model, self.graph.bootstrap(rng)))
        return out

    def reached(self, graph: Graph, genes: list[str]) -> np.ndarray:
        """Columns of the descendants of `genes` among the study's genes."""
        return np.array(sorted(self.index[g] for g in graph.descendants(genes, self.depth) if g in self.index), int)

    def rows(self, condition: str, level: str, donors: tuple[str, ...] = ()) -> np.ndarray:
        """Rows of a class, or of some of its donors.

        Raises
        ------
        UserError
            If there is no such condition, level, or donor.
        """
        known = sorted(set(self.condition))
        if condition not in known:
            raise UserError(
                f"no condition {condition!r}",
                where="interventions.questions",
                remedy=f"{nearest(condition, known)}one of: {', '.join(known)}",
            )
        here = (self.condition == condition) & (self.level == level)
        if donors:
            missing = sorted(set(donors) - set(self.donor[here]))
            here &= np.isin(self.donor, donors)
            if not here.any():
                raise UserError(
                    f"none of the donors asked about has a {level} profile of {condition}, e.g. not {missing[0]!r}",
                    where="interventions.questions", remedy="name donors as in the sample table",
                )  # fmt: skip
        if not here.any():
            raise UserError(
                f"no {level} profile of {condition!r}", where="interventions.questions",
                remedy=f"levels of it: {', '.join(sorted(set(self.level[self.condition == condition])))}",
            )  # fmt: skip
        return np.flatnonzero(here)
