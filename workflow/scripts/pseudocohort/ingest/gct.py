"""GCT 1.2 and 1.3: the formats of GTEx and of the Broad Institute's tools."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from ..core.errors import UserError
from .delimited import GeneLines, TextTable, annotation_rows
from .fields import split
from .matrix import Matrix, check_ids
from .text import open_text

VERSIONS = ("#1.2", "#1.3")


class GctLines(GeneLines):
    """Genes × samples, with the number of genes announced."""

    def __init__(self, table: TextTable, exact: bool, obs: pd.DataFrame | None, announced: int) -> None:
        super().__init__(table, exact, obs)
        self.announced = announced

    def blocks(self, wanted: np.ndarray) -> Iterator[Matrix]:
        """Blocks of genes for the samples at the positions `wanted`."""
        found = 0
        for block in super().blocks(wanted):
            found += len(block.genes)
            yield block
        if found != self.announced:
            raise UserError(
                f"{found} genes where line 2 announces {self.announced}",
                where=str(self.table.path),
                remedy="the file is cut; fetch it again",
            )


def _dimensions(line: str, version: str, where: str) -> list[int]:
    words = line.split()
    if not all(word.isdecimal() for word in words) or len(words) < (2 if version == "#1.2" else 4):
        raise UserError(f"{line[:40]!r} are no dimensions", where=where, remedy="fetch the file again")
    return [int(word) for word in words]


def open_gct(path: str | Path, *, exact: bool = False) -> GctLines:
    """Open a GCT file: its version, the dimensions, then the header and one line per gene.

    Version 1.2 has Name, Description and one column per sample; GTEx's files of one tissue have a column ``id`` before
    them. Version 1.3 has columns that annotate the genes after their id, and lines that annotate the samples below the
    header; those stand in for a sample table.

    Raises
    ------
    UserError
        If the first lines are not GCT's, or the dimensions do not match.
    """
    path = Path(path)
    with open_text(path) as file:
        lines = [file.readline().rstrip("\n") for _ in range(3)]
    version, dimensions = lines[0].strip().strip('"'), lines[1]
    if version not in VERSIONS:
        raise UserError(
            f"the first line is {version[:40]!r}, not '#1.2' or '#1.3'",
            where=f"{path}, line 1",
            remedy="declare the right format in the dataset sheet",
        )
    sizes = _dimensions(dimensions, version, f"{path}, line 2")
    header = [name.strip() for name in split(lines[2], "\t")]
    genes, samples = sizes[:2]
    if version == "#1.2":
        lower = [name.lower() for name in header[:3]]
        id_at = 1 if lower[:2] == ["id", "name"] else 0
        note_at = id_at + 1 if lower[id_at + 1 : id_at + 2] == ["description"] else -1
        leading, below = max(id_at, note_at) + 1, 0
        known = lower[id_at : id_at + 1] == ["name"] and note_at > 0
        expected = f"Name, Description and {samples} samples"
    else:
        leading, below, id_at, known = 1 + sizes[2], sizes[3], 0, True
        lower = [name.lower() for name in header[:leading]]
        note_at = next((lower.index(n) for n in ("symbol", "pr_gene_symbol", "gene_symbol") if n in lower), -1)
        expected = f"an id, {sizes[2]} annotations and {samples} samples"
    while len(header) > leading + samples and not header[-1]:
        header.pop()
    if not known or len(header) != leading + samples:
        raise UserError(
            f"the header has {len(header)} columns; {expected} are expected",
            where=f"{path}, line 3",
            remedy="fetch the file again",
        )
    check_ids(pd.Index(header[leading:]), "sample", f"{path}, line 3")
    obs = annotation_rows(path, "\t", 3, below, header, leading) if below else None
    table = TextTable(path, "\t", header[leading:], 3 + below, leading, id_at, note_at)
    return GctLines(table, exact, obs, genes)
