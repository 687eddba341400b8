"""Leading singular vectors, exactly of small matrices and by random projections of large ones."""

from __future__ import annotations

import numpy as np

#: Rows and columns up to which all singular vectors are computed.
EXACT = 2000
#: Directions beyond those asked for, and times that a random projection is refined.
OVERSAMPLES, POWER_ITERATIONS = 20, 6


def leading_axes(x: np.ndarray, n_axes: int) -> tuple[np.ndarray, np.ndarray]:
    """Largest singular values (descending) of `x` (n × genes), and their right singular vectors, at least `n_axes`.

    Of a matrix of 20,000 × 20,000 all of them would take hours. Where both sides are longer than :data:`EXACT`, no
    more than `n_axes` are computed, by a randomised range finder with power iterations (Halko, Martinsson & Tropp 2011,
    SIAM Review 53:217, algorithm 4.4), the same each time. The vectors (rank × genes) are orthonormal rows.
    """
    if min(x.shape) <= max(EXACT, n_axes):
        _, values, axes = np.linalg.svd(x, full_matrices=False)
        return values, axes
    from sklearn.utils.extmath import randomized_svd  # a second, which generators without axes save

    _, values, axes = randomized_svd(x, n_axes, n_oversamples=OVERSAMPLES, n_iter=POWER_ITERATIONS, random_state=0)
    return values, axes
