"""Tables of what quality control found strange and left as it is."""

from __future__ import annotations

from typing import Any

import pandas as pd

from .tables import plain_table

#: Rows of a table; the quality JSON has more.
SHOWN = 15
LABELS = (
    "Correlation of gene-centred expression with the centroid of a sample's own condition and with the nearest one, "
    "both without its own donor. Nothing is relabelled; neighbouring subtypes overlap, so look at the largest "
    "differences first."
)
SEX = "log2 expression of XIST and RPS4Y1. Tumours can lose either; in normal tissue a contradiction suggests a swap."
LINES = "Names that the table of aliases does not have, or that two lines of a dataset share; each stays its own donor."


def doubt_tables(reports: dict[str, dict[str, Any]]) -> list:
    """Suspicious labels, contradicted sex, identical samples and doubtful names of cell lines; none where all is well.

    Parameters
    ----------
    reports : dict
        Quality reports by dataset.
    """
    overview, labels, sex, same, lines = [], [], [], [], []
    for name, report in reports.items():
        samples = report.get("samples", {})
        if "labels" in samples:
            overview.append(
                {
                    "Dataset": name,
                    "Labels checked": samples["labels"]["checked"],
                    "Closer to another condition": samples["labels"]["disagree"],
                    "Sex checked": samples["sex"]["checked"],
                    "Sex contradicted": len(samples["sex"]["samples"]),
                    "Groups of identical samples": len(samples["repeated"]["identical"]),
                    "Donors with several samples of a condition": samples["repeated"]["donors_with_several"],
                }
            )
            columns = {"sample": "Sample", "label": "Label", "nearest": "Nearest", "own": "Own", "other": "Other"}
            labels += [{title: r[key] for key, title in columns.items()} for r in samples["labels"]["samples"][:SHOWN]]
            sex += [
                {"Sample": r["sample"], "Sex": r["sex"], "XIST": r["xist"], "RPS4Y1": r["rps4y1"]}
                for r in samples["sex"]["samples"][:SHOWN]
            ]
            same += [{"Identical samples": ", ".join(ids)} for ids in samples["repeated"]["identical"][:SHOWN]]
        for kind in ("ambiguous", "unmatched"):
            names = report.get("cell_lines", {}).get(kind, [])
            lines += [{"Dataset": name, "Line": line, "Why": kind} for line in names[:SHOWN]]
    tables = (
        (overview, "Checks of the annotation", "Warnings: nothing is removed or relabelled."),
        (labels, "Labels to look at", LABELS),
        (sex, "Sex to look at", SEX),
        (same, "Identical samples", ""),
        (lines, "Names of cell lines to look at", LINES),
    )
    return [plain_table(pd.DataFrame(rows), title, note) for rows, title, note in tables if rows]
