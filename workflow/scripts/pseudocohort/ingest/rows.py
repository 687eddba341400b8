"""What a row of the dataset sheet may not combine."""

from __future__ import annotations

import math
from typing import Any

from ..core.errors import UserError

#: What the cells of a line are summed of.
SUMMABLE = ("counts", "coverage")
#: Formats that have one orientation.
ORIENTATION_OF_FORMAT = {"gct": "genes_by_samples", "h5ad": "samples_by_genes"}


def check_row(row: dict[str, Any], where: str) -> None:
    """Refuse what cannot be right together, whatever the files hold."""

    def refuse(what: str, column: str, remedy: str) -> UserError:
        return UserError(what, where=f"{where}, column {column!r}", remedy=remedy)

    unit, offset = row["unit"], row.get("log_offset")
    if row["kind"] == "single_cell":
        if row.get("convert"):
            raise refuse(
                "convert is for bulk samples only",
                "convert",
                "leave it empty: UMIs are counted at the end of a transcript, whatever its length",
            )
        if unit not in SUMMABLE or offset is not None:
            logs = f"log2({unit} + {offset:g})" if offset is not None else unit
            raise refuse(
                f"single cells have to be counts, and {logs} is declared: pseudo-bulks are sums of counts",
                "unit",
                "give the matrix of raw counts (for an h5ad name it in the column 'layer'), or sum the cells of each "
                "line yourself and declare kind bulk",
            )
    if offset is not None:
        if not math.isfinite(offset):
            raise refuse(f"log_offset {offset} is not finite", "log_offset", "e.g. 1 or 0.001")
        if unit in ("vst", "coverage"):
            said = "vst is a log scale of its own" if unit == "vst" else "coverage sums are linear"
            raise refuse(said, "log_offset", "leave it empty, or declare another unit")
    if row.get("missing") == "zero" and unit == "vst":
        raise refuse(
            "variance-stabilised values have no zero that stands for no expression", "missing", "use drop_gene"
        )
    if row.get("layer") and row["format"] != "h5ad":
        raise refuse(f"layer is for h5ad, not {row['format']}", "layer", "leave it empty")


def check_orientation(row: dict[str, Any], where: str) -> None:
    """Refuse an orientation that the format does not have."""
    fixed = ORIENTATION_OF_FORMAT.get(row["format"])
    if fixed and row["orientation"] != fixed:
        raise UserError(
            f"orientation {row['orientation']} is declared, and {row['format']} is {fixed} by definition",
            where=f"{where}, column 'orientation'",
            remedy=f"declare {fixed}; if the file was written the other way round, transpose it",
        )
