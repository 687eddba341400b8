"""Latent rows given the values of some genes: the generator's draws as a Gaussian mixture, updated by Bayes' rule.

A generator with a latent space makes profiles x = mean + h L + noise, h being its draws. What draws say about the
distribution of h, whatever its form, is a mixture of narrow Gaussians around them, shrunk towards their mean so that
mean and covariance stay those of the draws (Liu & West 2001, section 10.3.3). Given the values of the clamped genes, a
mixture of Gaussians stays one, in closed form (Anderson & Anderson 1999, Mon. Wea. Rev. 127:2741, eq. 10-13). The
narrower the kernels the closer the mixture is to the generator, and the fewer draws agree with many clamped genes; so
each row takes the narrowest that leaves :data:`EFFECTIVE` draws. At the widest, 1, the answer is that of the Gaussian
with the draws' mean and covariance, which is exact where the generator is Gaussian.
"""

from __future__ import annotations

import numpy as np

from .covariance import symmetric_root

#: Draws of the generator for each condition and level.
DRAWS = 1000
#: Effective number of draws (Kong 1992) that the weights must leave.
EFFECTIVE = 50.0
#: Widths of the kernels in standard deviations of the draws, narrowest first; the last always does.
WIDTHS = (0.1, 0.15, 0.22, 0.33, 0.5, 0.7, 0.85, 1.0)
#: Smallest noise of a clamped gene, standard deviations of the gene.
_MIN_NOISE = 1e-3


def rows_given(
    draws: np.ndarray, loading: np.ndarray, noise: np.ndarray, values: np.ndarray, rng: np.random.Generator | None
) -> np.ndarray:
    """Latent rows given the values of some genes, one for each row of `values`: drawn, or expected.

    Parameters
    ----------
    draws : ndarray (m × components)
        Draws of the generator, of one condition and level.
    loading : ndarray (components × clamped genes)
        What a component adds to the clamped genes.
    noise : ndarray (clamped genes,)
        Standard deviation of each clamped gene around what the components say.
    values : ndarray (n × clamped genes)
        Values of the clamped genes, less the class mean.
    rng : Generator or None
        Picks draws and adds the kernels' spread; None asks for expectations.
    """
    centre = draws.mean(0)
    root = symmetric_root(np.cov(draws, rowvar=False).reshape(draws.shape[1], -1), least=1e-10)
    scaled = loading / np.maximum(noise, _MIN_NOISE)
    # In coordinates in which the draws have covariance I and the precision of the clamped genes is diagonal.
    precision, turn = np.linalg.eigh(root.T @ (scaled @ scaled.T) @ root)
    precision = np.maximum(precision, 0)
    unit = (draws - centre) @ np.linalg.pinv(root).T @ turn
    seen = ((values - centre @ loading) / np.maximum(noise, _MIN_NOISE)) @ scaled.T @ root @ turn
    out = np.empty((len(values), draws.shape[1]))
    left = np.arange(len(values))
    for width in WIDTHS:
        centres, tight = np.sqrt(1 - width**2) * unit, width**-2
        # Log weight of each centre for each row: the Gaussian integral over its kernel, less what is the same for all.
        gain = 1 / (tight + precision)
        log = tight * (seen[left] * gain) @ centres.T
        log += 0.5 * (tight * (tight * gain - 1) * centres**2).sum(1)
        weight = np.exp(log - log.max(1, keepdims=True))
        weight /= weight.sum(1, keepdims=True)
        enough = (1 / (weight**2).sum(1) >= EFFECTIVE) | (width == WIDTHS[-1])
        rows, weight = left[enough], weight[enough]
        if rng is None:
            chosen, spread = weight @ centres, 0.0
        else:
            reached = (weight.cumsum(1) < rng.random(len(rows))[:, None]).sum(1)
            chosen = centres[np.minimum(reached, len(draws) - 1)]
            spread = np.sqrt(gain) * rng.standard_normal(chosen.shape)
        out[rows] = (tight * chosen + seen[rows]) * gain + spread
        left = left[~enough]
        if not len(left):
            break
    return centre + out @ turn.T @ root.T
