"""Therapeutic targets of a condition."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...core.seeds import derive
from .. import targets
from ..dependency import Dependencies
from ..questions import Question
from ..study import Study
from .base import ASSUMPTIONS, NOT_FOR, Answer, normals_of

#: Regulators named for each patient.
HIGHEST = 3


def targets_of(
    question: Question,
    study: Study,
    dependencies: Dependencies | None,
    lineages: dict[str, str],
    druggable: frozenset[str],
) -> Answer:
    """Regulators of a condition by their expression against other conditions, with what is known beside."""
    rows = study.rows(question.condition, question.level, question.donors)
    at_level = study.level == question.level
    cohort = targets.Cohort(study.x.take(at_level), study.condition[at_level])
    own = study.x[rows]
    table, panel = targets.rank(
        own, cohort, question.condition, study.symbols, study.signs, seed=derive(study.seed, "targets", question.name)
    )
    table.insert(0, "gene", study.genes)
    out = Answer(question, assumptions=[ASSUMPTIONS["targets"]], not_for=NOT_FOR["targets"])
    healthy = normals_of(study, question.condition)
    if healthy is not None and question.level == "tumour":
        table["tumour_normal_t"] = targets.welch(own, healthy)
        table["normal_mean"] = healthy.mean(0)
        table["reversal_percent"] = np.nan
        towards = healthy.mean(0) - own.mean(0)
        for j in np.flatnonzero(table["regulator"]):
            slopes = study.model.do(int(j), study.reached(study.graph, [study.genes[j]]))
            table.loc[j, "reversal_percent"] = targets.reversal(slopes, j, towards)
    others = study.level == "normal"
    if others.any():
        by_tissue = [study.x[others & (study.condition == c)].mean(0) for c in np.unique(study.condition[others])]
        table["highest_normal_mean"] = np.max(by_tissue, axis=0)
    lineage = lineages.get(question.condition, "").lower()
    if dependencies is not None:
        symbol = table["symbol"]
        table["pan_essential"] = symbol.map(dependencies.pan_essential())
        if lineage in dependencies.lineages():
            table["dependent_own_lineage"] = symbol.map(dependencies.share(lineage))
            table["dependent_other_lineages"] = symbol.map(dependencies.share(lineage, others=True))
        else:
            table["dependent_all_lineages"] = symbol.map(dependencies.share())
    if druggable:
        table["druggable"] = table["symbol"].isin(druggable)
    regulators = table[table["regulator"]].drop(columns="regulator").sort_values("rank", ignore_index=True)
    regulators["rank"] = regulators["rank"].astype(int)
    rest = table[~table["regulator"]].drop(
        columns=["regulator", "rank", "rank_low", "rank_high", "in_top_10", "activity", "reversal_percent"],
        errors="ignore",
    )
    out.table = regulators
    # Each patient against the same panel.
    order = [study.index[gene] for gene in regulators["gene"]]
    beyond = own[:, order] - (own.mean(0)[order] - regulators["expression_difference"].to_numpy())
    patients = pd.DataFrame(beyond.round(3), columns=regulators["symbol"])
    first = np.argsort(-beyond, axis=1)[:, :HIGHEST]
    patients.insert(0, "highest", [", ".join(row) for row in regulators["symbol"].to_numpy(str)[first]])
    patients.insert(0, "donor", study.donor[rows])
    out.extra["patients"] = patients
    out.extra["other_genes"] = rest.sort_values("expression_difference", ascending=False, ignore_index=True)
    top = [r for r in regulators.head(5).itertuples() if r.ci_low > 0]
    above = f"{question.condition} ({question.level}, {len(rows)} profiles) expresses"
    named = ", ".join(f"{r.symbol} ({r.expression_difference:+.2f})" for r in top)
    out.words = [
        f"Of {len(regulators)} regulators, those that {above} most above {', '.join(panel)}: {named} log2 units."
        if top
        else f"{above} none of {len(regulators)} regulators above {', '.join(panel)}.",
        f"Among the first ten in 95 % of the bootstraps: {int((regulators['in_top_10'] >= 0.95).sum())}.",
    ]
    if "reversal_percent" in regulators:
        out.words.append(
            f"Setting one regulator to its normal mean takes back at most {regulators['reversal_percent'].max():.2f} % "
            "of the distance to normal under the graph."
        )
    out.facts = {
        "Profiles": f"{len(rows)} of {question.condition}, {question.level}"
        + (" (the donors asked about)" if question.donors else ""),
        "Panel": f"mean of the means of {', '.join(panel)}",
        "Graph": study.graph_label,
        "Interval": f"95 % (ranks: 90 %) of {targets.BOOTSTRAPS} bootstraps over profiles",
        "Unit": "log2 expression; activity is a t statistic",
    }
    out.figures = {"kind": "targets"}
    return out
