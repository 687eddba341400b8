"""A study that is killed again and again, at random moments of every stage, ends with the tables of one that was not.

``PSEUDOCOHORT_KILLS=100`` (make test-faults) kills that often; by default a few times, for every run of the tests.
The killed run also differs from the undisturbed one in folder, core count, locale, time zone and hash seed.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

TINY = Path(__file__).parents[1] / "tiny.yaml"
KILLS = int(os.environ.get("PSEUDOCOHORT_KILLS", "3"))
#: What is taken away when a run ends before it has been killed often enough; the stages after it run again.
STAGES = ("ingested", "prepared", "plan", "models", "synthetic", "evaluated", "tables", "report")
#: What shows that a stage was reached, where its folder is made earlier (the page of the data is in report/).
MARKS = {"report": "report/index.html"}
RESULTS = Path("results/tiny")


def environment(**changes: str) -> dict[str, str]:
    """This one's, with one thread in each process, so that a run's numbers do not depend on who waits for whom."""
    return os.environ | {"OMP_NUM_THREADS": "1"} | changes


def snakemake(folder: Path, *arguments: str, cores: int = 2, **changes: str) -> subprocess.Popen:
    """Snakemake at the head of a process group of its own, its output in ``run.log``."""
    command = [sys.executable, "-m", "snakemake", "--configfile", "study.yaml", "--cores", str(cores), *arguments]
    with (folder / "run.log").open("a") as log:
        return subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, env=environment(**changes), start_new_session=True
        )


def log_of(folder: Path) -> str:
    """End of a folder's log."""
    return (folder / "run.log").read_text()[-4000:]


def finish(folder: Path, *arguments: str, **options) -> None:
    """Run to the end, after a kill: without the lock that a killed Snakemake cannot take away (``--unlock``)."""
    shutil.rmtree(folder / ".snakemake/locks", ignore_errors=True)
    assert snakemake(folder, *arguments, **options).wait() == 0, log_of(folder)


def tables(folder: Path) -> dict[str, bytes]:
    """All tables of the study by path: of the plan, of the evaluations, their summaries, the verdicts."""
    paths = [*(folder / RESULTS / "plan").rglob("*.tsv"), *(folder / RESULTS / "evaluated").rglob("*.tsv")]
    paths += (folder / RESULTS / "tables").glob("*")
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def children(pid: int) -> list[int]:
    """Processes that any thread of a process has started."""
    files = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for file in files for child in file.read_text().split()]


def kill(run: subprocess.Popen, whom: str) -> None:
    """SIGKILL to Snakemake and its jobs, to Snakemake alone (its jobs live on), or to one job (Snakemake lives on)."""
    if whom == "all":
        os.killpg(run.pid, signal.SIGKILL)
    elif whom == "snakemake":
        run.kill()
    else:
        job, below = 0, children(run.pid)
        while below:  # a script runs below a shell
            job = below[0]
            below = children(job)
        if job:
            os.kill(job, signal.SIGKILL)


def settle(run: subprocess.Popen) -> None:
    """Wait for the jobs that have outlived their Snakemake."""
    with contextlib.suppress(ProcessLookupError):
        for _ in range(600):
            os.killpg(run.pid, 0)
            time.sleep(0.5)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, copy_project) -> Path:
    """Folder of a run on one core that nothing disturbs."""
    folder = copy_project(tmp_path_factory.mktemp("undisturbed") / "project")
    (folder / "study.yaml").write_text(TINY.read_text())
    started = time.monotonic()
    finish(folder, cores=1, LC_ALL="C", PYTHONHASHSEED="0")
    (folder / "seconds").write_text(str(time.monotonic() - started))
    assert {Path(name).relative_to(RESULTS).as_posix() for name in tables(folder)} == {
        "plan/training_sets.tsv", "evaluated/fidelity/b000.tsv",
        "tables/fidelity.tsv", "tables/fidelity_summary.tsv", "tables/verdicts.json",
    }  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def killed(undisturbed, tmp_path_factory, copy_project) -> Path:
    """Folder of a run that was killed many times, and then left alone to its end."""
    folder = copy_project(tmp_path_factory.mktemp("killed") / "another folder")
    (folder / "study.yaml").write_text(TINY.read_text())
    rng, whole = random.Random(1), float((undisturbed / "seconds").read_text())
    kills, where = 0, Counter()
    assert KILLS > 0
    while kills < KILLS:
        shutil.rmtree(folder / ".snakemake/locks", ignore_errors=True)
        run = snakemake(folder, "--keep-going", LC_ALL="C.UTF-8", TZ="Asia/Kathmandu", PYTHONHASHSEED="7")
        while run.poll() is None and kills < KILLS:
            try:
                run.wait(rng.uniform(0.05, 0.5) * whole)
            except subprocess.TimeoutExpired:
                whom = rng.choice(("all", "all", "snakemake", "job"))
                stage = next((s for s in reversed(STAGES) if (folder / RESULTS / MARKS.get(s, s)).exists()), "acquire")
                kill(run, whom)
                kills += 1
                where[whom, stage] += 1
        run.wait()
        if run.returncode == 0 and kills < KILLS:
            for stage in STAGES[STAGES.index(rng.choice(STAGES)) :]:
                shutil.rmtree(folder / RESULTS / stage, ignore_errors=True)
    print(f"\n{kills} kills; whom, and the furthest stage by then:", *sorted(where.items()), sep="\n  ")
    settle(run)
    finish(folder)
    return folder


def test_tables_after_kills_are_those_of_an_undisturbed_run(undisturbed, killed):
    assert tables(killed) == tables(undisturbed)


def test_nothing_is_stale_after_kills(killed):
    """Snakemake finds every result up to date, and neither temporary files nor checkpoints are left."""
    assert not [path for path in (killed / RESULTS).rglob("*.tmp") if "checkpoints" not in path.parts]
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--configfile", "study.yaml", "--cores", "1", "-n"],
        cwd=killed, env=environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert "Nothing to be done" in done.stdout + done.stderr
    assert not (killed / RESULTS / "checkpoints").exists() or not any(
        (killed / RESULTS / "checkpoints").rglob("*.safetensors")
    )


@pytest.mark.parametrize(
    ("damaged", "made_from_it"),
    [
        ("synthetic/fidelity/mvn/b000.h5ad", "evaluated/fidelity/b000.tsv"),
        ("models/fidelity/mvn/b000", "synthetic/fidelity/mvn/b000.h5ad"),
    ],
)
def test_a_damaged_file_is_said_and_never_enters_a_table(undisturbed, damaged, made_from_it):
    """Half of a file is cut away: the job that reads it fails, and makes nothing; mended, the table is what it was."""
    path, target = undisturbed / RESULTS / damaged, undisturbed / RESULTS / made_from_it
    table = undisturbed / RESULTS / "evaluated/fidelity/b000.tsv"
    files = [path] if path.is_file() else sorted(path.rglob("*.safetensors"))
    assert files
    whole, before = {file: file.read_bytes() for file in files}, table.read_bytes()
    try:
        for file, content in whole.items():
            file.write_bytes(content[: len(content) // 2])
        run = snakemake(undisturbed, "--forcerun", str(RESULTS / made_from_it), "--", str(RESULTS / made_from_it))
        assert run.wait() != 0
        assert not target.exists()  # Snakemake removes what a failed job may have written
        assert "cannot be read as" in log_of(undisturbed)
    finally:
        for file, content in whole.items():
            file.write_bytes(content)
    finish(undisturbed)
    assert table.read_bytes() == before


def test_a_second_run_in_the_same_folder_is_refused(undisturbed):
    """Two at once would write the same files; Snakemake's lock says so."""
    lock = undisturbed / ".snakemake/locks"
    expected = tables(undisturbed)
    first = snakemake(undisturbed, "--forcerun", "train")
    while not (lock.exists() and any(lock.iterdir())):
        assert first.poll() is None, log_of(undisturbed)
        time.sleep(0.1)
    second = snakemake(undisturbed)
    assert second.wait() != 0
    assert "cannot be locked" in log_of(undisturbed)
    assert first.wait() == 0, log_of(undisturbed)
    finish(undisturbed)
    assert tables(undisturbed) == expected


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small file system")
def test_a_full_disk_leaves_nothing_broken_and_a_larger_one_helps(undisturbed, tmp_path, copy_project):
    folder = copy_project(tmp_path / "project")
    (folder / "study.yaml").write_text(TINY.read_text())
    (folder / "results").mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", str(folder / "results")], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr}")
    try:
        assert snakemake(folder).wait() != 0
        # HDF5 may end the process when it cannot flush, so not every job can say why; none leaves half a file.
        assert not any((folder / RESULTS / "evaluated").glob("*/*"))
        subprocess.run(["mount", "-o", "remount,size=500m", str(folder / "results")], check=True)
        finish(folder)
        assert tables(folder) == tables(undisturbed)
    finally:
        subprocess.run(["umount", "--lazy", str(folder / "results")], check=True)
