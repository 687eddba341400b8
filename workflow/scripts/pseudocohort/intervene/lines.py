"""Cell lines of a study: one profile each, matched by name with the dependencies of lines."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import anndata as ad
import numpy as np

from ..prepare.log_scale import log2_expression
from .dependency import Dependencies

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lines:
    """One profile (n, G; log2 units) a line, the names of the lines and the symbols of the genes."""

    x: np.ndarray
    names: list[str]
    symbols: np.ndarray

    @classmethod
    def of(cls, data: ad.AnnData) -> Lines:
        """First profile of each line (the sum of its cells, where they are pseudo-bulks) of a prepared data set."""
        donors = data.obs["donor"].astype(str).to_numpy()
        first = np.array([int(np.flatnonzero(donors == name)[0]) for name in dict.fromkeys(donors)])
        chosen = data[first].copy()
        named = chosen.var.get("symbol", chosen.var_names)
        return cls(np.asarray(log2_expression(chosen), dtype=float), list(donors[first]), np.asarray(named, dtype=str))

    @classmethod
    def most_matched(cls, datasets: Sequence[ad.AnnData], dependencies: Dependencies) -> Lines | None:
        """Lines of the data set in which most of them have a dependency, and of equals the first; None without any.

        Data sets are not put together: what differs between them would be learned as a difference of lines.
        """
        found = {data.uns["pseudocohort"]["dataset"]: cls.of(data) for data in datasets}
        if not found:
            return None
        counts = {name: len(lines.matched(dependencies)[0]) for name, lines in found.items()}
        best = max(counts, key=counts.__getitem__)
        if len(found) > 1:
            log.info("lines of %s, for %d of them have a dependency (of all: %s)", best, counts[best], counts)
        return found[best]

    def matched(self, dependencies: Dependencies) -> tuple[np.ndarray, list[str]]:
        """Rows of the lines with a dependency, and their columns in its table."""
        known = {plain(column.split("_", 1)[0]): column for column in dependencies.dependent.columns}
        rows = [i for i, name in enumerate(self.names) if plain(name) in known]
        return np.array(rows, int), [known[plain(self.names[i])] for i in rows]


def plain(name: str) -> str:
    """A line's name without punctuation, in capitals."""
    return "".join(c for c in str(name).upper() if c.isalnum())
