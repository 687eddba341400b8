"""Interventions: predictions against what is known, a panel for each truth."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ...shared.style import BLUE, GREY, dots

#: Task, metric, estimator (empty = any), title, what the vertical line stands for.
PANELS = (
    ("do", "pearson_delta", "", "Known effects: correlation", 0.0),
    ("do", "regulator_vs_leaf_auroc", "", "Regulator against leaf (AUROC)", 0.5),
    ("translate", "r", "", "The patient's own normal: correlation\nbeyond the class mean", 0.0),
    (
        "targets",
        "matched_minus_mismatched",
        "regulators",
        "Targets: AUROC in the own\nlineage less other lineages",
        0.0,
    ),
    ("perturbations", "pearson", "", "Measured perturbations: correlation", 0.0),
    ("dependencies", "dependent_auroc", "regulators", "Dependent lines (AUROC)", 0.5),
)
_OURS = ("do_g", "translate", "expression_difference", "own_expression", "linear_pathways")


def draw(summary: pd.DataFrame, config: dict[str, Any]) -> Figure:
    """Figure from the summary table of interventions."""
    table = summary[summary["regime"].isna() | (summary["regime"] == "all")]
    shown = []
    for task, metric, estimator, title, line in PANELS:
        rows = table[(table["task"].fillna("do") == task) & (table["metric"] == metric)]
        rows = rows[rows["estimator"] == estimator] if estimator else rows
        if len(rows):
            shown.append((rows, title, line, bool(estimator)))
    columns = min(2, len(shown))
    heights = [0.9 + 0.27 * len(_operators(rows, of_one)) for rows, _, _, of_one in shown]
    lines = [max(heights[i : i + columns]) for i in range(0, len(shown), columns)]
    figure, axes = plt.subplots(
        len(lines), columns, figsize=(5.6 * columns, sum(lines) + 0.3), squeeze=False,
        gridspec_kw={"height_ratios": lines},
    )  # fmt: skip
    for ax in axes.ravel()[len(shown) :]:
        ax.set_visible(False)
    for ax, (rows, title, line, of_one) in zip(axes.ravel(), shown, strict=False):
        operators = _operators(rows, of_one)
        levels = list(dict.fromkeys(rows["level"].dropna()))
        for y, (operator, part) in enumerate(operators):
            for k, (_, one) in enumerate(part.iterrows()):
                offset = (k - (len(part) - 1) / 2) * 0.25
                marker = "os^D"[levels.index(one["level"]) % 4] if one["level"] in levels else "o"
                dots(ax, y + offset, one, BLUE if operator.startswith(_OURS) else GREY, marker=marker)
        ax.set_yticks(range(len(operators)), [name for name, _ in operators])
        ax.invert_yaxis()
        ax.axvline(line, color=GREY, linewidth=0.8)
        ax.set_title(title, fontsize=8.5)
        if len(levels) > 1:
            ax.set_xlabel("  ".join(f"{'●■▲◆'[k % 4]} {level}" for k, level in enumerate(levels)), fontsize=8)
    return figure


def _operators(rows: pd.DataFrame, of_one: bool) -> list[tuple[str, pd.DataFrame]]:
    """Rows by operator, best first."""
    names = rows["generator"]
    if not of_one:
        names = names + rows["estimator"].fillna("").map(lambda e: f", {e} graph" if e else "")
    parts = [(str(name), part) for name, part in rows.groupby(names, sort=False)]
    return sorted(parts, key=lambda item: -item[1]["value"].mean())
