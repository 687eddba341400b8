"""Figures of the answers, as SVG text."""

from __future__ import annotations

import io

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .answers import Answer

BLUE, ORANGE, GREEN, RED, GREY, LIGHT = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#8a8f98", "#e3e6ea"
_SHOWN = 20
_STYLE = {
    "svg.hashsalt": "pseudocohort", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9,
    "font.sans-serif": ["DejaVu Sans"], "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": GREY,
    "axes.titlesize": 9.5, "axes.titleweight": "bold", "axes.titlelocation": "left", "legend.frameon": False,
    "axes.grid": True, "grid.color": LIGHT, "grid.linewidth": 0.7, "axes.axisbelow": True,
}  # fmt: skip


def svg(figure: Figure) -> str:
    """The figure as an SVG element, the same for the same numbers."""
    with io.StringIO() as file:
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
        text = file.getvalue()
    return text[text.index("<svg") :]


def figures(answer: Answer) -> list[tuple[str, str]]:
    """Figures of an answer: SVG and how to read it."""
    draw = {"effects": _effects, "targets": _targets, "batch": _batch, "translate": _translate}
    draw["dependencies"] = _dependencies
    if not answer.figures:
        return []
    with matplotlib.rc_context(_STYLE):
        return [(svg(figure), caption) for figure, caption in draw[answer.figures["kind"]](answer)]


def _axes(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, [figure.add_subplot(1, columns, i + 1) for i in range(columns)]


def _bars(ax: Axes, names: pd.Series, values: pd.Series, low: pd.Series, high: pd.Series, colour: str) -> None:
    y, (values, low, high) = np.arange(len(names)), (np.asarray(v) for v in (values, low, high))
    ax.barh(y, values, color=colour, height=0.7)
    ax.errorbar(values, y, xerr=[values - low, high - values], fmt="none", ecolor="#1d2430", elinewidth=0.9)
    ax.set_yticks(y, names)
    ax.invert_yaxis()
    ax.axvline(0, color=GREY, linewidth=0.8)
    ax.grid(axis="y", visible=False)


def _effects(answer: Answer) -> list[tuple[Figure, str]]:
    main = answer.figures["main"]
    table = answer.table[answer.table["change"] == answer.table["change"].iloc[0]]
    others = table[~table["perturbed"] & (table[main] != 0)].head(_SHOWN)
    figure, (ax, volcano) = _axes(10, 1.4 + 0.21 * len(others), 2)
    name = {"do_g": "DO|G", "see": "SEE (association)"}[main]
    _bars(ax, others["symbol"], others[main], others[f"{main}_low"], others[f"{main}_high"], BLUE)
    if main == "do_g":
        ax.scatter(others["see"], np.arange(len(others)), marker="o", s=16, color=ORANGE, label="SEE", zorder=3)
        ax.scatter(others["do_g_shuffled_graph"], np.arange(len(others)), marker="x", s=18, color=GREY,
                   label="shuffled graph", zorder=3)  # fmt: skip
        ax.legend(fontsize=8)
    ax.set_title(f"Largest changes, {name}")
    ax.set_xlabel("change, log2 units")
    rest = table[~table["perturbed"]]
    change = rest[main].to_numpy()
    sd = ((rest[f"{main}_high"] - rest[main]) / 1.96).to_numpy()
    z = np.abs(np.divide(change, sd, out=np.zeros(len(rest)), where=sd > 1e-9))
    moved = change != 0
    volcano.scatter(change[moved], z[moved], s=7, color=GREY)
    volcano.axhline(1.96, color=RED, linewidth=0.8, linestyle="--")
    for i in np.argsort(-(z * np.abs(change)))[:10]:
        volcano.annotate(rest["symbol"].iloc[i], (change[i], z[i]), fontsize=7.5, xytext=(2, 2),
                         textcoords="offset points")  # fmt: skip
    volcano.set_title("All genes that can change")
    volcano.set_xlabel("change, log2 units")
    volcano.set_ylabel("change / bootstrap sd")
    out = [(figure, (
        f"Left: the {len(others)} largest changes by {name} with 95 % intervals; beside them what goes along with the "
        "gene (SEE) and what a graph with shuffled targets says. Right: size against certainty; above the dashed line "
        "the interval leaves 0 out. The perturbed genes are left out."
    ))]  # fmt: skip
    if len(sets := answer.extra.get("pathways", ())):
        sets = sets.head(10)
        figure, (ax,) = _axes(7, 0.9 + 0.25 * len(sets))
        ax.barh(np.arange(len(sets)), sets["t"], color=GREEN)
        ax.set_yticks(
            np.arange(len(sets)), [s.removeprefix("HALLMARK_").replace("_", " ").lower()[:48] for s in sets["gene_set"]]
        )
        ax.invert_yaxis()
        ax.axvline(0, color=GREY, linewidth=0.8)
        ax.grid(axis="y", visible=False)
        ax.set_xlabel("t of the gene set")
        ax.set_title("Pathways of the changes")
        out.append((figure, "Gene sets whose genes change more than the rest (t of a univariate linear model)."))
    return out


def _targets(answer: Answer) -> list[tuple[Figure, str]]:
    top = answer.table.head(_SHOWN)
    panels = [
        ("expression_difference", "Against other conditions", "log2 units"),
        ("activity", "Regulon activity", "t"),
    ]
    panels += [(c, t, u) for c, t, u in (
        ("tumour_normal_t", "Tumour against normal", "t"),
        ("reversal_percent", "DO|G reversal", "% of the distance"),
        ("dependent_own_lineage", "Dependent lines", "share"),
    ) if c in top]  # fmt: skip
    figure, axes = _axes(2.2 + 2.0 * len(panels), 1.2 + 0.21 * len(top), len(panels))
    y = np.arange(len(top))
    for i, (ax, (column, title, unit)) in enumerate(zip(axes, panels, strict=True)):
        if i == 0:
            _bars(ax, top["symbol"], top[column], top["ci_low"], top["ci_high"], BLUE)
        else:
            ax.barh(y, top[column], color=GREY, height=0.7)
            if column == "dependent_own_lineage":
                ax.scatter(top["dependent_other_lineages"], y, marker="|", s=60, color=RED, zorder=3)
            ax.set_yticks(y, [])
            ax.set_ylim(axes[0].get_ylim())
            ax.axvline(0, color=GREY, linewidth=0.8)
        ax.set_title(title)
        ax.set_xlabel(unit)
    caption = (
        "The first regulators. The rank is that of the blue bars, with 95 % intervals; the grey bars are shown beside "
        "it and do not enter it."
    )
    if "dependent_own_lineage" in top:
        caption += " Red ticks: share of dependent lines of other lineages."
    return [(figure, caption)]


def _batch(answer: Answer) -> list[tuple[Figure, str]]:
    top = answer.table.head(_SHOWN)
    figure, (ax,) = _axes(7, 1.2 + 0.21 * len(top))
    sd = 1.96 * top["sd_of_bootstraps"]
    _bars(ax, top["symbol"], top["mean_abs_change"], top["mean_abs_change"] - sd, top["mean_abs_change"] + sd, BLUE)
    ax.scatter(top["mean_abs_change_shuffled_graph"], np.arange(len(top)), marker="x", s=18, color=GREY, zorder=3,
               label="shuffled graph")  # fmt: skip
    ax.legend(fontsize=8)
    ax.set_xlabel("mean size of the changes of the targets, log2 units")
    return [(figure, "Genes whose change moves their targets most under the graph, with 95 % intervals.")]


def _dependencies(answer: Answer) -> list[tuple[Figure, str]]:
    column = "difference_to_others" if "difference_to_others" in answer.table else "predicted"
    ends = ("difference_low", "difference_high") if column != "predicted" else ("low", "high")
    size = answer.table[column].abs().sort_values(ascending=False, kind="stable")
    top = answer.table.loc[size.index[:_SHOWN]].sort_values(column, ascending=False)
    figure, (ax, lines) = _axes(8, 1.2 + 0.21 * len(top), 2)
    _bars(ax, top["symbol"], top[column], top[ends[0]], top[ends[1]], BLUE)
    ax.set_title("Against other conditions" if column != "predicted" else "Predicted dependency")
    ax.set_xlabel("predicted share of dependent lines" + ", difference" * (column != "predicted"))
    y = np.arange(len(top))
    marks = {"model": ("o", BLUE, "model"), "lineage_mean": ("|", GREY, "nearest lineage's mean")}
    marks["confounders"] = ("x", ORANGE, "genes the line depends on")
    for name, (marker, colour, label) in marks.items():
        lines.scatter(top[f"r_held_out_{name}"], y, marker=marker, s=24, color=colour, label=label, zorder=3)
    lines.set_yticks(y, [])
    lines.set_ylim(ax.get_ylim())
    figure.legend(*lines.get_legend_handles_labels(), loc="outside lower right", ncols=3, fontsize=7.5)
    lines.set_title("On lines held out")
    lines.set_xlabel("correlation of predicted and measured")
    return [(figure, (
        f"Left: the {len(top)} genes with the largest values, with 95 % intervals. Right: how well the gene's model "
        "predicts the dependency of lines of lineages that it did not see, beside both baselines."
    ))]  # fmt: skip


def _translate(answer: Answer) -> list[tuple[Figure, str]]:
    f = answer.figures
    figure, (ax, ranks) = _axes(11, 4.2, 2)
    x = np.arange(len(f["symbols"]))
    ax.plot(x, f["tumour"], "o", ms=3.5, color=RED, label="tumour")
    ax.plot(x, f["mean"], "_", ms=8, color=GREY, label="class-mean normal")
    ax.plot(x, f["predicted"], "s", ms=3.5, color=BLUE, label="predicted normal")
    ax.plot(x, f["own"], "D", ms=3.5, color=GREEN, label="own normal")
    ax.set_xticks(x, f["symbols"], rotation=90, fontsize=6.5)
    ax.set_ylabel("log2 expression")
    ax.legend(fontsize=7.5, ncols=2)
    ax.set_title("One patient: tumour, predicted and own normal")
    ranks.hist(f["ranks"], bins=np.linspace(0, 1, 26), color=BLUE)
    ranks.set_xlabel("rank of the own normal (1 = first, .5 = chance)")
    ranks.set_ylabel("patients")
    ranks.set_title("The own normal, found from the tumour")
    return [(figure, (
        "Left: the 40 genes in which normals differ most between people, for one patient whom the model did not see. "
        "Right: for every patient, the rank of the own normal among those of the condition, by the genes that keep "
        "identity. The further right, the more personal the translated profile is."
    ))]  # fmt: skip
