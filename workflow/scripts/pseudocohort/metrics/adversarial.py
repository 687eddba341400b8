"""Nearest-neighbour adversarial accuracy (Yale et al. 2020, Neurocomputing 416:244)."""

from __future__ import annotations

import numpy as np

from .neighbours import closer, nearest
from .sizes import matched_chunks


def adversarial_accuracy(real: np.ndarray, synthetic: np.ndarray) -> dict[str, float]:
    """Accuracy of telling real from synthetic rows by their nearest neighbour, and its two halves.

    * truth_half: share of real rows whose nearest other real row is nearer than the nearest synthetic one
    * synthetic_half: share of synthetic rows whose nearest other synthetic row is nearer than the nearest real one
    * aa: their mean. Near .5 for a faithful generator, 0 for a photocopier, 1 for one that is far off. A generator
      that is far off and too spread out scores .5 as well, with halves 1 and 0: read the halves.

    Both sets should have the same size: nearest neighbours are nearer in a larger set.
    """
    real_to_synthetic, synthetic_to_real = nearest(real, synthetic)[:, 0], nearest(synthetic, real)[:, 0]
    truth = closer(nearest(real, real, exclude_self=True)[:, 0], real_to_synthetic).mean()
    other = closer(nearest(synthetic, synthetic, exclude_self=True)[:, 0], synthetic_to_real).mean()
    return {"aa": float((truth + other) / 2), "truth_half": float(truth), "synthetic_half": float(other)}


def matched_adversarial_accuracy(
    real: np.ndarray,
    synthetic: np.ndarray,
    real_class: np.ndarray,
    synthetic_class: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, float]:
    """:func:`adversarial_accuracy` at equal sizes, averaged over disjoint parts of the larger set.

    Each part has the larger set's class proportions. What is copied from rows outside a part cannot show in it, so
    that the value of a photocopier rises from 0 towards .5 as the parts get small: memorisation is measured elsewhere,
    against all training rows.
    """
    of_real, of_synthetic = matched_chunks(real_class, synthetic_class, rng)
    pairs = [(r, s) for r in of_real for s in of_synthetic]  # one of the two lists has a single part
    values = [adversarial_accuracy(real[r], synthetic[s]) for r, s in pairs]
    return {name: float(np.mean([v[name] for v in values])) for name in values[0]}
