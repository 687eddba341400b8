"""Tumour against normal in a cancer without labels: other cancers name the clusters of its patients.

Usage: python tools/tumour_or_normal.py results/paired/prepared/harmonised.h5ad [SPLITS]

Each other cancer is a source of its own (standardised by itself). Prints, for each cancer, balanced accuracy on 30 %
held-out patients of the nearest class mean of the sources and of the mixture, over splits of the patients.
"""

from __future__ import annotations

import sys
from pathlib import Path

import anndata as ad
import numpy as np
from sklearn.metrics import balanced_accuracy_score

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow/scripts"))

from pseudocohort.experiments.shared.statistics import interval
from pseudocohort.generators.fit.naming import one_per_donor
from pseudocohort.generators.space.label_em import Source, name_pool

HELD_OUT = 0.3


def accuracies(data: ad.AnnData, cancer: str, split: int) -> tuple[float, float]:
    """Balanced accuracy of the sources' nearest class mean and of the mixture on held-out patients of `cancer`."""
    x = np.asarray(data.X, dtype=np.float64)
    condition, label, donor = (
        data.obs[c].astype(str).to_numpy(dtype=object) for c in ("condition", "context", "donor")
    )
    sources = [
        Source(*one_per_donor(x[condition == c], donor[condition == c], label[condition == c]))
        for c in np.unique(condition.astype(str))
        if c != cancer
    ]
    own = condition == cancer
    patients = np.unique(donor[own].astype(str))
    held_out = np.random.default_rng(split).permutation(patients)[: int(HELD_OUT * len(patients))]
    test = own & np.isin(donor.astype(str), held_out)
    named = name_pool(x[own & ~test], sources, guarded=False)
    mean, sd = x[own & ~test].mean(0), np.maximum(x[own & ~test].std(0), 1e-6)
    names = np.unique(label.astype(str))
    contrasts = []
    for source in sources:
        z = source.standardised()
        means = np.stack([z[source.labels == c].mean(0) for c in names])
        contrasts.append(means - means.mean(0))
    contrast = np.mean(contrasts, axis=0)
    near = names[((x[test] - mean) / sd @ contrast.T - 0.5 * (contrast**2).sum(1)).argmax(1)]
    mixture = named.conditions[named.predict(x[test]).argmax(1)].astype(str)
    truth = label[test].astype(str)
    return balanced_accuracy_score(truth, near), balanced_accuracy_score(truth, mixture)


def main() -> None:
    """Print a row for each cancer, and the mean over cancers with its interval over splits."""
    data, splits = ad.read_h5ad(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 10
    found = {}
    for cancer in sorted(data.obs["condition"].astype(str).unique()):
        found[cancer] = np.array([accuracies(data, cancer, split) for split in range(splits)])
        near, mixed = (interval(column) for column in found[cancer].T)
        print(f"{cancer}: nearest mean {near.mean:.3f}, mixture {mixed.mean:.3f} [{mixed.low:.3f}, {mixed.high:.3f}]")
    near, mixture = (interval(column) for column in np.mean(list(found.values()), axis=0).T)
    print(f"mean over cancers: nearest mean {near.mean:.3f} [{near.low:.3f}, {near.high:.3f}], ", end="")
    print(f"mixture {mixture.mean:.3f} [{mixture.low:.3f}, {mixture.high:.3f}]")


if __name__ == "__main__":
    main()
