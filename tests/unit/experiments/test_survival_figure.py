"""The figure of survival: the regressions are those of the score, and what a reader sees is what was found."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from pseudocohort.core import contracts
from pseudocohort.core.io import evaluation_table, write_profiles, write_table
from pseudocohort.experiments.fidelity import score
from pseudocohort.experiments.fidelity.figures import survival
from pseudocohort.experiments.registry import figure_inputs, figures_of
from pseudocohort.experiments.shared.inputs import ScoreInputs
from pseudocohort.experiments.shared.statistics import summarise
from pseudocohort.experiments.shared.style import save

KINDS = {"days": "time", "died": "event"}
GENES, PROGNOSTIC = 60, 8
BULK = {"technology": "bulk", "aggregation": "bulk", "context": "tumour", "level": "tumour"}


def cohort(n, seed, log_hr=0.9):
    """Tumours of two conditions; eight genes go with survival, up and down by turns."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, GENES))
    effect = np.where(np.arange(GENES) < PROGNOSTIC, log_hr * (-1.0) ** np.arange(GENES), 0)
    time, end = rng.exponential(size=n) * np.exp(-x @ effect), rng.uniform(0, 5, n)
    ids = [f"s{seed}-{i}" for i in range(n)]
    obs = pd.DataFrame(
        {"donor": ids, "dataset": "toy", "condition": np.where(np.arange(n) % 2, "A", "B"), **BULK, "unit": "tpm",
         "library_size": 0.0, "days": np.minimum(time, end) * 1000, "died": (time <= end) * 1.0},
        index=ids,
    )  # fmt: skip
    var = pd.DataFrame({"symbol": [f"G{i}" for i in range(GENES)]}, index=[f"ENSG{i:011d}" for i in range(GENES)])
    uns = {"pseudocohort": {"unit": "log2 expression", "scale": "unscaled", "covariates": KINDS}}
    return ad.AnnData((8 + x).astype(np.float32), obs=obs, var=var, uns=uns)


@pytest.fixture(scope="module")
def study():
    real = cohort(700, 1)
    role = np.where(np.arange(700) < 100, "train", "test")
    members = pd.DataFrame(
        {"training_set": "full-r0", "sample_id": real.obs_names, "role": role, "condition": real.obs["condition"]}
    )
    blank = cohort(600, 4)
    blank.obs[["days", "died"]] = np.nan
    return real, members, {"mvn": cohort(600, 2), "independent": cohort(600, 3, log_hr=0.0), "copy": blank}


@pytest.fixture(scope="module")
def pairs(study):
    real, members, synthetic = study
    return survival.pairs_of(real, synthetic, members, ("days", "died"), seed=5)


def summary_of(study, generator=None):
    real, members, synthetic = study
    sets = pd.DataFrame({"training_set": ["full-r0"], "repeat": [0], "seed": [1]})
    parts = []
    for name in ["real", *synthetic] if generator is None else [generator]:
        made = {} if name == "real" else {"full-r0": synthetic[name]}
        given = ScoreInputs(real, made, sets, members, study="s", generator=name, settings={"neighbours": 5}, seed=5)
        parts.append(score.fidelity(given))
    return summarise(pd.concat(parts, ignore_index=True))


@pytest.mark.parametrize("name", ["real", "mvn", "independent"])
def test_regressions_are_those_of_the_score(name, study, pairs, monkeypatch):
    scored = []
    recovery = score.survival_recovery
    monkeypatch.setattr(score, "survival_recovery", lambda *given: scored.append(recovery(*given)) or scored[-1])
    summary_of(study, name)
    pair = pairs[name]
    assert scored[0]["survival_log_hr_r"] == pytest.approx(np.corrcoef(pair.truth.log_hr, pair.found.log_hr)[0, 1])


def test_genes_have_the_colour_of_what_was_found(study, pairs, tmp_path):
    assert list(pairs) == ["real", "mvn", "independent"]  # copies have no follow-up
    truth = np.arange(GENES) < PROGNOSTIC
    for name in ("real", "mvn"):
        both = survival._groups(pairs[name])["in both, same sign"]
        assert both[truth].sum() >= 7 and both[~truth].sum() == 0
    assert not survival._groups(pairs["independent"])["in both, same sign"].any()
    figure = survival.draw(pairs, study[0].var["symbol"].to_numpy(), summary_of(study))
    titles = [ax.get_title("left") for ax in figure.axes]
    assert titles[0] == "log hazard ratios, r" and [t.split(":")[0] for t in titles[1:]] == [
        "other real patients", "independent", "mvn"
    ]  # fmt: skip
    values = [float(t.rpartition(" ")[2].replace("−", "-")) for t in titles[1:]]
    assert min(values[0], values[2]) > 0.7 and abs(values[1]) < 0.4
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["real", "independent", "mvn"]
    save(figure, tmp_path / "survival.svg")
    drawn = (tmp_path / "survival.svg").read_text()
    assert "<title>G0: in both, same sign</title>" in drawn and "G59" not in drawn


def test_too_few_events_are_said(study, tmp_path):
    real, members, synthetic = study
    few = real.copy()
    few.obs["died"] = np.where(np.cumsum(few.obs["died"]) <= 9, few.obs["died"], 0)
    assert survival.pairs_of(few, synthetic, members, ("days", "died"), seed=5) == {}
    nothing = summarise(
        evaluation_table(
            [{"study": "s", "generator": "real", "repeat": 0, "seed": 1, "metric": "discriminator_auc", "value": 0.5}]
        )
    )
    save(survival.draw({}, real.var["symbol"].to_numpy(), nothing), tmp_path / "survival.svg")
    assert "fewer than 10 events" in (tmp_path / "survival.svg").read_text()


def test_a_study_has_the_figure_where_its_patients_have_a_follow_up(study, tmp_path):
    config = {"experiments": ["fidelity"], "generators": ["mvn"], "seed": 5, "prepare": {"survival": {}}}
    assert "survival" not in figures_of(config)
    config["prepare"]["survival"] = {"time": "days", "event": "died"}
    files = figure_inputs(config, "survival", lambda *_: ["b000"])
    assert set(files) == {"profiles", "members", "synthetic", "summary"}
    real, members, synthetic = study
    at = {name: [path.replace("<results>", str(tmp_path)) for path in paths] for name, paths in files.items()}
    write_profiles(real, at["profiles"][0], contracts.HARMONISED)
    write_table(members, at["members"][0])
    made = synthetic["mvn"].copy()
    made.obs = made.obs.drop(columns=["donor", "dataset", "unit", "library_size"]).assign(
        training_set="full-r0", generator="mvn"
    )
    write_profiles(made, at["synthetic"][0], contracts.SYNTHETIC)
    write_table(summary_of(study), at["summary"][0])
    titles = [ax.get_title("left") for ax in survival.figure(at, {"seed": 5}).axes]
    assert len(titles) == 3 and titles[2].startswith("mvn: r .")
