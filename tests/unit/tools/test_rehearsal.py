"""tools/rehearse.py: its files go through the servers' stand-ins and the readers, and growth is what it was made of."""

from __future__ import annotations

import http.server
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[3] / "tools"))

import rehearse
from support.in_memory import ingest_dataset, map_genes
from upstream_files import COHORTS, TISSUES, Size

from pseudocohort import configuration
from pseudocohort.acquire import catalogue, gdc
from pseudocohort.acquire.gdc_api import Client
from pseudocohort.acquire.sources import fetch_catalogued
from pseudocohort.core.io import read_table
from pseudocohort.prepare.cell_lines import name_lines, read_line_names
from pseudocohort.prepare.gene_table import load_gene_table

SIZE = Size(scale=1e-4, cohorts=("BRCA", "LAML"), graph_genes=150)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("upstream")
    rehearse.write_files(folder, SIZE)
    return folder


@pytest.fixture(scope="module")
def sheet(project_root: Path) -> dict[str, dict[str, Any]]:
    table = pd.read_csv(project_root / "config/datasets-full.tsv", sep="\t", dtype=str, keep_default_na=False)
    return {row["dataset"]: {k: v for k, v in row.items() if v} for row in table.to_dict("records")}


def ingested(row: dict[str, Any], conditions: dict[str, Any] | None = None, **paths: Path) -> Any:
    row = row | {column: str(path) for column, path in paths.items()}
    if "log_offset" in row:
        row["log_offset"] = float(row["log_offset"])
    return ingest_dataset(row, conditions={"min_donors": 1} | (conditions or {}))


def test_the_gdc_serves_cohorts_of_all_genes(
    files: Path, sheet: dict[str, Any], tmp_path: Path, project_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("PSEUDOCOHORT_OFFLINE", raising=False)
    server = rehearse.gdc_of(files)
    with rehearse.serving(server):
        for cohort in SIZE.cohorts:
            gdc.acquire(
                sheet[f"tcga_{cohort.lower()}"]["source"],
                tmp_path / cohort / "counts.tsv.gz",
                tmp_path / cohort / "samples.tsv",
                cache=tmp_path / "files",
                api=server.api,
                client=Client(server.api, pause=0, attempts=1),
            )
    row = sheet["tcga_brca"] | {"covariates": "sex,age"}
    profiles = ingested(row, source=tmp_path / "BRCA/counts.tsv.gz", samples=tmp_path / "BRCA/samples.tsv")
    assert profiles.shape == (18, 60_660)
    assert dict(profiles.obs["level"].value_counts()) == {"tumour": 16, "normal": 2}
    assert set(profiles.obs["sex"].astype(str)) == {"female", "male"}
    # Copies on Y are no genes, all others are known.
    mapped, report = map_genes(
        profiles, "ensembl", "highest_mean", load_gene_table(project_root / "resources/genes.tsv.gz")
    )
    assert mapped.n_vars == 60_616 and report["unknown"] == 0 and len(report["set_aside"]) == 20
    blood = pd.read_csv(tmp_path / "LAML/samples.tsv", sep="\t", dtype=str)
    assert set(blood["sample_type"]) == {"03"} and len(blood) == 6


def test_other_sources_come_from_the_catalogue(
    files: Path, sheet: dict[str, Any], tmp_path: Path, project_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("PSEUDOCOHORT_OFFLINE", raising=False)
    table = tmp_path / "data_versions.tsv"
    table.write_text((project_root / "config/data_versions.tsv").read_text())
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(rehearse._Quiet, directory=str(files)))
    rehearse.point_catalogue(table, files, "http://127.0.0.1:9", f"http://127.0.0.1:{server.server_address[1]}")
    entries = catalogue.load_catalogue(table)
    assert len(entries) == len(catalogue.load_catalogue()) and entries["gdc_star_counts"]["url"] == "http://127.0.0.1:9"
    got = {}
    with rehearse.serving(server):
        for name in rehearse.SOURCES:
            got[name] = tmp_path / catalogue.resolve(f"catalogue:{name}", entries)["file"]
            fetch_catalogued(f"catalogue:{name}", got[name], entries=entries)
    normals = ingested(
        sheet["gtex_v10"], source=got["gtex_v10_tpm"], samples=got["gtex_v10_attributes"],
        more_samples=got["gtex_v10_subjects"],
    )  # fmt: skip
    assert normals.shape == (4 * len(TISSUES), 56_200) and normals.obs["condition"].nunique() == len(TISSUES)
    np.testing.assert_allclose(np.asarray(normals.X).sum(1), 1e6, rtol=0.02)
    assert set(normals.obs["SEX"].astype(str)) == {"1", "2"}
    bulk = ingested(sheet["depmap"], source=got["depmap_expression"], samples=got["depmap_models"])
    cells = ingested(sheet["kinker"] | {"annotation_rows": 2}, source=files / "UMIcount_data.txt")
    assert bulk.shape == (48, 19_193) and cells.shape == (500, 30_314)
    # The lines of the cells are lines of the bulk, by the names of the models.
    known = read_line_names(got["depmap_models"])
    lines, report = name_lines(cells.obs, known)
    assert not report["unmatched"] and set(lines["donor"]) <= set(name_lines(bulk.obs, known)[0]["donor"])


def test_the_truth_is_among_the_genes_and_the_graph_is_given(files: Path) -> None:
    graph = read_table(files / "truth/graph.tsv")
    effects = read_table(files / "truth/do_effects.tsv.gz")
    genes = read_table(files / "truth/genes.tsv")
    assert set(graph["regulator"]) | set(graph["target"]) <= set(genes["symbol"])
    assert set(effects["gene"]) <= set(genes["gene_id"].str.removesuffix(".1"))
    own = effects[effects["gene"] == effects["target"]]
    assert set(effects["condition"]) == {"TCGA-BRCA"} and (own["delta"] < 0).all()


def test_the_overlay_is_a_valid_study_of_all_cohorts(files: Path, project_root: Path) -> None:
    config = yaml.safe_load((project_root / "config/full.yaml").read_text())
    for key, value in rehearse.overlay(Size(0.02), 2000, files, ["fidelity", "privacy"]).items():
        config[key] = {**config.get(key, {}), **value} if isinstance(value, dict) else value
    full = configuration.complete(config, project_root / "workflow/schemas")
    datasets = configuration.check_study(full, project_root / "workflow/schemas", project_root)
    assert len(datasets) == len(COHORTS) + 3 == 36
    assert full["privacy"]["coins"] == 2 and full["prepare"]["gene_space"]["kind"] == "most_variable"


@pytest.mark.parametrize(
    ("power", "order", "full"), [(2, 2.0, 10 + 100.0), (1, 1.0, 10 + 100.0), (0.5, 0.5, None), (0, np.nan, 110.0)]
)
def test_growth_is_found_without_what_is_constant(power: float, order: float, full: float | None) -> None:
    scale = np.array([0.01, 0.02, 0.04])
    # What sees all datasets grows with their profiles, here 1,000 times the scale; what sees one, with the scale.
    made = {"scale": scale, "profiles": 1000 * scale, "max_mb": 10 + 100 * scale**power}
    table = pd.concat([pd.DataFrame({"rule": rule, **made}) for rule in ("train", "ingest")])
    found = rehearse.growth(table, "max_mb", full_profiles=1000)
    np.testing.assert_allclose(found.loc["train"], found.loc["ingest"], atol=1e-6)
    found = found.loc["train"]
    np.testing.assert_allclose(found["order"], order, atol=1e-6)
    if full is not None:
        np.testing.assert_allclose(found["full"], full, rtol=1e-6)
    else:  # a line through the last two is above what grows more slowly
        assert found["full"] > 110


def test_memory_that_jobs_asked_for_is_read_from_the_log() -> None:
    log = """[Sat Nov 28 22:47:11 2026]
localrule ingest:
    input: counts.tsv.gz
    benchmark: benchmarks/rehearsal/ingest/a.tsv
    reason: Missing output files: x
    resources: tmpdir=/tmp, runtime=60, mem_mb=1010, mem=1.01 GB, mem_mib=964
Finished jobid: 7 (Rule: ingest)
rule all:
    resources: tmpdir=/tmp, mem_mb=5
rule plan:
    benchmark: benchmarks/rehearsal/plan.tsv
    resources: mem_mb=<TBD>
rule train:
    benchmark: benchmarks/rehearsal/train/b.tsv
    wildcards: x=1
    resources: mem_mb=1512, gpu=0
"""
    assert rehearse.asked_memory(log) == {
        "benchmarks/rehearsal/ingest/a.tsv": 1010, "benchmarks/rehearsal/train/b.tsv": 1512,
    }  # fmt: skip
