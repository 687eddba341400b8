"""The real breast study in small: known truths about privacy and about what the cell level is worth."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest


@pytest.fixture(scope="session")
def tables(tmp_path_factory, copy_project, snakemake, data_root):
    """Summaries of the study, by evaluation."""
    folder = copy_project(tmp_path_factory.mktemp("breast") / "project")
    shutil.copy(Path(__file__).with_name("breast-small.yaml"), folder / "small.yaml")
    snakemake(
        folder, "--cores", "2", "--configfile", "config/breast.yaml", "small.yaml", "--config", f"data_root={data_root}"
    )
    results = folder / "results/breast-small"
    assert (results / "report/index.html").stat().st_size > 10_000
    names = ("fidelity", "augmentation", "privacy", "combination")
    return {name: pd.read_csv(results / f"tables/{name}_summary.tsv", sep="\t") for name in names}


def auc(table, generator, attack, regime="audit"):
    rows = table[(table["generator"] == generator) & (table["regime"] == regime) & (table["metric"] == "auc")]
    return rows.set_index("estimator")["value"][attack]


def test_span_residual_breaks_the_camda_baseline_that_neighbours_call_safe(tables):
    assert auc(tables["privacy"], "mvn_camda", "span_residual") >= 0.99
    assert auc(tables["privacy"], "mvn_camda", "nearest_neighbour") <= 0.62


def test_gaussian_likelihood_ratio_breaks_the_shrunk_gaussian(tables):
    assert auc(tables["privacy"], "mvn", "gaussian_likelihood_ratio") >= 0.9


def test_positive_and_negative_controls_hold(tables):
    assert auc(tables["privacy"], "copy", "nearest_neighbour") >= 0.95
    table = tables["privacy"]
    negative = table[(table["regime"] == "negative_control") & (table["metric"] == "auc")]
    assert len(negative) >= 12
    assert negative["value"].between(0.44, 0.56).all(), negative[["generator", "estimator", "value"]]


def test_stacking_lifts_one_tumour_per_class_and_permuted_labels_do_not(tables):
    table = tables["combination"]
    one = table[(table["n_real"] == 1) & (table["metric"] == "balanced_accuracy")]

    def value(generator, regime):
        return one[(one["generator"] == generator) & (one["regime"] == regime)]["value"].iloc[0]

    gain = table[(table["n_real"] == 1) & (table["generator"] == "stacking") & (table["regime"] == "both")]
    gain = gain[gain["metric"] == "gain_over_real_only"].iloc[0]
    assert gain["value"] >= 0.08
    assert gain["ci_low"] > 0
    assert value("stacking", "both") - value("stacking", "permuted") > 0.03
