"""Download a project's open STAR counts from the GDC and assemble them."""

from pathlib import Path

from pseudocohort.acquire import gdc
from pseudocohort.core import logs

logs.configure(snakemake.log[0])
gdc.acquire(
    snakemake.params.source,
    Path(snakemake.output.counts),
    Path(snakemake.output.samples),
    cache=Path(snakemake.params.cache),
    api=snakemake.params.api,
)
