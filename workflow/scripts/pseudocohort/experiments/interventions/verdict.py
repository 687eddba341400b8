"""Verdict on perturbation predictions from the long table."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ...core.words import number, words
from ..shared import scales
from ..shared.estimators import SMALLEST
from ..shared.statistics import Interval, interval
from ..shared.tables import rows_with


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


def _of(table: pd.DataFrame, generator: str, metric: str, estimator: str = "", regime: str = "all") -> Interval:
    rows = rows_with(table, generator=generator, metric=metric, regime=regime)
    rows = rows[rows["estimator"] == estimator] if estimator else rows
    return interval(rows["value"], bounds=scales.bounds(metric) or scales.REAL)


def _outcome(found: Interval, nothing: float = 0.0) -> str:
    """Yes above `nothing`, no where a worthwhile difference from it is excluded, else it cannot be told."""
    if found.low > nothing:
        return "yes"
    return "no" if found.high < nothing + SMALLEST else "cannot_tell"


def _targets(table: pd.DataFrame) -> dict[str, Any]:
    metric, kind = "matched_minus_mismatched", "regulators"
    ours = _of(table, "expression_difference", metric, kind)
    p = _of(table, "expression_difference", "permutation_p", kind).mean
    status = _outcome(ours)
    if status == "yes" and not p <= 0.05:
        status = "cannot_tell"
    yes = status == "yes"
    found = {"yes": "better than", "no": "no better than", "cannot_tell": "not clearly better than"}[status]
    answer = (
        "Targets: regulators ranked by expression against other conditions find the dependencies of their own lineage "
        f"{found} those of others."
    )
    facts = [
        ("AUROC, own less other lineages", ours.said()),
        ("Lineages permuted", f"p = {number(p, 3)}; no difference is 0"),
    ]
    advice = (
        "Take the ranking of regulators as a list of candidates, to be tested in cell lines."
        if yes
        else "Do not choose targets by this ranking."
    )
    points = [
        f"Targets by {words(name)}: own less other lineages {_of(table, name, metric, kind).said()}."
        for name in table["generator"].unique()
        if (table[table["generator"] == name]["estimator"] == kind).any()
    ]
    rest = _of(table, "expression_difference", metric, "non_regulators")
    if rest.n:
        points.append(f"Genes that are no regulators, by expression: {rest.said()}; that ranking is not to be used.")
    return {"status": status, "answer": answer, "facts": facts, "advice": advice, "points": points}


def _translate(table: pd.DataFrame) -> dict[str, Any]:
    r2, rank = _of(table, "translate", "r2"), _of(table, "identity", "own_rank")
    first = _of(table, "identity", "own_first")
    by_condition = {c: _of(table, "translate", "r2", regime=c) for c in sorted(set(table["regime"]) - {"all"})}
    failed = [c for c, v in by_condition.items() if v.n and not v.low > 0]
    status = _outcome(r2)
    yes = status == "yes"
    found = {"yes": "beyond", "no": "no better than", "cannot_tell": "not clearly better than"}[status]
    answer = f"A patient's own normal is predicted from the tumour {found} the class mean"
    answer += f"; not shown for {', '.join(failed)}." if failed and yes else "."
    facts = [
        ("Own normal, variance explained", f"{r2.said(_percent, ' %')}; the class mean explains 0 %"),
        ("Own normal found among others", f"mean rank {number(rank.mean)}, first in {number(100 * first.mean, 0)} %"),
    ]
    advice = "Treat a translated profile as personal data: it can be traced to its patient."
    advice = advice if yes else f"Use the class mean instead of translations. {advice}"
    points = [
        f"The own normal by {words(name)}: correlation beyond the class mean {_of(table, name, 'r').said()}, "
        f"variance explained {_of(table, name, 'r2').said()}."
        for name in ("translate", "plain_shift", "bures", "flow_inversion")
        if (table["generator"] == name).any()
    ]
    attacks = rows_with(table, task="translate_attacked", metric="auc")
    if len(attacks):
        strongest = attacks.groupby("estimator")["value"].mean().idxmax()
        auc = interval(attacks.loc[attacks["estimator"] == strongest, "value"], bounds=scales.SHARE)
        linked, first = _of(table, "translate", "own_rank"), _of(table, "translate", "own_first")
        points.append(
            f"From its translation alone a patient's own normal is found at mean rank {linked.said()}, first in "
            f"{number(100 * first.mean, 0)} %: translated profiles link persons, whatever membership attacks say."
        )
        points.append(
            "Membership attacks on translated profiles, with the patient's normal in hand: strongest "
            f"{words(strongest)}, AUC {auc.said()} over {auc.n} deals (.5 is a guess; best of several, not corrected)."
        )
    return {"status": status, "answer": answer, "facts": facts, "advice": advice, "points": points}


def _percent(share: float) -> str:
    return number(100 * share, 1)


def _perturbations(table: pd.DataFrame) -> dict[str, Any]:
    asked, refused = (_of(table, "do_g", metric).mean for metric in ("asked", "refused"))
    best = _of(table, "mean_of_other_perturbations", "pearson")
    see = _of(table, "see", "pearson")
    ours = _of(table, "linear_pathways", "pearson")
    wins = ours.n > 0 and ours.low > best.high
    status = "yes" if wins else "no" if not ours.n or ours.high < best.low else "cannot_tell"
    found = {"yes": "the linear predictor beats", "no": "nothing beats", "cannot_tell": "nothing clearly beats"}[status]
    answer = (
        f"Measured perturbations: DO|G was asked {number(asked, 0)} and refused {number(refused, 0)}; "
        f"{found} the mean of the other perturbations."
    )
    facts = [
        ("Correlation, mean of the others", best.said()),
        ("Correlation, along with the gene", f"{see.said()} (SEE)"),
    ]
    if ours.n:
        facts.insert(0, ("Correlation, linear predictor", ours.said()))
    advice = (
        "Use the linear predictor for perturbations that were not measured."
        if wins
        else "Make no claim about a perturbation that was not measured."
    )
    points = [
        f"Measured perturbations by {words(name)}: correlation {_of(table, name, 'pearson').said()}, AUROC of the "
        f"genes that change {_of(table, name, 'changed_auroc').said()}."
        for name in table["generator"].unique()
        if _of(table, name, "pearson").n
    ]
    return {"status": status, "answer": answer, "facts": facts, "advice": advice, "points": points}


def _dependencies(table: pd.DataFrame) -> dict[str, Any]:
    found = {
        (name, kind): _of(table, name, "dependent_auroc", kind)
        for name in ("own_expression", "ridge_components")
        for kind in ("regulators", "all_genes")
    }
    lines = _of(table, "own_expression", "lines").mean
    kind, name = ("regulators", "regulator") if found["own_expression", "regulators"].n else ("all_genes", "gene")
    own = found["own_expression", kind]
    status = _outcome(own, 0.5)
    found_words = {
        "yes": "better than chance",
        "no": "no better than chance",
        "cannot_tell": "not clearly better than chance",
    }
    answer = (
        f"Over {number(lines, 0)} lines, a {name}'s own expression tells those that depend on it {found_words[status]}."
    )
    facts = [
        (f"AUROC, own expression, {words(kind)}", own.said()),
        ("AUROC, ten components", f"{found['ridge_components', kind].said()}; .5 is chance"),
    ]
    if kind == "regulators" and found["own_expression", "all_genes"].n:
        facts.append(("AUROC, own expression, all genes", found["own_expression", "all_genes"].said()))
    points = [
        f"Dependent lines by {words(name)}, {words(kind)}: AUROC {v.said()} over {v.n} genes."
        for (name, kind), v in found.items()
        if v.n
    ]
    return {"status": status, "answer": answer, "facts": facts, "points": points}


def _effects(table: pd.DataFrame) -> dict[str, Any]:
    """Verdict on predicted effects."""
    scores = table[table["metric"] == "pearson_delta"]
    labels = scores["generator"] + scores["estimator"].fillna("").map(lambda e: f" ({e} graph)" if e else "")
    by_operator = {
        name: interval(group["value"], bounds=scales.CORRELATION) for name, group in scores.groupby(labels, sort=False)
    }
    ordered = sorted(by_operator.items(), key=lambda item: -item[1].mean)
    sentences = [f"{name}: correlation of predicted with true changes {v.said()}." for name, v in ordered]
    free = {n: v for n, v in by_operator.items() if "graph)" not in n}
    best_free = max(free, key=lambda n: free[n].mean)
    gains = table[table["metric"].str.startswith("pearson_delta_gain_over_")]
    base = f"pearson_delta_gain_over_{best_free}"
    given, corrupted = (by_operator.get(f"do_g ({kind} graph)") for kind in ("given", "corrupted"))
    if given is None:
        return {"status": "cannot_tell", "answer": "Cannot tell: no causal operator was run.", "points": sentences}
    advantage = {
        kind: interval(rows_with(gains, metric=base, generator="do_g", estimator=kind)["value"])
        for kind in ("given", "corrupted")
    }
    status = _outcome(advantage["given"])
    better = status == "yes"
    found = {"yes": "better", "no": "no better", "cannot_tell": "not clearly better"}[status]
    answer = f"With the right regulatory graph DO|G predicts changes {found} than without."
    facts = [
        ("Correlation, right graph", f"{given.said()} (DO|G)"),
        ("Correlation, no graph", f"{free[best_free].said()} ({words(best_free)})"),
    ]
    advice = "Use DO|G where you trust the graph, and what goes along with the gene (SEE) elsewhere."
    if not better:
        adds = "adds nothing here" if status == "no" else "is not shown to add anything here"
        advice = f"Use what goes along with the gene (SEE): the graph {adds}."
    if corrupted is not None:
        holds = advantage["corrupted"].low > 0
        if better:
            answer += " With a corrupted graph it "
            answer += "still does." if holds else "does not: the prediction is as good as the graph."
        facts.insert(1, ("Correlation, corrupted graph", corrupted.said()))
        status = "unclear" if better and not holds else status
    return {"status": status, "answer": answer, "facts": facts, "advice": advice, "points": sentences}
