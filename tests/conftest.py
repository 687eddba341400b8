"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# Before torch is imported: where another job takes a core, threads that wait for each other make a test a hundred times
# as slow.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A busy machine is no bug: examples have no time limit.
settings.register_profile("pseudocohort", deadline=None)
settings.load_profile("pseudocohort")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def project_root() -> Path:
    """Root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder with the real studies' data: PSEUDOCOHORT_DATA, or ../shared/data beside the checkout."""
    root = Path(os.environ.get("PSEUDOCOHORT_DATA") or ROOT.parent / "shared" / "data")
    if not (root / "tcga-brca").is_dir():
        pytest.skip(f"real data not found at {root}; set PSEUDOCOHORT_DATA to run this test")
    return root


@pytest.fixture(scope="session")
def table(project_root):
    """The shipped table of genes."""
    from pseudocohort.prepare.gene_table import load_gene_table

    return load_gene_table(project_root / "resources/genes.tsv.gz")


@pytest.fixture(scope="session")
def cases() -> Path:
    """Folder of made-up inputs of kinds that people reported, each with what is right: ../shared/cases."""
    root = ROOT.parent / "shared" / "cases"
    if not (root / "ingest").is_dir():
        pytest.skip(f"cases not found at {root}")
    return root


COPIED = ("Snakefile", "workflow", "config", "envs", "profiles", "resources", "tools")
MADE = {"resources": ("downloads", "demo", "twelve")}


@pytest.fixture(scope="session")
def copy_project(project_root):
    """Copy the files of the project (nothing that runs have made) into a folder."""

    def copy(target: Path) -> Path:
        for name in COPIED:
            source = project_root / name
            if source.is_dir():
                ignore = shutil.ignore_patterns("__pycache__", *MADE.get(name, ()))
                shutil.copytree(source, target / name, ignore=ignore)
            else:
                target.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target / name)
        return target

    return copy


@pytest.fixture(scope="session")
def snakemake():
    """Run Snakemake in a folder; returns the finished process, or asserts that it succeeded."""

    def run(folder: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", *arguments],
            cwd=folder,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
        if check and done.returncode != 0:
            pytest.fail(f"snakemake {' '.join(arguments)} failed:\n{done.stdout[-4000:]}\n{done.stderr[-8000:]}")
        return done

    return run
