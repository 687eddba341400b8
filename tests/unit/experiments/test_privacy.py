"""Privacy: attacks whose answer is known in closed form or by construction, the audit bound, and the table."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.covariance import ledoit_wolf, ledoit_wolf_shrinkage
from sklearn.metrics import roc_auc_score
from support.privacy import GENES, draw, toy_space

from pseudocohort.core.contracts import check_evaluation
from pseudocohort.core.errors import ContractError, UserError
from pseudocohort.experiments.privacy.attacks import ATTACKS, REQUIRED, AttackSpace, attack_space
from pseudocohort.experiments.privacy.attacks._gaussian import ShrunkGaussian, ledoit_wolf_intensity
from pseudocohort.experiments.privacy.attacks._space import expressed
from pseudocohort.experiments.privacy.attacks._subspaces import residual_norm, span_axes
from pseudocohort.experiments.privacy.attacks.density_ratio import log_kernel_density
from pseudocohort.experiments.privacy.attacks.dpi import dpi
from pseudocohort.experiments.privacy.attacks.gaussian_likelihood_ratio import gaussian_likelihood_ratio
from pseudocohort.experiments.privacy.attacks.gaussian_likelihood_ratio_class import gaussian_likelihood_ratio_class
from pseudocohort.experiments.privacy.attacks.monte_carlo import monte_carlo
from pseudocohort.experiments.privacy.attacks.span_residual import span_residual
from pseudocohort.experiments.privacy.audit import epsilon_bound, epsilon_lower_bound, guess_sizes, right_guesses
from pseudocohort.experiments.privacy.evidence import Bounds, evidence, judge
from pseudocohort.experiments.privacy.pooled import Coin, stacked, true_positives
from pseudocohort.experiments.privacy.score import donor_scores, privacy, tied_share
from pseudocohort.experiments.shared.inputs import ScoreInputs
from pseudocohort.experiments.shared.statistics import corrected_maximum, delong
from pseudocohort.generators.base import registry
from pseudocohort.metrics.copies import _in_part, copied_donors, count_copies, disguised_copies
from pseudocohort.plan.members import members
from pseudocohort.plan.training_sets import training_sets

SPLITS = 5


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_attack_finds_copies_and_nothing_in_an_independent_draw(name: str) -> None:
    found, null = (
        np.mean([delong(member, ATTACKS[name](space, seed=0)).auc for space, member in toys])
        for toys in ([toy_space(seed, kind) for seed in range(SPLITS)] for kind in ("copy", "independent"))
    )
    exact = ("nearest_neighbour", "nearest_neighbour_calibrated", "span_residual", "gaussian_likelihood_ratio")
    assert found >= (0.95 if name in exact else 0.6)
    assert 0.44 <= null <= 0.56


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_score_of_a_candidate_depends_on_no_other_candidate(name: str) -> None:
    space, member = toy_space(1, "copy")
    scores = ATTACKS[name](space, seed=0)
    assert scores.shape == (120,)
    assert np.isfinite(scores).all()
    order = np.random.default_rng(0).permutation(120)
    for rows in (order, order[:17]):
        chosen = replace(space, candidates=space.candidates[rows], candidate_condition=space.candidate_condition[rows])
        np.testing.assert_allclose(ATTACKS[name](chosen, seed=0), scores[rows], rtol=1e-6, atol=1e-6)
        if len(rows) == 120:
            assert delong(member[rows], ATTACKS[name](chosen, seed=0)).auc == pytest.approx(delong(member, scores).auc)


@pytest.mark.parametrize("shape", [(40, 6), (12, 30)])
def test_likelihood_ratio_is_that_of_ledoit_wolf_gaussians(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    n, p = shape
    mixing = rng.normal(size=(p, p)) / np.sqrt(p) + np.eye(p)
    synthetic, reference, x = (rng.normal(size=(k, p)) @ mixing for k in (n, n + 5, 7))
    scale = rng.uniform(0.5, 2, size=p)
    labels = [np.repeat("a", len(rows)) for rows in (x, reference, synthetic)]
    space = AttackSpace(x, reference, synthetic, *labels, scale=scale)
    densities = []
    for rows in (synthetic * scale, reference * scale):
        covariance, intensity = ledoit_wolf(rows)
        assert ledoit_wolf_intensity(rows - rows.mean(0)) == pytest.approx(intensity, rel=1e-9)
        densities.append(stats.multivariate_normal(rows.mean(0), covariance).logpdf(x * scale))
        np.testing.assert_allclose(ShrunkGaussian.fit(rows).log_density(x * scale), densities[-1], rtol=1e-8)
    expected = densities[0] - densities[1]
    np.testing.assert_allclose(gaussian_likelihood_ratio(space, seed=0), expected, rtol=1e-7)
    np.testing.assert_allclose(gaussian_likelihood_ratio_class(space, seed=0), expected, rtol=1e-7)


def test_likelihood_ratio_of_a_condition_uses_its_own_rows() -> None:
    space, _ = toy_space(2, "copy")
    scores = gaussian_likelihood_ratio_class(space, seed=0)
    for condition in ("a", "b"):
        mine = space.candidate_condition == condition
        alone = replace(
            space,
            candidates=space.candidates[mine],
            synthetic=space.synthetic[space.synthetic_condition == condition],
            reference=space.reference[space.reference_condition == condition],
        )
        np.testing.assert_allclose(scores[mine], gaussian_likelihood_ratio(alone, seed=0))


def test_shrinkage_intensity_at_its_limits() -> None:
    assert ledoit_wolf_intensity(np.zeros((5, 3))) == 0
    assert ledoit_wolf_intensity(np.ones((1, 3))) == 1
    x = np.random.default_rng(0).normal(size=(30, 400))
    x -= x.mean(0)
    assert ledoit_wolf_intensity(x) == pytest.approx(ledoit_wolf_shrinkage(x, assume_centered=True), rel=1e-9)


def test_span_residual_is_that_of_least_squares() -> None:
    rng = np.random.default_rng(0)
    rows, x = rng.normal(size=(8, 30)), rng.normal(size=(5, 30))
    basis, offset = (rows - rows.mean(0)).T, (x - rows.mean(0)).T
    weights = np.linalg.lstsq(basis, offset, rcond=None)[0]
    expected = np.linalg.norm(offset - basis @ weights, axis=0)
    np.testing.assert_allclose(residual_norm(x, *span_axes(rows)), expected, rtol=1e-9)
    # The condition of a candidate says whose span; a condition without rows falls back on all rows.
    labels = np.repeat(["a", "b"], 4)
    space = AttackSpace(x, x, rows, np.array(["a", "a", "b", "b", "c"]), np.repeat("a", 5), labels)
    scores = span_residual(space, seed=0)
    np.testing.assert_allclose(scores[:2], -residual_norm(x[:2], *span_axes(rows[:4])))
    np.testing.assert_allclose(scores[4], -expected[4])
    # Rows that span the whole space say nothing.
    assert (residual_norm(x[:, :4], *span_axes(rows[:, :4])) == 0).all()


def test_kernel_density_is_the_mean_of_gaussians() -> None:
    rng = np.random.default_rng(0)
    rows, x = rng.normal(size=(9, 2)), 3 * rng.normal(size=(4, 2))
    width = 9 ** (-1 / 6)
    direct = [np.mean([stats.multivariate_normal(r, width**2).pdf(v) for r in rows]) for v in x]
    np.testing.assert_allclose(log_kernel_density(x, rows), np.log(direct), rtol=1e-9)
    # Far away, where densities underflow, logarithms still tell near from far.
    far = log_kernel_density(np.array([[1e3, 0.0], [2e3, 0.0]]), rows)
    assert np.isfinite(far).all()
    assert far[0] > far[1]


def test_monte_carlo_counts_rows_within_the_references_radius() -> None:
    one = np.array([[0.0], [1.0], [2.0], [10.0]])
    space = AttackSpace(np.array([[0.4], [30.0]]), np.array([[0.5], [1.0 + 0.75], [13.0]]), one, *[np.array(["a"])] * 3)
    # Distances of the reference to the nearest synthetic row: .5, .25, 3; their median .5 reaches only 0 from 0.4.
    np.testing.assert_allclose(monte_carlo(space, seed=0), [0.25, 0.0])


def test_plagiarism_index_compares_shares_of_the_nearest_rows() -> None:
    synthetic, reference = np.array([[0.0], [0.1], [0.2], [9.0], [9.1], [9.2]]), np.arange(3.0, 13.0)[:, None]
    labels = [np.repeat("a", n) for n in (1, 10, 6)]
    space = AttackSpace(np.array([[0.05]]), reference, synthetic, *labels)
    # The five nearest are three of six synthetic rows (0, .1, .2) and two of ten reference rows (3, 4).
    np.testing.assert_allclose(dpi(space, seed=0), np.log((3.5 / 6) / (2.5 / 10)))


def test_space_leaves_out_genes_that_the_reference_does_not_express() -> None:
    rng = np.random.default_rng(0)
    x, y = draw(rng, 90)
    x[:, :10], x[:, 10:20] = 0, 5  # absent, and constant
    x[:30, :20] = 7  # silent in the reference, loud in the candidates
    reference = slice(60, 90)
    space = attack_space(x[:30], x[reference], x[30:60], y[:30], y[reference], y[30:60])
    assert space.candidates.shape == (30, GENES - 20)
    np.testing.assert_allclose(space.reference.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(space.reference.std(0), 1, atol=1e-6)
    np.testing.assert_allclose(space.scale, x[reference, 20:].std(0), rtol=1e-4)
    # Too few expressed genes: all stay, and a flat gene has a bounded scale.
    assert expressed(x[reference, :60]).all()
    few = attack_space(x[:30, :60], x[reference, :60], x[30:60, :60], y[:30], y[reference], y[30:60])
    assert few.candidates.shape == (30, 60)
    assert np.abs(few.candidates).max() < 200


def test_space_refuses_cohorts_that_cannot_be_attacked() -> None:
    x, y = draw(np.random.default_rng(0), 10)
    with pytest.raises(ContractError, match="1 synthetic profile"):
        attack_space(x, x, x[:1], y, y, y[:1])
    with pytest.raises(ContractError, match="genes"):
        attack_space(x, x, x[:, :5], y, y, y)


def test_epsilon_bound_inverts_the_binomial_tail() -> None:
    for right, guesses, alpha in ((60, 80, 0.05), (100, 100, 0.01), (45, 50, 0.001)):
        epsilon = epsilon_bound(right, guesses, alpha)
        tail = stats.binom.sf(right - 1, guesses, np.exp(epsilon) / (1 + np.exp(epsilon)))
        assert tail == pytest.approx(alpha, rel=1e-6)
    assert epsilon_bound(40, 80, 0.05) == 0
    assert epsilon_bound(0, 80, 0.05) == 0
    # Table of the background notes: a perfect attack on 218 donors, at 95 %.
    assert epsilon_bound(218, 218, 0.05) == pytest.approx(4.28, abs=0.01)


def test_audit_corrects_for_attacks_and_numbers_of_guesses() -> None:
    member = np.repeat([True, False], 60)
    perfect = np.arange(120, 0, -1.0)
    rng = np.random.default_rng(0)
    scores = np.stack([perfect, rng.normal(size=120)], axis=1)
    assert guess_sizes(120) == [10, 25, 50, 60]
    bound, ceiling = epsilon_lower_bound(scores, member, seed=0)
    alpha = 0.05 / (2 * 4 * 2)  # attacks, numbers of guesses, with and without guesses out
    share = alpha ** (1 / 120)  # P[Binomial(120, share) = 120] = alpha
    assert ceiling == pytest.approx(np.log(share / (1 - share)), rel=1e-9)
    assert bound == pytest.approx(ceiling)
    noise, _ = epsilon_lower_bound(scores[:, 1:], member, seed=0)
    assert noise < 0.3
    assert epsilon_lower_bound(scores[:, :1], member, seed=0)[1] > ceiling


def test_audit_finds_a_cohort_that_copies_few_of_its_members() -> None:
    """The 40 highest scores of 400 are members, all others are a guess: guesses in alone find it."""
    rng = np.random.default_rng(1)
    member = np.repeat([True, False], 200)
    scores = rng.normal(size=400)
    scores[:40] += 20
    bound, _ = epsilon_lower_bound(scores[:, None], member, seed=0)
    assert bound > 1.2
    assert right_guesses(scores, member, 40, rng, out=False) == 40


def test_audit_keeps_its_level_on_coins_that_no_attack_can_know() -> None:
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(100, 4))
    bounds = [epsilon_lower_bound(scores, rng.random(100) < 0.5, seed=k)[0] for k in range(300)]
    assert np.mean(np.array(bounds) > 0) <= 0.08


def test_guesses_among_ties_do_not_follow_the_order_of_donors() -> None:
    member = np.repeat([False, True], 50)  # an order-following rule would get every guess right, or none
    right = [right_guesses(np.zeros(100), member, 25, np.random.default_rng(k)) for k in range(200)]
    assert np.mean(right) == pytest.approx(25, abs=1)


def test_donors_are_the_unit() -> None:
    donors = np.array(["b", "a", "b", "c"])
    np.testing.assert_allclose(donor_scores(np.array([1.0, 5.0, 3.0, 4.0]), donors), [5, 2, 4])
    np.testing.assert_allclose(donor_scores(np.array([[1.0], [5.0], [3.0], [4.0]]), donors), [[5], [2], [4]])
    assert tied_share(np.array([1.0, 1.0, 2.0, 3.0])) == 0.5


CONFIG = {
    "seed": 5,
    "generators": ["toy"],
    "experiments": ["privacy"],
    "privacy": {"generators": [], "coins": 2, "reference_share": 0.2, "level": "tumour"}
    | {"attacks": ["nearest_neighbour", "monte_carlo", "span_residual"]}
    | {"training_lengths": {}, "release_sizes": []},
}


def _cohort() -> ad.AnnData:
    """320 donors, the first 30 of them with two profiles, and one profile of another level."""
    x, y = draw(np.random.default_rng(0), 351, genes=80)
    donor = np.concatenate([np.arange(320), np.arange(30), [0]])
    obs = pd.DataFrame(
        {"donor": [f"d{k}" for k in donor], "condition": y[donor], "level": ["tumour"] * 350 + ["normal"]},
        index=[f"s{k}" for k in range(351)],
    )
    return ad.AnnData(x, obs=obs)


def _release(profiles: ad.AnnData, plan: pd.DataFrame, training_set: str) -> ad.AnnData:
    """Copies of what the generator of the training set saw."""
    role = "train" if training_set.startswith("privneg") else "member"
    seen = plan[(plan["training_set"] == training_set) & (plan["role"] == role)]
    out = profiles[seen["sample_id"].to_numpy()].copy()
    return ad.AnnData(out.X, obs=out.obs[["condition"]], var=out.var)


def _table(profiles: ad.AnnData, plan: pd.DataFrame, synthetic: dict, **settings: object) -> pd.DataFrame:
    return privacy(
        ScoreInputs(
            profiles,
            synthetic,
            pd.DataFrame(training_sets(CONFIG)),
            plan,
            study="toy_study",
            generator="toy",
            settings=CONFIG["privacy"] | settings,
            seed=CONFIG["seed"],
        )
    )


@pytest.fixture(scope="module")
def cohort() -> tuple[ad.AnnData, pd.DataFrame, dict[str, ad.AnnData]]:
    profiles = _cohort()
    rows = training_sets(CONFIG)
    plan = members(profiles.obs, rows, CONFIG)
    return profiles, plan, {r["training_set"]: _release(profiles, plan, r["training_set"]) for r in rows}


def test_table_of_copies_and_their_negative_control(cohort) -> None:
    profiles, plan, synthetic = cohort
    table = _table(profiles, plan, synthetic)
    check_evaluation(table, "privacy")
    regimes = {"audit", "negative_control", "similarity", "pooled", "pooled_control", "condition"}
    assert set(table["regime"]) == regimes
    wanted = plan[plan["role"] == "member"].groupby("training_set", observed=True).size()
    copies = table[(table["estimator"] == "copies") & (table["metric"] == "exact_copies")].set_index("repeat")["value"]
    assert [copies[coin] for coin in (0, 1)] == [wanted[f"priv-c{coin}"] for coin in (0, 1)]
    assert set(table["level"]) == {"tumour"}
    assert set(table["study"]) == {"toy_study"}
    wide = table.pivot_table(index=["repeat", "regime", "estimator"], columns="metric", values="value")
    for coin in (0, 1):
        count = plan[plan["training_set"] == f"priv-c{coin}"]["role"].value_counts()
        audit, control = wide.loc[coin, "audit"], wide.loc[coin, "negative_control"]
        copied = audit.loc["nearest_neighbour"]
        assert copied["auc"] == 1
        assert copied["auc_low"] < 1 == copied["auc_high"]
        assert copied["tied_share"] > 0.4  # every member is at distance 0
        assert copied["tpr_at_fpr_0.1"] == 1
        battery = audit.loc["battery"]
        assert battery["members"] == count["member"]
        assert battery["max_auc"] == audit["auc"].max() == 1
        assert battery["p_corrected"] == pytest.approx(1 / 2000)
        assert 2 < battery["epsilon_lower_bound"] <= battery["epsilon_ceiling"]
        assert control.loc["battery", "p_corrected"] > 0.02
        assert control.loc["battery", "epsilon_lower_bound"] < 0.3
        assert control.loc["battery", "epsilon_ceiling"] == battery["epsilon_ceiling"]
        assert control["auc"].drop("battery").between(0.35, 0.65).all()
        use = audit.loc["use"]  # copies teach what the members do
        assert abs(use["tstr_balanced_accuracy"] - use["members_balanced_accuracy"]) < 0.1
        assert use["members_balanced_accuracy"] > 0.6
        assert wide.loc[(coin, "similarity", "similarity"), "dcr_member_share"] > 0.9


def test_few_non_members_have_no_rate_at_a_low_false_positive_rate(cohort) -> None:
    profiles, _, _ = cohort
    few = profiles[:80].copy()
    rows = training_sets(CONFIG)
    plan = members(few.obs, rows, CONFIG)
    table = _table(few, plan, {r["training_set"]: _release(few, plan, r["training_set"]) for r in rows})
    assert "auc" in set(table["metric"])
    assert "tpr_at_fpr_0.1" not in set(table["metric"])


def test_order_of_the_candidates_does_not_matter(cohort) -> None:
    profiles, plan, synthetic = cohort
    shuffled = plan.sample(frac=1, random_state=0)
    before, after = (_table(profiles, p, synthetic) for p in (plan, shuffled))
    keys = ["regime", "repeat", "task", "estimator", "metric"]
    left, right = (t[t["regime"] != "similarity"].set_index(keys)["value"].sort_index() for t in (before, after))
    pd.testing.assert_series_equal(left, right)


def test_what_is_wrong_is_said(cohort) -> None:
    profiles, plan, synthetic = cohort
    with pytest.raises(UserError, match="unknown attack 'guess'"):
        _table(profiles, plan, synthetic, attacks=["guess"])
    with pytest.raises(KeyError, match="privneg-c1"):
        _table(profiles, plan, {k: v for k, v in synthetic.items() if k != "privneg-c1"})
    with pytest.raises(ContractError, match="genes of the synthetic"):
        _table(profiles, plan, {k: v[:, ::-1] for k, v in synthetic.items()})
    first = plan[plan["role"] == "member"].iloc[[0]].assign(role="non_member")
    with pytest.raises(ContractError, match="is both member and non-member"):
        _table(profiles, pd.concat([plan, first]), synthetic)
    trained = first.assign(role="train", training_set="privneg-c0")
    with pytest.raises(ContractError, match="and reference"):
        _table(profiles, pd.concat([plan, trained]), synthetic)
    with pytest.raises(UserError, match="both members and non-members"):
        _table(profiles, plan[plan["role"] != "non_member"], synthetic)


def test_a_generator_without_privacy_sets_has_no_rows(cohort) -> None:
    profiles, plan, _ = cohort
    rows = pd.DataFrame(training_sets(CONFIG)).assign(generators="other")
    given = ScoreInputs(profiles, {}, rows, plan, study="s", generator="toy", settings=CONFIG["privacy"], seed=1)
    table = privacy(given)
    assert len(table) == 0


# --- plug-ins ---------------------------------------------------------------------------------------------------------


def test_an_attack_is_one_file(tmp_path, monkeypatch) -> None:
    """A toy attack that is copied into the folder is in the battery, on the card and in the errors; nothing else is."""
    import shutil

    import pseudocohort

    root = Path(pseudocohort.__file__).parent
    shutil.copytree(root, tmp_path / "pseudocohort", ignore=shutil.ignore_patterns("__pycache__"))
    folder = tmp_path / "pseudocohort/experiments/privacy/attacks"
    (folder / "first_gene.py").write_text(
        'from ._base import Attack\n\nATTACK = Attack(name="first_gene", summary="Is its first gene high?", '
        'source="toy", score=lambda space, *, seed: space.candidates[:, 0], default=True)\n'
    )
    program = (
        "from pseudocohort.experiments.privacy.attacks import ATTACKS, DEFAULT, REQUIRED, chosen\n"
        "from pseudocohort.release.card import question\n"
        "assert 'first_gene' in ATTACKS and 'first_gene' in chosen([]) and 'first_gene' in chosen(['all'])\n"
        "assert 'first_gene' not in REQUIRED and chosen(['first_gene']) == ['first_gene']\n"
        "print(question('first_gene'))\n"
        "import sys; assert 'torch' not in sys.modules\n"
    )
    made = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    assert made.stdout.strip() == "Is its first gene high?"


def test_no_attack_is_named_outside_its_file(project_root: Path) -> None:
    package = project_root / "workflow/scripts/pseudocohort"
    assert len(ATTACKS) > 10
    named = [
        f"{path.relative_to(package)}: {name}"
        for path in package.rglob("*.py")
        if path.parent.name != "attacks"
        for name in ATTACKS
        if f'"{name}"' in path.read_text()
    ]
    # Words that are not of attacks: a column of tables, the shift of means between sources.
    assert [entry for entry in named if not entry.endswith((": classifier", ": mean_shift"))] == []


# --- the gate against cohorts that copy -------------------------------------------------------------------------------


def _fresh_with_copies(share: float, coins: int = 4) -> pd.DataFrame:
    """Audits of a generator that draws from the population and copies a share of its members, by every attack."""
    config = CONFIG | {"privacy": CONFIG["privacy"] | {"coins": coins}}
    x, y = draw(np.random.default_rng(4), 400)
    obs = pd.DataFrame({"donor": [f"d{k}" for k in range(400)], "condition": y, "level": "tumour"})
    obs.index = [f"s{k}" for k in range(400)]
    profiles = ad.AnnData(x, obs=obs)
    rows = training_sets(config)
    plan = members(profiles.obs, rows, config)
    synthetic = {}
    for number, row in enumerate(rows):
        seen = plan[(plan["training_set"] == row["training_set"]) & (plan["role"] == "member")]["sample_id"]
        made, labels = draw(np.random.default_rng(100 + number), len(seen))
        if row["regime"] == "audit":
            copied = profiles[seen[: round(share * len(seen))].to_numpy()]
            made[: copied.n_obs], labels[: copied.n_obs] = copied.X, copied.obs["condition"]
        synthetic[row["training_set"]] = ad.AnnData(made, obs=pd.DataFrame({"condition": labels}), var=profiles.var)
    return privacy(ScoreInputs(
        profiles, synthetic, pd.DataFrame(rows), plan, study="s", generator="toy",
        settings=config["privacy"] | {"attacks": ["all"]}, seed=5,
    ))  # fmt: skip


@pytest.mark.parametrize("share", [0.12, 0.10, 0.02])
def test_a_cohort_with_verbatim_copies_is_refused(share: float) -> None:
    """Every interval of a mean area may lie below .6: the copies are seen, and those who were copied are found."""
    found = evidence(_fresh_with_copies(share), "toy")
    assert not found.missing and found.coins == 4
    objections = judge(found, Bounds(max_auc_high=0.7))
    assert any("copy a training donor" in o.text and o.proven for o in objections)
    if share >= 0.1:
        rates = [a.found for a in found.attacks if a.name == "nearest_neighbour"]
        assert rates[0].auc >= share - 0.01
        assert any("at 1 % false positives" in o.text for o in objections)
        assert any("lower bound on epsilon" in o.text for o in judge(found, Bounds(max_epsilon=0.0)))


def test_a_cohort_without_copies_passes_and_its_stack_guesses() -> None:
    found = evidence(_fresh_with_copies(0.0), "toy")
    assert found.copies == 0
    assert [o.text for o in judge(found, Bounds(max_auc_high=0.65))] == []
    (stack,) = [a for a in found.attacks if a.name == "stack"]
    assert 0.4 < stack.audit.auc < 0.6 and 0.4 < stack.control.auc < 0.6


def test_stack_has_not_seen_the_coin_that_it_attacks() -> None:
    """Scores of noise: a stack that had been fitted to the coin itself would find its members among few donors."""
    rng = np.random.default_rng(0)
    areas = []
    for _ in range(10):
        noise = [{f"a{k}": rng.normal(size=60) for k in range(15)} for _ in range(6)]
        coins = [
            Coin({}, noise[i], rng.random(60) < 0.5, np.full(60, "c"), control=noise[3 + i]) for i in range(3)
        ]  # fmt: skip
        found = [
            (roc_auc_score(coin.member, scores), roc_auc_score(coin.member, control))
            for coin, (scores, control) in zip(coins, stacked(coins), strict=True)
        ]
        areas.append(np.mean(found, axis=0))
    np.testing.assert_allclose(np.mean(areas, axis=0), 0.5, atol=0.05)


def test_copied_outliers_are_refused_though_the_area_is_a_guess() -> None:
    """The gate's positive control: a mean area next to .5, and donors who are out all the same."""
    x, y = draw(np.random.default_rng(4), 400)
    x[::20] += 3  # outliers
    obs = annotated(y)
    profiles = ad.AnnData(x, obs=obs)
    config = CONFIG | {"privacy": CONFIG["privacy"] | {"coins": 4}}
    rows = training_sets(config)
    plan = members(profiles.obs, rows, config)
    synthetic = {}
    for row in rows:
        role = "member" if row["regime"] == "audit" else "train"
        seen = plan[(plan["training_set"] == row["training_set"]) & (plan["role"] == role)]["sample_id"]
        part = profiles[seen.to_numpy()].copy()
        model = registry.get("copied_outliers")().fit(part, seed=1)
        made = ad.AnnData(model.sample(part.obs, seed=int(row["seed"]) % 1000), obs=part.obs[["condition"]].copy())
        made.var_names = profiles.var_names
        synthetic[row["training_set"]] = made
    table = privacy(ScoreInputs(
        profiles, synthetic, pd.DataFrame(rows), plan, study="s", generator="toy",
        settings=config["privacy"] | {"attacks": []}, seed=5,
    ))  # fmt: skip
    found = evidence(table, "toy")
    near = next(a for a in found.attacks if a.name == "nearest_neighbour")
    assert near.audit.auc < 0.6 and near.found.auc >= 0.03
    assert any("copy a training donor" in o.text for o in judge(found, Bounds()))
    # Stored and read again, the control makes the same rows.
    again = registry.get("copied_outliers").from_state(*model.state()).sample(part.obs, seed=3)
    np.testing.assert_array_equal(again, model.sample(part.obs, seed=3))


def annotated(condition: np.ndarray) -> pd.DataFrame:
    """Donors of one profile each."""
    n = len(condition)
    return pd.DataFrame(
        {"donor": [f"d{k}" for k in range(n)], "condition": condition, "technology": "bulk", "aggregation": "bulk",
         "context": "tumour", "level": "tumour"},
        index=[f"s{k}" for k in range(n)],
    )  # fmt: skip


def test_copies_are_told_from_profiles_of_other_donors() -> None:
    rng = np.random.default_rng(0)
    (train, _), (other, _) = draw(rng, 120), draw(rng, 120)
    donors = np.array([f"d{i // 2}" for i in range(120)])
    train[1::2] = train[::2] + 0.3 * rng.normal(size=(60, GENES))  # two profiles of a donor are alike
    exact, near = copied_donors(other, train, donors)
    assert not exact.any() and not near.any()
    made = np.concatenate([train[:5], train[10:15] + 0.3 * rng.normal(size=(5, GENES)), np.round(train[20:22], 1)])
    exact, near = copied_donors(made, train, donors)
    assert exact[:5].all() and not near[:5].any()
    assert near[5:].all() and not exact[5:].any()


DISGUISES = {
    "another logarithm": lambda x, other, rng: x * np.log(2) - 1,
    "a shift of each profile": lambda x, other, rng: x + rng.choice([-3, 3], (len(x), 1)),
    "a factor of each profile": lambda x, other, rng: x * rng.choice([0.6, 1.5], (len(x), 1)),
    "square roots": lambda x, other, rng: np.sqrt(x.clip(0)) * 2.8,
    "ranks": lambda x, other, rng: x.argsort(1).argsort(1) / x.shape[1],
    "half of the genes": lambda x, other, rng: np.where(rng.random(x.shape[1]) < 0.5, x, other),
    "half of each profile's genes, with noise": lambda x, other, rng: np.where(
        rng.random(x.shape) < 0.5, x + 0.05 * rng.normal(size=x.shape), other
    ),
    "one gene far away": lambda x, other, rng: np.where(np.arange(x.shape[1]) == 7, 1e4, x),
}


@pytest.mark.parametrize("disguise", DISGUISES)
def test_copies_on_another_scale_or_in_part_are_told_from_profiles_of_other_donors(disguise: str) -> None:
    rng = np.random.default_rng(0)
    (train, _), (other, _) = draw(rng, 120), draw(rng, 120)
    donors = np.arange(120).astype(str)
    made = other.astype(np.float64)
    made[:10] = DISGUISES[disguise](train[:10].astype(np.float64), made[:10], rng)
    exact, near = copied_donors(made, train, donors)
    found = exact | near | disguised_copies(made, train, donors)
    assert found[:10].all() and not found[10:].any()
    assert sum(count_copies(made, train, donors)) == 10
    assert count_copies(other, train, donors) == (0, 0, 0)


@pytest.mark.parametrize("twins", [4, 120])
@pytest.mark.parametrize("noise", [1e-6, 0.2])
def test_a_donor_under_two_names_hides_no_copy(twins: int, noise: float) -> None:
    rng = np.random.default_rng(1)
    (x, _), (other, _) = draw(rng, 120), draw(rng, 40)
    train = np.concatenate([x, x[:twins] + noise * rng.normal(size=(twins, GENES))])
    donors = np.arange(len(train)).astype(str)
    exact, near = copied_donors(np.concatenate([x[:4] + 1e-6, other]), train, donors)
    assert exact[:4].all() and not exact[4:].any() and not near.any()
    exact, near = copied_donors(np.concatenate([x[:4] + 0.3 * rng.normal(size=(4, GENES)), other]), train, donors)
    assert near[:4].all() and not near[4:].any() and not exact.any()


def test_profiles_of_little_depth_are_no_copies_of_the_one_donor_of_little_depth() -> None:
    rng = np.random.default_rng(3)
    (train, _), (other, _) = draw(rng, 12, genes=400), draw(rng, 30, genes=400)
    for rows, shares in ((train, [0.7] + [0.2] * 11), (other, [0.75] * 30)):
        rows[rng.random(rows.shape) < np.array(shares)[:, None]] = 0
    made, z = ((x - train.mean(0)) / train.std(0) for x in (other, train))
    assert not _in_part(made, z, np.arange(12)).any()


def test_two_donors_of_a_rare_condition_are_not_one() -> None:
    rng = np.random.default_rng(2)
    (train, _), (other, _) = draw(rng, 60), draw(rng, 20)
    train[:2] += 10 * rng.normal(size=GENES)
    made = np.concatenate([other, [train[:2].mean(0) + rng.normal(size=GENES)]])
    exact, near = copied_donors(made, train, np.arange(60).astype(str))
    assert not exact.any() and not near.any()


def test_an_attack_that_failed_is_no_attack_without_anything_to_go_by(cohort, monkeypatch) -> None:
    profiles, plan, synthetic = cohort
    monkeypatch.setitem(ATTACKS, "monte_carlo", lambda space, *, seed: np.full(len(space.candidates), np.nan))
    table = _table(profiles, plan, synthetic, attacks=["monte_carlo"])
    assert "not_run_failed_scores_are_not_finite" in set(table["metric"])
    rows = [
        {"repeat": 0, "estimator": name, "metric": metric, "value": value}
        for name in REQUIRED
        for metric, value in (("auc", 0.5), ("auc_low", 0.45), ("auc_high", 0.55))
    ]
    whole = pd.DataFrame(rows).assign(generator="toy", regime="audit", task=None, level="tumour")
    name = REQUIRED[0]
    missing = {}
    for reason in ("not_run_the_synthetic_rows_span_the_whole_space", "not_run_failed_scores_are_not_finite"):
        table = whole.copy()
        own = (table["estimator"] == name) & (table["metric"] == "auc")
        table.loc[own, "value"] = np.nan
        table = pd.concat([table, table[own].assign(metric=reason, value=1.0)])
        missing[reason] = evidence(table, "toy").missing
    assert list(missing.values()) == [(), (name,)]


def test_rates_over_coins_are_those_of_counting() -> None:
    rng = np.random.default_rng(0)
    scores = [
        np.concatenate([rng.normal(size=100) + 5 * (np.arange(100) < 30), rng.normal(size=100)]) for _ in range(5)
    ]
    member = [np.repeat([True, False], 100)] * 5
    found = true_positives(scores, member)
    assert 0.28 <= found["tpr_at_fpr_0.01"] <= 0.36
    hits = round(found["tpr_at_fpr_0.01"] * 500)
    low, high = stats.beta.ppf(0.025, hits, 501 - hits), stats.beta.ppf(0.975, hits + 1, 500 - hits)
    assert (found["tpr_at_fpr_0.01_low"], found["tpr_at_fpr_0.01_high"]) == pytest.approx((low, high))
    tied = true_positives([np.zeros(200)] * 5, member)
    assert tied["tpr_at_fpr_0.01"] == 0  # all or none pass


def test_class_wise_shifts_find_what_the_pooled_ones_do_not() -> None:
    """Rows with the members' class means and variances, genes independent: the attacks that know classes win."""
    x, y = draw(np.random.default_rng(1), 360)
    found = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        order = rng.permutation(360)
        reference, rest = order[:120], order[120:]
        member = rng.random(240) < 0.5
        own, labels = x[rest][member], y[rest][member]
        made = np.concatenate([
            own[labels == c].mean(0) + own[labels == c].std(0) * rng.normal(size=((labels == c).sum(), GENES))
            for c in "ab"
        ])  # fmt: skip
        space = attack_space(x[rest], x[reference], made, y[rest], y[reference], np.sort(labels))
        found.append({
            name: delong(member, ATTACKS[name](space, seed=0)).auc
            for name in ("mean_shift_class", "variance_shift_class", "nearest_neighbour")
        })  # fmt: skip
    mean = pd.DataFrame(found).mean()
    assert mean["mean_shift_class"] > mean["nearest_neighbour"] + 0.05
    assert mean["mean_shift_class"] > 0.6 and mean["variance_shift_class"] > 0.55


# --- known truths on real data ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def brca(data_root: Path) -> tuple[np.ndarray, np.ndarray]:
    folder = data_root / "tcga-brca"
    x = pd.read_csv(folder / "expression.tsv.gz", sep="\t", index_col=0).T
    samples = pd.read_csv(folder / "samples.tsv", sep="\t").set_index("sample_id")
    samples = samples[(samples["status"] == "tumor") & samples.index.isin(x.index)].drop_duplicates("patient")
    return x.loc[samples.index].to_numpy(np.float32), samples["pam50"].to_numpy(str)


def _camda(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows of N(mean, 1.5 × sample covariance)."""
    centred = x - x.mean(0)
    return x.mean(0) + np.sqrt(1.5 / (len(x) - 1)) * rng.normal(size=(len(x), len(x))) @ centred


def _ledoit_wolf(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows of the Ledoit–Wolf Gaussian, fitted and drawn on the log2 scale."""
    centred = x - x.mean(0)
    intensity = ledoit_wolf_shrinkage(centred, assume_centered=True)
    correlated = rng.normal(size=(len(x), len(x))) @ centred * np.sqrt((1 - intensity) / len(x))
    return x.mean(0) + correlated + np.sqrt(intensity * (centred**2).mean()) * rng.normal(size=x.shape)


def _copy(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return x


def _brca_aucs(brca: tuple[np.ndarray, np.ndarray], make: Callable, *, seen: str, splits: int) -> pd.Series:
    """Mean area under the curve of each attack over splits into reference (20 %), members and non-members."""
    x, y = brca
    found = []
    for seed in range(splits):
        rng = np.random.default_rng(seed)
        reference = rng.random(len(x)) < 0.2
        coin = rng.random(len(x)) < 0.5
        member, fitted = coin & ~reference, (coin & ~reference if seen == "member" else reference)
        made, labels = [], []
        for condition in np.unique(y):
            rows = make(x[fitted & (y == condition)].astype(np.float64), rng)
            made.append(rows.astype(np.float32))
            labels += [condition] * len(rows)
        space = attack_space(x[~reference], x[reference], np.concatenate(made), y[~reference], y[reference], labels)
        assert 780 <= space.candidates.shape[1] <= 870
        found.append(
            {name: delong(member[~reference], attack(space, seed=seed)).auc for name, attack in ATTACKS.items()}
        )
    return pd.DataFrame(found).mean()


def test_brca_sample_covariance_passes_the_distances_and_fails_the_span(brca) -> None:
    auc = _brca_aucs(brca, _camda, seen="member", splits=2)
    assert auc["span_residual"] >= 0.99
    assert auc["nearest_neighbour"] <= 0.62
    assert auc["gaussian_likelihood_ratio_class"] >= 0.95


def test_brca_shrunk_gaussian_fails_likelihood_ratio_and_pca(brca) -> None:
    auc = _brca_aucs(brca, _ledoit_wolf, seen="member", splits=2)
    assert auc["gaussian_likelihood_ratio"] >= 0.95
    assert auc["gaussian_likelihood_ratio_class"] >= 0.95
    assert auc["pca_residual"] >= 0.95
    assert auc["nearest_neighbour"] <= 0.62


def test_brca_copies_are_found(brca) -> None:
    auc = _brca_aucs(brca, _copy, seen="member", splits=1)
    for name in ("nearest_neighbour", "nearest_neighbour_calibrated", "span_residual", "density_ratio"):
        assert auc[name] >= 0.95


def test_brca_generators_of_the_reference_tell_no_member(brca) -> None:
    auc = _brca_aucs(brca, _ledoit_wolf, seen="reference", splits=5)
    assert auc.between(0.44, 0.56).all(), auc.to_dict()


# --- type-I error --------------------------------------------------------------------------------------------------


def test_corrected_maximum_is_significant_in_no_more_than_its_share_of_null_splits() -> None:
    """300 splits of a null cohort, twelve correlated attacks each; binomial at 5 % gives at most 25 with 99.7 %."""
    rng = np.random.default_rng(0)
    p_values, uncorrected = [], []
    for split in range(300):
        member = rng.random(80) < 0.5
        common = rng.normal(size=(80, 1))
        scores = common + rng.normal(size=(80, 12))
        scores[:, 3] = np.round(scores[:, 3])  # ties
        scores[:, 4] = 0.0  # an attack that says nothing
        p_values.append(corrected_maximum(scores, member, permutations=199, seed=split))
        uncorrected.append(
            min(stats.mannwhitneyu(s[member], s[~member], alternative="greater").pvalue for s in scores.T[:3])
        )
    assert np.mean(np.array(p_values) < 0.05) <= 25 / 300
    # The correction is not merely large: the p-values are those of a uniform variable, in steps of 1 / 200.
    assert stats.kstest(np.array(p_values) - rng.random(300) / 200, "uniform").pvalue > 0.001
    assert np.mean(np.array(uncorrected) < 0.05) > 0.06


def test_negative_control_is_not_significant_in_95_percent_of_splits() -> None:
    """The battery on synthetic cohorts that saw the reference alone, with a fresh coin in each of 120 splits."""
    significant = 0
    for split in range(120):
        rng = np.random.default_rng(split)
        (x, y), (reference, reference_y), (made, made_y) = (draw(rng, n, 60) for n in (80, 40, 40))
        member = rng.random(80) < 0.5
        space = attack_space(x, reference, made, y, reference_y, made_y)
        names = ("nearest_neighbour", "gaussian_likelihood_ratio", "span_residual", "pca_residual", "mean_shift")
        scores = np.stack([ATTACKS[name](space, seed=0) for name in names], axis=1)
        significant += corrected_maximum(scores, member, permutations=199, seed=split) < 0.05
    # 5 % of 120 are 6; more than 13 have probability .003.
    assert significant <= 13


def test_benchmark_of_attacks_prints_a_line_each_and_fails_beyond_the_memory_allowed(project_root: Path) -> None:
    sizes = ["--candidates", "60", "--synthetic", "90", "--reference", "50", "--genes", "30"]
    command = [sys.executable, str(project_root / "tools/benchmark"), "attacks", *sizes]
    made = subprocess.run(
        [*command, "--attacks", "nearest_neighbour", "span_residual"], capture_output=True, text=True, check=True
    ).stdout
    assert "nearest_neighbour\t" in made and "60 scores" in made and "NA: the synthetic rows span" in made
    assert subprocess.run([*command, "--attacks", "mean_shift", "--most", "0.001"], capture_output=True).returncode == 1
