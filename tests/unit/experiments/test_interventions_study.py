"""From a configuration to answers, scores, verdict and figure, on a small simulated cohort with files of its own."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import yaml
from support.interventions import LINEAGES, G, cohort, dependencies, graph

from pseudocohort.configuration import complete
from pseudocohort.core.contracts import check_evaluation
from pseudocohort.core.errors import UserError
from pseudocohort.experiments.interventions import EXPERIMENT, translation
from pseudocohort.experiments.interventions.figures.interventions import draw
from pseudocohort.experiments.interventions.plan import check
from pseudocohort.experiments.interventions.truths import scores
from pseudocohort.experiments.interventions.verdict import verdict
from pseudocohort.experiments.shared.statistics import summarise
from pseudocohort.intervene.answers import Answer
from pseudocohort.intervene.figures import figures
from pseudocohort.intervene.run import answers, questions_of, study_of
from pseudocohort.release import inputs as release_inputs


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> tuple[ad.AnnData, ad.AnnData, dict, str]:
    """Profiles, lines, settings and the folder of the files that the settings name."""
    folder = tmp_path_factory.mktemp("data")
    profiles = cohort()
    profiles.obs["donor"] = [f"p{i // 40}_{i % 20}" for i in range(profiles.n_obs)]
    graph().edges.to_csv(folder / "graph.tsv", sep="\t", index=False)
    known = dependencies().dependent
    known.rename_axis("gene_name").reset_index().to_csv(folder / "tiers.csv", index=False)
    rng = np.random.default_rng(0)
    effects = rng.normal(size=(60, 12)) + rng.normal(size=(60, 1))
    symbols = [f"S{i}" for i in range(60)]
    pd.DataFrame(effects, symbols, symbols[:12]).rename_axis("gene").to_csv(folder / "screen.tsv", sep="\t")
    chosen = known.columns[::2]  # of all lineages
    lines = [str(c).split("_")[0] for c in chosen]
    x = rng.normal(5, 1, (len(lines), G))
    for gene in range(3):  # lines that depend on these express them more
        x[:, gene] += 4 * known.loc[f"S{gene}", chosen].to_numpy()
    cells = ad.AnnData(
        np.maximum(x, 0).astype(np.float32), obs=pd.DataFrame({"donor": lines}, index=lines), var=profiles.var.copy(),
        uns={"pseudocohort": {"unit": "log2_tpm", "log_offset": 1.0, "dataset": "lines"}},
    )  # fmt: skip
    settings = EXPERIMENT.defaults | {
        "graph": "{data_root}/graph.tsv", "dependencies": ["{data_root}/tiers.csv"], "lineages": LINEAGES,
        "perturbations": "{data_root}/screen.tsv", "truths": ["pairs", "dependencies", "perturbations"],
        "questions": [{"targets": "c1"}, {"genes": "S0", "condition": "c2"}],
    }  # fmt: skip
    return profiles, cells, settings, str(folder)


def ask_dependencies(study, settings: dict, root: str, lines: list) -> Answer:
    asked = settings | {"questions": [{"dependencies": "c0"}]}
    return answers(study, asked, root=root, lines=lines)[0]


def test_dependencies_are_carried_from_lines_to_tumours(world, monkeypatch: pytest.MonkeyPatch) -> None:
    profiles, cells, settings, root = world
    monkeypatch.setattr("pseudocohort.intervene.lines.log2_expression", lambda data: data.X)
    made = ask_dependencies(study_of(profiles, settings, seed=1, root=root), settings, root, [cells])
    table = made.table
    assert made.status == "answered" and {"Unit", "Interval"} <= set(made.facts)
    (picture, caption) = figures(made)[0]
    assert table["symbol"][0] in picture and "baselines" in caption
    # Condition 0 expresses the first three regulators, and lines that express them depend on them.
    assert set(table["symbol"][:3]) & {"S0", "S1", "S2"}
    first = table.set_index("symbol").loc[table["symbol"][0]]
    assert first["difference_low"] > 0 and first["r_held_out_model"] > first["r_held_out_lineage_mean"]
    assert first["r_held_out_model"] > first["r_held_out_confounders"] != 0
    # Levels differ in every gene's mean and spread: tumours moved as a whole have the same dependencies.
    moved = profiles.copy()
    tumour = (moved.obs["level"] == "tumour").to_numpy()
    moved.X[tumour] = 3 + 1.5 * moved.X[tumour]
    again = ask_dependencies(study_of(moved, settings, seed=1, root=root), settings, root, [cells])
    pd.testing.assert_frame_equal(again.table, table, rtol=1e-3, atol=1e-3)


def test_answers_of_a_configuration(world) -> None:
    profiles, _, settings, root = world
    study = study_of(profiles, settings, seed=1, root=root)
    assert "graph.tsv (sha256 " in study.graph_label and "confidence" not in study.graph_label
    table = pd.read_csv(f"{root}/graph.tsv", sep="\t").assign(confidence="A")
    table.to_csv(f"{root}/levels.tsv", sep="\t", index=False)
    levels = study_of(profiles, settings | {"graph": "{data_root}/levels.tsv"}, seed=1, root=root)
    assert levels.graph_label.endswith("confidence A, B, C")
    made = answers(study, settings, root=root)
    assert [a.question.name for a in made] == ["targets_c1", "S0_down_c2"]
    assert {a.status for a in made} == {"answered"}
    assert "dependent_own_lineage" in made[0].table
    assert ask_dependencies(study, settings, root, []).status == "refused"
    with pytest.raises(UserError, match="no graph is given"):
        study_of(profiles, settings | {"graph": ""}, seed=1)
    with pytest.raises(UserError, match="no question is asked"):
        questions_of(settings | {"questions": []})


def test_scores_verdict_and_figure(world, monkeypatch: pytest.MonkeyPatch) -> None:
    profiles, cells, settings, root = world
    monkeypatch.setattr(translation, "CURVE", ())
    monkeypatch.setattr("pseudocohort.intervene.lines.log2_expression", lambda data: data.X)
    few = cells[:5].copy()
    few.uns["pseudocohort"] = cells.uns["pseudocohort"] | {"dataset": "few"}
    table = pd.concat(scores(profiles, [few, cells], settings, study="s", seed=1, root=root), ignore_index=True)
    check_evaluation(table, "test")
    of_pairs = {"translate", "translate_unseen", "translate_attacked"}
    assert set(table["task"]) == {*of_pairs, "targets", "dependencies", "perturbations"}
    summary = summarise(table)
    key = summary.set_index(["task", "generator", "estimator", "metric"]).sort_index()
    assert key.loc[("dependencies", "own_expression", "regulators", "dependent_auroc"), "value"].mean() > 0.55
    others = summary[(summary["generator"] == "mean_of_other_perturbations") & (summary["metric"] == "pearson")]
    assert others["value"].iloc[0] > 0.4, "what all perturbations share is found by their mean"
    said = verdict(table, {})
    for part in ("Targets:", "own normal", "DO|G was asked 12", "lines"):
        assert part in said["answer"]
    assert said["status"] == "unclear" and "nan" not in said["answer"] and "n/a" not in said["answer"]
    figure = draw(summary, {})
    assert len([ax for ax in figure.axes if ax.get_visible()]) == 4
    shown = [m for m in EXPERIMENT.columns if (summary["metric"] == m).any()]
    assert {"r2", "own_rank", "matched_minus_mismatched", "pearson", "dependent_auroc"} <= set(shown)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"truths": []}, "truths"),
        ({"truths": ["effects"], "truth": ""}, "truth"),
        ({"truths": ["dependencies"], "dependencies": []}, "dependencies"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(world, changes: dict, where: str) -> None:
    with pytest.raises(UserError) as error:
        check({"interventions": world[2] | changes, "data_root": world[3]}, {})
    assert where in error.value.where and error.value.remedy


def test_a_release_has_no_answers(project_root) -> None:
    """Translated profiles are personal data: what a release is made from names no file of the stage."""
    demo = yaml.safe_load((project_root / "config/demo.yaml").read_text())
    config = complete(demo, project_root / "workflow/schemas")
    files = [release_inputs.synthetic_file(config), *release_inputs.privacy_files(config)]
    assert files and not any("interventions" in file for file in files)
