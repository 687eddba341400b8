"""Names of cell lines across technologies."""

from __future__ import annotations

import pandas as pd
import pytest

from pseudocohort.core.errors import UserError
from pseudocohort.prepare.cell_lines import LineNames, key_of, name_lines, pair_lines, read_line_names

MODELS = """ModelID,CellLineName,StrippedCellLineName,CCLEName,RRID
ACH-000019,MCF7,MCF7,MCF7_BREAST,CVCL_0031
ACH-000587,NCI-H1975,NCIH1975,NCIH1975_LUNG,CVCL_1511
ACH-000088,KM-H2,KMH2,KMH2_HAEMATOPOIETIC_AND_LYMPHOID_TISSUE,CVCL_1330
ACH-001321,THP-1,THP1,THP1_HAEMATOPOIETIC_AND_LYMPHOID_TISSUE,CVCL_0006
ACH-001318,TT,TT,TT_THYROID,CVCL_1774
ACH-001207,T.T,T.T,TT_OESOPHAGUS,CVCL_3174
"""


@pytest.fixture
def models(tmp_path):
    (tmp_path / "Model.csv").write_text(MODELS)
    return read_line_names(tmp_path / "Model.csv")


def lines(*names, context="in_vitro"):
    return pd.DataFrame({"donor": names, "context": context})


@pytest.mark.parametrize("name", ["MCF7", "MCF-7", "mcf 7", "MCF7_BREAST", "MCF.7"])
def test_spellings_of_a_line_have_one_key(name):
    assert key_of(name) == "MCF7"


def test_what_follows_an_underscore_counts_unless_it_is_a_tissue_of_ccle():
    assert key_of("A549_R2") == "A549R2"
    assert key_of("KMH2_HAEMATOPOIETIC_AND_LYMPHOID_TISSUE") == "KMH2"
    assert key_of("NCI-H1975") == key_of("H1975") == "H1975"
    assert key_of("NCIN87") == "NCIN87"


def test_lines_get_the_name_that_the_table_keeps(models):
    obs, report = name_lines(lines("ACH-000019", "H1975", "NCIH1975_LUNG", "Kasumi-9"), models)
    assert list(obs["donor"]) == ["MCF7", "NCIH1975", "NCIH1975", "KASUMI9"]
    assert report["unmatched"] == ["Kasumi-9"] and report["lines"] == 3


def test_different_lines_of_like_names_stay_apart(models):
    obs, report = name_lines(lines("TT", "T.T"), models)
    assert list(obs["donor"]) == ["TT", "T.T"] and not report["unmatched"]
    obs, report = name_lines(lines("TT", "T.T", "MCF-7"), LineNames())
    assert list(obs["donor"]) == ["TT", "T.T", "MCF7"]
    assert report["ambiguous"] == ["T.T", "TT"] and report["unmatched"] == []
    assert models.find("T-T") == ""


def test_patients_keep_their_names():
    obs, report = name_lines(lines("TCGA-A1-A0SB", context="tumour"), LineNames())
    assert list(obs["donor"]) == ["TCGA-A1-A0SB"] and report["lines"] == 0


def test_a_table_without_names_is_refused(tmp_path):
    (tmp_path / "t.tsv").write_text("a\tb\n1\t2\n")
    with pytest.raises(UserError, match="no column with the names"):
        read_line_names(tmp_path / "t.tsv")
    with pytest.raises(UserError, match="no table"):
        read_line_names(tmp_path / "absent.csv")
    (tmp_path / "t.tsv").write_text("name\taliases\nMCF7\tSoule's line; MCF.7-a\n")
    assert read_line_names(tmp_path / "t.tsv").find("mcf7A") == "MCF7"


def test_a_line_in_one_dataset_only_is_listed():
    table = pair_lines({"a": lines("MCF7", "T47D"), "b": lines("MCF7"), "c": lines("P1", context="tumour")})
    assert table.to_numpy().tolist() == [["MCF7", "a", 2], ["MCF7", "b", 2], ["T47D", "a", 1]]


def test_published_lines_are_found_in_depmap(data_root):
    known = read_line_names(data_root / "perturbation/depmap_sample_info.csv")
    samples = pd.read_csv(data_root / "bulk-cell-lines/pson_sample_map.csv")
    bulk, _ = name_lines(samples.rename(columns={"cellLine": "donor"}).assign(context="in_vitro"), known)
    single, report = name_lines(lines("T47D", "MDAMB361", "CAL51", "MX1"), known)
    assert {"T47D", "MDAMB231", "A375", "SW480"} <= set(bulk["donor"])
    assert set(bulk["donor"]) & set(single["donor"]) == {"T47D"}
    assert "T47D" not in report["unmatched"]
