"""The page of an audit: one self-contained HTML file in the look of the study's report."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from markupsafe import Markup

from .. import __version__
from ..core.words import words
from ..experiments.shared.tables import rows_with
from ..report.page import STATUS, inline_svg, write
from ..report.tables import Cell, Table, plain_table, value_cell
from ..report.templating import environment
from .measure import ADDED, ALONE, REAL, SYNTHETIC, TRAIN

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .auditing import Audit

#: Names of the rows that are no generators.
NAMES = {
    SYNTHETIC: "the synthetic cohort", REAL: "real profiles of others", TRAIN: "the training profiles themselves",
}  # fmt: skip
REGIMES = {
    ALONE: "taught by it alone", ADDED: "taught by it and the training donors", "audit": "",
    "negative_control": "halves of the non-members", "pooled": "at few false positives", "condition": "one condition",
    "similarity": "similarity",
}  # fmt: skip
#: Metrics of the tables on the page, with their headers; the rest is in ``table.tsv``.
LIKENESS = {
    "discriminator_auc": "Discriminator AUC", "coverage": "Coverage", "density": "Density", "precision": "Precision",
    "recall": "Recall", "correlation_score_within": "γ within", "gene_sd_ratio": "SD ratio", "de_logfc_r": "log FC r",
    "de_tpr": "DE recall", "memorisation_share": "Memorised",
}  # fmt: skip
SURVIVAL = {
    "survival_log_hr_r": "log HR r", "survival_permuted_log_hr_r": "log HR r, permuted times",
    "survival_real_calls": "Prognostic in held-out", "survival_calls": "Prognostic",
    "survival_permuted_calls": "Prognostic, permuted times", "survival_recall": "Found",
    "survival_false_share": "False",
}  # fmt: skip
ATTACKS = {
    "auc": "AUC", "tpr_at_fpr_0.1": "TPR at FPR .1", "tpr_at_fpr_0.01": "TPR at FPR .01", "max_auc": "Largest AUC",
    "p_corrected": "Corrected p",
}  # fmt: skip
USE = {"balanced_accuracy": "Balanced accuracy", "balanced_accuracy_gain": "Less the training donors' alone"}
CAPTIONS = {
    "attacks": "How well each attack tells training donors from donors left out: AUC with its 95 % interval over "
    "donors. At the dashed line it guesses; at 1 it finds every training donor. The shaded part is where the release "
    "gate lets a cohort pass. Grey ring: the same attack on real profiles of other donors in the cohort's place, which "
    "gives nobody away. Grey cross: on the training profiles themselves, which give everybody away.",
    "likeness": "The cohort and simple generators, fitted to the same training profiles, against held-out donors; the "
    "dashed line is real profiles against real profiles. Copies are perfect in all panels but the last.",
}


def attacks_figure(privacy: pd.DataFrame) -> Figure | None:
    """Area of each attack on the cohort, with real profiles and the training profiles in its place."""
    import matplotlib.pyplot as plt

    from ..experiments.privacy.evidence import Bounds
    from ..experiments.shared.style import BLUE, GREY, INK, RED, dots

    auc = rows_with(privacy, metric="auc", regime="audit", task=None).dropna(subset="value")
    of = {name: auc[auc["generator"] == name].set_index("estimator") for name in NAMES}
    own = of[SYNTHETIC].sort_values("value")
    if own.empty:
        return None
    figure, ax = plt.subplots(figsize=(9, 0.7 + 0.3 * len(own)))
    limit = Bounds().max_auc_high
    ax.axvspan(0, limit, color="#e9f4ef", zorder=0)
    ax.axvline(0.5, color=INK, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    for y, (name, row) in enumerate(own.iterrows()):
        dots(ax, y, row, RED if row["ci_low"] > limit else BLUE, size=40)
        for other, marker, size in ((REAL, "o", 26), (TRAIN, "x", 24)):
            if name in of[other].index:
                ring = {"facecolor": "none", "edgecolor": GREY} if marker == "o" else {"color": GREY}
                ax.scatter(of[other].loc[name, "value"], y, marker=marker, s=size, zorder=2, **ring)
    ax.set_yticks(range(len(own)), [words(name) for name in own.index])
    lowest = min(0.35, float(np.nanmin(own["ci_low"])) - 0.02)
    ax.set_xlim(lowest, 1.02)
    ax.set_xlabel("AUC: .5 guesses, 1 finds every training donor")
    return figure


def _svg(figure: Figure, name: str) -> Markup:
    from ..experiments.shared.style import save

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.svg"
        save(figure, path)
        return inline_svg(path, f"Figure {name}")


def _wide(rows: pd.DataFrame, keys: dict[str, str], columns: dict[str, str], title: str) -> Table:
    """One row per combination of keys, one column per metric, "value [low, high]" in the cells."""
    metrics = {m: h for m, h in columns.items() if (rows["metric"] == m).any()}
    table: dict[tuple, dict[str, pd.Series]] = {}
    for _, row in rows[rows["metric"].isin(metrics)].iterrows():
        table.setdefault(tuple(_name(k, row[k]) for k in keys), {})[row["metric"]] = row
    body = [
        [*(Cell(k, k) for k in key), *(value_cell(found.get(metric)) for metric in metrics)]
        for key, found in table.items()
    ]
    return Table(title, "", [*keys.values(), *metrics.values()], body)


def _name(key: str, value: object) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    if key == "generator":
        return NAMES.get(str(value), str(value))
    return REGIMES.get(str(value), words(str(value))) if key in ("regime", "estimator") else str(value)


def _sections(audit: Audit) -> list[dict[str, object]]:
    from ..experiments.fidelity.figures.fidelity import draw

    table, verdicts = audit.table, audit.verdicts
    of = {name: table[table["evaluation"] == name] for name in ("privacy", "augmentation", "fidelity")}
    sections = []
    if "privacy" in verdicts:
        figure, tables = None, []
        if len(of["privacy"]):
            figure = attacks_figure(of["privacy"])
            keys = {"generator": "Cohort", "regime": "", "task": "Condition", "estimator": "Attack"}
            tables.append(_wide(of["privacy"], keys, ATTACKS, "Attacks"))
        if len(audit.copies):
            shown = audit.copies.head(200).set_axis(["Synthetic profile", "Training profile", "Donor"], axis=1)
            tables.append(plain_table(shown, f"Training profiles in the synthetic cohort ({len(audit.copies)})"))
        sections.append(_section("privacy", "Privacy", [verdicts["privacy"]], "attacks", figure, tables))
    if "instead" in verdicts:
        keys = {"generator": "Profiles", "regime": ""}
        tables = [_wide(of["augmentation"], keys, USE, "Use")] if len(of["augmentation"]) else []
        sections.append(_section("use", "Use", [verdicts["instead"], verdicts["addition"]], "use", None, tables))
    if "fidelity" in verdicts:
        figure, tables = None, []
        if len(of["fidelity"]):
            figure = draw(of["fidelity"], {})
            tables = [_wide(of["fidelity"], {"generator": "Profiles"}, LIKENESS, "Likeness to held-out donors")]
            if of["fidelity"]["metric"].isin(SURVIVAL).any():
                rows = of["fidelity"][of["fidelity"]["metric"].isin(SURVIVAL)]
                tables.append(_wide(rows, {"generator": "Profiles"}, SURVIVAL, "Genes that go with survival"))
        answers = [verdicts[name] for name in ("fidelity", "survival") if name in verdicts]
        sections.append(_section("fidelity", "Likeness", answers, "likeness", figure, tables))
    return sections


def _section(
    name: str, title: str, answers: list[dict], caption: str, figure: Figure | None, tables: list[Table]
) -> dict[str, object]:
    figures = [(caption, _svg(figure, caption), CAPTIONS[caption])] if figure is not None else []
    return {"name": name, "title": title, "answers": answers, "figures": figures, "tables": tables}


def render(audit: Audit, path: str | Path) -> None:
    """Write the page of an audit to `path`."""
    html = environment(Path(__file__).parent).get_template("page.html").render(
        sections=_sections(audit), verdicts=audit.verdicts, facts=audit.facts, notes=audit.notes, limits=audit.limits,
        status=STATUS, version=__version__,
    )  # fmt: skip
    write(html, path)
