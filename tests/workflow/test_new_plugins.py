"""A generator, an attack and an experiment are each one folder or file, dropped into a copy of the project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from pseudocohort.core import contracts

GENERATOR = '''"""Everybody is the mean of the condition."""

import numpy as np

from ...core.groups import check_seen, keys_of, rows_by_key
from ...core.settings import number
from ..base.description import Capabilities, Description
from ..base.generator import Generator

GENERATORS = Description(
    name="toy_mean",
    summary="class means and noise of one size",
    source="this test",
    implementation=":ToyMean",
    capabilities=Capabilities(covariates=False),
    settings={"spread": number(1.0, "Standard deviation of the noise.", minimum=0)},
    assumptions="Genes are independent.",
    limits="All genes vary alike.",
    order=15,
)


class ToyMean(Generator):
    """x = mean of condition and level + noise."""

    description = GENERATORS

    def fit(self, profiles, *, settings=None, seed, device="cpu", checkpoint=None):
        self.settings = self.merge_settings(settings)
        self.mean = {key: np.asarray(profiles.X[rows]).mean(0) for key, rows in rows_by_key(profiles.obs).items()}
        return self

    def sample(self, obs, *, seed, device="cpu"):
        keys = keys_of(obs)
        check_seen(keys, set(self.mean), self.name)
        mean = np.stack([self.mean[key] for key in keys])
        return (mean + self.settings["spread"] * np.random.default_rng(seed).normal(size=mean.shape)).astype(np.float32)

    def state(self):
        keys = sorted(self.mean)
        return {str(i): self.mean[key] for i, key in enumerate(keys)}, {"keys": keys, "settings": self.settings}

    @classmethod
    def from_state(cls, arrays, metadata):
        out = cls()
        out.settings = metadata["settings"]
        out.mean = {tuple(key): arrays[str(i)] for i, key in enumerate(metadata["keys"])}
        return out
'''
ATTACK = '''"""Attack by the length of a profile."""

import numpy as np

from ._base import Attack


def toy_length(space, *, seed):
    """Squared length of the candidates."""
    return np.square(space.candidates).sum(1)


ATTACK = Attack(name="toy_length", summary="Is the profile long?", source="this test", score=toy_length)
'''
EXPERIMENT = '''"""How far the mean of the synthetic profiles lies from that of held-out ones."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from ..core.io import evaluation_table
from ..core.settings import integer
from .description import Experiment, Figure
from .shared.plan import in_proportion, rows

EXPERIMENT = Experiment(
    name="toy_distance",
    title="Distance of means",
    summary="Distance of the mean synthetic profile from the mean held-out one.",
    source="this test",
    question="How far off is the mean?",
    settings={"repeats": integer(2, "Deals of the training donors.", minimum=1)},
    keys={"generator": "Generator"},
    columns={"distance": "Distance of means"},
    figures=(Figure(name="toy_bars", draw="figures:bars", caption="Bars of distances; ``real`` is the floor."),),
)


def training_sets(config):
    for repeat in range(config["toy_distance"]["repeats"]):
        yield {"training_set": f"toy-r{repeat}", "repeat": repeat, "generators": config["generators"]}


def members(obs, row, config):
    tissue = obs[obs["level"] == "tumour"]
    return pd.concat([rows(obs, tissue.index[tissue["split"] == split], split) for split in ("train", "test")])


def request(row, roles, config, rng, *, private):
    return in_proportion(roles.requests("train"), 60, rng)


def score(given):
    out = []
    for row in given.training_sets.to_dict("records"):
        own = given.members[given.members["training_set"] == row["training_set"]]
        train, test = (np.asarray(given.profiles[own["sample_id"][own["role"] == r]].X) for r in ("train", "test"))
        made = train if given.generator == "real" else np.asarray(given.synthetic[row["training_set"]].X)
        distance = float(np.linalg.norm(made.mean(0) - test.mean(0)))
        keys = {"study": given.study, "generator": given.generator, "repeat": row["repeat"], "seed": row["seed"]}
        out.append(keys | {"metric": "distance", "value": distance})
    return evaluation_table(out)


def verdict(table, config):
    means = table.groupby("generator")["value"].mean()
    return {"status": "unclear", "answer": f"The nearest mean is that of {means.idxmin()}.", "points": []}


def bars(summary, config):
    figure, ax = plt.subplots()
    ax.barh(summary["generator"], summary["value"])
    return figure
'''
STUDY = """
study: toys
simulated: true
datasets: [demo_normal, demo_tumour, demo_cells, demo_line_bulk]
generators: [copy, toy_mean]
generator_settings: {toy_mean: {spread: 0.5}}
experiments: [toy_distance, privacy]
privacy: {coins: 1, attacks: [nearest_neighbour, toy_length]}
"""
FILES = {
    "generators/models/toy_mean.py": GENERATOR,
    "experiments/privacy/attacks/toy_length.py": ATTACK,
    "experiments/toy_distance.py": EXPERIMENT,
}


def run(folder: Path, *command: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True, text=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory, copy_project, project_root) -> Path:
    folder = copy_project(tmp_path_factory.mktemp("plugins") / "project")
    shutil.copytree(project_root / "docs", folder / "docs")
    for name, text in FILES.items():
        (folder / "workflow/scripts/pseudocohort" / name).write_text(text)
    (folder / "toys.yaml").write_text(STUDY)
    return folder


def test_a_small_run_has_them_all(project):
    done = run(project, "-m", "snakemake", "--cores", "2", "--quiet", "all", "--configfile", "toys.yaml")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    table = pd.read_csv(project / "results/toys/tables/toy_distance.tsv", sep="\t")
    contracts.check_evaluation(table, "toy_distance")
    assert set(table["generator"]) == {"real", "copy", "toy_mean"} and set(table["repeat"]) == {0, 1}
    privacy = pd.read_csv(project / "results/toys/tables/privacy.tsv", sep="\t", low_memory=False)
    attacked = privacy[(privacy["estimator"] == "toy_length") & (privacy["metric"] == "auc")]
    assert set(attacked["generator"]) == {"copy", "toy_mean"}
    html = (project / "results/toys/report/index.html").read_text()
    for part in ("Distance of means", "How far off is the mean?", "The nearest mean is that of", "toy_mean"):
        assert part in html, part
    assert "<code>real</code> is the floor" in re.sub("</?a[^>]*>", "", html) and "toy_bars-" in html


@pytest.mark.parametrize(
    ("wrong", "where", "remedy"),
    [
        ("toy_distance: {repeats: none}", "toy_distance.repeats", "Deals of the training donors"),
        ("toy_distance: {repeat: 3}", "toy_distance", "did you mean 'repeats'"),
        ("generator_settings: {toy_mean: {spread: -1}}", "generator_settings.toy_mean.spread", "Standard deviation"),
        ("privacy: {attacks: [toy_lenght]}", "privacy.attacks[0]", "did you mean 'toy_length'"),
    ],
)
def test_their_settings_are_checked_in_a_dry_run(project, wrong, where, remedy):
    lines = [line for line in STUDY.strip().splitlines() if not line.startswith(wrong.split(":")[0])]
    (project / "wrong.yaml").write_text("\n".join([*lines, wrong]))
    done = run(project, "-m", "snakemake", "-n", "--configfile", "wrong.yaml")
    said = done.stdout + done.stderr
    assert done.returncode != 0 and where in said and remedy in said, said[-2000:]


def test_the_documentation_has_them(project):
    for tool in ("tools/config_table.py", "tools/generator_pages.py"):
        assert run(project, tool, "--check").returncode != 0
        assert run(project, tool).returncode == 0
    text = (project / "config/README.md").read_text()
    assert "`toy_distance.repeats`" in text and "Deals of the training donors." in text and "toy_length" in text
    assert "Genes are independent." in (project / "docs/generators/toy_mean.md").read_text()
