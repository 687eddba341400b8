"""tools/cut_data.py makes the data of the shipped studies from the public files, value by value."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("cut_data", ROOT / "tools/cut_data.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def small(tool, tmp_path, monkeypatch):
    """Public files of two cohorts with more genes and samples than the cut, in another order."""
    ids = ["TCGA-AA-0001-01A-11R-A1-07", "TCGA-AA-0001-11A-11R-A1-07", "TCGA-BB-0002-01A-11R-A1-07"]
    rows = [("tcga_paired", "gene", g) for g in ("TP53", "MYC")] + [("tcga_paired", "sample", i) for i in ids]
    cuts = tmp_path / "cuts.tsv"
    pd.DataFrame(rows, columns=["dataset", "kind", "id"]).to_csv(cuts, sep="\t", index=False)
    monkeypatch.setattr(tool, "CUTS", cuts)
    rng = np.random.default_rng(0)
    linear = {}
    for cohort, names in (("KIRC", [ids[1], ids[0]]), ("LIHC", [ids[2]])):
        table = pd.DataFrame(rng.gamma(1, 500, (3, len(names) + 1)), ["MYC", "OTHER", "TP53"], [*names, "TCGA-XX-9"])
        table.iloc[0, 0] = 0
        linear |= {name: table[name] for name in names}
        table.columns = table.columns.str[:15]
        np.log2(table + 1).round(4).rename_axis("sample").to_csv(tmp_path / f"{cohort}.gz", sep="\t")
    return tmp_path, linear, ids


def test_paired_cohorts_are_cut_in_order_and_on_their_scale(tool, small, monkeypatch) -> None:
    folder, linear, ids = small
    out = ["--out", str(folder), "--matrix", f"KIRC={folder / 'KIRC.gz'}", f"LIHC={folder / 'LIHC.gz'}"]
    monkeypatch.setattr(sys, "argv", ["cut_data.py", "tcga_paired", *out])
    assert tool.main() == 0
    found = pd.read_csv(folder / "tcga-paired/expression.tsv.gz", sep="\t", index_col=0)
    assert list(found.columns) == ids and list(found.index) == ["TP53", "MYC"]
    for sample in ids:
        np.testing.assert_allclose(found[sample], np.log2(linear[sample][["TP53", "MYC"]] + 0.25), atol=0.0055)
    about = pd.read_csv(folder / "tcga-paired/samples.tsv", sep="\t")
    assert list(about["status"]) == ["tumor", "normal", "tumor"] and list(about["cancer_type"]) == ["KIRC"] * 2 + [
        "LIHC"
    ]


def test_what_is_missing_is_said(tool, small, monkeypatch, capsys) -> None:
    folder, *_ = small
    monkeypatch.setattr(
        sys, "argv", ["cut_data.py", "tcga_paired", "--out", str(folder), "--matrix", f"KIRC={folder / 'KIRC.gz'}"]
    )
    assert tool.main() == 1
    assert "1 of 3 samples of the cut are not in the file; the first is 'TCGA-BB-0002" in capsys.readouterr().err


def test_the_lists_are_those_of_the_real_data_and_the_cohorts_agree(tool, data_root: Path) -> None:
    """The 112 patients of both real tables: one is the other on another scale, so that one public file makes both."""
    real = {
        n: pd.read_csv(data_root / n / "expression.tsv.gz", sep="\t", index_col=0) for n in ("tcga-brca", "tcga-paired")
    }
    for folder, table in real.items():
        name = folder.replace("-", "_")
        assert tool.listed(name, "gene") == list(table.index) and tool.listed(name, "sample") == list(table.columns)
    brca, paired = real["tcga-brca"], real["tcga-paired"]
    both = [c for c in paired.columns if c[:15] in brca.columns]
    genes = paired.index.intersection(brca.index)
    expected = np.log2(np.maximum(np.exp2(brca.loc[genes, [c[:15] for c in both]].to_numpy()) - 1, 0) + 0.25)
    assert len(both) == 112 and len(genes) == 160
    np.testing.assert_allclose(paired.loc[genes, both], expected, atol=0.0051)  # two decimals
