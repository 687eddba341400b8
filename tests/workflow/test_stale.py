"""Every file that a result is made from makes it anew when it changes, those that a setting or a folder names too."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from pseudocohort.core import versions
from pseudocohort.core.versions import code_version

COLUMNS = (
    "dataset", "kind", "format", "orientation", "source", "samples", "gene_ids", "unit", "sample_column",
    "donor_column", "condition_column", "technology", "aggregation", "context",
)  # fmt: skip
ROWS = [
    ("tumours+1.a", "bulk", "tsv", "genes_by_samples", "matrix.tsv", "samples.tsv", "symbol", "tpm", "sample", "donor",
     "kind", "bulk", "bulk", "tumour"),
    ("cells", "single_cell", "mtx", "genes_by_samples", "tenx", "cells.tsv", "ensembl", "counts", "cell", "line",
     "kind", "umi_3prime", "cell", "in_vitro"),
]  # fmt: skip
STUDY = """
study: mine
datasets_sheet: mine.tsv
datasets: [tumours+1.a, cells]
experiments: [interventions]
generators: [mvn]
fidelity: {gene_sets: sets.gmt}
interventions: {graph: graph.tsv, truths: [pairs], questions: questions.tsv}
"""
FILES = {
    "study.yaml": STUDY,
    "mine.tsv": "\n".join("\t".join(row) for row in (COLUMNS, *ROWS)) + "\n",
    "questions.tsv": "genes\tcondition\tdonors\nTP53\tA\tdonors.txt\n",
    "donors.txt": "d1\n",
    "sets.gmt": "one\t\tTP53\n",
    "graph.tsv": "source\ttarget\n",
} | dict.fromkeys(
    ("matrix.tsv", "samples.tsv", "cells.tsv", "tenx/matrix.mtx", "tenx/genes.tsv", "tenx/barcodes.tsv"), "x\n"
)  # fmt: skip
RESULTS = (
    "ingested/tumours+1.a.h5ad", "ingested/cells.h5ad", "prepared/quality/tumours+1.a.h5ad",
    "prepared/quality/tumours+1.a.json", "prepared/quality/cells.h5ad", "prepared/quality/cells.json",
    "prepared/pseudobulk/cells.h5ad", "prepared/donors.tsv", "interventions/profiles.h5ad",
    "interventions/answers/index.html",
)  # fmt: skip
ANSWERS = "results/mine/interventions/answers"


@pytest.fixture(scope="module")
def asked(tmp_path_factory, project_root, snakemake):
    """Folder of a study whose questions count as answered, and the rules that Snakemake would run there."""
    folder = tmp_path_factory.mktemp("stale")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
        os.utime(folder / name, (1e9, 1e9))
    for name in RESULTS:
        path = folder / "results/mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    run = ("--snakefile", str(project_root / "workflow/Snakefile"), "--configfile", "study.yaml", "--cores", "1")
    snakemake(folder, *run, "--touch", "--", ANSWERS)

    def planned() -> set[str]:
        done = snakemake(folder, *run, "-n", "--", ANSWERS)
        return set(re.findall(r"^(?:local)?rule (\w+):", done.stdout, re.M))

    return folder, planned


def test_nothing_is_done_where_nothing_changed(asked):
    assert asked[1]() == set()


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("matrix.tsv", "ingest"),  # of a dataset with a + in its name
        ("tenx/barcodes.tsv", "ingest"),
        ("questions.tsv", "intervene"),
        ("donors.txt", "intervene"),
        ("sets.gmt", "intervene"),
    ],
)
def test_a_file_that_changed_is_seen(asked, name, rule):
    folder, planned = asked
    path = folder / name
    before = path.read_text(), path.stat().st_mtime
    try:
        path.write_text(before[0] + "# more\n")  # in place: the folder's own time stays
        assert rule in planned()
    finally:
        path.write_text(before[0])
        os.utime(path, (before[1], before[1]))


#: Digests as the names of their modules, by rule; functions are asked for one of what they depend on.
PROBE = """
import json
import sys
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, "{project}/workflow/scripts")
from pseudocohort.core import versions

versions.code_version = lambda *modules: " ".join(modules)


include: "{project}/workflow/Snakefile"


one = SimpleNamespace(experiment="fidelity", generator="mvn", figure="map", batch="b000")
names = ("code", "members_code", "request_code", "generator_code")
digests = {{
    r.name: [r.script, *(v(one) if callable(v) else v for k, v in r.params.items() if k in names)]
    for r in workflow.rules
    if "code" in r.params.keys()
}}
Path("digests.json").write_text(json.dumps(digests))
"""
#: What makes no result: logs, files and the lists of plug-ins.
PLAIN = re.compile(r"core\..*|(experiments|generators\.base)\.registry")


def test_a_digest_has_all_that_the_script_imports(tmp_path, project_root, snakemake):
    (tmp_path / "Snakefile").write_text(PROBE.format(project=project_root))
    study = str(project_root / "config/demo.yaml")
    snakemake(tmp_path, "-n", "--quiet", "all", "--configfile", study, "--", "resources/demo/normal.gct")
    digests = json.loads((tmp_path / "digests.json").read_text())
    assert len(digests) > 20
    for rule, (script, *given) in digests.items():
        text = (project_root / "workflow/scripts" / Path(script).name).read_text()
        modules = {module for part in given for module in part.split()}
        for source, imported in re.findall(r"^from pseudocohort\.([\w.]+) import (.+)$", text, re.M):
            for name in imported.split(", "):
                module = f"{source}.{name}" if versions._file(f"{source}.{name}") else source
                if not PLAIN.fullmatch(module):
                    assert code_version(*modules) == code_version(*modules, module), f"{rule}: {module}"
    # And what scripts load by name.
    assert "experiments.fidelity.tables" in digests["write_report"][1]
    assert "experiments.fidelity.score" in digests["evaluate"][1]
