"""The demo's first stages on a real Slurm controller. Opt-in: pytest -m slurm, on a machine where sbatch works."""

from __future__ import annotations

import shutil

import pytest

pytestmark = pytest.mark.slurm


@pytest.fixture
def cluster():
    """Skip, saying why, where there is no Slurm."""
    pytest.importorskip("snakemake_executor_plugin_slurm", reason="pip install snakemake-executor-plugin-slurm")
    if not shutil.which("sbatch"):
        pytest.skip("no sbatch on this machine")


def test_demo_trains_and_generates_on_slurm(cluster, tmp_path, copy_project, snakemake):
    folder = copy_project(tmp_path / "p")
    target = "results/demo/synthetic/fidelity/mvn/b000.h5ad"
    done = snakemake(
        folder, "--profile", "profiles/slurm", "--configfile", "config/demo.yaml", "--latency-wait", "10", target
    )
    assert (folder / target).exists()
    assert "SLURM" in done.stderr
