"""A second sample table is joined on a key: no row lost, none doubled, none guessed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.in_memory import ingest_dataset

from pseudocohort.core.errors import UserError
from pseudocohort.ingest.more_samples import join_second_table

SUBJECTS = "SUBJID\tSEX\tAGE\tDTHHRDY\nGTEX-1117F\t2\t60-69\t4\nGTEX-111CU\t1\t50-59\t0\nGTEX-ZZZZ\t1\t20-29\t\n"
SAMPLES = pd.DataFrame(
    {
        "SAMPID": ["GTEX-1117F-0226-SM-5GZZ7", "GTEX-111CU-0126-SM-5GZWZ", "GTEX-1117F-0426-SM-5EGHI"],
        "SMTS": ["Skin", "Lung", "Lung"],
    }
)
JOIN = "@SAMPID:^(GTEX-[^-]+)=SUBJID"


def write(folder: Path, text: str = SUBJECTS, name: str = "subjects.txt") -> dict[str, str]:
    (folder / name).write_text(text)
    return {"dataset": "g", "more_samples": str(folder / name), "join": JOIN}


def test_subjects_are_joined_by_the_pattern_of_a_sample_id(tmp_path: Path) -> None:
    row = write(tmp_path)
    found = join_second_table(SAMPLES, row, "samples.txt")
    assert list(found["SEX"]) == ["2", "1", "2"] and list(found["AGE"]) == ["60-69", "50-59", "60-69"]
    assert list(found["SUBJID"]) == ["GTEX-1117F", "GTEX-111CU", "GTEX-1117F"]
    assert list(found["SAMPID"]) == list(SAMPLES["SAMPID"]) and found["DTHHRDY"].tolist() == ["4", "0", "4"]
    assert join_second_table(SAMPLES, {"dataset": "g"}, "samples.txt") is SAMPLES


def test_samples_without_a_row_stay_and_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    row = write(tmp_path, SUBJECTS.replace("GTEX-111CU", "GTEX-other"))
    found = join_second_table(SAMPLES, row, "samples.txt")
    assert list(found["SEX"]) == ["2", "", "2"] and "1 of 3 samples have no row" in caplog.text


def test_a_column_of_both_keeps_the_first(tmp_path: Path) -> None:
    row = write(tmp_path, "SUBJID\tSMTS\tSEX\nGTEX-1117F\tno\t2\nGTEX-111CU\tno\t1\n")
    assert list(join_second_table(SAMPLES, row, "s")["SMTS"]) == ["Skin", "Lung", "Lung"]


@pytest.mark.parametrize(
    ("text", "join", "said"),
    [
        (SUBJECTS, "SAMPID=SUBJECT", "no column 'SUBJECT' in the second"),
        (SUBJECTS, "SAMPLE=SUBJID", "no column 'SAMPLE'"),
        (SUBJECTS + "GTEX-1117F\t1\t20-29\t\n", JOIN, "key 'GTEX-1117F' has several rows"),
        (SUBJECTS, "SAMPID=SUBJID", "3 of 3 samples have no row"),
        (SUBJECTS, None, "no key to join"),
    ],
)
def test_what_cannot_be_joined_is_said(tmp_path: Path, text: str, join: str | None, said: str) -> None:
    row = write(tmp_path, text) | {"join": join}
    row = {key: value for key, value in row.items() if value is not None}
    with pytest.raises(UserError, match=said) as error:
        join_second_table(SAMPLES, row, "samples.txt")
    assert error.value.remedy


@given(st.permutations(range(12)), st.integers(6, 12))
def test_rows_are_matched_whatever_their_order(tmp_path_factory, order: list[int], known: int) -> None:
    first = pd.DataFrame({"id": [f"s{i}" for i in order], "key": [f"k{i % 7}" for i in order]})
    second = pd.DataFrame({"key": [f"k{i}" for i in range(known)], "value": [f"v{i}" for i in range(known)]})
    path = tmp_path_factory.mktemp("more") / "second.csv"
    second.sample(frac=1, random_state=order[0]).to_csv(path, index=False)
    found = join_second_table(first, {"dataset": "d", "more_samples": str(path), "join": "key"}, "first")
    expected = first.merge(second, on="key", how="left").fillna("")
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


def test_sex_of_gtex_subjects_becomes_a_covariate_and_cell_cultures_are_left_out(tmp_path: Path) -> None:
    """The row of config/datasets-full.tsv: cultures of SMTS Skin and Blood are not tissue."""
    details = ["Skin - Sun Exposed (Lower leg)", "Lung", "Whole Blood", "Cells - Cultured fibroblasts",
               "Cells - EBV-transformed lymphocytes", "Brain - Cortex"]  # fmt: skip
    samples = pd.DataFrame(
        {
            "SAMPID": [f"GTEX-{'AB'[i % 2]}{i // 2}-0001-SM-{i}" for i in range(12)],
            "SMTSD": [details[i // 2] for i in range(12)],
        }
    )
    samples["SMTS"] = samples["SMTSD"].str.replace("Cells - Cultured fibroblasts", "Skin")
    subjects = samples["SAMPID"].str.extract(r"^(GTEX-[^-]+)")[0]
    samples.to_csv(tmp_path / "samples.txt", sep="\t", index=False)
    pd.DataFrame({"SUBJID": subjects.unique(), "SEX": np.arange(12) % 2 + 1}).to_csv(
        tmp_path / "subjects.txt", sep="\t", index=False
    )
    rng = np.random.default_rng(0)
    x = rng.gamma(2, 5, (60, 12))
    x = x / x.sum(0) * 1e6
    genes = [f"ENSG{i:011d}.1" for i in range(60)]
    table = pd.DataFrame(x, genes, samples["SAMPID"]).rename_axis("Name")
    table.insert(0, "Description", genes)
    with (tmp_path / "tpm.gct").open("w") as file:
        file.write(f"#1.2\n60\t12\n{table.to_csv(sep=chr(9))}")
    sheet = Path(__file__).parents[3] / "config/datasets-full.tsv"
    row = pd.read_csv(sheet, sep="\t", dtype=str, comment="#").set_index("dataset", drop=False).loc["gtex_v10"]
    row = {key: value for key, value in row.items() if isinstance(value, str)}
    assert row["more_samples"] == "catalogue:gtex_v10_subjects"
    paths = {"source": "tpm.gct", "samples": "samples.txt", "more_samples": "subjects.txt"}
    row |= {key: str(tmp_path / name) for key, name in paths.items()}
    found = ingest_dataset(row, conditions={"min_donors": 1})
    assert sorted(found.obs["condition"].unique()) == ["Brain", "Lung", "Skin", "Whole_Blood"] and len(found) == 8
    assert set(found.obs["SEX"]) == {"1", "2"}
