"""What of a dataset would enter a study, in words, before anything trains."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import anndata as ad
import pandas as pd

from ..core import contracts
from ..core.io import read_profiles
from ..core.levels import TISSUE_LEVELS
from ..core.words import count as counted
from ..core.words import some
from ..ingest.dataset import ingest_to_file
from .cell_lines import LineNames
from .gene_ids import DATES, DATES_REMEDY
from .gene_table import GeneTable
from .harmonise import covariate
from .quality import control_cells, control_samples

#: Longest list that is written out.
SHOWN = 8
#: Donors of a condition below which little can be said of it: of so many, three are held out by default.
FEW_DONORS = 10


def _some(items: list[str], total: int | None = None) -> str:
    return some(items, SHOWN, total)


def _conditions(obs: pd.DataFrame) -> list[str]:
    keys = [obs[c].astype(str) for c in ("condition", "level")]
    table = obs.groupby(keys)["donor"].agg(["size", "nunique"])
    width = max(len(str(condition)) for condition, _ in table.index)
    lines = [
        f"  {condition:<{width}}  {level:<10} {row['size']:>7,} profiles of {row['nunique']:,} donors"
        for (condition, level), row in table.iterrows()
    ]
    levels = table.index.get_level_values("level")
    few = table.index[(table["nunique"] < FEW_DONORS) & levels.isin(TISSUE_LEVELS)].get_level_values("condition")
    if len(few):
        lines += [
            "",
            f"few       fewer than {FEW_DONORS} donors, some of them held out, say little: {_some(list(few))}",
            "          leave such conditions out (prepare.conditions.exclude), or merge them with others (map)",
        ]
    return lines


def _annotation_doubts(samples: dict[str, Any]) -> list[str]:
    labels, repeated, sex = (samples[name] for name in ("labels", "repeated", "sex"))
    lines = []
    if labels["checked"]:
        first = [f"{r['sample']} ({r['label']}, looks {r['nearest']})" for r in labels["samples"]]
        lines.append(
            f"labels    {labels['disagree']:,} of {labels['checked']:,} samples are closer to another condition"
        )
        lines += [f"          clearest: {_some(first[:SHOWN])}"] if first else []
    if repeated["identical"]:
        lines.append(f"repeated  identical samples: {_some([' = '.join(ids) for ids in repeated['identical']])}")
    if repeated["donors_with_several"]:
        head = "" if repeated["identical"] else "repeated"
        lines.append(
            f"{head:10}{counted(repeated['donors_with_several'], 'donor')} with several samples of one condition"
        )
    if sex["checked"]:
        wrong = [f"{r['sample']} ({r['sex']})" for r in sex["samples"]]
        lines.append(f"sex       {sex['checked']:,} checked; contradicted: {_some(wrong) or 'none'}")
    return lines


def render(report: dict[str, Any], obs: pd.DataFrame, gene_count: int) -> str:
    """The quality report of a dataset as text.

    Parameters
    ----------
    report : dict
        As :func:`.quality.control_samples` and :func:`.quality.control_cells` return it.
    obs : DataFrame
        Annotation of the profiles that enter.
    gene_count : int
        Genes that they have.
    """
    genes = report["genes"]
    lines = [
        f"{report['dataset']}: {len(obs):,} profiles x {gene_count:,} genes of {report['donors']:,} donors would enter",
        "",
        f"unit      {report['unit']}",
    ]
    lines += [f"          warning: {warning}" for warning in report.get("unit_warnings", [])]
    if missing := report.get("missing"):
        done = {"drop_gene": "these genes are left out", "zero": "they become zeros"}[missing["rule"]]
        lines.append(
            f"missing   {missing['values']:,} values in {missing['genes']:,} genes and {missing['samples']:,} samples: "
            + done
        )
    if "conversion" in report:
        conversion = report["conversion"]
        lines.append(
            f"          {conversion['from']} -> {conversion['to']}; {conversion['genes_without_length']:,} genes "
            "without a length left out"
        )
    lines.append(f"gene ids  {genes['genes']:,} genes of {genes['ids']:,} ids; {genes['unknown']:,} unknown")
    if genes["unknown"]:
        lines.append(f"          unknown: {_some(genes['unknown_examples'], genes['unknown'])}")
    if genes.get("other_species"):
        lines.append(f"          {genes['other_species']:,} of them are of another species")
    for kind, count in genes.get("known_as", {}).items():
        lines.append(f"          {count:,} of them are known as {kind}: the file mixes kinds of ids")
    if genes.get("spreadsheet_dates"):
        lines.append(f"          {DATES}: {_some(genes['spreadsheet_dates'])}")
        lines.append(f"          {DATES_REMEDY}")
    if genes.get("disagreements"):
        some = _some(genes["disagreement_examples"], genes["disagreements"])
        lines.append(f"          {genes['disagreements']:,} where symbol and Entrez id disagree: {some}")
    if genes.get("aliases_beside"):
        some = _some(genes["alias_examples"], genes["aliases_beside"])
        lines.append(
            f"          {genes['aliases_beside']:,} left out as aliases of genes that have a row of their own: {some}"
        )
    if genes["repeated"]:
        lines.append(f"          {genes['repeated']:,} rows repeat a gene: {genes['rule']}")
    if genes["set_aside"]:
        lines.append(f"          set aside as no genes: {_some(genes['set_aside'])}")
    lines += [f"not read  {n:,} {what}" for what, n in report.get("not_read", {}).items()]
    left_out = {reason: n for reason, n in report["ingestion"].items() if n}
    lines.append("left out  " + (", ".join(f"{n:,} {reason}" for reason, n in left_out.items()) or "none"))
    for reason in report.get("left_out", []):
        lines.append(
            f"          {reason['samples']:,} for {reason['reason']}: {_some(reason['ids'], reason['samples'])}"
        )
    lines += [f"note      {note}" for note in report.get("notes", [])[:SHOWN]]
    if renamed := report.get("renamed_conditions"):
        lines.append("renamed   " + ", ".join(f"{label!r} is {name}" for label, name in renamed.items()))
    if "cells" in report:
        removed = {reason: n for reason, n in report["cells"]["removed"].items() if n}
        lines.append("cells     removed: " + (", ".join(f"{n:,} {reason}" for reason, n in removed.items()) or "none"))
        for kind, words in report["cells"].get("doublet_labels", {}).items():
            lines.append(f"          {kind}: " + _some([f"{word or 'empty'} {n:,}" for word, n in words.items()]))
    else:
        samples = report["samples"]
        lines.append(f"samples   removed for few genes: {_some(samples['removed']) or 'none'}")
        lines.append(f"          outliers, which are kept: {_some(samples['outliers']) or 'none'}")
        lines += _annotation_doubts(samples)
    if names := report.get("cell_lines"):
        lines.append(f"lines     {names['lines']:,}; {len(names['renamed']):,} renamed")
        for kind in ("ambiguous", "unmatched"):
            if names[kind]:
                lines.append(f"          {kind}: {_some(names[kind])}")
    return "\n".join([*lines, "", "conditions", *_conditions(obs)])


def preview(row: dict[str, Any], settings: dict[str, Any], genes: GeneTable, lines: LineNames, seed: int) -> str:
    """Ingest and quality-control a dataset in a temporary folder, and say what would enter.

    Parameters
    ----------
    row : dict
        Row of the dataset sheet, paths resolved to files that exist.
    settings : dict
        ``prepare`` of the configuration.
    genes : GeneTable
        Known genes.
    lines : LineNames
        Known cell lines.
    seed : int
        Master seed.

    Raises
    ------
    UserError
        For the first thing wrong with the row or its files.
    """
    keys = ("cell_quality", "sample_quality", "gene_duplicates")
    quality = {key: settings[key] for key in keys} | {"lines": lines, "seed": seed}
    with tempfile.TemporaryDirectory() as folder:
        ingested, kept = Path(folder) / "ingested.h5ad", Path(folder) / "kept.h5ad"
        ingest_to_file(row, ingested, conditions=settings["conditions"])
        profiles = read_profiles(ingested, contracts.INGESTED, backed=True)
        if row["kind"] == "single_cell":
            report = control_cells(profiles, row, quality, genes, kept)
            out = ad.read_h5ad(kept, backed="r")
        else:
            out, report = control_samples(profiles, row, quality, genes)
        for name, kind in (settings.get("covariates") or {}).items():
            if name in out.obs:
                covariate(name, kind, [out])
        return render(report, out.obs, out.n_vars)
