"""Planted errors of annotation are found; what is right is left alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import pairwise_distances

from pseudocohort.prepare.sanity import RPS4Y1, XIST, repeated_samples, suspicious_labels, wrong_sex


def cohort(seed=0, n=60, p=80, conditions=3, noise=0.7):
    rng = np.random.default_rng(seed)
    code = np.arange(n) % conditions
    x = (rng.normal(size=(conditions, p))[code] + noise * rng.normal(size=(n, p)) + 5).astype(np.float32)
    obs = pd.DataFrame(
        {"donor": [f"d{i}" for i in range(n)], "condition": [f"C{c}" for c in code], "level": "tumour"},
        index=[f"s{i}" for i in range(n)],
    )
    return x, obs


def test_swapped_labels_are_the_clearest_suspects():
    x, obs = cohort()
    assert suspicious_labels(x, obs)["disagree"] == 0
    obs.loc[["s4", "s30"], "condition"] = ["C2", "C1"]
    found = suspicious_labels(x, obs)
    assert {(r["sample"], r["label"], r["nearest"]) for r in found["samples"]} == {
        ("s4", "C2", "C1"),
        ("s30", "C1", "C0"),
    }
    assert found["checked"] == 60 and all(r["other"] > r["own"] for r in found["samples"])


def test_nearest_centroid_is_that_of_plain_leave_one_donor_out():
    x, obs = cohort(seed=3, noise=3.0)
    obs["donor"] = [f"d{i // 2}" for i in range(len(obs))]
    centred = x - x.mean(0)
    expected = set()
    for i, sample in enumerate(obs.index):
        others = (obs["donor"] != obs["donor"].iloc[i]).to_numpy()
        names = sorted(obs["condition"].unique())
        centroids = [centred[others & (obs["condition"] == c).to_numpy()].mean(0) for c in names]
        nearest = names[pairwise_distances(centred[[i]], centroids, metric="correlation").argmin()]
        if nearest != obs["condition"].iloc[i]:
            expected.add((sample, nearest))
    found = suspicious_labels(x, obs)
    assert len(expected) > 3
    assert {(r["sample"], r["nearest"]) for r in found["samples"]} == expected and found["disagree"] == len(expected)


def test_conditions_of_one_donor_and_single_conditions_are_not_judged():
    x, obs = cohort(n=20, conditions=2)
    obs.loc["s0", "condition"] = "alone"
    assert suspicious_labels(x, obs)["checked"] == 19
    alone = suspicious_labels(x, obs.assign(condition="A"))
    assert alone["checked"] == 0 and "one condition, A" in alone["why_none"]
    one_donor = suspicious_labels(x, obs.assign(donor=obs["condition"]))
    assert one_donor["checked"] == 0 and "other donors" in one_donor["why_none"]


def test_identical_samples_and_repeated_donors():
    x, obs = cohort(n=12)
    x[7] = x[1]
    obs.loc["s3", "donor"] = "d0"
    assert repeated_samples(x, obs) == {"identical": [["s1", "s7"]], "donors_with_several": 1}


@pytest.mark.parametrize(
    ("column", "female", "male"), [("sex", "Female", "MALE"), ("SEX", "2", "1"), ("gender", "F", "M")]
)
def test_sex_genes_are_compared_with_the_annotation(column, female, male):
    x, obs = cohort(n=6, p=3)
    genes = pd.Index(["ENSG00000000003", XIST, RPS4Y1])
    x[:, 1], x[:, 2] = [8, 0, 8, 0, 0.2, 9], [0, 7, 0, 7, 0.1, 0]
    obs[column] = [female, male, male, female, female, "not reported"]
    found = wrong_sex(x, obs, genes)
    assert [(r["sample"], r["sex"]) for r in found["samples"]] == [("s2", "male"), ("s3", "female")]
    assert found["checked"] == 4 and found["column"] == column
    assert "RPS4Y1 not measured" in wrong_sex(x, obs, genes[:2])["why_none"]
    assert "covariates" in wrong_sex(x, obs.drop(columns=column), genes)["why_none"]
    assert "is a sex" in wrong_sex(x, obs.assign(**{column: "?"}), genes)["why_none"]
    assert "is on" in wrong_sex(x * 0, obs, genes)["why_none"] and found["why_none"] == ""


def test_sex_of_normal_tissue_comes_first():
    x, obs = cohort(n=4, p=3)
    genes = pd.Index(["ENSG00000000003", XIST, RPS4Y1])
    x[:, 1], x[:, 2] = [8, 4, 3, 9], [0, 0, 0, 0]
    obs["sex"], obs["level"] = "male", ["tumour", "normal", "normal", "tumour"]
    found = wrong_sex(x, obs, genes)
    assert [r["sample"] for r in found["samples"]] == ["s1", "s2", "s3", "s0"] and found["disagree"] == 4


def test_triage_puts_swaps_before_samples_between_two_conditions():
    x, obs = cohort(seed=1, n=90)
    centre = [x[(obs["condition"] == f"C{c}").to_numpy()].mean(0) for c in range(3)]
    x[0] = 0.48 * centre[0] + 0.52 * centre[1] + 0.1 * (x[0] - centre[0])  # between two, a little nearer to C1
    obs.loc["s5", "condition"] = "C0"  # a C2
    found = suspicious_labels(x, obs)
    assert [r["sample"] for r in found["samples"]] == ["s5", "s0"]
    assert found["samples"][0]["typical"] > 0.1 > found["samples"][1]["typical"] == 0.0
    assert found["clear"] == int(found["samples"][0]["typical"] >= 0.5)
    only = obs.index.isin(["s0", "s1"])
    part = suspicious_labels(x, obs, only)
    assert part["checked"] == 2 and [r["sample"] for r in part["samples"]] == ["s0"]
