"""The command: exit codes, errors without a traceback, and files in and out."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import threading
import time
import tomllib

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import yaml

import pseudocohort as pc
from pseudocohort.command import project
from pseudocohort.command.main import COMMANDS, commands, main, parse
from pseudocohort.core.errors import UserError


def cli(*arguments, folder=None, project_root=None):
    """The command as a process, where the package is not installed."""
    environment = os.environ | {"PYTHONPATH": str(project_root / "workflow/scripts"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pseudocohort", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A cohort as files: genes × samples with a sample table, and h5ad."""
    folder, real = tmp_path_factory.mktemp("files"), pc.example(40, unit="counts", random_state=3)
    real.to_df().T.to_csv(folder / "counts.tsv.gz", sep="\t")
    real.obs.rename_axis("sample").to_csv(folder / "samples.tsv", sep="\t")
    real.write_h5ad(folder / "counts.h5ad")
    return folder, real


def test_the_package_declares_the_command_and_finds_all_its_packages(project_root):
    declared = tomllib.loads((project_root / "pyproject.toml").read_text())
    assert declared["project"]["scripts"] == {"pseudocohort": f"{main.__module__}:{main.__name__}"}
    assert declared["project"]["version"] == pc.__version__
    (root,) = declared["tool"]["setuptools"]["package-dir"].values()
    package = project_root / root / "pseudocohort"
    folders = {path.parent for path in package.rglob("*.py")}
    assert package in folders and all((folder / "__init__.py").is_file() for folder in folders)


@pytest.mark.parametrize("name", [n for n, (home, _) in COMMANDS.items() if home.startswith("command.")])
def test_every_command_has_help_with_an_example_that_parses(name, capsys):
    module = importlib.import_module(commands()[name])
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    shown = capsys.readouterr().out
    assert stop.value.code == 0 and module.EXAMPLE in shown and "Exit codes: 0" in shown
    words = module.EXAMPLE.replace("\\\n", " ").split()
    assert words[:2] == ["pseudocohort", name]
    assert parse(words[1:]).run is module.run


def test_a_wrong_argument_is_exit_code_2(capsys):
    for arguments in ([], ["fit"], ["sample", "--colour"], ["audits"], ["fit", "--", "x"]):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2
    assert "usage: pseudocohort" in capsys.readouterr().err


def test_as_a_process_an_error_is_a_message_and_exit_code_1(project_root, tmp_path):
    done = cli("sample", tmp_path / "none", "A=3", "--out", tmp_path / "x.h5ad", project_root=project_root)
    assert done.returncode == 1 and "no cohort is stored here" in done.stderr and "remedy:" in done.stderr
    assert "Traceback" not in done.stderr and done.stdout == ""
    assert cli("--version", project_root=project_root).stdout.strip() == pc.__version__


def test_fit_and_sample_go_from_files_to_files_as_the_interface_does(files, tmp_path, capsys):
    folder, real = files
    fit = ["--condition", "cancer", "--donor", "patient", "--unit", "counts", "--generator", "independent"]
    text = [str(folder / "counts.tsv.gz"), "--samples", str(folder / "samples.tsv")]
    assert main(["fit", *text, *fit, "--out", str(tmp_path / "text"), "--random-state", "4"]) == 0
    assert main(["fit", str(folder / "counts.h5ad"), *fit, "--out", str(tmp_path / "h5ad"), "--random-state", "4"]) == 0
    said = capsys.readouterr()
    assert "Cohort(independent: 40 profiles x 387 genes, 4 conditions)" in said.out and "40 profiles" in said.err
    expected = pc.fit(real, "cancer", donor="patient", unit="counts", generator="independent", random_state=4)
    expected = expected.sample({"lung": 3, "breast": 2}, counts=True)
    for kind, name in (("text", "a.h5ad"), ("h5ad", "a.csv"), ("h5ad", "a.tsv.gz"), ("text", "a.parquet")):
        made = [str(tmp_path / kind), "lung=3", "breast=2", "--out", str(tmp_path / name), "--counts"]
        assert main(["sample", *made]) == 0
    again = ad.read_h5ad(tmp_path / "a.h5ad")
    np.testing.assert_array_equal(again.X, expected.X)
    np.testing.assert_array_equal(again.layers["counts"], expected.layers["counts"])
    assert again.obs["cancer"].tolist() == ["lung"] * 3 + ["breast"] * 2
    for table in (
        pd.read_csv(tmp_path / "a.csv", index_col=0),
        pd.read_csv(tmp_path / "a.tsv.gz", sep="\t", index_col=0),
        pd.read_parquet(tmp_path / "a.parquet"),
    ):
        assert table.pop("cancer").tolist() == ["lung"] * 3 + ["breast"] * 2
        np.testing.assert_array_equal(table.to_numpy(), expected.layers["counts"])


@pytest.mark.filterwarnings("ignore:survival")  # forty patients
def test_a_follow_up_goes_from_file_to_file(files, tmp_path):
    folder, real = files
    given = [str(folder / "counts.tsv.gz"), "--samples", str(folder / "samples.tsv"), "--unit", "counts"]
    fit = ["--condition", "cancer", "--generator", "mvn", "--survival", "days", "died", "--out", str(tmp_path / "c")]
    assert main(["fit", *given, *fit]) == 0
    assert main(["sample", str(tmp_path / "c"), "lung=6", "--out", str(tmp_path / "a.csv")]) == 0
    survival = {"time": "days", "event": "died"}
    expected = pc.fit(real, "cancer", unit="counts", generator="mvn", survival=survival).sample({"lung": 6})
    table = pd.read_csv(tmp_path / "a.csv", index_col=0)
    assert list(table)[:3] == ["cancer", "days", "died"]
    np.testing.assert_array_equal(table[["days", "died"]], expected.obs[["days", "died"]])
    np.testing.assert_allclose(table.iloc[:, 3:], expected.X, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--condition", "cancr"], "did you mean 'cancer'"),
        (["--generator", "floww"], "did you mean 'flow'"),
        (["--set", "colour=1"], "unknown key 'colour'"),
        (["--set", "colour"], "'colour' is not KEY=VALUE"),
        (["--set", "steps=5", "--set", "steps=6"], "'steps' is given twice"),
        (["--set", "steps=2020-13-45"], "'2020-13-45' is no value"),
        (["--covariates", "sex=categorical", "sex=numeric"], "'sex' is given twice"),
        (["--unit", "log2"], "say what the values are"),
        (["--level", "tumor"], "did you mean 'tumour'"),
        (["--covariates", "height=numeric"], "no column 'height'"),
        (["--samples", "none.tsv"], "none.tsv"),
    ],
)
def test_what_is_wrong_with_a_fit_is_said(files, tmp_path, capsys, change, message):
    arguments = [
        "fit", str(files[0] / "counts.tsv.gz"), "--samples", str(files[0] / "samples.tsv"), "--condition", "cancer",
        "--unit", "counts", "--generator", "flow", "--out", str(tmp_path / "out"),
    ]  # fmt: skip
    assert main([*arguments, *change]) == 1
    assert message in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_files_that_are_none_are_refused(tmp_path, capsys):
    (tmp_path / "a.xlsx").write_text("x")
    common = ["--condition", "c", "--generator", "flow", "--out", str(tmp_path / "o")]
    for name, message in (("a.xlsx", "unknown kind of file '.xlsx'"), ("b.tsv", "file not found")):
        assert main(["fit", str(tmp_path / name), *common]) == 1
        assert message in capsys.readouterr().err
    for words, message in (
        (["A=x"], "'A=x' is not CONDITION=N"),
        (["A=1", "A=2"], "'A' is given twice"),
        (["A=1", "--n", "2"], "both --n"),
        (["A=1"], "no cohort is stored here"),
    ):
        assert main(["sample", str(tmp_path / "o"), *words, "--out", str(tmp_path / "x.h5ad")]) == 1
        assert message in capsys.readouterr().err
    assert main(["sample", str(tmp_path / "o"), "--n", "2", "--out", str(tmp_path / "x.doc")]) == 1
    assert "unknown kind of file '.doc'" in capsys.readouterr().err


def test_plan_shows_a_study_and_says_what_is_wrong(project_root, monkeypatch, capsys):
    monkeypatch.chdir(project_root)
    assert main(["plan", "config/demo.yaml"]) == 0
    assert "models in all" in capsys.readouterr().out
    for arguments, message in (
        (["absent.yaml"], "absent.yaml"),
        (["config/demo.yaml", "--config", "generators=[ddpmm]"], "did you mean 'ddpm'"),
        (["config/demo.yaml", "--config", "prepare=1"], "'prepare' holds keys of its own"),
    ):
        assert main(["plan", *arguments]) == 1
        assert message in capsys.readouterr().err


def test_later_study_files_and_single_keys_go_over_earlier_ones(tmp_path):
    for name, content in (
        ("a", {"seed": 1, "prepare": {"test_share": 0.5}}),
        ("b", {"prepare": {"sources": {"x": "y"}}}),
    ):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump({"study": name, **content}))
    options = parse(
        ["plan", str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml"), "--config", "seed=5", "--data-root", "F"]
    )
    config = project.read_config(options.study, options)
    assert (config["study"], config["seed"], config["data_root"]) == ("b", 5, "F")
    assert config["prepare"]["test_share"] == 0.5 and config["prepare"]["sources"] == {"x": "y"}
    with pytest.raises(UserError, match="not KEY=VALUE"):
        project.setting("seed")


@pytest.mark.parametrize(("name", "target"), [("intervene", "intervene"), ("report", "all")])
def test_studies_are_checked_and_handed_to_snakemake(name, target, project_root, monkeypatch, capsys):
    monkeypatch.chdir(project_root)
    called = []

    def run(command):
        called.append(command)
        return 5 if "--fail" in command else 0

    monkeypatch.setattr(project, "wait_for", run)
    assert main([name, "config/demo.yaml", "--cores", "3", "--config", "seed=2", "--", "--keep-going"]) == 0
    (command,) = called
    assert command[1:3] == ["-m", "snakemake"] and command[-2:] == ["--", target] and "--keep-going" in command
    at = command.index("--configfile")
    assert command[at : at + 4] == ["--configfile", "config/demo.yaml", "--config", "seed=2"]
    assert command[command.index("--cores") + 1] == "3" and "results/demo/" in capsys.readouterr().out
    assert main([name, "config/demo.yaml", "--", "--fail"]) == 1
    assert main([name, "config/demo.yaml", "--config", "seed=x"]) == 1 and len(called) == 2


def test_the_layer_that_may_be_meant_is_named(files, tmp_path, capsys):
    real = files[1].copy()
    real.layers["counts"], real.X = real.X.copy(), np.log1p(real.X)
    real.write_h5ad(tmp_path / "logs.h5ad")
    told = ["fit", str(tmp_path / "logs.h5ad"), "--condition", "cancer", "--unit", "counts", "--generator", "mvn"]
    assert main([*told, "--out", str(tmp_path / "a")]) == 1
    assert "counts: name it as layer if that is meant" in capsys.readouterr().err
    assert main([*told, "--layer", "counts", "--out", str(tmp_path / "a")]) == 0


def test_a_folder_that_cannot_be_written_to_is_refused_first(project_root, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(project, "wait_for", lambda command: pytest.fail("Snakemake was started"))
    (tmp_path / "results").write_text("a file")
    assert main(["report", str(project_root / "config/demo.yaml")]) == 1
    assert "results" in capsys.readouterr().err


def test_a_path_is_shown_only_for_what_was_made(project_root, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(project, "wait_for", lambda command: 0)
    assert main(["report", str(project_root / "config/demo.yaml"), "--", "--unlock"]) == 0
    assert "index.html" not in capsys.readouterr().out
    assert main(["report", str(project_root / "config/demo.yaml")]) == 0
    assert "results/demo/report/index.html" in capsys.readouterr().out


def test_a_failed_run_ends_with_the_error_of_the_job(project_root, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    logs = tmp_path / "logs/demo/rule"
    logs.mkdir(parents=True)
    (logs / "old.log").write_text("12:00 ERROR \nan old error\n  where: x\n")
    os.utime(logs / "old.log", (1, 1))

    def run(command):
        (logs / "a.log").write_text(
            "12:00 INFO began\n12:01 ERROR \nno graph is given\n  where: graph\n  remedy: give one\n"
        )
        (logs / "b.log").write_text("12:00 INFO nothing wrong\n")
        (logs / "c.log").write_text("12:02 CRITICAL uncaught ValueError\nTraceback:\n  File x\nValueError: odd\n")
        return 1

    monkeypatch.setattr(project, "wait_for", run)
    assert main(["intervene", str(project_root / "config/demo.yaml")]) == 1
    said = capsys.readouterr().err
    assert "a.log):\nno graph is given\n  where: graph\n  remedy: give one\n" in said
    assert "c.log):\nValueError: odd\n" in said and "old error" not in said and "b.log" not in said


def test_snakemake_takes_what_the_command_hands_over(project_root, tmp_path):
    """The real Snakemake, from another folder: the demo's interventions are planned."""
    done = cli("intervene", project_root / "config/demo.yaml", "-n", folder=tmp_path, project_root=project_root)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "intervention_profiles" in done.stdout + done.stderr


def test_columns_that_are_no_samples_and_rows_that_are_no_genes_do_not_enter_a_fit(files, tmp_path, capsys):
    folder, real = files
    table = real.to_df().T
    table.loc["N_unmapped"] = table.loc["__no_feature"] = 9e6
    table.insert(0, "Chr", "chr1;chr1")
    table.to_csv(tmp_path / "counts.txt", sep="\t")
    told = f"--samples {folder}/samples.tsv --condition cancer --donor patient --unit counts --generator mvn"
    for name, source in (("a", folder / "counts.tsv.gz"), ("b", tmp_path / "counts.txt")):
        assert main(["fit", str(source), *told.split(), "--out", str(tmp_path / name)]) == 0
    assert "2 rows set aside as no genes: N_unmapped, __no_feature" in capsys.readouterr().err
    one, other = (pc.load(tmp_path / name).sample(5).X for name in "ab")
    np.testing.assert_array_equal(one, other)


def test_profiles_without_a_label_are_left_out_of_a_fit_and_named(files, tmp_path, capsys):
    folder, real = files
    table = real.obs.rename_axis("sample").astype(str)
    table.iloc[3, table.columns.get_loc("cancer")] = ""
    table.iloc[5, table.columns.get_loc("patient")] = "NA"
    table.to_csv(tmp_path / "samples.csv")
    out = ["--unit", "counts", "--generator", "independent", "--out", str(tmp_path / "o")]
    given = [str(folder / "counts.tsv.gz"), "--samples", str(tmp_path / "samples.csv"), "--condition", "cancer"]
    assert main(["fit", *given, "--donor", "patient", *out]) == 0
    said = capsys.readouterr()
    assert f"2 without cancer or patient, left out: {real.obs_names[3]}, {real.obs_names[5]}" in said.err
    assert "Cohort(independent: 38 profiles" in said.out


def test_remedies_name_the_options_of_the_command(files, tmp_path, capsys):
    folder, _ = files
    common = ["--condition", "cancer", "--generator", "independent", "--out", str(tmp_path / "o")]
    for given, message in (
        (["counts.tsv.gz"], "or --samples of the command"),
        (["counts.h5ad", "--layer", "raw_counts"], "or --layer of the command"),
    ):
        assert main(["fit", str(folder / given[0]), *given[1:], *common]) == 1
        assert message in capsys.readouterr().err


def test_a_place_that_is_taken_is_said_before_the_work(files, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("x")
    for module in ("command.fit.read_profiles", "referee.command.audit"):
        monkeypatch.setattr(f"pseudocohort.{module}", lambda *_, **__: pytest.fail("work was begun"))
    fit = ["fit", str(files[0] / "counts.h5ad"), "--condition", "cancer", "--generator", "flow"]
    audit = ["audit", "--train", "a.h5ad", "--synthetic", "b.h5ad"]
    for command, place, message in (
        (fit, "file", "something else"),
        (fit, "file/o", "cannot be written"),
        (fit, ".", "something else, which a cohort would replace: file"),
        (audit, "file", "cannot be written"),
    ):
        assert main([*command, "--out", str(tmp_path / place)]) == 1
        assert message in capsys.readouterr().err
    assert [f.name for f in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", ["x.tsv.bz2", "x.parquet.gz", "x.h5ad.gz", "x.csv.old", "x", "x.gz"])
def test_a_file_is_written_only_as_what_its_name_says(name, capsys):
    assert main(["sample", "cohort", "--n", "2", "--out", name]) == 1
    assert "unknown kind of file" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["A=\N{SUPERSCRIPT TWO}", "A=-1", "A=1.5", "=2"])
def test_a_number_of_profiles_is_a_whole_number(word, capsys):
    assert main(["sample", "cohort", word, "--out", "x.tsv"]) == 1
    assert "is not CONDITION=N" in capsys.readouterr().err


def test_an_interrupted_run_may_end_by_itself(tmp_path):
    """Ctrl-C reaches Snakemake too, which unlocks its folder and removes unfinished files; that takes time."""
    child = "import pathlib, sys, time; f = pathlib.Path(sys.argv[1]); (f / 'on').touch(); time.sleep(1.5)"

    def interrupt():
        while not (tmp_path / "on").exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    # A test run in the background of a shell ignores Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        project.wait_for([sys.executable, "-c", f"{child}; (f / 'ended').touch()", str(tmp_path)])
    thread.join()
    signal.signal(signal.SIGINT, before)
    assert (tmp_path / "ended").exists()


def test_errors_of_files_are_no_traceback(monkeypatch, capsys):
    def run(options):
        raise PermissionError(13, "Permission denied", "mine.h5ad")

    monkeypatch.setattr("pseudocohort.command.sample.run", run)
    assert main(["sample", "cohort", "--out", "x.tsv"]) == 1
    assert capsys.readouterr().err.startswith("Permission denied\n  where: mine.h5ad")


def test_a_reader_that_has_seen_enough_is_no_error(project_root, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(project_root / "workflow/scripts"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pseudocohort", "plan", "config/demo.yaml"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=project_root, env=environment
    ) as process:
        process.stdout.close()
        said = process.stderr.read()
    assert process.returncode == 1 and not said
