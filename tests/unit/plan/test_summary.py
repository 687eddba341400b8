"""What a study would download and train, from its configuration alone."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import yaml

from pseudocohort import configuration
from pseudocohort.acquire import sources
from pseudocohort.core.errors import UserError
from pseudocohort.plan import costs
from pseudocohort.plan.summary import downloads, summarise
from pseudocohort.plan.training_sets import training_sets


def load(project_root, monkeypatch, name):
    monkeypatch.chdir(project_root)
    given = yaml.safe_load((project_root / name).read_text())
    config = configuration.complete(given, project_root / "workflow/schemas")
    return config, sources.check(configuration.check_study(config, project_root / "workflow/schemas", project_root))


def test_full_study_names_every_source(project_root, monkeypatch, tmp_path):
    config, datasets = load(project_root, monkeypatch, "config/full.yaml")
    files = downloads(datasets, tmp_path)
    cohorts = [f["source"] for f in files if f["origin"] == "GDC"]
    assert len(cohorts) == len(set(cohorts)) == 33 and all(c.startswith("gdc:TCGA-") for c in cohorts)
    assert {f["dataset"] for f in files} >= {"gtex_v10", "depmap", "kinker"}
    assert [f["dataset"] for f in files if f["origin"] == "by hand"] == ["kinker"]
    text = summarise(config, datasets, tmp_path)
    assert "39 of 39 sources are not here: 507 MB known" in text
    models = sum(len(r["generators"].split(";")) for r in training_sets(config) if r["generators"])
    assert f"{models:,} models in all" in text


def test_what_is_here_is_not_counted(project_root, monkeypatch, tmp_path):
    config, datasets = load(project_root, monkeypatch, "config/full.yaml")
    folder = tmp_path / "resources/downloads/depmap"
    folder.mkdir(parents=True)
    (folder / "OmicsExpressionProteinCodingGenesTPMLogp1.csv").write_text("x")
    text = summarise(config, datasets, tmp_path)
    assert "38 of 39 sources are not here: 646 kB known" in text


def test_local_studies_download_nothing(project_root, monkeypatch, tmp_path):
    config, datasets = load(project_root, monkeypatch, "config/demo.yaml")
    text = summarise(config, datasets, tmp_path)
    assert "download  nothing\n" in text


def test_training_sets_are_those_that_a_generator_is_trained_on(project_root, monkeypatch, tmp_path):
    config, datasets = load(project_root, monkeypatch, "config/demo.yaml")
    config["experiments"] = ["augmentation"]
    config["augmentation"]["generators"] = ["copy", "mvn"]
    trained = [r for r in training_sets(config) if r["generators"]]
    assert len(trained) < len(training_sets(config))  # the learning curve of real profiles has no generator
    models = sum(len(r["generators"].split(";")) for r in trained)
    text = " ".join(summarise(config, datasets, tmp_path).split())
    assert f"augmentation {len(trained)} training sets, 2 generators: {models} models" in text


def test_a_file_that_needs_a_login_is_asked_for_by_name(tmp_path):
    with pytest.raises(UserError, match="kinker2020_counts.*by hand") as caught:
        sources.ask_for_file(tmp_path / "UMIcount_data.txt")
    assert "SCP542" in caught.value.remedy and str(tmp_path) in caught.value.remedy
    with pytest.raises(UserError, match="not there"):
        sources.ask_for_file(tmp_path / "other.txt")


def test_full_study_is_planned_without_network(tmp_path, copy_project):
    """A proxy that nobody listens at, and the environment variable: whoever asked the network would fail."""
    folder = copy_project(tmp_path / "project")
    dead = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", "--configfile", "config/full.yaml"],
        cwd=folder, env=os.environ | dead | {"PSEUDOCOHORT_OFFLINE": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    jobs = dict(line.split() for line in (done.stdout + done.stderr).splitlines() if len(line.split()) == 2)
    assert jobs["download_gdc"] == "33" and jobs["ask_for_file"] == "1" and int(jobs["train"]) > 100


def test_costs_are_those_of_the_measured_sets_times_the_planned_ones(project_root, monkeypatch, tmp_path):
    """A planned set takes the mean of the measured ones, on a GPU only where a network trains."""
    config, datasets = load(project_root, monkeypatch, "config/demo.yaml")
    changes = {"experiments": ["fidelity"], "generators": ["mvn"], "training": config["training"] | {"sets_per_job": 1}}
    ran = config | changes | {"study": "ran", "fidelity": config["fidelity"] | {"repeats": 2}}
    names = list(costs.batches(ran, "fidelity", "mvn"))
    (tmp_path / "results/ran/provenance").mkdir(parents=True)
    (tmp_path / "results/ran/provenance/config.yaml").write_text(yaml.safe_dump(ran))
    for name, seconds in zip(names, range(1, len(names) + 1), strict=True):
        bench = tmp_path / f"benchmarks/ran/train/fidelity/mvn/{name}.tsv"
        bench.parent.mkdir(parents=True, exist_ok=True)
        bench.write_text(f"s\tmax_rss\tcpu_time\n{seconds}\t300\t{seconds}\n")
        model = tmp_path / f"results/ran/models/fidelity/mvn/{name}/model"
        model.mkdir(parents=True)
        (model / "arrays").write_bytes(bytes(1000))
    unit = costs.per_set(tmp_path, "ran")
    mean = sum(range(1, len(names) + 1)) / len(names)
    assert unit.to_dict("records") == [
        {"rule": "train", "experiment": "fidelity", "generator": "mvn", "seconds": mean, "bytes": 1000, "max_mb": 300}
    ]
    planned = ran | {"fidelity": ran["fidelity"] | {"repeats": 10}, "generators": ["mvn", "ddpm"]}
    planned["training"] = planned["training"] | {"device": "cuda", "sets_per_job": 4}
    sets = {g: costs.batches(planned, "fidelity", g) for g in ("mvn", "ddpm")}
    count = sum(map(len, sets["mvn"].values()))
    (row,) = costs.estimate(planned, unit).to_dict("records")
    assert row["jobs"] == sum(map(len, sets.values()))
    assert row["cpu_hours"] == pytest.approx(count * mean / 3600)
    assert row["gpu_hours"] == pytest.approx(sum(map(len, sets["ddpm"].values())) * mean / 3600)
    assert "GPU-hours" in summarise(planned, datasets, tmp_path, "ran")
    # An evaluation scores several generators: here the real profiles and the Gaussian.
    bench = tmp_path / "benchmarks/ran/evaluate/fidelity/b000.tsv"
    bench.parent.mkdir(parents=True)
    bench.write_text(f"s\tmax_rss\tcpu_time\n{12 * len(names)}\t400\t9\n")
    unit = costs.per_set(tmp_path, "ran")
    assert unit.set_index("rule").loc["evaluate", "seconds"] == pytest.approx(6)
    found = costs.estimate(planned, unit).set_index("rule").loc["evaluate"]
    assert found["jobs"] == 1 and found["cpu_hours"] == pytest.approx(2 * count * 6 / 3600)
    with pytest.raises(UserError, match="has not run to its end"):
        costs.per_set(tmp_path, "absent")
