"""Questions, their answers and pages, on a small simulated cohort."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from support.interventions import GENES, G, cohort, dependencies, graph

from pseudocohort.core.errors import UserError
from pseudocohort.intervene.answers import Answer, answer
from pseudocohort.intervene.answers.genes import _said
from pseudocohort.intervene.page import render
from pseudocohort.intervene.perturbations import LinearPredictor, read_perturbations
from pseudocohort.intervene.questions import Question, read_questions
from pseudocohort.intervene.regulons import read_graph
from pseudocohort.intervene.study import Study
from pseudocohort.intervene.write import write


@pytest.fixture(scope="module")
def study() -> Study:
    """Pairs of every donor, regulator 0 drives its targets by a half."""
    profiles = cohort()
    profiles.obs["donor"] = [f"p{i // 40}_{i % 20}" for i in range(profiles.n_obs)]
    x = np.asarray(profiles.X, float)
    targets = [GENES.index(t) for t in graph().children[GENES[0]]]
    x[:, targets] += 0.5 * (x[:, [0]] - x[:, [0]].mean())
    profiles.X = x.astype(np.float32)
    return Study.of(profiles, graph(), depth=1, seed=1)


def ask(study: Study, **question: object) -> Answer:
    return answer(
        read_questions([question])[0], study, dependencies=dependencies(), lineages={"c1": "l1"},
        druggable=frozenset({"S3"}), gene_sets={"planted": [f"S{i}" for i in range(20, 40)]},
    )  # fmt: skip


def test_questions_inline_and_from_a_file(tmp_path) -> None:
    (tmp_path / "q.tsv").write_text(
        "genes\teach\tchange\tcondition\ttargets\ttranslate\n"
        "A,B\t\t-1,up\tLIHC\t\t\n"
        "\tregulators\tdown\tLIHC\t\t\n"
        "\t\t\t\tLIHC\t\n"
        "\t\t\t\t\ttumour -> normal\n"
    )
    inline = [
        {"genes": ["A", "B"], "change": [-1, "up"], "condition": "LIHC"},
        {"each": "regulators", "change": "down", "condition": "LIHC"},
        {"targets": "LIHC"},
        {"translate": "tumour -> normal"},
    ]
    found = read_questions(tmp_path / "q.tsv")
    assert found == read_questions(inline)
    assert [q.name for q in found] == ["A_B_-1_up_LIHC", "regulators_down_LIHC", "targets_LIHC", "translate"]
    assert found[0].changes == (-1.0, "up") and found[1].genes == ("regulators",)
    (tmp_path / "donors.txt").write_text("p1\np2\n")
    assert read_questions([{"targets": "X", "donors": "{data_root}/donors.txt"}], root=str(tmp_path))[0].donors == (
        "p1",
        "p2",
    )
    assert read_questions([]) == read_questions("") == []


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"gene": "A"}, "unknown key 'gene'"),
        ({"genes": "A", "targets": "X"}, "genes and targets"),
        ({"condition": "X"}, "about nothing"),
        ({"genes": "A"}, "no condition"),
        ({"genes": "A", "condition": "X", "change": "sideways"}, "neither down nor up"),
        ({"genes": "A", "condition": "X", "change": 0}, "neither down nor up"),
        ({"translate": "normal -> tumour"}, "cannot be translated"),
        ({"targets": "X", "name": "../x"}, "characters other than"),
        ({"targets": "X", "donors": "/no/such/file"}, "no file of donors"),
    ],
)
def test_questions_that_cannot_be_understood(question: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_questions([question])
    with pytest.raises(UserError, match="two questions are named"):
        read_questions([{"targets": "X"}, {"targets": "X"}])


def test_effect_of_a_gene_with_interval_baselines_and_own_row(study: Study) -> None:
    made = ask(study, genes="S0", change=[-1, 1], condition="c1")
    assert made.status == "answered" and not made.refusals
    down, up = (made.table[made.table["change"] == c].set_index("symbol") for c in ("-1", "1"))
    reached = [f"S{GENES.index(t)}" for t in graph().children[GENES[0]]]
    assert set(down.index[(down["do_g"] != 0) & ~down["perturbed"]]) == set(reached)
    assert down.loc[reached, "do_g"].mean() == pytest.approx(-0.5, abs=0.12)
    inside = (down.loc[reached, "do_g_low"] <= -0.5) & (down.loc[reached, "do_g_high"] >= -0.5)
    assert inside.mean() > 0.7
    assert down.loc["S0", ["do_g", "see"]].tolist() == [-1, -1] and down.loc["S0", "perturbed"]
    np.testing.assert_allclose(up.loc[down.index, "do_g"], -down["do_g"])
    assert (down.loc[reached, "regulon_sign"] == -1).all()
    assert not any("Chance alone" in words for words in made.words)
    patients = made.extra["patients"]
    assert len(patients) == 20 and {"donor", "S0_change", "reversal_percent"} <= set(patients.columns)
    assert ask(study, genes="S0", change=[-1, 1], condition="c1").table.equals(made.table)


def test_an_effect_that_chance_gives_is_no_answer() -> None:
    """As many intervals leave 0 out as do without any effect; with many more, nothing is said of chance."""
    question = read_questions([{"genes": "S0", "condition": "c1", "change": -1}])[0]
    low = np.r_[-1.0, 0.1, np.full(19, -0.1)]
    table = pd.DataFrame({"symbol": "S", "perturbed": np.arange(21) == 0, "do_g": 0.2, "do_g_shuffled_graph": 0.2,
                          "do_g_low": low, "do_g_high": 0.5})  # fmt: skip
    named = SimpleNamespace(symbols=["S0"])

    def said(table):
        return " ".join(_said(named, question, -1.0, np.array([-1.0]), [0], table, True))

    assert "1 of them" in said(table) and "Chance alone gives about 1.0 of 20: take this as no evidence" in said(table)
    assert "Chance alone" not in said(table.assign(do_g_low=0.1))


def test_refusals_have_a_reason_and_an_alternative(study: Study) -> None:
    leaf = ask(study, genes="S150", condition="c1")
    assert leaf.status == "association only" and "do_g" not in leaf.table
    assert "regulates nothing" in leaf.refusals[0]["reason"] and "S" in leaf.refusals[0]["alternative"]
    off = ask(study, genes="S0", change=[-1, 50], condition="c1")
    assert off.status == "answered" and "off the support" in off.refusals[0]["reason"]
    for question, said in (
        ({"genes": "NOPE", "condition": "c1"}, "not among the study's 200 genes"),
        ({"genes": "S0", "condition": "c9"}, "no condition 'c9'"),
        ({"genes": "S0", "condition": "c1", "donors": ["p1_1", "p1_2"]}, "only 2 profiles"),
        ({"targets": "c1", "donors": ["p1_1"]}, "only 1 profiles"),
    ):
        refused = ask(study, **question)
        assert refused.status == "refused" and said in refused.refusals[0]["reason"]
        assert refused.refusals[0]["alternative"], question


def test_batch_of_all_regulators(study: Study) -> None:
    made = ask(study, each="regulators", change="down", condition="c2")
    assert len(made.table) == 20 and made.table["symbol"].iloc[0] == "S0", "only this one does anything"
    assert {"reversal_percent", "sd_of_bootstraps", "mean_abs_change_shuffled_graph"} <= set(made.table.columns)
    mixed = ask(study, each=["S0", "S150", "NOPE"], condition="c2")
    assert mixed.status == "refused" and "NOPE" in mixed.refusals[0]["reason"]


def test_targets_come_with_columns_that_do_not_enter_the_rank(study: Study) -> None:
    made = ask(study, targets="c1")
    assert set(made.table["symbol"][:3]) == {"S3", "S4", "S5"}
    wanted = {"tumour_normal_t", "reversal_percent", "pan_essential", "dependent_own_lineage", "highest_normal_mean"}
    assert wanted <= set(made.table.columns)
    assert made.table.set_index("symbol")["druggable"].to_dict()["S3"]
    bare = answer(Question("t", "targets", condition="c1"), study)
    assert bare.table["symbol"].tolist() == made.table["symbol"].tolist()
    assert len(made.extra["other_genes"]) == G - 20
    # Each tumour against the same panel: their mean is the condition's difference.
    patients = made.extra["patients"].set_index("donor")
    assert patients.index.is_unique and len(patients) == 20
    difference = made.table.set_index("symbol")["expression_difference"]
    np.testing.assert_allclose(patients[difference.index].mean(), difference, atol=1e-3)
    values = patients.iloc[0][difference.index].astype(float)
    assert patients["highest"].iloc[0] == ", ".join(values.nlargest(3).index)
    assert "Personal data." in render(made, study="s", simulated=False, files=[])
    wide = dataclasses.replace(made, extra={"patients": pd.DataFrame(np.zeros((60, 40))).add_prefix("S")})
    assert "The first 50 of 60 rows and 30 of 40 columns" in render(wide, study="s", simulated=False, files=[])


def test_translation_is_cross_fitted_and_marked_as_personal(study: Study, tmp_path) -> None:
    made = ask(study, translate="tumour -> normal")
    patients = made.extra["patients"]
    assert len(patients) == 100 and patients["pair"].all()
    assert made.status == "no better than the class mean", "these tumours say nothing of their normals"
    assert made.extra["patients_profiles"].shape == (G, 102)
    write([made], tmp_path / "out", study="S", simulated=True)
    page = (tmp_path / "out/translate.html").read_text()
    assert "personal data" in page and "Simulated" in page
    few = Study.of(study.profiles[study.condition == "c1"].copy(), graph(), depth=1, seed=1)
    refused = answer(Question("t", "translate"), few)
    assert refused.status == "refused" and "20 pairs" in refused.refusals[0]["reason"]
    assert len(refused.table) == G and "class-mean normal" in refused.refusals[0]["alternative"]


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_profiles_that_stay_in_their_file_are_answered_alike(study: Study, tmp_path, compression) -> None:
    study.profiles.write_h5ad(tmp_path / "profiles.h5ad", compression=compression)
    stored = ad.read_h5ad(tmp_path / "profiles.h5ad", backed="r")
    there = Study.of(stored, graph(), depth=1, seed=1)
    assert isinstance(there.x.matrix, np.ndarray) == bool(compression), "only a file in chunks is read whole"
    questions = (
        {"genes": "S0", "change": [-1, 1], "condition": "c1"},
        {"each": "regulators", "change": "down", "condition": "c1"},
        {"targets": "c1"},
        {"translate": "tumour -> normal"},
    )
    for question in questions:
        here, made = ask(study, **question), ask(there, **question)
        assert here.words == made.words and list(here.extra) == list(made.extra)
        for table, other in zip((here.table, *here.extra.values()), (made.table, *made.extra.values()), strict=True):
            pd.testing.assert_frame_equal(table, other)


def test_pages_are_escaped_and_self_contained(study: Study, tmp_path) -> None:
    profiles = study.profiles.copy()
    profiles.var["symbol"] = ["<script>alert(1)</script>" if i == 0 else f"S{i}" for i in range(G)]
    hostile = Study.of(profiles, graph(), depth=1, seed=1)
    made = answer(Question("x", "genes", (GENES[0],), ("down",), "c1"), hostile)
    page = render(made, study="<b>", simulated=False, files=["x.tsv"])
    assert "<script" not in page and "<b>" not in page and "&lt;script&gt;" in page
    assert "http" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )
    write([made, ask(study, targets="c1")], tmp_path / "out", study="S", simulated=False)
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert {"index.html", "x.html", "x.tsv", "targets_c1.html", "targets_c1.other_genes.tsv"} <= names
    assert pd.read_csv(tmp_path / "out/x.tsv", sep="\t").shape[0] == G
    write([ask(study, targets="c1")], tmp_path / "out", study="S", simulated=False)
    assert not (tmp_path / "out/x.html").exists(), "answers to questions no longer asked are gone"
    write([ask(study, genes="S0", condition="C1")], tmp_path / "out", study="S", simulated=False)
    listed = (tmp_path / "out/index.html").read_text(encoding="utf-8")
    assert "no condition &#39;C1&#39;" in listed and "did you mean &#39;c1&#39;?" in listed


def test_graph_files(tmp_path) -> None:
    (tmp_path / "dorothea.tsv").write_text("tf\tconfidence\ttarget\tmor\nA\tA\tB\t1.0\nA\tD\tC\t-1\nA\tA\tB\t1\n")
    (tmp_path / "collectri.csv").write_text("source,target,weight,PMID\nA,B,1,x\nC,B,-1,y\n")
    assert len(read_graph(tmp_path / "dorothea.tsv")) == 2
    assert read_graph(tmp_path / "dorothea.tsv", ["A"]).values.tolist() == [["A", "B", 1]]
    assert read_graph(tmp_path / "collectri.csv", ["A"])["sign"].tolist() == [1, -1]
    with pytest.raises(UserError, match="no edge has confidence E") as error:
        read_graph(tmp_path / "dorothea.tsv", ["E"])
    assert "A, D" in error.value.remedy
    (tmp_path / "zero.tsv").write_text("regulator\ttarget\tsign\nA\tB\t0\n")
    (tmp_path / "short.tsv").write_text("regulator\ttarget\nA\tB\n")
    dense = [f"R{i}\tT{j}\t1" for i in range(5) for j in range(60) if (i + j) % 2]
    (tmp_path / "dense.tsv").write_text("\n".join(["regulator\ttarget\tsign", *dense]))
    for name, said in (
        ("zero", "says nothing"),
        ("short", "missing column"),
        ("dense", "50% of all"),
        ("no", "no graph"),
    ):
        with pytest.raises(UserError, match=said):
            read_graph(tmp_path / f"{name}.tsv")


def test_perturbations_are_less_their_controls(tmp_path) -> None:
    (tmp_path / "x.tsv").write_text("gene\tw1\tw2\tw3\tw4\nA\t1\t3\t0\t1\nB\t-1\t-1\t2\t0\n")
    (tmp_path / "c.tsv").write_text(
        "id\tpert_iname\tpert_type\nw1\tA\ttrt_sh\nw2\tA\ttrt_sh\nw3\tB\ttrt_sh\nw4\tEMPTY\tctl_vector\n"
    )
    found = read_perturbations(tmp_path / "x.tsv", tmp_path / "c.tsv")
    assert found.to_dict() == {"A": {"A": 1.0, "B": -1.0}, "B": {"A": -1.0, "B": 2.0}}
    assert read_perturbations(tmp_path / "x.tsv").shape == (2, 4)
    (tmp_path / "bad.tsv").write_text("gene\tw1\nA\tx\n")
    with pytest.raises(UserError, match="'x' is no number"):
        read_perturbations(tmp_path / "bad.tsv")
    (tmp_path / "c2.tsv").write_text("id\tpert_iname\tpert_type\nw1\tA\ttrt_sh\n")
    with pytest.raises(UserError, match="no well is a control"):
        read_perturbations(tmp_path / "x.tsv", tmp_path / "c2.tsv")


def test_linear_predictor_finds_a_linear_truth_and_refuses_few() -> None:
    rng = np.random.default_rng(0)
    embedding, weights, axes = rng.normal(size=(160, 6)), rng.normal(size=(6, 4)), rng.normal(size=(4, 80))
    mean = rng.normal(size=80)
    effects = mean + embedding @ weights @ axes + rng.normal(size=(160, 80))
    model = LinearPredictor.fit(effects[:120], embedding[:120], seed=0)
    made, truth = model.predict(embedding[120:]), effects[120:]
    error, baseline = ((made - truth) ** 2).mean(), ((effects[:120].mean(0) - truth) ** 2).mean()
    assert error < 0.3 * baseline
    null = LinearPredictor.fit(rng.normal(size=(120, 80)), embedding[:120], seed=0)
    assert np.abs(null.predict(embedding[120:]) - null.mean).std() < 0.2, "shrunk to the mean of the others"
    with pytest.raises(UserError, match="40 perturbations"):
        LinearPredictor.fit(effects[:40], embedding[:40], seed=0)


def test_profiles_of_tissue_are_needed(study: Study) -> None:
    cells = study.profiles.copy()
    cells.obs["level"] = "cell"
    with pytest.raises(UserError, match="no tissue-level profiles"):
        Study.of(ad.AnnData(cells.X, obs=cells.obs, var=cells.var), graph(), depth=1, seed=1)
