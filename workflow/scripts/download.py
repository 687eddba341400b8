"""Download one file of a dataset, resumable and verified."""

import os
from pathlib import Path

from pseudocohort.acquire.sources import fetch_row
from pseudocohort.core import logs

logs.configure(snakemake.log[0])
offline = os.environ.get("PSEUDOCOHORT_OFFLINE") == "1"
fetch_row(snakemake.params.row, Path(snakemake.output.file), offline=offline)
