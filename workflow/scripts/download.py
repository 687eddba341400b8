"""Download one file of a dataset, resumable and verified."""

from pathlib import Path
from typing import TYPE_CHECKING

from pseudocohort.acquire.sources import fetch_row
from pseudocohort.core import logs

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

logs.configure(snakemake.log[0])
fetch_row(snakemake.params.row, Path(snakemake.output.file))
