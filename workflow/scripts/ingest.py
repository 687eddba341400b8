"""Read a dataset's raw files into the AnnData contract."""

from typing import TYPE_CHECKING

from pseudocohort.core import logs
from pseudocohort.ingest.dataset import ingest_to_file

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

logs.configure(snakemake.log[0])
ingest_to_file(snakemake.params.row, snakemake.output.profiles, conditions=snakemake.params.conditions)
