"""The release bundle: what the gate lets through and refuses, and what is in the folder."""

from __future__ import annotations

import copy
import gzip
import json
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pseudocohort.configuration import complete
from pseudocohort.core.contracts import HARMONISED, SYNTHETIC
from pseudocohort.core.errors import ContractError, UserError
from pseudocohort.core.io import evaluation_table, read_profiles, read_table, write_evaluation, write_profiles
from pseudocohort.experiments.privacy.attacks import ATTACKS, REQUIRED
from pseudocohort.experiments.privacy.evidence import Area, Bounds, Evidence, evidence, judge
from pseudocohort.experiments.privacy.verdict import verdict
from pseudocohort.generators.base.ledger import Ledger, Mechanism
from pseudocohort.generators.base.serialization import save_state
from pseudocohort.release import bundle, card, gate, inputs

NASTY = "<script>alert('x')</script> & \"quoted\""
FILES = {"SHA256SUMS", "card.html", "card.json", "samples.tsv", "synthetic.h5ad", "synthetic.tsv.gz"}


def privacy_table(areas, generator="mvn", half=0.05, control=0.5, found=0.01, whole=True, **battery):
    """Long privacy table: attack -> AUC of each coin, DeLong's interval `half` to either side.

    Required attacks that are not given guess; `found` of the members are found at 1 % false positives by each.
    """
    rows = []
    coins = len(next(iter(areas.values())))
    if whole:
        areas = {name: [0.5 + 0.001 * i for i in range(coins)] for name in REQUIRED} | areas
    for name in areas:
        keys = {"study": "s", "generator": generator, "regime": "pooled", "level": "tumour", "estimator": name}
        rates = {"tpr_at_fpr_0.01": found, "tpr_at_fpr_0.01_low": found / 2, "tpr_at_fpr_0.01_high": 1.5 * found}
        rows += [{**keys, "metric": m, "value": v} for m, v in (rates | {"non_members": 160.0}).items()]
    for regime in ("audit", "negative_control"):
        for name, values in areas.items():
            for coin, value in enumerate(values):
                keys = {"study": "s", "generator": generator, "regime": regime, "level": "tumour", "repeat": coin}
                auc = value if regime == "audit" else control
                found = {"auc": auc, "auc_low": auc - half, "auc_high": auc + half}
                rows += [{**keys, "seed": coin, "estimator": name, "metric": m, "value": v} for m, v in found.items()]
        for coin in range(len(next(iter(areas.values())))):
            keys = {"study": "s", "generator": generator, "regime": regime, "level": "tumour", "repeat": coin}
            found = {"p_corrected": 0.2, "epsilon_lower_bound": round(0.2 + coin / 10, 6), "epsilon_ceiling": 3.5}
            found |= {"members": 40, "synthetic": 40} | battery
            rows += [{**keys, "seed": coin, "estimator": "battery", "metric": m, "value": v} for m, v in found.items()]
    return evaluation_table(rows)


SILENT = {"nearest_neighbour": [0.51, 0.5, 0.49, 0.5], "span_residual": [0.5, 0.52, 0.5, 0.51]}
LEAKING = SILENT | {"span_residual": [0.95, 0.96, 0.94, 0.97]}


def synthetic(generator="mvn", seed=0):
    """Synthetic profiles of two training sets, as a batch holds them."""
    rng = np.random.default_rng(seed)
    n, genes = 24, 7
    obs = pd.DataFrame(
        {
            "training_set": ["full-r0"] * 12 + ["full-r1"] * 12,
            "generator": generator,
            "condition": ["lung", "liver", "colon"] * 8,
            "technology": "bulk",
            "aggregation": "bulk",
            "context": ["tumour", "normal"] * 12,
            "level": ["tumour", "normal"] * 12,
        },
        index=[f"full-r{i // 12}:{generator}:{i % 12}" for i in range(n)],
    )
    var = pd.DataFrame({"symbol": [f"G{i}" for i in range(genes)]}, index=[f"ENSG{i:011d}" for i in range(genes)])
    x = rng.gamma(2, 2, (n, genes)).astype(np.float32)
    return ad.AnnData(x, obs=obs, var=var, uns={"pseudocohort": {"unit": "log2 expression", "synthetic": True}})


def fidelity_summary(generator="mvn"):
    rows = [
        {"study": "s", "generator": g, "task": task, "metric": m, "value": v, "ci_low": v - 0.1, "ci_high": v + 0.1}
        for g, m, v in ((generator, "coverage", 0.81), ("real", "coverage", 0.97), (generator, "frechet", 3.0))
        for task in (None, "condition:lung")
    ]
    return evaluation_table([r | {"n": 3} for r in rows], summary=True)


MEMBERS = pd.DataFrame(
    {
        "training_set": ["full-r0"] * 60 + ["full-r1"] * 60,
        "sample_id": [f"d{i}" for i in range(120)],
        "role": (["train"] * 50 + ["test"] * 10) * 2,
        "condition": "lung",
    }
)
STUDY = {"study": "s", "title": "A study", "simulated": False, "seed": 7}
SOURCES = [{"dataset": "d", "source": "https://example.org/d.tsv", "citation": "Someone 2020"}]
MODEL = {"generator": "mvn", "summary": "a Gaussian", "reference": "Gauss", "settings": {"a": 1}, "code": "abc"}
SOFTWARE = {"version": "0.1.0", "commit": "123456", "packages": {"numpy": "2.0"}}


FEW = gate.Cohort(profiles=12, training_profiles=50, exact_copies=0, near_copies=0)


def decide(areas, override="", generator="mvn", bound=0.6, cohort=FEW, **options):
    table = privacy_table(areas, generator, **options)
    return gate.decide(table, generator, bounds=Bounds(max_auc_high=bound), cohort=cohort, override=override)


def write(folder, profiles=None, decision=None, **changes):
    arguments = {
        "training_set": "full-r0", "members": MEMBERS, "fidelity": fidelity_summary(), "study": STUDY,
        "sources": SOURCES, "model": MODEL, "software": SOFTWARE,
    } | changes  # fmt: skip
    profiles = synthetic() if profiles is None else profiles
    bundle.write(folder, profiles, decision or decide(SILENT), **arguments)
    return folder


# The gate.


def test_gate_passes_attacks_that_guess():
    decision = decide(SILENT)
    assert decision.failed == () and decision.override == ""
    assert {a.name for a in decision.evidence.attacks} == set(REQUIRED) | {"nearest_neighbour", "span_residual"}
    assert decision.evidence.coins == 4 and decision.evidence.levels == ("tumour",)
    assert decision.evidence.epsilon == ((0.2, 3.5), (pytest.approx(0.3), 3.5), (0.4, 3.5), (0.5, 3.5))
    assert decision.evidence.p_corrected == pytest.approx(0.8)  # four coins, .2 each
    assert decision.evidence.attacks[0].control.auc == 0.5


def test_gate_refuses_a_leaking_generator_and_says_what_to_do():
    with pytest.raises(UserError) as caught:
        decide(LEAKING)
    text = str(caught.value)
    assert "Attack span residual: AUC .95 [" in text and "bound .60" in text and "for 1 reason(s)" in text
    assert "nearest neighbour" not in text
    assert "release.override" in caught.value.remedy and "release.generator" in caught.value.remedy


def test_gate_is_lenient_only_as_far_as_it_is_told():
    assert decide(LEAKING, bound=1.0).failed == ()
    with pytest.raises(UserError):
        decide(SILENT, bound=0.5)


def test_override_lets_through_and_keeps_what_was_found():
    decision = decide(LEAKING, override="cell lines only")
    assert decision.override == "cell lines only"
    assert len(decision.failed) == 1 and decision.failed[0].startswith("Attack span residual: AUC .95")


def test_override_of_a_gate_that_passes_overrides_nothing():
    assert decide(SILENT, override="just in case").override == ""


def test_blank_override_is_none():
    with pytest.raises(UserError):
        decide(LEAKING, override="  \n")


@pytest.mark.parametrize("table", [None, privacy_table(SILENT, "ddpm")])
def test_gate_refuses_a_generator_that_was_not_audited(table):
    with pytest.raises(UserError, match="privacy was not evaluated for generator 'mvn'"):
        gate.decide(table, "mvn", bounds=Bounds(), cohort=FEW)
    decision = gate.decide(table, "mvn", bounds=Bounds(), cohort=FEW, override="why not")
    assert decision.evidence is None and decision.failed == ("Privacy was not evaluated for mvn.",)


def test_a_negative_control_alone_is_no_audit():
    table = privacy_table(SILENT)
    with pytest.raises(UserError, match="not evaluated"):
        gate.decide(table[table["regime"] == "negative_control"], "mvn", bounds=Bounds(), cohort=FEW)


def objections(areas, **options):
    """What the gate holds against attacks, without its demands on coins and battery."""
    return [text for text in decide(areas, override="x", **options).failed if text.startswith("Attack ")]


def test_one_coin_is_judged_by_delong():
    assert objections({"span_residual": [0.5]}, half=0.09) == []
    assert any("AUC .50 [.39, .61]" in text for text in objections({"span_residual": [0.5]}, half=0.11))


def test_coins_that_agree_exactly_are_judged_by_delong():
    assert any("[.35, .65]" in text for text in objections({"span_residual": [0.5, 0.5, 0.5]}, half=0.15))


def test_an_area_without_interval_does_not_pass():
    table = privacy_table({"span_residual": [0.5]})
    with pytest.raises(UserError, match="without an interval"):
        gate.decide(table[table["metric"] != "auc_high"], "mvn", bounds=Bounds(), cohort=FEW)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"found": 0.12}, "of the members at 1 % false positives"),
        ({"epsilon_lower_bound": 1.4}, "lower bound on epsilon is 1.40"),
        ({"whole": False}, "least battery were not run"),
        ({"cohort": gate.Cohort(12, 50, 1, 0)}, "1 exact and 0 near copies of training donors"),
        ({"cohort": gate.Cohort(12, 50, 0, 2)}, "0 exact and 2 near copies"),
        ({"cohort": gate.Cohort(120, 50, 0, 0)}, "2.40 profiles per training profile; those attacked had 1.00"),
    ],
)
def test_gate_refuses_what_the_mean_area_does_not_show(options, said):
    with pytest.raises(UserError, match=said):
        decide(SILENT, **options)


@pytest.mark.parametrize("kind", ["exact", "near", "disguised"])
def test_gate_looks_for_copies_in_the_very_cohort_and_refuses_one(kind):
    rng = np.random.default_rng(0)
    x = rng.normal(8, 1, (40, 120)).astype(np.float32)
    training = ad.AnnData(x[:30], obs=pd.DataFrame({"donor": [f"d{i}" for i in range(30)]}, index=map(str, range(30))))
    one = {"exact": x[0], "near": x[0] + 0.2 * rng.normal(size=120), "disguised": 0.7 * x[0] + 1}[kind]
    cohort = gate.Cohort.of(ad.AnnData(np.vstack([x[30:], one]).astype(np.float32)), training)
    assert gate.Cohort.of(ad.AnnData(x[30:]), training) == gate.Cohort(10, 30, 0, 0, 0)
    assert {k: getattr(cohort, f"{k}_copies") for k in ("exact", "near", "disguised")} == {
        k: int(k == kind) for k in ("exact", "near", "disguised")
    }
    with pytest.raises(UserError, match="copies of training donors"):
        decide(SILENT, cohort=cohort)


def test_two_coins_are_no_evidence():
    with pytest.raises(UserError, match="2 coins; a release needs 3"):
        decide({name: values[:2] for name, values in SILENT.items()})


@pytest.mark.parametrize("regime", ["shadow", "release_size"])
def test_shadow_attacks_and_larger_releases_have_a_say(regime):
    rows = [
        {"study": "s", "generator": "mvn", "regime": regime, "level": "tumour", "repeat": coin, "seed": coin,
         "estimator": "lira_x", "metric": m, "value": v, "task": "release x4" if regime == "release_size" else None}
        for coin in range(4) for m, v in {"auc": 0.8 + coin / 100, "auc_low": 0.7, "auc_high": 0.9}.items()
    ]  # fmt: skip
    table = pd.concat([privacy_table(SILENT), evaluation_table(rows)])
    with pytest.raises(UserError, match="lira x: AUC"):
        gate.decide(table, "mvn", bounds=Bounds(), cohort=FEW)


def test_a_condition_that_gives_its_members_away_is_refused():
    keys = {"study": "s", "generator": "mvn", "regime": "condition", "task": "condition:rare", "level": "tumour"}
    rows = [{**keys, "estimator": "span_residual", "metric": m, "value": v}
            for m, v in {"auc": 0.9, "auc_low": 0.85, "auc_high": 0.95}.items()]  # fmt: skip
    with pytest.raises(UserError, match="Condition rare, attack span residual"):
        gate.decide(pd.concat([privacy_table(SILENT), evaluation_table(rows)]), "mvn", bounds=Bounds(), cohort=FEW)


@settings(deadline=None, max_examples=25)
@example(area=0.5, found=0.01, bound=0.0, coins=4, whole=True)
@example(area=0.5, found=0.01, bound=0.5, coins=4, whole=True)
@given(
    area=st.floats(0.4, 0.7), found=st.floats(0.0, 0.1), bound=st.floats(0.0, 2.0), coins=st.integers(1, 5),
    whole=st.booleans(),
)  # fmt: skip
def test_verdict_and_gate_agree(area, found, bound, coins, whole):
    table = privacy_table(
        {"span_residual": [area + i / 1000 for i in range(coins)]}, found=found, epsilon_lower_bound=bound, whole=whole
    )
    passed = not gate.decide(table, "mvn", bounds=Bounds(), cohort=FEW, override="x").failed
    assert (verdict(table, {})["status"] == "yes") == passed
    assert (verdict(table, {"release": {"max_epsilon": 0.0}})["status"] == "yes") == (passed and bound == 0)


@settings(deadline=None, max_examples=40)
@given(
    coins=st.lists(st.floats(0.3, 1), min_size=1, max_size=6),
    bound=st.floats(0.5, 1),
    other=st.lists(st.floats(0.3, 1), min_size=1, max_size=6),
)
def test_gate_refuses_exactly_where_an_upper_end_exceeds_the_bound(coins, bound, other):
    n = min(len(coins), len(other))
    areas = {"pca_residual": coins[:n], "span_residual": other[:n]}
    found = gate.evidence(privacy_table(areas, half=0.0), "mvn")
    assert all(a.audit.low <= a.audit.auc + 1e-9 for a in found.attacks)
    assert all(a.audit.auc <= a.audit.high + 1e-9 for a in found.attacks)
    refused = any(a.audit.high > bound for a in found.attacks)
    assert bool(objections(areas, bound=bound, half=0.0)) == refused
    if max(map(np.mean, areas.values())) > bound + 1e-9:
        assert refused


# What is released.


@pytest.fixture
def config(project_root):
    found = complete({"study": "s", "datasets": ["x"]}, project_root / "workflow/schemas")
    return found | {"experiments": ["fidelity", "privacy"]}


def test_every_generator_that_is_audited_can_be_released(config):
    for name in config["generators"]:
        config["release"] = {"generator": name, "max_auc_high": 0.6, "override": ""}
        assert inputs.synthetic_file(config) == f"<results>/synthetic/fidelity/{name}/b000.h5ad"
        assert inputs.privacy_files(config) == ["<results>/tables/privacy.tsv"]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"release": {"generator": "cvae", "override": ""}}, "not among the study's generators"),
        ({"experiments": ["privacy"]}, "fidelity is not evaluated"),
    ],
)
def test_a_release_of_what_is_not_made_is_refused_before_anything_runs(config, changes, what):
    with pytest.raises(UserError, match=what):
        inputs.synthetic_file(config | changes)


def test_a_study_without_privacy_has_no_table_unless_overridden(config):
    bare = config | {"experiments": ["fidelity"]}
    with pytest.raises(UserError, match="privacy was not evaluated"):
        inputs.privacy_files(bare)
    assert inputs.privacy_files(bare | {"release": {"generator": "mvn", "override": "lines"}}) == []
    some = copy.deepcopy(config)
    some["privacy"]["generators"] = ["ddpm"]
    with pytest.raises(UserError, match="privacy was not evaluated"):
        inputs.privacy_files(some)


@pytest.mark.parametrize(
    ("source", "root", "shown"),
    [
        ("https://me:secret@example.org:8080/a/b.tsv?token=1#x", "", "https://example.org:8080/a/b.tsv"),
        ("/mnt/me/data/x/y.tsv", "/mnt/me/data", "{data_root}/x/y.tsv"),
        ("../data/x/y.tsv", "../data", "{data_root}/x/y.tsv"),
        ("file:///mnt/me/y.tsv", "", "y.tsv"),
        ("../me/y.tsv", "", "y.tsv"),
        ("resources/demo/y.tsv", "", "resources/demo/y.tsv"),
    ],
)
def test_sources_show_no_machine_and_no_key(source, root, shown):
    assert inputs.shown_source(source, root) == shown


def test_sheet_licence_reaches_the_card(tmp_path):
    rows = {"d": {"source": "d.tsv", "licence": "CC0", "citation": "C", "donor_column": "x"}}
    found = inputs.sources(rows)
    assert found == [{"dataset": "d", "source": "d.tsv", "citation": "C", "licence": "CC0"}]
    write(tmp_path / "release", sources=[*found, {"dataset": "e", "source": "e.tsv"}])
    datasets = json.loads((tmp_path / "release/card.json").read_text())["provenance"]["datasets"]
    assert datasets[0]["licence"] == "CC0" and datasets[1]["licence"].startswith("not recorded")


# The bundle.


def test_bundle_holds_the_profiles_of_the_synthetic_file(tmp_path):
    write_profiles(synthetic(), tmp_path / "b000.h5ad", SYNTHETIC)
    batch = read_profiles(tmp_path / "b000.h5ad", SYNTHETIC)
    folder = write(tmp_path / "release", batch)
    assert {p.name for p in folder.iterdir()} == FILES
    want = batch[(batch.obs["training_set"] == "full-r0").to_numpy()]
    found = read_profiles(folder / "synthetic.h5ad", SYNTHETIC)
    assert found.n_obs == 12
    np.testing.assert_array_equal(found.X, want.X)
    pd.testing.assert_frame_equal(found.obs.astype(str), want.obs.astype(str))
    pd.testing.assert_frame_equal(found.var.astype(str), want.var.astype(str))
    matrix = pd.read_csv(folder / "synthetic.tsv.gz", sep="\t", index_col="gene")
    assert list(matrix.columns) == list(want.obs_names) and list(matrix.index) == list(want.var_names)
    np.testing.assert_array_equal(matrix.to_numpy().astype(np.float32).T, want.X)
    samples = pd.read_csv(folder / "samples.tsv", sep="\t", index_col="sample")
    assert list(samples.index) == list(want.obs_names)
    assert list(samples["condition"]) == list(want.obs["condition"])


def test_checksums_verify_and_catch_a_change(tmp_path):
    folder = write(tmp_path / "release")

    def check():
        return subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=folder, capture_output=True, text=True)

    done = check()
    assert done.returncode == 0, done.stderr
    assert {line.split(":")[0] for line in done.stdout.splitlines()} == FILES - {"SHA256SUMS"}
    for name, digest in json.loads((folder / "card.json").read_text())["files"].items():
        assert bundle.sha256(folder / name) == digest
    with (folder / "samples.tsv").open("a") as file:
        file.write("x\n")
    assert check().returncode != 0


def test_same_study_gives_the_same_bytes(tmp_path, monkeypatch):
    first = write(tmp_path / "a/release")
    # Another process at another time: the temporary name and the clock differ.
    monkeypatch.setattr("os.getpid", lambda: 4242)
    monkeypatch.setattr("time.time", lambda: 4e9)
    second = write(tmp_path / "b/release")
    for name in FILES:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    other = write(tmp_path / "c/release", synthetic(seed=1))
    assert (first / "synthetic.tsv.gz").read_bytes() != (other / "synthetic.tsv.gz").read_bytes()


def test_matrix_header_holds_neither_name_nor_time(tmp_path):
    bundle.write_matrix(synthetic(), tmp_path / "named.tsv.gz")
    header = (tmp_path / "named.tsv.gz").read_bytes()[:10]
    assert header[3] == 0 and header[4:8] == bytes(4)  # no FNAME flag, mtime 0 (RFC 1952)
    assert gzip.decompress((tmp_path / "named.tsv.gz").read_bytes()).startswith(b"gene\tfull-r0:mvn:0\t")


def test_a_new_bundle_takes_the_place_of_the_old(tmp_path):
    folder = write(tmp_path / "release")
    (folder / "stray.txt").write_text("x")
    write(folder)
    assert {p.name for p in folder.iterdir()} == FILES
    assert [p.name for p in tmp_path.iterdir()] == ["release"]


@pytest.mark.parametrize(
    ("profiles", "changes", "error"),
    [
        (synthetic("ddpm"), {}, "profiles of ddpm among those of 'mvn'"),
        (synthetic(), {"training_set": "full-r9"}, "no synthetic profile of training set 'full-r9'"),
        (synthetic(), {"fidelity": fidelity_summary("ddpm")}, "no fidelity of generator 'mvn'"),
        (synthetic(), {"study": STUDY | {"seed": "one"}}, "'one' is not of type integer"),
    ],
)
def test_nothing_is_left_where_the_bundle_fails(tmp_path, profiles, changes, error):
    with pytest.raises(UserError, match=error):
        write(tmp_path / "release", profiles, **changes)
    assert list(tmp_path.iterdir()) == []


# The rule's script.


def real():
    """Harmonised profiles of the donors in MEMBERS."""
    rng = np.random.default_rng(5)
    obs = pd.DataFrame(
        {"donor": [f"p{i}" for i in range(120)], "dataset": "d", "unit": "log2 expression",
         "condition": "lung", "technology": "bulk",
         "aggregation": "bulk", "context": "tumour", "level": "tumour"},
        index=[f"d{i}" for i in range(120)],
    )  # fmt: skip
    x = rng.gamma(2, 2, (120, 7)).astype(np.float32)
    return ad.AnnData(x, obs=obs, var=synthetic().var, uns={"pseudocohort": {"unit": "log2 expression"}})


def run_script(folder, project_root, areas, override="", ledger=None, profiles=None):
    """Run workflow/scripts/release.py as Snakemake does, in this process."""
    folder.mkdir(exist_ok=True)
    write_profiles(synthetic() if profiles is None else profiles, folder / "b000.h5ad", SYNTHETIC)
    write_evaluation(privacy_table(areas), folder / "privacy.tsv")
    write_evaluation(fidelity_summary(), folder / "fidelity_summary.tsv", summary=True)
    MEMBERS.to_parquet(folder / "members.parquet", index=False)
    write_profiles(real(), folder / "harmonised.h5ad", HARMONISED)
    save_state(folder / "models/full-r0/model", "mvn", {}, {"ledger": ledger} if ledger else {})
    (folder / "generators.tsv").write_text("name\tsummary\treference\nmvn\ta Gaussian\tNA\n")
    (folder / "machine.json").write_text('{"commit": "123456", "processors": 2}')
    (folder / "software.tsv").write_text("package\tversion\tkey\nnumpy\t2.0\tTrue\nother\t1\tFalse\n")
    files = {
        "synthetic": "b000.h5ad", "privacy": "privacy.tsv", "fidelity": "fidelity_summary.tsv",
        "members": "members.parquet", "generators": "generators.tsv", "machine": "machine.json",
        "software": "software.tsv", "profiles": "harmonised.h5ad", "models": "models",
    }  # fmt: skip
    job = SimpleNamespace(
        log=[str(folder / "release.log")],
        input=SimpleNamespace(**{k: str(folder / v) for k, v in files.items()}),
        output=SimpleNamespace(bundle=str(folder / "release")),
        params=SimpleNamespace(
            study=STUDY,
            release={"generator": "mvn", "max_auc_high": 0.6, "override": override},
            kind="mvn",
            settings={},
            sources=SOURCES,
            generator_code="abc",
        ),
    )
    source = (project_root / "workflow/scripts/release.py").read_text()
    exec(compile(source, "release.py", "exec"), {"__name__": "__main__", "snakemake": job})


@pytest.fixture
def quiet_logs(monkeypatch):
    monkeypatch.setattr("pseudocohort.core.logs.configure", lambda log: None)


def test_script_writes_the_bundle(tmp_path, project_root, quiet_logs):
    run_script(tmp_path / "s", project_root, SILENT)
    found = json.loads((tmp_path / "s/release/card.json").read_text())
    assert found["provenance"]["software"]["packages"] == {"numpy": "2.0"}
    assert found["provenance"]["software"]["commit"] == "123456"
    assert found["model"]["reference"] == "" and found["privacy"]["gate"]["passed"]


def test_refusal_leaves_nothing_behind(tmp_path, project_root, quiet_logs):
    with pytest.raises(UserError, match="the gate refuses"):
        run_script(tmp_path / "s", project_root, LEAKING)
    names = {p.name for p in (tmp_path / "s").iterdir()}
    assert names and not any("release" in name for name in names)
    run_script(tmp_path / "s", project_root, LEAKING, override="for a test")
    assert (tmp_path / "s/release/card.html").is_file()


def test_script_looks_for_copies_of_its_own_training_donors_in_the_very_cohort(tmp_path, project_root, quiet_logs):
    held_out, trained, elsewhere = synthetic(), synthetic(), synthetic()
    donors = real()
    held_out.X[3] = donors["d55"].X[0]
    trained.X[3] = donors["d5"].X[0]
    elsewhere.X[20] = donors["d5"].X[0]  # in the cohort of another training set of the batch
    for name, profiles in (("held_out", held_out), ("elsewhere", elsewhere)):
        run_script(tmp_path / name, project_root, SILENT, profiles=profiles)
        assert (tmp_path / name / "release/card.html").is_file()
    with pytest.raises(UserError, match="1 exact and 0 near copies of training donors"):
        run_script(tmp_path / "trained", project_root, SILENT, profiles=trained)


def test_script_puts_the_ledger_of_the_released_model_on_the_card(tmp_path, project_root, quiet_logs):
    run_script(tmp_path / "s", project_root, SILENT, ledger=ledger_state())
    found = json.loads((tmp_path / "s/release/card.json").read_text())
    assert found["privacy"]["guarantee"]["epsilon"] == pytest.approx(1.27, abs=0.01)
    assert found["provenance"]["training_profiles"] is None and found["fidelity"] == []


# The card.


class Page(HTMLParser):
    """Tags and text of a page."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self.addresses = [], "", []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.addresses += [value for name, value in attributes if name in ("src", "href")]

    def handle_data(self, data):
        self.text += data


def built(decision=None, **changes):
    profiles = changes.pop("profiles", synthetic()[:12].copy())
    arguments = {
        "training_set": "full-r0", "members": MEMBERS, "fidelity_summary": fidelity_summary(), "study": STUDY,
        "sources": SOURCES, "model": MODEL, "software": SOFTWARE, "files": {"samples.tsv": "0" * 64},
    } | changes  # fmt: skip
    return card.build(profiles, decision or decide(SILENT), **arguments)


def test_card_counts_and_evidence():
    found = built()
    assert found["profiles"] == 12 and found["genes"] == 7
    assert sum(row["profiles"] for row in found["counts"]) == 12
    assert {"condition": "lung", "level": "tumour", "profiles": 2} in found["counts"]
    assert found["provenance"]["training_profiles"] == 50
    (row,) = found["fidelity"]  # over all conditions, and only what the card explains
    assert row["metric"] == "coverage"
    assert row["synthetic"]["value"] == 0.81 and row["real"]["value"] == 0.97
    assert [e["lower_bound"] for e in found["privacy"]["epsilon"]] == pytest.approx([0.2, 0.3, 0.4, 0.5])
    text = Page(card.render(found)).text
    for part in (".20 of 3.50", ".81 [.71, .91]", ".97 [.87, 1.07]", "span residual", "Someone 2020", "seed 7"):
        assert part in text, part
    assert "Released against the privacy gate" not in text


def test_card_names_what_the_audit_did_not_cover():
    text = " ".join(built()["limits"])
    assert "also holds profiles of level normal" in text
    assert "trained on 50 profiles, those attacked on 40" in text
    assert "not run: " in text and "nearest neighbour calibrated" in text.split("not run: ")[1]
    assert "One audit was run" not in text and "grows with its size" not in text
    one = " ".join(built(decide({"span_residual": [0.5]}, override="x"))["limits"])
    assert "One audit was run" in one


def test_override_stands_at_the_top_of_the_card():
    found = built(decide(LEAKING, override=NASTY))
    assert found["privacy"]["gate"]["override"] == NASTY and not found["privacy"]["gate"]["passed"]
    text = Page(card.render(found)).text
    assert text.index("Released against the privacy gate") < text.index("Conditions and levels")
    assert NASTY in text and "Attack span residual: AUC .95" in text


def test_card_without_evidence_says_so():
    found = built(gate.decide(None, "mvn", bounds=Bounds(), cohort=FEW, override="cell lines"))
    assert not found["privacy"]["evaluated"] and found["privacy"]["attacks"] == [] and found["privacy"]["says"] == []
    assert "Privacy was not evaluated for this generator." in Page(card.render(found)).text


@pytest.mark.parametrize("decision", [decide(SILENT), decide(LEAKING, override="x")])
def test_card_claims_no_anonymity_and_no_date(decision):
    html = card.render(built(decision))
    assert "anonym" not in html.lower()
    assert "2026" not in html


def test_card_escapes_every_text_and_loads_nothing():
    found = built(
        decide(LEAKING, override=NASTY),
        study=STUDY | {"title": NASTY, "study": NASTY},
        sources=[{"dataset": NASTY, "source": NASTY, "citation": NASTY, "licence": NASTY}],
        model=MODEL | {"summary": NASTY, "reference": NASTY, "settings": {NASTY: NASTY}, "code": NASTY},
        software={"version": NASTY, "commit": NASTY, "packages": {NASTY: NASTY}},
    )
    html = card.render(found)
    page = Page(html)
    assert "script" not in page.tags and "<script" not in html
    assert page.text.count(NASTY) >= 10
    assert page.addresses == [] and "@import" not in html and "url(" not in html


@settings(deadline=None)  # no test fails for being slow
@given(st.text(max_size=40))
def test_any_reason_shows_as_it_is(reason):
    decision = decide(LEAKING, override=f"x{reason}x")
    plain = card.render(built(decision)).replace(str(card.Markup.escape(f"x{reason}x")), "REASON")
    assert "REASON" in plain
    assert Page(plain).tags == Page(card.render(built(decide(LEAKING, override="x")))).tags


def test_a_card_that_breaks_its_schema_is_refused():
    with pytest.raises(UserError, match="card.json"):
        built(files={"samples.tsv": "no digest"})


def test_missing_fidelity_is_told():
    with pytest.raises(ContractError, match="no fidelity"):
        card.fidelity(fidelity_summary("ddpm"), "mvn")


def test_every_attack_is_explained_on_the_card_and_in_the_docs(project_root):
    assert all(attack.summary.endswith("?") and attack.source for attack in ATTACKS.values())
    text = (project_root / "docs/privacy.md").read_text()
    assert [name for name in ATTACKS if f"`{name}`" not in text] == []


def test_schema_offers_a_bound_that_can_refuse(project_root):
    schema = yaml.safe_load((project_root / "workflow/schemas/config.schema.yaml").read_text())
    bound = schema["properties"]["release"]["properties"]["max_auc_high"]
    assert bound["minimum"] == 0.5 and bound["maximum"] == 1
    with pytest.raises(UserError):
        decide({"span_residual": [1.0, 1.0]}, bound=0.99, half=0.0)


def test_card_table_of_a_written_study_reads_back(tmp_path):
    write_evaluation(privacy_table(SILENT), tmp_path / "privacy.tsv")
    again = gate.evidence(read_table(tmp_path / "privacy.tsv"), "mvn")
    assert again == gate.evidence(privacy_table(SILENT), "mvn")


# --- claims of differential privacy -------------------------------------------------------------------------------


def ledger_state(noise=3.0, **entries):
    ledger = Ledger(1e-5)
    ledger.public("public profiles", "169 profiles (reference), declared public: they are not protected")
    ledger.noised("class means", "donors cut", Mechanism(noise))
    for what, detail in entries.items():
        ledger.exact(what, detail)
    return ledger.state()


def test_card_of_a_private_model_quotes_its_own_ledger_and_what_it_proves():
    found = built(ledger=ledger_state())
    text = Page(card.render(found)).text
    assert "(1.27, 1e-05)-differentially private" in text and "one added or removed" in text
    assert "no attack on a donor's membership has an AUC above .59" in text
    assert "Not protected: 169 profiles" in text
    assert (
        "held-out donors. The model never saw these" in text
        and "never saw these" not in Page(card.render(built())).text
    )
    weak = " ".join(built(ledger=ledger_state(0.44))["privacy"]["guarantee"]["sentences"])
    assert "promises next to nothing" in weak
    broken = built(ledger=ledger_state(noise_seed="printed"))
    assert "no DP guarantee (noise_seed: printed)" in Page(card.render(broken)).text


def test_nothing_exact_about_training_donors_is_on_a_private_card():
    """One donor leaves: its row of the members, and all that was measured with it."""
    profiles = synthetic()[:12].copy()
    cards = []
    for one in (MEMBERS, MEMBERS.drop(0)):
        moved = 0.0 if one is MEMBERS else 0.003
        summary = fidelity_summary()
        summary["value"] += moved
        areas = {name: [v + moved for v in values] for name, values in SILENT.items()}
        decision = decide(areas, found=0.01 + moved, epsilon_lower_bound=0.2 + moved, members=40 - (moved > 0))
        left = int(moved > 0)
        exact = {"small_conditions": (("rare", 12 - left),), "non_members": 160 - left, "most_synthetic": 1 + moved}
        exact |= {"conditions": (("lung", "span_residual", Area(0.5 + moved, 0.4, 0.6)),), "auc_least": 0.5 + moved}
        decision = replace(decision, evidence=replace(decision.evidence, **exact))
        options = {"profiles": profiles, "members": one, "fidelity_summary": summary}
        cards.append([built(decision, **options, ledger=kept) for kept in (ledger_state(), None)])
    (private, plain), (private_without, plain_without) = cards
    assert private == private_without
    assert plain != plain_without
    assert private["fidelity"] == [] and private["provenance"]["training_profiles"] is None
    refused = built(decide(LEAKING, override="x"), ledger=ledger_state())
    assert ".95" not in json.dumps(refused["privacy"]) and "1 reason(s)" in refused["privacy"]["gate"]["failed"][0]


def test_a_claim_that_an_audit_disproves_is_refused():
    rows = [
        {"study": "s", "generator": "mvn", "regime": "audit", "level": "tumour", "repeat": coin, "seed": coin,
         "estimator": "ledger", "metric": m, "value": v}
        for coin in range(4) for m, v in {"guarantee": 1.0, "delta": 1e-5, "epsilon": 0.3}.items()
    ]  # fmt: skip
    with pytest.raises(UserError, match=r"lower bounds on epsilon, up to \.50, disprove the claim of \.30"):
        gate.decide(pd.concat([privacy_table(SILENT), evaluation_table(rows)]), "mvn", bounds=Bounds(), cohort=FEW)


@pytest.mark.parametrize(
    ("proved", "low", "refused"), [(None, 0.43, True), (0.58, 0.43, False), (0.92, 0.43, True), (0.58, 0.6, True)]
)
def test_a_proof_holds_where_the_interval_of_a_small_condition_is_too_wide_to_tell(proved, low, refused):
    """Unless there is none, it promises too little, or the interval contradicts it."""
    bare = {"coins": 5, "p_corrected": None, "levels": (), "members": None, "synthetic": None, "epsilon": ()}
    rare = (("rare", "pca_residual_class", Area(0.61, low, 0.79)),)
    found = judge(Evidence(attacks=(), conditions=rare, auc_bound=proved, non_members=900, **bare), Bounds())
    assert [objection.text.startswith("Condition rare") for objection in found] == [True] * refused


def test_chance_does_not_disprove_a_claim():
    """At epsilon 0 nothing depends on the members, yet the best of many attacks and coins exceeds the bound often."""
    bare = {"attacks": (), "coins": 5, "p_corrected": None, "levels": (), "members": None, "synthetic": None}
    for above, refused in ((0, False), (1, False), (2, True), (5, True)):
        bounds = tuple((0.01 if coin < above else 0.0, 3.0) for coin in range(5))
        found = judge(Evidence(epsilon=bounds, claim=(0.0, 1e-5), **bare), Bounds())
        assert any("disprove" in objection.text for objection in found) == refused, above
    rng = np.random.default_rng(0)
    for leak, refused in ((0.0, False), (0.1, True)):
        said = []
        for _ in range(20):
            areas = {f"attack_{i}": list(0.5 + rng.normal(0, 0.02, 5)) for i in range(29)}
            areas["attack_0"] = [value + leak for value in areas["attack_0"]]
            ledger = [
                {"study": "s", "generator": "mvn", "regime": "audit", "level": "tumour", "repeat": coin, "seed": coin,
                 "estimator": "ledger", "metric": m, "value": v}
                for coin in range(5)
                for m, v in {"guarantee": 1.0, "delta": 1e-5, "epsilon": 0.0, "auc_bound": 0.5}.items()
            ]  # fmt: skip
            table = pd.concat([privacy_table(areas), evaluation_table(ledger)])
            texts = [objection.text for objection in judge(evidence(table, "mvn"), Bounds())]
            said.append(any("above the proved bound" in text for text in texts))
        assert np.mean(said) > 0.9 if refused else np.mean(said) < 0.2
