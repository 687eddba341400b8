"""An Avatar-like local method: each profile is replaced by a random mean of its neighbours.

Our own few lines after the description of Guillaudeux et al. 2023 (npj Digital Medicine 6:37); the authors' software is
not used. Neighbours are those of the same class in five principal components. A neighbour's weight is the inverse of
its distance times an exponential draw times a share from 1/2, 1/4, 1/8, ... dealt out at random.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

TITLE = "Avatar-like"
SOURCE = "own lines after Guillaudeux et al. 2023"
LICENSE = "part of this project"
COMPONENTS, NEIGHBOURS = 5, 20
LIMITS = f"{COMPONENTS} components, {NEIGHBOURS} neighbours of the same class; not the authors' software"
ENVIRONMENT = None


def fit_sample(train: pd.DataFrame, classes: np.ndarray, n_per_class: dict[str, int], seed: int) -> pd.DataFrame:
    """Avatars of the profiles of a class in turn, until there are enough."""
    from sklearn.decomposition import PCA
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng(seed)
    x = train.to_numpy(np.float64)
    scale = np.where(x.std(0) > 0, x.std(0), 1)
    components = min(COMPONENTS, *x.shape)
    z = PCA(components, random_state=seed).fit_transform((x - x.mean(0)) / scale)
    parts, names = [], []
    for name, n in n_per_class.items():
        rows = np.flatnonzero(classes == name)
        k = min(NEIGHBOURS, len(rows) - 1)
        if k < 1:
            raise RuntimeError(f"class {name} has a single profile")
        distance, near = NearestNeighbors(n_neighbors=k).fit(z[rows]).kneighbors()  # without the profile itself
        who = np.resize(rng.permutation(len(rows)), n)
        shares = rng.permuted(np.tile(0.5 ** np.arange(1, k + 1), (n, 1)), axis=1)
        weight = rng.exponential(size=(n, k)) * shares / np.maximum(distance[who], 1e-12)
        weight /= weight.sum(1, keepdims=True)
        parts.append(np.einsum("nk,nkg->ng", weight, x[rows[near[who]]]))
        names += [name] * n
    return pd.DataFrame(np.concatenate(parts), columns=train.columns, index=names)
