"""The Python interface: it is the workflow's own code, its Examples run, and bad input gets an error for people."""

from __future__ import annotations

import doctest
import importlib
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import anndata as ad
import matplotlib
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from statsmodels.duration.survfunc import SurvfuncRight

import pseudocohort as pc
from pseudocohort import configuration
from pseudocohort.core import contracts, io
from pseudocohort.core.errors import UserError
from pseudocohort.experiments.shared.plan import with_split
from pseudocohort.generators.base.registry import generators
from pseudocohort.plan.members import members
from pseudocohort.plan.training_sets import drawn, training_sets

matplotlib.use("agg")
SHORT = {"steps": 20}


@pytest.fixture(scope="module")
def real():
    return pc.example(60, random_state=1)


@pytest.fixture(scope="module")
def flow(real):
    return pc.fit(real, "cancer", donor="patient", generator="flow", settings=SHORT, random_state=7)


@pytest.mark.parametrize("home", ["", ".api.cohort", ".api.fit", ".api.example", ".api.plots"])
def test_every_example_in_the_docstrings_runs(home):
    done = doctest.testmod(importlib.import_module(f"pseudocohort{home}"))
    assert done.attempted > 1 and done.failed == 0


def test_importing_the_package_is_free_and_the_interface_complete(project_root):
    code = (
        "import sys, pseudocohort as pc; assert not {'numpy', 'pandas', 'torch'} & set(sys.modules); "
        "assert set(pc.__all__) <= set(dir(pc)) and pc.UserError and pc.list_generators().shape[0] > 15; "
        "sys.exit('torch' in sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": str(project_root / "workflow/scripts")}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0
    with pytest.raises(AttributeError, match="'colour'"):
        pc.colour  # noqa: B018


@pytest.mark.parametrize(("name", "survival"), [("mvn", False), ("flow", False), ("mvn", True), ("flow", True)])
def test_profiles_are_those_of_the_workflows_scripts(name, survival, real, tmp_path, project_root):
    """A tiny prepared study goes through train.py and generate.py; the interface gives the same numbers."""
    obs = real.obs.rename(columns={"cancer": "condition", "patient": "donor"}).assign(
        dataset="x", technology="bulk", aggregation="bulk", context="tumour", level="tumour", unit="log2(tpm + 1)",
        library_size=0.0,
    )  # fmt: skip
    obs.loc[obs.index[::3], ["context", "level"]] = "normal"
    told = {"unit": "log2 expression", "scale": "unscaled", "covariates": {"sex": "categorical"}}
    x, raw = real.X.copy(), obs.assign(died=obs["died"].map({1: "dead", 0: "alive"}))
    if survival:  # of tumours, as the workflow has it; three genes go with it
        x[:, :3] -= 2 * np.log(obs[["days"]].to_numpy() / 900)
        obs[["days", "died"]] = obs[["days", "died"]].astype(float)
        obs.loc[obs["level"] != "tumour", ["days", "died"]] = np.nan
        told["covariates"] |= {"days": "time", "died": "event"}
    profiles = ad.AnnData(x, obs=obs, var=real.var, uns={"pseudocohort": told})
    given = {"study": "x", "datasets": ["x"], "experiments": ["fidelity"], "generators": [name], "seed": 5}
    config = configuration.complete(given, project_root / "workflow/schemas")
    rows = training_sets(config)[:1]
    split = np.where(np.arange(60) % 5 == 0, "test", "train")
    donors = pd.DataFrame(
        {"donor": obs["donor"], "dataset": "x", "split": split, "genes": np.where(split == "test", "no", "yes")}
    )
    table = members(with_split(obs, donors), rows, config)
    paths = {kind: str(tmp_path / kind) for kind in ("profiles.h5ad", "donors.tsv", "made.h5ad", "m")}
    io.write_profiles(profiles, paths["profiles.h5ad"], contracts.HARMONISED)
    io.write_table(donors, paths["donors.tsv"])
    settings = SHORT if name == "flow" else {}
    training_set = rows[0]["training_set"]
    common = {
        "log": [None],
        "wildcards": SimpleNamespace(generator=name),
        "input": SimpleNamespace(
            profiles=paths["profiles.h5ad"], donors=paths["donors.tsv"], models=paths["m"],
        ),
        "params": SimpleNamespace(
            training_sets=[training_set], kind=name, settings=settings, seed=5, device="cpu", alignments={},
            scope="joint", lengths={}, together=1, checkpoints=str(tmp_path / "c"), checkpoint_minutes=5,
            drawn=drawn(config, "fidelity", [training_set]),
            asked=drawn(config, "fidelity", [training_set], asked=True),
        ),
    }  # fmt: skip
    hook = sys.excepthook
    for script, made in (("train", {"models": paths["m"]}), ("generate", {"profiles": paths["made.h5ad"]})):
        job = SimpleNamespace(**common, output=SimpleNamespace(**made))
        runpy.run_path(str(project_root / f"workflow/scripts/{script}.py"), {"snakemake": job})
    sys.excepthook = hook
    made = ad.read_h5ad(paths["made.h5ad"])
    assert made.n_obs > 5 and set(made.obs["level"]) == {"tumour", "normal"}

    trained = table.loc[(table["role"] == "train").to_numpy(), "sample_id"]
    people = ad.AnnData(profiles[trained].X, obs=raw.loc[trained], var=real.var)
    cohort = pc.fit(
        people, "condition", donor="donor", level="level", covariates=["sex"], generator=name,
        settings=settings, random_state=5, training_set=training_set, device="cpu",
        survival={"time": "days", "event": "died"} if survival else None,
    )  # fmt: skip
    wanted = made.obs[["condition", "level", *told["covariates"]]]
    if survival:
        assert (cohort.fitted.effects.effects[-1, :3] != 0).all()
    np.testing.assert_array_equal(cohort.sample(wanted, random_state=5).X, made.X)
    cohort.save(tmp_path / "cohort")
    np.testing.assert_array_equal(pc.load(tmp_path / "cohort").sample(wanted).X, made.X)
    for part in ("model", "scale", "covariates", "detection", "library"):  # and the files are the same
        for file in ("arrays.safetensors", "metadata.json"):
            of_workflow = tmp_path / "m" / training_set / part / file
            assert (tmp_path / "cohort" / part / file).read_bytes() == of_workflow.read_bytes(), (part, file)


def test_a_cohort_says_what_it_is(flow, real):
    assert flow.conditions == sorted(set(real.obs["cancer"])) and flow.levels == ["tumour"]
    assert flow.genes.equals(real.var_names) and flow.seen["donors"].sum() == 60
    assert flow.history["step"].is_monotonic_increasing and "no DP guarantee" in flow.guarantee
    ax = flow.plot_history()
    assert len(ax.lines) == flow.history.shape[1] - 1
    with pytest.raises(UserError, match="no training loop"):
        pc.fit(real, "cancer", generator="independent").plot_history()


def test_what_is_asked_for_is_sampled(flow, real):
    made = flow.sample({"lung": 3, "breast": 2})
    assert made.obs["cancer"].tolist() == ["lung"] * 3 + ["breast"] * 2
    assert made.X.dtype == np.float32 and (made.X >= 0).all() and made.var.equals(real.var)
    assert made.obs["level"].unique().tolist() == ["tumour"] and made.obs["generator"].unique().tolist() == ["flow"]
    np.testing.assert_array_equal(made.X, flow.sample(pd.DataFrame({"cancer": ["lung"] * 3 + ["breast"] * 2})).X)
    np.testing.assert_array_equal(made.X, flow.sample({"lung": 3, "breast": 2}, random_state=7).X)
    assert (made.X != flow.sample({"lung": 3, "breast": 2}, random_state=8).X).any()
    assert flow.sample().obs["cancer"].value_counts().to_dict() == real.obs["cancer"].value_counts().to_dict()
    shared = flow.sample(10).obs["cancer"].value_counts()
    assert shared.sum() == 10 and shared.max() - shared.min() == 1
    joined = ad.concat([real, made], join="inner")
    assert joined.shape == (65, 387) and "cancer" in joined.obs


def test_random_state_is_what_scikit_learn_takes(real):
    def first(random_state):
        return pc.fit(real, "cancer", generator="independent", random_state=random_state).sample(1).X

    np.testing.assert_array_equal(first(3), first(np.int64(3)))
    np.testing.assert_array_equal(first(np.random.default_rng(3)), first(np.random.default_rng(3)))
    np.testing.assert_array_equal(first(np.random.RandomState(3)), first(np.random.RandomState(3)))
    assert (first(None) != first(None)).any()


def test_tables_sparse_matrices_and_layers_are_the_same_profiles(real):
    options = {"generator": "independent", "random_state": 2}
    expected = pc.fit(real, "cancer", donor="patient", **options).sample(5).X
    table = real.to_df()
    shuffled = real.obs["cancer"].sample(frac=1, random_state=0)
    in_layer = ad.AnnData(np.zeros(real.shape), obs=real.obs, var=real.var, layers={"log": real.X})
    of_sparse = ad.AnnData(sparse.csr_matrix(real.X), obs=real.obs, var=real.var)
    for data, condition, more in (
        (table, shuffled, {}),  # by name, not by place
        (table, real.obs["cancer"].tolist(), {}),
        (table.assign(cancer=real.obs["cancer"], patient=real.obs["patient"]), "cancer", {"donor": "patient"}),
        (in_layer, "cancer", {"layer": "log"}),
        (of_sparse, "cancer", {}),
    ):
        np.testing.assert_array_equal(pc.fit(data, condition, **more, **options).sample(5).X, expected)


def test_units_become_what_the_workflow_makes_of_them():
    counts = pc.example(30, unit="counts", random_state=2)
    library = counts.X.sum(1, keepdims=True)
    by_hand = counts.copy()
    by_hand.X = np.log2(counts.X.astype(float) / library * 1e6 + 1)
    options = {"generator": "copy", "random_state": 1}
    expected = pc.fit(by_hand, "cancer", **options).sample(6).X
    np.testing.assert_allclose(pc.fit(counts, "cancer", unit="counts", **options).sample(6).X, expected, atol=1e-5)
    cpm = by_hand.copy()
    cpm.X = counts.X.astype(float) / library * 1e6
    np.testing.assert_allclose(pc.fit(cpm, "cancer", unit="cpm", **options).sample(6).X, expected, atol=1e-5)
    other = by_hand.copy()
    other.X = np.log2(cpm.X + 0.5)
    made = pc.fit(other, "cancer", unit="cpm", log_offset=0.5, **options).sample(6).X
    np.testing.assert_allclose(made, expected, atol=1e-4)


def test_counts_have_the_library_sizes_of_the_training_profiles():
    real = pc.example(60, unit="counts", random_state=2)
    cohort = pc.fit(real, "cancer", unit="counts", generator="copy")
    made = cohort.sample(60, counts=True)
    sizes, ours = np.log(real.X.sum(1)), np.log(made.layers["counts"].sum(1))
    assert abs(sizes.mean() - ours.mean()) < 3 * sizes.std() / np.sqrt(30)
    with pytest.raises(UserError, match="no counts: the training profiles were log2"):
        pc.fit(pc.example(20), "cancer", generator="copy").sample(3, counts=True)


def test_imputed_profiles_keep_what_was_given_and_find_the_rest(real):
    """Genes left out are nearer to the truth than the mean of the condition is."""
    train, test = real[:48], real[48:]
    cohort = pc.fit(train, "cancer", generator="flow", settings={"steps": 200}, random_state=1)
    hidden = np.arange(real.n_vars) % 4 == 0
    panel = test[:, ~hidden]
    made = cohort.impute(panel)
    assert made.obs.equals(test.obs) and made.var_names.equals(real.var_names)
    np.testing.assert_array_equal(made.X[:, ~hidden], panel.X)
    means = train.to_df().groupby(train.obs["cancer"].to_numpy()).mean().loc[test.obs["cancer"]].to_numpy()
    error = ((made.X - test.X)[:, hidden] ** 2).mean()
    assert error < 0.85 * ((means - test.X)[:, hidden] ** 2).mean()
    holes = test.to_df().copy()  # to_df of a slice shares its memory
    holes.loc[:, hidden] = np.nan
    np.testing.assert_array_equal(cohort.impute(holes.iloc[:, ::-1], test.obs["cancer"]).X, made.X)
    drawn = cohort.impute(panel, expected=False)
    np.testing.assert_array_equal(drawn.X[:, ~hidden], panel.X)
    assert ((drawn.X - test.X)[:, hidden] ** 2).mean() > error


def test_generators_that_cannot_impute_name_those_that_can(real):
    able = [name for name, kind in generators().items() if kind.capabilities.mask]
    with pytest.raises(UserError, match="cannot complete profiles") as caught:
        pc.fit(real, "cancer", generator="independent").impute(real)
    assert all(name in caught.value.remedy for name in able) and "copy" not in caught.value.remedy


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": 45.0}, "no log2"),
        ({"x": -1.0}, "no log2"),
        ({"x": np.nan}, "no gene has a value"),
        ({"genes": ["nothing"]}, "not the cohort's: 'nothing'"),
        ({"cancer": "lnug"}, "did you mean 'lung'"),
    ],
)
def test_what_cannot_be_imputed_is_said(flow, real, change, message):
    data = real[:2, :1].copy()
    if "x" in change:
        data.X[:] = change["x"]
    if "cancer" in change:
        data.obs["cancer"] = change["cancer"]
    data.var_names = change.get("genes", data.var_names)
    with pytest.raises(UserError, match=re.escape(message)):
        flow.impute(data)


def test_covariates_shift_what_is_sampled(real):
    cohort = pc.fit(real, "cancer", generator="independent", covariates=["sex"], random_state=1)
    wanted = pd.DataFrame({"cancer": ["lung"] * 400, "sex": ["female", "male"] * 200})
    made = cohort.sample(wanted)
    assert made.obs["sex"].tolist() == wanted["sex"].tolist()
    female = (real.obs["sex"] == "female").to_numpy()
    truth = real.X[female].mean(0) - real.X[~female].mean(0)
    found = made.X[::2].mean(0) - made.X[1::2].mean(0)
    strongest = np.argsort(-np.abs(truth))[:10]
    assert np.corrcoef(truth[strongest], found[strongest])[0, 1] > 0.95
    assert (cohort.sample({"lung": 2}).obs["sex"] == "").all()


def test_several_levels_must_be_named(real):
    data = real.copy()
    data.obs["kind"] = np.where(np.arange(60) % 2, "tumour", "normal")
    cohort = pc.fit(data, "cancer", level="kind", generator="copy")
    assert cohort.levels == ["tumour", "normal"]
    with pytest.raises(UserError, match="several levels: tumour, normal"):
        cohort.sample({"lung": 1})
    assert cohort.sample({"lung": 1}, level="tumour").obs["context"].tolist() == ["tumour"]
    with pytest.raises(UserError, match="unknown level 'tumor'") as caught:
        cohort.sample({"lung": 1}, level="tumor")
    assert "did you mean 'tumour'" in caught.value.remedy


def test_public_profiles_serve_private_generators(real):
    public = pc.example(60, random_state=9)
    public.obs_names = [f"public-{name}" for name in public.obs_names]
    public.obs["patient"] = public.obs_names
    settings = {"epsilon": 5.0, "genes": "public", "conditions": sorted(set(real.obs["cancer"]))}
    cohort = pc.fit(real, "cancer", donor="patient", generator="dp_components", settings=settings, public=public)
    assert re.match(r"\((5\.0|4\.9)\d*, 1e-05\)-differential privacy", cohort.guarantee)
    assert cohort.seen["profiles"].sum() == 60 and cohort.sample({"lung": 4}).shape == (4, 387)
    with pytest.raises(UserError, match="'P0001' is public and is not"):
        pc.fit(real, "cancer", generator="dp_components", public=real)


def changed(data, what):
    """The profiles with something wrong, and the arguments of the fit."""
    data, arguments = data.copy(), {"condition": "cancer", "generator": "independent"}
    match what:
        case "no genes":
            data = data[:, :0]
        case "no profiles":
            data = data[:0]
        case "one profile":
            data = data[:1]
        case "nan":
            data.X[3, 5] = np.nan
        case "inf":
            data.X[3, 5] = np.inf
        case "negative":
            data.X[3, 5] = -2
        case "large":
            data.X[3, 5] = 60
        case "centred":
            data.X = data.X - data.X.mean(0)
        case "counts as logs":
            data.X = np.round(data.X)
        case "logs as counts":
            arguments["unit"] = "counts"
        case "logs as tpm":
            arguments["unit"] = "tpm"
        case "text":
            table = data.to_df()
            return table.assign(cancer=data.obs["cancer"], note="x"), arguments
        case "strings":
            data = ad.AnnData(data.obs[["cancer"]].astype(object).to_numpy(), obs=data.obs)
        case "list":
            return data.X.tolist(), arguments
        case "array":
            return data.X, arguments
        case "path":
            return "cohort.h5ad", arguments
        case "genes in rows":
            return data.to_df().T, arguments
        case "genes twice":
            data.var_names = ["A", *data.var_names[1:-1], "A"]
        case "profiles twice":
            data.obs_names = ["A", *data.obs_names[1:-1], "A"]
        case "no condition":
            data.obs.loc[data.obs_names[2:4], "cancer"] = np.nan
        case "no counts":
            data.X = np.zeros(data.shape)
            arguments["unit"] = "counts"
        case _:
            arguments |= what
    return data, arguments


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("no genes", "60 profiles x 0 genes"),
        ("no profiles", "0 profiles x 387 genes"),
        ("one profile", "one profile is no cohort"),
        ("nan", "in profile 'P0004' is missing (NaN)"),
        ("inf", "in sample 'P0004'"),
        ("negative", "is below log2(0 + 1)"),
        ("large", "the largest value is 60"),
        ("centred", "is below log2(0 + 1)"),
        ("counts as logs", "all values are whole numbers"),
        ("logs as counts", "is not whole"),
        ("logs as tpm", "they look like logarithms"),
        ("text", "column 'note' holds no numbers"),
        ("strings", "not numbers"),
        ("list", "a list is no table of profiles"),
        ("array", "an ndarray is no table of profiles"),
        ("path", "a file is read by anndata.read_h5ad(path)"),
        ("genes twice", "gene 'A' occurs more than once"),
        ("profiles twice", "profile 'A' occurs more than once"),
        ("no condition", "2 of 60 profiles have no condition; the first is 'P0003'"),
        ("no counts", "has no counts"),
        ("genes in rows", "if rows are genes, turn the table: give data.T"),
        ({"condition": "cancr"}, "did you mean 'cancer'"),
        ({"condition": "CANCER"}, "did you mean 'cancer'"),
        ({"unit": "FPKM"}, "did you mean 'fpkm'"),
        ({"condition": ["a", "b"]}, "2 values of condition for 60 profiles"),
        ({"donor": "patients"}, "did you mean 'patient'"),
        ({"level": "tumor"}, "did you mean 'tumour'"),
        ({"level": "subtype"}, "unknown level 'common'"),
        ({"covariates": ["age"]}, "no column 'age'"),
        ({"covariates": {"sex": "numeric"}}, "is not a number"),
        ({"covariates": {"sex": "word"}}, "unknown kind 'word'"),
        ({"generator": "flwo"}, "did you mean 'flow'"),
        ({"generator": "flow", "settings": {"stepz": 3}}, "did you mean 'steps'"),
        ({"generator": "flow", "settings": {"steps": "many"}}, "'many' is not of type integer"),
        ({"generator": "flow", "settings": 3}, "no mapping of settings"),
        ({"generator": "nb_cvae"}, "learns from counts"),
        ({"unit": "log10"}, "unknown unit 'log10'"),
        ({"layer": "counts"}, "no layer 'counts'"),
        ({"device": "gpu"}, "unknown device 'gpu'"),
        ({"random_state": -1}, "-1 is no seed"),
        ({"random_state": "x"}, "'x' is no seed"),
    ],
)
def test_bad_input_gets_an_error_for_people(real, what, message):
    data, arguments = changed(real, what)
    with pytest.raises(UserError) as caught:
        pc.fit(data, **arguments)
    assert message in str(caught.value) and caught.value.remedy


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"lnug": 3}, "did you mean 'lung'"),
        ({"lung": -1}, "-1 is no number of profiles"),
        ({"lung": 1.5}, "1.5 is no number of profiles"),
        ({"lung": 0}, "no profile is asked for"),
        ({}, "no profile is asked for"),
        (["lung"], "one for each condition: {'A': 100, 'B': 50}"),
        ({"Lung": 3}, "did you mean 'lung'"),
        (0, "no profile is asked for"),
        (pd.DataFrame({"x": ["lung"]}), "no column 'cancer'"),
    ],
)
def test_requests_that_make_no_sense_are_refused(flow, wanted, message):
    with pytest.raises(UserError) as caught:
        flow.sample(wanted)
    assert message in str(caught.value)


def test_saved_cohorts_are_equal_and_nothing_else_is_overwritten(flow, tmp_path):
    flow.save(tmp_path / "a")
    again = pc.load(tmp_path / "a")
    assert repr(again) == repr(flow) and again.about == flow.about and again.var.equals(flow.var)
    pd.testing.assert_frame_equal(again.history, flow.history)
    np.testing.assert_array_equal(again.sample(3).X, flow.sample(3).X)
    assert {f.suffix for f in (tmp_path / "a").rglob("*") if f.is_file()} == {".safetensors", ".json", ".tsv"}
    again.save(tmp_path / "a")  # a cohort may be replaced
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").write_text("x")
    with pytest.raises(UserError, match="something else"):
        flow.save(tmp_path / "mine")
    assert (tmp_path / "mine/thesis.tex").read_text() == "x"
    for path in ("mine", "none"):
        with pytest.raises(UserError, match="no cohort is stored here"):
            pc.load(tmp_path / path)
    (tmp_path / "a/model/arrays.safetensors").write_bytes(b"damaged")
    with pytest.raises(UserError, match="cannot be read as a stored flow") as caught:
        pc.load(tmp_path / "a")
    assert caught.value.remedy == "fit and save the cohort again"


def test_the_map_shows_real_and_synthetic_profiles(flow, real):
    made = flow.sample({"lung": 5, "breast": 5})
    ax = pc.plot_map(real, made, "cancer")
    labels = ax.get_legend_handles_labels()[1]
    assert "lung, real" in labels and "lung, synthetic" in labels and "liver, synthetic" not in labels
    assert sum(len(points.get_offsets()) for points in ax.collections) == 70
    with pytest.raises(UserError, match="0 genes in common"):
        pc.plot_map(real, ad.AnnData(np.ones((3, 2)), obs=made.obs[:3]), "cancer")


def code_of(page: Path) -> list[str]:
    """Python of a page's code blocks, or of a notebook's cells."""
    if page.suffix == ".ipynb":
        cells = json.loads(page.read_text())["cells"]
        return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S)


@pytest.mark.parametrize("page", ["notebook.ipynb", "python.md"])
def test_the_code_of_the_documentation_runs(page, project_root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parts, space = code_of(project_root / "docs" / page), {}
    assert len(parts) > 2
    for part in parts:
        exec(compile(part, page, "exec"), space)
    assert space["synthetic"].n_obs >= 10


def test_tables_as_people_have_them(real):
    table = real.to_df().assign(cancer=real.obs["cancer"].to_numpy(), patient=real.obs["patient"].to_numpy())
    told = {"condition": "cancer", "donor": "patient", "generator": "mvn", "random_state": 1}
    wanted = pc.fit(table, **told).sample(5).X
    genes = list(real.var_names)
    nullable = table.astype(dict.fromkeys(genes[:3], "Float64"))
    for same in (table.T.T, nullable):
        np.testing.assert_array_equal(pc.fit(same, **told).sample(5).X, wanted)
    assert pc.fit(table.assign(cancer=[1.0, 2.0] * (len(table) // 2)), **told).sample({1: 3}).n_obs == 3
    for change, message in (
        ({"patient": ["NA", "?"] * (len(table) // 2)}, "no donor"),
        ({"cancer": "[Not Available]"}, "no condition"),
        ({genes[0]: 1j}, "not numbers|no numbers"),
    ):
        with pytest.raises(pc.UserError, match=message):
            pc.fit(table.assign(**change), **told)
    for wrong, message in (
        (pd.concat([table, table[genes[:1]]], axis=1), "more than once"),
        (table.set_index(pd.MultiIndex.from_product([["a"], range(len(table))])), "MultiIndex"),
    ):
        with pytest.raises(pc.UserError, match=message):
            pc.fit(wrong, **told)


def test_labels_with_an_index_go_by_it_or_are_refused(real):
    told, labels = {"generator": "mvn", "random_state": 1}, real.obs["cancer"]
    wanted = pc.fit(real, "cancer", **told).sample(5).X
    turned = labels[::-1]
    for same in (turned, turned.to_dict(), labels.reset_index(drop=True), turned.astype("category"), iter(labels)):
        np.testing.assert_array_equal(pc.fit(real, same, **told).sample(5).X, wanted)
    for other in (
        labels.rename("x{}".format),
        labels.rename(index={"P0003": "Q"}),
        labels.reset_index(drop=True)[::-1],
        {f"x{name}": label for name, label in labels.items()},
    ):
        with pytest.raises(UserError, match="other names than the profiles'"):
            pc.fit(real, other, **told)
    for none in (labels.to_frame(), labels.to_numpy()[:, None], set(labels), None, 5):
        with pytest.raises(UserError, match="does not say the condition of each profile"):
            pc.fit(real, none, **told)


def test_labels_do_not_enter_as_a_gene(real):
    table = real.to_df().assign(stage=np.resize([0, 1], real.n_obs))
    with pytest.raises(UserError, match="would enter as a gene"):
        pc.fit(table, table["stage"], generator="mvn")
    assert pc.fit(table, "stage", generator="mvn").var.shape[0] == real.n_vars


def test_a_table_with_genes_in_rows_is_told_from_one_with_profiles_in_rows(real):
    table, labels = real.to_df().T, real.obs["cancer"]
    for given in (labels, labels.to_dict()):
        with pytest.raises(UserError, match="are columns; rows are the profiles") as caught:
            pc.fit(table, given, generator="mvn")
        assert "data.T" in caught.value.remedy


def test_the_layer_that_may_be_meant_is_named():
    counts = pc.example(60, unit="counts")
    logs = counts.copy()
    logs.layers["counts"], logs.X = counts.X.copy(), np.log1p(counts.X)
    with pytest.raises(UserError, match="is not whole") as caught:
        pc.fit(logs, "cancer", unit="counts", generator="mvn")
    assert "there is also counts: name it as layer" in caught.value.remedy
    assert pc.fit(logs, "cancer", unit="counts", layer="counts", generator="mvn").sample(3).n_obs == 3


def test_numbers_that_look_like_annotation_are_named(real):
    table = real.to_df().assign(cancer=real.obs["cancer"], grade=np.resize([1, 2, 3], real.n_obs))
    with pytest.warns(UserWarning, match="'grade': whole numbers only"):
        pc.fit(table, "cancer", generator="independent")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pc.fit(table.assign(grade=0), "cancer", generator="independent")  # as a gene that nobody expresses
        pc.fit(table, "cancer", covariates={"grade": "numeric"}, generator="independent")
    assert not [w for w in caught if "whole numbers only" in str(w.message)]


def test_conditions_of_a_single_donor_are_named(real):
    labels = real.obs["cancer"].astype(str).to_numpy()
    labels[0] = "rare"
    with pytest.warns(UserWarning, match=r"1 condition has a single donor: 'rare'\."):
        pc.fit(real, labels, generator="independent")
    with pytest.warns(UserWarning, match="60 of 60 conditions have a single donor"):
        pc.fit(real, np.arange(real.n_obs), generator="independent")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pc.fit(real, "cancer", generator="independent")
    assert not [w for w in caught if "single donor" in str(w.message)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"log_offset": -1, "unit": "tpm"}, "added to no value"),
        ({"log_offset": float("nan"), "unit": "tpm"}, "added to no value"),
        ({"log_offset": "1", "unit": "tpm"}, "added to no value"),
        ({"generator": ["mvn"]}, "unknown generator"),
        ({"covariates": ["age"]}, "'inf' of sample 'P0001' is not a number"),
        ({"covariates": "cancer"}, "cannot be the name of the condition"),
    ],
)
def test_arguments_that_would_give_wrong_numbers_are_refused(real, arguments, message):
    real = real.copy()
    real.obs["age"] = np.r_[np.inf, np.arange(real.n_obs - 1)]
    with pytest.raises(UserError, match=message):
        pc.fit(real, "cancer", **({"generator": "mvn"} | arguments))


def test_tables_with_names_that_become_equal_or_have_levels_are_refused(real):
    table, labels = real.to_df(), list(real.obs["cancer"])
    for names, message in (
        ([1, "1", *range(2, real.n_obs)], "profile '1' occurs more than once"),
        (pd.MultiIndex.from_product([["a"], range(real.n_obs)]), "names of profiles have several levels"),
    ):
        with pytest.raises(UserError, match=message):
            pc.fit(table.set_axis(names), labels, generator="mvn")
    with pytest.raises(UserError, match="names of genes have several levels"):
        pc.fit(table.set_axis(pd.MultiIndex.from_product([["a"], table.columns]), axis=1), labels, generator="mvn")


def test_a_file_that_stays_on_disk_is_the_same_cohort(real, tmp_path):
    wanted = pc.fit(real, "cancer", generator="mvn").sample(5).X
    packed = real.copy()
    packed.X = sparse.csr_matrix(packed.X)
    for name, data in (("dense", real), ("sparse", packed)):
        data.write_h5ad(tmp_path / f"{name}.h5ad")
        backed = ad.read_h5ad(tmp_path / f"{name}.h5ad", backed="r")
        np.testing.assert_array_equal(pc.fit(backed, "cancer", generator="mvn").sample(5).X, wanted)


def test_conditions_are_asked_for_in_any_type(real, flow):
    counted = flow.sample(real.obs["cancer"].value_counts()).obs["cancer"].value_counts()
    assert counted.to_dict() == dict.fromkeys(flow.conditions, 15)
    numbered = pc.fit(real, list(map(float, pd.Categorical(real.obs["cancer"]).codes)), generator="mvn")
    for wanted in ({1.0: 2}, {1: 2}, {"1 ": 2}, pd.DataFrame({"condition": [1.0, 1.0]})):
        assert numbered.sample(wanted).obs["condition"].tolist() == ["1", "1"]
    for wanted, message in (
        ({1: 2, "1": 3}, "asked for twice"),
        (pd.Series([1, 2], ["1", "1"]), "named twice"),
        (pd.DataFrame([["1", "1"]], columns=["condition", "condition"]), "more than once"),
    ):
        with pytest.raises(UserError, match=message):
            numbered.sample(wanted)
    with pytest.raises(UserError, match="level 'tumour' is asked for, and the table has 'normal'"):
        flow.sample(pd.DataFrame({"cancer": ["lung"], "level": ["normal"]}), level="tumour")


def test_a_category_that_nobody_had_is_refused(real):
    cohort = pc.fit(real, "cancer", generator="flow", settings=SHORT, covariates=["sex"])
    assert cohort.fitted.effects.codings  # else it would have no effect in any case
    wanted = pd.DataFrame({"cancer": ["lung"] * 2, "sex": ["female", None]})
    assert cohort.sample(wanted).obs["sex"].tolist() == ["female", ""]
    with pytest.raises(UserError, match="unknown sex 'Female'\n.*\n.*did you mean 'female'"):
        cohort.sample(wanted.assign(sex="Female"))
    other = real[:2].copy()
    other.obs["sex"] = "f"
    with pytest.raises(UserError, match="unknown sex 'f'"):
        cohort.impute(other)


def test_counts_are_not_taken_for_logarithms_when_they_are_completed(flow, real):
    with pytest.raises(UserError, match="whole numbers, as counts are"):
        flow.impute(ad.AnnData(np.round(real.X[:2]), obs=real.obs[:2], var=real.var))
    # One gene set to a whole number in many profiles is a question, not a table of counts.
    one = ad.AnnData(np.full((30, 1), 5.0, dtype=np.float32), obs=real.obs[:30], var=real.var[:1])
    np.testing.assert_allclose(flow.impute(one)[:, one.var_names].X, 5, atol=1e-4)


def test_nothing_outside_is_changed(real, tmp_path):
    import torch

    before, x, obs = torch.get_rng_state(), real.X.copy(), real.obs.copy()
    cohort = pc.fit(real, "cancer", generator="flow", settings=SHORT)
    cohort.sample(3)
    cohort.impute(real[:2, :50])
    cohort.save(tmp_path / "c")
    pc.load(tmp_path / "c")
    assert torch.equal(before, torch.get_rng_state())
    np.testing.assert_array_equal(real.X, x)
    pd.testing.assert_frame_equal(real.obs, obs)


def test_saving_loses_nothing(flow, tmp_path):
    flow.save(tmp_path / "project/cohort")  # a folder with the name of a part
    (tmp_path / "project/notes.txt").write_text("x")
    with pytest.raises(UserError, match="something else"):
        flow.save(tmp_path / "project")
    (tmp_path / "project/cohort/mine.txt").write_text("x")
    with pytest.raises(UserError, match="something else, which a cohort would replace: mine.txt"):
        flow.save(tmp_path / "project/cohort")
    assert (tmp_path / "project/notes.txt").exists() and (tmp_path / "project/cohort/mine.txt").exists()
    flow.save(tmp_path / "a")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    flow.save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and pc.load(tmp_path / "link").genes.equals(flow.genes)
    for path in (tmp_path / "project/notes.txt/c", tmp_path / ("x" * 300)):
        with pytest.raises(UserError, match="cannot be written"):
            flow.save(path)


def test_a_cohort_of_another_form_is_refused_when_it_is_loaded(flow, real, tmp_path):
    other = pc.fit(real[:, :50], "cancer", generator="flow", settings=SHORT)
    other.save(tmp_path / "other")
    flow.save(tmp_path / "good")
    tried = 0

    def refused(change):
        nonlocal tried
        shutil.rmtree(tmp_path / "bad", ignore_errors=True)
        shutil.copytree(tmp_path / "good", tmp_path / "bad")
        change(tmp_path / "bad")
        with pytest.raises(UserError) as caught:
            pc.load(tmp_path / "bad")
        assert caught.value.remedy and "training rule" not in str(caught.value)
        tried += 1

    def without(part, key):
        def change(folder):
            file = folder / part / "metadata.json"
            file.write_text(json.dumps({k: v for k, v in json.loads(file.read_text()).items() if k != key}))

        return change

    for part in ("model", "scale", "covariates", "detection", "library", "cohort"):
        refused(lambda folder, part=part: shutil.rmtree(folder / part))
        refused(lambda folder, part=part: (folder / part / "metadata.json").write_text("[]"))
        for key in json.loads((tmp_path / "good" / part / "metadata.json").read_text()):
            refused(without(part, key))
    for part in ("model", "scale"):
        refused(
            lambda folder, part=part: (
                shutil.rmtree(folder / part), shutil.copytree(tmp_path / "other" / part, folder / part)
            )
        )  # fmt: skip
    refused(lambda folder: (folder / "history.tsv").write_bytes(b""))
    assert tried > 25


def test_the_map_takes_tables_and_refuses_what_it_cannot_draw(flow, real):
    made = flow.sample(20)
    table = real.to_df().assign(cancer=real.obs["cancer"])
    assert pc.plot_map(table, made, "cancer").get_xlabel() == "PC1"
    for wrong, message in ((table.where(table != table.iloc[0, 0]), "missing or infinite"), ([1], "no table")):
        with pytest.raises(UserError, match=message):
            pc.plot_map(wrong, made, "cancer")


@pytest.mark.parametrize("profiles", [0, -1, 1.5, True])
def test_an_example_has_a_number_of_profiles(profiles):
    with pytest.raises(UserError, match="no number of profiles"):
        pc.example(profiles)


SURVIVAL = {"time": "days", "event": "died"}


@pytest.fixture(scope="module")
def followed():
    """Patients of whom a gene goes with survival, and the cohort fitted on them."""
    real = pc.example(200, random_state=1)
    real.X[:, 0] = np.maximum(6 - 2 * np.log(real.obs["days"].to_numpy() / 900), 0)
    return real, pc.fit(real, "cancer", generator="mvn", survival=SURVIVAL)


def test_synthetic_patients_survive_like_the_real_ones_at_times_of_their_own(followed):
    real, cohort = followed
    made = cohort.sample({"breast": 3000, "liver": 3000}).obs
    for cancer, own in made.groupby("cancer"):
        there = real.obs[real.obs["cancer"] == cancer]
        theirs, ours = (SurvfuncRight(o["days"], o["died"]) for o in (there, own))
        # Against Kaplan-Meier curves at each death: three standard errors of the synthetic one, and a step.
        at = theirs.surv_times
        curve = np.array([ours.surv_prob[ours.surv_times <= t].min(initial=1) for t in at])
        step = -np.diff(np.r_[1, theirs.surv_prob])
        assert (np.abs(curve - theirs.surv_prob) < 0.03 + step).all()
        assert own["days"].max() <= there["days"].max() and (own["days"] == own["days"].round()).all()
        assert own["died"].mean() == pytest.approx(there["died"].mean(), abs=0.06)
    assert not set(made["days"]) <= set(real.obs["days"])
    x = cohort.sample({"breast": 3000, "liver": 3000}).X[:, 0]
    assert np.corrcoef(np.log(made["days"] + 1), x)[0, 1] < -0.3


def test_a_follow_up_that_is_asked_for_is_given(followed, tmp_path):
    _, cohort = followed
    wanted = pd.DataFrame({"cancer": ["lung"] * 3, "days": [10, 3000, None], "died": ["dead", "alive", ""]})
    made = cohort.sample(wanted)
    np.testing.assert_array_equal(made.obs[["days", "died"]], [[10, 1], [3000, 0], [np.nan, np.nan]])
    assert made.X[0, 0] > made.X[1, 0] + 1
    cohort.save(tmp_path / "cohort")
    again = pc.load(tmp_path / "cohort")
    for one in (wanted, 20):
        pd.testing.assert_frame_equal(again.sample(one).obs, cohort.sample(one).obs)
        np.testing.assert_array_equal(again.sample(one).X, cohort.sample(one).X)
    metadata = tmp_path / "cohort/cohort/metadata.json"
    stored = json.loads(metadata.read_text())
    del stored["follow_up"]
    metadata.write_text(json.dumps(stored))
    with pytest.raises(UserError, match="follow_up"):
        pc.load(tmp_path / "cohort")


def test_a_follow_up_counts_where_a_profile_is_completed(followed):
    real = followed[0]
    cohort = pc.fit(real, "cancer", generator="flow", settings=SHORT, survival=SURVIVAL)
    panel = real[:, 1:50].copy()
    panel.obs = panel.obs.assign(days=10, died=1)
    early = cohort.impute(panel).X[:, 0]
    panel.obs = panel.obs.assign(days=3000, died=0)
    assert (early > cohort.impute(panel).X[:, 0] + 1).mean() > 0.9
    panel.obs = panel.obs.drop(columns="died")
    with pytest.raises(UserError, match="no event"):
        cohort.impute(panel)


def test_a_table_with_a_follow_up_is_the_same_cohort(followed):
    real, cohort = followed
    table = real.to_df().assign(cancer=real.obs["cancer"], days=real.obs["days"].astype(str), died=real.obs["died"] > 0)
    again = pc.fit(table, "cancer", generator="mvn", survival=SURVIVAL)
    assert list(again.genes) == list(cohort.genes)
    np.testing.assert_array_equal(again.sample(30).X, cohort.sample(30).X)


@pytest.mark.parametrize(
    ("change", "survival", "message", "where"),
    [
        ({"days": -3}, SURVIVAL, "'-3' of sample 'P0001' is negative", "survival.time"),
        ({"days": "24 months"}, SURVIVAL, "'24 months' of sample 'P0001' is not a number", "survival.time"),
        ({"days": pd.Timedelta(days=3)}, SURVIVAL, "'3 days' of sample 'P0001' is not a number", "survival.time"),
        ({"days": None}, SURVIVAL, "sample 'P0001' has no time", "survival.time"),
        ({"days": None, "died": ""}, SURVIVAL, "no sample has a follow-up", "survival.time"),
        ({"died": None}, SURVIVAL, "sample 'P0001' has no event", "survival.event"),
        ({"died": 2}, SURVIVAL, "'2' of sample 'P0001' is neither an event nor none", "survival.event"),
        ({"died": False}, SURVIVAL, "no patient has an event", "survival.event"),
        ({"days": 12}, SURVIVAL, "all times are 12", "survival.time"),
        ({}, {"time": "dayz", "event": "died"}, "no column 'dayz'", "survival.time"),
        ({}, {"time": "days", "event": "days"}, "time and event are one column", "survival"),
        ({}, {"time": "days"}, "does not name a column of times and one of events", "survival"),
        ({}, "days", "does not name a column of times and one of events", "survival"),
        ({}, {"time": [1, 2], "event": "died"}, "time is a list", "survival.time"),
        ({}, {"time": "days", "event": "cancer"}, "'cancer' is the condition", "survival.event"),
        ({}, {"time": "days", "event": "sex"}, "'sex' is among the covariates", "survival.event"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_follow_up_is_refused(followed, change, survival, message, where):
    real = followed[0].copy()
    for name, value in change.items():
        real.obs[name] = value
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        pc.fit(real, "cancer", generator="mvn", covariates=["sex"], survival=survival)
    assert caught.value.where == where and caught.value.remedy


def test_generators_and_requests_that_know_no_follow_up_are_refused(followed):
    real, cohort = followed
    with pytest.raises(UserError, match="'days' cannot be the name of the condition"):
        pc.fit(real, real.obs["cancer"].rename("days"), generator="mvn", survival=SURVIVAL)
    with pytest.raises(UserError, match="'copy' cannot be conditioned on survival") as caught:
        pc.fit(real, "cancer", generator="copy", survival=SURVIVAL)
    assert "mvn" in caught.value.remedy
    wanted = pd.DataFrame({"cancer": ["lung"], "days": [10]})
    with pytest.raises(UserError, match=r"there is a time \(column 'days'\) and no event"):
        cohort.sample(wanted)
    with pytest.raises(UserError, match="'-1' of sample '0' is negative"):
        cohort.sample(wanted.assign(days=-1, died=1))


def test_survival_that_nothing_goes_with_is_said(followed):
    real = followed[0].copy()
    rng = np.random.default_rng(0)
    real.obs[["days", "died"]] = np.stack([rng.integers(1, 999, 200), rng.integers(0, 2, 200)], axis=1)
    with pytest.warns(UserWarning, match="no gene goes with survival more than by chance"):
        cohort = pc.fit(real, "cancer", generator="mvn", survival=SURVIVAL)
    assert cohort.sample(50).obs["days"].notna().all()
    with pytest.warns(UserWarning, match="too few patients"):
        cohort = pc.fit(real[:12], "cancer", generator="independent", survival=SURVIVAL)
    assert cohort.sample(50).obs["days"].isna().all()
