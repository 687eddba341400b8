"""Scores operators for single-gene interventions against known effects, with their baselines and refusals.

Convention: within a condition and level, the gene is set to its 1st percentile among the training tissue profiles (or
to the column ``value`` of the truth), and a delta is the change of the class mean, log2 units. The perturbed gene is
left out of its own score.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import anndata as ad
import numpy as np
import pandas as pd

from ...core import seeds
from ...core.errors import UserError
from ...core.io import evaluation_table
from ...core.levels import TISSUE_LEVELS
from ...intervene import operators
from ...intervene.graph import Graph, corrupted, gene_ids, resolve, shuffled
from ...intervene.operators import TissueModel

TRUTH_COLUMNS = ("gene", "condition", "target", "delta")
REFUSAL_COLUMNS = ("estimator", "gene", "symbol", "condition", "level", "reason")
PERCENTILE = 1.0
TOP = 20
COMPONENTS = 5
#: Most genes that a generator holds for DO|G. Held to thousands, what it says of the others collapses: on 3,400 held
#: genes the changes were 1/10 to 1/40 of the linear ones.
MOST_HELD = 500
_FACTUAL = 8  # profiles of a class that a generator is given for DO|G
_MIN_CLASS = 10  # profiles below which a class has no usable 1st percentile
_MIN_SD = 0.05  # log2 units: a gene that varies less than this in a class cannot be learned from there

#: Profiles (rows × genes, log2 units) that a generator expects given conditions, levels and clamped genes (else NaN).
Expect = Callable[[pd.DataFrame, np.ndarray], np.ndarray]
#: Predicted change of every gene (G,) in a class when a gene, of some column, is set.
Effect = Callable[["_Class", str, int], np.ndarray]


class Interventions(NamedTuple):
    """Result of :func:`interventions`: the long evaluation table and the refusals with their reasons."""

    table: pd.DataFrame
    refusals: pd.DataFrame


@dataclass(frozen=True)
class _Class:
    """Training profiles of one condition and level, and the truth known about it."""

    condition: str
    level: str
    obs: pd.DataFrame  # one row: what a generator is told of the class
    x: np.ndarray  # (n, G), log2 units
    truth: dict[str, np.ndarray]  # gene id -> (G,), NaN where not measured
    values: dict[str, float]  # gene id -> value it was set to, where the truth says so

    def shift(self, gene: str, column: int) -> float:
        """Imposed change of the gene against the class mean."""
        x = self.x[:, column]
        return float(self.values.get(gene, np.percentile(x, PERCENTILE)) - x.mean())

    def refusal(self, gene: str, column: int) -> str:
        """Why the gene cannot be set in this class; empty if it can."""
        x = self.x[:, column]
        if len(x) < _MIN_CLASS:
            return f"fewer than {_MIN_CLASS} training profiles"
        if x.std() < _MIN_SD:
            return "the gene does not vary in this class"
        value = self.values.get(gene)
        if value is not None and not x.min() <= value <= x.max():
            return f"off support: {value:g} lies outside {x.min():.2f} to {x.max():.2f} seen in training"
        return ""


def interventions(
    profiles: ad.AnnData,
    donors: pd.DataFrame,
    graph: pd.DataFrame | dict[str, pd.DataFrame],
    truth: pd.DataFrame,
    *,
    study: str,
    settings: dict[str, Any],
    seed: int,
    generators: dict[str, Expect] | None = None,
) -> Interventions:
    """Score SEE, DO|G and the baselines against `truth`.

    Parameters
    ----------
    donors : DataFrame
        ``donor``, ``dataset``, ``split``.
    graph : DataFrame or dict of DataFrame
        ``regulator``, ``target``, ``sign``, by symbol or Ensembl id. One graph is called ``given`` and is also
        corrupted to precision and recall 0.5; several keep their names, the first decides which genes are perturbed.
    truth : DataFrame
        ``gene``, ``condition``, ``target``, ``delta``; optionally ``context`` (tumour or normal) and ``value`` (what
        the gene was set to, log2 units).
    settings : dict
        ``n_genes`` regulators and ``n_leaves`` genes without targets at most; ``max_depth`` of descendants (0 = any).
    generators : dict of callable, optional
        By name, generators that can clamp genes; each is a further SEE, ``see_<name>``, not bound to a linear one,
        and in spaces of up to :data:`MOST_HELD` genes a further DO|G, ``do_g_<name>``.

    Returns
    -------
    Interventions
        Table: task ``do``, generator = operator, estimator = graph, repeat = number of the perturbed gene. Metrics:
        ``pearson_delta`` and ``sign_at_20`` (agreement with the true deltas), ``pds`` (share of the other
        interventions whose truth is farther than the own), ``pearson_delta_gain_over_see``, ``..._see_pc5`` and
        ``..._see_<name>`` (paired), ``leaf_effect`` (mean |delta| for genes without targets; truth 0),
        ``regulator_vs_leaf_auroc`` (per regulator the share of leaves with a smaller effect; its mean is the AUROC),
        ``requested`` and ``refused``.

    Raises
    ------
    UserError
        If truth or graph miss columns, or share no gene with the profiles, or no gene can be perturbed.
    """
    _check_truth(truth)
    training = _training(profiles, donors)
    genes = list(training.var_names)
    index = {gene: i for i, gene in enumerate(genes)}
    symbols = training.var["symbol"].astype(str).to_dict()
    x = np.asarray(training.X, dtype=np.float64)
    obs = training.obs
    # A batch of its own per data set must not pass for co-variation within the class.
    model = TissueModel.fit(
        x, (obs["condition"].astype(str) + "|" + obs["level"].astype(str) + "|" + obs["dataset"].astype(str)).to_numpy()
    )
    ids = gene_ids(training.var)
    truth = truth.assign(**{c: truth[c].astype(str).map(lambda g: ids.get(g, g)) for c in ("gene", "target")})
    classes = _classes(x, obs, truth, index)

    tables = graph if isinstance(graph, dict) else {"given": graph}
    graphs = [resolve(table, training.var, name=name) for name, table in tables.items()]
    main = graphs[0]
    if not isinstance(graph, dict):
        graphs.append(corrupted(main, seeds.generator(seed, "corrupted graph"), precision=0.5, recall=0.5))
    graphs.append(shuffled(main, seeds.generator(seed, "shuffled graph")))
    depth = int(settings.get("max_depth", 0))

    def not_identified(asked: list[str]) -> list[dict[str, Any]]:
        return [
            {"estimator": g.name, "gene": gene, "reason": reason}
            for g in graphs
            for gene in asked
            if (reason := refusal(gene, g, index, model, depth))
        ]

    requested = sorted(truth["gene"].unique())
    refusals = not_identified(requested)
    refused_by_main = {r["gene"] for r in refusals if r["estimator"] == main.name}
    accepted = [gene for gene in requested if gene not in refused_by_main]
    usable = [gene for gene in accepted if any(not c.refusal(gene, index[gene]) and gene in c.truth for c in classes)]
    refusals += [
        {"estimator": None, "gene": gene, "condition": c.condition, "level": c.level, "reason": reason}
        for gene in accepted
        for c in classes
        if gene in c.truth and (reason := c.refusal(gene, index[gene]))
    ]
    if not usable:
        reasons = "; ".join(sorted({str(r["reason"]) for r in refusals})[:3])
        raise UserError(
            f"none of the {len(requested)} genes of the truth can be perturbed: {reasons}",
            where="interventions.truth",
            remedy="truth, graph and profiles must share genes, conditions and contexts",
        )
    chosen = _draw(usable, settings.get("n_genes", 12), seeds.generator(seed, "perturbed genes"))
    no_targets = [g for g in genes if g in main.nodes and g not in main.children and model.varies[index[g]]]
    leaves = _draw(no_targets, settings.get("n_leaves", 12), seeds.generator(seed, "leaves"))
    refusals += not_identified(leaves)

    rows: list[dict[str, Any]] = []
    operators_run = _operators(model, graphs, genes, depth)
    columns = {gene: index[gene] for gene in [*chosen, *leaves]}
    networks = generators or {}
    operators_run += [(f"see_{name}", None, _see(expect, columns)) for name, expect in networks.items()]
    if len(genes) <= MOST_HELD:
        operators_run += [(f"do_g_{n}", main.name, _do(expect, main, genes, depth)) for n, expect in networks.items()]
    for name, graph_name, effect in operators_run:
        causal = name.startswith("do_g")
        refused = {r["gene"] for r in refusals if r["estimator"] == graph_name} if causal else set()
        keys = {"study": study, "task": "do", "generator": name, "estimator": graph_name, "seed": seed}
        for metric, value in (("requested", len(requested) + len(leaves)), ("refused", len(refused))):
            rows.append({**keys, "repeat": 0, "metric": metric, "value": float(value)})
        for level in sorted({c.level for c in classes}):
            scored = _score(effect, [c for c in classes if c.level == level], chosen, leaves, index, refused)
            rows += [{**keys, "level": level, **row} for row in scored]
    free = [name for name, graph_name, _ in operators_run if graph_name is None and name != "no_change"]
    table = evaluation_table(rows + _gains(rows, free))
    refusal_table = pd.DataFrame(refusals, columns=[c for c in REFUSAL_COLUMNS if c != "symbol"])
    refusal_table.insert(2, "symbol", [symbols.get(gene, gene) for gene in refusal_table["gene"]])
    return Interventions(table, refusal_table[list(REFUSAL_COLUMNS)])


def refusal(gene: str, graph: Graph, index: dict[str, int], model: TissueModel, max_depth: int = 0) -> str:
    """Why the effect of setting `gene` cannot be identified under `graph`; empty if it can."""
    if gene not in index:
        return "not among the genes of the profiles"
    if not model.varies[index[gene]]:
        return "the gene does not vary in the training profiles"
    if gene not in graph.nodes:
        return "absent from the graph"
    if gene not in graph.children:
        return "no outgoing edges in the graph: its effect is not identifiable"
    if not graph.descendants(gene, max_depth) & index.keys():
        return "none of its targets is among the genes of the profiles"
    return ""


def _check_truth(truth: pd.DataFrame) -> None:
    missing = [c for c in TRUTH_COLUMNS if c not in truth]
    if missing:
        raise UserError(
            f"missing column(s) of the true effects: {', '.join(missing)}",
            where="interventions.truth",
            remedy=f"the file is a TSV with the columns {', '.join(TRUTH_COLUMNS)} and optionally context and value",
        )


def _training(profiles: ad.AnnData, donors: pd.DataFrame) -> ad.AnnData:
    """Tissue-level profiles of the training donors."""
    train = donors.loc[donors["split"] == "train", ["dataset", "donor"]].astype(str)
    known = pd.MultiIndex.from_frame(profiles.obs[["dataset", "donor"]].astype(str))
    keep = known.isin(pd.MultiIndex.from_frame(train)) & profiles.obs["level"].isin(TISSUE_LEVELS).to_numpy()
    if keep.sum() < _MIN_CLASS:
        raise UserError(
            f"only {int(keep.sum())} tissue-level profiles of training donors: too few to learn effects from",
            where="interventions",
            remedy="leave 'interventions' out of the evaluations, or add tissue-level data",
        )
    return profiles[keep]


def _classes(x: np.ndarray, obs: pd.DataFrame, truth: pd.DataFrame, index: dict[str, int]) -> list[_Class]:
    """Classes that both the training profiles and the truth know."""
    inside = truth[truth["target"].isin(index)]
    out = []
    for (condition, level), rows in obs.reset_index(drop=True).groupby(
        ["condition", "level"], observed=True, sort=True
    ):
        known = inside[inside["condition"].astype(str) == str(condition)]
        if "context" in known:
            known = known[known["context"].isna() | (known["context"] == level)]
        deltas, values = {}, {}
        for gene, part in known.groupby("gene", sort=True):
            deltas[gene] = np.full(len(index), np.nan)
            deltas[gene][part["target"].map(index)] = part["delta"]
            if "value" in part and part["value"].notna().any():
                values[gene] = float(part["value"].dropna().iloc[0])
        if deltas:
            about = rows.iloc[:1].astype(str).reset_index(drop=True)
            out.append(_Class(str(condition), str(level), about, x[rows.index], deltas, values))
    return out


def _draw(names: list[str], n: int, rng: np.random.Generator) -> list[str]:
    return sorted(rng.permutation(names)[:n].tolist()) if names else []


def _linear(slopes_of: Callable[[int], np.ndarray]) -> Effect:
    """Effect by a slope of every gene on the perturbed one, the same in all classes."""
    slopes = cache(slopes_of)
    return lambda c, gene, j: slopes(j) * c.shift(gene, j)


def _see(expect: Expect, columns: dict[str, int]) -> Effect:
    """Effect by what a generator expects of a clamped gene, against the same gene clamped to its class mean."""
    made: dict[tuple[str, str], np.ndarray] = {}

    def changes(c: _Class) -> np.ndarray:
        clamped = np.full((len(columns), 2, c.x.shape[1]), np.nan)
        for i, (gene, j) in enumerate(columns.items()):
            mean = c.x[:, j].mean()
            clamped[i, :, j] = mean, mean + c.shift(gene, j)
        obs = c.obs.iloc[np.zeros(2 * len(columns), int)].reset_index(drop=True)
        profiles = expect(obs, clamped.reshape(len(obs), -1)).reshape(clamped.shape)
        return profiles[:, 1] - profiles[:, 0]

    def effect(c: _Class, gene: str, j: int) -> np.ndarray:
        if (c.condition, c.level) not in made:  # all genes of a class at once: the generator's draws are shared
            made[c.condition, c.level] = changes(c)
        return made[c.condition, c.level][list(columns).index(gene)]

    return effect


def _do(expect: Expect, graph: Graph, genes: list[str], depth: int) -> Effect:
    """Effect by what a generator expects of the descendants, all other genes held at their values in some profiles."""
    index = {gene: i for i, gene in enumerate(genes)}

    def effect(c: _Class, gene: str, j: int) -> np.ndarray:
        reached = [index[g] for g in graph.descendants(gene, depth) if g in index]
        change = np.zeros(len(genes))
        change[j] = c.shift(gene, j)
        if reached:
            seen = c.x[np.linspace(0, len(c.x) - 1, _FACTUAL).astype(int)]
            changed = seen.copy()
            changed[:, j] += change[j]
            clamped = np.concatenate([seen, changed])
            clamped[:, reached] = np.nan
            obs = c.obs.iloc[np.zeros(len(clamped), int)].reset_index(drop=True)
            before, after = np.split(np.asarray(expect(obs, clamped)), 2)
            change[reached] = (after - before).mean(0)[reached]
        return change

    return effect


def _operators(model: TissueModel, graphs: list[Graph], genes: list[str], depth: int) -> list[tuple[str, Any, Effect]]:
    """Name, graph name (NA without a graph) and effect of every operator and baseline."""
    index = {gene: i for i, gene in enumerate(genes)}
    loadings = model.components(COMPONENTS)
    out: list[tuple[str, Any, Effect]] = [
        ("no_change", None, _linear(lambda j: np.zeros(len(genes)))),
        ("see", None, _linear(model.see)),
        (f"see_pc{COMPONENTS}", None, _linear(lambda j: model.see_without(j, loadings))),
    ]
    for graph in graphs:
        signs = operators.sign_matrix(graph, genes)
        weights = operators.ridge_weights(model, signs)

        def do(j: int, graph: Graph = graph) -> np.ndarray:
            reached = graph.descendants(genes[j], depth)
            return model.do(j, np.array(sorted(index[g] for g in reached if g in index), dtype=int))

        out += [
            ("do_g", graph.name, _linear(do)),
            ("ridge_propagation", graph.name, _linear(lambda j, w=weights: operators.propagate(model, w, j))),
            ("regulon_sign", graph.name, _linear(lambda j, s=signs: operators.regulon_sign(s, j))),
        ]
    return out


def _score(
    effect: Effect,
    classes: list[_Class],
    chosen: list[str],
    leaves: list[str],
    index: dict[str, int],
    refused: set[str],
) -> list[dict[str, Any]]:
    """Rows (repeat, metric, value) of one operator at one level; a gene's value is its mean over the conditions."""
    scores: dict[tuple[str, int], list[float]] = {}

    def add(metric: str, repeat: int, value: float) -> None:
        scores.setdefault((metric, repeat), []).append(value)

    for c in classes:
        able = [g for g in chosen if g not in refused and g in c.truth and not c.refusal(g, index[g])]
        predicted = {g: effect(c, g, index[g]) for g in able}
        for gene in able:
            repeat = chosen.index(gene)
            use = ~np.isnan(c.truth[gene])
            use[index[gene]] = False
            add("pearson_delta", repeat, pearson(predicted[gene][use], c.truth[gene][use]))
            add(f"sign_at_{TOP}", repeat, sign_at(predicted[gene][use], c.truth[gene][use], TOP))
            if len(able) > 1:
                others = {g: c.truth[g] for g in able if g != gene}
                add("pds", repeat, _discrimination(predicted[gene], gene, c.truth[gene], others, index))
        silent = [g for g in leaves if not c.refusal(g, index[g])]
        leaf_sizes = np.array([_size(effect(c, g, index[g]), index[g]) for g in silent])
        for gene, size in zip(silent, leaf_sizes, strict=True):
            add("leaf_effect", leaves.index(gene), size)
        for gene in able if len(silent) else []:
            size = _size(predicted[gene], index[gene])
            add(
                "regulator_vs_leaf_auroc",
                chosen.index(gene),
                float(((leaf_sizes < size) + 0.5 * (leaf_sizes == size)).mean()),
            )
    return [
        {"metric": metric, "repeat": repeat, "value": float(np.mean(values))}
        for (metric, repeat), values in sorted(scores.items())
    ]


def _size(delta: np.ndarray, column: int) -> float:
    """Mean |delta| of the genes other than the perturbed one."""
    return float(np.abs(np.delete(delta, column)).mean())


def pearson(predicted: np.ndarray, true: np.ndarray) -> float:
    """Pearson correlation; 0 where one side is constant, because nothing is then predicted."""
    if predicted.std() < 1e-12 or true.std() < 1e-12:
        return 0.0
    return float(np.corrcoef(predicted, true)[0, 1])


def sign_at(predicted: np.ndarray, true: np.ndarray, k: int) -> float:
    """Share of the `k` largest true changes (not zero) whose sign is predicted; a predicted 0 is wrong."""
    top = np.argsort(-np.abs(true), kind="stable")[:k]
    top = top[true[top] != 0]
    return float((np.sign(predicted[top]) == np.sign(true[top])).mean()) if len(top) else float("nan")


def _discrimination(
    predicted: np.ndarray, gene: str, own: np.ndarray, others: dict[str, np.ndarray], index: dict[str, int]
) -> float:
    """Share of the other interventions whose truth is farther (mean absolute distance) than the own; ties count half.

    Neither the perturbed gene nor the other intervention's gene enters the distance.
    """
    wins = []
    for other, delta in others.items():
        use = ~np.isnan(own) & ~np.isnan(delta)
        use[[index[gene], index[other]]] = False
        near, far = np.abs(predicted - own)[use].mean(), np.abs(predicted - delta)[use].mean()
        wins.append(float(near < far) + 0.5 * float(near == far))
    return float(np.mean(wins))


def _gains(rows: list[dict[str, Any]], free: list[str]) -> list[dict[str, Any]]:
    """Paired differences of ``pearson_delta`` to the operators without a graph, per gene."""
    scored = [r for r in rows if r["metric"] == "pearson_delta"]
    out = []
    for base in free:
        reference = {(r["level"], r["repeat"]): r["value"] for r in scored if r["generator"] == base}
        out += [
            {**r, "metric": f"pearson_delta_gain_over_{base}", "value": r["value"] - reference[r["level"], r["repeat"]]}
            for r in scored
            if r["generator"] != base
        ]
    return out
