"""Lock files, conda files and pyproject agree."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires, version

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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


def imported_by(script):
    """Source of the imports of a script, less those for type checks."""
    tree = ast.parse(script.read_text())
    return "\n".join(ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom))


def scripts_of_rules(project_root):
    """Pairs of script and name of the environment that its rule says."""
    text = "\n".join(path.read_text() for path in sorted((project_root / "workflow/rules").glob("*.smk")))
    for rule in re.split(r"^rule ", text, flags=re.M)[1:]:
        script = re.search(r'"../scripts/(\w+\.py)"', rule).group(1)
        yield project_root / "workflow/scripts" / script, re.search(r"envs/(\w+)\.yaml", rule).group(1)


def imports_in(code, project_root):
    environment = os.environ | {"PYTHONPATH": str(project_root / "workflow/scripts")}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)


def brought_by(names):
    """Distributions that these need, and theirs, where they are installed."""
    found, queue = set(), list(names)
    while queue:
        name = canonicalize_name(queue.pop())
        if name in found:
            continue
        found.add(name)
        try:
            needs = [Requirement(text) for text in requires(name) or []]
        except PackageNotFoundError:
            continue
        queue += [need.name for need in needs if not need.marker or need.marker.evaluate({"extra": ""})]
    return found


#: Modules of declared packages whose names are not the package's.
MODULES = {"scikit-learn": "sklearn", "scikit-image": "skimage", "pyyaml": "yaml", "dp-accounting": "dp_accounting"}


HIDE = """
import sys

class Hidden(set):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self:
            raise ModuleNotFoundError(f"{name} is not in this environment")
"""


@pytest.mark.parametrize("name", ["base", "torch", "report"])
def test_scripts_import_only_what_the_environment_of_their_rule_has(name, project_root):
    """Packages that are declared but not in the environment are hidden; all scripts of its rules are imported."""
    entries = yaml.safe_load((project_root / f"envs/{name}.yaml").read_text())["dependencies"]
    given = [line for entry in entries for line in (entry["pip"] if isinstance(entry, dict) else [entry])]
    there = brought_by(CONDA_NAMES.get(n, n) for n in (re.split("=+", line)[0].strip() for line in given))
    project = tomllib.loads((project_root / "pyproject.toml").read_text())["project"]
    declared = {canonicalize_name(Requirement(text).name) for text in project["dependencies"]}
    hidden = sorted(MODULES.get(p, p) for p in declared - there if not p.startswith("snakemake"))
    scripts = sorted({script for script, environment in scripts_of_rules(project_root) if environment == name})
    assert scripts
    assert name == "torch" or "torch" in hidden
    done = imports_in(
        HIDE + f"sys.meta_path.insert(0, Hidden({hidden}))\n" + "\n".join(map(imported_by, scripts)), project_root
    )
    assert done.returncode == 0, done.stderr


def test_every_script_has_a_rule(project_root):
    scripts = {script for script, _ in scripts_of_rules(project_root)}
    assert scripts == set((project_root / "workflow/scripts").glob("*.py"))


def test_jobs_that_read_tables_alone_start_without_anndata(project_root):
    """anndata is half of the start of a job, and torch and scikit-learn a second or more each."""
    light = ("give_verdicts", "draw_figure", "summarise", "record_provenance", "write_report", "data_page")
    code = "\n".join(imported_by(project_root / f"workflow/scripts/{name}.py") for name in light)
    late = imports_in(code + "\nimport sys; print(*{'anndata', 'torch', 'sklearn'} & {*sys.modules})", project_root)
    assert late.stdout.split() == [], late.stderr
    code = imported_by(project_root / "workflow/scripts/train.py")
    late = imports_in(code + "\nimport sys; print(*{'torch', 'sklearn'} & {*sys.modules})", project_root)
    assert late.stdout.split() == [], late.stderr


def test_verdicts_need_no_classifier(project_root):
    code = (
        "import sys; from pseudocohort.experiments.registry import experiments; "
        "[e.load('verdict:verdict') for e in experiments().values()]; "
        "print(*{'sklearn', 'scipy.stats'} & {*sys.modules})"
    )
    late = imports_in(code, project_root)
    assert late.returncode == 0 and late.stdout.split() == [], late.stderr


@pytest.mark.parametrize("module", ["augmentation", "combination", "fidelity", "privacy", "interventions"])
def test_evaluations_run_in_the_environment_without_torch(module, project_root):
    """Their rules name envs/base.yaml, which has no torch; only the classifier `mlp` asks for it, when it is used."""
    score, store = f"pseudocohort.experiments.{module}.score", "pseudocohort.generators.fit.synthetic_store"
    code = f"import sys, {score}, {store}, pseudocohort.report.page; sys.exit('torch' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(project_root / "workflow/scripts")}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0


def test_the_container_holds_the_lock_and_no_results(project_root):
    steps = (project_root / "Containerfile").read_text()
    assert "pip install --no-cache-dir -r requirements.lock" in steps
    snakefile = re.search(r'"--snakefile", "/opt/pseudocohort/(\S+)"', steps)[1]
    assert (project_root / snakefile).is_file()
    left_out = {line.rstrip("/") for line in (project_root / ".dockerignore").read_text().splitlines()}
    assert {".git", ".venv"} <= left_out
    made = {line.strip("/") for line in (project_root / ".gitignore").read_text().splitlines() if "res" in line[:4]}
    assert made
    assert made <= left_out
