"""The data section: what entered, what was left out, and what looks wrong, on small studies whose answer is known."""

from __future__ import annotations

import re

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from support.sources import TOIL, cohort

from pseudocohort.prepare.identity import COLUMNS
from pseudocohort.prepare.sanity import RPS4Y1, XIST, sanity
from pseudocohort.prepare.study_checks import StudyChecks, check_study, conditions_table, labels_across
from pseudocohort.report.data_section import DataSection, data_section, render_page


def dataset(x: np.ndarray, obs: pd.DataFrame, name: str, genes: list[str]) -> ad.AnnData:
    obs = obs.assign(dataset=name, technology="bulk", aggregation="bulk")
    obs["context"] = obs["level"].replace({"line_bulk": "in_vitro"})
    uns = {"pseudocohort": {"dataset": name, "unit": "tpm", "log_offset": 1.0}}
    return ad.AnnData(x, obs=obs, var=pd.DataFrame(index=genes), uns=uns)


def quality(data: ad.AnnData, **changes) -> dict:
    checks = sanity(np.asarray(data.X), data.obs, data.var_names)
    return {
        "dataset": "a", "kind": "bulk", "unit": "log2(TPM + 1): sums agree", "donors": 9,
        "ingestion": {"condition excluded": 7, "no condition or donor": 0}, "genes": {"genes": 60, "unknown": 2},
        "samples": {"samples": len(data), "kept": len(data), "removed": ["bad1", "bad2"], "outliers": []} | checks,
        **changes,
    }  # fmt: skip


def study(datasets: list[ad.AnnData], method: str = "none") -> tuple[dict, StudyChecks]:
    whole = ad.concat(datasets, join="outer")
    whole.obs["source"] = whole.obs["dataset"].astype(str)
    whole.uns = {"pseudocohort": {"harmonisation": {"method": method, "scopes": {}}}}
    reports = {d.uns["pseudocohort"]["dataset"]: quality(d) for d in datasets}
    donors = pd.DataFrame({"donor": whole.obs["donor"].to_numpy(), "dataset": "x", "split": "train"})
    donors.loc[:3, "split"] = "test"
    return reports, check_study(datasets, whole, reports, donors.drop_duplicates("donor"), seed=1)


def section_of(datasets: list[ad.AnnData]) -> DataSection:
    reports, found = study(datasets)
    return data_section(reports, found.report, found.conditions, found.identity, found.sources, found.signal)


def two_sources() -> list[ad.AnnData]:
    x, obs, *_ = cohort(TOIL)
    genes = [f"ENSG{i:011d}" for i in range(x.shape[1])]
    part = [(obs["source"] == s).to_numpy() for s in ("TCGA", "GTEx")]
    return [dataset(x[p], obs[p], n, genes) for p, n in zip(part, ("TCGA", "GTEx"), strict=True)]


def texts(table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def test_conditions_levels_and_donors_are_counted() -> None:
    obs = pd.DataFrame(
        {"condition": list("aaab"), "level": ["tumour", "tumour", "normal", "tumour"], "donor": ["p", "p", "q", "r"]}
    )
    assert conditions_table(obs, {"q", "p"}).to_dict("records") == [
        {"condition": "a", "level": "normal", "profiles": 1, "donors": 1, "held_out": 1},
        {"condition": "a", "level": "tumour", "profiles": 2, "donors": 1, "held_out": 1},
        {"condition": "b", "level": "tumour", "profiles": 1, "donors": 1, "held_out": 0},
    ]


def test_sources_left_out_and_conditions_are_shown() -> None:
    found = section_of(two_sources())
    tables = {t.title: t for t in found.overview}
    assert list(tables) == [
        "Profiles by condition and level", "What was left out", "Sources of each condition",
        "Can the sources be told apart?",
    ]  # fmt: skip
    assert texts(tables["Profiles by condition and level"])[0] == [
        "KIRC", "40 (40 donors, 4 held out)", "60 (60 donors)",
    ]  # fmt: skip
    assert texts(tables["What was left out"])[0] == ["TCGA", "reading", "condition excluded", "7", ""]
    assert ["GTEx", "quality control", "few detected genes", "2", "bad1, bad2"] in texts(tables["What was left out"])
    assert texts(tables["Sources of each condition"])[0] == ["normal", "KIRC", "30 (30)", "30 (30)"]
    signal = texts(tables["Can the sources be told apart?"])
    assert len(signal) == 2 and signal[0][6] in ("1", "1.00") and "prepare.harmonisation" in tables[
        "Can the sources be told apart?"
    ].note  # fmt: skip
    checks = {c["name"]: c for c in found.checks}
    assert checks["Sources"]["status"] == "look" and "told apart in 2 of 2" in checks["Sources"]["text"]
    assert checks["Sex"]["status"] == "not_checked" and "0 checked" in checks["Sex"]["text"]
    assert "XIST and RPS4Y1 not measured" in checks["Sex"]["text"]
    assert checks["The same donor in two data sets"]["status"] == "not_checked"
    assert [c["status"] for c in found.checks] == sorted(
        (c["status"] for c in found.checks), key=["look", "fine", "not_checked"].index
    )


def test_what_the_readers_say_is_shown_where_they_say_it() -> None:
    """Lists of left-out samples, warnings about units and missing values come with the quality report."""
    reports, found = study(two_sources())
    reports["TCGA"] |= {
        "left_out": [{"reason": "no condition", "samples": 144, "ids": ["p1", "p2", "p3"]}],
        "unit_warnings": ["sums differ by a factor of 4"],
        "missing": {"values": 220, "genes": 55, "samples": 4, "rule": "drop_gene"},
    }
    found = data_section(reports, found.report, found.conditions, found.identity, found.sources, found.signal)
    left_out = texts(next(t for t in found.overview if t.title == "What was left out"))
    assert left_out[0] == ["TCGA", "reading", "no condition", "144", "p1, p2"]
    units = next(c for c in found.checks if c["name"] == "Units")
    assert units["status"] == "look" and "factor of 4" in units["text"] and "220 values were missing" in units["text"]


def test_one_file_per_cohort_has_its_labels_checked_against_the_other_files() -> None:
    cells = {(f"C{i}", "tumour", f"f{i}"): 20 for i in range(4)}
    x, obs, *_ = cohort(cells, shift=0.1)
    genes = [XIST, RPS4Y1, *(f"ENSG{i:011d}" for i in range(58))]
    x[:, 0], x[:, 1] = 9, 0
    obs["sex"] = "female"
    x[3], x[45, :2] = x[70] + 0.01, (0, 9)  # a C3 in the file of C0, and a man's in the file of C2
    datasets = [
        dataset(x[p], obs[p], f"f{i}", genes) for i in range(4) for p in [(obs["source"] == f"f{i}").to_numpy()]
    ]
    reports, found = study(datasets)
    labels = found.report["labels"]
    assert labels["checked"] == 80 and labels["datasets"] == ["f0", "f1", "f2", "f3"]
    assert [(r["sample"], r["label"], r["nearest"]) for r in labels["samples"]] == [(obs.index[3], "C0", "C3")]
    section = data_section(reports, found.report, found.conditions, found.identity, found.sources, found.signal)
    checks = {c["name"]: c for c in section.checks}
    assert checks["Labels"]["status"] == "look" and "against the other files" in checks["Labels"]["text"]
    assert checks["Sex"]["status"] == "look" and "80 samples checked, 1 contradict" in checks["Sex"]["text"]
    assert [t.title for t in section.suspects] == ["Labels to look at", "Sex to look at"]
    # The four files are four sources, and no two share a condition.
    assert "so their difference includes that of the sources" in checks["Sources"]["text"]


def test_a_dataset_that_checks_its_own_labels_is_not_checked_twice() -> None:
    one = two_sources()[0]
    found = labels_across(np.asarray(one.X), one.obs, {"TCGA": quality(one)})
    assert found["checked"] == 0 and found["why_none"] == "each dataset checks its own"
    assert "no bulk" in labels_across(np.asarray(one.X), one.obs, {"TCGA": {"cells": {}}})["why_none"]


def test_exchanged_lines_come_first_and_the_list_is_cut() -> None:
    x, obs, *_ = cohort({(f"L{i}", "line_bulk", "p1"): 1 for i in range(30)}, genes=200)
    obs["donor"], obs["condition"] = obs["condition"], "x"
    genes = [f"ENSG{i:011d}" for i in range(200)]
    names = obs["donor"].tolist()
    turned = obs.assign(donor=[names[1], names[0], *names[2:]])
    rng = np.random.default_rng(0)
    other = (x + 0.3 * rng.normal(size=x.shape)).astype(np.float32)
    datasets = [dataset(x, obs, "one", genes), dataset(other, turned, "two", genes)]
    datasets[1].obs_names = "two" + datasets[1].obs_names
    found = section_of(datasets)
    assert found.checks[0]["name"] == "The same donor in two data sets" and found.checks[0]["status"] == "look"
    assert found.suspects[0].title == "Donors that are not nearest to themselves"
    assert {row[2] for row in texts(found.suspects[0])} == set(names[:2])
    assert texts(found.details[1]) == [["one", "two", "in_vitro", "30", "28", "0"]]


def test_long_lists_say_how_many_there_are() -> None:
    identity = pd.DataFrame(
        [["a", "b", f"d{i}", "in_vitro", 40, 99, 0.1, "x", 0.5, 2, "nearer to another"] for i in range(40)],
        columns=list(COLUMNS),
    )
    reports, found = study(two_sources())
    section = data_section(reports, found.report, found.conditions, identity, found.sources, found.signal)
    assert len(section.suspects[0].rows) == 15 and section.suspects[0].note.startswith("The first 15 of 40.")


@pytest.fixture(scope="module")
def page() -> str:
    reports, found = study(two_sources())
    reports["TCGA"]["ingestion"] = {"<script>alert(1)</script>": 5}
    section = data_section(reports, found.report, found.conditions, found.identity, found.sources, found.signal)
    return render_page(section, "A & B", "0")


def test_page_is_whole_self_contained_and_escaped(page: str) -> None:
    assert "<script>alert(1)" not in page and "A &amp; B: the data" in page
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)""", page)
    assert page.count("<table") == page.count("</table>") > 4 and page.count("<details") == page.count("</details>")
    assert "Not checked" in page and "Look" in page
