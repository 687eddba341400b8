"""A generator is one folder: dropped into a copy of the project it is in registry, schema, training and docs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = '''"""Class means and noise of one size."""

from ....core.settings import number
from ...base.description import Capabilities, Description

GENERATORS = Description(
    name="toy_means",
    summary="class means and noise of one size",
    source="this test",
    implementation="model:ToyMeans",
    capabilities=Capabilities(covariates=False),
    settings={"spread": number(1.0, "Standard deviation of the noise.", minimum=0)},
    assumptions="Genes are independent.",
    limits="All genes vary alike.",
    order=15,
)
'''
MODEL = '''"""Class means and noise of one size."""

import numpy as np

from ....core.groups import check_seen, keys_of, rows_by_key
from ...base.generator import Generator
from . import GENERATORS


class ToyMeans(Generator):
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
        noise = np.random.default_rng(seed).standard_normal(mean.shape)
        return (mean + self.settings["spread"] * noise).astype(np.float32)

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
USE = """
import sys
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import yaml

from pseudocohort import configuration
from pseudocohort.core.errors import UserError
from pseudocohort.generators.base import registry
from pseudocohort.generators.fit.batch import train_batch
from pseudocohort.generators.fit.inference import sample_batch

root = Path.cwd()
assert registry.__file__.startswith(str(root)), registry.__file__
names = list(registry.generators())
assert names.index("copula") < names.index("toy_means") < names.index("gan"), names

schemas, demo = root / "workflow/schemas", yaml.safe_load((root / "config/demo.yaml").read_text())
study = demo | {"generators": [*demo["generators"], "toy_means", "toy_quiet"]} if "generators" in demo else None
study = study or demo | {"generators": ["mvn", "toy_means", "toy_quiet"]}
study["generator_settings"] = {"toy_means": {"spread": 0.5}, "toy_quiet": {"generator": "toy_means", "spread": 0}}
configuration.validate_configuration(configuration.complete(study, schemas), schemas)
study["generator_settings"]["toy_means"] = {"spread": -1}
try:
    configuration.validate_configuration(configuration.complete(study, schemas), schemas)
except UserError as error:
    assert "toy_means.spread" in error.where and "-1" in str(error), error
else:
    sys.exit("a negative spread was taken")

rng = np.random.default_rng(0)
factors = {"technology": "bulk", "aggregation": "bulk", "context": "tumour", "level": "tumour"}
ids = [f"s{i}" for i in range(40)]
obs = pd.DataFrame({"donor": ids, "dataset": "toy", "condition": ["A", "B"] * 20, **factors}, index=ids)
x = (8 + rng.normal(size=(40, 6)) + 2 * (obs["condition"] == "A").to_numpy()[:, None]).astype(np.float32)
profiles = ad.AnnData(x, obs=obs, var=pd.DataFrame({"symbol": list("uvwxyz")}, index=list("uvwxyz")))
members = pd.DataFrame({"training_set": "one", "sample_id": ids, "role": "train", "condition": obs["condition"]})
options = {"generator": "toy_means", "seed": 1, "device": "cpu"}
train_batch(
    profiles, members, ["one"], root / "models", settings={"spread": 0.1}, checkpoints=root / "unfinished",
    checkpoint_minutes=5, **options,
)
wanted = pd.DataFrame({"condition": ["A"] * 50 + ["B"] * 50, **factors})
made = sample_batch(
    root / "models", {"one": wanted}, profiles.var, generator="toy_means", seeds={"one": 2}, device="cpu"
)
apart = np.asarray(made.X)[:50].mean(0) - np.asarray(made.X)[50:].mean(0)
truth = x[::2].mean(0) - x[1::2].mean(0)
assert np.abs(apart - truth).max() < 0.2, (apart, truth)
"""


@pytest.fixture(scope="module")
def with_toy(copy_project, project_root, tmp_path_factory):
    """A copy of the project with one more folder; and its other files before."""
    root = copy_project(tmp_path_factory.mktemp("house") / "project")
    shutil.copytree(project_root / "docs", root / "docs", ignore=shutil.ignore_patterns("*.png"))
    before = contents(root)
    folder = root / "workflow/scripts/pseudocohort/generators/models/toy_means"
    folder.mkdir()
    (folder / "__init__.py").write_text(PLUGIN)
    (folder / "model.py").write_text(MODEL)
    return root, before


def contents(root: Path) -> dict[str, bytes]:
    return {str(f.relative_to(root)): f.read_bytes() for f in root.rglob("*") if f.is_file() and f.suffix != ".pyc"}


def run(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(root / "workflow/scripts"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([sys.executable, *command], cwd=root, env=environment, capture_output=True, text=True)


def test_a_folder_is_enough_for_registry_schema_training_and_sampling(with_toy):
    root, before = with_toy
    done = run(root, "-c", USE)
    assert done.returncode == 0, done.stderr
    after = {name: text for name, text in contents(root).items() if not name.startswith("models/")}
    folder = "workflow/scripts/pseudocohort/generators/models/toy_means"
    assert set(after) - set(before) == {f"{folder}/__init__.py", f"{folder}/model.py"}
    assert all(after[name] == text for name, text in before.items())


def test_the_docs_have_its_page_once_they_are_made_again(with_toy):
    root, before = with_toy
    stale = run(root, "tools/generator_pages.py", "--check")
    assert stale.returncode == 1 and "docs/generators/toy_means.md is out of date" in stale.stderr
    assert run(root, "tools/generator_pages.py").returncode == 0
    assert run(root, "tools/generator_pages.py", "--check").returncode == 0
    page = (root / "docs/generators/toy_means.md").read_text()
    assert "| `spread` | Standard deviation of the noise. | number ≥ 0 | `1.0` |" in page
    changed = {name for name, text in contents(root).items() if before.get(name) != text and name.startswith("docs")}
    assert changed == {"docs/generators/toy_means.md", "docs/methods.md"}
    assert "toy_means" in (root / "config/README.md").read_text()


def test_shipped_pages_are_those_of_the_plugins(project_root):
    for tool in ("tools/generator_pages.py", "tools/config_table.py"):
        done = run(project_root, tool, "--check")
        assert done.returncode == 0, done.stderr
