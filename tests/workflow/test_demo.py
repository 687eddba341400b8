"""The demo, whole: from simulated raw files to the report, once per session in a temporary folder."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import yaml

from pseudocohort.core import contracts, io

EXPERIMENTS = ("fidelity", "augmentation", "privacy", "combination", "interventions")


@pytest.fixture(scope="session")
def demo(tmp_path_factory, copy_project, snakemake) -> Path:
    """Folder in which the demo has run."""
    folder = copy_project(tmp_path_factory.mktemp("demo") / "project")
    snakemake(folder, "--profile", "profiles/demo")
    return folder


def planned_rules(output: str) -> set[str]:
    """Rules in the job table of a dry run."""
    table = re.search(r"^job +count\n-+ +-+\n(.*?)^total", output, re.M | re.S)
    return {line.split()[0] for line in table.group(1).splitlines()} if table else set()


def test_report_tables_and_figures_are_there(demo):
    results = demo / "results/demo"
    html = (results / "report/index.html").read_text()
    assert "simulated" in html.lower()
    for evaluation in EXPERIMENTS:
        table = pd.read_csv(results / f"tables/{evaluation}.tsv", sep="\t", low_memory=False)
        contracts.check_evaluation(table, evaluation)
        summary = pd.read_csv(results / f"tables/{evaluation}_summary.tsv", sep="\t", low_memory=False)
        contracts.check_evaluation(summary, evaluation, summary=True)
        assert summary["value"].notna().any()
    assert {"augmentation", "privacy", "interventions"} <= set(
        json.loads((results / "tables/verdicts.json").read_text())["questions"]
    )


def test_every_table_has_its_floor_ceiling_and_controls(demo):
    tables = {e: pd.read_csv(demo / f"results/demo/tables/{e}.tsv", sep="\t", low_memory=False) for e in EXPERIMENTS}
    config = yaml.safe_load((demo / "config/demo.yaml").read_text())
    assert {*config["generators"], "real"} == set(tables["fidelity"]["generator"])
    assert {*config["augmentation"]["generators"], "real"} == set(tables["augmentation"]["generator"])
    assert set(config["privacy"]["generators"]) <= set(tables["privacy"]["generator"])
    for controls in (config["augmentation"]["generators"], config["privacy"]["generators"]):
        assert {"copy", "independent", "mvn", "ddpm"} <= set(controls)
    assert {"audit", "negative_control"} <= set(tables["privacy"]["regime"])
    assert {"none", "ceiling"} <= set(tables["augmentation"]["regime"])
    assert {"tissue_only", "cell_only", "both", "permuted"} <= set(tables["combination"]["regime"])


def test_only_the_networks_that_are_asked_for_clamp_genes(demo):
    table = pd.read_csv(demo / "results/demo/tables/interventions.tsv", sep="\t")
    trained = {path.name for path in (demo / "results/demo/models/fidelity").iterdir()}
    assert {"ddpm", "flow", "unclip"} <= trained
    operators = set(table["generator"].dropna().str.removeprefix("see_").str.removeprefix("do_g_"))
    assert operators & trained == {"flow"}


def test_every_question_about_interventions_is_answered(demo, snakemake):
    snakemake(demo, "--profile", "profiles/demo", "--", "intervene")
    answers = demo / "results/demo/interventions/answers"
    for name in ("regulators_down_liver", "targets_liver", "dependencies_liver", "translate"):
        assert len(pd.read_csv(answers / f"{name}.tsv", sep="\t"))
        assert ">answered<" in re.sub(r"\s+", "", (answers / f"{name}.html").read_text()), name


def test_the_private_cohort_may_be_released_and_the_others_may_not(demo, snakemake):
    snakemake(demo, "--profile", "profiles/demo", "--", "release")
    bundle = demo / "results/demo/release/dp_components"
    card = json.loads((bundle / "card.json").read_text())
    assert card["name"] == "demo-dp_components" and (bundle / "synthetic.h5ad").is_file()
    for name in ("copy", "mvn", "ddpm"):
        setting = ("--config", f"release={{generator: {name}}}")
        done = snakemake(
            demo, "--configfile", "config/demo.yaml", "--cores", "1", *setting, "--", "release", check=False
        )
        assert done.returncode != 0
        assert f"the gate refuses to release '{name}'" in done.stdout + done.stderr
    assert [folder.name for folder in bundle.parent.iterdir()] == ["dp_components"]
    assert (bundle / "synthetic.h5ad").is_file()
    snakemake(demo, "--profile", "profiles/demo")  # answers about the demo's own release again


def test_photocopier_is_exposed(demo):
    privacy = pd.read_csv(demo / "results/demo/tables/privacy_summary.tsv", sep="\t")
    copies = privacy[(privacy["generator"] == "copy") & (privacy["regime"] == "audit") & (privacy["metric"] == "auc")]
    assert copies.set_index("estimator")["value"]["nearest_neighbour"] > 0.95
    fidelity = pd.read_csv(demo / "results/demo/tables/fidelity_summary.tsv", sep="\t")
    memorised = fidelity[(fidelity["metric"] == "memorisation_share") & fidelity["task"].isna()].set_index("generator")[
        "value"
    ]
    assert memorised["copy"] > 0.9
    assert memorised["real"] < 0.1


def test_contracts_hold_at_every_hand_over(demo):
    results = demo / "results/demo"
    for path in (results / "ingested").glob("*.h5ad"):
        io.read_profiles(path, contracts.INGESTED)
    for path in (results / "prepared/quality").glob("*.h5ad"):
        io.read_profiles(path, contracts.PREPARED)
    profiles = io.read_profiles(results / "prepared/harmonised.h5ad", contracts.HARMONISED)
    assert {"pseudobulk", "line_bulk", "tumour", "normal"} <= set(profiles.obs["level"])
    for path in (results / "synthetic").rglob("*.h5ad"):
        synthetic = io.read_profiles(path, contracts.SYNTHETIC)
        assert list(synthetic.var_names) == list(profiles.var_names)
    assert not list(results.rglob("*.tmp"))
    assert not list(results.rglob("*.pkl"))


def test_no_donor_is_both_fitted_and_held_out(demo):
    results = demo / "results/demo"
    donors = io.read_table(results / "prepared/donors.tsv", contracts.DONORS_COLUMNS)
    held_out = set(donors["donor"][donors["split"] == "test"])
    choosing = set(donors["donor"][donors["genes"] == "yes"])
    donor = io.read_profiles(results / "prepared/harmonised.h5ad", contracts.HARMONISED).obs["donor"].astype(str)
    for experiment in ("fidelity", "augmentation", "combination"):
        members = io.read_table(results / f"plan/members/{experiment}.parquet", contracts.MEMBERS_COLUMNS)
        seen = 0
        for _, own in members.groupby("training_set", observed=True):
            fitted, tested = (
                set(donor[own["sample_id"][own["role"].isin(roles)]]) for roles in (["train", "unlabeled"], ["test"])
            )
            assert tested and not fitted & tested and not tested & choosing
            seen += 1
        assert seen > 1
    assert held_out and choosing


def test_second_run_has_nothing_to_do(demo, snakemake):
    done = snakemake(demo, "--profile", "profiles/demo")
    assert "Nothing to be done" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "runs", "spared"),
    [
        (
            "experiments/privacy/attacks/span_residual.py",
            {"evaluate", "summarise", "write_report"},
            {"train", "generate", "plan", "harmonise"},
        ),
        (
            "generators/models/adversarial/wgan_gp.py",
            {"train", "generate", "evaluate"},
            {"plan", "harmonise", "ingest"},
        ),
        ("prepare/pseudobulk.py", {"pseudobulk", "harmonise"}, {"ingest", "quality_control"}),
    ],
)
def test_editing_a_module_replans_exactly_its_rules(demo, snakemake, module, runs, spared):
    path = demo / "workflow/scripts/pseudocohort" / module
    text = path.read_text()
    try:
        path.write_text(text + "\nEDITED = 1\n")
        planned = planned_rules(snakemake(demo, "--profile", "profiles/demo", "-n", "--quiet", "rules").stdout)
    finally:
        path.write_text(text)
    assert runs <= planned
    assert not spared & planned


def test_editing_a_comment_or_a_docstring_replans_nothing(demo, snakemake):
    path = demo / "workflow/scripts/pseudocohort/generators/models/mvn/model.py"
    text = path.read_text()
    try:
        path.write_text(text.replace('"""', '"""Edited. ', 1) + "\n# edited\n")
        done = snakemake(demo, "--profile", "profiles/demo", "-n")
    finally:
        path.write_text(text)
    assert "Nothing to be done" in done.stdout + done.stderr


def test_editing_one_generator_trains_only_that_generator(demo, snakemake):
    path = demo / "workflow/scripts/pseudocohort/generators/models/adversarial/wgan_gp.py"
    text = path.read_text()
    try:
        path.write_text(text + "\nEDITED = 1\n")
        done = snakemake(demo, "--configfile", "config/demo.yaml", "--cores", "2", "-n")
    finally:
        path.write_text(text)
    trained = set(re.findall(r"output: results/demo/models/\w+/(\w+)/b\d+", done.stdout))
    assert trained == {"wgan_gp"}


def test_same_seed_gives_the_same_tables(demo, snakemake):
    scored = {e: sorted((demo / f"results/demo/evaluated/{e}").glob("*.tsv")) for e in ("privacy", "fidelity")}
    tables = [
        next(path for path in scored[e] if name in set(pd.read_csv(path, sep="\t")["generator"]))
        for e, name in (("privacy", "mvn"), ("fidelity", "ddpm"))
    ]
    before = [t.read_bytes() for t in tables]
    names = [str(t.relative_to(demo)) for t in tables]
    forced = ["results/demo/models/privacy/mvn/b000", "results/demo/models/fidelity/ddpm/b000"]
    snakemake(demo, "--configfile", "config/demo.yaml", "--cores", "2", *names, "--forcerun", *forced)
    assert [t.read_bytes() for t in tables] == before
    snakemake(demo, "--profile", "profiles/demo")


def test_snakemake_report_works_offline(demo, snakemake):
    snakemake(demo, "--configfile", "config/demo.yaml", "--cores", "1", "--report", "results/report.zip")
    with zipfile.ZipFile(demo / "results/report.zip") as archive:
        names = archive.namelist()
    assert any(name.endswith("report.html") for name in names)
    assert any(name.endswith("index.html") for name in names)


def test_lint_is_clean(demo, snakemake):
    done = snakemake(demo, "--lint", "--configfile", "config/demo.yaml", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
