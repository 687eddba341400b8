"""Recovery of pathways: do the same gene sets go up and down between classes of the synthetic cohort?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ..core.errors import UserError
from .differential import averaged, contrast, contrasted

#: Genes that a set needs in the gene space.
MIN_GENES = 5
#: Sets beyond this score in the real profiles have a direction to be recovered.
CLEAR = 1.96


def read_gene_sets(path: str | Path) -> dict[str, set[str]]:
    """Gene sets of a GMT file: a set per line, its name, a description and its symbols, between tabs.

    Raises
    ------
    UserError
        If the file is missing, or a line has no genes.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path} is not there", where="fidelity.gene_sets", remedy="give the path of a GMT file")
    sets = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        name, *rest = line.rstrip("\t").split("\t")
        if len(rest) < 2:
            raise UserError(
                f"{len(rest) + 1} field(s) where a name, a description and genes should be",
                where=f"{path}, line {number}",
                remedy="a GMT file has tabs between its fields; take it from MSigDB or Reactome as it is",
            )
        sets[name] = set(rest[1:])
    return sets


def set_matrix(sets: Mapping[str, Collection[str]], symbols: pd.Series) -> np.ndarray:
    """Which genes (columns) are in which sets (rows); sets with fewer than five of the genes, or all, are left out."""
    rows = [symbols.isin(list(genes)).to_numpy() for genes in sets.values()]
    rows = [row for row in rows if MIN_GENES <= row.sum() < len(row)]
    return np.array(rows, dtype=bool).reshape(len(rows), len(symbols))


def set_scores(change: np.ndarray, sets: np.ndarray) -> np.ndarray:
    """Score z of each set against all genes (PAGE: Kim & Volsky 2005, BMC Bioinformatics 6:144).

    Parameters
    ----------
    change : ndarray (genes,)
        Fold changes.
    sets : ndarray of bool (sets × genes)
    """
    size = sets.sum(1)
    return (sets @ change / size - change.mean()) * np.sqrt(size) / max(change.std(), 1e-12)


def pathway_recovery(
    real: np.ndarray, synthetic: np.ndarray, real_class: np.ndarray, synthetic_class: np.ndarray, sets: np.ndarray
) -> dict[str, float]:
    """Agreement of the sets' scores in every class's contrast against the rest, averaged over classes.

    * pathway_r: correlation over sets
    * pathway_sign_agreement: share of the really changed sets (absolute z above 1.96) with the right sign

    Empty if there are fewer than three sets, or fewer than two classes have four profiles.
    """
    if len(sets) < 3:
        return {}
    found = []
    for in_real, in_synthetic in contrasted(real_class, synthetic_class):
        truth, guess = (
            set_scores(contrast(x, inside)[0], sets) for x, inside in ((real, in_real), (synthetic, in_synthetic))
        )
        found.append({"pathway_r": float(np.corrcoef(truth, guess)[0, 1])})
        if (clear := np.abs(truth) > CLEAR).any():
            found[-1]["pathway_sign_agreement"] = float((np.sign(truth) == np.sign(guess))[clear].mean())
    return averaged(found)
