"""The report: one self-contained HTML page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from ..core.io import atomic
from ..core.words import count
from ..experiments.registry import experiments, figures_of, of_study
from ..experiments.shared.plan import task_titles
from .cost import cost_table
from .data_section import LEVELS, DataSection
from .data_section import STATUS as DATA_STATUS
from .overview import overview_of
from .tables import plain_table, summary_table
from .templating import environment

STATUS = {
    "yes": "Yes", "no": "No", "unclear": "It depends", "cannot_tell": "Cannot tell yet",
    "nothing_to_gain": "Nothing to gain", "not_run": "Not run",
}  # fmt: skip
#: Colours of figures that follow the theme of the page.
THEMED = {"#1d2430": "var(--ink)", "#ffffff": "var(--paper)", "#8a8f98": "var(--mid)", "#e3e6ea": "var(--line)"}


def inline_svg(path: Path, label: str) -> Markup:
    """An SVG for inclusion in HTML: named, in the colours of the page, without prolog, its ids made unique.

    It is never shown larger than a third above the size that it was drawn in, and on a small screen it scrolls.
    """
    text = path.read_text()
    text = text[text.index("<svg") :]
    name = path.stem
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(href="#|url\(#)', lambda m: m.group(1) + f"{name}-", text)
    raster = "<image" in text  # whose colours stay, and so those of what is written on it
    if not raster:
        text = re.sub(r"#[0-9a-f]{6}\b", lambda m: THEMED.get(m.group(), m.group()), text)
    head, rest = text.split(">", 1)
    width = re.search(r' width="([\d.]+)', head)
    shown = float(width.group(1)) * 1.33 if width else 640
    size = f"min-width: {min(shown, 640):.0f}px; max-width: {shown:.0f}px"
    head = re.sub(r' (?:width|height)="[^"]*"', "", head)
    kind = ' class="paper"' if raster else ""
    return Markup(f'{head}{kind} role="img" aria-label="{escape(label)}" style="{size}">{rest}')


def entered(conditions: pd.DataFrame, donors: pd.DataFrame, genes: pd.DataFrame) -> str:
    """What entered the study, in one line: donors, profiles of each level, conditions, genes."""
    each = donors.drop_duplicates("donor")
    levels = conditions.groupby("level")["profiles"].sum()
    profiles = [f"{levels[level]:,} {level.replace('_', ' ')}" for level in LEVELS if level in levels]
    return (
        f"{count(len(each), 'donor')}, {(each['split'] == 'test').sum():,} of them held out; "
        f"profiles: {', '.join(profiles)}; {count(conditions['condition'].nunique(), 'condition')}; "
        f"{count(int(genes['kept'].sum()), 'gene')}."
    )


def _selection(config: dict[str, Any]) -> str:
    """Which genes were kept, in words."""
    kind = config["prepare"]["gene_space"]["kind"]
    chosen = {"most_variable": ", the most variable first", "landmark": ", landmark genes"}
    return f"expressed and varying{chosen.get(kind, '')}"


def render(
    *,
    config: dict[str, Any],
    verdicts: dict[str, Any],
    summaries: dict[str, pd.DataFrame],
    figures: dict[str, Path],
    data: DataSection,
    conditions: pd.DataFrame,
    donors: pd.DataFrame,
    genes: pd.DataFrame,
    generators: list[dict[str, str]],
    further: dict[str, dict[str, list[str]]],
    software: pd.DataFrame,
    machine: dict[str, Any],
    cost: pd.DataFrame,
    version: str,
    docs: str = "",
) -> str:
    """HTML of the report; nothing is computed here but the form of what the tables hold.

    Parameters
    ----------
    further : dict of dict
        Files that the further tables of experiments are made from, by experiment and name.
    docs : str
        Folder of the documentation, from the page; empty: its pages are named, not linked.
    """
    titles = task_titles(config)
    drawn = figures_of(config)
    sections = []
    for experiment in of_study(config):
        if experiment.name not in summaries:
            continue
        summary = summaries[experiment.name]
        overall = summary if experiment.by_task else summary[summary["task"].isna()]
        tables = [summary_table(experiment, overall.assign(task=[titles.get(t, t) for t in overall["task"]]))]
        if experiment.has("tables:tables"):
            extra = experiment.load("tables:tables")(summary, config, further.get(experiment.name, {}))
            tables += [plain_table(part.table, part.title, part.note) for part in extra]
        shown = [figure for name, (_, figure) in drawn.items() if figure in experiment.figures and name in figures]
        sections.append(
            {
                "name": experiment.name,
                "title": experiment.title,
                "question": verdicts["questions"][experiment.name],
                "figures": [(f.name, inline_svg(figures[f.name], f"Figure {f.name}"), f.caption) for f in shown],
                "tables": tables,
                "documentation": experiment.documentation,
            }
        )
    split = donors.drop_duplicates("donor")["split"].value_counts()
    facts = {
        "Datasets": ", ".join(config["datasets"]),
        "Donors": f"{len(donors.drop_duplicates('donor')):,}: {split.get('train', 0):,} for training, "
        f"{split.get('test', 0):,} held out from everything that is fitted",
        "Genes": f"{int(genes['kept'].sum()):,} of {len(genes):,} common ones ({_selection(config)})",
        "Generators": ", ".join(config["generators"]),
        "Seed": str(config["seed"]),
    }  # fmt: skip
    key = software[software["key"].astype(str).str.lower() == "true"]
    answers = [(e, verdicts["questions"][e.name] | {"name": e.name}) for e in experiments().values()]
    template = environment().get_template("report.html")
    return template.render(
        title=config["title"] or config["study"],
        study=config["study"],
        simulated=config["simulated"],
        entered=entered(conditions, donors, genes),
        facts=facts,
        questions=[answer for e, answer in answers if e.headline],
        evidence=[answer for e, answer in answers if not e.headline and e.name in summaries],
        status=STATUS,
        sections=sections,
        data=data,
        data_status=DATA_STATUS,
        generators=generators,
        software=list(key[["package", "version"]].itertuples(index=False)),
        machine=machine,
        overview=overview_of(verdicts["overview"], config, cost),
        cost=cost_table(cost),
        docs=docs,
        version=version,
    )


def write(html: str, path: str | Path) -> None:
    """Write the page in one rename."""
    with atomic(path) as temporary:
        temporary.write_text(html, encoding="utf-8")
