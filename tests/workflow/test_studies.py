"""Every real study that is shipped: its data are read, harmonised, and enough for all that its plan asks of them."""

from __future__ import annotations

import pandas as pd
import pytest

# `breast` runs as a whole in test_breast.py; `full` downloads.
STUDIES = ("breast-draws", "camda", "gtex", "lung", "paired", "privacy", "release")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, copy_project):
    return copy_project(tmp_path_factory.mktemp("studies") / "project")


@pytest.mark.parametrize("study", STUDIES)
def test_study_can_be_planned(folder, snakemake, data_root, study):
    snakemake(
        folder,
        *("--cores", "2", "--configfile", f"config/{study}.yaml", "--until", "plan"),
        *("--config", f"data_root={data_root}"),
    )
    plan = folder / f"results/{study}/plan"
    sets = pd.read_csv(plan / "training_sets.tsv", sep="\t")
    members = pd.concat(pd.read_parquet(file) for file in (plan / "members").glob("*.parquet"))
    assert set(members["training_set"]) == set(sets["training_set"])
    assert (
        members.groupby("training_set", observed=True)["role"]
        .agg(lambda role: "train" in set(role) or "member" in set(role))
        .all()
    )
