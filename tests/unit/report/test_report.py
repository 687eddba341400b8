"""Verdicts, tables, figures and the page, on small tables whose answer is known."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats
from support.reports import (
    CONFIG,
    FIGURES,
    METRICS,
    TABLES,
    augmentation_table,
    combination_table,
    fidelity_table,
    interventions_table,
    privacy_table,
    rows_of,
    whole_page,
)

from pseudocohort.core.io import evaluation_table
from pseudocohort.core.words import number, points
from pseudocohort.experiments.camda.verdict import verdict as camda_verdict
from pseudocohort.experiments.fidelity.verdict import verdict as fidelity_verdict
from pseudocohort.experiments.registry import describe, experiments
from pseudocohort.experiments.shared.outcomes import donors_that_tell
from pseudocohort.experiments.shared.statistics import summarise
from pseudocohort.experiments.shared.style import name_points, save
from pseudocohort.experiments.shared.verdicts import verdicts
from pseudocohort.report.cost import cost_table, costs
from pseudocohort.report.glossary import explained, glossary
from pseudocohort.report.overview import overview_of
from pseudocohort.report.studies import finished, render_studies
from pseudocohort.report.tables import summary_table
from pseudocohort.report.templating import beside_chip


def answer(name, table):
    return verdicts({name: table}, CONFIG)["questions"][name]


def test_numbers_and_signs():
    assert [number(0.123), number(-0.5), number(1.0), number(float("nan")), number(-0.001)] == [
        ".12", "−.50", "1.00", "n/a", ".00",
    ]  # fmt: skip
    assert [points(0.0412), points(-0.02), points(-0.0004)] == ["+4.1", "−2.0", "+0.0"]


def all_of(verdict):
    """Everything that a verdict says on the first page, in one string."""
    facts = [f"{label}: {text}" for label, text in verdict["facts"]]
    return " | ".join([verdict["answer"], *facts, verdict["advice"], *verdict["notes"]])


@pytest.mark.parametrize(
    ("status", "starts", "table"),
    [
        ("yes", "Yes: ", lambda: augmentation_table(0.05)),
        ("no", "No: ", lambda: augmentation_table(0.001, spread=0.004)),
        ("cannot_tell", "Cannot tell yet: ", lambda: augmentation_table(0.02, spread=0.05)),
        ("nothing_to_gain", "Nothing to gain: ", lambda: augmentation_table(0.0, ceiling=0.701)),
    ],
)
def test_augmentation_has_four_outcomes_each_with_its_number_baseline_and_advice(status, starts, table):
    found = answer("augmentation", table())
    assert found["status"] == status and found["answer"].startswith(starts)
    (_, gain), (label, baseline), *_ = found["facts"]
    assert "points [" in gain and label == "Real profiles alone" and ".70 (nearest shrunken centroids)" in baseline
    assert found["advice"]


def test_augmentation_says_yes_only_to_an_honest_gain():
    yes = answer("augmentation", augmentation_table(0.05))
    assert "ddpm with logistic regression" in yes["answer"] and yes["facts"][0][1].startswith("+5.0 points")
    assert yes["notes"] == ["The best control, copy with logistic regression, gains +0.0 points there."]
    assert yes["facts"][1][1] == ".70 (nearest shrunken centroids); with all of them .90"
    no = answer("augmentation", augmentation_table(0.001, spread=0.004))
    assert no["status"] == "no", "a gain of the oracle alone is no answer"
    assert no["advice"].startswith("Do not augment: nearest shrunken centroids")
    assert any("seen all training donors" in p for p in no["points"])
    assert any(".70 alone (nearest shrunken centroids), .90 with all" in p for p in no["points"])


def test_augmentation_says_what_would_tell():
    wide = answer("augmentation", augmentation_table(0.02, spread=0.05))
    wanted, now = map(int, re.search(r"set augmentation\.repeats: (\d+) \(now (\d+)\)", wide["advice"]).groups())
    assert wanted > now == 6


def test_a_control_is_never_the_best_generator():
    better = answer("augmentation", augmentation_table(0.03, control=0.08))
    assert "by ddpm with" in better["answer"] and "copy with logistic regression, gains +8.0" in better["notes"][0]
    assert not any("copy with logistic regression adds" in p for p in better["points"])
    assert better["advice"].startswith("Augment with copy, which gains as much as ddpm")
    assert answer("augmentation", augmentation_table(0.05))["advice"].startswith("Augment with ddpm")


def test_privacy_verdict_follows_the_corrected_test():
    leak = answer("privacy", privacy_table(0.97, 0.001))
    assert leak["status"] == "no" and leak["advice"].startswith("Do not share these cohorts.")
    assert "AUC .97" in leak["facts"][0][1] and "span residual on ddpm" in leak["facts"][0][1]
    silent = answer("privacy", privacy_table(0.53, 0.4))
    assert silent["status"] == "yes" and "not anonymity" in all_of(silent)
    assert silent["advice"].startswith("ddpm may be shared")


def test_privacy_verdict_says_what_sharing_costs():
    of = {"generator": "ddpm", "level": "tumour", "regime": "audit"}
    use = rows_of({"tstr_balanced_accuracy": [0.7] * 4, "members_balanced_accuracy": [0.77] * 4}, estimator="use", **of)
    found = answer("privacy", pd.concat([privacy_table(0.53, 0.4), evaluation_table(use)]))
    assert found["advice"].startswith("ddpm may be shared and costs 7 points of balanced accuracy.")


def test_privacy_verdict_of_too_few_audits_or_attacks_is_that_nobody_can_tell():
    whole = privacy_table(0.53, 0.4)
    for table in (privacy_table(0.53, 0.4, coins=2), whole[whole["estimator"] != "nearest_neighbour"]):
        found = answer("privacy", table)
        assert found["status"] == "cannot_tell" and "too few donors, coins or attacks" in found["answer"]
        assert "privacy.coins" in found["advice"]
    both = answer("privacy", pd.concat([whole, privacy_table(0.97, 0.001).assign(generator="mvn")]))
    assert both["status"] == "unclear" and both["answer"].startswith("In part: cohorts of ddpm may be shared")
    assert "Do not share the other cohorts" in both["advice"] and "cohorts of mvn (AUC .97" in all_of(both)


def test_interventions_verdict_asks_for_robustness_to_the_graph():
    assert answer("interventions", interventions_table(0.9, 0.7))["status"] == "yes"
    depends = answer("interventions", interventions_table(0.9, 0.4))
    assert depends["status"] == "unclear" and "as good as the graph" in depends["answer"]
    assert [label for label, _ in depends["facts"]] == [
        "Correlation, right graph", "Correlation, corrupted graph", "Correlation, no graph",
    ]  # fmt: skip


def test_combination_leads_with_what_lines_are_worth_without_labels():
    found = answer("combination", combination_table(0.2))
    assert found["status"] == "yes" and "without a single labelled one" in found["answer"]
    assert [(label, text.split()[0]) for label, text in found["facts"]] == [
        ("Balanced accuracy", ".80"), ("Chance", ".50"), ("Best without unlabelled patients", ".65"),
        ("With permuted labels of the lines", ".60"), ("With all labels", ".90"),
    ]  # fmt: skip
    assert "mvn, reaches .80 and loses to logistic regression" in all_of(found)
    assert any("50: .65; 100: .70" in p for p in found["points"])
    assert any("Recall of the mixture at k = 0: a .70, b .90" in p for p in found["points"])
    assert any("12 of 12 splits" in p and ".95 of the names are right" in p for p in found["points"])


def test_combination_names_the_level_that_stands_in_the_place_of_lines():
    config = {**CONFIG, "combination": {"cell_level": "normal"}}
    found = verdicts({"combination": combination_table(0.2)}, config)["questions"]["combination"]
    told = " ".join([found["question"], all_of(found), *found["points"]])
    assert "lines" not in told and "Train on the normal profiles and the unlabelled patients" in told
    lines = answer("combination", combination_table(0.2))
    assert "What are cell lines worth" in lines["question"] and "Train on the cell lines" in lines["advice"]


def test_combination_needs_the_control_with_wrong_names_and_patients_alone_to_lose():
    assert answer("combination", combination_table(0.0))["status"] == "no"
    table = combination_table(0.1)
    alone = (table["metric"] == "both_minus_tissue_only") | (table["n_real"] == 0) & (
        table["metric"] == "both_minus_permuted"
    )
    table.loc[alone, "value"] -= 0.1
    assert answer("combination", table)["status"] == "no"
    wide = combination_table(0.0)
    gain = wide["metric"].isin(["gain_over_real_only", "both_minus_permuted", "both_minus_tissue_only"])
    wide.loc[gain, "value"] *= 20
    told = answer("combination", wide)
    assert told["status"] == "cannot_tell" and "combination.draws" in told["advice"]


def test_fidelity_does_not_reward_the_photocopier():
    out = answer("fidelity", fidelity_table(real=0.5, copy=0.5, mvn=0.7, ddpm=0.56))
    assert out["status"] == "yes" and "profiles of ddpm" in out["answer"]
    assert dict(out["facts"])["Gaussian"] == ".70, coverage .91; clearly easier to tell"
    worse = answer("fidelity", fidelity_table(real=0.5, mvn=0.6, ddpm=0.8))
    assert worse["status"] == "no" and "clearly harder to tell" in all_of(worse)
    alone = answer("fidelity", fidelity_table(real=0.5, copy=0.5, mvn=0.6))
    assert "network" not in all_of(alone) and "mvn" in alone["answer"]  # none was trained


def test_what_the_chip_says_is_not_said_twice():
    assert beside_chip("Yes, within 5 points: .84") == "Within 5 points: .84"
    assert beside_chip("Refused: no graph.") == "No graph." and beside_chip("Nobody knows.") == "Nobody knows."
    assert beside_chip("Cannot tell without held-out donors: x") == "Without held-out donors: x"


def test_fidelity_compares_intervals():
    near = answer("fidelity", fidelity_table(spread=0.3, real=0.5, mvn=0.63, ddpm=0.62))
    assert near["status"] == "cannot_tell" and "no clear difference" in all_of(near)
    assert near["advice"].startswith("Check any result on these profiles against real ones.")
    far = answer("fidelity", fidelity_table(spread=0.3, real=0.5, ddpm=0.45))
    assert re.search(r"set fidelity\.repeats: \d+ \(now 3\)", far["advice"])


def test_fidelity_seldom_says_yes_where_the_best_of_many_is_just_too_far():
    """Six generators at the margin: the best by chance was called close in most tables; and real halves vary."""
    rng, said = np.random.default_rng(0), []
    for _ in range(30):
        spread = {"real": rng.normal(0.5, 0.05, 5)} | {f"g{i}": rng.normal(0.6, 0.03, 5) for i in range(6)}
        rows = [
            row
            for generator, area in spread.items()
            for row in rows_of(
                dict.fromkeys(METRICS, [0.9] * 5) | {"discriminator_auc": area, "memorisation_share": [0.0] * 5},
                generator=generator,
            )
        ]
        said.append(fidelity_verdict(evaluation_table(rows), {})["status"])
    assert stats.binomtest(said.count("yes"), len(said), 0.05, alternative="greater").pvalue > 1e-3
    assert said.count("no") == 0


def test_fidelity_without_ceiling_or_generators_does_not_say_that_profiles_are_repeated():
    table = fidelity_table(real=0.5, ddpm=0.56)
    for name in ("real", "ddpm"):
        found = answer("fidelity", table[table["generator"] != name])
        assert found["status"] == "cannot_tell" and "repeats" not in found["answer"]


def test_a_control_that_gains_is_not_advised_against():
    found = answer("augmentation", augmentation_table(0.001, spread=0.004, control=0.08))
    assert found["status"] == "no" and "but not for controls" in found["answer"]
    assert found["advice"].startswith("Use copy, a control: it gains +8.0 [") and "Do not augment" not in all_of(found)


def test_a_gain_above_the_ceiling_is_not_nothing_to_gain():
    assert answer("augmentation", augmentation_table(0.05, ceiling=0.701))["status"] == "yes"


def test_the_overview_is_of_the_setting_of_the_answer():
    sure = augmentation_table(0.02, ceiling=0.701, spread=0.05)  # nothing to gain there
    open_ = augmentation_table(0.01, spread=0.05).replace({"task": {"t": "u"}})
    table = pd.concat([sure, open_])
    found = verdicts({"augmentation": table}, CONFIG)
    assert found["questions"]["augmentation"]["status"] == "cannot_tell"
    assert found["overview"][0]["values"]["ddpm"][0] == pytest.approx(0.01)


def test_missing_scores_of_a_generator_do_not_name_it_the_best():
    table = augmentation_table(0.05)
    lost = table[table["generator"] == "ddpm"].assign(generator="cvae")
    found = answer("augmentation", pd.concat([lost.assign(value=np.nan), table]))
    assert found["status"] == "yes" and "by ddpm with" in found["answer"] and "n/a" not in all_of(found)


def test_combination_does_not_say_no_gain_over_patients_where_wrong_names_do_as_well():
    table = combination_table(0.2)
    table.loc[table["metric"] == "both_minus_permuted", "value"] -= 0.2
    found = answer("combination", table)
    assert found["status"] == "no" and "or over permuted labels" in found["answer"]
    unmeasured = answer("combination", table[table["metric"] != "both_minus_permuted"])
    assert unmeasured["status"] == "cannot_tell" and "too small" not in all_of(unmeasured)


def test_combination_is_not_decided_by_few_equal_draws_nor_parity_by_two():
    table = combination_table(0.1)
    gain = table["metric"].isin(["gain_over_real_only", "both_minus_permuted", "both_minus_tissue_only"])
    few = table[table["repeat"] < 3].copy()
    few.loc[gain[few.index] | (few["metric"] == "balanced_accuracy"), "value"] = 0.75
    few = few[few["n_real"] != 0]
    found = answer("combination", few)
    assert found["status"] == "cannot_tell" and re.search(r"\b10 draws would tell", found["advice"])
    two = combination_table(0.2)
    two = two[(two["generator"] != "mvn") | (two["repeat"] < 2)]
    assert "mvn, reaches .79 and cannot yet be told apart from logistic regression" in all_of(
        answer("combination", two)
    )


@pytest.mark.parametrize(("gain", "status"), [(0.0, "no"), (0.4, "cannot_tell")])
def test_interventions_say_no_only_where_a_gain_is_excluded(gain, status):
    table = interventions_table(0.5, 0.5)
    over = table["metric"] == "pearson_delta_gain_over_see"
    table.loc[over, "value"] = np.resize([gain, -gain], over.sum())
    found = answer("interventions", table)
    assert found["status"] == status and ("not clearly better" in found["answer"]) == (status == "cannot_tell")


def folds_table(deals, rng):
    """Accuracy of ddpm and of the Gaussian on the same donors, dealt anew: the difference is that of the donors."""
    donors, values = rng.normal(0, 0.05, 100), []
    for _ in range(deals):
        values += [part.mean() for part in np.array_split(rng.permutation(donors), 5)]
    metrics = ("accuracy", "coverage", "correlation_score_within", "discriminator_auc", "closer_to_train_share", "mmd")
    rows = []
    for generator, more in (("real", 0), ("mvn", 0), ("ddpm", np.array(values))):
        noise = np.zeros(5 * deals)
        rows += rows_of(dict.fromkeys(metrics, 0.5 + noise) | {"accuracy": 0.8 + noise + more}, generator=generator)
    return evaluation_table(rows)


def test_folds_dealt_anew_do_not_show_a_difference_that_is_not_there():
    rng = np.random.default_rng(0)
    said = [camda_verdict(folds_table(6, rng), {"camda": {"folds": 5}}) for _ in range(40)]
    wrong = sum(found["status"] == "yes" for found in said)
    assert stats.binomtest(wrong, len(said), 0.025, alternative="greater").pvalue > 1e-3
    unclear = next(found for found in said if found["status"] == "cannot_tell")
    assert "times as many donors would" in unclear["advice"]


def test_donors_that_tell_are_as_many_as_the_least_certain_difference_needs():
    rng = np.random.default_rng(0)
    close, wide = 0.001 * rng.normal(size=10), 0.001 * rng.normal(size=10)
    shared = {"close": 0.0, "wide": 0.03}  # of the second, what its ten values share is nearly all

    def needed(level, power, distance):
        half = 0.03 * stats.t.ppf(level, 9) * (1 + stats.norm.ppf(power) / stats.norm.ppf(level))
        return (half / distance) ** 2

    found = donors_that_tell({"close": close, "wide": wide}, shared)  # the close one is known to gain no point
    assert found == pytest.approx(needed(0.975, 0.9, 0.01 - wide.mean()), rel=0.01)
    found = donors_that_tell({"close": close, "wide": wide + 0.05}, shared)
    assert found == pytest.approx(needed(0.9875, 0.8, 0.05 + wide.mean()), rel=0.01)


def test_the_overview_has_the_columns_of_the_experiments_that_were_run():
    found = verdicts({name: TABLES[name] for name in ("augmentation", "privacy", "fidelity")}, CONFIG)["overview"]
    assert [c["experiment"] for c in found] == ["augmentation", "privacy", "fidelity"]  # no use was measured
    gain, leakage, fidelity = found
    assert gain["values"]["ddpm"][0] == pytest.approx(0.05) and gain["ceiling"][1] == pytest.approx(0.2)
    assert leakage["values"]["ddpm"][0] == pytest.approx(0.97) and leakage["marks"] == {}
    assert fidelity["marks"] == {"copy": "copies"} and "real" not in fidelity["values"]
    assert found == json.loads(json.dumps(found, allow_nan=False))


def test_cells_of_the_overview_lie_between_floor_and_ceiling():
    column = {
        "title": "Leakage", "note": "n", "values": {"copy": [1.0, None, None], "ddpm": [0.6, 0.55, 0.65]},
        "floor": ["found", 1.0], "ceiling": ["guess", 0.5], "points": False, "marks": {"ddpm": "may be shared"},
    }  # fmt: skip
    cost = pd.DataFrame({"Generator": ["ddpm"], "Training, s": [100.0], "Sampling, s": [200.0]})
    found = overview_of([column], {"generators": ["copy", "ddpm", "mvn"]}, cost)
    (first, _, ddpm), (last, kind, copy) = found.rows
    assert (first, last, kind) == ("ddpm", "copy", "control")  # controls last; mvn was not in the experiment
    assert (ddpm[0].text, ddpm[0].place, ddpm[0].mark) == (".60 [.55, .65]", 0.8, "may be shared")
    assert (copy[0].text, copy[0].place) == ("1.00", 0.0)
    assert (ddpm[1].text, ddpm[1].sort, copy[1].text) == ("5 min", 300.0, "–")
    assert (found.ceiling[0].text, found.floor[0].text) == (".50 (guess)", "1.00 (found)")
    assert overview_of([], {"generators": ["copy"]}, cost) is None


def test_questions_without_tables_say_so():
    assert {q["status"] for q in verdicts({}, CONFIG)["questions"].values()} == {"not_run"}


@pytest.mark.parametrize("name", TABLES)
def test_figures_are_valid_svg_and_the_same_twice(name, tmp_path):
    summary = summarise(TABLES[name])
    for i in (1, 2):
        save(FIGURES[name].draw(summary, CONFIG), tmp_path / f"{i}.svg")
    first = (tmp_path / "1.svg").read_bytes()
    assert first == (tmp_path / "2.svg").read_bytes()
    assert len(list(ET.fromstring(first).iter("{http://www.w3.org/2000/svg}g"))) > 15


@pytest.mark.parametrize("name", TABLES)
def test_summary_tables_have_a_cell_for_every_column(name):
    table = summary_table(describe(name), summarise(TABLES[name]))
    assert table.rows and all(len(row) == len(table.header) for row in table.rows)


@pytest.fixture
def html(tmp_path):
    return whole_page(tmp_path)


def test_page_is_self_contained_and_escaped(html):
    assert "<script>alert(1)" not in html and "&lt;script&gt;" in html and "<b>x</b>" not in html
    assert "Simulated data" in html and "<code>copy</code>" in html
    assert not re.search(r"""\b(?:src|href)=["'](?!#|data:)""", html)
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    for anchor in re.findall(r'href="#([^"]+)"', html):
        assert anchor in ids
    assert "Joint embedding" in html and "9.10" in html and html.count("What to do:") >= 8
    assert html.index("Do synthetic profiles improve") < html.index("<figure")


def test_cost_is_that_of_the_jobs_of_each_generator(tmp_path):
    head = "s\th:m:s\tmax_rss\tmax_vms\n"
    for path, row in {
        "train/full/ddpm/b000.tsv": "10.4\t0:00:10\t512.0\t1",
        "train/privacy/ddpm/b000.tsv": "30.2\t0:00:30\t2048.0\t1",
        "generate/full/ddpm/b000.tsv": "5.0\t0:00:05\t3072.0\t1",
        "train/full/copy/b000.tsv": "0.1\t0:00:00\t-\t-",
        "train/full/ddpm_plain/b000.tsv": "99\t0:01:39\t9999\t1",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(f"{head}{row}\n")
    found = cost_table(costs(tmp_path, ["copy", "ddpm", "absent"]))
    assert [[cell.text for cell in row] for row in found.rows] == [
        ["copy", "1", "0", "0", "n/a"],
        ["ddpm", "2", "41", "5", "3"],
    ]
    assert cost_table(costs(tmp_path / "nothing", ["copy"])) is None


def test_levels_figure_shows_three_panels_with_and_two_without_synthetic_tissue(tmp_path):
    import anndata as ad

    from pseudocohort.experiments.combination.figures import levels

    rng = np.random.default_rng(0)

    def profiles(level: str, n: int) -> ad.AnnData:
        obs = pd.DataFrame(
            {"condition": np.resize(["a", "b"], n), "level": level}, index=[f"{level}{i}" for i in range(n)]
        )
        return ad.AnnData(rng.normal(size=(n, 6)).astype(np.float32), obs=obs)

    tissue, lines = profiles("tumour", 30), profiles("pseudobulk", 8)
    for synthetic, panels in ((profiles("tumour", 20), 3), (None, 2)):
        figure = levels.draw(tissue, lines, ["a", "b"], synthetic, "mvn")
        assert len(figure.axes) == panels
        save(figure, tmp_path / "levels.svg")
    assert b"Scaled by level" in (tmp_path / "levels.svg").read_bytes()


def test_terms_are_explained_once_per_text_and_never_in_literals():
    made = explained("A <b>member</b> of the ``coin`` is a member; coins, levels")
    assert made.count('class="term"') == 3 and "<code>coin</code>" in made and "&lt;b&gt;" in made
    assert 'href="#term-member"' in made and 'href="#term-level"' in made
    anchors = [term.anchor for term in glossary()]
    assert len(anchors) == len(set(anchors)) > 20


def test_the_glossary_of_the_documentation_is_that_of_the_report(project_root):
    done = subprocess.run([sys.executable, "tools/glossary_page.py", "--check"], cwd=project_root, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def test_documentation_that_the_report_names_exists(project_root):
    for experiment in experiments().values():
        page, _, anchor = experiment.documentation.partition("#")
        heads = re.findall(r"^#+ (.+)$", (project_root / "docs" / page).read_text(), re.M)
        assert anchor in {re.sub(r"[^\w-]", "", h.lower().replace(" ", "-")) for h in heads}, experiment.documentation


def test_points_of_a_map_say_which_sample_they_are(tmp_path):
    figure, ax = plt.subplots()
    name_points(ax.scatter(range(30), range(30)), [f"sample <{i}>" for i in range(30)])
    save(figure, tmp_path / "map.svg")
    tree = ET.parse(tmp_path / "map.svg")
    titles = [t.text for t in tree.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == [f"sample <{i}>" for i in range(30)]
    assert "point:" not in (tmp_path / "map.svg").read_text()


def test_the_page_of_studies_has_their_answers_side_by_side(tmp_path):
    for name, title in (("one", "<i>First</i>"), ("two", "Second")):
        for folder in ("tables", "report", "provenance"):
            (tmp_path / name / folder).mkdir(parents=True)
        made = verdicts({"privacy": privacy_table(0.97 if name == "one" else 0.53, 0.001)}, CONFIG)
        (tmp_path / name / "tables/verdicts.json").write_text(json.dumps(made))
        config = {"study": name, "title": title, "simulated": name == "one", "generators": ["ddpm"]}
        (tmp_path / name / "provenance/config.yaml").write_text(yaml.safe_dump(config))
        (tmp_path / name / "report/index.html").write_text("")
    (tmp_path / "unfinished/tables").mkdir(parents=True)
    (tmp_path / "unfinished/tables/verdicts.json").write_text("{}")
    found = finished(tmp_path)
    assert [study["study"] for study in found] == ["one", "two"]
    html = render_studies(found, "0")
    assert 'href="one/report/index.html"' in html and "<i>First" not in html
    assert html.count("Do not share these cohorts") == 1 and "Augmentation" not in html
    assert "No study has a report yet" in render_studies([], "0")
