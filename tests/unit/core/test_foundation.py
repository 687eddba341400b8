"""Contracts, atomic files, seeds, levels, scaler, code digests."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from pseudocohort.core import contracts, io, seeds, versions
from pseudocohort.core.errors import ContractError, UserError, of_the_system
from pseudocohort.core.levels import add_level, level_of
from pseudocohort.prepare.scale import Scaler


def profiles(n=6, p=4, **changes):
    obs = pd.DataFrame(
        {
            "donor": [f"d{i}" for i in range(n)],
            "dataset": "x",
            "condition": "A",
            "technology": "bulk",
            "aggregation": "bulk",
            "context": "tumour",
            "unit": "log2(TPM+1)",
        },
        index=[f"x:s{i}" for i in range(n)],
    )
    obs = add_level(obs).assign(**changes)
    var = pd.DataFrame({"symbol": list("ABCD")[:p]}, index=[f"ENSG{i:011d}" for i in range(p)])
    x = np.arange(n * p, dtype=np.float32).reshape(n, p)
    return ad.AnnData(x, obs=obs, var=var, uns={"pseudocohort": {"unit": "log2(TPM+1)"}})


def test_round_trip_keeps_everything(tmp_path):
    path = tmp_path / "a.h5ad"
    io.write_profiles(profiles(), path, contracts.HARMONISED)
    back = io.read_profiles(path, contracts.HARMONISED)
    np.testing.assert_array_equal(back.X, profiles().X)
    assert list(back.obs["level"]) == ["tumour"] * 6


def broken_nan():
    p = profiles()
    p.X[1, 2] = np.nan
    return p


def broken_gene():
    p = profiles()
    p.var_names = ["ENSG00000000001.5", *p.var_names[1:]]
    return p


def broken_duplicate():
    p = profiles()
    p.obs_names = ["x:s0", "x:s0", *p.obs_names[2:]]
    return p


def broken_dtype():
    p = profiles()
    return ad.AnnData(p.X.astype(np.float64), obs=p.obs, var=p.var, uns=p.uns)


def broken_unit():
    p = profiles()
    del p.uns["pseudocohort"]
    return p


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (broken_nan, "NaN"),
        (broken_gene, "ENSG00000000001.5"),
        (broken_duplicate, "x:s0"),
        (broken_dtype, "float64"),
        (broken_unit, "unit"),
        (lambda: profiles(context="tumor"), "tumor"),
        (lambda: profiles(condition="a/b"), "a/b"),
        (lambda: profiles(level="cells"), "cells"),
        (lambda: profiles().T, "missing obs"),
        (lambda: profiles()[:, :0].copy(), "no data"),
    ],
)
def test_broken_profiles_are_refused_and_nothing_is_written(tmp_path, make, message):
    path = tmp_path / "a.h5ad"
    with pytest.raises(ContractError, match="(?s)" + message) as caught:
        io.write_profiles(make(), path, contracts.HARMONISED)
    assert str(path) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_unreadable_file_is_named(tmp_path):
    path = tmp_path / "a.h5ad"
    path.write_bytes(b"not an h5ad")
    with pytest.raises(ContractError, match="cannot be read"):
        io.read_profiles(path, contracts.HARMONISED)


def test_atomic_leaves_the_old_file_when_writing_fails(tmp_path):
    path = tmp_path / "t.tsv"
    io.write_table(pd.DataFrame({"a": [1]}), path)

    def fail():
        with io.atomic(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        fail()
    assert io.read_table(path)["a"].tolist() == [1]
    assert [p.name for p in tmp_path.iterdir()] == ["t.tsv"]


@pytest.mark.parametrize("name", ["t.tsv", "t.tsv.gz", "t.parquet"])
def test_tables_round_trip(tmp_path, name):
    table = pd.DataFrame({"a": ["x", None], "b": [1.5, np.nan]})
    io.write_table(table, tmp_path / name)
    back = io.read_table(tmp_path / name, ("a", "b"))
    assert back["a"].tolist()[0] == "x"
    assert back.isna().to_numpy().tolist() == table.isna().to_numpy().tolist()
    with pytest.raises(ContractError, match="missing column"):
        io.read_table(tmp_path / name, ("c",))


def test_true_and_false_are_numbers_in_an_evaluation_table(tmp_path):
    rows = [{"study": "s", "metric": "a", "value": value} for value in (True, 0.5)]
    io.write_evaluation(io.evaluation_table(rows[:1]), tmp_path / "e.tsv")
    assert (tmp_path / "e.tsv").read_text().splitlines()[1].endswith("1.0")
    assert io.evaluation_table(rows)["value"].tolist() == [1.0, 0.5]


def test_evaluation_tables_are_checked(tmp_path):
    rows = [{"study": "s", "generator": "g", "repeat": r, "metric": "m", "value": 0.5} for r in range(2)]
    io.write_evaluation(io.evaluation_table(rows), tmp_path / "e.tsv")
    assert (tmp_path / "e.tsv").read_text().splitlines()[0].split("\t") == [
        *contracts.EVALUATION_KEYS,
        "metric",
        "value",
    ]
    with pytest.raises(ContractError, match="two values"):
        io.write_evaluation(io.evaluation_table(rows + rows[:1]), tmp_path / "f.tsv")
    with pytest.raises(ContractError, match="unknown evaluation key"):
        io.evaluation_table([{"fold": 1, "metric": "m", "value": 1}])
    with pytest.raises(ContractError, match="missing columns"):
        io.write_evaluation(io.evaluation_table(rows).drop(columns="task"), tmp_path / "f.tsv")
    assert not (tmp_path / "f.tsv").exists()


def test_seeds_are_stable_and_distinct():
    assert seeds.derive(1, "a", 2) == 983436058
    values = {seeds.derive(s, "x", r) for s in range(20) for r in range(200)}
    assert len(values) == 4000
    assert seeds.derive(1, "ab", "c") != seeds.derive(1, "a", "bc")


def test_levels():
    assert level_of("bulk", "in_vitro") == "line_bulk"
    assert level_of("pseudobulk", "in_vitro") == "pseudobulk"
    assert level_of("bulk", "normal") == "normal"
    with pytest.raises(ContractError, match="tumor"):
        level_of("bulk", "tumor")


def test_scaler_without_offset_is_scikit_learns_per_level():
    rng = np.random.default_rng(0)
    x = rng.normal(3, 2, (50, 7)).astype(np.float32)
    obs = pd.DataFrame({"level": ["tumour"] * 30 + ["pseudobulk"] * 20})
    z = Scaler(by_level=True, offset=0, prior_rows=0).fit(x, obs).transform(x, obs)
    for level in ("tumour", "pseudobulk"):
        rows = (obs["level"] == level).to_numpy()
        np.testing.assert_allclose(z[rows], StandardScaler().fit_transform(x[rows]), atol=1e-5)


def test_scaler_of_a_level_with_few_profiles_leans_on_the_other_levels():
    rng = np.random.default_rng(0)
    sd = np.array([0.5, 1.0, 4.0])
    x = (rng.normal(size=(202, 3)) * sd).astype(np.float32)
    obs = pd.DataFrame({"level": ["tumour"] * 2 + ["normal"] * 200})
    scaler = Scaler(by_level=True, offset=0).fit(x, obs)
    np.testing.assert_allclose(scaler.sd["normal"], sd, rtol=0.15)
    np.testing.assert_allclose(scaler.sd["tumour"], sd, rtol=0.3)
    alone = Scaler(by_level=True, offset=0).fit(x[2:], obs[2:])
    np.testing.assert_allclose(alone.sd["normal"], x[2:].std(0), rtol=1e-5)


@given(st.integers(0, 1000), st.booleans(), st.floats(0.01, 1))
@settings(max_examples=25, deadline=None)
def test_scaler_inverse_undoes_transform_also_after_storage(seed, by_level, offset):
    rng = np.random.default_rng(seed)
    x = rng.normal(5, 3, (12, 5)).astype(np.float32)
    x[:, 0] = 2.0
    obs = pd.DataFrame({"level": rng.choice(["tumour", "normal"], 12)})
    scaler = Scaler(by_level=by_level, offset=offset).fit(x, obs)
    again = Scaler.from_state(*scaler.state())
    np.testing.assert_allclose(again.inverse(scaler.transform(x, obs), obs), x, atol=1e-4)


def test_scaler_refuses_an_unseen_level():
    scaler = Scaler().fit(np.ones((2, 1), np.float32), pd.DataFrame({"level": ["tumour", "tumour"]}))
    with pytest.raises(UserError, match="normal"):
        scaler.transform(np.ones((1, 1), np.float32), pd.DataFrame({"level": ["normal"]}))


def test_code_version_follows_imports(tmp_path, monkeypatch):
    package = tmp_path / "pkg"
    (package / "sub").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "sub" / "__init__.py").write_text("")
    (package / "a.py").write_text("from .sub import b\nfrom .sub.c import x\n")
    (package / "sub" / "b.py").write_text("from ..d import y\n")
    (package / "sub" / "c.py").write_text("x = 1\n")
    (package / "d.py").write_text("y = 1\n")
    (package / "e.py").write_text("z = 1\n")
    monkeypatch.setattr(versions, "PACKAGE", package)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)

    def digest():
        versions.code_version.cache_clear()
        versions._known.cache_clear()
        return versions.code_version("a")

    first = digest()
    (package / "e.py").write_text("z = 2\n")
    assert digest() == first
    (package / "d.py").write_text("y = 2\n")
    assert digest() != first, "of the same size, in the same second"
    with pytest.raises(ValueError, match="nope"):
        versions.code_version("nope")
    old = time.time() - 60
    for file in package.rglob("*.py"):
        os.utime(file, (old, old))
    second = digest()
    kept = json.loads(next((package / "__pycache__").glob("code_versions.*.json")).read_text())
    assert {"a.py", "d.py", "sub/b.py", "sub/c.py"} <= set(kept)
    monkeypatch.setattr(versions, "_read", lambda file: pytest.fail(f"{file} is read again"))
    assert digest() == second
    monkeypatch.undo()
    monkeypatch.setattr(versions, "PACKAGE", package)
    (package / "d.py").write_text("y = 30\n")
    assert digest() != second
    for damaged in ("", "[1, 2]", '{"d.py": 3, "a.py": {"stamp": 1}}'):
        next((package / "__pycache__").glob("code_versions.*.json")).write_text(damaged)
        assert digest() not in (first, second)
    versions.code_version.cache_clear()


def test_packed_tables_have_the_same_bytes_under_any_name(tmp_path):
    table = pd.DataFrame({"a": [1, None], "b": ["x", "y"]})
    for name in ("one.tsv.gz", "two.tsv.gz"):
        io.write_table(table, tmp_path / name)
    assert (tmp_path / "one.tsv.gz").read_bytes() == (tmp_path / "two.tsv.gz").read_bytes()
    pd.testing.assert_frame_equal(io.read_table(tmp_path / "one.tsv.gz"), table)


def test_a_write_takes_away_what_a_killed_one_has_left(tmp_path):
    """A dead process's temporary file and folder go; a living one's stays, and so do other files'."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = tmp_path / f".table.tsv.{dead.pid}.tmp"
    left.write_text("half")
    (tmp_path / f".model.{dead.pid}.tmp").mkdir()
    (tmp_path / f".model.{dead.pid}.tmp/arrays").write_text("half")
    others = [tmp_path / f".table.tsv.{os.getppid()}.tmp", tmp_path / f".other.tsv.{dead.pid}.tmp"]
    for path in others:
        path.write_text("half")
    io.write_json({}, tmp_path / "table.tsv")
    io.write_json({}, tmp_path / "model")
    assert {p.name for p in tmp_path.iterdir()} == {"table.tsv", "model", *(p.name for p in others)}


def test_a_full_disk_and_a_missing_right_are_errors_for_people():
    full = of_the_system(OSError(errno.ENOSPC, "No space left on device", "x.h5ad"))
    assert "No space left" in full.what and full.where == "x.h5ad" and "free some space" in full.remedy
    copied = of_the_system(shutil.Error([("a", "b", "[Errno 28] No space left on device: 'a' -> 'b'")]))
    assert copied.what == "No space left on device" and copied.where == "a"
    assert "right" in of_the_system(PermissionError(errno.EACCES, "Permission denied", "y")).remedy
    assert of_the_system(FileNotFoundError(errno.ENOENT, "No such file", "z")) is None
    assert of_the_system(ValueError("x")) is None


def test_a_script_on_a_full_disk_ends_without_a_traceback(tmp_path):
    code = (
        "from pseudocohort.core import logs; logs.configure(r'{}'); "
        "raise OSError(28, 'No space left on device', 'x.h5ad')"
    ).format(tmp_path / "rule.log")
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(io.__file__).parents[2])},
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "No space left on device\n  where: x.h5ad" in (tmp_path / "rule.log").read_text()
