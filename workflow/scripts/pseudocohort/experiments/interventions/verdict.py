"""Verdict on perturbation predictions from the long table."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ...core.words import between, number, words
from ..shared import scales
from ..shared.statistics import interval


def verdict(table: pd.DataFrame, config: dict[str, Any]) -> dict[str, Any]:
    """Verdict from the long table: an answer for each truth; yes only if each is a yes."""
    kinds = {"do": _effects, "targets": _targets, "translate": _translate}
    kinds |= {"perturbations": _perturbations, "dependencies": _dependencies}
    task = table["task"].fillna("do")
    parts = [
        answer(table[task.isin([name, f"{name}_attacked"])]) for name, answer in kinds.items() if (task == name).any()
    ]
    statuses = {part["status"] for part in parts}
    return {
        "status": statuses.pop() if len(statuses) == 1 else "unclear",
        "answer": " ".join(part["answer"] for part in parts),
        "facts": [fact for part in parts for fact in part.get("facts", [])],
        "advice": " ".join(part["advice"] for part in parts if part.get("advice")),
        "points": [sentence for part in parts for sentence in part["points"]],
    }


def _of(table: pd.DataFrame, generator: str, metric: str, estimator: str = "", regime: str = "all") -> Any:
    rows = table[(table["generator"] == generator) & (table["metric"] == metric) & (table["regime"] == regime)]
    rows = rows[rows["estimator"] == estimator] if estimator else rows
    return interval(rows["value"], bounds=scales.bounds(metric) or scales.REAL)


def _shown(v: Any) -> str:
    return f"{number(v.mean)}{between(v.low, v.high, number)}"


def _targets(table: pd.DataFrame) -> dict[str, Any]:
    metric, kind = "matched_minus_mismatched", "regulators"
    ours = _of(table, "expression_difference", metric, kind)
    p = _of(table, "expression_difference", "permutation_p", kind).mean
    yes = ours.low > 0 and p <= 0.05
    answer = (
        "Targets: regulators ranked by expression against other conditions find the dependencies of their own lineage "
        f"{'better' if yes else 'no more reliably'} than those of others."
    )
    facts = [
        ("AUROC, own less other lineages", _shown(ours)),
        ("Lineages permuted", f"p = {number(p, 3)}; no difference is 0"),
    ]
    advice = (
        "Take the ranking of regulators as a list of candidates, to be tested in cell lines."
        if yes
        else "Do not choose targets by this ranking."
    )
    points = [
        f"Targets by {words(name)}: own less other lineages {_shown(_of(table, name, metric, kind))}."
        for name in table["generator"].unique()
        if (table[table["generator"] == name]["estimator"] == kind).any()
    ]
    rest = _of(table, "expression_difference", metric, "non_regulators")
    if rest.n:
        points.append(f"Genes that are no regulators, by expression: {_shown(rest)}; that ranking is not to be used.")
    return {"status": "yes" if yes else "no", "answer": answer, "facts": facts, "advice": advice, "points": points}


def _translate(table: pd.DataFrame) -> dict[str, Any]:
    r2, rank = _of(table, "translate", "r2"), _of(table, "identity", "own_rank")
    first = _of(table, "identity", "own_first")
    failed = [
        c for c in sorted(set(table["regime"]) - {"all"}) if not _of(table, "translate", "r2", regime=c).low > 0
    ]  # fmt: skip
    yes = r2.low > 0
    answer = (
        f"A patient's own normal is predicted from the tumour {'beyond' if yes else 'no better than'} the class mean"
    )
    answer += f", but not for {', '.join(failed)}." if failed and yes else "."
    facts = [
        (
            "Own normal, variance explained",
            f"{100 * r2.mean:.1f} % [{100 * r2.low:.1f}, {100 * r2.high:.1f}]; the class mean explains 0 %",
        ),
        ("Own normal found among others", f"mean rank {number(rank.mean)}, first in {100 * first.mean:.0f} %"),
    ]
    advice = "Treat a translated profile as personal data: it can be traced to its patient."
    advice = advice if yes else f"Use the class mean instead of translations. {advice}"
    points = [
        f"The own normal by {words(name)}: correlation beyond the class mean {_shown(_of(table, name, 'r'))}, "
        f"variance explained {_shown(_of(table, name, 'r2'))}."
        for name in ("translate", "plain_shift", "bures")
        if (table["generator"] == name).any()
    ]
    attacks = table[(table["task"] == "translate_attacked") & (table["metric"] == "auc")]
    if len(attacks):
        strongest = attacks.groupby("estimator")["value"].mean().idxmax()
        auc = interval(attacks.loc[attacks["estimator"] == strongest, "value"], bounds=scales.SHARE)
        linked, first = _of(table, "translate", "own_rank"), _of(table, "translate", "own_first")
        points.append(
            f"From its translation alone a patient's own normal is found at mean rank {_shown(linked)}, first in "
            f"{100 * first.mean:.0f} %: translated profiles link persons, whatever membership attacks say."
        )
        points.append(
            "Membership attacks on translated profiles, with the patient's normal in hand: strongest "
            f"{words(strongest)}, AUC {_shown(auc)} over {auc.n} deals (.5 is a guess; best of several, not corrected)."
        )
    return {"status": "yes" if yes else "no", "answer": answer, "facts": facts, "advice": advice, "points": points}


def _perturbations(table: pd.DataFrame) -> dict[str, Any]:
    asked, refused = (_of(table, "do_g", metric).mean for metric in ("asked", "refused"))
    best = _of(table, "mean_of_other_perturbations", "pearson")
    see = _of(table, "see", "pearson")
    ours = _of(table, "linear_pathways", "pearson")
    wins = ours.n > 0 and ours.low > best.high
    answer = (
        f"Measured perturbations: DO|G was asked {asked:.0f} and refused {refused:.0f}; "
        f"{'the linear predictor beats' if wins else 'nothing beats'} the mean of the other perturbations."
    )
    facts = [
        ("Correlation, mean of the others", _shown(best)),
        ("Correlation, along with the gene", f"{_shown(see)} (SEE)"),
    ]
    if ours.n:
        facts.insert(0, ("Correlation, linear predictor", _shown(ours)))
    advice = (
        "Use the linear predictor for perturbations that were not measured."
        if wins
        else "Make no claim about a perturbation that was not measured."
    )
    points = [
        f"Measured perturbations by {words(name)}: correlation {_shown(_of(table, name, 'pearson'))}, AUROC of the "
        f"genes that change {_shown(_of(table, name, 'changed_auroc'))}."
        for name in table["generator"].unique()
        if _of(table, name, "pearson").n
    ]
    return {"status": "yes" if wins else "no", "answer": answer, "facts": facts, "advice": advice, "points": points}


def _dependencies(table: pd.DataFrame) -> dict[str, Any]:
    found = {
        (name, kind): _of(table, name, "dependent_auroc", kind)
        for name in ("own_expression", "ridge_components")
        for kind in ("regulators", "all_genes")
    }
    lines = _of(table, "own_expression", "lines").mean
    kind, name = ("regulators", "regulator") if found["own_expression", "regulators"].n else ("all_genes", "gene")
    own = found["own_expression", kind]
    yes = own.low > 0.5
    answer = (
        f"Over {lines:.0f} lines, a {name}'s own expression tells those that depend on it "
        f"{'better than chance' if yes else 'no better than chance'}."
    )
    facts = [
        (f"AUROC, own expression, {words(kind)}", _shown(own)),
        ("AUROC, ten components", f"{_shown(found['ridge_components', kind])}; .5 is chance"),
    ]
    if kind == "regulators" and found["own_expression", "all_genes"].n:
        facts.append(("AUROC, own expression, all genes", _shown(found["own_expression", "all_genes"])))
    points = [
        f"Dependent lines by {words(name)}, {words(kind)}: AUROC {_shown(v)} over {v.n} genes."
        for (name, kind), v in found.items()
        if v.n
    ]
    return {"status": "yes" if yes else "no", "answer": answer, "facts": facts, "points": points}


def _effects(table: pd.DataFrame) -> dict[str, Any]:
    """Verdict on predicted effects."""
    scores = table[table["metric"] == "pearson_delta"]
    labels = scores["generator"] + scores["estimator"].fillna("").map(lambda e: f" ({e} graph)" if e else "")
    by_operator = {
        name: interval(group["value"], bounds=scales.CORRELATION) for name, group in scores.groupby(labels, sort=False)
    }
    ordered = sorted(by_operator.items(), key=lambda item: -item[1].mean)
    sentences = [
        f"{name}: correlation of predicted with true changes {number(v.mean)}{between(v.low, v.high, number)}."
        for name, v in ordered
    ]
    free = {n: v for n, v in by_operator.items() if "graph)" not in n}
    best_free = max(free, key=lambda n: free[n].mean)
    gains = table[table["metric"].str.startswith("pearson_delta_gain_over_")]
    base = f"pearson_delta_gain_over_{best_free}"
    given, corrupted = (by_operator.get(f"do_g ({kind} graph)") for kind in ("given", "corrupted"))
    if given is None:
        return {"status": "unclear", "answer": "No causal operator was run.", "points": sentences}
    advantage = {
        kind: interval(
            gains[(gains["metric"] == base) & (gains["generator"] == "do_g") & (gains["estimator"] == kind)]["value"]
        )
        for kind in ("given", "corrupted")
    }
    better = advantage["given"].low > 0
    answer = (
        f"With the right regulatory graph DO|G predicts changes {'better' if better else 'no better'} than without."
    )
    facts = [
        ("Correlation, right graph", f"{_shown(given)} (DO|G)"),
        ("Correlation, no graph", f"{_shown(free[best_free])} ({words(best_free)})"),
    ]
    advice = "Use DO|G where you trust the graph, and what goes along with the gene (SEE) elsewhere."
    if not better:
        advice = "Use what goes along with the gene (SEE): the graph adds nothing here."
    status = "yes" if advantage["given"].low > 0 else "unclear"
    if corrupted is not None:
        holds = advantage["corrupted"].low > 0
        answer += " With a corrupted graph it "
        answer += "still does." if holds else "does not: the prediction is as good as the graph."
        facts.insert(1, ("Correlation, corrupted graph", _shown(corrupted)))
        status = "yes" if status == "yes" and holds else "unclear"
    return {"status": status, "answer": answer, "facts": facts, "advice": advice, "points": sentences}
