"""Waiting jobs are looked at when a job ends, and not again and again in between."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

JOBS = 5
#: Each job takes longer than the second of Snakemake's default limit, one after the other.
WAITING = """
{include}


rule all:
    input:
        collect("{{job}}.txt", job=range({jobs})),


rule wait:
    output:
        "{{job}}.txt",
    shell:
        "sleep 1.2; touch {{output}}"
"""


def looks(folder: Path, include: str, *arguments: str) -> int:
    """How often the scheduler looked at waiting jobs."""
    (folder / "Snakefile").write_text(WAITING.format(include=include, jobs=JOBS))
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--verbose", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr.count("Ready jobs: ")


@pytest.fixture
def rule_file(project_root) -> str:
    return f'include: "{project_root / "workflow/rules/scheduling.smk"}"'


def test_one_look_a_job(tmp_path, rule_file):
    assert looks(tmp_path, rule_file) <= JOBS + 1  # and one for the rule `all`


def test_without_the_rule_file_there_are_more(tmp_path):
    assert looks(tmp_path, "") > JOBS + 1


def test_limit_that_was_asked_for_stays(tmp_path, rule_file):
    assert looks(tmp_path, rule_file, "--max-jobs-per-timespan", "50/1s") > JOBS + 1
