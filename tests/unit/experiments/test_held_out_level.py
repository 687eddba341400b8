"""Held-out level: what is hidden stays hidden, baselines equal closed forms, scores tell right from wrong."""

from __future__ import annotations

from functools import partial

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from support.scores import config, made_by, mean, score, tissue_or_lines

from pseudocohort.core.errors import ContractError, UserError
from pseudocohort.experiments.held_out_level import baselines as base
from pseudocohort.experiments.held_out_level.figures.held_out_level import draw
from pseudocohort.experiments.held_out_level.score import held_out_level
from pseudocohort.experiments.shared.between_levels import PENALTIES
from pseudocohort.experiments.shared.inputs import ScoreInputs
from pseudocohort.experiments.shared.verdicts import verdicts
from pseudocohort.generators.models.mvn.model import MVN
from pseudocohort.plan.members import members
from pseudocohort.plan.training_sets import training_sets

CONDITIONS = list("abcdef")
GENES = 80


def _study(kept: float = 0.6, own: float = 1.2, seed: int = 0) -> ad.AnnData:
    """Tissue and lines; a contrast of lines is `kept` times that of tissue, plus one of their own of size `own`."""
    rng = np.random.default_rng(seed)
    contrast = 0.5 * rng.normal(size=(6, GENES))
    lines = kept * contrast + 0.5 * own * rng.normal(size=(6, GENES))
    of_tissue, of_lines = np.repeat(range(6), 40), np.repeat(range(6), 10)
    x = np.concatenate(
        [
            6 + contrast[of_tissue] + rng.normal(size=(240, GENES)),
            3 + rng.normal(size=GENES) + lines[of_lines] + 0.15 * rng.normal(size=(60, GENES)),
        ]
    ).astype(np.float32)
    names = np.array(CONDITIONS)
    obs = pd.concat(
        [tissue_or_lines("tissue", names[of_tissue], "tumour"), tissue_or_lines("lines", names[of_lines], "pseudobulk")]
    )
    obs["split"] = "train"
    obs.iloc[np.arange(0, 240, 3), obs.columns.get_loc("split")] = "test"
    obs["genes"] = np.where(obs["context"] == "in_vitro", "yes", "no")
    return ad.AnnData(x, obs=obs)


LEVELS = {"tissue_level": "tumour", "cell_level": "pseudobulk"}
_config = partial(
    config,
    "held_out_level",
    seed=3,
    also={"combination": {**LEVELS, "map": {}, "conditions": CONDITIONS, "n_test": 300}},
    generators=["mvn"],
    hidden=["tissue", "cell"],
    repeats=2,
    n_synthetic=400,
    unlabeled_share=0.0,
)
_score = partial(score, held_out_level, **LEVELS)
_mean = partial(mean, task=None, level="tumour", regime="combined")


def _plan(profiles: ad.AnnData, config: dict) -> tuple[list[dict], pd.DataFrame]:
    rows = training_sets(config)
    return rows, members(profiles.obs, rows, config)


def _gaussian(seen: ad.AnnData, wanted: pd.DataFrame) -> np.ndarray:
    """What the Gaussian generator makes of profiles that are standardised by level."""
    level = seen.obs["level"].to_numpy()
    scale = {at: (seen.X[level == at].mean(0), seen.X[level == at].std(0)) for at in np.unique(level)}
    for at, (centre, sd) in scale.items():
        seen.X[level == at] = (seen.X[level == at] - centre) / sd
    centre, sd = scale[wanted["level"].iloc[0]]
    return centre + sd * MVN().fit(seen, seed=1).sample(wanted, seed=2)


@pytest.fixture(scope="module")
def scored() -> pd.DataFrame:
    profiles, config = _study(), _config()
    made = made_by(_gaussian, profiles, config)
    return pd.concat([_score(profiles, config), _score(profiles, config, made, "mvn")])


def test_hidden_profiles_are_in_no_training_set() -> None:
    profiles, config = _study(), _config()
    rows, table = _plan(profiles, config)
    assert len(rows) == 6 * 2 * 2 * 2
    obs = profiles.obs
    tested: dict[str, list[frozenset[str]]] = {}
    for row in rows:
        mine = table[table["training_set"] == row["training_set"]].astype({"role": str})
        hidden = "tumour" if row["regime"].startswith("tissue") else "pseudobulk"
        of_role = {r: obs.loc[g["sample_id"]] for r, g in mine.groupby("role")}
        train = of_role["train"]
        assert not ((train["condition"] == row["task"]) & (train["level"] == hidden)).any()
        assert row["task"] in set(train.loc[train["level"] != hidden, "condition"])
        assert set(of_role["test"]["level"]) == {hidden}
        assert set(of_role["reference"]["condition"]) == {row["task"]}
        assert not set(of_role["test"]["donor"]) & (set(train["donor"]) | set(of_role["reference"]["donor"]))
        tested.setdefault(row["training_set"][:-1], []).append(frozenset(of_role["test"]["donor"]))
    assert all(len(set(sets)) == 2 for sets in tested.values()), "repeats test other donors"


def test_permuted_arm_moves_labels_of_the_other_level_only() -> None:
    profiles, config = _study(), _config()
    rows, table = _plan(profiles, config)
    for row in rows:
        mine = table[(table["training_set"] == row["training_set"]) & (table["role"] == "train")]
        level = profiles.obs.loc[mine["sample_id"], "level"].to_numpy()
        right = profiles.obs.loc[mine["sample_id"], "condition"].to_numpy() == mine["condition"].astype(str).to_numpy()
        hidden = "tumour" if row["regime"].startswith("tissue") else "pseudobulk"
        assert right[level == hidden].all()
        assert right[level != hidden].all() == row["regime"].endswith("combined")


def test_slope_of_contrasts_beats_the_level_shift_when_lines_overshoot(scored: pd.DataFrame) -> None:
    """Lines keep .6 of a contrast and add one twice as large of their own: taken whole, it overshoots threefold."""
    assert _mean(scored, "mmd_over_level_shift", "mvn") > 0.01
    assert _mean(scored, "coverage_over_level_shift", "mvn") > 0.05
    assert _mean(scored, "detection_auc_over_permuted", "mvn") > 0.2
    assert _mean(scored, "centroid_r", "mvn") > 0.3
    assert abs(_mean(scored, "centroid_r", "mvn", regime="permuted")) < 0.35


def test_ceiling_and_floor_stand_where_they_must(scored: pd.DataFrame) -> None:
    for level in ("tumour", "pseudobulk"):
        assert _mean(scored, "centroid_r", "real", level=level) > 0.8
        assert _mean(scored, "type_rank", "real", level=level) == 1
        assert abs(_mean(scored, "centroid_r", "pan_mean", level=level)) < 0.4
    assert _mean(scored, "detection_auc", "real") > 0.98
    assert abs(_mean(scored, "mmd", "real")) < 0.01
    assert _mean(scored, "coverage", "real") > 0.85


def test_summary_rows_hold_one_value_per_condition(scored: pd.DataFrame) -> None:
    rows = scored[scored["task"].isna() & (scored["metric"] == "centroid_r") & (scored["generator"] == "mvn")]
    rows = rows[(rows["level"] == "tumour") & (rows["regime"] == "combined")]
    assert sorted(rows["repeat"]) == list(range(6))
    single = scored[(scored["task"] == "b") & (scored["metric"] == "centroid_r") & (scored["generator"] == "mvn")]
    single = single[(single["level"] == "tumour") & (single["regime"] == "combined")]
    assert rows[rows["repeat"] == 1]["value"].item() == pytest.approx(single["value"].mean())


def _seen(kept: float = 1.0, shift: float = 2.0) -> base.Seen:
    """No noise: contrasts of the source are `kept` times those of the hidden level, `shift` below; 'f' is hidden."""
    rng = np.random.default_rng(5)
    contrast = rng.normal(size=(6, GENES))
    labels = np.array(CONDITIONS)
    return base.Seen(
        9 + contrast[:5], labels[:5], np.ones(5), 9 - shift + kept * contrast, labels, np.ones(6), 0.0
    )  # fmt: skip


def test_level_shift_is_exact_when_levels_differ_by_a_constant() -> None:
    seen = _seen()
    made = base.level_shift(seen, "f", 3, np.random.default_rng(0))
    np.testing.assert_allclose(made, np.repeat([seen.source[5] + 2], 3, axis=0), atol=1e-9)


def test_ridge_map_equals_scikit_learn_and_nearest_type_is_the_twin() -> None:
    rng = np.random.default_rng(6)
    seen = _seen(0.5)
    seen.source = seen.source + 0.5 * rng.normal(size=seen.source.shape)
    d, t = seen.source_means - seen.source_means.mean(0), seen.means - seen.means.mean(0)
    unit = np.trace(d @ d.T) / 5
    new = seen.source_mean("f") - seen.source_means.mean(0)
    made = base.ridge_map(seen, "f", 1, rng)[0]
    predictions = [
        seen.means.mean(0) + Ridge(alpha=a * unit, fit_intercept=False).fit(d, t).predict(new[None])[0]
        for a in PENALTIES
    ]
    assert min(np.abs(made - p).max() for p in predictions) < 1e-8
    seen.source[5] = seen.source[2] + 0.01
    assert (base.nearest_type(seen, "f", 4, rng) == seen.x[2]).all()


def test_coral_gives_the_covariance_of_the_hidden_level() -> None:
    """Closed form on many profiles: the moved covariance is A' C A with A = (I + Cs)^-1/2 (I + Ct)^1/2."""
    rng = np.random.default_rng(7)
    source = rng.normal(size=(4000, 4)) @ rng.normal(size=(4, 4))
    target = rng.normal(size=(4000, 4)) @ rng.normal(size=(4, 4)) + 3
    labels = np.repeat(["a", "b"], 2000)
    seen = base.Seen(target, labels, np.ones(4000), source, labels, np.ones(4000), 0.0)
    made = base.coral(seen, "a", 4000, rng)

    def power(matrix: np.ndarray, exponent: float) -> np.ndarray:
        values, vectors = np.linalg.eigh(matrix)
        return vectors @ np.diag(values**exponent) @ vectors.T

    here, sd = target.mean(0), target.std(0)
    move = power(np.eye(4) + np.corrcoef(source.T), -0.5) @ power(np.eye(4) + np.corrcoef(target.T), 0.5)
    z = (source[labels == "a"] - source.mean(0)) / source.std(0)
    expected = here + sd * (z @ move)
    np.testing.assert_allclose(np.cov(made.T), np.cov(expected[rng.integers(0, 2000, 4000)].T), rtol=0.15, atol=0.1)
    np.testing.assert_allclose(np.sort(np.unique(made[:, 0])), np.sort(np.unique(expected[:, 0])), atol=1e-8)


def test_held_out_donor_that_was_trained_on_is_caught() -> None:
    profiles, config = _study(), _config()
    rows, table = _plan(profiles, config)
    donors = profiles.obs["donor"].astype(str).copy()
    test = table[(table["training_set"] == rows[0]["training_set"]) & (table["role"] == "test")]["sample_id"].iloc[0]
    train = table[(table["training_set"] == rows[0]["training_set"]) & (table["role"] == "train")]["sample_id"].iloc[0]
    donors[test] = donors[train]
    profiles.obs["donor"] = donors.to_numpy()
    with pytest.raises(ContractError, match="held out and trained on"):
        held_out_level(ScoreInputs(
            profiles, {}, pd.DataFrame(rows), table, study="toy", generator="real",
            settings={**config["held_out_level"], "tissue_level": "tumour", "cell_level": "pseudobulk"}, seed=1,
        ))  # fmt: skip


def test_condition_without_lines_is_named() -> None:
    profiles, config = _study(), _config()
    lines = (profiles.obs["level"] == "pseudobulk") & (profiles.obs["condition"] == "c")
    profiles = profiles[~lines].copy()
    with pytest.raises(UserError, match="'c' has no pseudobulk profile"):
        _plan(profiles, config)


def test_verdict_names_the_baseline_and_the_figure_has_both_levels(scored: pd.DataFrame) -> None:
    over = scored["metric"].str.endswith("_over_level_shift") & (scored["generator"] == "mvn")

    def told(sign: int) -> dict:
        # Apart from each other: equal gains of so few conditions would decide nothing.
        size = scored["value"].abs() + np.linspace(0.05, 0.06, len(scored))
        changed = scored.assign(value=scored["value"].where(~over, sign * size))
        return verdicts({"held_out_level": changed}, {})["questions"]["held_out_level"]

    better = told(1)
    assert better["answer"].startswith("In part: over 6 conditions hidden at level tumour one by one, mvn beats")
    assert any("additive level shift" in point for point in better["points"])
    assert told(-1)["status"] == "no"
    assert told(-1)["answer"].startswith("No: not better than an additive level shift, over 6 conditions")
    summary = scored.groupby(["generator", "regime", "level", "task", "metric"], dropna=False, as_index=False)["value"]
    summary = summary.mean().assign(ci_low=np.nan, ci_high=np.nan)
    figure = draw(summary, {})
    assert [ax.get_title(loc="left") for ax in figure.axes].count("centroid correlation") == 2


def test_condition_hidden_among_unlabelled_patients_is_found_by_its_lines() -> None:
    profiles, config = _study(0.8, 0.6), _config(hidden=["tissue"], repeats=1, unlabeled_share=0.5)
    rows, table = _plan(profiles, config)
    pools = [row for row in rows if row["regime"] == "tissue_pool"]
    assert len(pools) == 6
    obs = profiles.obs
    for row in pools:
        mine = table[table["training_set"] == row["training_set"]].astype({"role": str, "condition": str})
        of_role = {r: obs.loc[g["sample_id"]] for r, g in mine.groupby("role")}
        assert set(of_role) == {"train", "unlabeled", "test"}
        assert set(mine.loc[mine["role"] == "unlabeled", "condition"]) == {""}
        assert row["task"] in set(of_role["unlabeled"]["condition"])
        assert len(set(of_role["unlabeled"]["condition"])) == 6
        patients = of_role["train"][of_role["train"]["level"] == "tumour"]
        assert row["task"] not in set(patients["condition"])
        assert not set(of_role["test"]["donor"]) & (set(of_role["unlabeled"]["donor"]) | set(patients["donor"]))
    real = _score(profiles, config)
    assert _mean(real, "centroid_r", "em", regime="pool") > max(0.8, _mean(real, "centroid_r", "level_shift"))
