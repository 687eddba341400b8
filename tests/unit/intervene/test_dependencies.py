"""Dependencies from lines to tumours: a known function of expression, levels shifted, conditions never seen."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV

from pseudocohort.core.errors import UserError
from pseudocohort.intervene.dependency_models import DependencyModels, standardised

G, MODELLED = 150, 30


class World:
    """Effects depend on three programmes and the gene's own expression; tumours are shifted and rescaled."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.loadings = self.rng.normal(0, 1, (3, G))
        self.effect_of = self.rng.normal(0, 0.35, (3, MODELLED))
        self.shift, self.scale = self.rng.normal(0, 2, G), self.rng.uniform(0.6, 1.6, G)

    def profiles(self, n: int, conditions: int, tissue: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        group = self.rng.integers(0, conditions, n)
        programme = self.rng.normal(0, 0.8, (conditions, 3))[group] + self.rng.normal(0, 1, (n, 3))
        x = programme @ self.loadings + self.rng.normal(0, 0.7, (n, G))
        effects = -0.3 + programme @ self.effect_of - 0.25 * x[:, :MODELLED]
        effects[:, MODELLED // 2 :] = self.rng.normal(0, 1, (n, MODELLED - MODELLED // 2))  # no function of expression
        if tissue:
            x = x * self.scale + self.shift
        return x, effects, np.array([f"l{g}" for g in group])


@pytest.fixture(scope="module")
def world() -> World:
    return World(0)


@pytest.fixture(scope="module")
def models(world: World) -> DependencyModels:
    x, effects, lineage = world.profiles(240, 8, tissue=False)
    effects = effects + world.rng.normal(0, 0.3, effects.shape)
    effects[world.rng.random(effects.shape) < 0.05] = np.nan
    confounders = world.rng.normal(size=(len(x), 2))
    return DependencyModels.fit(
        standardised(x, np.full(len(x), "line")), effects, np.arange(MODELLED), lineage, confounders
    )


def test_tumours_of_conditions_never_seen(world: World, models: DependencyModels) -> None:
    x, truth, _ = world.profiles(300, 6, tissue=True)
    predicted = models.predict(standardised(x, np.full(len(x), "tumour")))
    able = np.arange(MODELLED // 2)
    r = np.array([np.corrcoef(predicted[:, j], truth[:, j])[0, 1] for j in able])
    assert models.kept[able].all() and r.mean() >= 0.7
    gain = models.held_out["model"][able] - models.held_out["lineage_mean"][able]
    half = 1.96 * gain.std(ddof=1) / np.sqrt(len(gain))
    assert gain.mean() - half > 0, "better than the mean of the nearest lineage, with its interval"


def test_effects_that_are_no_function_of_expression_get_no_prediction(models: DependencyModels) -> None:
    noise = np.arange(MODELLED // 2, MODELLED)
    assert models.kept[noise].mean() < 0.1
    assert np.isnan(models.predict(np.zeros((3, G)))[:, noise[~models.kept[noise]]]).all()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("lineages", [1, 4])
def test_few_lines_and_many_genes_without_an_effect_get_no_model(seed: int, lineages: int) -> None:
    rng = np.random.default_rng(seed)
    x = standardised(rng.normal(size=(24, 60)), np.zeros(24))
    effects = (rng.random((24, 400)) < 0.3).astype(float)
    lineage = np.array([f"l{i % lineages}" for i in range(24)])
    models = DependencyModels.fit(x, effects, rng.integers(-1, 60, 400), lineage)
    assert (models.held_out["model"] > models.held_out["lineage_mean"]).sum() > 20, "many are better by chance"
    assert models.kept.sum() <= 1


def test_what_the_nearest_lineage_or_the_confounders_say_as_well_is_not_kept() -> None:
    rng = np.random.default_rng(0)
    n, genes, kinds = 240, 60, 6
    # Lineages come in pairs of one profile, so that the other one of a pair tells the effects of one held out.
    lineage = np.arange(n) % (2 * kinds)
    x = 2 * rng.normal(size=(kinds, genes))[lineage % kinds] + rng.normal(size=(n, genes))
    growth = rng.normal(size=(n, 1))
    x[:, :20] += growth
    x[:, 40:55] += 3 * rng.normal(size=(n, 15))
    z, names = standardised(x, np.zeros(n)), np.array([f"l{k}" for k in lineage])
    of_lineage = rng.normal(size=(kinds, 15))[lineage % kinds] + 0.3 * rng.normal(size=(n, 15))
    of_growth = growth + 0.3 * rng.normal(size=(n, 15))
    of_gene = x[:, 40:55] - x[:, 40:55].mean(0) + 0.3 * rng.normal(size=(n, 15))
    own = np.r_[np.full(30, -1), np.arange(40, 55)]
    effects = np.hstack([of_lineage, of_growth, of_gene])
    without = DependencyModels.fit(z, effects, own, names)
    made = DependencyModels.fit(z, effects, own, names, growth)
    assert made.held_out["model"].min() > 0.5, "expression predicts all of them"
    assert not made.kept[:15].any() and not made.kept[15:30].any() and made.kept[30:].all()
    assert without.kept[15:30].all(), "nothing else says what growth says"


def test_a_model_that_only_knows_the_lineages_it_saw_is_not_kept() -> None:
    """Each lineage has a profile and effects of its own: lines of a lineage tell its other lines, no other lineage."""
    rng = np.random.default_rng(0)
    lineage = np.arange(240) % 12
    x = 2 * rng.normal(size=(12, 60))[lineage] + rng.normal(size=(240, 60))
    effects = rng.normal(size=(12, 20))[lineage] + 0.3 * rng.normal(size=(240, 20))
    models = DependencyModels.fit(
        standardised(x, np.zeros(240)), effects, np.full(20, -1), np.array([f"l{k}" for k in lineage])
    )
    assert models.kept.sum() <= 1 and np.abs(models.held_out["model"]).mean() < 0.4


def test_error_is_that_of_lineages_held_out(world: World, models: DependencyModels) -> None:
    x, truth, _ = world.profiles(400, 5, tissue=False)
    able = np.arange(MODELLED // 2)
    error = (models.predict(standardised(x, np.zeros(len(x)))) - truth).std(0)[able]
    assert np.median(models.error[able] / np.sqrt(error**2 + 0.09)) == pytest.approx(1, abs=0.35)


def test_own_expression_alone_is_ridge_regression() -> None:
    rng = np.random.default_rng(1)
    x = standardised(rng.normal(size=(100, 40)), np.zeros(100))
    y = 0.8 * x[:, [5]] + 0.2 * rng.normal(size=(100, 1))
    model = DependencyModels.fit(x, y, np.array([5]), np.repeat(["a", "b", "c", "d"], 25))
    reference = RidgeCV(alphas=np.geomspace(0.1, 1e4, 30)).fit(x[:, [5]], y[:, 0])
    found = model.predict(x)[:, 0]
    assert np.corrcoef(found, reference.predict(x[:, [5]]))[0, 1] > 0.98
    missing = DependencyModels.fit(x, y, np.array([-1]), np.repeat(["a", "b", "c", "d"], 25))
    assert missing.weights[0, -1] == 0
    assert missing.held_out["model"][0] < model.held_out["model"][0] - 0.2


def test_few_lines_are_refused() -> None:
    with pytest.raises(UserError, match="12 lines"):
        DependencyModels.fit(np.zeros((12, 5)), np.zeros((12, 2)), np.array([0, 1]), np.full(12, "a"))


def test_standardised_within_levels() -> None:
    x = np.random.default_rng(0).normal(size=(60, 4)) * 3
    x[:, 3] = 1
    level = np.repeat(["line", "tumour"], 30)
    z = standardised(x + (level == "line")[:, None] * 9, level)
    for name in ("line", "tumour"):
        np.testing.assert_allclose(z[level == name].mean(0), 0, atol=1e-9)
        np.testing.assert_allclose(z[level == name].std(0), [1, 1, 1, 0], atol=1e-9)
