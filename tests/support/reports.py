"""A report of small tables whose answer is known."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from pseudocohort.core.io import evaluation_table
from pseudocohort.experiments.augmentation.figures import augmentation
from pseudocohort.experiments.combination.figures import combination
from pseudocohort.experiments.fidelity.figures import fidelity
from pseudocohort.experiments.interventions.figures import interventions
from pseudocohort.experiments.privacy.attacks import REQUIRED
from pseudocohort.experiments.privacy.figures import privacy
from pseudocohort.experiments.shared.statistics import summarise
from pseudocohort.experiments.shared.style import save
from pseudocohort.experiments.shared.verdicts import verdicts
from pseudocohort.report import page
from pseudocohort.report.data_section import DataSection
from pseudocohort.report.tables import plain_table


def rows_of(values, **keys):
    """Evaluation rows: metric -> values over repeats."""
    return [
        {"study": "s", "repeat": r, "seed": r, "metric": metric, "value": float(v), **keys}
        for metric, several in values.items()
        for r, v in enumerate(several)
    ]


def augmentation_table(gain, *, ceiling=0.9, spread=0.01, control=0.0):
    """Gains of ddpm, and of copies as control, over the best baseline; an oracle gains .15 more."""
    keys = {"task": "t", "n_real": 25}
    noise = np.linspace(-spread, spread, 6)
    rows = []
    for estimator in ("nearest_centroids", "best"):
        none = {"generator": "real", "n_synthetic": 0, "estimator": estimator}
        rows += rows_of({"balanced_accuracy": 0.7 + noise}, **keys, **none, regime="none")
        rows += rows_of({"balanced_accuracy": ceiling + noise}, **keys | {"n_real": -1}, **none, regime="ceiling")
    for generator, value in (("copy", control), ("ddpm", gain)):
        for regime, shift in (("same_n", 0), ("oracle", 0.15)):
            for estimator, less in (("logistic", 0), ("best", 0.004)):
                mean = value + shift - less
                values = {"balanced_accuracy": 0.7 + mean + noise, "balanced_accuracy_gain": mean + noise}
                arm = {"generator": generator, "regime": regime, "estimator": estimator, "n_synthetic": 100}
                rows += rows_of(values, **keys, **arm)
    return evaluation_table(rows)


def privacy_table(auc, p, coins=4):
    """The least battery on a generator: the span residual reaches `auc`, the other attacks guess."""
    rows, about = [], np.linspace(-0.01, 0.01, coins)
    of = {"generator": "ddpm", "level": "tumour"}
    for regime, value in (("audit", auc), ("negative_control", 0.5)):
        keys = {**of, "regime": regime, "n_real": 50, "n_synthetic": 50}
        for attack in REQUIRED:
            area = about + (value if attack == "span_residual" else 0.5)
            ends = {"auc": area, "auc_se": [0.05] * coins, "auc_low": area - 0.1, "auc_high": area + 0.1}
            rows += rows_of(ends, estimator=attack, **keys)
        rows += rows_of({"p_corrected": [p if regime == "audit" else 0.6] * coins}, estimator="battery", **keys)
    rows += rows_of({"non_members": [50.0 * coins]}, estimator="span_residual", regime="pooled", **of)
    return evaluation_table(rows)


def interventions_table(given, corrupted):
    noise = np.linspace(-0.05, 0.05, 12)
    rows = []
    for generator, graph, value in (("do_g", "given", given), ("do_g", "corrupted", corrupted), ("see", None, 0.5)):
        keys = {"task": "do", "generator": generator, "estimator": graph, "level": "tumour"}
        rows += rows_of({"pearson_delta": value + noise}, **keys)
        if graph:
            rows += rows_of({"pearson_delta_gain_over_see": value - 0.5 + noise / 5}, **keys)
    return evaluation_table(rows)


def combination_table(gain):
    noise = np.linspace(-0.01, 0.01, 12)
    rows = []
    for k in (0, 1):
        arm = "both" if k else "cell_only"
        if k:
            rows += rows_of({"balanced_accuracy": 0.6 + noise}, generator="real", regime="tissue_only", n_real=k)
        best = {"generator": "best_without_pool", "estimator": "stacking", "regime": arm, "n_real": k}
        rows += rows_of({"balanced_accuracy": 0.65 + noise}, **best)
        for g in ("em", "em_logistic", "mvn"):
            values = {"balanced_accuracy": 0.6 + gain + noise, "both_minus_permuted": gain + noise}
            if k:
                values |= {"gain_over_real_only": gain + noise, "both_minus_tissue_only": gain + noise}
            if g == "mvn":
                values["gain_over_em_logistic"] = noise - 0.005
            else:
                values |= {"recall_a": 0.7 + noise, "recall_b": 0.9 + noise}
            rows += rows_of(values, generator=g, regime=arm, n_real=k)
            wrong = {"balanced_accuracy": 0.6 + noise} | ({"recall_a": 0.1 + noise} if g == "em" else {})
            rows += rows_of(wrong, generator=g, regime="permuted", n_real=k)
    used = {"em_source_used": np.ones(12), "em_confident": np.full(12, 0.75), "em_labels_right": np.full(12, 0.95)}
    rows += rows_of(used, generator="em", regime="cell_only", n_real=0)
    for size in (50, 100):
        keys = {"generator": "em", "regime": "cell_only", "n_real": 0, "task": f"pool:{size}"}
        rows += rows_of({"pool_balanced_accuracy": 0.6 + size / 1000 + noise}, **keys)
    rows += rows_of({"balanced_accuracy": [0.9]}, generator="real", regime="ceiling", n_real=-1)
    return evaluation_table(rows)


METRICS = (
    "discriminator_auc", "coverage", "correlation_score_within", "memorisation_share", "de_logfc_r",
)  # fmt: skip


def fidelity_table(spread=0.01, **discriminator):
    rows, rng = [], np.random.default_rng(0)
    for generator, auc in discriminator.items():
        memorised = 1.0 if generator == "copy" else 0.0
        values = dict.fromkeys(METRICS, [0.9, 0.92, 0.91]) | {
            "discriminator_auc": auc + spread * rng.permutation([-1, 0, 1]),
            "memorisation_share": [memorised] * 3,
        }
        rows += rows_of(values, generator=generator)
        rows += rows_of({"correlation_score_within": [0.8, 0.9]}, generator=generator, task="condition:A")
    return evaluation_table(rows)


CONFIG = {"augmentation": {"tasks": {"t": {"title": "the task"}}}}
TABLES = {
    "augmentation": augmentation_table(0.05),
    "privacy": privacy_table(0.97, 0.001),
    "interventions": interventions_table(0.9, 0.4),
    "combination": combination_table(0.1),
    "fidelity": fidelity_table(real=0.5, copy=0.5, mvn=0.7, ddpm=0.56),
}
FIGURES = {
    "augmentation": augmentation, "privacy": privacy, "interventions": interventions, "combination": combination,
    "fidelity": fidelity,
}  # fmt: skip


def whole_page(tmp_path):
    """A whole page, with a title and a dataset name that try to break out of the HTML."""
    figures = {}
    for name, table in TABLES.items():
        save(FIGURES[name].draw(summarise(table), CONFIG), tmp_path / f"{name}.svg")
        figures[name] = tmp_path / f"{name}.svg"
    data = DataSection(
        [{"name": "Labels", "status": "look", "text": "5 of <b>x</b>"}],
        [plain_table(pd.DataFrame({"Dataset": ["<b>x</b>"], "Profiles": [9]}), "Datasets")],
    )
    model = tmp_path / "unclip/b000/full-r0/model/metadata.json"
    model.parent.mkdir(parents=True)
    checks = {"effective_rank": 9.1, "within_condition_share": 0.4, "level_auroc": None}
    model.write_text(json.dumps({"checks": checks}))
    return page.render(
        config={
            "study": "s", "title": "<script>alert(1)</script>", "simulated": True, "datasets": ["d"], "seed": 1,
            "generators": ["copy", "mvn", "ddpm"], "augmentation": {"tasks": {"t": {"title": "the task"}}},
            "prepare": {"gene_space": {"kind": "most_variable"}, "survival": {}}, "experiments": list(TABLES),
            "privacy": {"training_lengths": {}, "release_sizes": []},
        },
        verdicts=json.loads(json.dumps(verdicts(TABLES, CONFIG))),
        summaries={name: summarise(table) for name, table in TABLES.items()},
        figures=figures,
        data=data,
        conditions=pd.DataFrame({"condition": ["A", "B"], "level": "tumour", "profiles": [4, 5]}),
        donors=pd.DataFrame({"donor": ["a", "b"], "dataset": "d", "split": ["train", "test"]}),
        genes=pd.DataFrame({"gene": ["g"], "kept": [True]}),
        generators=[{"name": "copy", "summary": "photocopier", "reference": "none"}],
        further={"fidelity": {"models": [str(tmp_path / "unclip/b000")]}},
        software=pd.DataFrame({"package": ["numpy"], "version": ["1"], "key": [True]}),
        machine={"commit": "abc", "system": "Linux", "processors": 2, "accelerator": ""},
        cost=pd.DataFrame(),
        version="0",
    )  # fmt: skip
