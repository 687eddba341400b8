"""Download one file of a dataset, resumable and verified."""

from pathlib import Path

from pseudocohort.acquire.sources import fetch_row
from pseudocohort.core import logs

logs.configure(snakemake.log[0])
fetch_row(snakemake.params.row, Path(snakemake.output.file))
