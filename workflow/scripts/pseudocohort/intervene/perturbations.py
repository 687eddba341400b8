"""Measured perturbations of the user: effects by perturbed gene, and what they predict of unseen ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold

from ..core.errors import UserError
from .components import leading_components

#: Perturbations from which a linear predictor is worth its baseline.
MIN_PERTURBATIONS = 100
PENALTIES = tuple(np.geomspace(0.01, 100, 9))
COMPONENTS = 10
_WELLS = ("id", "pert_iname", "pert_type")


def read_perturbations(path: str | Path, columns: str | Path = "") -> pd.DataFrame:
    """Effects of perturbations, genes by perturbed genes, in the table's own unit.

    Parameters
    ----------
    path : path
        TSV or CSV (± gz): first column = symbols of the measured genes; further columns = perturbed genes, or wells.
    columns : path, optional
        TSV that says of each well ``id``, ``pert_iname`` (perturbed gene) and ``pert_type`` (``ctl...`` = control;
        L1000). The effect of a gene is then the mean of its wells less the mean of the controls.

    Raises
    ------
    UserError
        If a file is missing or has other columns, a value is no number, or no well is a control.
    """
    for name in filter(None, map(str, (path, columns))):
        if not Path(name).is_file():
            raise UserError("no such file", where=f"interventions.perturbations: {name}", remedy="give its path")
    table = pd.read_csv(path, sep="," if ".csv" in Path(path).name else "\t", index_col=0)
    values = table.apply(pd.to_numeric, errors="coerce")
    wrong = (values.isna() & table.notna()).to_numpy()
    if wrong.any():
        gene, column = np.argwhere(wrong)[0]
        raise UserError(
            f"{table.iloc[gene, column]!r} is no number",
            where=f"{path}, gene {table.index[gene]!r}, column {table.columns[column]!r}",
            remedy="keep numbers only; leave missing values empty",
        )
    values.index = values.index.astype(str)
    values = values[~values.index.duplicated()]
    if not columns:
        return values
    wells = pd.read_csv(columns, sep="\t", dtype=str, encoding="latin-1")
    missing = [c for c in _WELLS if c not in wells]
    if missing:
        raise UserError(f"missing column(s): {', '.join(missing)}", where=str(columns), remedy="it describes the wells")
    wells = wells.drop_duplicates("id").set_index("id").reindex(values.columns)
    control = wells["pert_type"].str.startswith("ctl", na=False).to_numpy(bool)
    if not control.any():
        raise UserError("no well is a control", where=str(columns), remedy="pert_type of controls starts with ctl")
    treated = wells["pert_iname"].where(wells["pert_type"].notna() & ~control)
    means = values.T.groupby(treated.to_numpy()).mean().T
    return means.sub(values.loc[:, control].mean(axis=1), axis=0)


@dataclass(frozen=True)
class LinearPredictor:
    """Effects as Y = b + G W P', G the components of the genes and P an embedding of the perturbed genes.

    The baseline of Ahlmann-Eltze et al. 2025 (Nat Methods, doi:10.1038/s41592-025-02772-6), with both penalties equal
    and chosen within the training perturbations.

    Attributes
    ----------
    mean : ndarray (G,)
    components : ndarray (k, G)
    weights : ndarray (k, d)
    centre : ndarray (d,)
        Mean embedding of the training perturbations.
    """

    mean: np.ndarray
    components: np.ndarray
    weights: np.ndarray
    centre: np.ndarray

    @classmethod
    def fit(cls, effects: np.ndarray, embedding: np.ndarray, *, seed: int) -> LinearPredictor:
        """Learn from `effects` (perturbations, G) and the `embedding` (perturbations, d) of the perturbed genes.

        Raises
        ------
        UserError
            If there are fewer than :data:`MIN_PERTURBATIONS`.
        """
        if len(effects) < MIN_PERTURBATIONS:
            raise UserError(
                f"{len(effects)} perturbations; {MIN_PERTURBATIONS} are needed",
                remedy="use the mean of the other perturbations",
            )
        errors = np.zeros(len(PENALTIES))
        for train, test in KFold(5, shuffle=True, random_state=seed).split(effects):
            for i, penalty in enumerate(PENALTIES):
                model = cls._with(effects[train], embedding[train], penalty)
                errors[i] += ((effects[test] - model.predict(embedding[test])) ** 2).sum()
        return cls._with(effects, embedding, PENALTIES[int(errors.argmin())])

    @classmethod
    def _with(cls, effects: np.ndarray, embedding: np.ndarray, penalty: float) -> LinearPredictor:
        mean, centre = effects.mean(0), embedding.mean(0)
        axes = leading_components(effects - mean, COMPONENTS)
        p = embedding - centre
        scale = penalty * np.trace(p.T @ p) / p.shape[1]
        # The components are orthonormal, so that the penalty on them is a factor.
        inner = np.linalg.solve(p.T @ p + scale * np.eye(p.shape[1]), p.T @ (effects - mean) @ axes.T)
        return cls(mean, axes, inner.T / (1 + penalty), centre)

    def predict(self, embedding: np.ndarray) -> np.ndarray:
        """Effects (m, G) of perturbations with the given embedding (m, d)."""
        return self.mean + (embedding - self.centre) @ self.weights.T @ self.components


def pathway_embedding(genes: list[str], gene_sets: dict[str, set[str]], k: int = 20) -> np.ndarray:
    """Embedding (genes, k) of genes by the gene sets that they belong to: leading components of membership."""
    member = np.array([[gene in genes_of for genes_of in gene_sets.values()] for gene in genes], dtype=float)
    member -= member.mean(0)
    return member @ leading_components(member, k).T
