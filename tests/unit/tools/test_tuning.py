"""The same budget for every network, on training donors alone."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import yaml

from pseudocohort.core import contracts
from pseudocohort.core.errors import UserError
from pseudocohort.core.io import write_profiles, write_table
from pseudocohort.generators.base.registry import get

LEVEL = {"technology": "bulk", "aggregation": "bulk", "context": "tumour", "level": "tumour", "unit": "log2(tpm + 1)"}


@pytest.fixture(scope="module")
def tool(project_root):
    spec = spec_from_file_location("tune_generators", project_root / "tools/tune_generators.py")
    module = module_from_spec(spec)
    sys.modules["tune_generators"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def study(tmp_path):
    """A prepared study of two conditions, whose held-out donors would be noticed."""
    rng = np.random.default_rng(1)
    n = 120
    condition = np.arange(n) % 2
    x = (6 + 2 * condition[:, None] * (np.arange(20) < 5) + rng.normal(size=(n, 20))).astype(np.float32)
    donor = [f"P{i // 2}" for i in range(n)]
    split = ["test" if i % 3 == 0 else "train" for i in range(n // 2)]
    x[np.repeat(np.array(split) == "test", 2)] += 1000
    obs = pd.DataFrame({"donor": donor, "dataset": "mine", "condition": np.array(["A", "B"])[condition], **LEVEL})
    obs.index = [f"s{i}" for i in range(n)]
    var = pd.DataFrame({"symbol": [f"G{i}" for i in range(20)]}, index=[f"ENSG{i:011d}" for i in range(20)])
    profiles = ad.AnnData(x, obs=obs, var=var)
    profiles.uns["pseudocohort"] = {"unit": "log2 expression", "scale": "unscaled"}
    folder = tmp_path / "results/mine"
    write_profiles(profiles, folder / "prepared/harmonised.h5ad", contracts.HARMONISED)
    donors = pd.DataFrame({"donor": [f"P{i}" for i in range(n // 2)], "dataset": "mine", "split": split, "genes": "no"})
    write_table(donors, folder / "prepared/donors.tsv")
    return folder


@pytest.mark.parametrize("space", ["tuning", "tuning_components"])
def test_every_network_has_the_same_number_of_different_trials_and_its_defaults_first(tool, project_root, space):
    budget = yaml.safe_load((project_root / f"resources/{space}.yaml").read_text())
    found = list(tool.trials(budget["space"], budget["trials"], budget["splits"], 1))
    assert found == list(tool.trials(budget["space"], budget["trials"], budget["splits"], 1))
    for name in budget["space"]:
        own = [trial for trial in found if trial.generator == name and trial.split == 0]
        assert len({trial.settings for trial in own}) == len(own) == budget["trials"]
        assert own[0].number == 0 and own[0].settings == "{}"
        for trial in own:
            settings = json.loads(trial.settings)
            settings.pop("length", None)
            get(name).merge_settings(settings)  # refuses keys that are unknown
    with pytest.raises(UserError, match="fewer than 4 different"):
        list(tool.trials({"ddpm": {"width": [32, 64]}}, 5, 1, 1))


def test_held_out_donors_are_never_read_and_splits_share_no_donor(tool, study):
    seen = []
    for split in (0, 1):
        train, scored = tool.split_donors(study, split, 30, 1)
        assert len(train) == 30 and not set(train.obs["donor"]) & set(scored.obs["donor"])
        assert np.abs(train.X).max() < 10 and np.abs(scored.X).max() < 10
        seen.append(set(scored.obs["donor"]))
    assert seen[0] != seen[1]


def test_score_is_one_at_the_ceiling_and_copies_pay(tool):
    real = {"coverage": 0.9, "tstr_balanced_accuracy": 0.8, "discriminator_auc": 0.5, "closer_to_train_share": 0.52}
    rows = pd.DataFrame([real, real | {"closer_to_train_share": 1.0}, real | {"discriminator_auc": 1.0}])
    ceiling = pd.DataFrame([real] * 3)
    np.testing.assert_allclose(tool.score(rows, ceiling), [1, 0.52, 2 / 3])


def test_trials_are_run_once_and_the_best_is_named(tool, study, project_root, tmp_path):
    space = {"trials": 2, "splits": 2, "profiles": 40, "space": {"cvae": {"learning_rate": [0.003], "length": [0.01]}}}
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(space))
    command = [sys.executable, project_root / "tools/tune_generators.py", "mine", "--space", tmp_path / "space.yaml"]

    def run(*arguments):
        return subprocess.run([*command, "--jobs", "1", *arguments], capture_output=True, text=True, cwd=tmp_path)

    done = run()
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(study / "tuning.tsv", sep="\t")
    assert table.groupby("generator").size().to_dict() == {"cvae": 4, "real": 2}
    assert np.isfinite(table[tool.METRICS]).all(axis=None)
    assert "cvae" in done.stdout and "gain by split" in done.stdout
    written = (study / "tuning.tsv").stat().st_mtime_ns
    assert run().stdout == done.stdout and (study / "tuning.tsv").stat().st_mtime_ns == written
    done = run("--profiles", "30", "--generators", "cvae")
    assert done.returncode == 0, done.stderr
    assert pd.read_csv(study / "tuning.tsv", sep="\t")["profiles"].value_counts().to_dict() == {40: 6, 30: 6}
    wrong = run("--generators", "mvn")
    assert wrong.returncode == 1 and "'mvn' has no settings to try" in wrong.stderr


def test_a_study_that_is_not_prepared(project_root, tmp_path):
    command = [sys.executable, project_root / "tools/tune_generators.py", "absent"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1 and "--until harmonise" in done.stderr and "Traceback" not in done.stderr
