"""Signed regulatory graph: which genes an intervention can reach, and its damaged versions as controls.

The rule for cycles: setting a gene cuts the edges into it, so a gene that both regulates it and is regulated by it
counts as its descendant, is predicted anew, and is not adjusted for. :meth:`Graph.in_cycle` lists those genes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from ..core.errors import UserError

COLUMNS = ("regulator", "target", "sign")


@dataclass(frozen=True)
class Graph:
    """Directed signed graph.

    Attributes
    ----------
    name : str
        Shown as ``estimator`` in the tables.
    edges : DataFrame
        ``regulator``, ``target`` (gene ids), ``sign`` (1 activates, -1 represses); no self-loops, no duplicates.
    """

    name: str
    edges: pd.DataFrame

    @cached_property
    def children(self) -> dict[str, list[str]]:
        """Targets of each regulator."""
        return self.edges.groupby("regulator", sort=True)["target"].apply(list).to_dict()

    @cached_property
    def nodes(self) -> set[str]:
        """All genes of the graph."""
        return set(self.edges["regulator"]) | set(self.edges["target"])

    @cached_property
    def parents(self) -> dict[str, list[str]]:
        """Regulators of each target."""
        return self.edges.groupby("target", sort=True)["regulator"].apply(list).to_dict()

    def descendants(self, genes: str | Iterable[str], max_depth: int = 0) -> set[str]:
        """Genes reached from `genes` in at most `max_depth` steps (0 = any number), without the genes themselves."""
        start = {genes} if isinstance(genes, str) else set(genes)
        return _reach(self.children, start, max_depth) - start

    def in_cycle(self, gene: str, max_depth: int = 0) -> set[str]:
        """Descendants of `gene`, within `max_depth` steps, from which a path leads back to it."""
        return self.descendants(gene, max_depth) & _reach(self.parents, {gene}, 0)

    def restricted(self, genes: Iterable[str]) -> Graph:
        """The edges between `genes`."""
        known = set(genes)
        inside = self.edges["regulator"].isin(known) & self.edges["target"].isin(known)
        return Graph(self.name, self.edges[inside].reset_index(drop=True))

    def bootstrap(self, rng: np.random.Generator, kept: float = 0.8) -> Graph:
        """The graph with a random share `kept` of its edges, without replacement."""
        rows = np.sort(rng.permutation(len(self.edges))[: round(kept * len(self.edges))])
        return Graph(self.name, self.edges.iloc[rows].reset_index(drop=True))


def _reach(edges: dict[str, list[str]], start: set[str], max_depth: int) -> set[str]:
    reached, front, depth = set(start), sorted(start), 0
    while front and (not max_depth or depth < max_depth):
        front = sorted({node for parent in front for node in edges.get(parent, [])} - reached)
        reached.update(front)
        depth += 1
    return reached


def resolve(table: pd.DataFrame, var: pd.DataFrame, *, name: str = "given", where: str = "") -> Graph:
    """Graph whose genes are named as in the profiles.

    Genes of the `table` (``regulator``, ``target``, ``sign``) are matched by id, then by symbol, in `var` (index = gene
    ids, column ``symbol``). A gene that is not among the profiles keeps its name: paths through it still count, so that
    leaving a gene out of the gene space does not cut the graph. `where` is the file, for errors.

    Raises
    ------
    UserError
        If a column is missing, a sign is not 1 or -1, or no edge has both ends among the profiles.
    """
    missing = [c for c in COLUMNS if c not in table]
    if missing:
        raise UserError(
            f"missing column(s) of the regulatory graph: {', '.join(missing)}",
            where=where or "interventions.graph",
            remedy=f"the file is a TSV with the columns {', '.join(COLUMNS)}",
        )
    wrong = ~table["sign"].isin([-1, 1])
    if wrong.any():
        raise UserError(
            f"sign {table.loc[wrong.idxmax(), 'sign']!r} of an edge of the regulatory graph is neither 1 nor -1",
            where=f"{where or 'interventions.graph'}, row {int(np.flatnonzero(wrong)[0]) + 1}",
            remedy="give 1 for activation and -1 for repression",
        )
    ids = gene_ids(var)
    edges = pd.DataFrame({c: table[c].map(lambda gene: ids.get(str(gene), str(gene))) for c in COLUMNS[:2]})
    edges["sign"] = table["sign"].astype(int)
    edges = edges[edges["regulator"] != edges["target"]].drop_duplicates(["regulator", "target"], ignore_index=True)
    if not (edges["regulator"].isin(var.index) & edges["target"].isin(var.index)).any():
        raise UserError(
            "no edge of the regulatory graph has both its genes among the profiles",
            where=where or "interventions.graph",
            remedy="name genes by symbol or unversioned Ensembl id, or enlarge prepare.gene_space",
        )
    return Graph(name, edges)


def gene_ids(var: pd.DataFrame) -> dict[str, str]:
    """Gene id of every id and of every symbol that names one gene only."""
    symbols = var["symbol"].astype(str)
    unique = symbols[~symbols.duplicated(keep=False)]
    return {**{symbol: gene for gene, symbol in unique.items()}, **{gene: gene for gene in var.index}}


def shuffled(graph: Graph, rng: np.random.Generator) -> Graph:
    """Every regulator keeps its number of targets and its signs, and gets random targets of the graph."""
    targets = np.unique(graph.edges["target"])
    edges = graph.edges.copy()
    for regulator, rows in graph.edges.groupby("regulator", sort=True).groups.items():
        edges.loc[rows, "target"] = rng.permutation(targets[targets != regulator])[: len(rows)]
    return Graph("shuffled", edges)


def corrupted(graph: Graph, rng: np.random.Generator, *, precision: float, recall: float) -> Graph:
    """The graph with edges dropped to `recall` and random edges of its regulators added down to `precision`."""
    kept = graph.edges.iloc[np.sort(rng.permutation(len(graph.edges))[: round(recall * len(graph.edges))])]
    present = set(zip(graph.edges["regulator"], graph.edges["target"], strict=True))
    regulators, targets = np.unique(graph.edges["regulator"]), np.unique(graph.edges["target"])
    free = [(r, t) for r in regulators for t in targets if r != t and (r, t) not in present]
    n = min(round(len(kept) * (1 - precision) / precision), len(free))
    false = pd.DataFrame([free[i] for i in rng.permutation(len(free))[:n]], columns=list(COLUMNS[:2]))
    false["sign"] = rng.choice([-1, 1], n)
    return Graph("corrupted", pd.concat([kept, false], ignore_index=True))
