"""Augmentation: its table on toy data where the answer is known, and the guard against leaked donors."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from support.scores import config, mean, score

from pseudocohort.core.contracts import MEMBERS_COLUMNS, check_evaluation
from pseudocohort.core.errors import ContractError
from pseudocohort.experiments.augmentation.curves import curves as augmentation_curves
from pseudocohort.experiments.augmentation.score import augmentation
from pseudocohort.experiments.augmentation.verdict import verdict
from pseudocohort.experiments.shared.classifiers import DEFAULTS
from pseudocohort.experiments.shared.estimators import BASELINES, BEST
from pseudocohort.experiments.shared.inputs import ScoreInputs
from pseudocohort.experiments.shared.split_guard import Members, check_no_leak
from pseudocohort.experiments.shared.standardise import moderated_scale, plain_scale
from pseudocohort.generators.space.label_em import name_pool
from pseudocohort.plan.members import members
from pseudocohort.plan.training_sets import training_sets

GENES = 40


@pytest.fixture(scope="module")
def profiles() -> ad.AnnData:
    """Three tumour types at tissue level with normals, and pseudo-bulk that shares the types' contrasts."""
    rng = np.random.default_rng(0)
    contrast = rng.normal(size=(3, GENES)) * 0.5
    kind = np.concatenate([np.repeat([0, 1, 2], [150, 100, 50]), np.repeat([0, 1, 2], 20), np.repeat([0, 1, 2], 10)])
    level = np.repeat(["tumour", "normal", "pseudobulk"], [300, 60, 30])
    normal = (level == "normal")[:, None] * rng.normal(size=GENES)
    x = 5 + contrast[kind] + normal - 3 * (level == "pseudobulk")[:, None] + rng.normal(size=(len(kind), GENES))
    names = [f"s{i}" for i in range(len(kind))]
    obs = pd.DataFrame(
        {
            "donor": names,
            "dataset": np.where(level == "pseudobulk", "lines", "tissue"),
            "condition": np.array(["a", "b", "c"])[kind],
            "context": np.select([level == "tumour", level == "normal"], ["tumour", "normal"], "in_vitro"),
            "level": level,
            "split": np.where(np.arange(len(kind)) % 3 == 0, "test", "train"),
            "genes": "no",
        },
        index=names,
    )
    return ad.AnnData(x.astype(np.float32), obs=obs)


_config = partial(
    config,
    "augmentation",
    seed=5,
    generators=["toy"],
    tasks={"type": {"label": ["condition"], "levels": ["tumour"]}},
    n_real=[0, 12],
    curve=[12, 30, 1000],
    n_synthetic=[30, 90],
    regimes=["same_n", "oracle"],
    repeats=3,
    classifiers=["logistic"],
)
_score = partial(score, augmentation)


def _generate(
    profiles: ad.AnnData, config: dict, make: Callable[[ad.AnnData, np.random.Generator], ad.AnnData]
) -> dict:
    """Synthetic profiles of each training set, made from the task's training rows that its generator may see."""
    rows = training_sets(config)
    plan = Members(profiles, members(profiles.obs, rows, config))
    made = {}
    for row in rows:
        if row["generators"]:
            seen, _ = plan.of(row["training_set"], "train")
            seen = seen[profiles.obs["level"].iloc[seen] == "tumour"]
            made[row["training_set"]] = make(profiles[seen], np.random.default_rng(row["seed"]))
    return made


def _renamed(obs: pd.DataFrame) -> pd.DataFrame:
    return obs.set_axis([f"synthetic{i}" for i in range(len(obs))])


def _copies(seen: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    """Whole rounds of copies."""
    rounds = -(-90 // seen.n_obs)
    pick = np.concatenate([rng.permutation(seen.n_obs) for _ in range(rounds)])
    return ad.AnnData(seen.X[pick], obs=_renamed(seen.obs.iloc[pick]))


def _noise(seen: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    """Labels without content: profiles of random rows under permuted labels, three times as spread."""
    obs = _renamed(seen.obs.iloc[rng.integers(seen.n_obs, size=90)])
    return ad.AnnData((5 + 3 * rng.normal(size=(90, GENES))).astype(np.float32), obs=obs)


def test_copies_of_the_same_rows_change_nothing_and_copies_of_all_rows_help(profiles: ad.AnnData) -> None:
    config = _config()
    table = _score(profiles, config, _generate(profiles, config, _copies), "toy")
    # One profile per class, copied in whole rounds and added to the baseline: exactly the same classifier.
    same = table[(table["regime"] == "same_n") & (table["n_real"] == 0) & (table["estimator"] == BEST)]
    same = same[same["metric"].str.endswith("_gain")]
    assert len(same) >= 3 * 2 * (4 + 3)  # four means, a recall per class, and calibration if it has probabilities
    np.testing.assert_allclose(same["value"], 0, atol=1e-3)
    assert mean(table, "balanced_accuracy_gain", regime="oracle", n_real=0, n_synthetic=90) > 0.1
    # The oracle's one model serves every n of its task and repeat.
    assert set(table.loc[table["regime"] == "oracle", "n_real"]) == {0, 12}


def test_noise_hurts_and_gains_are_paired_with_the_real_rows(profiles: ad.AnnData) -> None:
    config = _config(regimes=["same_n"])
    real = _score(profiles, config)
    table = _score(profiles, config, _generate(profiles, config, _noise), "toy")
    assert mean(table, "balanced_accuracy_gain", n_real=12) < -0.05
    keys = ["n_real", "repeat", "estimator", "metric"]
    without = real[real["regime"] == "none"].set_index(keys)["value"]
    wide = table.set_index([*keys, "n_synthetic"])["value"]
    assert set(table["estimator"]) == {"logistic", BEST}
    for (n, repeat, estimator, metric, m), value in wide.items():
        if metric.endswith("_gain"):  # of every classifier over the baseline
            before = metric.removesuffix("_gain")
            expected = wide[n, repeat, estimator, before, m] - without[n, repeat, BEST, before]
            assert value == pytest.approx(expected)


def test_the_baseline_is_the_best_classifier_over_the_repeats(profiles: ad.AnnData) -> None:
    table = _score(profiles, _config(curve=[], n_real=[12, 30], repeats=4))
    rows = table[(table["regime"] == "none") & (table["metric"] == "balanced_accuracy")]
    assert set(rows["estimator"]) == {*BASELINES, BEST}
    for _, at in rows.groupby("n_real"):
        wide = at.pivot(index="repeat", columns="estimator", values="value")
        means = wide[list(BASELINES)].mean()
        np.testing.assert_array_equal(wide[BEST], wide[means[means == means.max()].index[0]])


def test_every_repeat_holds_out_other_donors_and_the_ceiling_is_of_each(profiles: ad.AnnData) -> None:
    config = _config(repeats=4)
    rows = training_sets(config)
    plan = Members(profiles, members(profiles.obs, rows, config))
    tested = {}
    for row in rows:
        held_out = frozenset(plan.of(row["training_set"], "test")[0])
        assert tested.setdefault(row["repeat"], held_out) == held_out, "one split for all sets of a repeat"
    assert len(set(tested.values())) == 4
    table = _score(profiles, config)
    ceiling = table[(table["regime"] == "ceiling") & (table["metric"] == "balanced_accuracy")]
    assert set(ceiling["repeat"]) == {0, 1, 2, 3} and set(ceiling["estimator"]) == {*BASELINES, BEST}


def test_the_error_that_repeats_share_is_the_cohorts(profiles: ad.AnnData) -> None:
    """By hand, for one repeat: influence of each held-out donor, scaled to the donors that any repeat tests."""
    config = _config(regimes=["same_n"], n_real=[12], curve=[], n_synthetic=[30], repeats=3)
    made = _generate(profiles, config, _noise)
    table = _score(profiles, config, made, "toy")
    shared = table[table["metric"] == "balanced_accuracy_gain_shared_se"]
    assert len(shared) == 3 * 2 and (shared["value"] > 0).all()
    rows = training_sets(config)
    plan = Members(profiles, members(profiles.obs, rows, config))
    sets = [set(plan.of(row["training_set"], "test")[0]) for row in rows]
    share = len(sets[0]) / len(set.union(*sets))
    assert 0.3 < share < 0.7
    # No more than if every held-out profile changed its side.
    sizes = profiles.obs["condition"].iloc[sorted(sets[0])].value_counts()
    assert (shared["value"] < np.sqrt(share * (1 / sizes).sum()) / 3).all()


def test_real_rows_have_no_augmentation_ceiling_and_majority(profiles: ad.AnnData) -> None:
    table = _score(profiles, _config(n_real=[0, 12, -1], classifiers=["logistic", "mlp", "svm"], repeats=2))
    for name in ("logistic", "svm", "mlp"):
        ceiling = mean(table, "balanced_accuracy", regime="ceiling", estimator=name)
        few = mean(table, "balanced_accuracy", regime="none", n_real=0, estimator=name)
        every = mean(table, "balanced_accuracy", regime="none", n_real=-1, estimator=name)
        assert ceiling > 0.9
        assert few < ceiling - 0.1
        # With all rows drawn, "none" is the ceiling.
        assert every == pytest.approx(ceiling, abs=0.05)
    ceilings = {e: mean(table, "balanced_accuracy", regime="ceiling", estimator=e) for e in (*BASELINES, BEST)}
    assert ceilings[BEST] == max(ceilings.values())
    assert len(table[table["metric"] == "majority_rate"]) == 2
    config = _config(n_real=[0, 12, -1], repeats=2)
    rows = training_sets(config)
    plan = Members(profiles, members(profiles.obs, rows, config))
    for repeat in range(2):  # the share of the largest class among the profiles that the repeat holds out
        tested, condition = plan.of(f"aug-type-same_n-all-r{repeat}", "test")
        assert set(profiles.obs["level"].iloc[tested]) == {"tumour"}
        assert mean(table, "majority_rate", repeat=repeat) == pytest.approx((condition == "a").mean())
    assert set(table["level"]) == {"tumour"}
    assert set(table["dataset"]) == {"tissue"}


def test_curve_has_real_profiles_alone_at_further_sizes(profiles: ad.AnnData) -> None:
    config = _config()
    real = _score(profiles, config)
    alone = real[(real["regime"] == "none") & (real["metric"] == "balanced_accuracy") & (real["estimator"] == BEST)]
    # There are 200 training profiles of the task: a thousand are not to be had.
    assert {n: len(part) for n, part in alone.groupby("n_real")} == {0: 3, 12: 3, 30: 3}
    made = _generate(profiles, config, _copies)
    assert not any("n30" in name for name in made)
    helped = _score(profiles, config, made, "toy")
    assert set(helped["n_real"]) == {0, 12}
    summary = augmentation_curves(pd.concat([real, helped], ignore_index=True))
    check_evaluation(summary, "curves", summary=True)
    assert mean(summary, "real_profiles_saved", regime="oracle", n_real=0) > 3
    same = summary[(summary["regime"] == "same_n") & (summary["estimator"] == BEST) & (summary["n_real"] == 0)]
    np.testing.assert_allclose(same["value"], 0, atol=1e-9)  # copies save nothing


def _gaussian(means: dict[str, np.ndarray] | None) -> Callable:
    """A generator of Gaussian profiles around the class means given, or else around those of the rows it has seen."""

    def make(seen: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
        label = seen.obs["condition"].astype(str).to_numpy()
        wanted = np.repeat(np.unique(label), 30)
        x = np.stack([seen.X[label == k].mean(0) if means is None else means[k] for k in wanted])
        first = [int(np.flatnonzero(label == k)[0]) for k in wanted]
        return ad.AnnData((x + rng.normal(size=x.shape)).astype(np.float32), obs=_renamed(seen.obs.iloc[first]))

    return make


def test_what_a_prior_is_worth_is_found_and_without_one_no_gain_is_claimed(profiles: ad.AnnData) -> None:
    """Class means known from elsewhere are what twelve profiles lack; a generator fitted to them adds nothing."""
    config = _config(regimes=["same_n"], n_real=[12], curve=[], n_synthetic=[90], repeats=8)
    tumours = profiles[(profiles.obs["level"] == "tumour").to_numpy()]
    condition = tumours.obs["condition"].to_numpy()
    known = {k: tumours.X[condition == k].mean(0) for k in np.unique(condition)}
    real = _score(profiles, config)
    found = {}
    for name, means in (("prior", known), ("none", None)):
        helped = _score(profiles, config, _generate(profiles, config, _gaussian(means)), "toy")
        found[name] = verdict(pd.concat([real, helped], ignore_index=True), config)
    assert found["prior"]["status"] == "yes" and found["prior"]["facts"][0][1].startswith("+")
    assert found["none"]["status"] in ("no", "cannot_tell")


def test_transfer_prints_stacking_of_the_other_levels(profiles: ad.AnnData) -> None:
    config = _config(regimes=["transfer"], n_real=[0])
    table = _score(profiles, config)
    assert mean(table, "balanced_accuracy_gain", regime="stacking") > 0.02
    # Rows outside the task whose label is no class of the task are of no use, and then there is no such row.
    only = _config(
        regimes=["transfer"], n_real=[0], tasks={"tn": {"label": ["context"], "levels": ["tumour", "normal"]}}
    )
    assert "stacking" not in set(_score(profiles, only)["regime"])


def test_transfer_without_any_profile_outside_the_task_has_no_stacking(profiles: ad.AnnData) -> None:
    tumours = profiles[(profiles.obs["level"] == "tumour").to_numpy()].copy()
    table = _score(tumours, _config(regimes=["same_n", "transfer"]))
    assert "stacking" not in set(table["regime"]) and "none" in set(table["regime"])


def test_label_may_be_the_level_itself(profiles: ad.AnnData) -> None:
    """Tumour against normal: a standardisation per level would have erased the difference."""
    config = _config(tasks={"tn": {"label": ["context"], "levels": ["tumour", "normal"]}}, n_real=[40], curve=[])
    assert mean(_score(profiles, config), "balanced_accuracy", regime="none") > 0.9


def test_too_few_synthetic_profiles_are_refused(profiles: ad.AnnData) -> None:
    config = _config(regimes=["same_n"])
    short = {k: v[:50].copy() for k, v in _generate(profiles, config, _copies).items()}
    with pytest.raises(ContractError, match="50 synthetic profiles"):
        _score(profiles, config, short, "toy")


def test_missing_real_rows_are_refused(profiles: ad.AnnData) -> None:
    config = _config(n_real=[12])
    rows = training_sets(config)
    made = _generate(profiles, config, _copies)
    table = pd.DataFrame(rows)
    table.loc[table["regime"] == "same_n", "n_real"] = 13
    with pytest.raises(ContractError, match="no training set holds the real rows"):
        augmentation(ScoreInputs(
            profiles, made, table[table["regime"] != "oracle"].assign(regime="unlabeled"),
            members(profiles.obs, rows, config), study="toy", generator="toy",
            settings=config["augmentation"], seed=5,
        ))  # fmt: skip


def test_unlabelled_profiles_named_by_a_mixture_stand_beside_generators(profiles: ad.AnnData) -> None:
    profiles = profiles.copy()
    for condition, shift in zip("abc", np.random.default_rng(1).normal(size=(3, GENES)), strict=True):
        profiles.X[(profiles.obs["condition"] == condition).to_numpy()] += shift.astype(np.float32)
    config = _config(regimes=["same_n", "unlabeled"], n_real=[12], curve=[], repeats=2)
    table = _score(profiles, config)
    named = table[(table["regime"] == "named") & (table["estimator"] == "logistic")]
    accuracy = named[named["metric"] == "balanced_accuracy"].set_index("repeat")["value"]
    rows = [row for row in training_sets(config) if row["regime"] == "unlabeled"]
    plan = Members(profiles, members(profiles.obs, rows, config))
    for row in rows:  # the same by hand: labels of the mixture added to the rows that it started at
        real, pool, test = (plan.of(row["training_set"], role)[0] for role in ("train", "unlabeled", "test"))
        assert set(plan.of(row["training_set"], "unlabeled")[1]) == {""}
        mean, sd = moderated_scale(profiles.X[real])
        x, others, held_out = ((profiles.X[i].astype(float) - mean) / sd for i in (real, pool, test))
        truth = profiles.obs["condition"].to_numpy(str)
        labels = name_pool(others, [], x, truth[real]).labels
        kept = labels != ""
        assert (labels[kept] == truth[pool][kept]).mean() > 0.9 and kept.mean() > 0.5
        model = LogisticRegression(C=DEFAULTS["logistic"], class_weight="balanced", max_iter=5000)
        weight = np.full(len(x) + kept.sum(), len(x) / (len(x) + kept.sum()))
        y = np.concatenate([truth[real], labels[kept]])
        model.fit(np.concatenate([x, others[kept]]), y, sample_weight=weight)
        by_hand = balanced_accuracy_score(truth[test], model.predict(held_out))
        assert accuracy[row["repeat"]] == pytest.approx(by_hand, abs=0.03)
    assert len(accuracy) == 2


def test_same_seed_same_table(profiles: ad.AnnData) -> None:
    config = _config(classifiers=["mlp", "logistic"], repeats=1)
    pd.testing.assert_frame_equal(_score(profiles, config), _score(profiles, config))


@pytest.mark.parametrize("role", ["train", "unlabeled", "member", "reference"])
def test_a_planted_leak_is_caught(profiles: ad.AnnData, role: str) -> None:
    leaky = profiles.copy()
    leaky.obs["donor"] = leaky.obs["donor"].astype(str)
    leaky.obs.loc["s4", "donor"] = "s3"  # two profiles of one donor
    rows = [("set", "s3", "test", "a"), ("set", "s4", role, "a"), ("set", "s5", "train", "b")]
    table = pd.DataFrame(rows, columns=list(MEMBERS_COLUMNS))
    with pytest.raises(ContractError, match="donor 's3' is held out and trained on"):
        check_no_leak(leaky, table)
    # The same donors in different training sets, or in a role that nothing is fitted on, are no leak.
    check_no_leak(leaky, table.assign(training_set=["one", "two", "two"]))
    check_no_leak(leaky, table.assign(role=["test", "non_member", "train"]))


def _paired_donors(profiles: ad.AnnData) -> ad.AnnData:
    """Every second profile is of its neighbour's donor."""
    paired = profiles.copy()
    donor = paired.obs["donor"].astype(str).to_numpy(dtype=object)
    donor[1::2] = donor[0::2]
    paired.obs["donor"] = donor
    return paired


def test_the_plan_keeps_the_profiles_of_a_donor_on_one_side(profiles: ad.AnnData) -> None:
    config = _config()
    paired = _paired_donors(profiles)
    check_no_leak(paired, members(paired.obs, training_sets(config), config))


@pytest.mark.parametrize("generator", ["real", "toy"])
def test_augmentation_refuses_a_leaky_plan(profiles: ad.AnnData, generator: str) -> None:
    """A plan by profiles that turn out to be of the same donors, as after a correction of the table of samples."""
    config = _config()
    rows = training_sets(config)
    plan = members(profiles.obs, rows, config)
    with pytest.raises(ContractError, match="is held out and trained on in the same training set"):
        augmentation(ScoreInputs(
            _paired_donors(profiles), {}, pd.DataFrame(rows), plan, study="toy", generator=generator,
            settings=config["augmentation"], seed=config["seed"],
        ))  # fmt: skip


def test_a_donor_put_on_the_other_side_of_one_training_set_is_refused(profiles: ad.AnnData) -> None:
    config = _config()
    rows = training_sets(config)
    plan = members(profiles.obs, rows, config)
    name = "aug-type-same_n-n12-r1"
    inside = plan["training_set"] == name
    first = plan.index[inside & (plan["role"] == "test")][0]
    planted = plan.loc[[first]].assign(role="train")
    with pytest.raises(ContractError, match="is held out and trained on") as caught:
        augmentation(ScoreInputs(
            profiles, {}, pd.DataFrame(rows), pd.concat([plan, planted], ignore_index=True), study="toy",
            generator="real", settings=config["augmentation"], seed=config["seed"],
        ))  # fmt: skip
    assert repr(name) in caught.value.where


def test_a_member_that_is_no_profile_is_named(profiles: ad.AnnData) -> None:
    table = pd.DataFrame([("set", "ghost", "train", "a")], columns=list(MEMBERS_COLUMNS))
    with pytest.raises(ContractError, match="'ghost' is not among the profiles"):
        check_no_leak(profiles, table)


def test_moderated_scale_goes_from_one_common_scale_to_each_genes_own() -> None:
    rng = np.random.default_rng(0)
    sd = np.linspace(0.5, 3, 50)
    few, many = rng.normal(size=(2, 50)) * sd, rng.normal(size=(5000, 50)) * sd
    np.testing.assert_allclose(moderated_scale(many)[1] - 0.1, sd, rtol=0.05)
    assert np.ptp(moderated_scale(few)[1]) < 0.5 * np.ptp(few.std(0))
    _, one = moderated_scale(few[:1])
    np.testing.assert_allclose(one, 0.1)
    mean, scale = plain_scale(np.column_stack([np.full(9, 4.0), np.arange(9.0)]))
    np.testing.assert_allclose(mean, [4, 4])
    np.testing.assert_allclose(scale, [1, np.arange(9.0).std()])


def test_generators_scored_in_one_job_get_the_rows_of_their_own_jobs(profiles: ad.AnnData) -> None:
    config = _config()
    synthetic = _generate(profiles, config, _copies)
    shared: dict = {}
    for generator, given in (("real", {}), ("toy", synthetic), ("toy", _generate(profiles, config, _noise))):
        alone = _score(profiles, config, given, generator)
        pd.testing.assert_frame_equal(_score(profiles, config, given, generator, shared=shared), alone)
    assert set(shared) == {"plan"}
