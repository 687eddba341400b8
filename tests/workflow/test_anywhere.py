"""The workflow runs from its own folder, from any other, and as a module; a retry asks for more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

#: Small settings, so that a run from elsewhere takes little more than its start.
SMALL = """
study: small
simulated: true
datasets: [demo_normal, demo_tumour, demo_cells, demo_line_bulk]
generators: [copy, mvn]
experiments: [fidelity]
fidelity: {repeats: 1}
"""
MODULE = """
configfile: "small.yaml"


module pseudocohort:
    snakefile: "{project}/workflow/Snakefile"
    config: config


use rule * from pseudocohort
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    environment = {k: v for k, v in os.environ.items() if k != "PSEUDOCOHORT_DATA"}
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--quiet", "all", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture
def elsewhere(tmp_path) -> Path:
    (tmp_path / "small.yaml").write_text(SMALL)
    return tmp_path


def test_runs_in_another_directory(elsewhere, project_root):
    snakefile = project_root / "workflow/Snakefile"
    done = run(
        elsewhere, "-s", str(snakefile), "--configfile", "small.yaml", "--", "results/small/prepared/harmonised.h5ad"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (elsewhere / "results/small/prepared/harmonised.h5ad").is_file()
    assert (elsewhere / "resources/demo/normal.gct").is_file()


def test_directory_flag_of_snakemake(elsewhere, project_root):
    done = run(
        project_root, "-n", "--directory", str(elsewhere), "--configfile", str(elsewhere / "small.yaml"),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_runs_as_a_module(elsewhere, project_root):
    (elsewhere / "Snakefile").write_text(MODULE.format(project=project_root))
    done = run(elsewhere, "--", "results/small/tables/fidelity_summary.tsv")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (elsewhere / "results/small/tables/fidelity_summary.tsv").is_file()


def test_without_a_study_the_demo_is_planned(project_root):
    done = run(project_root, "-n")
    assert done.returncode == 0, done.stdout + done.stderr
    shown = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n"], cwd=project_root, capture_output=True, text=True
    )  # fmt: skip
    assert "results/demo/report/index.html" in shown.stdout + shown.stderr


PROBE = """
config["study"] = "small"
include: "{project}/workflow/rules/common.smk"


rule probe:
    output:
        "probe.txt",
    resources:
        mem_mb=memory(100),
    shell:
        "echo {{resources.mem_mb}} >> asked.txt; test $(wc -l < asked.txt) -ge 3 && touch {{output}}"
"""


def test_memory_grows_with_the_attempt(elsewhere, project_root):
    (elsewhere / "Snakefile").write_text('configfile: "small.yaml"\n' + PROBE.format(project=project_root))
    done = run(elsewhere, "--retries", "2", "--", "probe.txt")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (elsewhere / "asked.txt").read_text().split() == ["100", "200", "300"]
