"""The workflow through profiles/slurm on a real Slurm of one node, which the tests start: make test-slurm.

``PSEUDOCOHORT_SLURM_STUDY=config/demo.yaml`` runs that study instead of the tiny one (minutes of Slurm for each job).
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from pseudocohort.generators.base.registry import describe

HERE = Path(__file__).parent
TINY = HERE.parent / "tiny.yaml"
#: A job that needs a GB; Snakemake itself takes 0.2 of what it may have at the first attempt.
HUNGRY = """
rule all:
    input: "fed"

rule feed:
    output: "fed"
    resources: mem_mb=lambda wildcards, attempt: 700 * attempt ** 2
    shell: "python3 -c 'import time; x = bytearray(b\\"x\\" * 10**9); time.sleep(20)' && touch {output}"
"""
#: A job that says which GPU it was given.
SEEING = """
rule all:
    input: "seen"

rule see:
    output: "seen"
    resources: gpu=1
    shell: "echo $CUDA_VISIBLE_DEVICES $SLURM_JOB_PARTITION > {output}"
"""

pytestmark = pytest.mark.slurm


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Folder of a running Slurm; skipped, with the reason, where none can be started."""
    pytest.importorskip("snakemake_executor_plugin_slurm", reason="pip install snakemake-executor-plugin-slurm")
    missing = [name for name in ("slurmctld", "slurmd", "munged", "sbatch") if not shutil.which(name)]
    if missing or os.getuid() != 0:
        pytest.skip(f"needs root and Debian's slurmctld, slurmd, slurm-client, munge; missing: {missing or 'root'}")
    folder = tmp_path_factory.mktemp("slurm")
    started = subprocess.run([HERE / "start_slurm.sh", folder], capture_output=True, text=True)
    if started.returncode == 3:
        pytest.skip(started.stderr)
    assert started.returncode == 0, started.stderr
    yield folder
    subprocess.run([HERE / "start_slurm.sh", folder, "stop"], check=True)


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    """Snakemake in a folder, its output in ``run.log``."""
    with (folder / "run.log").open("a") as log:
        command = [sys.executable, "-m", "snakemake", *arguments]
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=os.environ | {"OMP_NUM_THREADS": "1"})


def on_slurm(project: Path) -> list[str]:
    """The profile as it is shipped, without the wait for slow file systems, first asking after five seconds."""
    hurry = ["--latency-wait", "10", "--slurm-init-seconds-before-status-checks", "5"]
    return ["--profile", str(project / "profiles/slurm"), *hurry]


def jobs_of_slurm() -> list[dict[str, str]]:
    """What the controller knows of all jobs, the first first."""
    text = subprocess.run(["scontrol", "-o", "show", "job"], capture_output=True, text=True, check=True).stdout
    jobs = [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in text.splitlines() if "JobId=" in line]
    return sorted(jobs, key=lambda job: int(job["JobId"]))


def tables(results: Path) -> dict[str, bytes]:
    """Evaluation tables, their summaries and the verdicts, by name."""
    paths = [p for p in results.rglob("*") if p.parent.name == "tables" or "evaluated" in p.parts]
    return {str(path.relative_to(results)): path.read_bytes() for path in paths if path.is_file()}


def with_repeatable_noise(study: str) -> str:
    """The study with the noise of its private generators from its seed: the system's is never the same twice."""
    config = yaml.safe_load(study)
    kinds = {name: settings.get("generator", name) for name, settings in config.get("generator_settings", {}).items()}
    for name in config["generators"]:
        if describe(kinds.get(name, name)).capabilities.private:
            config.setdefault("generator_settings", {}).setdefault(name, {})["noise_seed"] = "study"
    return yaml.safe_dump(config, sort_keys=False)


def small_workflow(folder: Path, text: str, project_root: Path) -> None:
    """A workflow of one rule, beside the shipped profile."""
    folder.mkdir()
    (folder / "Snakefile").write_text(text)
    shutil.copytree(project_root / "profiles/slurm", folder / "profiles/slurm")


def test_a_job_killed_for_memory_is_retried_with_more(cluster, tmp_path, project_root):
    folder = tmp_path / "hungry"
    small_workflow(folder, HUNGRY, project_root)
    before = len(jobs_of_slurm())
    done = start(folder, *on_slurm(folder)).wait(600)
    assert done == 0, (folder / "run.log").read_text()[-4000:]
    first, second = jobs_of_slurm()[before:]
    assert (first["MinMemoryNode"], second["MinMemoryNode"]) == ("700M", "2800M")
    assert first["JobState"] != "COMPLETED"
    assert second["JobState"] == "COMPLETED"


def test_a_job_that_asks_for_a_gpu_gets_one_on_its_partition(cluster, tmp_path, project_root):
    folder = tmp_path / "seeing"
    small_workflow(folder, SEEING, project_root)
    done = start(folder, *on_slurm(folder)).wait(600)
    assert done == 0, (folder / "run.log").read_text()[-4000:]
    assert (folder / "seen").read_text().split() == ["0", "gpu"]


def test_a_study_survives_the_death_of_its_node_and_equals_a_local_run(cluster, tmp_path, copy_project, project_root):
    study = with_repeatable_noise((project_root / os.environ.get("PSEUDOCOHORT_SLURM_STUDY", TINY)).read_text())
    name = yaml.safe_load(study)["study"]
    there, here = (copy_project(tmp_path / where) for where in ("slurm", "local"))
    for folder in (there, here):
        (folder / "study.yaml").write_text(study)
    before = len(jobs_of_slurm())
    run = start(there, *on_slurm(there), "--configfile", "study.yaml")
    while not list((there / f"results/{name}/prepared").glob("*")):
        assert run.poll() is None, (there / "run.log").read_text()[-4000:]
        time.sleep(1)
    node = cluster / "run/slurmd.pid"
    os.kill(int(node.read_text()), signal.SIGKILL)
    time.sleep(40)  # longer than SlurmdTimeout: the controller sees that the node is down
    subprocess.run(["slurmd", "-N", os.uname().nodename.partition(".")[0]], check=True)
    if run.wait():  # jobs were lost more often than the profile retries them
        shutil.rmtree(there / ".snakemake/locks", ignore_errors=True)
        assert start(there, *on_slurm(there), "--configfile", "study.yaml").wait() == 0, (
            there / "run.log"
        ).read_text()[-4000:]
    of_slurm = jobs_of_slurm()[before:]
    assert len(of_slurm) > 3
    # The jobs of a group run one after the other: no job may ask for the cores of several.
    assert {job["NumCPUs"] for job in of_slurm} == {"1"}
    alone = start(here, "--cores", "2", "--quiet", "all", "--configfile", "study.yaml").wait()
    assert alone == 0, (here / "run.log").read_text()[-4000:]
    expected = tables(here / f"results/{name}")
    for experiment in yaml.safe_load(study)["experiments"]:
        assert {f"tables/{experiment}.tsv", f"tables/{experiment}_summary.tsv"} <= set(expected)
    assert "tables/verdicts.json" in expected
    assert any("evaluated" in name for name in expected)
    assert tables(there / f"results/{name}") == expected
