"""The comparison with peers, on a made-up matrix, with the peers that need no environment of their own."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def peers(project_root, monkeypatch):
    """The peers' modules by name."""
    monkeypatch.syspath_prepend(str(project_root / "tools"))
    return lambda name: importlib.import_module(f"peers.{name}")


@pytest.fixture
def data_root(tmp_path):
    """Ninety made-up tumours of two subtypes, sixty genes, one of them silent in most."""
    rng = np.random.default_rng(0)
    pam50 = np.resize(["LumA", "Basal"], 90)
    x = 6 + rng.normal(size=(90, 60)) + (pam50 == "Basal")[:, None] * (np.arange(60) < 10) * 2
    x[:, 59] = np.where(rng.random(90) < 0.5, 0, x[:, 59])
    ids = [f"s{i}" for i in range(90)]
    folder = tmp_path / "data/tcga-brca"
    folder.mkdir(parents=True)
    table = pd.DataFrame(np.maximum(x, 0).round(4).T, index=[f"g{i}" for i in range(60)], columns=ids)
    table.to_csv(folder / "expression.tsv.gz", sep="\t", index_label="gene")
    samples = pd.DataFrame({"sample_id": ids, "pam50": pam50, "patient": ids, "status": "tumor"})
    samples.to_csv(folder / "samples.tsv", sep="\t", index=False)
    return folder.parent


def test_tool_makes_numbers_and_tables(project_root, tmp_path, data_root):
    page, out = tmp_path / "page.md", tmp_path / "out"
    page.write_text("before\n<!-- tables: made by tools/compare_peers.py -->\nold\n<!-- end of tables -->\nafter\n")
    command = [sys.executable, "tools/compare_peers.py", "--data_root", data_root, "--out", out, "--page", page]
    options = ["--datasets", "tcga-brca", "--splits", "1", "--floors", "kernel_density", "--methods"]
    methods = ["real", "ours:mvn", "avatar", "kernel_density", "sdv_copula"]
    done = subprocess.run([*command, *options, *methods], cwd=project_root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "sdv_copula: no environment; --install makes it" in done.stderr
    numbers = pd.read_csv(out / "numbers.tsv", sep="\t")
    assert list(numbers.columns) == ["dataset", "split", "method", "floors", "metric", "value"]
    wide = numbers[numbers["floors"] == 0].pivot(index="method", columns="metric", values="value")
    assert set(wide.index) == {"real", "ours:mvn", "avatar", "kernel_density"}
    assert wide["discriminator_auc"].between(0, 1).all() and wide["balanced_accuracy"].between(0.5, 1).all()
    assert wide.drop(index="real")["cpu_seconds"].gt(0).all() and wide.drop(index="real")["gib"].gt(0).all()
    assert numbers.loc[numbers["floors"] == 1, "method"].unique().tolist() == ["kernel_density"]
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    header = "| | AUC real vs synthetic | coverage | density | γ within | correlation error | MMD × 1000 | use |"
    assert header in text and "| kernel density, with silent-gene floors |" in text
    # What is done is kept: another run computes nothing.
    stamps = {path: path.stat().st_mtime_ns for path in out.rglob("*.json")}
    again = subprocess.run([*command, *options, *methods], cwd=project_root, capture_output=True, text=True)
    assert again.returncode == 0 and stamps == {path: path.stat().st_mtime_ns for path in out.rglob("*.json")}


def test_splits_are_by_donor_and_genes_are_chosen_on_training_donors(peers, data_root):
    data = peers("_data")
    matrix = data.tcga_brca(data_root)
    parts = data.split(matrix, 50, 0)
    donors = [set(part.donors) for part in parts.values()]
    assert sum(map(len, donors)) == len(set().union(*donors)) == 90
    assert all(part.x.shape[1] == 50 and set(part.classes) == {"LumA", "Basal"} for part in parts.values())
    least = parts["train"].x.var().min()
    other = matrix.x.loc[parts["train"].x.index].drop(columns=parts["train"].x.columns)
    assert (other.var() <= least).all()
    again = data.split(matrix, 50, 1)
    assert set(again["train"].donors) != donors[0]


@pytest.mark.parametrize("name", ["avatar", "kernel_density"])
def test_local_peers_make_the_classes_that_are_wanted(peers, name):
    rng = np.random.default_rng(1)
    classes = np.repeat(["a", "b"], 30).astype(object)
    train = pd.DataFrame(
        rng.normal(size=(60, 20)) + (classes == "b")[:, None] * 5, columns=[f"g{i}" for i in range(20)]
    )
    made = peers(name).fit_sample(train, classes, {"a": 40, "b": 7}, 3)
    assert list(made.columns) == list(train.columns) and made.index.value_counts().to_dict() == {"a": 40, "b": 7}
    assert made.loc["b"].mean().mean() - made.loc["a"].mean().mean() == pytest.approx(5, abs=0.6)
    pd.testing.assert_frame_equal(made, peers(name).fit_sample(train, classes, {"a": 40, "b": 7}, 3))


def test_avatars_lie_within_their_class(peers):
    rng = np.random.default_rng(2)
    classes = np.repeat(["a", "b"], 25).astype(object)
    train = pd.DataFrame(rng.normal(size=(50, 4)), columns=list("wxyz"))
    made = peers("avatar").fit_sample(train, classes, {"a": 25, "b": 25}, 0)
    for name in "ab":
        own = train[classes == name]
        assert (made.loc[name].to_numpy() >= own.min().to_numpy()).all()
        assert (made.loc[name].to_numpy() <= own.max().to_numpy()).all()


def test_rows_are_drawn_until_classes_are_filled(peers):
    rows = peers("_rows")
    rng = np.random.default_rng(4)

    def draw(n: int) -> pd.DataFrame:
        return pd.DataFrame({"g": rng.normal(size=n), "kind": rng.choice(["a", "b"], n, p=[0.9, 0.1])})

    made = rows.until_filled(draw, {"a": 5, "b": 15}, "kind")
    assert made.index.value_counts().to_dict() == {"b": 15, "a": 5}
    with pytest.raises(RuntimeError, match="no profiles of c"):
        rows.until_filled(draw, {"a": 5, "c": 1}, "kind")


def test_page_names_the_peers_that_are_ahead(peers):
    page = peers("_page")
    values = {
        "real": (0.5, 0.5), "ours:mvn": (0.7, 0.72), "ours:flow": (0.62, 0.6), "ours:mvn_camda": (0.5, 0.5),
        "smote": (0.55, 0.63), "avatar": (0.9, 0.9),
    }  # fmt: skip
    rows = [["d", i, m, 0, "discriminator_auc", v] for m, two in values.items() for i, v in enumerate(two)]
    numbers = pd.DataFrame(rows, columns=["dataset", "split", "method", "floors", "metric", "value"])
    column = page.Column("discriminator_auc", "AUC", 0.5)
    assert page.ahead(numbers, [column]) == ["* AUC: SMOTE .59 ± .06 against .61 ± .01 of `flow` (1 of 2)"]
    fewer = numbers[(numbers["method"] != "smote") | (numbers["split"] == 1)]
    assert page.ahead(fewer, [column]) == []
    assert page.table(numbers, [column])[2:4] == [
        "| real profiles of others | .50 ± .00 |", "| `flow` | .61 ± .01 |"
    ]  # fmt: skip
    assert page.number(-0.001, 2) == ".00" and page.number(-0.5, 1) == "-.5" and page.number(12.4, 0) == "12"


def test_a_fit_past_a_limit_is_ended_and_says_why(peers, tmp_path):
    process = peers("_process")
    rng = np.random.default_rng(5)
    for method, shape, limits, reason in (
        ("kernel_density", (4000, 30), process.Limits(cpu=1), "not done in 1 CPU s"),
        ("avatar", (1500, 4000), process.Limits(gib=0.5), "wants more than 0.5 GiB"),
        ("kernel_density", (40, 30), process.Limits(cpu=100, gib=4), None),
    ):
        x = pd.DataFrame(rng.normal(size=shape), columns=[f"g{i}" for i in range(shape[1])])
        classes = np.resize(["a", "b"], len(x)).astype(object)
        folder = tmp_path / f"{method}{len(x)}"
        assert process.make(method, folder, x, classes, Path(sys.executable), 1, limits) == reason
        assert (folder / ("failed.txt" if reason else "made.npz")).exists() and not (folder / "train.npz").exists()


def test_small_cohort_is_measured_with_fewer_genes_where_all_are_too_many(project_root, tmp_path):
    command = [sys.executable, "tools/benchmark", "small_cohort", "--genes", "2000", "--samples", "20"]
    options = ["--methods", "ours:mvn", "kernel_density", "smote", "--environments", tmp_path]
    done = subprocess.run([*command, *options], cwd=project_root, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr  # one has no environment
    rows = [line.split("\t") for line in done.stdout.splitlines()[2:]]
    assert [row[0] for row in rows] == ["ours:mvn", "kernel_density", "smote"]
    assert all(row[1] == "2000" and float(row[2]) > 0 and float(row[3]) > 0 for row in rows[:2])
    assert rows[2][-1] == "no environment; --install makes it"
    small = subprocess.run(
        [*command, "--methods", "avatar", "--memory", "0.03"], cwd=project_root, capture_output=True, text=True
    )
    tried = [line.split("\t") for line in small.stdout.splitlines()[2:]]
    assert [row[1] for row in tried] == ["2000", "1000", "500"] and all(row[-1] for row in tried)
