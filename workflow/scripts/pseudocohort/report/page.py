"""The report: one self-contained HTML page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from ..core.io import atomic
from ..experiments.camda.score import PUBLISHED as CAMDA_PUBLISHED
from ..experiments.lacan.score import PUBLISHED as LACAN_PUBLISHED
from .doubts import doubt_tables
from .tables import Table, plain_table, summary_table

TEMPLATES = Path(__file__).parent / "templates"
STATUS = {"yes": "Yes", "no": "No", "unclear": "It depends", "not_run": "Not run"}
#: Sections in the order of the page: evaluation, title, figures.
SECTIONS = (
    ("augmentation", "Augmentation", ("augmentation", "learning")),
    ("privacy", "Privacy", ("privacy", "frontier", "leakage")),
    ("interventions", "Interventions", ("interventions",)),
    ("combination", "Cell level and tissue level", ("combination", "levels")),
    ("held_out_level", "Conditions never seen at a level", ("held_out_level",)),
    ("camda", "CAMDA track", ("camda",)),
    ("lacan", "Lacan track", ("lacan",)),
    ("fidelity", "Fidelity", ("fidelity", "map", "training")),
)

#: Questions below the three of the users.
_EVIDENCE = ("combination", "held_out_level", "camda", "lacan", "fidelity")
#: Of these, what is left out where it was not run.
_OPTIONAL = ("held_out_level", "camda", "lacan")


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


def quality_tables(reports: dict[str, dict[str, Any]]) -> list:
    """Tables of what entered the study and what quality control removed."""
    rows = []
    for name, report in reports.items():
        part = report.get("cells") or report.get("samples") or {}
        removed = part.get("removed", {})
        flagged = len(part.get("outliers", []))
        rows.append(
            {
                "Dataset": name,
                "Kind": report["kind"].replace("_", " "),
                "Profiles": part.get("cells", part.get("samples", 0)),
                "Kept": part.get("kept", 0),
                "Donors": report["donors"],
                "Genes": report["genes"]["genes"],
                "Unknown ids": report["genes"]["unknown"],
                "Removed for": ", ".join(f"{k} ({v})" for k, v in removed.items() if v)
                if isinstance(removed, dict)
                else f"few genes ({len(removed)})"
                if removed
                else "",
                "Flagged outliers": flagged,
                "Declared unit": report["unit"],
            }
        )
    return [plain_table(pd.DataFrame(rows), "Datasets after quality control")]


def render(
    *,
    config: dict[str, Any],
    verdicts: dict[str, Any],
    summaries: dict[str, pd.DataFrame],
    figures: dict[str, Path],
    captions: dict[str, str],
    quality: dict[str, dict[str, Any]],
    donors: pd.DataFrame,
    genes: pd.DataFrame,
    generators: list[dict[str, str]],
    embeddings: dict[str, dict[str, float | None]],
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
    captions : dict of str
        How to read each figure, by the same names.
    quality : dict
        Quality reports by dataset.
    donors, genes : DataFrame
        Held-out donors and gene space.
    generators : list of dict
        ``name``, ``summary``, ``reference`` of each generator.
    embeddings : dict of dict
        Degeneracy checks of generators that have a joint embedding, by generator.
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
    titles = {name: task.get("title", name) for name, task in config["augmentation"]["tasks"].items()}
    sections = []
    for name, title, shown in SECTIONS:
        if name not in summaries:
            continue
        summary = summaries[name]
        overall = summary if name == "augmentation" else summary[summary["task"].isna()]
        tables = [summary_table(name, overall.assign(task=[titles.get(t, t) for t in overall["task"]]))]
        if name in _PUBLISHED:
            tables.append(_PUBLISHED[name]())
        if name == "fidelity" and summary["task"].notna().any():
            tables.append(_conditions(summary[summary["task"].notna()]))
        if name == "fidelity" and embeddings:
            tables.append(_embeddings(embeddings))
        sections.append(
            {
                "name": name,
                "title": title,
                "question": verdicts["questions"][name],
                "figures": [(f, inline_svg(figures[f]), caption_html(captions[f])) for f in shown if f in figures],
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
        questions=[verdicts["questions"][n] | {"name": n} for n in ("augmentation", "privacy", "interventions")],
        evidence=[verdicts["questions"][n] | {"name": n} for n in _EVIDENCE if n in summaries or n not in _OPTIONAL],
        status=STATUS,
        sections=sections,
        quality=quality_tables(quality) + doubt_tables(quality),
        generators=generators,
        software=list(key[["package", "version"]].itertuples(index=False)),
        machine=machine,
        cost=cost,
        version=version,
        style=Markup((TEMPLATES / "style.css").read_text()),
        script=Markup((TEMPLATES / "sort.js").read_text()),
    )


def _conditions(summary: pd.DataFrame):
    """Fidelity by condition: the within-condition correlation score."""
    rows = summary[summary["metric"] == "correlation_score_within"]
    wide = rows.assign(condition=rows["task"].str.removeprefix("condition:")).pivot_table(
        index="condition", columns="generator", values="value"
    )
    return plain_table(
        wide.reset_index().rename(columns={"condition": "Condition"}),
        "Correlations within condition, by condition",
        "Correlation of gene-gene correlations with those of held-out donors; conditions with ten donors in each half.",
    )


def _published_camda():
    """Rows that teams of the challenge published, for its own matrix."""
    rows = [{"Published": name, "Accuracy": a, "AUPRC": b} for name, (a, b) in CAMDA_PUBLISHED.items()]
    note = (
        "For the challenge's own matrix (TCGA-BRCA, 1,089 patients, 978 landmark genes, VST; PMBio README and the "
        "teams' result files, CAMDA 2025). Another matrix than the one above: read beside it, not against it."
    )
    return plain_table(pd.DataFrame(rows), "Published in the challenge", note)


def _published_lacan():
    """Medians that Lacan et al. show, for their own matrices."""
    rows = [{"Published": name, "GTEx": gtex, "TCGA": tcga} for name, (gtex, tcga) in LACAN_PUBLISHED.items()]
    note = (
        "Medians read from the authors' committed figure, for 974 and 978 landmark genes, 26 and 24 tissues, split by "
        "sample, so that one donor may be on both sides. Other matrices than the one above: read beside it, not "
        "against it."
    )
    return plain_table(pd.DataFrame(rows).round(4), "Published reverse accuracy", note)


#: Published rows beside the tables of a track.
_PUBLISHED = {"camda": _published_camda, "lacan": _published_lacan}


def _embeddings(checks: dict[str, dict[str, float | None]]):
    """Degeneracy checks of joint embeddings."""
    rows = [
        {
            "Generator": name,
            "Effective rank": values["effective_rank"],
            "Variance within conditions": values["within_condition_share"],
            "Level AUROC": "" if values["level_auroc"] is None else values["level_auroc"],
        }
        for name, values in checks.items()
    ]
    note = (
        "On the first training set. Effective rank near 1: the embedding has collapsed. Variance within conditions "
        "near 0: it knows the condition only. Level AUROC near .5: its levels lie together; 1: apart."
    )
    return plain_table(pd.DataFrame(rows), "Joint embedding", note)


def write(html: str, path: str | Path) -> None:
    """Write the page in one rename."""
    with atomic(path) as temporary:
        temporary.write_text(html, encoding="utf-8")
