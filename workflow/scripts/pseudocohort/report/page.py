"""The report: one self-contained HTML page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from ..core.io import atomic
from ..experiments.registry import experiments, figures_of, of_study
from ..experiments.shared.plan import task_titles
from .data_section import STATUS as DATA_STATUS
from .data_section import DataSection
from .tables import Table, plain_table, summary_table

TEMPLATES = Path(__file__).parent / "templates"
STATUS = {
    "yes": "Yes", "no": "No", "unclear": "It depends", "cannot_tell": "Cannot tell yet",
    "nothing_to_gain": "Nothing to gain", "not_run": "Not run",
}  # fmt: skip


def caption_html(text: str) -> Markup:
    """A caption in HTML: escaped, with ``literals`` as code."""
    return Markup(re.sub(r"``(.+?)``", r"<code>\1</code>", str(escape(text.strip()))))


def inline_svg(path: Path) -> Markup:
    """An SVG for inclusion in HTML: without prolog, ids made unique by the figure's name, scaled to its place."""
    text = path.read_text()
    text = text[text.index("<svg") :]
    name = path.stem
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(href="#|url\(#)', lambda m: m.group(1) + f"{name}-", text)
    head, rest = text.split(">", 1)
    head = re.sub(r' (?:width|height)="[^"]*"', "", head)
    return Markup(f"{head}>{rest}")


def render(
    *,
    config: dict[str, Any],
    verdicts: dict[str, Any],
    summaries: dict[str, pd.DataFrame],
    figures: dict[str, Path],
    data: DataSection,
    donors: pd.DataFrame,
    genes: pd.DataFrame,
    generators: list[dict[str, str]],
    further: dict[str, dict[str, list[str]]],
    software: pd.DataFrame,
    machine: dict[str, Any],
    cost: Table | None,
    version: str,
) -> str:
    """HTML of the report; nothing is computed here but the form of what the tables hold.

    Parameters
    ----------
    config : dict
        The study's configuration.
    verdicts : dict
        Content of ``tables/verdicts.json``.
    summaries : dict of DataFrame
        Summary tables by evaluation.
    figures : dict of Path
        SVG files by name.
    data : DataSection
        What entered, what was left out, what looks wrong.
    donors, genes : DataFrame
        Held-out donors and gene space.
    generators : list of dict
        ``name``, ``summary``, ``reference`` of each generator.
    further : dict of dict
        Files that the further tables of experiments are made from, by experiment and name.
    software, machine
        Provenance.
    cost : Table, optional
        What training and sampling took.
    version : str
        Of pseudocohort.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
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
                "figures": [(f.name, inline_svg(figures[f.name]), caption_html(f.caption)) for f in shown],
                "tables": tables,
            }
        )
    split = donors.drop_duplicates("donor")["split"].value_counts()
    facts = {
        "Datasets": ", ".join(config["datasets"]),
        "Donors": f"{len(donors.drop_duplicates('donor')):,}: {split.get('train', 0):,} for training, "
        f"{split.get('test', 0):,} held out from everything that is fitted",
        "Genes": f"{int(genes['kept'].sum()):,} of {len(genes):,} common ones "
        f"({config['prepare']['gene_space']['kind'].replace('_', ' ')})",
        "Generators": ", ".join(config["generators"]),
        "Seed": str(config["seed"]),
    }  # fmt: skip
    key = software[software["key"].astype(str).str.lower() == "true"]
    return environment.get_template("report.html").render(
        title=config["title"] or config["study"],
        study=config["study"],
        simulated=config["simulated"],
        facts=facts,
        questions=[verdicts["questions"][e.name] | {"name": e.name} for e in experiments().values() if e.headline],
        evidence=[
            verdicts["questions"][e.name] | {"name": e.name}
            for e in experiments().values()
            if not e.headline and (e.name in summaries or not e.optional)
        ],
        status=STATUS,
        sections=sections,
        data=data,
        data_status=DATA_STATUS,
        generators=generators,
        software=list(key[["package", "version"]].itertuples(index=False)),
        machine=machine,
        cost=cost,
        version=version,
        style=Markup((TEMPLATES / "style.css").read_text()),
        script=Markup((TEMPLATES / "sort.js").read_text()),
    )


def write(html: str, path: str | Path) -> None:
    """Write the page in one rename."""
    with atomic(path) as temporary:
        temporary.write_text(html, encoding="utf-8")
