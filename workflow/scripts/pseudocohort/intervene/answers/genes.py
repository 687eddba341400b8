"""What happens if genes change: SEE and DO|G, several genes at once or many one by one."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse, stats

from ...core.errors import UserError
from .. import targets
from ..operators import regulon_sign
from ..questions import Question, shown_change
from ..study import COMPONENTS, Study
from .base import ASSUMPTIONS, MIN_PROFILES, NOT_FOR, Answer, graph_in_words, normals_of

PERCENTILES = {"down": 1.0, "up": 99.0}
MIN_SD = 0.05  # log2 units


def _shifts(study: Study, rows: np.ndarray, columns: list[int], change: str | float) -> np.ndarray:
    """Imposed change (m,) of genes against their mean over `rows`, log2 units.

    Raises
    ------
    UserError
        If a gene does not vary there, or the new value lies outside of what was seen.
    """
    x = study.x.at(rows, columns)
    if len(x) < MIN_PROFILES:
        raise UserError(
            f"only {len(x)} profiles; {MIN_PROFILES} are needed", remedy="ask about the whole condition, or all levels"
        )
    out = []
    for j, values in zip(columns, x.T, strict=True):
        name = study.symbols[j]
        if values.std() < MIN_SD:
            raise UserError(f"{name} does not vary in this class", remedy="ask about another condition")
        if isinstance(change, str):
            out.append(np.percentile(values, PERCENTILES[change]) - values.mean())
        else:
            low, high = values.min() - values.mean(), values.max() - values.mean()
            if not low <= change <= high:
                raise UserError(
                    f"{change:+g} log2 units of {name} lie off the support: {low:+.2f} to {high:+.2f} were seen",
                    remedy="ask for a change within this range, or for down or up",
                )
            out.append(change)
    return np.array(out)


def _columns(study: Study, genes: tuple[str, ...]) -> list[int]:
    missing = [g for g in genes if study.ids.get(g) not in study.index]
    if missing:
        raise UserError(
            f"{missing[0]} is not among the study's {len(study.genes)} genes",
            remedy="name it by symbol or unversioned Ensembl id; only genes that all tissue data sets have are kept",
        )
    return [study.index[study.ids[g]] for g in genes]


def _not_identifiable(study: Study, column: int) -> tuple[str, str]:
    """Why DO|G cannot be asked of a gene, and what can be asked instead; empty if it can."""
    gene, name = study.genes[column], study.symbols[column]
    above = [study.symbols[study.index[r]] for r in study.graph.parents.get(gene, []) if r in study.index]
    instead = f"SEE, or a regulator of it, e.g. {', '.join(above[:3])}" if above else "SEE"
    if gene not in study.graph.nodes:
        return f"{name} is not in the graph", "SEE, or a graph that holds the gene"
    if gene not in study.graph.children:
        return f"{name} regulates nothing in the graph: its effect is not identifiable", instead
    if not len(study.reached(study.graph, [gene])):
        return f"none of the targets of {name} is among the study's genes", instead
    return "", ""


def genes_at_once(question: Question, study: Study, gene_sets: dict[str, list[str]]) -> Answer:
    """Effect of changing one or several genes at once, for every dose."""
    rows = study.rows(question.condition, question.level, question.donors)
    columns = _columns(study, question.genes)
    ids = [study.genes[j] for j in columns]
    out = Answer(question, assumptions=[ASSUMPTIONS["see"]], not_for=NOT_FOR["genes"])
    reasons = [(study.symbols[j], *_not_identifiable(study, j)) for j in columns]
    out.refusals += [
        {"operator": "DO|G", "gene": name, "reason": reason, "alternative": alternative}
        for name, reason, alternative in reasons
        if reason
    ]
    causal = not out.refusals
    own = np.array(columns)
    see, see_pc = study.model.see(own), study.model.see_without(own, study.components)
    drawn: dict[str, list[np.ndarray]] = {"do_g": [], "see": []}
    if causal:
        do = study.model.do(own, study.reached(study.graph, ids))
        control = study.model.do(own, study.reached(study.shuffled, ids))
        out.assumptions.insert(0, ASSUMPTIONS["do_g"])
    else:
        out.status = "association only"
    for model, graph in study.bootstraps:
        drawn["see"].append(model.see(own))
        if causal:
            drawn["do_g"].append(model.do(own, study.reached(graph, ids)))
    signs = np.column_stack([regulon_sign(study.signs, j) for j in columns])
    cycle = set().union(*(study.graph.in_cycle(g, study.depth) for g in ids))
    parts = []
    for change in question.changes:
        try:
            shift = _shifts(study, rows, columns, change)
        except UserError as error:
            reason = f"{shown_change(change)}: {error.what}"
            out.refusals.append({"operator": "all", "gene": "", "reason": reason, "alternative": error.remedy})
            continue
        table = pd.DataFrame({"change": shown_change(change), "gene": study.genes, "symbol": study.symbols})
        table["perturbed"] = np.isin(np.arange(len(table)), columns)
        names = ["see"]
        table["see"], table[f"see_pc{COMPONENTS}"] = see @ shift, see_pc @ shift
        if causal:
            table["do_g"], table["do_g_shuffled_graph"] = do @ shift, control @ shift
            names.insert(0, "do_g")
        for name in names:
            sd = np.std([slopes @ shift for slopes in drawn[name]], axis=0, ddof=1)
            table[f"{name}_low"], table[f"{name}_high"] = table[name] - 1.96 * sd, table[name] + 1.96 * sd
        table["regulon_sign"] = np.sign(signs @ shift)
        table["in_cycle"] = table["gene"].isin(cycle)
        here = study.x[rows]
        table["class_mean"], table["class_sd"] = here.mean(0), here.std(0)
        parts.append(table)
        out.words += _said(study, question, change, shift, columns, table, causal)
    if not parts:
        out.status = "refused"
        out.words = [f"Refused: {r['reason']}." for r in out.refusals]
        return out
    main = "do_g" if causal else "see"
    out.table = pd.concat(parts, ignore_index=True)
    dose = out.table["change"].map({shown_change(c): i for i, c in enumerate(question.changes)})
    out.table = out.table.iloc[np.lexsort([-out.table[main].abs(), dose])].reset_index(drop=True)
    out.facts = {
        "Condition": f"{question.condition}, {question.level}: {len(rows)} profiles"
        + (" of the donors asked about" if question.donors else ""),
        "Graph": graph_in_words(study),
        "Model": "one Gaussian per class with a shared covariance, "
        f"{len(study.model.z):,} profiles, {len(study.genes):,} genes",
        "Interval": "95 %, from 20 bootstraps over donors, each with a fifth of the edges left out",
        "Unit": "log2 expression; the perturbed genes have their own row",
    }
    first = out.table[out.table["change"] == out.table["change"].iloc[0]]
    if gene_sets:
        out.extra["pathways"] = pathways(first[main].to_numpy(), first["symbol"].to_numpy(str), gene_sets)
    if causal:
        out.extra["patients"] = _per_patient(study, question, rows, columns, do)
    out.figures = {"kind": "effects", "main": main}
    return out


#: Share of 95 % intervals that leave 0 out where there is no effect.
MISSED = 0.05


def _said(
    study: Study,
    question: Question,
    change: str | float,
    shift: np.ndarray,
    columns: list[int],
    table: pd.DataFrame,
    causal: bool,
) -> list[str]:
    """The answer to one dose in sentences."""
    imposed = ", ".join(f"{study.symbols[j]} {s:+.2f}" for j, s in zip(columns, shift, strict=True))
    words = [f"Imposed in {question.condition} ({question.level}), {shown_change(change)}: {imposed} log2 units."]
    others = table[~table["perturbed"]]
    if causal:
        clear = others[(others["do_g_low"] > 0) | (others["do_g_high"] < 0)]
        top = clear.reindex(clear["do_g"].abs().sort_values(ascending=False).index).head(5)
        named = ", ".join(f"{r.symbol} {r.do_g:+.2f}" for r in top.itertuples())
        reached = int((others["do_g"] != 0).sum())
        words.append(
            f"Under the graph {reached} genes can change, {len(clear)} of them with an interval that leaves 0 out"
            + (f"; the largest: {named}." if named else ".")
        )
        if reached and stats.binom.sf(len(clear) - 1, reached, MISSED) > MISSED:
            words[-1] += (
                f" Chance alone gives about {MISSED * reached:.1f} of {reached}: take this as no evidence of an effect."
            )
        sizes = [float(np.abs(others.loc[others[c] != 0, c]).mean()) for c in ("do_g", "do_g_shuffled_graph")]
        if np.isfinite(sizes).all():
            words.append(
                f"Mean size of a change {sizes[0]:.3f}; with the graph's targets shuffled {sizes[1]:.3f}; "
                "without a change 0."
            )
    else:
        top = others.reindex(others["see"].abs().sort_values(ascending=False).index).head(5)
        named = ", ".join(f"{r.symbol} {r.see:+.2f}" for r in top.itertuples())
        words.append(f"What a change would cause cannot be said. What goes along with it most: {named}.")
    return words


def _per_patient(
    study: Study, question: Question, rows: np.ndarray, columns: list[int], do: np.ndarray
) -> pd.DataFrame:
    """The same question for each patient: the genes set to one value, so that each is changed by its own amount."""
    change = question.changes[0]
    out = pd.DataFrame({"donor": study.donor[rows], "sample": study.profiles.obs_names[rows]})
    x = study.x[rows]
    if isinstance(change, str):
        value = np.percentile(x[:, columns], PERCENTILES[change], axis=0)
    else:
        value = x[:, columns].mean(0) + change
    shifts = value - x[:, columns]
    for k, j in enumerate(columns):
        out[f"{study.symbols[j]}_now"], out[f"{study.symbols[j]}_change"] = x[:, j], shifts[:, k]
    effect = shifts @ do.T
    effect[:, columns] = 0
    out["mean_abs_change"] = np.abs(effect).mean(1)
    normal = normals_of(study, question.condition)
    if question.level == "tumour" and normal is not None:
        towards = normal.mean(0) - x
        towards[:, columns] = 0
        after = np.linalg.norm(towards - effect, axis=1)
        out["reversal_percent"] = 100 * (1 - after / np.linalg.norm(towards, axis=1))
    return out


def pathways(changes: np.ndarray, symbols: np.ndarray, gene_sets: dict[str, list[str]]) -> pd.DataFrame:
    """Gene sets by the t of the univariate linear model of the changes on membership."""
    index = pd.Series(np.arange(len(symbols)), index=symbols)
    index = index[~index.index.duplicated()]
    rows = []
    for name, members in gene_sets.items():
        inside = index[index.index.intersection(members)].to_numpy()
        if len(inside) >= 5:
            weight = np.zeros((len(symbols), 1))
            weight[inside] = 1
            t = float(targets.ulm(changes, sparse.csc_array(weight))[0])
            rows.append({"gene_set": name, "genes": len(inside), "mean_change": float(changes[inside].mean()), "t": t})
    table = pd.DataFrame(rows, columns=["gene_set", "genes", "mean_change", "t"])
    return table.reindex(table["t"].abs().sort_values(ascending=False).index).reset_index(drop=True)


def genes_one_by_one(question: Question, study: Study) -> Answer:
    """Batch mode: a row for each gene that is changed, with the size of its effect and what it does to the tumour."""
    rows = study.rows(question.condition, question.level, question.donors)
    if question.genes == ("regulators",):
        columns = [study.index[g] for g in sorted(study.graph.children) if g in study.index]
    else:
        columns = _columns(study, question.genes)
    out = Answer(question, assumptions=[ASSUMPTIONS["do_g"]], not_for=NOT_FOR["genes"])
    x = study.x[rows]
    normal = normals_of(study, question.condition)
    towards = None if normal is None else normal.mean(0) - x.mean(0)
    change, found = question.changes[0], []
    for j in columns:
        reason, alternative = _not_identifiable(study, j)
        try:
            shift = _shifts(study, rows, [j], change)[0]
        except UserError as error:
            reason, alternative = reason or error.what, alternative or error.remedy
        if reason:
            refusal = {"gene": study.symbols[j], "reason": reason, "alternative": alternative}
            out.refusals.append({"operator": "DO|G", **refusal})
            continue
        gene = study.genes[j]
        reached = study.reached(study.graph, [gene])
        effect = study.model.do(j, reached) * shift
        others = np.delete(np.arange(len(effect)), j)
        size = float(np.abs(effect[reached]).mean())
        drawn = []
        for model, graph in study.bootstraps:
            part = study.reached(graph, [gene])
            drawn.append(np.abs(model.do(j, part)[reached] * shift).mean() if len(part) else 0.0)
        control = study.reached(study.shuffled, [gene])
        most = others[np.argsort(-np.abs(effect[others]))[:3]]
        row = {
            "gene": gene, "symbol": study.symbols[j], "imposed": shift, "targets": len(reached),
            "mean_abs_change": size,
            "sd_of_bootstraps": float(np.std(drawn, ddof=1)),
            "mean_abs_change_shuffled_graph": float(np.abs(study.model.do(j, control)[control] * shift).mean())
            if len(control) else 0.0,
            "in_cycle": len(study.graph.in_cycle(gene, study.depth)),
            "largest": ", ".join(f"{study.symbols[i]} {effect[i]:+.2f}" for i in most),
        }  # fmt: skip
        if towards is not None:
            before = np.linalg.norm(towards[others])
            row["reversal_percent"] = 100 * (1 - np.linalg.norm((towards - effect)[others]) / before)
        found.append(row)
    out.words = [
        f"{len(columns)} genes asked about, one at a time ({shown_change(change)}) in {question.condition} "
        f"({question.level}): {len(found)} answered, {len(out.refusals)} refused."
    ]
    out.facts = {
        "Graph": graph_in_words(study),
        "Unit": "log2 expression; the perturbed gene does not count in its own row",
    }
    if not found:
        out.status = "refused"
        return out
    table = pd.DataFrame(found)
    out.table = table.sort_values("mean_abs_change", ascending=False, ignore_index=True)
    if towards is not None:
        best = table.loc[table["reversal_percent"].idxmax()]
        out.words.append(
            f"The change that takes back most of the way from tumour to normal is that of {best.symbol}: "
            f"{best.reversal_percent:.2f} % of the distance. No gene alone makes a tumour a normal."
        )
    out.figures = {"kind": "batch"}
    return out
