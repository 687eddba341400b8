"""Download one file of a dataset, resumable and verified."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pseudocohort import logs
from pseudocohort.acquire.fetch import fetch

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

logs.configure(snakemake.log[0])
destination = Path(snakemake.output.file)
addresses = [snakemake.params.row.get(column, "") for column in ("source", "samples")]
source = next(a for a in addresses if Path(a.split("?")[0]).name == destination.name)
fetch(source, destination, offline=os.environ.get("PSEUDOCOHORT_OFFLINE") == "1")
