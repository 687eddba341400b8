"""Intervention operators against a structural causal model of the test's own, closed forms and other libraries."""

from __future__ import annotations

import tracemalloc
from typing import Any

import anndata as ad
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.stats
import statsmodels.api as sm
from sklearn.covariance import ledoit_wolf
from sklearn.metrics import roc_auc_score

from pseudocohort.core.contracts import check_evaluation
from pseudocohort.core.errors import UserError
from pseudocohort.experiments.interventions.score import interventions, pearson, sign_at
from pseudocohort.generators.base import registry
from pseudocohort.intervene import operators
from pseudocohort.intervene.graph import Graph, corrupted, resolve, shuffled
from pseudocohort.intervene.operators import TissueModel

G, REGULATORS = 80, 14
GENES = [f"ENSG{i:011d}" for i in range(G)]
SYMBOLS = [f"S{i}" for i in range(G)]
SETTINGS = {"n_genes": 10, "n_leaves": 10}


class Scm:
    """Linear model over G genes; the first REGULATORS regulate; `hidden` programmes confound."""

    def __init__(self, seed: int, hidden: float) -> None:
        rng = np.random.default_rng(seed)
        self.weights = np.zeros((G, G))
        for i in range(1, G):
            free = np.arange(min(i, REGULATORS))
            parents = rng.choice(free, min(len(free), rng.integers(1, 3)), replace=False)
            self.weights[i, parents] = rng.choice([-1, 1], len(parents)) * rng.uniform(0.4, 0.9, len(parents))
        self.loadings = hidden * rng.normal(0, 1, (G, 3)) * (rng.random((G, 3)) < 0.5)
        self.means = rng.normal(6, 1, (3, G))

    @property
    def total(self) -> np.ndarray:
        return np.linalg.inv(np.eye(G) - self.weights)

    @property
    def covariance(self) -> np.ndarray:
        exogenous = self.loadings @ self.loadings.T + 0.25 * np.eye(G)
        return self.total @ exogenous @ self.total.T

    def sample(self, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        condition = rng.integers(0, 3, n)
        u = rng.normal(0, 1, (n, 3)) @ self.loadings.T + rng.normal(0, 0.5, (n, G))
        return self.means[condition] + u @ self.total.T, condition

    def graph(self) -> pd.DataFrame:
        target, regulator = np.nonzero(self.weights)
        sign = np.sign(self.weights[target, regulator]).astype(int)
        return pd.DataFrame(
            {"regulator": np.array(SYMBOLS)[regulator], "target": np.array(GENES)[target], "sign": sign}
        )

    def truth(self) -> pd.DataFrame:
        parts = [
            pd.DataFrame(
                {
                    "gene": GENES[j],
                    "condition": f"c{k}",
                    "target": GENES,
                    "delta": -self.total[:, j],
                    "context": "tumour",
                }
            )
            for j in range(REGULATORS)
            for k in range(3)
        ]
        return pd.concat(parts, ignore_index=True)

    def profiles(self, n: int, seed: int = 1) -> tuple[ad.AnnData, pd.DataFrame]:
        x, condition = self.sample(n, seed)
        obs = pd.DataFrame(
            {
                "donor": [f"d{i}" for i in range(n)], "dataset": "t", "condition": [f"c{k}" for k in condition],
                "level": "tumour",
            },
            index=[f"t:{i}" for i in range(n)],
        )  # fmt: skip
        donors = obs[["donor", "dataset"]].assign(split=np.where(np.arange(n) % 4 == 0, "test", "train"))
        var = pd.DataFrame({"symbol": SYMBOLS}, index=GENES)
        return ad.AnnData(x.astype(np.float32), obs=obs, var=var), donors.reset_index(drop=True)


def descendants(scm: Scm, gene: int) -> np.ndarray:
    return np.array(sorted(nx.descendants(nx.from_numpy_array(scm.weights.T != 0, create_using=nx.DiGraph), gene)), int)


def run(scm: Scm, **overrides: Any) -> Any:
    profiles, donors = scm.profiles(800)
    given = {
        "profiles": profiles, "donors": donors, "graph": scm.graph(), "truth": scm.truth(), "study": "s",
        "settings": SETTINGS, "seed": 3, **overrides,
    }  # fmt: skip
    data = [given.pop(name) for name in ("profiles", "donors", "graph", "truth")]
    return interventions(*data, **given)


def means(table: pd.DataFrame) -> pd.Series:
    return (
        table.assign(estimator=table["estimator"].fillna("-"))
        .groupby(["generator", "estimator", "metric"])["value"]
        .mean()
    )


@pytest.fixture(scope="module")
def confounded() -> Scm:
    return Scm(0, hidden=0.7)


@pytest.fixture(scope="module")
def result(confounded: Scm) -> Any:
    return run(confounded)


def model_of(covariance: np.ndarray) -> TissueModel:
    """Model of a known covariance (G, G), of full rank; its ``z`` are G rows with that covariance."""
    values, vectors = np.linalg.eigh(covariance)
    genes = len(covariance)
    root = np.sqrt(values)[:, None] * vectors.T
    top = 1 / values[0]
    loadings = vectors * np.sqrt(top - 1 / values)
    return TissueModel(np.sqrt(genes) * root, np.ones(genes), np.ones(genes, bool), 0.0, top, loadings)


def test_do_g_is_exact_on_the_population_covariance() -> None:
    scm = Scm(1, hidden=0.0)
    model = model_of(scm.covariance)
    for gene in range(REGULATORS):
        np.testing.assert_allclose(model.do(gene, descendants(scm, gene)), scm.total[:, gene], atol=1e-9)


def test_do_g_with_the_true_graph_on_samples() -> None:
    scm = Scm(2, hidden=0.0)
    x, classes = scm.sample(3000, 0)
    model = TissueModel.fit(x, classes)
    for gene in range(REGULATORS):
        slopes = np.delete(model.do(gene, descendants(scm, gene)), gene)
        true = np.delete(scm.total[:, gene], gene)
        if true.any():
            assert np.corrcoef(slopes, true)[0, 1] > 0.99
            assert np.polyfit(true, slopes, 1)[0] == pytest.approx(1, abs=0.08)


def test_see_is_ordinary_least_squares(confounded: Scm) -> None:
    x, classes = confounded.sample(120, 0)
    model = TissueModel.fit(x, classes)
    dummies = pd.get_dummies(classes).to_numpy(float)
    for gene in (0, 7, 60):
        fit = sm.OLS(x, np.column_stack([x[:, gene], dummies])).fit()
        np.testing.assert_allclose(model.see(gene), fit.params[0], atol=1e-9)


def test_do_g_is_ridge_regression_with_a_free_slope_of_the_gene(confounded: Scm) -> None:
    x, classes = confounded.sample(60, 0)  # fewer profiles than genes
    model = TissueModel.fit(x, classes)
    gene, reached = 3, descendants(confounded, 3)
    others = np.setdiff1d(np.arange(G), np.append(reached, gene))
    shrinkage = model.ridge / np.mean(model.z**2)
    assert shrinkage == pytest.approx(ledoit_wolf(model.z, assume_centered=True)[1], rel=1e-9)
    penalty = np.append(0.0, np.full(len(others), len(x) * model.ridge / (1 - shrinkage)))
    z = model.z[:, np.append(gene, others)]
    slopes = np.linalg.solve(z.T @ z + np.diag(penalty), z.T @ model.z[:, reached])[0]
    expected = slopes * model.scale[reached] / model.scale[gene]
    np.testing.assert_allclose(model.do(gene, reached)[reached], expected, atol=1e-8)


def test_see_without_components_is_the_slope_of_the_residuals(confounded: Scm) -> None:
    x, classes = confounded.sample(200, 0)
    model = TissueModel.fit(x, classes)
    loadings = model.components(3)
    np.testing.assert_allclose(loadings @ loadings.T, np.eye(3), atol=1e-9)
    rest = (model.z - model.z @ loadings.T @ loadings) * model.scale
    slopes = model.see_without(5, loadings)
    expected = [scipy.stats.linregress(rest[:, 5], rest[:, i]).slope for i in range(G)]
    np.testing.assert_allclose(slopes, expected, atol=1e-8)


def test_a_model_that_is_remade_says_the_same_and_holds_no_matrix(confounded: Scm) -> None:
    x, classes = confounded.sample(60, 0)  # fewer profiles than genes
    times = np.bincount(np.random.default_rng(1).integers(0, len(x), len(x)), minlength=len(x)).astype(float)
    held, remade = (TissueModel.fit(x, classes, times, held=held) for held in (True, False))
    reached = descendants(confounded, 3)
    for one, other in (
        (held.z, remade.z), (held.loadings, remade.loadings), (held.see(3), remade.see(3)),
        (held.do(3, reached), remade.do(3, reached)), (held.see(np.array([3, 7])), remade.see(np.array([3, 7]))),
    ):  # fmt: skip
        np.testing.assert_allclose(other, one, atol=1e-9)
    assert remade._given[0] is x
    own = [value for value in vars(remade).values() if isinstance(value, np.ndarray)]
    assert len(own) == 3 and max(value.size for value in own) <= len(x) ** 2 < x.size


def test_confounding_separates_the_operators(result: Any) -> None:
    value = means(result.table)
    assert value["do_g", "given", "pearson_delta"] > 0.9
    assert value["see", "-", "pearson_delta"] < value["do_g", "given", "pearson_delta"] - 0.3
    assert value["do_g", "shuffled", "pearson_delta"] < 0.5
    assert value["do_g", "shuffled", "pearson_delta"] < value["do_g", "corrupted", "pearson_delta"]
    assert value["do_g", "corrupted", "pearson_delta"] < value["do_g", "given", "pearson_delta"]
    assert value["no_change", "-", "pearson_delta"] == 0
    assert value["do_g", "given", "pds"] > value["no_change", "-", "pds"] + 0.3


def test_leaves_do_nothing_under_do_g_only(result: Any) -> None:
    value = means(result.table)
    assert value["do_g", "given", "leaf_effect"] == 0
    assert value["do_g", "given", "regulator_vs_leaf_auroc"] == 1
    assert value["see", "-", "leaf_effect"] > 0.1
    assert value["no_change", "-", "regulator_vs_leaf_auroc"] == 0.5


def test_table_keeps_the_contract_and_gains_are_paired(result: Any) -> None:
    check_evaluation(result.table, "test")
    table = result.table
    assert set(table["study"]) == {"s"} and set(table["task"]) == {"do"} and set(table["level"].dropna()) == {"tumour"}
    wide = table[table["metric"].str.startswith("pearson_delta")]
    wide = wide.pivot_table(index=["generator", "estimator", "repeat"], columns="metric", values="value", dropna=False)
    see = wide.xs("see", level="generator")["pearson_delta"].dropna()
    do_g = wide.xs("do_g", level="generator").xs("given", level="estimator")
    np.testing.assert_allclose(
        do_g["pearson_delta_gain_over_see"], do_g["pearson_delta"].to_numpy() - see.to_numpy(), atol=1e-12
    )
    assert len(do_g) == SETTINGS["n_genes"]


def test_auroc_is_that_of_scikit_learn(confounded: Scm, result: Any) -> None:
    profiles, donors = confounded.profiles(800)
    keep = (donors["split"] == "train").to_numpy()
    condition = profiles.obs["condition"].to_numpy()[keep]
    x = profiles.X[keep].astype(float)
    model = TissueModel.fit(x, condition)
    leaves = sorted(set(result.refusals.query("estimator == 'given'")["gene"]))
    assert len(leaves) == SETTINGS["n_leaves"]
    every = run(confounded, settings={"n_genes": REGULATORS, "n_leaves": 10}).table
    see = every[(every["generator"] == "see") & (every["metric"] == "regulator_vs_leaf_auroc")]["value"]
    regulators = [GENES[j] for j in range(REGULATORS) if confounded.weights[:, j].any()]
    assert len(see) == len(regulators)
    areas = []
    for c in np.unique(condition):
        sizes = []
        for gene in [*regulators, *leaves]:
            j = GENES.index(gene)
            values = x[condition == c, j]
            delta = model.see(j) * (np.percentile(values, 1) - values.mean())
            sizes.append(np.abs(np.delete(delta, j)).mean())
        areas.append(roc_auc_score([1] * len(regulators) + [0] * len(leaves), sizes))
    assert see.mean() == pytest.approx(np.mean(areas), abs=1e-9)


def test_only_training_tissue_profiles_count(confounded: Scm, result: Any) -> None:
    profiles, donors = confounded.profiles(800)
    spoilt = profiles.copy()
    test = (donors["split"] == "test").to_numpy()
    spoilt.X[test] += 100 * np.random.default_rng(0).normal(size=(test.sum(), G))
    cells = spoilt[test].copy()
    cells.obs = cells.obs.assign(level="cell", donor="d1")
    cells.obs_names = [f"cell:{i}" for i in range(cells.n_obs)]
    again = run(confounded, profiles=ad.concat([spoilt, cells], merge="same"))
    pd.testing.assert_frame_equal(again.table, result.table)
    other = run(confounded, seed=4)
    assert not other.table["value"].equals(result.table["value"])


def test_refusals_have_reasons(confounded: Scm) -> None:
    profiles, donors = confounded.profiles(400)
    profiles.X[:, 2] = 5.0  # never varies
    graph = confounded.graph()
    graph = graph[~((graph["regulator"] == "S4") | (graph["target"] == GENES[4]))]
    truth = confounded.truth()
    leaf = truth[truth["gene"] == GENES[0]].assign(gene=GENES[70], delta=0.0)
    stranger = truth[truth["gene"] == GENES[0]].assign(gene="ENSG99999999999")
    knocked_out = truth["gene"].eq(GENES[1])
    truth = pd.concat([truth.assign(value=np.where(knocked_out, -9.0, np.nan)), leaf, stranger])
    found = run(confounded, profiles=profiles, donors=donors, graph=graph, truth=truth, settings={"n_genes": 99})
    reasons = found.refusals.query("estimator == 'given'").set_index("gene")["reason"]
    assert reasons["ENSG99999999999"] == "not among the genes of the profiles"
    assert reasons[GENES[2]] == "the gene does not vary in the training profiles"
    assert reasons[GENES[4]] == "absent from the graph"
    assert reasons[GENES[70]].startswith("no outgoing edges")
    off = found.refusals[found.refusals["gene"] == GENES[1]]
    assert len(off) == 3 and off["reason"].str.startswith("off support: -9 lies outside").all()
    assert set(off["symbol"]) == {"S1"}
    counts = means(found.table)
    assert counts["do_g", "given", "refused"] == found.refusals.query("estimator == 'given'")["gene"].nunique()
    assert counts["see", "-", "refused"] == 0


def test_value_of_the_truth_is_used(confounded: Scm) -> None:
    profiles, donors = confounded.profiles(800)
    low = float(np.min([profiles.X[profiles.obs["condition"] == f"c{k}", 0].mean() for k in range(3)]))
    truth = confounded.truth().query("gene == @GENES[0]").assign(value=low)
    table = run(confounded, truth=truth).table
    default = run(confounded, truth=truth.drop(columns="value")).table
    size = lambda t: t.query("metric == 'regulator_vs_leaf_auroc' and generator == 'see'")["value"].iloc[0]  # noqa: E731
    assert size(table) < size(default), "a smaller change has a smaller predicted effect"


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"truth": pd.DataFrame({"gene": ["a"]})}, "condition, target, delta"),
        ({"graph": pd.DataFrame({"regulator": ["S0"], "target": ["S1"]})}, "sign"),
        ({"graph": pd.DataFrame({"regulator": ["S0"], "target": ["S1"], "sign": [2]})}, "neither 1 nor -1"),
        ({"graph": pd.DataFrame({"regulator": ["A"], "target": ["B"], "sign": [1]})}, "no edge"),
        (
            {"truth": pd.DataFrame({"gene": ["A"], "condition": ["c0"], "target": ["B"], "delta": [1.0]})},
            "none of the 1 genes of the truth",
        ),
    ],
)
def test_bad_input(confounded: Scm, overrides: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said) as error:
        run(confounded, **overrides)
    assert error.value.remedy


def test_no_tissue_profiles(confounded: Scm) -> None:
    profiles, donors = confounded.profiles(50)
    with pytest.raises(UserError, match="only 0 tissue-level profiles"):
        run(confounded, profiles=profiles, donors=donors.assign(split="test"))


def test_named_graphs(confounded: Scm) -> None:
    graph = confounded.graph()
    table = run(confounded, graph={"mine": graph, "half": graph.iloc[::2]}).table
    assert set(table["estimator"].dropna()) == {"mine", "half", "shuffled"}


def test_descendants_are_those_of_networkx() -> None:
    rng = np.random.default_rng(0)
    pairs = rng.integers(0, 30, (45, 2))  # cycles included
    edges = pd.DataFrame(pairs, columns=["regulator", "target"]).astype(str).assign(sign=1)
    var = pd.DataFrame({"symbol": [f"s{i}" for i in range(30)]}, index=[str(i) for i in range(30)])
    graph = resolve(edges, var)
    reference = nx.DiGraph([tuple(e) for e in pairs.astype(str) if e[0] != e[1]])
    for node in reference:
        assert graph.descendants(node) == nx.descendants(reference, node)
        for depth in (1, 2):
            near = nx.single_source_shortest_path_length(reference, node, cutoff=depth)
            assert graph.descendants(node, depth) == set(near) - {node}


def test_paths_through_genes_outside_the_space_count() -> None:
    var = pd.DataFrame({"symbol": ["A", "B", "DUP", "DUP"]}, index=GENES[:4])
    table = pd.DataFrame({"regulator": ["A", "X", "A", "DUP"], "target": ["X", "B", GENES[3], "A"], "sign": 1})
    graph = resolve(table, var)
    assert graph.descendants(GENES[0]) == {"X", GENES[1], GENES[3]}
    assert "DUP" in graph.nodes, "a symbol of two genes must not be matched to either"


def test_damaged_graphs(confounded: Scm) -> None:
    graph = resolve(confounded.graph(), pd.DataFrame({"symbol": SYMBOLS}, index=GENES))
    pairs = lambda g: set(zip(g.edges["regulator"], g.edges["target"], strict=True))  # noqa: E731
    bad = corrupted(graph, np.random.default_rng(0), precision=0.25, recall=0.5)
    assert len(pairs(bad)) == len(bad.edges)
    assert len(pairs(bad) & pairs(graph)) / len(graph.edges) == pytest.approx(0.5, abs=0.02)
    assert len(pairs(bad) & pairs(graph)) / len(bad.edges) == pytest.approx(0.25, abs=0.02)
    mixed = shuffled(graph, np.random.default_rng(0))
    degrees = [g.edges["regulator"].value_counts().sort_index() for g in (graph, mixed)]
    assert degrees[0].equals(degrees[1])
    assert len(pairs(mixed)) == len(mixed.edges)
    assert len(pairs(mixed) & pairs(graph)) < 0.5 * len(graph.edges)


def test_ridge_and_propagation_against_the_true_weights() -> None:
    scm = Scm(3, hidden=0.0)
    x, classes = scm.sample(4000, 0)
    model = TissueModel.fit(x, classes)
    graph = resolve(scm.graph(), pd.DataFrame({"symbol": SYMBOLS}, index=GENES))
    signs = operators.sign_matrix(graph, GENES)
    np.testing.assert_array_equal(signs.toarray(), np.sign(scm.weights))
    sparse_weights = operators.ridge_weights(model, signs)
    weights = sparse_weights.toarray()
    np.testing.assert_allclose(weights * np.outer(model.scale, 1 / model.scale), scm.weights, atol=0.06)
    slopes = operators.propagate(model, sparse_weights, 0, steps=REGULATORS)
    np.testing.assert_allclose(slopes, scm.total[:, 0], atol=0.25)
    one_step = operators.propagate(model, sparse_weights, 0, steps=1)
    np.testing.assert_allclose(one_step[1:], (weights * np.outer(model.scale, 1 / model.scale))[1:, 0])
    assert operators.regulon_sign(signs, 0)[0] == 1


def test_graph_without_edges_into_the_space_reaches_nothing() -> None:
    graph = Graph("g", pd.DataFrame({"regulator": ["a"], "target": ["b"], "sign": [1]}))
    assert graph.descendants("b") == set()
    assert graph.descendants("unknown") == set()


def test_agreement_measures() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 40))
    assert pearson(a, b) == pytest.approx(scipy.stats.pearsonr(a, b).statistic)
    assert pearson(np.zeros(40), b) == 0
    true = np.array([5.0, -4.0, 3.0, 0.0, 0.1])
    assert sign_at(np.array([1.0, 1.0, 0.0, 1.0, -1.0]), true, 3) == pytest.approx(1 / 3)
    assert sign_at(np.ones(5), true, 20) == pytest.approx(3 / 4), "targets that do not change have no sign"


def test_see_of_a_generator_is_see_where_the_generator_is_the_gaussian(confounded: Scm) -> None:
    """A generator that expects what the population's Gaussian does: its SEE is the column of the covariance."""
    covariance = confounded.covariance

    def expect(obs: pd.DataFrame, clamped: np.ndarray) -> np.ndarray:
        gene = np.nanargmax(~np.isnan(clamped), axis=1)
        mean = confounded.means[obs["condition"].str[1:].astype(int)]
        given = clamped[np.arange(len(obs)), gene] - mean[np.arange(len(obs)), gene]
        return mean + given[:, None] * (covariance[gene] / covariance[gene, gene][:, None])

    scores = means(run(confounded, generators={"exact": expect}).table)
    for metric in ("pearson_delta", "leaf_effect"):
        assert scores["see_exact", "-", metric] == pytest.approx(scores["see", "-", metric], rel=0.05)
    assert scores["do_g", "given", "pearson_delta_gain_over_see_exact"] > 0.05
    assert scores["see_exact", "-", "requested"] == scores["see", "-", "requested"]


@pytest.mark.parametrize("name", ["flow", "ddpm"])
def test_generators_that_clamp_do_what_the_true_graph_says(confounded: Scm, name: str) -> None:
    """Trained networks under hidden programmes: DO|G by clamping, against the exact effects."""
    profiles, donors = confounded.profiles(800)
    training = profiles[(donors["split"] == "train").to_numpy()].copy()
    training.obs = training.obs.assign(technology="bulk", aggregation="bulk", context="tumour")
    x = np.asarray(training.X, dtype=float)
    mean, sd = x.mean(0), x.std(0)
    training.X = ((x - mean) / sd).astype(np.float32)
    steps = {"flow": 250, "ddpm": 400}[name]
    settings = {"components": G, "width": 64, "blocks": 2, "steps": steps}
    model = registry.get(name)().fit(training, settings=settings, seed=0, device="cpu")

    def expect(obs: pd.DataFrame, clamped: np.ndarray) -> np.ndarray:
        obs = obs.assign(technology="bulk", aggregation="bulk", context="tumour")
        return model.sample_clamped(obs, (clamped - mean) / sd, seed=1, expected=True) * sd + mean

    settings = {"n_genes": REGULATORS, "n_leaves": 4}
    value = means(run(confounded, settings=settings, generators={name: expect}).table)
    assert value[f"do_g_{name}", "given", "pearson_delta"] >= 0.95
    assert value[f"do_g_{name}", "given", "leaf_effect"] == 0
    assert value[f"see_{name}", "-", "pearson_delta"] < 0.6


def test_the_bars_of_the_simulated_truth(confounded: Scm) -> None:
    value = means(run(confounded, settings={"n_genes": REGULATORS, "n_leaves": 10}).table)
    assert value["do_g", "given", "pearson_delta"] >= 0.95
    assert value["do_g", "shuffled", "pearson_delta"] < 0.5
    assert value["see", "-", "pearson_delta"] < 0.6
    x, classes = confounded.sample(800, 1)
    model = TissueModel.fit(x, classes)
    true, predicted = [], []
    for gene in range(REGULATORS):
        others = np.arange(G) != gene
        true.append(confounded.total[others, gene])
        predicted.append(model.do(gene, descendants(confounded, gene))[others])
    slope = np.polyfit(np.concatenate(true), np.concatenate(predicted), 1)[0]
    assert 0.9 <= slope <= 1.15


def test_several_genes_at_once_against_regression_and_the_exact_effects(confounded: Scm) -> None:
    x, classes = confounded.sample(200, 0)
    genes = np.array([1, 4, 30])
    dummies = pd.get_dummies(classes).to_numpy(float)
    fit = sm.OLS(x, np.column_stack([x[:, genes], dummies])).fit()
    np.testing.assert_allclose(TissueModel.fit(x, classes).see(genes), fit.params[:3].T, atol=1e-9)

    plain = Scm(1, hidden=0.0)
    both = np.array([0, 2])
    graph = resolve(plain.graph(), pd.DataFrame({"symbol": SYMBOLS}, index=GENES))
    reached = np.array(sorted(GENES.index(g) for g in graph.descendants([GENES[0], GENES[2]])))
    # Setting both: their own incoming edges are cut, everything else follows the equations.
    cut = plain.weights.copy()
    cut[both] = 0
    exact = np.linalg.inv(np.eye(G) - cut)[:, both]
    slopes = model_of(plain.covariance).do(both, reached)
    np.testing.assert_allclose(slopes, exact, atol=1e-9)
    several = TissueModel.fit(x, classes)
    rows = several.do(both, reached)
    np.testing.assert_allclose(several.do(both[:1], reached)[:, 0], several.do(0, reached), atol=1e-12)
    z = several.z[:, np.append(both, np.setdiff1d(np.arange(G), np.append(both, reached)))]
    penalty = np.full(z.shape[1], len(x) * several.ridge / (1 - several.ridge / np.mean(several.z**2)))
    penalty[:2] = 0
    ridge = np.linalg.solve(z.T @ z + np.diag(penalty), z.T @ several.z[:, reached])[:2]
    expected = ridge.T * several.scale[reached][:, None] / several.scale[both]
    np.testing.assert_allclose(rows[reached], expected, atol=1e-8)


def test_profiles_counted_several_times_are_profiles_repeated(confounded: Scm) -> None:
    x, classes = confounded.sample(50, 0)
    times = np.random.default_rng(0).integers(0, 4, 50)
    rows = np.repeat(np.arange(50), times)
    once, repeated = TissueModel.fit(x, classes, times.astype(float)), TissueModel.fit(x[rows], classes[rows])
    assert once.ridge == pytest.approx(repeated.ridge, rel=1e-9)
    reached = descendants(confounded, 2)
    np.testing.assert_allclose(once.do(2, reached), repeated.do(2, reached), atol=1e-8)
    np.testing.assert_allclose(once.see(2), repeated.see(2), atol=1e-9)


def test_twenty_thousand_genes_fit() -> None:
    """No matrix of genes by genes is made: it alone would take 3.2 GB."""
    rng = np.random.default_rng(0)
    genes = 20_000
    x = rng.normal(size=(40, genes))
    tracemalloc.start()
    model = TissueModel.fit(x, np.zeros(40))
    slopes = model.do(7, np.arange(100, 600))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6
    assert slopes[7] == 1 and (slopes[100:600] != 0).all() and not np.delete(slopes, [7, *range(100, 600)]).any()


def test_cycles_follow_the_rule() -> None:
    """Setting a gene cuts the edges into it: a gene of its cycle is a descendant, not a cause."""
    table = pd.DataFrame({"regulator": ["S0", "S1", "S2"], "target": ["S1", "S0", "S0"], "sign": 1})
    graph = resolve(table, pd.DataFrame({"symbol": SYMBOLS}, index=GENES))
    assert graph.descendants(GENES[0]) == {GENES[1]} == graph.in_cycle(GENES[0])
    assert graph.descendants(GENES[2], 1) == {GENES[0]} and not graph.in_cycle(GENES[2])
    rng = np.random.default_rng(0)
    pairs = rng.integers(0, 30, (60, 2)).astype(str)
    reference = nx.DiGraph([tuple(e) for e in pairs if e[0] != e[1]])
    var = pd.DataFrame({"symbol": [f"s{i}" for i in range(30)]}, index=[str(i) for i in range(30)])
    graph = resolve(pd.DataFrame(pairs, columns=["regulator", "target"]).assign(sign=1), var)
    components = {node: c - {node} for c in nx.strongly_connected_components(reference) for node in c}
    for node in reference:
        assert graph.in_cycle(node) == components[node]


def test_graph_bootstrap_keeps_a_share_of_the_edges(confounded: Scm) -> None:
    graph = resolve(confounded.graph(), pd.DataFrame({"symbol": SYMBOLS}, index=GENES))
    pairs = lambda g: set(zip(g.edges["regulator"], g.edges["target"], strict=True))  # noqa: E731
    draws = [graph.bootstrap(np.random.default_rng(seed)) for seed in range(2)]
    assert all(len(pairs(d)) == round(0.8 * len(graph.edges)) and pairs(d) < pairs(graph) for d in draws)
    assert pairs(draws[0]) != pairs(draws[1])
