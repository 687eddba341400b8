"""Download one file of a dataset, resumable and verified."""

from pathlib import Path

from pseudocohort.acquire.sources import fetch_source
from pseudocohort.core import logs

logs.configure(snakemake.log[0])
fetch_source(snakemake.params.given.get("source", ""), Path(snakemake.output.file))
