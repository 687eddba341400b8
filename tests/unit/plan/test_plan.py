"""Training sets: enumeration from the configuration, donor-grouped membership, requests."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudocohort.configuration import complete
from pseudocohort.core.errors import ContractError, UserError
from pseudocohort.core.levels import add_level
from pseudocohort.experiments.registry import describe, experiments, plan_settings
from pseudocohort.experiments.shared.plan import nested_order, with_split
from pseudocohort.experiments.shared.split_guard import FITTED_ROLES
from pseudocohort.plan.members import members
from pseudocohort.plan.requests import request
from pseudocohort.plan.training_sets import batches, generators_of, trained_experiments, training_sets


@pytest.fixture(scope="module")
def config(project_root):
    base = complete({"study": "s", "datasets": ["x"]}, project_root / "workflow/schemas")
    base["augmentation"]["tasks"] = {
        "type": {"label": ["condition"], "levels": ["tumour"]},
        "binary_a": {"label": ["context"], "where": {"condition": ["A"]}},
    }
    base["augmentation"] |= {"regimes": ["same_n", "oracle", "unlabeled", "transfer"], "n_real": [0, 12], "repeats": 2}
    base["combination"] |= {
        "conditions": ["A", "B"],
        "k": [0, 2],
        "draws": 3,
        "generator_draws": 2,
        "generators": ["mvn"],
    }
    return base


def make_obs(n_donors=40, lines=3, seed=0):
    rng = np.random.default_rng(seed)
    rows = []
    for condition in "ABC":
        for d in range(n_donors):
            for context in ["tumour", "normal"][: rng.integers(1, 3)]:
                rows.append((f"{condition}-p{d}", "tissue", condition, "bulk", "bulk", context))
        for line in range(lines):
            for _ in range(4):
                rows.append((f"{condition}-line{line}", "lines", condition, "umi_3prime", "pseudobulk", "in_vitro"))
    obs = pd.DataFrame(rows, columns=["donor", "dataset", "condition", "technology", "aggregation", "context"])
    obs.index = [f"s{i}" for i in range(len(obs))]
    obs = add_level(obs)
    names = np.sort(obs.loc[obs["context"] != "in_vitro", "donor"].unique())
    test = set(rng.permutation(names)[: len(names) // 3])
    obs["split"] = ["test" if d in test else "train" for d in obs["donor"]]
    choosing = set(rng.permutation([d for d in names if d not in test])[: len(names) // 4])
    obs["genes"] = ["yes" if d in choosing or "line" in d else "no" for d in obs["donor"]]
    return obs


def planned(obs, config, experiment):
    rows = [r for r in training_sets(config) if r["experiment"] == experiment]
    return rows, members(obs, rows, config)


def test_enumeration_is_pure_unique_and_stable(config):
    first, second = training_sets(config), training_sets(copy.deepcopy(config))
    assert first == second
    ids = [r["training_set"] for r in first]
    assert len(set(ids)) == len(ids)
    assert len({r["seed"] for r in first}) == len(first)
    assert trained_experiments(config) == ["augmentation", "privacy", "combination", "fidelity"]


def test_adding_a_repeat_keeps_the_seeds_and_members_of_the_others(config):
    obs = make_obs()
    more = copy.deepcopy(config)
    more["augmentation"]["repeats"] += 1
    _, before = planned(obs, config, "augmentation")
    _, after = planned(obs, more, "augmentation")
    kept = after[after["training_set"].isin(before["training_set"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(before.astype(str), kept.astype(str))
    old = {r["training_set"]: r["seed"] for r in training_sets(config)}
    assert old.items() <= {r["training_set"]: r["seed"] for r in training_sets(more)}.items()


def test_the_plan_does_not_know_what_only_scores_read(config):
    """Else an attack more would train all models again; a setting that a plan does read is missed at once."""
    every = config | {"experiments": list(experiments())}
    told = {"seed": config["seed"], "generators": config["generators"], "generator_settings": {}}
    told |= {"experiments": every["experiments"], **plan_settings(every)}
    assert training_sets(told) == training_sets(every)
    obs = make_obs()
    for experiment in trained_experiments(told):
        assert set(describe(experiment).scored) <= set(describe(experiment).settings)
        rows, found = planned(obs, told, experiment)
        pd.testing.assert_frame_equal(found, planned(obs, every, experiment)[1])
        for row in rows[:3]:
            own = found[found["training_set"] == row["training_set"]]
            assert len(request(row, own, obs, told))
    assert "attacks" not in told["privacy"] and "coins" in told["privacy"]


def test_batches_partition_the_training_sets_of_a_generator(config):
    small = copy.deepcopy(config)
    small["training"]["sets_per_job"] = 3
    for experiment in trained_experiments(small):
        for generator in generators_of(small, experiment):
            jobs = batches(small, experiment, generator)
            flat = [name for job in jobs.values() for name in job]
            wanted = [
                r["training_set"] for r in training_sets(small)
                if r["experiment"] == experiment and generator in r["generators"].split(";")
            ]  # fmt: skip
            assert flat == wanted
            assert max(map(len, jobs.values())) <= 3


def test_evaluations_left_out_have_no_training_sets(config):
    less = copy.deepcopy(config) | {"experiments": ["privacy"]}
    assert trained_experiments(less) == ["privacy"]
    assert {r["experiment"] for r in training_sets(less)} == {"privacy"}


@pytest.mark.parametrize("experiment", ["fidelity", "augmentation", "combination"])
@given(seed=st.integers(0, 50))
@settings(max_examples=10, deadline=None)
def test_no_held_out_donor_is_ever_fitted(config, experiment, seed):
    obs = make_obs(seed=seed)
    rows, table = planned(obs, config, experiment)
    donor = table["sample_id"].map(obs["donor"])
    choosing = set(obs["donor"][obs["genes"] == "yes"])
    tested: dict[tuple[str | None, int], set[str]] = {}
    for row in rows:
        inside = table["training_set"] == row["training_set"]
        held_out = set(donor[inside & (table["role"] == "test")])
        fitted = set(donor[inside & table["role"].isin(FITTED_ROLES)])
        assert held_out and fitted and not held_out & fitted, row["training_set"]
        assert not held_out & choosing, "genes were chosen on a donor that is tested"
        assert not any("line" in d for d in held_out)
        # Sets of one repeat are compared with each other: they test the same donors.
        assert tested.setdefault((row["task"], row["repeat"]), held_out) == held_out
    assert len(set(map(frozenset, tested.values()))) == len(tested), "repeats test other donors"


def test_same_n_draws_are_nested_and_hold_every_class(config):
    obs = make_obs()
    _, table = planned(obs, config, "augmentation")
    train = table[table["role"] == "train"].groupby("training_set", observed=True)["sample_id"].agg(set)
    for repeat in range(2):
        one, twelve = train[f"aug-type-same_n-n0-r{repeat}"], train[f"aug-type-same_n-n12-r{repeat}"]
        assert len(one) == 3
        assert one < twelve
        assert len(twelve) == 12
        assert set(obs.loc[list(one), "condition"]) == {"A", "B", "C"}


def test_regimes_see_what_they_say(config):
    obs = make_obs()
    _, table = planned(obs, config, "augmentation")

    def ids(name, role):
        return set(table["sample_id"][(table["training_set"] == name) & (table["role"] == role)])

    # Every profile of the task is tested or in the pool, by its donor; as many donors of a condition as in the study's
    # split are tested, out of those on whom no gene was chosen.
    tumours = obs[obs["level"] == "tumour"]
    held_out = obs.loc[list(ids("aug-type-oracle-all-r0", "test"))]
    train = ~obs["donor"].isin(held_out["donor"])
    assert set(held_out.index) == set(tumours.index[tumours["donor"].isin(held_out["donor"])])
    assert set(held_out["genes"]) == {"no"}
    of_study = tumours[tumours["split"] == "test"]
    assert held_out["condition"].value_counts().to_dict() == of_study["condition"].value_counts().to_dict()
    pool = set(tumours.index[train[tumours.index]])
    same = ids("aug-type-same_n-n12-r0", "train")
    assert ids("aug-type-oracle-all-r0", "train") == pool
    assert ids("aug-type-unlabeled-n12-r0", "train") == same
    assert ids("aug-type-unlabeled-n12-r0", "unlabeled") == pool - same
    transfer = ids("aug-type-transfer-n12-r0", "train")
    assert same < transfer
    assert transfer - same == set(obs.index[(obs["level"] != "tumour") & train])
    labels = table[(table["training_set"] == "aug-type-unlabeled-n12-r0") & (table["role"] == "unlabeled")]["condition"]
    assert (labels == "").all()
    # With a filter, the other conditions are the source.
    source = ids("aug-binary_a-transfer-n12-r0", "train") - ids("aug-binary_a-same_n-n12-r0", "train")
    assert set(obs.loc[list(source), "condition"]) == {"A", "B", "C"}
    assert not any((obs.loc[s, "condition"] == "A") and obs.loc[s, "level"] in ("tumour", "normal") for s in source)


def test_privacy_coins_are_by_donor_and_shared_with_the_negative_control(config):
    obs = make_obs()
    _, table = planned(obs, config, "privacy")
    for coin in range(config["privacy"]["coins"]):
        part = table[table["training_set"] == f"priv-c{coin}"]
        donors = part.assign(donor=part["sample_id"].map(obs["donor"])).groupby("donor")["role"].nunique()
        assert (donors == 1).all()
        negative = table[(table["training_set"] == f"privneg-c{coin}") & (table["role"] != "train")]
        pd.testing.assert_frame_equal(
            part[["sample_id", "role"]].reset_index(drop=True), negative[["sample_id", "role"]].reset_index(drop=True)
        )
        seen = table[(table["training_set"] == f"privneg-c{coin}") & (table["role"] == "train")]["sample_id"]
        assert set(seen) == set(part["sample_id"][part["role"] == "reference"])
    sides = [
        set(table["sample_id"][(table["training_set"] == f"priv-c{c}") & (table["role"] == "member")]) for c in (0, 1)
    ]
    assert sides[0] != sides[1]


def test_permuted_arm_moves_whole_lines_and_keeps_label_counts(config):
    obs = make_obs(lines=5)
    config = copy.deepcopy(config)
    config["combination"]["draws"] = 8
    _, table = planned(obs, config, "combination")
    moved = 0
    for draw in range(8):
        part = table[(table["training_set"] == f"comb-permuted-k2-d{draw}") & (table["role"] == "train")]
        cells = part[part["sample_id"].map(obs["level"]) == "pseudobulk"]
        donor = cells["sample_id"].map(obs["donor"])
        assert (cells.groupby(donor.to_numpy(), observed=True)["condition"].nunique() == 1).all()
        truth = cells["sample_id"].map(obs["condition"]).to_numpy()
        assert sorted(cells["condition"].astype(str)) == sorted(truth)
        moved += (cells["condition"].astype(str).to_numpy() != truth).any()
    assert moved >= 6


def test_combination_draws_are_paired_over_arms(config):
    obs = make_obs()
    _, table = planned(obs, config, "combination")

    def tumours(arm):
        part = table[(table["training_set"] == f"comb-{arm}-k2-d1") & (table["role"] == "train")]
        return set(part["sample_id"][part["sample_id"].map(obs["level"]) == "tumour"])

    assert tumours("tissue_only") == tumours("both") == tumours("permuted")
    assert len(tumours("both")) == 4


def test_combination_refuses_a_condition_that_a_level_lacks(config):
    obs = make_obs()
    obs = obs[~((obs["condition"] == "B") & (obs["level"] == "pseudobulk"))]
    with pytest.raises(UserError, match="'B' has no pseudobulk"):
        planned(obs, config, "combination")


def test_task_with_one_class_is_refused(config):
    config = copy.deepcopy(config)
    config["augmentation"]["tasks"] = {"bad": {"label": ["context"], "levels": ["tumour"]}}
    with pytest.raises(UserError, match="1 class"):
        planned(make_obs(), config, "augmentation")


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=60), st.integers(0, 100))
def test_every_prefix_of_nested_order_holds_every_class(labels, seed):
    series = pd.Series(labels, index=[f"i{k}" for k in range(len(labels))])
    order = nested_order(series, np.random.default_rng(seed))
    assert sorted(order) == sorted(series.index)
    assert set(series[order[: series.nunique()]]) == set(labels)


def test_with_split_refuses_a_donor_on_both_sides():
    obs = make_obs().drop(columns=["split", "genes"])
    donors = pd.DataFrame({"donor": "A-p0", "dataset": ["t", "u"], "split": ["train", "test"], "genes": "no"})
    with pytest.raises(ContractError, match="A-p0"):
        with_split(obs, donors)


def test_requests_have_the_right_conditions_levels_and_sizes(config):
    obs = make_obs()
    for experiment in ("fidelity", "augmentation", "privacy", "combination"):
        rows, table = planned(obs, config, experiment)
        for row in rows:
            part = table[table["training_set"] == row["training_set"]]
            asked = request(row, part, obs, config)
            if experiment == "fidelity":
                test = part["sample_id"][part["role"] == "test"]
                assert len(asked) == len(test)
                counts = obs.loc[test].value_counts(["condition", "level"]).sort_index()
                pd.testing.assert_series_equal(
                    asked.value_counts(["condition", "level"]).sort_index(), counts, check_dtype=False
                )
            elif experiment == "augmentation":
                assert len(asked) == max(config["augmentation"]["n_synthetic"])
                if row["task"] == "type":
                    assert set(asked["level"]) == {"tumour"}
                    assert set(asked["condition"].iloc[:3]) <= {"A", "B", "C"}
                else:
                    assert set(asked["condition"]) == {"A"}
            elif experiment == "privacy":
                assert len(asked) == (part["role"] == "member").sum()
                assert set(asked["level"]) == {"tumour"}
            else:
                assert asked["condition"].value_counts().to_dict() == {"A": 100, "B": 100}
                assert set(asked["level"]) == {"tumour"}


def test_mixtures_of_lines_are_for_training_and_never_beside_a_tested_line(config):
    obs = make_obs(lines=4)
    mixed = obs[(obs["level"] == "pseudobulk").to_numpy()].drop_duplicates("condition").copy()
    mixed["donor"] = [f"mixture:0-{c}" for c in mixed["condition"]]
    mixed.index = [f"mix{c}" for c in mixed["condition"]]
    donors = obs.drop_duplicates("donor")[["donor", "dataset", "split", "genes"]]
    both = with_split(pd.concat([obs, mixed]).drop(columns=["split", "genes"]), donors)
    assert (both.loc[mixed.index, "split"] == "train").all()
    held = copy.deepcopy(config)
    held["experiments"] = ["held_out_level"]
    held["combination"]["conditions"] = ["A", "B", "C"]
    rows, table = planned(both, held, "held_out_level")
    for row in rows:
        ids = set(table.loc[table["training_set"] == row["training_set"], "sample_id"])
        assert bool(ids & set(mixed.index)) <= row["regime"].startswith("tissue")
    with pytest.raises(ContractError, match="has no split"):
        with_split(both.assign(donor="stranger"), donors)


def test_generators_may_have_fewer_draws_than_baselines(config):
    fewer = copy.deepcopy(config)
    fewer["combination"] |= {"generators": ["mvn", "ddpm"], "draws": 3, "generator_draws": 2}
    rows = [r for r in training_sets(fewer) if r["experiment"] == "combination"]
    trained = {draw: {r["generators"] for r in rows if r["repeat"] == draw} for draw in range(3)}
    assert trained == {0: {"mvn;ddpm"}, 1: {"mvn;ddpm"}, 2: {""}}


def test_combination_tests_other_patients_in_each_draw_and_no_gene_was_chosen_on_them(config):
    obs = make_obs()
    rows, table = planned(obs, config, "combination")
    tested: dict[int, set[str]] = {}
    for row in rows:
        part = table[table["training_set"] == row["training_set"]]
        donors = {
            r: set(obs.loc[part.loc[part["role"] == r, "sample_id"], "donor"]) for r in ("train", "unlabeled", "test")
        }
        assert not donors["test"] & (donors["train"] | donors["unlabeled"])
        assert tested.setdefault(row["repeat"], donors["test"]) == donors["test"]
        assert (obs.loc[obs["donor"].isin(donors["test"]), "genes"] == "no").all()
        # Patients of a condition that is not compared are among the unlabelled ones: nobody knows that they are.
        assert any(d.startswith("C") for d in donors["unlabeled"])
        assert (part.loc[part["role"] == "unlabeled", "condition"] == "").all()
    assert tested[0] != tested[1] != tested[2]
    own = copy.deepcopy(config)
    own["combination"]["unlabeled"] = "conditions"
    _, table = planned(obs, own, "combination")
    unlabelled = obs.loc[table.loc[table["role"] == "unlabeled", "sample_id"].unique(), "donor"]
    assert not unlabelled.str.startswith("C").any()


def test_control_has_every_condition_under_the_name_of_another(config):
    three = copy.deepcopy(config)
    three["combination"]["conditions"] = ["A", "B", "C"]
    obs = make_obs()
    rows, table = planned(obs, three, "combination")
    for row in rows:
        if row["regime"] == "permuted":
            part = table[(table["training_set"] == row["training_set"]) & (table["role"] == "train")]
            at_cells = (obs.loc[part["sample_id"], "level"] == "pseudobulk").to_numpy()
            true = obs.loc[part["sample_id"], "condition"].to_numpy()[at_cells]
            given = part["condition"].to_numpy()[at_cells]
            assert (true != given).all()
            assert len(set(zip(true, given, strict=True))) == 3
