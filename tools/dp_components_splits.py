"""Print what `dp_components` keeps at several epsilon, split by split: the table of docs/privacy-results.md.

Usage: python tools/dp_components_splits.py results/privacy [--splits 5] [--epsilon 0 1 3 10]

Donors of the study's harmonised profiles are dealt anew in every split: a fifth is public, without its labels being
used, and a quarter of the rest plus a few is for testing. The noise cannot be repeated, so numbers change a little.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow/scripts"))

import anndata as ad
import numpy as np
import pandas as pd

from pseudocohort.experiments.privacy.attacks import attack_space
from pseudocohort.experiments.shared.classifiers import transferred_accuracy
from pseudocohort.generators.fit.batch import fit
from pseudocohort.generators.private.statistics import LABELS
from pseudocohort.metrics.correlation import correlation_score
from pseudocohort.metrics.discriminator import discriminator_auc
from pseudocohort.metrics.prdc import precision_recall_density_coverage

PUBLIC, TEST = 0.2, 0.243


def measured(made: np.ndarray, y: np.ndarray, test: ad.AnnData, public: ad.AnnData) -> dict[str, float]:
    """Balanced accuracy of a classifier trained on `made`, coverage, precision, correlations within conditions.

    In the space of the attacks: expressed genes, on the scale of the public profiles. And how well a random forest
    tells as many of them as there are test profiles from these, by all genes.
    """
    truth, known = (part.obs["condition"].to_numpy() for part in (test, public))
    space = attack_space(np.asarray(test.X), np.asarray(public.X), made, truth, known, y)
    near = precision_recall_density_coverage(space.candidates, space.synthetic, 5)
    use = transferred_accuracy(space.synthetic, y, space.candidates, truth)
    within = correlation_score(space.candidates, space.synthetic, truth, y)
    some = made[np.random.default_rng(0).permutation(len(made))[: test.n_obs]]
    auc = discriminator_auc(np.asarray(test.X), some, test.obs["donor"].to_numpy(), 0)
    return {
        "balanced accuracy": use, "coverage": near["coverage"], "precision": near["precision"], "within": within,
        "auc": auc,
    }  # fmt: skip


def main() -> None:
    """Print a row for each epsilon, and one for the members themselves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--epsilon", type=float, nargs="+", default=[0, 1, 3, 10])
    options = parser.parse_args()
    data = ad.read_h5ad(options.results / "prepared/harmonised.h5ad")
    data.obs = data.obs.astype(dict.fromkeys((*LABELS, "donor"), str))
    labels, names = data.obs[list(LABELS)].drop_duplicates(), np.unique(data.obs["donor"])
    settings = {"genes": "public", "conditions": sorted(set(labels["condition"])), "public": "reference"}
    rows = []
    for split in range(options.splits):
        order = np.random.default_rng(split).permutation(names)
        n_public, n_test = round(PUBLIC * len(names)), round(TEST * len(names))
        of = dict.fromkeys(order, "member") | dict.fromkeys(order[:n_public], "public")
        of |= dict.fromkeys(order[n_public : n_public + n_test], "test")
        role = data.obs["donor"].map(of)
        member, test, public = (data[(role == name).to_numpy()] for name in ("member", "test", "public"))
        plan = pd.DataFrame({"training_set": "split", "sample_id": data.obs_names, "condition": data.obs["condition"]})
        plan["role"] = role.replace({"public": "reference"}).to_numpy()
        y = member.obs["condition"].to_numpy()
        rows.append({"epsilon": "members", **measured(np.asarray(member.X), y, test, public)})
        for epsilon in options.epsilon:
            own = settings | {"epsilon": int(epsilon) if epsilon == int(epsilon) else epsilon}
            fitted = fit(data, plan, ["split"], generator="dp_components", settings=own, seed=split, device="cpu")[0]
            made = fitted.sample(member.obs, seed=split, device="cpu")
            rows.append({"epsilon": f"{epsilon:g}", **measured(made, y, test, public)})
    table = pd.DataFrame(rows)
    print("| epsilon | balanced accuracy | by split | coverage | precision | within | discriminator AUC |")
    print("|---|---|---|---|---|---|---|")
    for epsilon, part in table.groupby("epsilon", sort=False):
        mean, use = part.drop(columns="epsilon").mean(), part["balanced accuracy"]
        by_split = ", ".join(f"{value:.2f}" for value in use)
        print(
            f"| {epsilon} | {mean['balanced accuracy']:.2f} | {by_split} | {mean['coverage']:.3f} | "
            f"{mean['precision']:.2f} | {mean['within']:.3f} | {mean['auc']:.2f} |"
        )


if __name__ == "__main__":
    main()
