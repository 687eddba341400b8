"""A donor that is in two datasets is compared with itself: exchanges are found, what is right finds itself."""

from __future__ import annotations

import logging
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from support.in_memory import ingest_dataset, map_genes

from pseudocohort.prepare.cell_lines import LineNames, name_lines, pair_lines
from pseudocohort.prepare.gene_table import load_gene_table
from pseudocohort.prepare.identity import (
    COLUMNS,
    annotate_lines,
    compare_datasets,
    compare_pair,
    donor_means,
    identity_report,
)
from pseudocohort.prepare.pseudobulk import pseudobulk
from pseudocohort.study import read_datasets

ROOT = Path(__file__).parents[3]


def two_datasets(seed: int = 0, lines: int = 6, genes: int = 200, noise: float = 0.5) -> tuple[pd.DataFrame, ...]:
    """Profiles of the same lines in two laboratories: a common part, what the laboratory adds, and noise."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 1, (lines, genes))
    names = [f"LINE{i}" for i in range(lines)]
    index = pd.MultiIndex.from_product([names, ["in_vitro"]], names=["donor", "context"])
    columns = [f"ENSG{i:011d}" for i in range(genes)]
    return tuple(
        pd.DataFrame(truth + rng.normal(6, 2, genes) + noise * rng.normal(size=truth.shape), index, columns)
        for _ in range(2)
    )


def exchange(frame: pd.DataFrame, a: str, b: str) -> pd.DataFrame:
    return frame.rename(index={a: b, b: a}, level="donor")


def test_right_names_find_themselves() -> None:
    first, second = two_datasets()
    table = compare_datasets({"a": first, "b": second})
    assert list(table.columns) == list(COLUMNS) and len(table) == 6
    assert (table["verdict"] == "itself").all() and (table["rank"] == 1).all()
    assert (table["r_own"] > table["r_nearest"]).all()


def test_an_exchanged_pair_is_named_first_and_no_other_line_is_blamed(caplog: pytest.LogCaptureFixture) -> None:
    first, second = two_datasets()
    means = {"a": first, "b": exchange(second, "LINE1", "LINE4"), "c": two_datasets(3)[0] + 0}
    means["c"] = means["c"].rename(index=lambda name: name.replace("LINE", "OTHER"), level="donor")
    table = compare_datasets(means)
    wrong = table[table["verdict"] != "itself"]
    assert dict(zip(wrong["donor"], wrong["nearest"], strict=True)) == {"LINE1": "LINE4", "LINE4": "LINE1"}
    assert (wrong["verdict"] == "exchanged").all() and list(wrong.index) == [0, 1]
    with caplog.at_level(logging.WARNING):
        report = identity_report(table, means)
    assert caplog.text.count("exchanged") == 2
    assert report["compared"] == 6 and report["itself"] == 4 and report["why_none"] == ""
    assert report["pairs"] == [
        {"dataset": "a", "other_dataset": "b", "context": "in_vitro", "compared": 6, "itself": 4, "same_profile": 0}
    ]
    obs = {name: m.reset_index()[["donor", "context"]] for name, m in means.items()}
    lines = annotate_lines(pair_lines(obs), table).set_index(["line", "dataset"])
    assert lines.loc[("LINE1", "a"), "nearer_to"] == "b:LINE4" and lines.loc[("LINE1", "b"), "nearer_to"] == "a:LINE4"
    assert lines.loc[("LINE0", "a"), "nearer_to"] == "" and lines.loc[("LINE0", "a"), "found_itself"] == 1
    assert lines.loc[("OTHER0", "c"), "compared"] == 0


def test_a_wrong_line_without_its_partner_is_nearer_to_another() -> None:
    first, second = two_datasets()
    second.loc["LINE2"] = second.loc["LINE3"].to_numpy() + 0.05  # LINE3's cells under two names
    found = compare_datasets({"a": first, "b": second}).set_index("donor")
    assert found.loc["LINE2", "verdict"] == "nearer to another" and found.loc["LINE2", "nearest"] == "LINE3"
    assert set(found.index[found["verdict"] == "itself"]) >= {"LINE0", "LINE1", "LINE4", "LINE5"}


def test_correlations_are_those_of_numpy_after_centring() -> None:
    first, second = (frame.droplevel("context") for frame in two_datasets(seed=5, noise=1.5))
    found = compare_pair(first, second).set_index("donor")
    kept = ((first.mean() > 1) & (second.mean() > 1)).to_numpy()
    a, b = ((frame - frame.mean()).to_numpy()[:, kept] for frame in (first, second))
    r = np.corrcoef(a, b)[: len(a), len(a) :]
    np.testing.assert_allclose(found["r_own"], r.diagonal(), atol=6e-4)
    off = np.where(np.eye(len(r), dtype=bool), -np.inf, r)
    np.testing.assert_allclose(found["r_nearest"], np.maximum(off.max(1), off.max(0)), atol=6e-4)
    assert found["genes"].eq(kept.sum()).all()


def test_fewer_than_three_common_donors_are_not_compared_and_the_reason_is_said() -> None:
    first, second = two_datasets()
    few = second.iloc[:2]
    means = {"a": first, "b": few}
    table = compare_datasets(means)
    assert table.empty and "share 3 donors" in identity_report(table, means)["why_none"]
    assert "one dataset" in identity_report(table, {"a": first})["why_none"]
    tumour = second.rename(index={"in_vitro": "tumour"}, level="context")
    assert compare_datasets({"a": first, "b": tumour}).empty  # a line's tumour is not the line


def test_the_same_measurement_twice_is_counted() -> None:
    first, _ = two_datasets()
    means = {"a": first, "b": first + 1.0}  # another constant per gene is the same profile
    assert identity_report(compare_datasets(means), means)["pairs"][0]["same_profile"] == 6


def test_means_leave_out_single_cells_mixtures_and_bootstraps(tmp_path: Path) -> None:
    obs = pd.DataFrame(
        {
            "donor": ["A", "A", "A", "mixture:0-x", "B"], "context": "in_vitro",
            "aggregation": ["pseudobulk", "pseudobulk", "cell", "pseudobulk", "pseudobulk"],
            "bootstrap": [0, 1, 0, 0, 0],
        },
        index=list("abcde"),
    )  # fmt: skip
    x = np.array([[1.0, 3.0], [9, 9], [9, 9], [9, 9], [0, 7]])
    data = ad.AnnData(np.log2(x + 1), obs=obs, uns={"pseudocohort": {"dataset": "d", "unit": "tpm", "log_offset": 1.0}})
    found = donor_means(data)
    assert list(found.index) == [("A", "in_vitro"), ("B", "in_vitro")]
    np.testing.assert_allclose(found.to_numpy(), np.log2(x[[0, 4]] + 1), atol=1e-6)
    # Some donors of a matrix in its file: the same means, and of nobody else.
    data.write_h5ad(tmp_path / "d.h5ad")
    some = donor_means(ad.read_h5ad(tmp_path / "d.h5ad", backed="r"), {"B", "C"})
    pd.testing.assert_frame_equal(some, found.loc[["B"]])
    assert donor_means(data, {"C"}).empty


def _means(names: list[str], data_root: Path) -> dict[str, pd.DataFrame]:
    config = {"datasets_sheet": ROOT / "config/datasets.tsv", "datasets": names, "data_root": str(data_root)}
    genes = load_gene_table(ROOT / "resources/genes.tsv.gz")
    out = {}
    for name, row in read_datasets(config, ROOT / "workflow/schemas/datasets.schema.yaml").items():
        data, _ = map_genes(ingest_dataset(row, conditions={"min_donors": 1}), row["gene_ids"], "highest_mean", genes)
        data.obs, _ = name_lines(data.obs, LineNames())
        if "doublet" in data.obs:
            data = data[data.obs["doublet"] == "SNG"].copy()
        out[name] = donor_means(pseudobulk(data, bootstraps=1, seed=1) if row["kind"] == "single_cell" else data)
    return out


def test_real_lines_of_five_plates_find_themselves_and_a_planted_exchange_is_found(data_root: Path) -> None:
    plates = ["lung_celseq2", "lung_celseq2_p1", "lung_celseq2_p2", "lung_celseq2_p3", "lung_dropseq"]
    means = _means(plates, data_root)
    table = compare_datasets(means)
    assert len(table) == 36 and (table["verdict"] == "itself").all()  # ten pairs of plates
    means["lung_dropseq"] = exchange(means["lung_dropseq"], "H2228", "HCC827")
    wrong = compare_datasets(means).query("verdict != 'itself'")
    assert set(wrong["donor"]) == {"H2228", "HCC827"} and (wrong["verdict"] == "exchanged").all()
    assert set(wrong["other_dataset"]) == {"lung_dropseq"} and len(wrong) == 8


def test_the_tcga_patients_of_two_real_tables_are_the_same_measurements(data_root: Path) -> None:
    means = _means(["tcga_paired", "tcga_brca"], data_root)
    report = identity_report(compare_datasets(means), means)
    assert report["pairs"][0]["compared"] == report["itself"] == report["pairs"][0]["same_profile"] == 112


def test_the_exchanged_plates_of_the_cases_are_found(data_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cross r .99, straight r -.49: the case of two plates with two lines exchanged."""
    sheet = data_root.parent / "cases/study/sheet.tsv"
    if not sheet.is_file():
        pytest.skip(f"no cases at {sheet}")
    monkeypatch.chdir(ROOT)
    config = {"datasets_sheet": sheet, "datasets": ["plate1", "plate2"]}
    means = {}
    for name, row in read_datasets(config, ROOT / "workflow/schemas/datasets.schema.yaml").items():
        for column in ("source", "samples"):
            row[column] = str(sheet.parent / Path(row[column]).name)
        means[name] = donor_means(pseudobulk(ingest_dataset(row, conditions={}), bootstraps=1, min_cells=1, seed=1))
    found = compare_datasets(means).set_index("donor")
    assert dict(found["verdict"]) == {"LINEA": "exchanged", "LINEB": "exchanged", "LINEC": "itself"}
    assert found.loc["LINEA", "r_nearest"] > 0.95 and found.loc["LINEA", "r_own"] == pytest.approx(-0.49, abs=0.02)
