"""Lock files, conda files and pyproject agree."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version

import pytest
import yaml
from packaging.requirements import Requirement

CONDA_NAMES = {"pytorch": "torch", "python-isal": "isal"}


def pins(path):
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("==") for line in lines)


def test_locks_hold_exact_public_pins_of_everything_declared(project_root):
    project = tomllib.loads((project_root / "pyproject.toml").read_text())["project"]
    runtime, dev = pins(project_root / "requirements.lock"), pins(project_root / "requirements-dev.lock")
    assert all(re.fullmatch(r"[0-9][0-9A-Za-z.]*", v) for v in {**runtime, **dev}.values())
    for text in project["dependencies"]:
        need = Requirement(text)
        assert need.specifier.contains(runtime[need.name.lower()]), text
    for text in project["optional-dependencies"]["dev"]:
        need = Requirement(text)
        assert need.specifier.contains(dev[need.name.lower()]), text
    assert runtime.items() <= dev.items()


@pytest.mark.parametrize("name", ["base", "torch", "report"])
def test_conda_files_agree_with_the_lock(project_root, name):
    lock = pins(project_root / "requirements.lock")
    for entry in yaml.safe_load((project_root / f"envs/{name}.yaml").read_text())["dependencies"]:
        if isinstance(entry, dict):  # what pip installs into it
            assert all(lock[package] == pinned for package, pinned in (line.split("==") for line in entry["pip"]))
        elif entry != "pip":
            package, pinned = entry.split("=")
            assert package == "python" or lock[CONDA_NAMES.get(package, package)] == pinned


def test_this_environment_is_the_lock(project_root):
    for package in ("torch", "snakemake", "anndata", "scanpy", "pandas", "numpy", "scikit-learn"):
        assert version(package).split("+")[0] == pins(project_root / "requirements.lock")[package]


@pytest.mark.parametrize("module", ["augmentation", "combination", "fidelity", "privacy", "interventions"])
def test_evaluations_run_in_the_environment_without_torch(module, project_root):
    """Their rules name envs/base.yaml, which has no torch; only the classifier `mlp` asks for it, when it is used."""
    score, store = f"pseudocohort.experiments.{module}.score", "pseudocohort.generators.fit.synthetic_store"
    code = f"import sys, {score}, {store}, pseudocohort.report.page; sys.exit('torch' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(project_root / "workflow/scripts")}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0
