"""Singling out, linkability and inference of a cohort by anonymeter (Giomi et al. 2023, PoPETs 2023(2):312).

Usage, in the environment of envs/anonymeter.yaml:
    python tools/anonymeter_risks.py --members MEMBERS.tsv --others OTHERS.tsv --synthetic SYNTHETIC.tsv
                                     [--genes 20] [--attacks 500]

The tables are profiles × genes with a first column of names and a column `condition` (tab-separated, gzip or not).
Members are the training donors, others equally many donors who were not trained on. A risk is the attack's success on
members beyond that on others, over what was left to win; beside it stand the successes themselves.

A second opinion in the words of WP29 Opinion 05/2014, and never the gate: the attacks go by distances and by
uniqueness among few columns. Every continuous profile is unique, so that genes are cut into quartiles of the others for
singling out; a cohort that leaks all its members by its covariance scores next to 0 here.
"""

from __future__ import annotations

import argparse

import pandas as pd
from anonymeter.evaluators import InferenceEvaluator, LinkabilityEvaluator, SinglingOutEvaluator


def main() -> None:
    """Print a table of risks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("members", "others", "synthetic"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--genes", type=int, default=20, help="most variable ones among the others")
    parser.add_argument("--attacks", type=int, default=500)
    options = parser.parse_args()
    members, others, synthetic = (
        pd.read_csv(path, sep="\t", index_col=0) for path in (options.members, options.others, options.synthetic)
    )
    genes = list(others.drop(columns="condition").std().nlargest(options.genes).index)
    edges = {gene: others[gene].quantile([0.25, 0.5, 0.75]).drop_duplicates().to_list() for gene in genes}
    columns = [*genes, "condition"]
    plain = [table[columns].reset_index(drop=True) for table in (members, synthetic, others)]
    cut = [
        table.assign(**{g: pd.cut(table[g], [-float("inf"), *edges[g], float("inf")]).astype(str) for g in genes})
        for table in plain
    ]
    attacks = min(options.attacks, len(members), len(others))
    half = len(genes) // 2
    evaluators = {
        "singling out": (SinglingOutEvaluator(*cut[:2], n_attacks=attacks, control=cut[2]), {"mode": "multivariate"}),
        "linkability": (
            LinkabilityEvaluator(
                *plain[:2], aux_cols=(genes[:half], genes[half:]), n_attacks=attacks, n_neighbors=5, control=plain[2]
            ),
            {},
        ),
        "inference of the condition": (
            InferenceEvaluator(*plain[:2], aux_cols=genes, secret="condition", n_attacks=attacks, control=plain[2]),
            {},
        ),
    }
    print("attack\trisk\tlow\thigh\tmembers\tothers")
    for name, (evaluator, options_of) in evaluators.items():
        evaluator.evaluate(**options_of)
        found, result = evaluator.risk(), evaluator.results()
        rates = [result.attack_rate.value, result.control_rate.value]
        print("\t".join([name, *(f"{v:.3f}" for v in (found.value, *found.ci, *rates))]), flush=True)


if __name__ == "__main__":
    main()
