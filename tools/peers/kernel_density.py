"""Kernel density in principal components, as in scikit-learn's example of drawing digits."""

from __future__ import annotations

import numpy as np
import pandas as pd

TITLE = "kernel density"
SOURCE = "scikit-learn, its example 'Kernel Density Estimation'"
LICENSE = "BSD-3"
COMPONENTS = 30
LIMITS = (
    f"{COMPONENTS} principal components, a density of each class; bandwidth by cross-validation; no noise beyond them"
)
ENVIRONMENT = None


def fit_sample(train: pd.DataFrame, classes: np.ndarray, n_per_class: dict[str, int], seed: int) -> pd.DataFrame:
    """Bandwidth of all classes by five-fold likelihood, around class means."""
    from sklearn.decomposition import PCA
    from sklearn.model_selection import GridSearchCV
    from sklearn.neighbors import KernelDensity

    x = train.to_numpy(np.float64)
    pca = PCA(min(COMPONENTS, *x.shape), random_state=seed).fit(x)
    z = pca.transform(x)
    means = pd.DataFrame(z).groupby(classes).transform("mean").to_numpy()
    spread = (z - means).std()
    grid = {"bandwidth": spread * np.logspace(-1, 0.5, 16)}
    bandwidth = GridSearchCV(KernelDensity(), grid, cv=5).fit(z - means).best_params_["bandwidth"]
    parts, names = [], []
    for number, (name, n) in enumerate(n_per_class.items()):
        density = KernelDensity(bandwidth=bandwidth).fit(z[classes == name])
        parts.append(pca.inverse_transform(density.sample(n, random_state=seed + number)))
        names += [name] * n
    return pd.DataFrame(np.concatenate(parts), columns=train.columns, index=names)
