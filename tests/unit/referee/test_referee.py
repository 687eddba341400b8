"""The referee: known leaks are found, harmless cohorts are not accused, and what cannot be judged is said."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from pseudocohort.core.errors import UserError
from pseudocohort.referee import audit, measure, verdicts
from pseudocohort.referee.cohorts import COUNTS, LINEAR, LOG, Cohort, read, together, unit_of
from pseudocohort.referee.command import add_arguments, run
from pseudocohort.referee.page import render

GENES, CONDITIONS = 80, "ABC"
RNG = np.random.default_rng(7)
MEANS = 8 + RNG.normal(0, 0.4, (len(CONDITIONS), GENES))
LOADINGS = RNG.normal(0, 0.5, (5, GENES))


def patients(n: int, name: str, seed: int) -> pd.DataFrame:
    """Profiles of one population: three conditions, five common factors, noise; log2."""
    rng = np.random.default_rng(seed)
    label = np.resize(list(CONDITIONS), n)
    x = MEANS[np.resize(range(3), n)] + rng.normal(size=(n, 5)) @ LOADINGS + rng.normal(0, 0.5, (n, GENES))
    ids = [f"{name}{i}" for i in range(n)]
    frame = pd.DataFrame(x, columns=[f"g{i}" for i in range(GENES)], index=ids)
    return frame.assign(subtype=label, patient=[f"P{i}" for i in ids])


def smote(train: pd.DataFrame) -> pd.DataFrame:
    """Between each training profile and one of its five nearest of the same condition."""
    rng, rows, labels = np.random.default_rng(1), [], []
    for label, own in train.groupby("subtype"):
        x = own.iloc[:, :GENES].to_numpy()
        distance = ((x[:, None] - x[None]) ** 2).sum(-1)
        np.fill_diagonal(distance, np.inf)
        for i in range(len(x)):
            other = np.argsort(distance[i])[rng.integers(5)]
            rows.append(x[i] + rng.random() * (x[other] - x[i]))
            labels.append(label)
    return pd.DataFrame(rows, columns=train.columns[:GENES]).assign(subtype=labels)


def gaussian(train: pd.DataFrame, seed: int = 2) -> pd.DataFrame:
    """Sample mean and sample covariance of each condition."""
    rng, parts = np.random.default_rng(seed), []
    for label, own in train.groupby("subtype"):
        x = own.iloc[:, :GENES].to_numpy()
        centred = x - x.mean(0)
        made = x.mean(0) + rng.normal(size=(len(x), len(x))) @ centred / np.sqrt(len(x) - 1)
        parts.append(pd.DataFrame(made, columns=train.columns[:GENES]).assign(subtype=label))
    return pd.concat(parts, ignore_index=True)


TRAIN, HOLDOUT, REFERENCE = patients(75, "t", 11), patients(120, "h", 12), patients(60, "r", 13)
ROLES = {"train": TRAIN, "holdout": HOLDOUT, "reference": REFERENCE, "condition": "subtype", "donor": "patient"}
ATTACKS_ONLY = {"evaluations": ["privacy"], "controls": ()}


def area(found, attack: str, generator: str = "synthetic", regime: str = "audit") -> pd.Series:
    t = found.table
    keep = (t["metric"] == "auc") & (t["generator"] == generator) & (t["regime"] == regime)
    return t[keep & (t["estimator"] == attack)].iloc[0]


@pytest.fixture(scope="module")
def of_smote():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "HALVINGS", 2)
        return audit(**ROLES, synthetic=smote(TRAIN), controls=["independent"], random_state=3)


@pytest.fixture(scope="module")
def of_others():
    """A cohort of real profiles of donors who are in no role."""
    return audit(**ROLES, synthetic=patients(75, "o", 14).drop(columns="patient"), **ATTACKS_ONLY)


def test_smote_is_found_by_its_nearest_neighbours(of_smote):
    assert of_smote.verdicts["privacy"]["status"] == "no"
    found = area(of_smote, "nearest_neighbour")
    assert found["value"] > 0.75 and found["ci_low"] > 0.6 and found["ci_high"] <= 1
    # The same number from distances alone, on the scale of the reference.
    made, x = smote(TRAIN).iloc[:, :GENES], pd.concat([TRAIN, HOLDOUT]).iloc[:, :GENES]
    sd = REFERENCE.iloc[:, :GENES].to_numpy().std(0)
    distance = np.sqrt((((x.to_numpy()[:, None] - made.to_numpy()[None]) / sd) ** 2).sum(-1)).min(1)
    truth = np.repeat([1, 0], [len(TRAIN), len(HOLDOUT)])
    assert found["value"] == pytest.approx(roc_auc_score(truth, -distance), abs=0.01)
    for control in (area(of_smote, "nearest_neighbour", "real"), area(of_smote, "nearest_neighbour",
                                                                      regime="negative_control")):  # fmt: skip
        assert 0.35 < control["value"] < 0.65
    assert area(of_smote, "nearest_neighbour", "train")["value"] == 1


def test_gaussian_is_found_by_the_span_or_the_likelihood_ratio_of_its_conditions():
    found = audit(**ROLES, synthetic=gaussian(TRAIN), **ATTACKS_ONLY)
    assert found.verdicts["privacy"]["status"] == "no"
    own = found.table[(found.table["metric"] == "auc") & (found.table["generator"] == "synthetic")]
    assert own.loc[own["regime"] == "audit", "value"].max() > 0.95
    assert area(found, "gaussian_likelihood_ratio")["value"] > 0.75


def test_profiles_of_others_are_not_accused(of_others):
    verdict = of_others.verdicts["privacy"]
    assert verdict["status"] in ("yes", "cannot_tell")
    own = of_others.table[(of_others.table["metric"] == "p_corrected") & (of_others.table["generator"] == "synthetic")]
    assert own.loc[own["regime"] == "audit", "value"].iloc[0] > 0.05
    assert of_others.copies.empty and set(of_others.verdicts) == {"privacy"}


def test_likeness_and_use_have_intervals_and_what_they_are_read_against(of_smote):
    t = of_smote.table
    auc = t[(t["metric"] == "discriminator_auc")].set_index("generator")
    assert set(auc.index) == {"synthetic", "real", "independent"}
    assert (auc.loc[["synthetic", "real"], "ci_low"] < auc.loc[["synthetic", "real"], "value"]).all()
    assert auc.loc["real", "value"] < auc.loc["synthetic", "value"] + 0.1
    use = t[t["metric"] == "balanced_accuracy"].set_index(["generator", "regime"])
    real = use.loc[("real", "alone")]
    # Any sensible classifier does about as well.
    model = LogisticRegression(C=0.01, max_iter=500).fit(TRAIN.iloc[:, :GENES] - 8, TRAIN["subtype"])
    other = balanced_accuracy_score(HOLDOUT["subtype"], model.predict(HOLDOUT.iloc[:, :GENES] - 8))
    assert abs(real["value"] - other) < 0.1
    assert real["ci_low"] <= real["value"] <= real["ci_high"]
    gain = t[(t["metric"] == "balanced_accuracy_gain") & (t["generator"] == "synthetic") & (t["regime"] == "alone")]
    assert gain["value"].iloc[0] == pytest.approx(use.loc[("synthetic", "alone"), "value"] - real["value"])
    assert gain["ci_low"].iloc[0] < gain["value"].iloc[0] < gain["ci_high"].iloc[0]
    for name in ("instead", "addition", "fidelity"):
        verdict = of_smote.verdicts[name]
        assert verdict["status"] in ("yes", "no", "cannot_tell", "nothing_to_gain")
        assert verdict["answer"] and verdict["advice"] and not re.search(r"\bnan\b", verdict["answer"])


FOLLOW_UP = {"time": "months", "event": "status"}


def followed(n: int, name: str, seed: int, log_hr: float = 1.0) -> pd.DataFrame:
    """Patients of whom twelve genes go with survival."""
    frame, rng = patients(n, name, seed), np.random.default_rng(seed)
    x = (frame.iloc[:, :12].to_numpy() - MEANS[np.resize(range(3), n), :12]) @ (log_hr * (-1.0) ** np.arange(12))
    time, end = rng.exponential(size=n) * np.exp(-x), rng.uniform(0, 5, n)
    return frame.assign(months=np.minimum(time, end), status=np.where(time <= end, "dead", "alive"))


def survival_of(synthetic, **change):
    """Audit of the survival of a cohort; other measures of likeness, which take longer, are made up."""
    others = {"discriminator_auc": 0.5, "coverage": 0.9, "memorisation_share": 0.0, "correlation_score_within": 0.9}
    given = {"train": followed(60, "t", 21), "holdout": followed(200, "h", 22), "condition": "subtype"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "compare", lambda *_: dict(others))
        return audit(synthetic=synthetic, survival=FOLLOW_UP, evaluations=["fidelity"], controls=(), **given | change)


def test_genes_that_go_with_survival_are_compared_with_floor_and_ceiling(tmp_path):
    good = survival_of(followed(200, "s", 23))
    of = good.table.set_index(["generator", "metric"])["value"]
    assert good.verdicts["survival"]["status"] == "yes"
    assert min(of["synthetic", "survival_log_hr_r"], of["real", "survival_log_hr_r"]) > 0.6
    assert max(abs(of[g, "survival_permuted_log_hr_r"]) for g in ("synthetic", "real")) < 0.35
    answer = good.verdicts["survival"]["answer"]
    assert f"{of['real', 'survival_log_hr_r']:.2f}".lstrip("0") in answer and "permuted times" in answer
    good.report(tmp_path / "audit.html")
    page = (tmp_path / "audit.html").read_text()
    assert "Genes that go with survival" in page and good.verdicts["survival"]["question"] in page
    # Times that go with no gene; times that nobody could tell; none.
    none = followed(200, "s", 23, log_hr=0.0)
    assert survival_of(none).verdicts["survival"]["status"] == "no"
    vain = survival_of(none, holdout=followed(200, "h", 22, log_hr=0.0)).verdicts["survival"]
    assert vain["status"] == "cannot_tell" and "real patients do not agree" in vain["answer"]
    lacking = survival_of(none.drop(columns=["months", "status"]))
    assert lacking.verdicts["survival"]["answer"] == "Cannot tell: the synthetic cohort has no follow-up."
    own = lacking.table[lacking.table["generator"] == "synthetic"]
    assert len(own) and not own["metric"].str.startswith("survival").any()
    few = survival_of(none.assign(status=np.where(np.arange(200) < 15, "dead", "alive"))).verdicts["survival"]
    assert few["status"] == "cannot_tell" and "fewer than 10 events" in few["answer"]


def test_follow_up_enters_no_other_number(monkeypatch):
    monkeypatch.setattr(measure, "HALVINGS", 1)
    plain = audit(
        train=TRAIN, holdout=HOLDOUT, synthetic=gaussian(TRAIN), condition="subtype", evaluations=["fidelity"],
        controls=(),
    )  # fmt: skip
    more = {"months": np.arange(75.0), "status": 0}
    with_it = audit(
        train=TRAIN.assign(**more), holdout=HOLDOUT, synthetic=gaussian(TRAIN).assign(**more), condition="subtype",
        evaluations=["fidelity"], controls=(), survival=FOLLOW_UP,
    )  # fmt: skip
    pd.testing.assert_frame_equal(plain.table, with_it.table)
    assert "held-out donors have no follow-up" in with_it.verdicts["survival"]["answer"]
    with pytest.raises(UserError, match="survival is judged with fidelity"):
        audit(train=TRAIN, synthetic=TRAIN, evaluations=["privacy"], survival=FOLLOW_UP)


@pytest.mark.parametrize(
    ("change", "survival", "words"),
    [
        ({"months": -1}, FOLLOW_UP, "'-1' of sample 's0' is negative"),
        ({"months": "3 years"}, FOLLOW_UP, "'3 years' of sample 's0' is not a number"),
        ({"status": "gone"}, FOLLOW_UP, "'gone' of sample 's0' is neither an event nor none"),
        ({"status": "unknown"}, FOLLOW_UP, "sample 's0' has no event"),
        ({}, {"time": "months", "event": "state"}, "has no column 'state'"),
        ({}, {"time": "days", "event": "state"}, "no cohort has the columns 'days' and 'state'"),
        ({}, {"time": "months", "event": "subtype"}, "'subtype' is the condition"),
        ({}, {"time": "months"}, "does not name a column of times and one of events"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_follow_up_is_refused(change, survival, words):
    synthetic = followed(60, "s", 23).assign(**change)
    with pytest.raises(UserError, match=re.escape(words)) as caught:
        audit(train=followed(60, "t", 21), synthetic=synthetic, condition="subtype", survival=survival)
    assert caught.value.remedy


def test_command_takes_a_follow_up(tmp_path, capsys):
    given = {"train": followed(60, "t", 21), "holdout": followed(60, "h", 22), "synthetic": followed(60, "s", 23)}
    for name, frame in given.items():
        frame.to_csv(tmp_path / f"{name}.tsv", sep="\t", index_label="sample")
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    files = [word for name in given for word in (f"--{name}", str(tmp_path / f"{name}.tsv"))]
    out = ["--controls", "--evaluations", "fidelity", "--out", str(tmp_path / "out")]
    more = ["--condition", "subtype", "--donor", "patient", "--survival", "months", "status"]
    assert run(parser.parse_args([*files, *more, *out])) == 0
    assert "Do the genes that go with survival" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "out/table.tsv", sep="\t")
    kept = table[table["metric"] == "survival_log_hr_r"].set_index("generator")["value"]
    frames = audit(
        **given, condition="subtype", donor="patient", survival=FOLLOW_UP, evaluations=["fidelity"], controls=()
    ).table
    same = frames[frames["metric"] == "survival_log_hr_r"].set_index("generator")["value"]
    np.testing.assert_allclose(kept[["synthetic", "real"]], same[["synthetic", "real"]], atol=1e-3)


def test_copies_are_counted_and_named_without_held_out_donors():
    made = pd.concat([gaussian(TRAIN).iloc[:20], TRAIN.iloc[[4, 9], : GENES + 1]])
    made.index = [f"s{i}" for i in range(22)]
    found = audit(train=TRAIN, synthetic=made, condition="subtype", donor="patient")
    assert found.copies.to_dict("list") == {"synthetic": ["s20", "s21"], "train": ["t4", "t9"], "donor": ["Pt4", "Pt9"]}
    assert found.verdicts["privacy"]["status"] == "no" and "s20 is t4" in found.verdicts["privacy"]["answer"]
    assert all(found.verdicts[name]["status"] == "cannot_tell" for name in ("instead", "addition", "fidelity"))
    assert not (found.table["metric"] == "auc").any()


def test_without_held_out_donors_nothing_is_said_of_privacy():
    found = audit(train=TRAIN, synthetic=gaussian(TRAIN), condition="subtype", donor="patient")
    verdict = found.verdicts["privacy"]
    assert verdict["status"] == "cannot_tell" and "not privacy" in verdict["answer"]
    assert any("no held-out donors" in note for note in found.notes)


def test_without_a_reference_attacks_that_need_one_are_named_and_not_run():
    roles = {k: v for k, v in ROLES.items() if k != "reference"}
    found = audit(**roles, synthetic=smote(TRAIN), **ATTACKS_ONLY)
    assert area(found, "nearest_neighbour")["value"] > 0.75
    assert "gaussian_likelihood_ratio" not in set(found.table["estimator"].dropna())
    assert any("Not run for want of a reference" in p and "likelihood ratio" in p
               for p in found.verdicts["privacy"]["points"])  # fmt: skip
    assert not (found.table["generator"] == "real").any()


def test_a_single_copy_in_disguise_is_counted_and_refused():
    made = patients(75, "o", 14).drop(columns="patient")
    made.iloc[0, :GENES] = 0.8 * TRAIN.iloc[0, :GENES] + 1
    made.iloc[1, : GENES // 2] = TRAIN.iloc[1, : GENES // 2]
    found = audit(train=TRAIN, synthetic=made, condition="subtype", donor="patient")
    count = found.table[found.table["evaluation"] == "copies"].set_index("metric")["value"]
    assert count.to_dict() == {"exact_copies": 0, "near_copies": 0, "disguised_copies": 2}
    verdict = found.verdicts["privacy"]
    assert verdict["status"] == "no"
    assert "2 of 75 synthetic profiles are training profiles on another scale or in part" in verdict["answer"]


def test_copies_of_held_out_donors_are_refused_though_no_attack_finds_members():
    made = patients(75, "o", 14).drop(columns="patient")
    made.iloc[:3, :GENES] = HOLDOUT.iloc[:3, :GENES].to_numpy()
    verdict = audit(**ROLES, synthetic=made, **ATTACKS_ONLY).verdicts["privacy"]
    assert verdict["status"] == "no" and "3 of 75 synthetic profiles copy held-out donors" in verdict["answer"]


@pytest.mark.parametrize(
    ("change", "unseen"),
    [
        (lambda made: made.assign(subtype=np.where(np.arange(len(made)) < 3, None, made["subtype"])), "3 profiles"),
        (lambda made: made.assign(**{f"new{i}": float(i) for i in range(9)}), "9 of its 89 genes"),
    ],
)
def test_a_cohort_of_which_a_part_was_not_seen_may_not_be_shared(change, unseen, monkeypatch):
    """Whatever is left out of an audit could be copies; all else speaks for the cohort here."""
    monkeypatch.setattr("pseudocohort.referee.verdicts.judge", lambda found, bounds: ())
    monkeypatch.setattr("pseudocohort.referee.verdicts._shift", lambda floor: False)
    made = patients(75, "o", 14).drop(columns="patient")
    assert audit(**ROLES, synthetic=made, **ATTACKS_ONLY).verdicts["privacy"]["status"] == "yes"
    verdict = audit(**ROLES, synthetic=change(made), **ATTACKS_ONLY).verdicts["privacy"]
    assert verdict["status"] == "cannot_tell" and unseen in verdict["answer"]


def test_donors_who_differ_by_themselves_are_no_proof_of_a_leak():
    moved = HOLDOUT.copy()
    moved.iloc[:, :GENES] += np.random.default_rng(5).normal(0, 0.8, GENES)
    found = audit(**{**ROLES, "holdout": moved}, synthetic=patients(75, "o", 14), **ATTACKS_ONLY)
    assert found.verdicts["privacy"]["status"] == "cannot_tell"
    assert "hospital or batch" in found.verdicts["privacy"]["answer"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: {"synthetic": r["synthetic"].drop(columns="subtype")}, "no column 'subtype'"),
        (lambda r: {"synthetic": r["synthetic"].rename(columns=lambda c: c.replace("g", "x"))}, "genes in common"),
        (lambda r: {"holdout": pd.concat([HOLDOUT, TRAIN.iloc[:1].rename(index=lambda i: "again")])}, "both in train"),
        (lambda r: {"holdout": pd.concat([HOLDOUT, TRAIN.iloc[:1].assign(patient="new")])}, "is profile 't0' of train"),
        (lambda r: {"synthetic": r["synthetic"].assign(subtype="D")}, "condition 'D'"),
        (lambda r: {"synthetic": r["synthetic"].iloc[:5]}, "5 profiles in synthetic"),
        (lambda r: {"donor": "person"}, "no column 'person'"),
        (lambda r: {"evaluations": ["likeness"]}, "no evaluation 'likeness'"),
        (lambda r: {"evaluations": "likeness"}, "no evaluation 'likeness'"),
        (lambda r: {"synthetic": 3}, "a cohort cannot be int"),
        (lambda r: {"random_state": -1}, "-1 is no seed"),
        (lambda r: {"controls": "mvnn"}, "did you mean 'mvn'"),
        (lambda r: {"donor": TRAIN["patient"]}, "donor is a Series, not the name of a column"),
        (lambda r: {"holdout": HOLDOUT.iloc[:0]}, "0 donors in holdout"),
        (lambda r: {"holdout": HOLDOUT.assign(subtype=["A"] * 5 + ["D"] * 115)}, "5 donors in holdout"),
        (lambda r: {"synthetic": pd.concat([r["synthetic"], r["synthetic"][["subtype"]]], axis=1)}, "more than once"),
        (lambda r: {"train": TRAIN.assign(g0=TRAIN["g0"].astype("Float64").mask(TRAIN["g0"] > 1))}, "is nan"),
        (
            lambda r: {"train": ad.AnnData(TRAIN.iloc[:, :GENES].to_numpy(object), obs=TRAIN[["subtype", "patient"]])},
            "values of the type object",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused(change, words):
    roles = ROLES | {"synthetic": smote(TRAIN)}
    with pytest.raises(UserError, match=words):
        audit(**(roles | change(roles)))


@pytest.mark.parametrize(
    ("scale", "words"), [(lambda x: np.round(2**x), "units differ"), (lambda x: x * np.log(2), "0.69 times")]
)
def test_units_that_differ_are_refused(scale, words):
    made = smote(TRAIN)
    made.iloc[:, :GENES] = scale(made.iloc[:, :GENES])
    with pytest.raises(UserError, match=words):
        audit(**ROLES, synthetic=made)


def test_logarithms_of_values_scaled_to_another_sum_are_refused():
    """As scanpy leaves them, log1p of counts per ten thousand, against log2(counts per million + 1)."""

    def scaled(frame, total, log):
        counts = 2 ** (
            frame.iloc[:, :GENES] + np.linspace(-6, 6, GENES)
        )  # rare and abundant genes, as in a real cohort
        return frame.assign(**log(counts.div(counts.sum(axis=1), axis=0) * total + 1))

    roles = {name: scaled(frame, 1e4, np.log) for name, frame in (("train", TRAIN), ("holdout", HOLDOUT))}
    made = scaled(smote(TRAIN), 1e6, np.log2)
    with pytest.raises(UserError, match="nearly all genes' means in synthetic are above those in train") as caught:
        audit(**roles, synthetic=made, condition="subtype", donor="patient")
    assert "natural logarithm" in caught.value.remedy and "X is taken" in caught.value.remedy


def test_interval_of_use_holds_its_value_where_one_class_is_always_said():
    """All of one class right, all of the other wrong: no spread within classes, and an interval all the same."""
    made = TRAIN[TRAIN["subtype"] != "C"].copy()
    made.iloc[:, :GENES] = 8.0
    made.loc[made["subtype"] == "A", made.columns[:GENES]] += 40.0  # held-out profiles are all nearer to B
    two = {name: x[x["subtype"] != "C"] for name, x in (("train", TRAIN), ("holdout", HOLDOUT))}
    cohorts = {
        name: read(x, name, condition="subtype", donor="patient") for name, x in (two | {"synthetic": made}).items()
    }
    table = measure.use({"synthetic": cohorts["synthetic"]}, cohorts["train"], cohorts["holdout"], 1)
    row = table[(table["metric"] == "balanced_accuracy") & (table["n_real"] == 0)].iloc[0]
    assert row["value"] == 0.5 and row["ci_low"] < 0.5 < row["ci_high"]


def test_counts_are_scaled_to_a_million_and_logged():
    counts = {name: np.round(2 ** frame.iloc[:, :GENES]) for name, frame in (("train", TRAIN), ("synthetic", HOLDOUT))}
    assert unit_of(counts["train"].to_numpy()) == COUNTS and unit_of(TRAIN.iloc[:, :GENES].to_numpy()) == LOG
    assert unit_of(counts["train"].to_numpy() + 0.5) == LINEAR
    cohorts = {name: read(x, name, condition=None, donor=None) for name, x in counts.items()}
    same, unit, _ = together(cohorts)
    assert unit.startswith("log2(counts per million")
    np.testing.assert_allclose((2 ** same["train"].x.astype(float) - 1).sum(1), 1e6, rtol=1e-4)


def test_linear_values_below_0_are_said():
    linear = {name: frame.copy() for name, frame in (("train", TRAIN), ("synthetic", HOLDOUT))}
    for frame in linear.values():
        frame.iloc[:, :GENES] = 2 ** frame.iloc[:, :GENES]
    linear["synthetic"].iloc[:3, 0] = -1.0
    cohorts = {name: read(frame, name, condition="subtype", donor="patient") for name, frame in linear.items()}
    made, unit, notes = together(cohorts)
    assert unit == "log2(value + 1)" and "synthetic: 3 values below 0 are taken for 0" in notes
    assert (made["synthetic"].x[:3, 0] == 0).all() and not any(note.startswith("train:") for note in notes)


def test_all_forms_of_a_cohort_are_read_alike(tmp_path):
    frame = TRAIN.iloc[:20]
    x, obs = frame.iloc[:, :GENES], frame[["subtype", "patient"]]
    profiles = ad.AnnData(x.to_numpy(np.float32), obs=obs, var=pd.DataFrame(index=x.columns))
    profiles.write_h5ad(tmp_path / "a.h5ad")
    frame.to_csv(tmp_path / "rows.tsv", sep="\t")
    frame.reset_index(drop=True).to_csv(tmp_path / "bare.csv", index=False)
    x.T.to_csv(tmp_path / "matrix.tsv.gz", sep="\t")
    x.to_csv(tmp_path / "turned.csv")
    obs.to_csv(tmp_path / "samples.tsv", sep="\t")
    samples = tmp_path / "samples.tsv"
    pairs = [(tmp_path / name, samples) for name in ("matrix.tsv.gz", "turned.csv", "a.h5ad")]
    single = [tmp_path / "a.h5ad", str(tmp_path / "rows.tsv"), tmp_path / "bare.csv"]
    forms = [profiles, frame, *single, *pairs]
    for form in forms:
        cohort = read(form, "train", condition="subtype", donor="patient")
        np.testing.assert_allclose(cohort.x, x.to_numpy(), rtol=1e-5)
        assert list(cohort.genes) == list(x.columns)
        assert list(cohort.obs["donor"]) == list(obs["patient"]), form
        assert list(cohort.obs["condition"]) == list(obs["subtype"])


def test_result_is_saved_and_the_page_is_whole(of_smote, tmp_path):
    of_smote.save(tmp_path)
    back = pd.read_csv(tmp_path / "table.tsv", sep="\t")
    assert list(back.columns) == list(of_smote.table.columns) and len(back) == len(of_smote.table)
    content = json.loads((tmp_path / "audit.json").read_text())
    assert content["verdicts"] == of_smote.verdicts and "one draw" in content["limits"][0]
    of_smote.report(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert page.count("<svg") == 2 and "What to do:" in page and "nearest neighbour" in page
    assert "PCA residual: AUC" in page and "Pca" not in page
    assert "http://" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", "")  # fmt: skip
    for verdict in of_smote.verdicts.values():
        assert verdict["question"].split("'")[0] in page


def test_page_of_an_audit_without_held_out_donors(tmp_path):
    found = audit(train=TRAIN, synthetic=gaussian(TRAIN), condition="subtype")
    render(found, tmp_path / "page.html")
    assert "Cannot tell yet" in (tmp_path / "page.html").read_text()


def test_command_writes_the_folder_and_tells_errors(tmp_path, capsys):
    for name, frame in (("train", TRAIN), ("synthetic", smote(TRAIN)), ("holdout", HOLDOUT)):
        frame.to_csv(tmp_path / f"{name}.tsv", sep="\t")
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    given = ["--train", str(tmp_path / "train.tsv"), "--synthetic", str(tmp_path / "synthetic.tsv"),
             "--condition", "subtype", "--donor", "patient", "--out", str(tmp_path / "out")]  # fmt: skip
    holdout = ["--holdout", str(tmp_path / "holdout.tsv"), "--evaluations", "privacy", "--controls"]
    assert run(parser.parse_args([*given, *holdout])) == 0
    assert "(synthetic.tsv)" in (tmp_path / "out/report.html").read_text()
    assert "NO" in capsys.readouterr().out
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"table.tsv", "copies.tsv", "audit.json", "report.html"}
    assert run(parser.parse_args([*given, "--holdout", str(tmp_path / "train.tsv")])) == 1


def test_module_is_a_command(project_root):
    done = subprocess.run([sys.executable, "-m", "pseudocohort.referee", "--help"], capture_output=True, text=True,
                          env={"PYTHONPATH": str(project_root / "workflow/scripts")})  # fmt: skip
    assert done.returncode == 0 and "--holdout" in done.stdout


def test_cohorts_as_people_have_them(tmp_path):
    frame = TRAIN.iloc[:20]
    ids = [f"{i:03d}" for i in range(20)]
    numbered = frame.set_axis(ids).drop(columns="patient")
    numbered.to_csv(tmp_path / "numbered.csv")
    told = {"condition": "subtype", "donor": "patient"}
    assert list(read(tmp_path / "numbered.csv", "train", condition="subtype", donor=None).obs["donor"]) == ids
    assert read(frame.T.T, "train", **told).x.shape == (20, GENES)
    floats = read(frame.assign(patient=np.arange(20.0)), "train", **told)
    assert list(floats.obs["donor"][:2]) == ["0", "1"]
    matrix = frame.iloc[:, :GENES].T
    matrix.loc["N_unmapped"] = 1.0
    matrix.assign(Chr="chr1").to_csv(tmp_path / "matrix.tsv", sep="\t")
    frame.iloc[:15][["subtype", "patient"]].to_csv(tmp_path / "samples.tsv", sep="\t")
    part = read((tmp_path / "matrix.tsv", tmp_path / "samples.tsv"), "train", **told)
    np.testing.assert_allclose(part.x, frame.iloc[:15, :GENES], rtol=1e-5)
    assert any("left out" in note and "and 3 more" in note for note in part.notes)
    assert any("N_unmapped" in note for note in part.notes)
    renamed = frame.set_axis("X" + frame.index)[["subtype", "patient"]]
    renamed.to_csv(tmp_path / "other.tsv", sep="\t")
    with pytest.raises(UserError, match="write them alike"):
        read((tmp_path / "matrix.tsv", tmp_path / "other.tsv"), "train", **told)
    with pytest.raises(UserError, match="X is empty"):
        read(ad.AnnData(obs=frame[["subtype", "patient"]]), "train", **told)
    with pytest.raises(UserError, match="MultiIndex"):
        read(frame.set_index(pd.MultiIndex.from_product([["a"], range(20)])), "train", **told)


def test_a_file_that_stays_on_disk_and_other_orders_of_genes_are_read_alike(tmp_path):
    told = {"condition": "subtype", "donor": "patient"}
    data = ad.AnnData(TRAIN.iloc[:, :GENES].astype(np.float32), obs=TRAIN[["subtype", "patient"]])
    wanted = read(data, "train", **told)
    for name, x in (("dense", data.X), ("sparse", sparse.csr_matrix(data.X))):
        ad.AnnData(x, obs=data.obs, var=data.var).write_h5ad(tmp_path / f"{name}.h5ad")
        np.testing.assert_array_equal(
            read(ad.read_h5ad(tmp_path / f"{name}.h5ad", backed="r"), "train", **told).x, wanted.x
        )
    turned, _, _ = together({"train": wanted, "synthetic": read(data[:, ::-1].copy(), "synthetic", **told)})
    np.testing.assert_array_equal(turned["synthetic"].x, wanted.x)


def test_intervals_of_likeness_hold_the_truth_as_often_as_they_say(monkeypatch):
    """Of the mean of a gene, whose truth is known, over 200 sets of held-out donors."""
    monkeypatch.setattr(measure, "compare", lambda train, reality, *rest: {"mean": float(reality.x[:, 0].mean())})
    obs = pd.DataFrame({"condition": "A", "donor": [f"d{i}" for i in range(40)]}, index=[f"d{i}" for i in range(40)])

    def cohort(name: str, x: np.ndarray) -> Cohort:
        return Cohort(name, x.astype(np.float32), pd.Index(["g0", "g1"]), obs, name)

    fixed = np.resize([[7.0], [9.0]], (40, 1)) + np.zeros((40, 2))
    held = []
    for seed in range(200):
        holdout = cohort("holdout", np.random.default_rng(seed).normal(8, 1, (40, 2)))
        row = measure.likeness(None, "real", cohort("train", fixed), holdout, seed).iloc[0]
        held.append(row["ci_low"] <= 0 <= row["ci_high"])
    assert np.mean(held) == pytest.approx(0.95, abs=0.03)


def test_where_real_patients_agree_by_chance_nothing_is_said_of_survival():
    rows = [
        ("synthetic", "survival_log_hr_r", 0.0, -0.1, 0.1), ("synthetic", "survival_permuted_log_hr_r", 0, -0.3, 0.3),
        ("real", "survival_log_hr_r", 0.25, 0.2, 0.3), ("real", "survival_permuted_log_hr_r", 0, -0.3, 0.3),
        *((g, f"survival_{m}calls", 0, 0, 0) for g in ("synthetic", "real") for m in ("", "permuted_", "real_")),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["generator", "metric", "value", "ci_low", "ci_high"])
    assert verdicts.survival_verdict(table, [])["status"] == "cannot_tell"
    assert verdicts.survival_verdict(table.assign(value=table["value"] * 2), [])["status"] == "no"


def test_conditions_of_two_donors_are_judged_as_far_as_they_can_be():
    """Halves have one profile of each condition: there are no correlations within it."""
    cohorts = {name: patients(24, name[0], seed) for seed, name in enumerate(("train", "synthetic", "holdout"))}
    cohorts = {name: one.assign(subtype=np.resize(list("ABCDEFGHIJKL"), 24)) for name, one in cohorts.items()}
    found = audit(**cohorts, condition="subtype", controls=(), evaluations="fidelity")
    assert "correlations within conditions n/a" in found.verdicts["fidelity"]["points"][0]
    assert not any("attacks" in note for note in found.notes)
    cohorts["holdout"] = cohorts["holdout"].assign(subtype="A")
    found = audit(**cohorts, condition="subtype", controls=(), evaluations="augmentation")
    assert "one condition" in found.verdicts["instead"]["answer"]


def test_copies_are_refused_where_no_attack_could_be_run():
    copies = pd.DataFrame({"synthetic": ["s0"], "train": ["t0"], "donor": ["Pt0"]})
    given = verdicts.Given(20, 0, copies, 0, 30, 3, [])
    none = pd.DataFrame({c: [] for c in ("generator", "regime", "estimator", "metric", "value", "task", "repeat")})
    assert verdicts.privacy_verdict(given, none)["status"] == "no"
    assert verdicts.privacy_verdict(replace(given, copies=copies[:0]), none)["status"] == "cannot_tell"


def test_annotation_among_genes_makes_no_logarithms_of_logarithms():
    cohorts = {name: patients(20, name[0], seed).assign(age=61.5) for seed, name in enumerate(("train", "synthetic"))}
    with pytest.raises(UserError, match="only 'age' of 81 genes"):
        audit(**cohorts, condition="subtype", donor="patient", controls=())
    with pytest.raises(UserError, match="condition and donor are one column, 'patient'"):
        audit(**cohorts, condition="patient", donor="patient", controls=())
