"""A study that grows trains what is new, and what does not depend on the change stays."""

from __future__ import annotations

import re

import pytest

STUDY = """
study: grown
simulated: true
datasets: [demo_normal, demo_tumour]
experiments: {experiments}
generators: {generators}
fidelity: {{repeats: {repeats}, n_synthetic: {n_synthetic}, levels: {levels}}}
privacy: {{coins: 2}}
"""
USUAL = {
    "experiments": "[fidelity, privacy]",
    "generators": "[mvn, copy]",
    "repeats": 2,
    "n_synthetic": 50,
    "levels": "[]",
}


#: In the place of every script: makes the outputs, which say nothing.
SCRIPT = """
from pathlib import Path

for path in map(Path, snakemake.output):
    if path.suffix:
        path.write_text("x")
    else:
        path.mkdir(exist_ok=True)
"""


@pytest.fixture(scope="module")
def grown(tmp_path_factory, copy_project, snakemake):
    """What Snakemake would do if the settings of a study that has been run were others."""
    folder = copy_project(tmp_path_factory.mktemp("grown") / "project")
    for script in (folder / "workflow/scripts").glob("*.py"):
        script.write_text(SCRIPT)

    def run(*arguments: str, **changed) -> str:
        (folder / "study.yaml").write_text(STUDY.format(**USUAL | changed))
        return snakemake(folder, "--configfile", "study.yaml", "--cores", "2", *arguments).stdout

    def planned(**changed) -> dict[str, set[str]]:
        shown = run("-n", **changed)
        rules = set(re.findall(r"^(?:local)?rule (\w+):", shown, re.M))
        jobs = re.findall(
            r"^rule (train|generate):.*?wildcards: experiment=(\w+), generator=(\w+),", shown, re.M | re.S
        )
        found = {rule: {f"{e}/{g}" for r, e, g in jobs if r == rule} for rule in ("train", "generate")}
        return found | {"rules": rules}

    run()
    return planned


def test_nothing_is_done_where_nothing_changed(grown):
    assert grown() == {"train": set(), "generate": set(), "rules": set()}


def test_another_generator_is_trained_alone(grown):
    found = grown(generators="[mvn, copy, independent]")
    assert found["train"] == found["generate"] == {"fidelity/independent", "privacy/independent"}
    assert {"plan", "evaluate", "write_report"} <= found["rules"]


def test_another_experiment_is_trained_alone(grown):
    experiments = "[fidelity, privacy, camda]"
    found = grown(experiments=experiments)
    assert found["train"] == found["generate"] == {"camda/mvn", "camda/copy"}


def test_more_repeats_of_one_experiment_leave_the_others(grown):
    assert grown(repeats=3)["train"] == {"fidelity/mvn", "fidelity/copy"}


def test_what_is_sampled_alone_trains_nothing(grown):
    found = grown(n_synthetic=60)
    assert not found["train"] and found["generate"] == {"fidelity/mvn", "fidelity/copy"}


def test_what_members_are_drawn_by_trains_again(grown):
    assert grown(levels="[tumour]")["train"] == {"fidelity/mvn", "fidelity/copy"}
