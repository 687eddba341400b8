"""Plots that return matplotlib axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from ..core.errors import UserError
from .inputs import as_anndata, column_of, dense

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .cohort import Cohort

#: Conditions that get a colour of their own.
_COLOURS = 10


def _axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]


def plot_history(cohort: Cohort, ax: Axes | None = None) -> Axes:
    """Losses of the training by step.

    Parameters
    ----------
    cohort : Cohort
    ax : Axes, optional
        To draw into.

    Returns
    -------
    Axes

    Raises
    ------
    UserError
        If the generator has no training loop.

    Examples
    --------
    >>> import matplotlib, pseudocohort as pc
    >>> matplotlib.use("agg")
    >>> cohort = pc.fit(pc.example(60), "cancer", generator="flow", settings={"steps": 20})
    >>> pc.plot_history(cohort).get_xlabel()
    'step'
    """
    if cohort.history is None:
        raise UserError(
            f"generator {cohort.generator!r} has no training loop", where="plot_history", remedy="fit a network"
        )
    ax = _axes(ax, (4.5, 3))
    for name in cohort.history.columns.drop("step"):
        ax.plot(cohort.history["step"], cohort.history[name], label=name)
    ax.set(xlabel="step", ylabel="loss")
    ax.legend(frameon=False)
    return ax


def plot_map(
    real: ad.AnnData | pd.DataFrame,
    synthetic: ad.AnnData | pd.DataFrame,
    condition: str = "condition",
    ax: Axes | None = None,
) -> Axes:
    """Real and synthetic profiles on the first two principal components of the real ones, coloured by condition.

    Genes are standardised by the real profiles, as in the map of the report. Real profiles are dots, synthetic ones
    crosses.

    Parameters
    ----------
    real, synthetic : AnnData or DataFrame
        log2 expression; genes that both have are used, in the order of `real`.
    condition : str
        Column of ``obs`` (or of the tables) of both.
    ax : Axes, optional
        To draw into.

    Returns
    -------
    Axes

    Raises
    ------
    UserError
        If they share fewer than two genes, a column is missing, or values are.

    Examples
    --------
    >>> import matplotlib, pseudocohort as pc
    >>> matplotlib.use("agg")
    >>> real = pc.example(60)
    >>> synthetic = pc.fit(real, "cancer", generator="independent").sample(60)
    >>> pc.plot_map(real, synthetic, "cancer").get_xlabel()
    'PC1'
    """
    real, synthetic = as_anndata(real, [condition], where="real"), as_anndata(synthetic, [condition], where="synthetic")
    genes = real.var_names[real.var_names.isin(synthetic.var_names)]
    if len(genes) < 2 or real.n_obs < 2:
        raise UserError(
            f"{real.n_obs} real profiles, and {len(genes)} genes in common with the synthetic ones",
            where="plot_map",
            remedy="give two or more of both; genes must have the same names",
        )
    x, made = (dense(data[:, genes].X).astype(np.float64) for data in (real, synthetic))
    for where, values in (("real", x), ("synthetic", made)):
        if not np.isfinite(values).all():
            raise UserError("values are missing or infinite", where=where, remedy="leave out these genes or profiles")
    label, of_made = column_of(real, condition, "condition"), column_of(synthetic, condition, "condition", "synthetic")
    mean, sd = x.mean(0), x.std(0) + 0.1
    components = PCA(2, random_state=0).fit((x - mean) / sd)
    ax = _axes(ax, (5.5, 4))
    frequent = label.value_counts().index[:_COLOURS]
    panels = (("real", x, label, {"marker": "o", "linewidth": 0, "alpha": 0.7}),
              ("synthetic", made, of_made, {"marker": "x", "linewidth": 0.9, "alpha": 0.8}))  # fmt: skip
    for kind, values, names, style in panels:
        z = components.transform((values - mean) / sd)
        for i, name in enumerate([*frequent, None]):
            rows = (names == name if name is not None else ~names.isin(frequent)).to_numpy()
            if rows.any():
                colour, text = (f"C{i}", name) if name is not None else ("0.6", "others")
                ax.scatter(*z[rows].T, s=14, color=colour, label=f"{text}, {kind}", **style)
    share = components.explained_variance_ratio_
    ax.set(xlabel="PC1", ylabel="PC2", title=f"{share.sum():.0%} of the real profiles' variance")
    ax.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    return ax
